#!/bin/sh
# Five arms on NAS-Bench-201 under 12,000 simulated seconds, 500 seeds each: the published comparison, from the table to
# the summaries in this folder. Killed anywhere, the same command continues.
#
#     sh results/published/nasbench201/run.sh nasbench201.csv.gz [STUDIES] [PROCESSES]
#
# Strategies see the validation accuracy of 12 epochs of training and pay for these; winners are judged by the test
# accuracy of 200 epochs. Random sampling, the fifth arm, is read off random search. Evolution has the settings of the
# authors of the benchmark (population 10, sample 3), TPE and the controller have their defaults. No seed was used before.
set -eu
table=$1
studies=${2:-results/nasbench201}
processes=${3:-2}
here=$(dirname "$0")

compare() {
    nas compare --space nasbench201 --table "$table" --score "$2" --cost "$3" --final "$4" \
        --strategies policy-gradient,evolution,optuna:tpe,random-search \
        --set policy-gradient.preset=plain --set evolution.population=10 --set evolution.sample=3 \
        --budget-seconds 12000 --seeds 1001-1500 --margin 0.1 --processes "$processes" --out "$studies/$1"
    python "$here/../summarise.py" "$studies/$1" "$here/$1"
}

compare cifar10 c10_val_12 '0.06*c10v_time_200' c10_test_200
compare cifar100 c100_val_12 '0.06*c10_time_200' c100_test_200
compare imagenet16 in16_val_12 '0.06*in16_time_200' in16_test_200
