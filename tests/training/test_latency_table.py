"""A table of latencies: it finds what adds up, is read back as it was written, and says what it
does not know."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from nas.errors import LatencyError, SettingsError
from nas.registry import load
from nas.seeding import numpy_rng
from nas.training.latency_table import LatencyTable, places_of
from parts.command_line import nas
from parts.studies import lines
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton

SKELETON = Skeleton(cells_per_stage=1, filters=8, image_size=8, channels=1)
TINY = ("--space", "nasbench201", "--dataset", "digits", "--set", "skeleton.filters=4")
TINY += ("--set", "skeleton.cells_per_stage=1")


def drawn(count: int, purpose: str) -> list[Genotype]:
    space = load("space", "nasnet")()
    return [space.sample(numpy_rng(number, purpose)) for number in range(count)]


@cache
def times_of_places() -> dict[tuple[str, str], float]:
    """What each operation takes at each place."""
    rng = numpy_rng(0, "machine")
    rows = sorted({row for one in drawn(60, "all") for row in places_of(one)})
    return {row: float(rng.uniform(0.01, 0.2)) for row in rows}


def true_ms(genotype: Genotype) -> float:
    """Latencies that add up, of a machine on which each operation has its time."""
    times = times_of_places()
    return 0.5 + sum(count * times[row] for row, count in places_of(genotype).items())


@cache
def fitted(noise: float = 0.0) -> LatencyTable:
    rng = numpy_rng(0, "noise")
    measured = [
        (one, true_ms(one) * float(np.exp(noise * rng.normal()))) for one in drawn(100, "fit")
    ]
    return LatencyTable.fitted(measured, SKELETON, {"engine": "made up"})


def test_it_finds_latencies_that_add_up() -> None:
    """Of networks it was not fitted to, with measurements that are exact, and that are noisy."""
    others = [(one, true_ms(one)) for one in drawn(20, "others")]
    exact = fitted().with_error(others, SKELETON, 0.0).error
    noisy = fitted(noise=0.05).with_error(others, SKELETON, 0.05).error
    assert exact["mean"] < 0.02
    assert exact["tau"] > 0.95
    assert exact["mean"] < noisy["mean"] < 0.1
    assert min(fitted(noise=0.05).rows.values()) >= 0


def test_a_network_that_costs_more_at_one_place_is_told_apart() -> None:
    """The place decides: an edge of a reduction cell that reads an input is another row."""
    rows = {place for place, _ in fitted().rows}
    assert rows == {"normal", "reduction", "reduction, of an input"}


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    table = fitted()
    file = tmp_path / "t.json"
    file.write_text(table.to_json())
    read = LatencyTable.read(file)
    assert (read.rows, read.base_ms, read.skeleton) == (table.rows, table.base_ms, table.skeleton)
    one = drawn(1, "others")[0]
    assert read.predicted(one, SKELETON) == table.predicted(one, SKELETON)
    dropped = Skeleton(
        cells_per_stage=1, filters=8, image_size=8, channels=1, drop_path_keep=0.5, dropout_keep=0.5
    )
    assert read.predicted(one, dropped) == read.predicted(one, SKELETON)


def test_it_says_what_it_does_not_know() -> None:
    one = drawn(1, "others")[0]
    with pytest.raises(LatencyError, match="a skeleton with filters 8, but this network has 16"):
        fitted().predicted(one, Skeleton(cells_per_stage=1, filters=16, image_size=8, channels=1))
    poorer = replace(fitted(), rows={})
    with pytest.raises(LatencyError, match=r"the latency table has no '.*' in '.*': build one"):
        poorer.predicted(one, SKELETON)
    assert not poorer.knows(one)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        '{"format": 1, "facts": {}, "error": {}, "skeleton": {}, "base_ms": -1, "rows": []}',
        '{"format": 1, "facts": {}, "error": {}, "skeleton": {}, "base_ms": 1, "rows": [{}]}',
        "[" * 100_000,
    ],
)
def test_another_file_is_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    file = tmp_path / "t.json"
    file.write_text(content)
    with pytest.raises(SettingsError, match="is no latency table of format 1"):
        LatencyTable.read(file)
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        LatencyTable.read(tmp_path / "none.json")


def test_from_the_command_line_to_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is measured here, its error told, and it serves objectives and limits; a table that was
    replaced ends its study."""
    monkeypatch.chdir(tmp_path)
    words = ("profile", "--table", "t.json", *TINY, "--networks", "30", "--seconds", "0.01")
    said = nas(*words, "--json").json
    assert said["networks"] == 20
    assert {"mean", "worst", "tau", "repeated"} <= said.keys()
    assert said["facts"]["engine"] == "torch"

    search = (*TINY, "--set", "recipe.epochs=1", "--set", "recipe.train_images=64", "--to", "none")
    search += ("--set", "evaluator.precision=fp32", "--set", "evaluator.layout=contiguous")
    search += ("--strategy", "random-search", "--trials", "2", "--latency-table", "t.json")
    several = ("--objectives", "val_accuracy, -latency_ms", "--out", "a")
    answer = nas("search", *search, *several)
    assert answer.code == 0, answer.err
    assert "latency from t.json (torch there, " in answer.err
    told = [event for event in lines(tmp_path / "a") if event["event"] == "told"]
    assert all(event["objectives"][1] == -event["metrics"]["latency_ms"] for event in told)

    slowest = max(event["metrics"]["latency_ms"] for event in told)
    assert nas("search", *search, "--max-latency-ms", str(slowest), "--out", "b").code == 0

    content = json.loads((tmp_path / "t.json").read_text())
    (tmp_path / "t.json").write_text(json.dumps({**content, "base_ms": 99.0}))
    assert "has changed (latency_table_sha256" in nas("search", *search, *several).err
    assert "both say" in nas("search", *search, "--latency-command", "x").sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "give a network to measure, or --table FILE"),
        (("darts-v2", "--table", "t.json"), "give a network to measure, or --table FILE"),
        (("--table", "t.json", "--batch", "1,2"), "a table is of one size of batch"),
        (("--table", "t.json", "--engine", "torch", "--latency-command", "x"), "leave one out"),
        (("--table", "t.json", "--set", "skeleton.filters=4,8"), "is of one skeleton: give one"),
    ],
)
def test_wrong_words_get_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    assert sentence in nas("profile", *words).sentence
