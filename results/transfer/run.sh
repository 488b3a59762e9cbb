#!/bin/sh
# The transfers of this folder: sh run.sh IMAGENETTE CIFAR10 OUT (folders with the data, and where to work).
# The cell is the best of 22 trials of `nas search --space nasnet --dataset digits` (policy gradient, seed 0).
set -e
here=$(dirname "$0")
images=$1 cifar=$2 out=$3
small="--image-size 32 --target-macs 4000000 --set skeleton.cells_per_stage=1 --set skeleton.stem_filters=16"
few="--set recipe.epochs=4 --set recipe.train_images=3000 --set recipe.weight_average=0.9 --threads 1 --device cpu --to none"
pictures="--dataset image-folder:$images"
nas transfer "$here/searched-on-digits.json" $pictures $small $few --controls random-cell,resnet --seeds 2 --out "$out/scratch"
nas transfer "$here/searched-on-digits.json" $pictures $small $few --mode features --pretrain cifar10 --data-dir "$cifar" \
  --set pretrain.epochs=4 --set pretrain.train_images=3000 --seeds 2 --out "$out/features"
for seed in 0 1; do
  nas transfer "$here/searched-on-digits.json" $pictures --image-size 32 $few --mode finetune --seed $seed \
    --weights "$out/features/searched/body-$seed/weights.safetensors" --out "$out/finetune-$seed"
done
