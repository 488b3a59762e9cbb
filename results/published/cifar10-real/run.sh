#!/bin/sh
# Real searches on CIFAR-10 at 16x16. README.md beside this is the plan. Run from the root of the repository, with CIFAR-10 under NAS_DATA;
# killed anywhere, the same command continues, and a machine that has no studies yet takes over those in logs.tar.gz beside this.
#
#     sh results/published/cifar10-real/run.sh search [STUDIES] [WORKERS] [SEEDS]
#     sh results/published/cifar10-real/run.sh logs [STUDIES]       put the finished seeds into logs.tar.gz
#     sh results/published/cifar10-real/run.sh judge [STUDIES]      train the winners of the finished seeds, and say who is better
set -eu
part=$1
studies=${2:-results/cifar10-real}
here=$(dirname "$0")
arms=policy-gradient,critic,optuna:tpe,random-search
case $part in
    search)
        if [ ! -e "$studies" ] && [ -e "$here/logs.tar.gz" ]; then
            mkdir -p "$studies"
            tar xzf "$here/logs.tar.gz" -C "$studies"
        fi
        nas compare --space nasnet --dataset cifar10-16 --set evaluator.precision=fp32 --set evaluator.layout=channels-last \
            --set recipe.epochs=1 --strategies $arms --trials 60 --seeds "${4:-12001-12012}" --margin 0.005 --workers "${3:-1}" \
            --no-report --out "$studies"
        ;;
    logs) python "$here/../logs.py" "$studies" "$here/logs.tar.gz" ;;
    judge)
        python "$here/verdicts.py" --winners "$studies" | while read -r winner place; do
            nas retrain "$winner" --dataset cifar10-16 --preset cifar10-16 --seeds 3 --seed 900 --threads 1 --device cpu --to none \
                --out "$studies-judged/$place"
        done
        python "$here/verdicts.py" "$studies" "$studies-judged" "$here"
        ;;
    *) echo "no part is called $part" >&2; exit 2 ;;
esac
