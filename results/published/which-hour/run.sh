#!/bin/sh
# Three ways to spend the same seconds on CIFAR-10 at 16x16. README.md beside this is the plan. Run from the root of the repository,
# with CIFAR-10 under NAS_DATA; killed anywhere, the same command continues.
#
#     sh results/published/which-hour/run.sh [SECONDS] [STUDIES]
set -eu
seconds=${1:-3600}
studies=${2:-results/which-hour}
here=$(dirname "$0")
confirmed=170 # five trainings, kept back from each way's seconds

way() { # NAME STRATEGY SECONDS [OPTIONS]
    name=$1 strategy=$2 left=$3
    shift 3
    nas search --space nasnet --dataset cifar10-16 --strategy "$strategy" --seed 11001 --budget-seconds "$left" --confirm 5 \
        --set confirm.precision=fp32 --set confirm.layout=channels-last --to none --out "$studies/$name" "$@"
}

trained="--set evaluator.precision=fp32 --set evaluator.layout=channels-last"
nas supernet --space nasnet --dataset cifar10-16 $trained --steps 1700 --out "$studies/supernet"
spent=$(python -c "import json, math, sys; print(math.ceil(json.load(open(sys.argv[1]))['seconds']))" "$studies/supernet/supernet.json")
way shared policy-gradient $((seconds - confirmed - spent)) --evaluator shared --set evaluator.supernet="$studies/supernet"
way trained policy-gradient $((seconds - confirmed)) $trained
way random random-search $((seconds - confirmed)) $trained

for name in shared trained random; do
    nas retrain "$studies/$name" --dataset cifar10-16 --preset cifar10-16 --seeds 3 --seed 900 --threads 1 --to none \
        --out "$studies/retrained-$name"
done
python "$here/table.py" "$studies" "$here"
