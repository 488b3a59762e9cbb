"""All on a front, exported and retrained: one folder each, the test split read once for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.errors import NasError
from nas.exporting.searched import SearchedStudy
from nas.training.final_split import FinalSplit
from parts.command_line import nas as command
from parts.printed_lines import follow, the_command
from search_spaces.cells.genotype import Genotype

TINY = {"recipe.epochs": 1, "recipe.train_images": 60, "skeleton.filters": 4}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fronts") / "s"
    nas.search(
        space="nasbench201",
        table="nasbench201-digits",
        objectives="score, -macs",
        strategy="random-search",
        trials=8,
        out=folder,
        progress=False,
    )
    return folder


def front(study: Path) -> list[dict[str, Any]]:
    members: list[dict[str, Any]] = command("best", study, "--json").json["front"]
    return members


def test_each_on_the_front_is_exported_to_a_folder_of_its_own(study: Path, tmp_path: Path) -> None:
    members = front(study)
    assert len(members) > 1
    told = command("export", study, "--front", "--to", "json", "--out", tmp_path, "--json").json
    for member, one in zip(members, told["exports"], strict=True):
        assert one["key"] == member["key"]
        assert one["origin"]["objectives"] == member["objectives"]
        assert Path(one["folder"]) == tmp_path / f"trial-{member['number']}"
    from_python = SearchedStudy(study).export_front(to=["json"])
    for member, exported in zip(members, from_python, strict=True):
        assert exported.folder == study / "best" / "front" / f"trial-{member['number']}"
        text = (exported.folder / "genotype.json").read_text()
        assert Genotype.from_json(text).key == member["key"]


def test_of_equal_scores_the_one_on_the_front_is_best_for_everybody(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    found = nas.search(
        space="nasbench201",
        table="nasbench201-digits",
        objectives="0 * macs, -macs",
        strategy="random-search",
        trials=6,
        out=folder,
        progress=False,
    )
    (member,) = front(folder)
    assert member["number"] > 0  # else the first would be the best by chance
    assert found.best.genotype.key == member["key"]
    assert command("status", folder, "--json").json["best"]["number"] == member["number"]
    assert command("export", folder, "--to", "json", "--out", tmp_path / "out").code == 0
    for place in (tmp_path / "out", folder / "best"):
        assert Genotype.from_json((place / "genotype.json").read_text()).key == member["key"]


def test_a_search_prints_the_line_that_exports_its_front(tmp_path: Path) -> None:
    tiny = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    words = ("--space", "ladder", "--strategy", "random-search", "--objectives", "macs, -macs")
    out = tmp_path / "s"
    searched = command("search", *words, "--trials", "2", *tiny, "--to", "json", "--out", out)
    assert searched.code == 0, searched.err
    line = the_command(searched.out, "nas export ")
    assert line.endswith(" --front")
    exported = follow(line, "--to", "json", at=tmp_path)
    assert exported.code == 0, exported.err
    assert len(list((out / "best" / "front").glob("*/export.json"))) == 2


def test_each_is_retrained_and_judged_once(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[FinalSplit] = []
    load = FinalSplit.load
    monkeypatch.setattr(FinalSplit, "load", lambda split: (read.append(split), load(split))[1])

    def retrained() -> nas.Retrained:
        words: dict[str, Any] = {"dataset": "digits", "seeds": 1, "set": TINY, "to": ["json"]}
        return nas.retrain(study, front=True, out=tmp_path / "r", progress=False, **words)

    found = retrained()
    keys = [row.entrant.choice.genotype.key for row in found.front]
    assert sorted(keys) == sorted(member["key"] for member in front(study))
    for row in found.front:
        better = [o for o in found.front if o.test_top_1 >= row.test_top_1 and o.macs <= row.macs]
        strictly = [o for o in better if (o.test_top_1, o.macs) != (row.test_top_1, row.macs)]
        assert row.on_front == (not strictly)
        assert row.exported is not None
        assert (row.exported.folder / "genotype.json").exists()
    picture = (tmp_path / "r" / "front.svg").read_text()
    assert picture.count("<circle") == len(found.front)
    record = json.loads((tmp_path / "r" / "result.json").read_text())
    assert [row["key"] for row in record["front"]] == keys

    again = retrained()
    assert len(read) == 1, "the test split is read once"
    assert [row.tests for row in again.front] == [row.tests for row in found.front]


def test_what_is_no_front_is_refused(tmp_path: Path) -> None:
    for words in (("darts-v2", "--front"), (tmp_path, "--front", "--top", "2")):
        refused = command("export", *words)
        assert (refused.code, "--front" in refused.err) == (2, True)
    with pytest.raises(NasError, match="asks for the front of a study"):
        nas.retrain("darts-v2", front=True, dataset="digits")
