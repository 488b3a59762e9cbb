#!/bin/sh
# The same judges where the truth is there already: on the records of CIFAR-10 that ship, and on NAS-Bench-201. Run from the root of
# the repository, with CIFAR-10 under NAS_DATA; killed anywhere, the same command continues. README.md beside this is the plan.
#
#     sh results/published/cheap-judges/elsewhere.sh records [STUDIES]
#     sh results/published/cheap-judges/elsewhere.sh nasbench201 nasbench201.csv.gz nasbench201_zc.csv.gz [STUDIES]
set -eu
here=$(dirname "$0")
trained="--set evaluator.precision=fp32 --set evaluator.layout=channels-last"

judge() { # NAME [OPTIONS]
    name=$1
    shift
    nas tabulate --space "$space" --dataset cifar10-16 --sample "$count" --seeds 1 --folder "$studies/$name" --out "$studies/$name.csv" "$@"
}

shared() { # [OPTIONS]
    for steps in 170 560 1700; do
        nas supernet --space "$space" --dataset cifar10-16 $trained --steps "$steps" --out "$studies/supernet-$steps"
        judge "shared-$steps" --evaluator shared --set evaluator.supernet="$studies/supernet-$steps" "$@"
    done
}

case $1 in
    records)
        space=nasnet count=60 studies=${2:-results/cheap-judges-records}
        judge short $trained --set recipe.epochs=1 --neighbour-every 5
        for proxy in params macs loose-ends grasp synflow snip grad-norm fisher zen nwot jacov turned-gradients; do
            judge "$proxy" --evaluator "proxy:$proxy" --neighbour-every 5
        done
        shared --neighbour-every 5
        python "$here/on_records.py" "$studies" nas/tables/nasnet-cifar10.csv.gz "$here/records"
        python "$here/table.py" "$here/records"
        ;;
    nasbench201)
        space=nasbench201 count=200 studies=${4:-results/cheap-judges-nasbench201}
        shared
        python "$here/on_nasbench201.py" "$studies" "$2" "$3" "$here/nasbench201"
        ;;
    *) echo "no part is called $1" >&2; exit 2 ;;
esac
