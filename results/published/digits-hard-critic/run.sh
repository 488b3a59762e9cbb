#!/bin/sh
# The controller with a critic against TPE and random search, every child trained. README.md beside this is the plan. Run from the root
# of the repository; killed anywhere, the same command continues, and given more seeds it adds them. A machine that has no studies yet
# takes over those that another has finished, from logs.tar.gz beside this.
#
#     sh results/published/digits-hard-critic/run.sh [STUDIES] [WORKERS] [SEEDS]
#     sh results/published/digits-hard-critic/run.sh logs [STUDIES]       put the finished ones into logs.tar.gz
#     sh results/published/digits-hard-critic/run.sh summary [STUDIES]
set -eu
here=$(dirname "$0")
case ${1:-} in
    logs)
        python "$here/../logs.py" "${2:-results/digits-hard-critic}" "$here/logs.tar.gz"
        exit
        ;;
    summary)
        python "$here/../summarise.py" "${2:-results/digits-hard-critic}" "$here"
        rm "$here/report.html" # a megabyte that says what report.md says
        exit
        ;;
esac
studies=${1:-results/digits-hard-critic}
if [ ! -e "$studies" ] && [ -e "$here/logs.tar.gz" ]; then
    mkdir -p "$studies"
    tar xzf "$here/logs.tar.gz" -C "$studies"
fi
nas compare --space nasnet --dataset digits-hard --preset digits-demo --set evaluator.precision=fp32 \
    --strategies policy-gradient,optuna:tpe,random-search --trials 100 --seeds "${3:-9001-9024}" --confirm 5 --margin 0.005 \
    --pilot 30 --workers "${2:-1}" --no-report --out "$studies"
