"""What every evaluator promises, over whatever evaluators there are."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas import registry
from nas.evaluators.shared import make_supernet
from nas.evaluators.train import Train
from nas.testing.evaluator_promises import EVALUATOR_PROMISES, evaluator_maker
from nas.testing.promises import Promise
from search_spaces.cells.decided_settings import DecidedSettings
from search_spaces.cells.space import SearchSpace

Options = Callable[[SearchSpace, Path], dict[str, Any]]


def small_table(space: SearchSpace, folder: Path) -> dict[str, Any]:
    rows = [
        f"{row},{row / 2},{row / 4},{space.decode(choices).key}\n"
        for row, choices in enumerate(itertools.product(*map(range, space.counts)))
    ]
    by_key = {row.rsplit(",", 1)[1]: row for row in rows}
    path = folder / "table.csv"
    path.write_text("score,cost,final,key\n" + "".join(by_key.values()))
    return {"table": str(path)}


def small_records(space: SearchSpace, folder: Path) -> dict[str, Any]:
    names = [decision.name for decision in space.decisions]
    rows = []
    for row, choices in enumerate(itertools.product(*map(range, space.counts))):
        options = [
            decision.options[c] for decision, c in zip(space.decisions, choices, strict=True)
        ]
        rows.append([*options, 1 + row / 9, row / 3, row / 3 + 0.5 * (row % 2)])
    path = folder / "records.csv"
    lines = [[*names, "cost", "score_seed0", "score_seed1"], *rows]
    path.write_text("".join(",".join(map(str, line)) + "\n" for line in lines))
    return {"records": str(path)}


def small_supernet(space: SearchSpace, folder: Path) -> dict[str, Any]:
    train = Train(space, **QUICK["train"](space, folder))
    make_supernet(train, folder, steps=2, seed=0, report=lambda *_: None)
    return {"supernet": str(folder), "device": "cpu"}


# The options that make an evaluator quick, where it is not by its defaults.
QUICK: dict[str, Options] = {
    "landscape": lambda space, folder: {"epochs": 3},
    "proxy": lambda space, folder: {
        "skeleton": {"filters": 2},
        "batch": 16,
        "dataset": "digits",
        "device": "cpu",
    },
    "shared": small_supernet,
    "surrogate": small_records,
    "table": small_table,
    "train": lambda space, folder: {
        "recipe": {"epochs": 2, "train_images": 64, "batch_size": 32},
        "skeleton": {"filters": 2},
        "dataset": "digits",
        "device": "cpu",
        "precision": "fp32",
        "layout": "channels-last",
    },
}

HEEDS = {name: registry.load("evaluator", name).heeds for name in registry.names("evaluator")}


@pytest.mark.parametrize("name", registry.names("evaluator"))
@pytest.mark.parametrize("promise", EVALUATOR_PROMISES, ids=lambda promise: promise.__name__)
def test_every_evaluator(
    promise: Promise, name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    space = registry.load("space", "ladder")()
    given = tmp_path_factory.mktemp("given")
    options = QUICK[name](space, given) if name in QUICK else {}
    make = evaluator_maker(registry.load("evaluator", name), space, **options)
    promise((make, space), tmp_path)


@pytest.mark.parametrize("name", [n for n in registry.names("evaluator") if HEEDS[n]])
@pytest.mark.parametrize("promise", EVALUATOR_PROMISES, ids=lambda promise: promise.__name__)
def test_every_evaluator_that_heeds_what_genotypes_choose(
    promise: Promise, name: str, tmp_path: Path
) -> None:
    widths: dict[str, list[Any]] = {"skeleton.filters": [2, 3], "skeleton.image_size": [6, 8]}
    if "recipe" in HEEDS[name]:
        widths["recipe.learning_rate"] = [0.01, 0.05]
    space = DecidedSettings(space=registry.load("space", "ladder")(), settings=widths)
    options = QUICK[name](space, tmp_path)
    options.pop("skeleton", None)
    promise((evaluator_maker(registry.load("evaluator", name), space, **options), space), tmp_path)


def test_tables_records_and_shared_weights_heed_nothing() -> None:
    assert [name for name in HEEDS if not HEEDS[name]] == ["shared", "surrogate", "table"]
