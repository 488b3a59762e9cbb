#!/bin/sh
# Improvement per second against improvement, 12,000 simulated seconds of NAS-Bench-201. Killed anywhere, the same command continues. README.md
# beside this is the plan.
#
#     sh results/published/critic-of-seconds/run.sh PART TABLE [STUDIES]         searches
#     sh results/published/critic-of-seconds/run.sh summary PART [STUDIES]       the report in this folder, of what is there
#
# PART is cifar100 or imagenet16, TABLE is nasbench201.csv.gz.
set -eu
here=$(dirname "$0")
studies=${3:-results/critic-of-seconds}
if [ "$1" = summary ]; then
    python "$here/../summarise.py" "$studies/$2" "$here/$2"
    exit
fi
case $1 in
    cifar100) score=c100_val_12 cost='0.06*c10_time_200' final=c100_test_200 ;;
    imagenet16) score=in16_val_12 cost='0.06*in16_time_200' final=in16_test_200 ;;
    *) echo "no part is called $1" >&2; exit 2 ;;
esac
nas compare --strategies policy-gradient,timed=policy-gradient,random-search --set timed.costs=1 --seeds 6201-6240 --processes 1 --no-report \
    --space nasbench201 --table "$2" --score "$score" --cost "$cost" --final "$final" --budget-seconds 12000 --margin 0.1 \
    --out "$studies/$1"
