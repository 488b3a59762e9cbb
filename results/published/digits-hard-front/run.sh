#!/bin/sh
# Accuracy against multiply-adds where children are really trained, then the fronts in ONNX Runtime: does the order by
# multiply-adds hold for milliseconds? README.md beside this is the plan. Killed anywhere, the same command continues.
#
#     sh results/published/digits-hard-front/run.sh [STUDIES]
set -eu
studies=${1:-results/digits-hard-front}
here=$(dirname "$0")

nas compare --space nasnet --dataset digits-hard --preset digits-demo --set evaluator.precision=fp32 \
    --objectives 'val_accuracy, -macs' --strategies policy-gradient,nsgaii=optuna:nsgaii,random-search \
    --set nsgaii.population_size=10 --trials 40 --seeds 1001-1005 --out "$studies"
python "$here/../summarise.py" "$studies" "$here"
python "$here/measure.py" "$studies" > "$here/latencies.jsonl"
python "$here/order.py" "$here/latencies.jsonl"
