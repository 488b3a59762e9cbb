#!/bin/sh
# README.md beside this is the plan. Run from the root of the repository; killed anywhere, the same command continues.
#
#     sh results/published/on-records/run.sh TRIALS SEEDS [STUDIES]         searches
#     sh results/published/on-records/run.sh summary TRIALS [STUDIES]       the report in this folder
set -eu
here=$(dirname "$0")
if [ "$1" = summary ]; then
    python "$here/../summarise.py" "${3:-results/on-records}/$2" "$here/$2"
    rm "$here/$2/report.html" # a megabyte that says what report.md says
    exit
fi
nas compare --space nasnet --evaluator surrogate --set evaluator.records=nasnet-cifar10 \
    --strategies policy-gradient,critic,optuna:tpe,evolution,local-search,random-search \
    --trials "$1" --seeds "$2" --margin 0.002 --no-report --out "${3:-results/on-records}/$1"
