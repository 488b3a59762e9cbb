#!/bin/sh
# What is each cheap judge worth on these data? The same random genotypes of the NASNet space, judged by every cheap judge
# and twice by a whole training: one audit for each judge, all with the same two studies of the true one. Killed anywhere, the same command
# continues, and one with more genotypes adds to it; the table is made when all are there.
#
#     sh results/published/cheap-judges/run.sh digits-hard 120 4 [STUDIES]
#     sh results/published/cheap-judges/run.sh cifar10-16 40 1 [STUDIES]      (CIFAR-10 under NAS_DATA)
#
# DATASET, how many genotypes, and a quarter of the epochs that its preset has.
set -eu
dataset=$1 count=$2 quarter=$3
studies=${4:-results/cheap-judges-$dataset}
here=$(dirname "$0")

words() {
    echo --space nasnet --dataset "$dataset" --set evaluator.precision=fp32 --set evaluator.layout=channels-last
}

audit() { # NAME JUDGE [OPTIONS]
    name=$1 judge=$2
    shift 2
    if [ "$name" != short ]; then
        mkdir -p "$studies/$name"
        rm -rf "$studies/$name/true-0" "$studies/$name/true-1"
        cp -R "$studies/short/true-0" "$studies/short/true-1" "$studies/$name/"
    fi
    nas audit --cheap "$judge" --true train --n "$count" $(words) --set evaluator.keep_weights=false --out "$studies/$name" "$@"
}

audit short train --set cheap.recipe.epochs="$quarter"
for proxy in params macs loose-ends grasp synflow snip grad-norm fisher zen nwot jacov turned-gradients; do
    audit "$proxy" "proxy:$proxy"
done
for steps in 170 560 1700; do
    nas supernet $(words) --steps "$steps" --out "$studies/supernet-$steps"
    audit "shared-$steps" shared --set cheap.supernet="$studies/supernet-$steps"
done
python "$here/table.py" "$studies" "$here/$dataset"
