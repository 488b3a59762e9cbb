#!/bin/sh
# One part of the transfers of this folder; killed anywhere, the same command continues it, and finished parts are kept.
#
#     sh run.sh MODE PICTURES CIFAR10 OUT      MODE is scratch, features or finetune
#     for mode in scratch features finetune; do for pictures in imagenette-128 tiny-imagenet-100; do
#         sh run.sh $mode $pictures cifar10 transfers
#     done; done
#     python summarise.py transfers
#
# PICTURES holds train/ and val/ with a folder per class, CIFAR10 what bodies are trained on first. The searched cell is
# the best of 22 trials of `nas search --space nasnet --dataset digits` (policy gradient, seed 0). Beside it stand a random
# cell of the same space and a residual network, with at most its multiply-adds, each with two seeds. Bodies are trained
# once (OUT/bodies), for both modes and both sets of pictures.
set -eu
mode=$1 pictures=$2 cifar=$3 out=$4
here=$(dirname "$0")
set -- --seeds 2 --controls random-cell,resnet --image-size 32 --target-macs 5000000 \
    --set skeleton.cells_per_stage=1 --set skeleton.stem_filters=16 \
    --set recipe.epochs=3 --set recipe.train_images=3000 --set recipe.weight_average=0.9 \
    --threads 1 --device cpu --to none --out "$out/$(basename "$pictures")/$mode"
if [ "$mode" != scratch ]; then
    set -- "$@" --pretrain cifar10 --data-dir "$cifar" --bodies "$out/bodies" \
        --set pretrain.epochs=3 --set pretrain.train_images=3000
fi
nas transfer "$here/searched-on-digits.json" --dataset "image-folder:$pictures" --mode "$mode" "$@"
