#!/bin/sh
# The controller with a critic on landscapes, on NAS-Bench-101 and beside arms that were missing on NAS-Bench-201. Killed anywhere,
# the same command continues; given more seeds, it adds them. README.md beside this is the plan.
#
#     sh results/published/critic-second-round/run.sh PART TABLE SEEDS [STUDIES]     searches
#     sh results/published/critic-second-round/run.sh summary PART [STUDIES]         the report in this folder, of what is there
#
# PART is landscape-N or interactions-N (N the seed of the landscape; with interactions, half of its score comes from pairs of decisions
# that matter together), each with -300 or -1000 behind it for the trials; nasbench101-100 or nasbench101-300; cifar10,
# cifar100 or imagenet16, each with -more behind it for a folder of its own. TABLE is nasbench101.csv.gz, nasbench201.csv.gz, or - for a landscape.
set -eu
here=$(dirname "$0")
if [ "$1" = summary ]; then
    python "$here/../summarise.py" "${3:-results/critic-second-round}/$2" "$here/$2"
    rm "$here/$2/report.html" # a megabyte that says what report.md says
    exit
fi
part=$1
table=$2
seeds=$3
studies=${4:-results/critic-second-round}
trials=${part##*-}

arms=policy-gradient,critic,plain=policy-gradient,optuna:tpe,evolution,local-search,random-search

compare() {
    nas compare --strategies "$arms" --seeds "$seeds" --processes 1 --no-report --out "$studies/$part" "$@"
}

landscape() {
    which=${part%-*}
    compare --set plain.preset=plain --space nasnet --evaluator landscape --set "evaluator.seed=${which##*-}" \
        --set "evaluator.interactions=$1" --trials "$trials" --margin 0.02
}

tabled() {
    arms=policy-gradient,critic,paper=policy-gradient,optuna:gp,optuna:tpe,evolution,local-search,random-search
    compare --set paper.preset=paper --space nasbench201 --table "$table" --margin 0.1 --score "$1" --cost "$2" --final "$3" \
        --budget-seconds 12000
}

case $part in
    landscape-*) landscape 0 ;;
    interactions-*) landscape 0.5 ;;
    nasbench101-*)
        compare --set plain.preset=plain --space nasbench101 --table "$table" --score test_acc_108 --trials "$trials" --margin 0.1
        ;;
    cifar10 | cifar10-more) tabled c10_val_12 '0.06*c10v_time_200' c10_test_200 ;;
    cifar100 | cifar100-more) tabled c100_val_12 '0.06*c10_time_200' c100_test_200 ;;
    imagenet16 | imagenet16-more) tabled in16_val_12 '0.06*in16_time_200' in16_test_200 ;;
    *) echo "no part is called $part" >&2; exit 2 ;;
esac
