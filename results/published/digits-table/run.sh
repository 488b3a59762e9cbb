#!/bin/sh
# The table that ships with the package: every architecture of the NAS-Bench-201 space trained on the 8x8 digits, three
# seeds each. Killed anywhere, the same command continues.
#
# 16 filters and two epochs (30 steps) were chosen by a pilot of 16 settings on 16 to 36 random cells with three seeds: longer
# training makes cells equally good (0.984 on average with 8 filters and 6 epochs), narrower networks make seeds matter more
# (Kendall's tau between seeds, same 36 cells: 0.42 with 8 filters, 0.45 with 12, 0.55 with 16).
#
# It takes about two hours of two cores, can be stopped at any time, and continues. When all is done, `card.py` beside this file
# puts the table into the package.
#
#     sh results/published/digits-table/run.sh [STUDIES] [WORKERS]
set -eu
studies=${1:-results/digits-table}
workers=${2:-1}

mkdir -p "$studies"
nas tabulate --space nasbench201 --dataset digits --preset digits-demo \
    --set evaluator.skeleton.filters=16 --set evaluator.recipe.epochs=2 \
    --set evaluator.precision=fp32 --set evaluator.layout=channels-last --set evaluator.keep_weights=false \
    --workers "$workers" --seeds 3 --folder "$studies" --out "$studies/nasbench201-digits.csv.gz"
