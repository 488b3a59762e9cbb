"""What is lost where trials are under way: 48 evaluations of NAS-Bench-201 with 1, 8, 16 of them.

    python results/published/controller-critic/in_flight.py nasbench201.csv.gz c100

Results arrive in an order of chance, which hangs on the seed alone. `ranked` is how the strategies
propose: with k earlier numbers open, the (k+1)-th best new candidate (and since seed 6101, spread
out before there is a critic). `drawn` is the ablation:
where others are open, each number draws by expected improvement (Gumbel noise on five times its
logarithm), the numbers that are open first, as they would be drawn now. Each row of the CSV is one
search; rows that are there are not searched again, so the command may be stopped and given anew.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import torch

from nas.contracts import Evaluation, Strategy, Trial
from nas.registry import load
from nas.seeding import numpy_rng
from nas.strategies.controller.candidates import spare
from nas.strategies.controller.gaussian_process import log_expected_improvement
from nas.strategies.controller.past import FIRST
from nas.strategies.controller.policy import alone
from nas.strategies.critic import CriticSearch
from search_spaces.cells.space import Choices
from search_spaces.nasbench201 import Nasbench201Space

HERE = Path(__file__).parent
EVALUATIONS = 48
SHARPNESS = 5.0
ARMS = (
    ("random-search", "ranked", 1),
    *(("critic", "ranked", places) for places in (1, 16, 8)),
    ("critic", "drawn", 16),
    *(("policy-gradient", "ranked", places) for places in (1, 16, 8)),
)


def drawn(strategy: CriticSearch, number: int) -> Choices:
    """The proposal of the ablation."""
    past = strategy.past
    with alone():
        new: dict[str, Choices] = {}
        for choices in strategy._candidates():
            key = strategy.space.decode(choices).key
            if key not in past.known:
                new.setdefault(key, choices)
        ahead = past.ahead(number)
        if len(past) < FIRST or not ahead or len(new) <= ahead:
            found = past.first_new(strategy._candidates(), ahead)
            return found or spare(past, numpy_rng(strategy.seed, "ask", number))
        rows = list(new.values())
        critic = strategy._believed()
        worth = log_expected_improvement(critic(torch.tensor(rows)), critic.best).numpy()
    first = max(0, past.highest - 31)
    missing = [each for each in range(first, number) if each not in past._recent]
    taken: list[int] = []
    for each in (*missing, number):
        luck = numpy_rng(strategy.seed, "draw", each).gumbel(size=len(rows))
        values = SHARPNESS * worth + luck
        values[taken] = -np.inf
        taken.append(int(values.argmax()))
    return rows[taken[-1]]


def proposed(strategy: Strategy, way: str, number: int) -> Choices:
    """The choices of this number."""
    if way == "drawn":
        assert isinstance(strategy, CriticSearch)
        return drawn(strategy, number)
    proposal = strategy.ask(number)
    assert proposal is not None
    return strategy.space.encode(proposal.genotype)


def searched(
    strategy: Strategy, way: str, places: int, scores: np.ndarray, finals: np.ndarray, seed: int
) -> float:
    """The final of the best of 48 evaluations; repeats of what is known or open are free."""
    rng, number = numpy_rng(seed, "arrivals"), 0
    flying: list[tuple[int, Choices, str]] = []
    twins: dict[str, list[tuple[int, Choices]]] = {}
    found: dict[str, tuple[float, float]] = {}

    def tell(number: int, choices: Choices, key: str) -> None:
        genotype = strategy.space.decode(choices)
        strategy.tell(Trial(number, genotype, number), Evaluation(found[key][0]))
        strategy.diagnostics()

    while len(found) < EVALUATIONS:
        while len(flying) < places:
            choices = proposed(strategy, way, number)
            key = strategy.space.decode(choices).key
            if key in found:
                tell(number, choices, key)
            elif any(key == other for _, _, other in flying):
                twins.setdefault(key, []).append((number, choices))
            else:
                flying.append((number, choices, key))
            number += 1
        ended, choices, key = flying.pop(int(rng.integers(len(flying))))
        row = int("".join(map(str, choices)), 5)
        found[key] = float(scores[row]), float(finals[row])
        tell(ended, choices, key)
        for other, same in twins.pop(key, ()):
            tell(other, same, key)
    return max(found.values())[1]


def columns(table: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """What strategies see and what winners are judged by, in the order of choices."""
    with gzip.open(table, "rt", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["ops"])
    names = (f"{name}_val_12", f"{name}_test_200")
    scores, finals = (np.array([float(row[each]) for row in rows]) for each in names)
    return scores, finals


def summary(path: Path) -> Iterator[str]:
    """Mean, standard error and number of seeds of each arm."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for arm, way, places in ARMS:
        wanted = (arm, way, str(places))
        finals = [
            float(row["final"])
            for row in rows
            if (row["arm"], row["way"], row["in_flight"]) == wanted
        ]
        if len(finals) > 1:
            error = stdev(finals) / len(finals) ** 0.5
            yield (
                f"{arm}, {way}, {places} in flight: {fmean(finals):.3f} ± {error:.3f} "
                f"({len(finals)} seeds)"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("column", choices=["c10", "c100", "in16"])
    parser.add_argument("--first-seed", type=int, default=5001)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--arms", default="random-search,critic,policy-gradient")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder of the CSV file")
    asked = parser.parse_args()

    scores, finals = columns(asked.table, asked.column)
    space, out = Nasbench201Space(), asked.out / f"in-flight-{asked.column}.csv"
    if not out.exists():
        out.write_text("arm,way,in_flight,seed,final\n")
    done = set(out.read_text().splitlines()[1:])
    known = {tuple(row.split(",")[:4]) for row in done}

    for arm, way, places in ARMS:
        if arm not in asked.arms.split(","):
            continue
        for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
            if (arm, way, str(places), str(seed)) in known:
                continue
            strategy = load("strategy", arm)(space, seed)
            final = searched(strategy, way, places, scores, finals, seed)
            with out.open("a") as file:
                file.write(f"{arm},{way},{places},{seed},{final}\n")
    print("\n".join(summary(out)))


if __name__ == "__main__":
    main()
