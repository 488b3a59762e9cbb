#!/bin/sh
# Records of real children of the mission's own space. Run from the root of the repository, with CIFAR-10 under NAS_DATA
# (or --data-dir in what follows the name of the script). Killed and begun again it continues; the stages add to one another.
set -eu
: "${OUT:=results/published/nasnet-cifar10/records.csv.gz}"
: "${STUDIES:=results/records-cifar10-16}"

stage() {
    sample=$1 repeated=$2
    shift 2
    nas tabulate --space nasnet --dataset cifar10-16 --set evaluator.precision=fp32 --set evaluator.layout=channels-last \
        --sample "$sample" --repeated "$repeated" --seeds 3 --neighbour-every 5 --folder "$STUDIES" --out "$OUT" "$@"
}

stage 60 40 "$@"
stage 200 80 "$@"
stage 600 120 "$@"
stage 1000 120 "$@"
