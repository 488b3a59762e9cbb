#!/bin/sh
# README.md beside this is the plan. Run from the root of the repository; killed anywhere, the same command continues.
#
#     sh results/published/shared-search/run.sh still [STUDIES] [SEEDS]
#     sh results/published/shared-search/run.sh learning-on [STUDIES] [SEEDS]     after it, with seeds of it
set -eu
part=${1:-still}
studies=${2:-results/shared-search}
here=$(dirname "$0")

compare() { # SEEDS [OPTIONS]
    seeds=$1
    shift
    nas compare --space nasnet --dataset digits-hard --evaluator shared --set evaluator.steps=560 \
        --strategies policy-gradient,random-search --trials 100 --seeds "$seeds" --margin 0.005 --no-report --out "$studies/$part" "$@"
}

trained() {
    set -- --space nasnet --dataset digits-hard --strategy random-search --seed 7000 --evaluations-per-trial 3 --to none
    for winner in "$studies/$part"/*/seed-*/best/genotype.json; do
        set -- "$@" --start-from "$winner"
    done
    count=$(python "$here/verdicts.py" --different "$studies/$part")
    nas search "$@" --trials "$count" --out "$studies/trained-$part"
}

case $part in
    still)
        compare "${3:-7001-7020}"
        trained
        python "$here/verdicts.py" "$here" "$studies/still" "$studies/trained-still"
        ;;
    learning-on)
        compare "${3:-7001-7010}" --set evaluator.while_searching=5
        trained
        mkdir -p "$here/learning-on"
        python "$here/verdicts.py" "$here/learning-on" "$studies/learning-on" "$studies/trained-learning-on" \
            "$studies/still" "$studies/trained-still"
        ;;
    *) echo "no part is called $part" >&2; exit 2 ;;
esac
