"""Comparisons of searches with several objectives: by their hypervolumes, from scales that all arms
share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.errors import SettingsError
from nas.study.front import hypervolume
from parts.command_line import nas as command
from parts.studies import lines

WORDS = (
    *("compare", "--space", "nasbench201", "--table", "nasbench201-digits", "--trials", "12"),
    *("--objectives", "score, -macs", "--strategies", "local-search", "--processes", "1"),
)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fronts") / "c"
    printed = command(*WORDS, "--seeds", "3", "--out", folder)
    assert (printed.code, "for local-search there are not enough seeds" in printed.out.lower()) == (
        0,
        True,
    )
    return folder


def told(folder: Path) -> list[tuple[float, ...]]:
    events = (event for event in lines(folder) if event["event"] == "told")
    return [tuple(event["objectives"]) for event in events]


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_all_studies_have_the_scales_that_were_fixed_before_the_first(compared: Path) -> None:
    scales = json.loads((compared / "compare.json").read_text())["scales"]
    studies = [json.loads(path.read_text()) for path in compared.glob("*/seed-*/study.json")]
    assert len(studies) == 6
    assert all(study["scales"] == scales for study in studies)
    assert report(compared)["objectives"]["scales"] == scales


def test_arms_are_compared_by_what_their_fronts_cover(compared: Path) -> None:
    found = report(compared)
    scales = found["objectives"]["scales"]
    assert found["outcome"]["name"] == "hypervolume"
    for arm in found["arms"]:
        for row in arm["per_seed"]:
            points = told(compared / arm["label"] / f"seed-{row['seed']}")
            assert row["outcome"] == pytest.approx(hypervolume(points, scales))
            halfway = hypervolume(points[:1], scales)
            assert halfway <= row["outcome"]
        assert 0 < arm["area"]["mean"] < arm["outcome"]["max"]
    rows = {
        arm["label"]: {r["seed"]: r["outcome"] for r in arm["per_seed"]} for arm in found["arms"]
    }
    ours, theirs = rows["local-search"], rows["random-search"]
    mean = sum(ours[seed] - theirs[seed] for seed in (1, 2, 3)) / 3
    assert found["comparisons"][0]["mean_difference"] == pytest.approx(mean)


def test_the_front_of_all_studies_is_what_none_dominates(compared: Path) -> None:
    fronts = report(compared)["objectives"]
    points = {point for study in compared.glob("*/seed-*") for point in told(study)}
    best = {p for p in points if not any(o != p and o[0] >= p[0] and o[1] >= p[1] for o in points)}
    assert {tuple(member["point"]) for member in fronts["union"]} == best
    shown = [fronts["union"][place] for place in fronts["shown"].values()]
    assert shown[0]["point"][0] == max(point[0] for point in best)
    assert shown[-1]["point"][1] == max(point[1] for point in best)
    page = (compared / "report.html").read_text()
    for member in shown:
        genotype = f"best/front/trial-{member['number']}/genotype.json"
        assert (Path(member["folder"]) / genotype).exists()
        assert genotype in page
    assert {"attained-1.svg", "union-1.svg"} <= {p.name for p in (compared / "figures").iterdir()}


def test_surfaces_are_heights_that_so_many_fronts_attain(compared: Path) -> None:
    (attained,) = report(compared)["objectives"]["attained"]
    for label, surface in attained["surfaces"].items():
        studies = [told(compared / label / f"seed-{seed}") for seed in (1, 2, 3)]
        for place, middle in list(zip(attained["x"], surface["half"], strict=True))[3::40]:
            beyond = [max((p[0] for p in study if p[1] >= place), default=0) for study in studies]
            assert (middle or 0) == pytest.approx(sorted(beyond)[1])


def test_more_seeds_go_on_with_the_same_scales(compared: Path) -> None:
    before = (compared / "compare.json").read_text()
    assert command(*WORDS, "--seeds", "3", "--out", compared, "--no-report").code == 0
    assert (compared / "compare.json").read_text() == before
    refused = command(*WORDS, "--seeds", "3", "--scales", "0:1, -9e6:0", "--out", compared)
    assert (refused.code, "objectives.scales" in refused.err) == (2, True)


def test_what_cannot_be_measured_or_confirmed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="leave one of them out"):
        nas.compare(["evolution"], objectives="score, -macs", confirm=2, out=tmp_path / "a")
    refused = command(
        *("compare", "--space", "ladder", "--strategies", "evolution", "--seeds", "2"),
        *("--objectives", "val_accuracy, -train_loss", "--trials", "2", "--out", tmp_path / "b"),
    )
    assert (refused.code, "give --scales" in refused.err) == (2, True)
    assert not (tmp_path / "b").exists()


def test_three_objectives_from_python(tmp_path: Path) -> None:
    verdict = nas.compare(
        ["evolution"],
        seeds=2,
        trials=8,
        space="nasbench201",
        table="nasbench201-digits",
        objectives=["score", "-macs", "-params"],
        processes=1,
        out=tmp_path / "c",
    )
    verdict.report()
    fronts = report(tmp_path / "c")["objectives"]
    assert [each["objective"] for each in fronts["attained"]] == ["-macs", "-params"]
