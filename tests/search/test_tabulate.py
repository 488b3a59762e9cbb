"""Tabulation: every architecture once per seed, through ordinary studies, into a table that the
evaluator reads."""

import csv
import gzip
import json
import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from nas import registry
from nas.cli import app
from nas.errors import SpaceError, StoreError, StudyError
from nas.evaluators.table import Table
from nas.registry import load
from nas.search.tabulation import (
    Enumeration,
    Sample,
    distinct_architectures,
    joined,
    write_table,
)
from search_spaces.cells.genotype import Genotype
from search_spaces.nasnet import NasnetSpace

LADDER = load("space", "ladder")()


def tabulate(*words: str) -> Any:
    return CliRunner().invoke(
        app, ["tabulate", "--space", "ladder", "--evaluator", "landscape", *words]
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    answer = tabulate(
        "--seeds", "2", "--out", str(folder / "small.csv.gz"), "--set", "evaluator.noise=0.1"
    )
    assert answer.exit_code == 0, answer.output
    return folder


def rows_of(file: Path) -> list[dict[str, str]]:
    with gzip.open(file, "rt") as stream:
        return list(csv.DictReader(stream))


def test_every_key_has_a_row_with_the_mean_of_its_seeds(made: Path) -> None:
    rows = rows_of(made / "small.csv.gz")
    assert [row["key"] for row in rows] == sorted(distinct_architectures(LADDER))
    for row in rows:
        seeds = [float(row["score_seed0"]), float(row["score_seed1"])]
        assert seeds[0] != seeds[1]
        assert float(row["score"]) == pytest.approx(fmean(seeds), abs=1e-5)


def test_the_table_judges_as_the_studies_did(made: Path, tmp_path: Path) -> None:
    evaluator = Table(LADDER, table=str(made / "small.csv.gz"), score="score_seed1")
    events = [
        json.loads(line)
        for line in (made / "small-studies" / "seed-1" / "events.jsonl").read_text().splitlines()
    ]
    scores = {event["number"]: event["score"] for event in events if event["event"] == "told"}
    asked = [event for event in events if event["event"] == "asked"]
    assert len(asked) == 27
    for event in asked:
        genotype = Genotype.from_dict(event["genotype"])
        found = evaluator.evaluate(
            genotype, seed=0, workdir=tmp_path, report=lambda step, metrics: True
        )
        assert found.score == pytest.approx(scores[event["number"]], rel=1e-5)


def test_the_same_command_again_evaluates_nothing(made: Path) -> None:
    before = (made / "small.csv.gz").read_bytes()
    logs = [(made / "small-studies" / f"seed-{seed}" / "events.jsonl") for seed in (0, 1)]
    told = [log.read_text().count('"told"') for log in logs]
    answer = tabulate(
        "--seeds",
        "2",
        "--out",
        str(made / "small.csv.gz"),
        "--set",
        "evaluator.noise=0.1",
        "--json",
    )
    assert json.loads(answer.stdout.splitlines()[-1]) == {
        "table": str(made / "small.csv.gz"),
        "rows": 27,
        "of": 27,
        "seeds": 2,
    }
    assert [log.read_text().count('"told"') for log in logs] == told
    assert (made / "small.csv.gz").read_bytes() == before


def test_all_seeds_go_through_the_space_in_one_shuffled_order() -> None:
    first, second = Enumeration(LADDER, 0), Enumeration(LADDER, 1)
    asked = [first.ask(number) for number in range(28)]
    assert asked == [second.ask(number) for number in range(28)]
    assert asked[27] is None
    keys = [proposal.genotype.key for proposal in asked if proposal]
    assert set(keys) == set(distinct_architectures(LADDER))
    assert keys != list(distinct_architectures(LADDER))


def test_architectures_of_one_key_are_listed_once() -> None:
    space = load("space", "nasbench201")()
    distinct = distinct_architectures(space)
    assert len(distinct) == 5260
    assert all(space.decode(choices).key == key for key, choices in list(distinct.items())[::500])


def test_a_space_too_large_to_list_is_refused() -> None:
    with pytest.raises(
        SpaceError, match=r"space 'nasnet' has .* architectures; a table lists all of them"
    ):
        distinct_architectures(NasnetSpace())


def test_no_results_make_no_table(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        joined([tmp_path])
    with pytest.raises(StudyError, match="no architecture has been evaluated with every seed yet"):
        write_table(tmp_path / "table.csv", LADDER, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("t.parquet", "a table is written as .csv or .csv.gz"),
        ("folder.csv", "that is a folder, and a table is a file"),
    ],
)
def test_a_file_that_cannot_be_is_refused_before_the_work(
    tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    answer = tabulate("--seeds", "1", "--out", str(tmp_path / name))
    assert answer.exit_code != 0
    assert words in str(answer.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_json_is_one_document_and_a_part_is_called_a_part(tmp_path: Path) -> None:
    out = tmp_path / "part.csv"
    slow = ("--set", "evaluator.delay_seconds=0.2", "--max-hours", str(1 / 3600))
    answer = tabulate("--seeds", "1", "--out", str(out), *slow)
    assert answer.exit_code == 0, answer.output
    count = len(out.read_text().splitlines()) - 1
    assert 0 < count < 27
    missing = f"{27 - count} of 27 architectures are missing; continue with `"
    assert missing in answer.output
    assert answer.stdout.endswith(f" --max-hours {2 / 3600:g}`\n")
    said = json.loads(tabulate("--seeds", "1", "--out", str(out), *slow, "--json").stdout)
    assert said == {"table": str(out), "rows": said["rows"], "of": 27, "seeds": 1}


NASNET = load("space", "nasnet")()


def sample(out: Path, *words: str) -> list[dict[str, str]]:
    given = ("tabulate", "--evaluator", "landscape", "--set", "evaluator.noise=0.1")
    answer = CliRunner().invoke(app, [*given, "--out", str(out), *words])
    assert answer.exit_code == 0, answer.output
    return list(csv.DictReader(out.read_text().splitlines()))


def test_a_sample_has_the_repeats_and_neighbours_that_were_asked_for(tmp_path: Path) -> None:
    words = ("--neighbour-every", "4", "--repeated", "3", "--seeds", "2")
    rows = sample(tmp_path / "sample.csv", "--sample", "8", *words)
    by_key = {row["key"]: row for row in rows}
    assert len(by_key) == len(rows) == 8
    assert sum(row["score_seed1"] != "" for row in rows) == 3

    neighbours = [row for row in rows if row["neighbour_of"]]
    assert len(neighbours) == 2
    for row in neighbours:
        origin = by_key[row["neighbour_of"]]
        differ = [d.name for d in NASNET.decisions if row[d.name] != origin[d.name]]
        assert len(differ) == 1

    for row in rows:
        known = [float(row[name]) for name in ("score_seed0", "score_seed1") if row[name]]
        assert float(row["score"]) == pytest.approx(fmean(known), abs=1e-5)


def test_a_larger_sample_adds_to_a_smaller_one(tmp_path: Path) -> None:
    few = sample(tmp_path / "sample.csv", "--sample", "5", "--seeds", "1")
    more = sample(tmp_path / "sample.csv", "--sample", "9", "--seeds", "1")
    assert {row["key"] for row in few} < {row["key"] for row in more}
    told = (tmp_path / "sample-studies" / "seed-0" / "events.jsonl").read_text().count('"told"')
    assert told == len(more) == 9


def test_a_sample_is_the_same_for_all_seeds_and_never_repeats() -> None:
    ladder = Sample(LADDER, 0)
    keys = [ladder.ask(number).genotype.key for number in range(20)]
    assert len(set(keys)) == 20
    assert Sample(LADDER, 5).ask(19).genotype.key == keys[19]


def test_a_sample_larger_than_the_space_ends_in_a_sentence() -> None:
    with pytest.raises(SpaceError, match="gave nothing new in 1,000 draws after 27 arch"):
        Sample(LADDER, 0).ask(27)


def test_the_curve_of_what_is_trained_is_in_the_table(tmp_path: Path) -> None:
    out = tmp_path / "digits.csv"
    settings = ("recipe.epochs=2", "recipe.train_images=100", "skeleton.filters=4")
    words = [word for setting in settings for word in ("--set", f"evaluator.{setting}")]
    answer = CliRunner().invoke(
        app, ["tabulate", "--sample", "2", "--seeds", "1", "--out", str(out), *words]
    )
    assert answer.exit_code == 0, answer.output
    for row in csv.DictReader(out.read_text().splitlines()):
        curve = [float(score) for score in row["curve"].split()]
        assert len(curve) == 2
        assert curve[-1] == pytest.approx(float(row["score_seed0"]), abs=1e-4)


def test_what_only_a_sample_has_is_refused_without_one(tmp_path: Path) -> None:
    answer = tabulate("--repeated", "3", "--out", str(tmp_path / "t.csv"))
    assert "add --sample N" in str(answer.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--objectives", "score, -score"), "all are judged by one score"),
        (("--set", "skeleton.filters=4,8"), "a table knows nothing of them: give one"),
    ],
)
def test_what_a_table_cannot_hold_is_refused_before_the_work(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    answer = tabulate(*words, "--sample", "2", "--out", str(tmp_path / "t.csv"))
    assert sentence in str(answer.exception)
    assert list(tmp_path.iterdir()) == []


def test_its_studies_are_read_as_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample(tmp_path / "sample.csv", "--sample", "3", "--seeds", "1")
    monkeypatch.setattr(registry, "_allowed", set())  # as in a process that made nothing
    study = str(tmp_path / "sample-studies" / "seed-0")
    for verb in (["status", study, "--check"], ["best", study, "--top", "2"]):
        answer = CliRunner().invoke(app, verb)
        assert answer.exit_code == 0, answer.exception


# ------------------------------------------------------------------ the studies are gone

THREE = ("--neighbour-every", "4", "--repeated", "3", "--seeds", "2")


def without_studies(file: Path) -> None:
    shutil.rmtree(file.with_name(f"{file.stem}-studies"))


def taken_over(file: Path) -> list[int]:
    """How many trials of each seed were not evaluated."""
    logs = sorted(file.with_name(f"{file.stem}-studies").glob("seed-*/events.jsonl"))
    return [log.read_text().count('"taken_over":true') for log in logs]


def test_a_file_alone_goes_on_as_its_studies_would(tmp_path: Path) -> None:
    whole, file = tmp_path / "whole.csv", tmp_path / "part.csv"
    words = ("--set", "evaluator.epochs=3")
    wanted = sample(whole, "--sample", "9", *THREE, *words)
    before = sample(file, "--sample", "6", *THREE, *words)
    without_studies(file)
    found = sample(file, "--sample", "9", *THREE, *words)
    assert taken_over(file) == [6, 3]
    seconds = {row["key"]: row["cost"] for row in before}
    for row, other in zip(found, wanted, strict=True):
        cost = row.pop("cost")
        assert cost == seconds.get(row["key"], cost)
        other.pop("cost")
    assert found == wanted

    sample(file, "--sample", "9", *THREE, *words)
    assert taken_over(file) == [6, 3]  # once is enough


def test_what_a_smaller_sample_does_not_ask_for_stays_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "sample.csv"
    sample(file, "--sample", "8", *THREE)
    before = file.read_bytes()
    without_studies(file)
    sample(file, "--sample", "2", *THREE[:-1], "1")
    assert taken_over(file) == [2]
    assert file.read_bytes() == before


def test_rows_of_other_settings_are_neither_taken_over_nor_lost(tmp_path: Path) -> None:
    file = tmp_path / "sample.csv"
    sample(file, "--sample", "3", "--seeds", "1")
    without_studies(file)
    before = file.read_bytes()
    words = ("tabulate", "--evaluator", "landscape", "--sample", "3", "--out", str(file))
    answer = CliRunner().invoke(app, [*words, "--set", "evaluator.noise=0.2"])
    assert "holds 3 rows of other settings" in str(answer.exception)
    assert "choose another --out, or give those settings" in str(answer.exception)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["sample.csv"]


def damaged(file: Path, **cells: str | None) -> None:
    rows = list(csv.DictReader(file.read_text().splitlines()))
    rows[1] |= cells
    names = [name for name in rows[0] if cells.get(name, "") is not None]
    with file.open("w") as stream:
        writer = csv.DictWriter(stream, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"settings": None}, "does not say which settings its 3 rows came about under"),
        ({"settings": "0123"}, "row 2: column 'settings' differs from the first row"),
        ({"score_seed0": "best"}, "row 2: column 'score_seed0' holds 'best'; expected a number"),
        ({"score_seed0": "inf"}, "row 2: column 'score_seed0' holds inf; expected a finite"),
        ({"score_seed0": ""}, "row 2: no seed has a score"),
        ({"key": "0"}, "row 2: column 'key' is not the key of its architecture"),
        (
            {"normal.0.op_a": "conv_9x9"},
            "row 2: column 'normal.0.op_a' holds 'conv_9x9'; expected one of identity",
        ),
        ({"score_seed0": None}, "has no column 'score_seed0'"),
    ],
)
def test_a_file_of_which_nothing_can_be_taken_over_is_left_alone(
    tmp_path: Path, cells: dict[str, str | None], sentence: str
) -> None:
    file = tmp_path / "sample.csv"
    sample(file, "--sample", "3", "--seeds", "1")
    without_studies(file)
    damaged(file, **cells)
    before = file.read_bytes()
    words = ("tabulate", "--evaluator", "landscape", "--set", "evaluator.noise=0.1", "--sample")
    answer = CliRunner().invoke(app, [*words, "4", "--seeds", "1", "--out", str(file)])
    assert sentence in str(answer.exception)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["sample.csv"]


def test_stopped_it_leaves_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nas.cli import _running

    run, seen = _running.run_and_report, []

    def stopped(study: Any, **words: Any) -> None:
        seen.append(study)
        if len(seen) == 2:
            raise typer.Exit(3)
        run(study, **words)

    monkeypatch.setattr(_running, "run_and_report", stopped)
    out = tmp_path / "sample.csv"
    words = ("tabulate", "--evaluator", "landscape", "--sample", "4", "--repeated", "2")
    answer = CliRunner().invoke(app, [*words, "--seeds", "2", "--out", str(out)])
    assert answer.exit_code == 3
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 4
    assert all(row["score_seed0"] and row["score_seed1"] == "" for row in rows)
