#!/bin/sh
# The winners of 60 trials on the surrogate, trained as the records were (CIFAR-10 under NAS_DATA). From the root of the repository.
#
#     sh results/published/on-records/train.sh [SEEDS] [STUDIES]
set -eu
here=$(dirname "$0")
seeds=${1:-12}
studies=${2:-results/on-records}
nas search --space nasnet --dataset cifar10-16 --set evaluator.precision=fp32 --set evaluator.layout=channels-last \
    --strategy random-search --seed 9000 --to none --out "$studies/trained" \
    $(python "$here/trained.py" --winners "$studies/60" "$seeds")
python "$here/trained.py" "$studies/60" "$seeds" "$studies/trained" "$here"
