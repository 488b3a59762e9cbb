#!/bin/sh
# Does the ranking of cells carry over? README.md beside this is the plan. Run from the root of the repository; killed anywhere, the same
# command continues.
#
#     sh results/published/panel/run.sh source OUT              NASNet-A as the records were made (CIFAR-10 under NAS_DATA)
#     sh results/published/panel/run.sh bodies PICTURES OUT [SIZE]     features and finetune of bodies trained on CIFAR-10 (NAS_DATA)
#     sh results/published/panel/run.sh PICTURES OUT            PICTURES/ with train/ and val/: imagenette-128 and tiny-imagenet-100
#     python results/published/panel/summarise.py OUT
set -eu
pictures=$1 out=$2
here=$(dirname "$0")
if [ "$pictures" = source ]; then
    mkdir -p "$out"
    for seed in 0 1 2; do
        if [ -s "$out/nasnet-a-$seed.json" ]; then continue; fi
        nas evaluate nasnet-a --space nasnet --dataset cifar10-16 --set evaluator.precision=fp32 --set evaluator.layout=channels-last \
            --seed $seed --json > "$out/nasnet-a.part"
        mv "$out/nasnet-a.part" "$out/nasnet-a-$seed.json"
    done
    exit
fi
if [ "$pictures" = bodies ]; then
    pictures=$2 out=$3 size=${4:-32}
    mkdir -p "$out"
    grep '"random-1"' "$here/cells.jsonl" > "$out/random-1.jsonl"
    for mode in features finetune; do
        nas transfer "$here/winner.json" --cells "$out/random-1.jsonl" --controls resnet --dataset "image-folder:$pictures" --image-size 64 \
            --target-macs 6150000 --within 3 --set skeleton.layout=imagenet --set skeleton.cells_per_stage=1 \
            --mode $mode --pretrain cifar10 --set pretrain.epochs=6 --set pretrain.train_images=4000 --pretrain-size "$size" --bodies "$out/bodies" \
            --set recipe.epochs=6 --set recipe.train_images=4000 --seeds 3 --threads 1 --device cpu --to none \
            --out "$out/$(basename "$pictures")-$mode${4:+-$size}"
    done
    exit
fi
nas transfer "$here/winner.json" --cells "$here/cells.jsonl" --controls resnet --dataset "image-folder:$pictures" --image-size 64 \
    --target-macs 6150000 --within 3 --set skeleton.layout=imagenet --set skeleton.cells_per_stage=1 \
    --set recipe.epochs=6 --set recipe.train_images=4000 --seeds 3 --threads 1 --device cpu --to none \
    --out "$out/$(basename "$pictures")"
