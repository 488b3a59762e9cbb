"""The controller's published figures: NAS-Bench-201 under its simulated budget, and the landscape
of 50 decisions.

    python results/published/controller/measure.py nasbench201 --table nasbench201.csv.gz --columns
    c10 c100 python results/published/controller/measure.py landscape python
    results/published/controller/measure.py landscape --in-flight 16

Every row of the CSV files is one search; the same command writes the same rows. `summarise.py`
makes the tables.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nas.contracts import Evaluation, Proposal, Strategy, Trial
from nas.evaluators.landscape import Landscape
from nas.registry import load
from nas.seeding import derive, numpy_rng
from search_spaces.nasbench201 import Nasbench201Space
from search_spaces.nasnet import NasnetSpace

HERE = Path(__file__).parent
ARMS: dict[str, tuple[str, dict[str, Any]]] = {
    "policy-gradient": ("policy-gradient", {"preset": "plain"}),  # `default` as it was then
    "policy-gradient, preset paper": ("policy-gradient", {"preset": "paper"}),
    "evolution, population 10, sample 3": ("evolution", {"population": 10, "sample": 3}),
    "evolution, population 50, sample 10": ("evolution", {"population": 50, "sample": 10}),
    "random-search": ("random-search", {}),
}
BUDGET_SECONDS = 12_000
MOST_ASKS = 5_000  # a strategy that only repeats itself spends nothing


class Column(NamedTuple):
    """What strategies see, what an architecture costs, what winners are judged by, by index of the
    architecture."""

    score: np.ndarray
    seconds: np.ndarray
    final: np.ndarray
    budget: float


def made(arm: str, space: Any, seed: int) -> Strategy:
    name, options = ARMS[arm]
    strategy: Strategy = load("strategy", name)(space, seed, **options)
    return strategy


# ------------------------------------------------------------------ NAS-Bench-201


def columns(path: Path) -> dict[str, Column]:
    """The three data sets, ordered by choices; budgets buy as many architectures of average cost as
    on CIFAR-10."""
    with gzip.open(path, "rt", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["ops"])
    seconds = {
        name: 0.06 * _floats(rows, name)
        for name in ("c10v_time_200", "c10_time_200", "in16_time_200")
    }
    per_second = BUDGET_SECONDS / seconds["c10v_time_200"].mean()
    sources = (
        ("c10", "c10v_time_200"),
        ("c100", "c10_time_200"),
        ("in16", "in16_time_200"),
    )
    return {
        name: Column(
            _floats(rows, f"{name}_val_12"),
            seconds[cost],
            _floats(rows, f"{name}_test_200"),
            per_second * seconds[cost].mean(),
        )
        for name, cost in sources
    }


def _floats(rows: Sequence[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])


def searched(strategy: Strategy, column: Column) -> tuple[float, float, int, int]:
    """Search until the budget is spent; final and score of the winner, distinct architectures,
    asks."""
    left, seen = column.budget, {}
    for number in range(MOST_ASKS):
        proposal = strategy.ask(number)
        assert proposal is not None
        index = int("".join(map(str, strategy.space.encode(proposal.genotype))), 5)
        if index not in seen:
            left -= column.seconds[index]
            if left < 0:
                break
            seen[index] = float(column.score[index])
        tell(strategy, number, proposal, seen[index])
    winner = max(seen, key=lambda index: seen[index])
    return float(column.final[winner]), seen[winner], len(seen), number


def nasbench201(
    table: Path, names: Sequence[str], arms: Sequence[str], seeds: range
) -> Iterator[list[Any]]:
    known, space = columns(table), Nasbench201Space()
    yield ["column", "arm", "seed", "final", "score", "architectures", "asks"]
    for name in names:
        for seed in seeds:
            for arm in arms:
                yield [name, arm, seed, *searched(made(arm, space, seed), known[name])]


# ------------------------------------------------------------------ landscape


def climbed(
    strategy: Strategy, judge: Landscape, seed: int, trials: int, in_flight: int
) -> list[float]:
    """The best true score after each told trial; with more than one in flight, any of them may come
    back next."""
    rng = numpy_rng(seed, "arrivals")
    flying: list[tuple[int, Proposal]] = []
    best, curve, number = 0.0, [], 0
    for _ in range(trials):
        while len(flying) < in_flight:
            proposal = strategy.ask(number)
            assert proposal is not None
            flying.append((number, proposal))
            number += 1
        place, proposal = flying.pop(int(rng.integers(len(flying))))
        result = judge.evaluate(
            proposal.genotype, seed=derive(seed, "trial", place), workdir=HERE, report=go_on
        )
        tell(strategy, place, proposal, result.score)
        best = max(best, float(result.metrics["true_score"]))
        curve.append(best)
    return curve


def go_on(step: int, metrics: Mapping[str, Any]) -> bool:
    del step, metrics
    return True


def landscape(
    arms: Sequence[str], seeds: range, trials: int, in_flight: int
) -> Iterator[list[Any]]:
    space = NasnetSpace()
    yield ["arm", "seed", "in_flight", *(f"best_{mark}" for mark in _marks(trials))]
    for seed in seeds:
        for arm in arms:
            curve = climbed(
                made(arm, space, seed), Landscape(space, seed=seed), seed, trials, in_flight
            )
            yield [arm, seed, in_flight, *(round(curve[mark - 1], 4) for mark in _marks(trials))]


def _marks(trials: int) -> list[int]:
    return [mark for mark in (100, 200, 300, 500, 700, 1_000, 2_000) if mark <= trials]


# ------------------------------------------------------------------ the words


def tell(strategy: Strategy, number: int, proposal: Proposal, score: float) -> None:
    strategy.tell(Trial(number, proposal.genotype, number, proposal.notes), Evaluation(score))
    strategy.diagnostics()


def written(rows: Callable[[], Iterator[list[Any]]], path: Path) -> None:
    """Write rows as they come; a file that is there already is replaced at the end only."""
    draft = path.with_suffix(".tmp")
    with draft.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for row in rows():
            writer.writerow(row)
            file.flush()
    draft.replace(path)
    print(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["nasbench201", "landscape"])
    parser.add_argument("--table", type=Path, help="nasbench201.csv.gz")
    parser.add_argument("--columns", nargs="+", default=["in16"], choices=["c10", "c100", "in16"])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    seeds = range(
        asked.first_seed,
        asked.first_seed + (asked.seeds or (500 if asked.what == "nasbench201" else 20)),
    )
    if asked.what == "nasbench201":
        out = asked.out or HERE / f"nasbench201-{'-'.join(asked.columns)}.csv"
        written(lambda: nasbench201(asked.table, asked.columns, asked.arms, seeds), out)
    else:
        out = asked.out or HERE / (
            "landscape.csv" if asked.in_flight == 1 else f"landscape-{asked.in_flight}.csv"
        )
        written(lambda: landscape(asked.arms, seeds, asked.trials, asked.in_flight), out)


if __name__ == "__main__":
    main()
