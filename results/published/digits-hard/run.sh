#!/bin/sh
# Does reinforcement learning beat random search where children are really trained? The 50 decisions of the NASNet space,
# children trained on 200 images of digits-hard and scored on 1,197 others, 100 trials and 10 seeds for each arm. The best
# five of each search are trained again with fresh seeds, and the winner is chosen by that. Killed anywhere, the same
# command continues.
#
# Preset digits-demo (18 steps): of 8 random cells with two seeds each, scores deviate by 0.132 between cells and by 0.043
# between seeds, at 1.9 s of one core a child. With 20 epochs it was 0.024 and 0.019, at 5.5 s: dearer, and less telling.
#
#     sh results/published/digits-hard/run.sh [STUDIES] [WORKERS]
set -eu
studies=${1:-results/digits-hard}
workers=${2:-1}

nas compare --space nasnet --dataset digits-hard --preset digits-demo \
    --set evaluator.precision=fp32 --set evaluator.keep_weights=false \
    --strategies policy-gradient,random-search --set policy-gradient.preset=plain --trials 100 --seeds 1001-1010 --confirm 5 --margin 0.005 \
    --pilot 30 --workers "$workers" --out "$studies"
python "$(dirname "$0")/../summarise.py" "$studies" "$(dirname "$0")"
