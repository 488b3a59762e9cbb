#!/bin/sh
# The question of `digits-hard` once more, planned anew: that comparison ended with "not enough seeds" (10 seeds, p = 0.051). Here
# are 24 seeds that nobody has looked at, none of the old ones, and winners are judged by the 400 pictures of the test split, which
# no search and no confirmation has seen. All else is as it was: 100 trials, the best five trained again with fresh seeds, children
# trained on 200 pictures by preset digits-demo. The number of seeds was fixed before the first trial, by what an hour and a half
# of two cores allows: with the old difference and the noise of 400 pictures added, they find it about two times in three.
# Killed anywhere, the same command continues.
#
#     sh results/published/digits-hard-test/run.sh [STUDIES] [WORKERS]
set -eu
studies=${1:-results/digits-hard-test}
workers=${2:-1}

nas compare --space nasnet --dataset digits-hard --preset digits-demo --set evaluator.precision=fp32 \
    --strategies policy-gradient,random-search --set policy-gradient.preset=plain --trials 100 --seeds 2001-2024 --confirm 5 --margin 0.005 \
    --pilot 30 --workers "$workers" --out "$studies"
python "$(dirname "$0")/../summarise.py" "$studies" "$(dirname "$0")"
