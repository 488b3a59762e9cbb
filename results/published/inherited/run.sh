#!/bin/sh
# Does a training gain by beginning with shared weights? Run from the root of the repository; killed and begun again it continues.
set -eu
: "${WORK:=results/inherited}"
HERE=results/published/inherited

nas supernet --space nasnet --dataset digits-hard --steps 200 --out "$WORK/supernet"
train() {
    name=$1
    shift
    nas tabulate --space nasnet --dataset digits-hard --sample 12 --seeds 2 --set recipe.epochs=8 --folder "$WORK/$name" --out "$HERE/$name.csv" "$@"
}
train fresh
train inherited --set evaluator.inherit="$WORK/supernet"
python "$HERE/table.py" "$HERE"
