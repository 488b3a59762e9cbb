#!/bin/sh
# README.md beside this is the plan. Run from the root of the repository; killed anywhere, the same command continues.
#
#     sh results/published/shared-search/run.sh [STUDIES] [SEEDS]
set -eu
studies=${1:-results/shared-search}
seeds=${2:-7001-7020}
here=$(dirname "$0")

nas compare --space nasnet --dataset digits-hard --evaluator shared --set evaluator.steps=560 \
    --strategies policy-gradient,random-search --trials 100 --seeds "$seeds" --margin 0.005 --no-report --out "$studies/compare"

set -- --space nasnet --dataset digits-hard --strategy random-search --seed 7000 --evaluations-per-trial 3 --to none
for winner in "$studies"/compare/*/seed-*/best/genotype.json; do
    set -- "$@" --start-from "$winner"
done
trained=$(python "$here/verdicts.py" --different "$studies/compare")
nas search "$@" --trials "$trained" --out "$studies/trained"
python "$here/verdicts.py" "$studies/compare" "$studies/trained" "$here"
