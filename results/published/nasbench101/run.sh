#!/bin/sh
# Five arms on NAS-Bench-101, 150 evaluations each, as the literature reports them: from the table to the report in this folder. Killed anywhere, the same
# command continues.
#
#     sh results/published/nasbench101/run.sh nasbench101.csv.gz [STUDIES] [SEEDS]
#
# The table has one test accuracy a cell, of the first of three trainings of 108 epochs, and hardly a validation accuracy: all arms
# search by it, and the regret is against the best cell of the table (94.661). All strategies have their defaults. Planned before the first
# study: 20 seeds, none of them used before; no option was tried on this table.
set -eu
table=$1
studies=${2:-results/nasbench101}
seeds=${3:-1-20}
here=$(dirname "$0")

nas compare --space nasbench101 --table "$table" --score test_acc_108 \
    --strategies policy-gradient,critic,evolution,optuna:tpe,random-search \
    --trials 150 --seeds "$seeds" --margin 0.1 --processes 1 --out "$studies"
python "$here/../summarise.py" "$studies" "$here"
