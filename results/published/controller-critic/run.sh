#!/bin/sh
# The controller with a critic against what was there before: NAS-Bench-201 and the landscape, from the table to the
# summaries in this folder. Killed anywhere, the same command continues. README.md beside this is the plan.
#
#     sh results/published/controller-critic/run.sh PART nasbench201.csv.gz [SEEDS] [STUDIES]
#
# PART is cifar10, cifar100, imagenet16, cifar100-60, cifar100-400, landscape-N or interactions-N (N the seed of the
# landscape; with interactions, half of its score comes from pairs of decisions that matter together).
set -eu
part=$1
table=$2
seeds=${3:-3001-3200}
studies=${4:-results/controller-critic}
here=$(dirname "$0")

arms=policy-gradient,plain=policy-gradient,paper=policy-gradient,critic,optuna:tpe,local-search
arms=$arms,evolution,small=evolution,random-search

compare() {
    nas compare --strategies "$arms" --set plain.preset=plain --set paper.preset=paper \
        --set small.population=10 --set small.sample=3 --seeds "$seeds" --processes 1 \
        --out "$studies/$part" "$@"
    python "$here/../summarise.py" "$studies/$part" "$here/$part"
}

tabled() {
    compare --space nasbench201 --table "$table" --margin 0.1 --score "$1" --cost "$2" --final "$3" \
        --budget-seconds "$4"
}

case $part in
    cifar10) tabled c10_val_12 '0.06*c10v_time_200' c10_test_200 12000 ;;
    cifar100) tabled c100_val_12 '0.06*c10_time_200' c100_test_200 12000 ;;
    imagenet16) tabled in16_val_12 '0.06*in16_time_200' in16_test_200 12000 ;;
    # One second for each evaluation, so that repeats are free for every arm.
    cifar100-60) tabled c100_val_12 '0*c10_time_200+1' c100_test_200 60 ;;
    cifar100-400) tabled c100_val_12 '0*c10_time_200+1' c100_test_200 400 ;;
    landscape-* | interactions-*)
        arms=policy-gradient,plain=policy-gradient,critic,optuna:tpe,random-search
        share=0
        case $part in interactions-*) share=0.5 ;; esac
        nas compare --space nasnet --evaluator landscape --set "evaluator.seed=${part##*-}" \
            --set "evaluator.interactions=$share" \
            --strategies "$arms" --set plain.preset=plain --seeds "$seeds" --processes 1 \
            --trials 300 --margin 0.02 --out "$studies/$part"
        python "$here/../summarise.py" "$studies/$part" "$here/$part"
        ;;
    *) echo "no part is called $part" >&2; exit 2 ;;
esac
