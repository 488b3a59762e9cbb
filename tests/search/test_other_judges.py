"""Comparisons whose winners another judge confirms than the one that searched: a cheap one first,
a dear one for the best."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import nas
from nas.errors import NasError
from nas.reports.write import write_report
from nas.search.comparing.plan import Confirm
from nas.search.comparing.request import asked_of
from nas.search.comparing.resuming import asked_again
from nas.search.comparing.run import Progress, compare
from nas.search.confirmed import confirmation_of
from nas.settings import Part
from parts import command_line
from parts.command_line import ended, ran, started
from parts.comparisons import CHEAP, compared, costly, stories
from parts.studies import lines

NOISY: dict[str, Any] = {**CHEAP, "evaluator": {"name": "landscape", "noise": 0.3}}
EXACT = Part.named("evaluator", "landscape", {"noise": 0.0})
DUEL = ("compare", "--space", "nasbench201", "--evaluator", "landscape", "--processes", "1")
DUEL += ("--set", "evaluator.noise=0.3", "--strategies", "evolution", "--seeds", "2")
DUEL += ("--set", "evolution.population=4", "--set", "evolution.sample=2", "--trials", "12")
DUEL += ("--confirm", "2", "--no-report")


def studies(folder: Path) -> list[Path]:
    return [path.parent for path in sorted(folder.glob("*/seed-*/study.json"))]


def told(study: Path) -> list[float]:
    return [event["score"] for event in lines(study) if event["event"] == "told"]


def dear(diary: Path) -> Part:
    options = {"diary": str(diary), "wait": 0.0}
    return Part.named("evaluator", "parts.comparisons:Costly", options)


# ------------------------------------------------------------------ who judges what


def test_the_other_judge_chooses_among_the_best_of_each_search(tmp_path: Path) -> None:
    progress = Progress()
    again = Confirm(3, evaluator=EXACT)
    assert compared(tmp_path, seeds="2", tree=NOISY, confirm=again, progress=progress)
    assert (progress.ended, progress.total) == (8, 8)
    for study in studies(tmp_path):
        recorded = json.loads((study / "study.json").read_text())["evaluator"]
        other = json.loads((study / "confirm" / "study.json").read_text())["evaluator"]
        assert (recorded["options"]["noise"], other["options"]["noise"]) == (0.3, 0.0)
        asked = [event for event in lines(study / "confirm") if event["event"] == "asked"]
        assert len(asked) == 3
        scores = told(study / "confirm")
        (best,) = (each for each in asked if each["number"] == scores.index(max(scores)))
        assert json.loads((study / "best" / "genotype.json").read_text()) == best["genotype"]


def test_searches_are_those_without_a_confirmation(tmp_path: Path) -> None:
    compared(tmp_path / "plain", seeds="2", tree=NOISY)
    compared(tmp_path / "confirmed", seeds="2", tree=NOISY, confirm=Confirm(2, evaluator=EXACT))
    alone = stories(tmp_path / "plain")
    both = stories(tmp_path / "confirmed")
    assert alone == {name: story for name, story in both.items() if "confirm" not in name}
    assert len(both) == 2 * len(alone)


def test_a_dear_judge_of_what_a_cheap_one_found(tmp_path: Path) -> None:
    """The searches run in processes of their own, the trainings one after another by the runner."""
    diary = tmp_path / "diary"
    again = Confirm(2, evaluator=dear(diary))
    compared(tmp_path / "all", seeds="2", tree=NOISY, processes=2, confirm=again)
    order = [line.split()[0] for line in diary.read_text().splitlines()]
    assert order == 4 * ["seed-1"] + 4 * ["seed-2"]  # seed by seed, all arms in turn
    for study in studies(tmp_path / "all"):
        assert confirmation_of(study) == study / "confirm"


def test_the_same_judge_is_none_other(tmp_path: Path) -> None:
    verdict = nas.compare(
        ["evolution"], seeds=1, space="nasbench201", evaluator="landscape", trials=30, confirm=2,
        confirm_evaluator="landscape", set={"evaluator.noise": 0.1}, processes=1, out=tmp_path,
    )  # fmt: skip
    plan = json.loads((verdict.folder / "compare.json").read_text())
    assert plan["confirm"] == {"top": 2, "score": None, "cost": None}


def test_python_names_the_other_judge_with_its_options(tmp_path: Path) -> None:
    verdict = nas.compare(
        ["evolution"], seeds=1, space="nasbench201", evaluator="landscape", trials=30, confirm=2,
        confirm_evaluator={"name": "landscape", "noise": 0.0}, set={"evaluator.noise": 0.1},
        processes=1, out=tmp_path,
    )  # fmt: skip
    plan = json.loads((verdict.folder / "compare.json").read_text())
    assert plan["confirm"]["evaluator"]["options"]["noise"] == 0.0


SURROGATE = ("--evaluator", "surrogate", "--space", "nasnet", "--dataset", "digits-hard")


def test_what_only_the_other_judge_knows_is_said_to_it() -> None:
    """A surrogate has no data set and no recipe; the training that confirms has."""
    tree = {
        "evaluator": {"name": "surrogate", "dataset": "digits-hard"},
        "recipe": {"epochs": 1},
        "study": {"trials": 8},
    }
    asked, _ = asked_of(tree, "evolution", "1", confirm=1, confirm_evaluator="train")
    assert asked.arms[0].plan.evaluator.name == "surrogate"
    assert (asked.judge.name, asked.judge.options["dataset"]) == ("train", "digits-hard")
    assert asked.judge.options["recipe"] == {"epochs": 1}
    with pytest.raises(NasError, match="evaluator 'surrogate' has no recipe: it trains nothing"):
        asked_of(tree, "evolution", "1", confirm=1)
    tree["evaluator"]["noise"] = "1"
    with pytest.raises(NasError, match="no option of evaluator is called 'noise'"):
        asked_of(tree, "evolution", "1", confirm=1, confirm_evaluator="train")


@pytest.mark.slow
def test_a_surrogate_searches_and_a_training_on_pictures_chooses(tmp_path: Path) -> None:
    words = (*SURROGATE, "--trials", "8", "--confirm", "1", "--set", "recipe.epochs=1")
    answer = command_line.nas("search", *words, "--out", tmp_path)
    assert answer.code == 0, answer.err
    (study,) = tmp_path.glob("confirm-*")
    judge = json.loads((study / "study.json").read_text())["evaluator"]["options"]
    assert (judge["dataset"], judge["recipe"]) == ("digits-hard", {"epochs": 1})


# ------------------------------------------------------------------ going on


@pytest.mark.parametrize("after", [3, 30, 51])
def test_stopped_anywhere_it_goes_on_by_its_folder(tmp_path: Path, after: int) -> None:
    again = Confirm(2, evaluator=dear(tmp_path / "diary"))
    tree = {**costly(tmp_path / "diary"), "study": {"trials": 12}}
    compared(tmp_path / "whole", seeds="2", tree=tree, confirm=again)
    seen = 0

    def stop_soon(event: Any) -> None:
        nonlocal seen
        seen += event["event"] == "told"
        if seen == after:
            progress.stop()

    progress = Progress(trial_ended=stop_soon)
    assert not compared(tmp_path / "parts", seeds="2", tree=tree, confirm=again, progress=progress)
    wanted = asked_again(tmp_path / "parts", trust=True)
    assert compare(tmp_path / "parts", wanted, wanted.budget, 1, Progress())
    assert stories(tmp_path / "parts") == stories(tmp_path / "whole")


def test_killed_at_any_moment_the_same_command_continues(tmp_path: Path) -> None:
    words = (*DUEL, "--set", "confirm.noise=0.0")
    assert command_line.nas(*words, "--out", tmp_path / "whole").code == 0
    logs = "events.jsonl"
    for _ in range(6):
        count = len(list((tmp_path / "parts").rglob(logs)))
        process = started(*words, "--out", tmp_path / "parts")
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            if len(list((tmp_path / "parts").rglob(logs))) > count:
                break
            time.sleep(0.002)
        process.kill()
        killed = ended(process).code == -signal.SIGKILL
        assert killed
    assert 0 < len(list((tmp_path / "parts").rglob(logs))) < 8
    assert command_line.nas("resume", tmp_path / "parts").code == 0
    assert stories(tmp_path / "parts") == stories(tmp_path / "whole")


def test_other_settings_of_the_other_judge_are_refused(tmp_path: Path) -> None:
    compared(tmp_path, seeds="2", tree=NOISY, confirm=Confirm(2, evaluator=EXACT))
    other = Part.named("evaluator", "landscape", {"noise": 0.1})
    with pytest.raises(NasError, match=r"confirm\.evaluator\.options\.noise: 0\.0 there, 0\.1"):
        compared(tmp_path, seeds="2", tree=NOISY, confirm=Confirm(2, evaluator=other))


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_what_the_other_judge_lacks_is_said_before_the_searches(tmp_path: Path) -> None:
    answer = command_line.nas(
        *("compare", "--space", "ladder", "--evaluator", "landscape", "--trials", "20"),
        *(
            "--strategies",
            "random-search",
            "--confirm",
            "1",
            "--confirm-evaluator",
            "train",
            "--dataset",
            "digits-hard",
        ),
        *("--device", "cuda", "--out", tmp_path / "duel"),
    )
    assert answer.code == 2
    assert "cuda" in answer.sentence
    assert not (tmp_path / "duel").exists()


def test_a_judge_of_the_users_own_is_not_imported_for_a_file(tmp_path: Path) -> None:
    out = tmp_path / "duel"
    (tmp_path / "mine.py").write_text(
        "from nas.contracts import Evaluation, Evaluator\n\n\n"
        "class Mine(Evaluator):\n"
        "    def evaluate(self, genotype, *, seed, workdir, report):\n"
        "        return Evaluation(float(seed % 7), {}, 0.1)\n"
    )
    made = ran([*DUEL, "--confirm-evaluator", "mine.py:Mine", "--out", out], cwd=tmp_path)
    assert made.code == 0, made.err
    more = ["resume", out, "--trials", "+4"]
    refused = ran(more, cwd=tmp_path)
    assert refused.code == 2
    assert "--trust" in refused.err
    trusted = ran([*more, "--trust"], cwd=tmp_path)
    assert trusted.code == 0, trusted.err


# ------------------------------------------------------------------ searches that went on


@pytest.mark.parametrize("judge", ["the same", "another"])
def test_more_trials_are_confirmed_anew(tmp_path: Path, judge: str) -> None:
    other = () if judge == "the same" else ("--set", "confirm.noise=0.0")
    out = tmp_path / "duel"
    assert command_line.nas(*DUEL, *other, "--out", out).code == 0
    before = {study: confirmation_of(study) for study in studies(out)}
    assert None not in before.values()
    answer = command_line.nas("resume", out, "--trials", "+40", "--json")
    assert answer.code == 0, answer.err
    for study in studies(out):
        found = confirmation_of(study)
        assert found is not None
        best = sorted(
            {event["key"]: event for event in _ranked(study)}.values(),
            key=lambda event: -event["score"],
        )[:2]
        asked = {event["key"] for event in lines(found) if event["event"] == "asked"}
        assert asked == {event["key"] for event in best}
    assert any(confirmation_of(study) != before[study] for study in before)
    standing = command_line.nas("status", out, "--json").json
    assert standing["done"] == standing["studies"] == 4


def test_confirmations_that_count_no_more_are_still_charged(tmp_path: Path) -> None:
    """A second of the dear judge for each, whatever became of it."""
    again = Confirm(2, evaluator=dear(tmp_path / "diary"))
    compared(tmp_path / "duel", seeds="2", tree=NOISY, confirm=again)
    more = {**NOISY, "study": {"trials": 60}}
    compared(tmp_path / "duel", seeds="2", tree=more, confirm=again)
    judged = len((tmp_path / "diary").read_text().splitlines())
    assert judged > 2 * 2 * 2
    place, _ = write_report([tmp_path / "duel"])
    found = json.loads((place / "report.json").read_text())
    charged = [arm["costs"]["confirm_seconds"] * arm["studies"] for arm in found["arms"]]
    assert sum(charged) == judged
    assert found["honesty"]["total_seconds"] == judged  # a landscape costs nothing


def test_more_trials_that_find_nothing_better_leave_the_confirmation(tmp_path: Path) -> None:
    """Noise-free and small: all is known after a hundred trials."""
    tree = {**CHEAP, "space": {"name": "ladder"}, "study": {"trials": 60}}
    tree["evaluator"] = {"name": "landscape", "noise": 0.0}
    again = Confirm(1, evaluator=Part.named("evaluator", "landscape", {"noise": 0.1}))
    compared(tmp_path, "random-search", seeds="2", tree=tree, confirm=again)
    tops = [max(told(study)) for study in studies(tmp_path)]
    more = {**tree, "study": {"trials": 70}}
    assert compared(tmp_path, "random-search", seeds="2", tree=more, confirm=again)
    for study, top in zip(studies(tmp_path), tops, strict=True):
        kept = max(told(study)) == top
        assert (confirmation_of(study) == study / "confirm") == kept
        assert confirmation_of(study) is not None


def _ranked(study: Path) -> list[dict[str, Any]]:
    asked = {event["number"]: event for event in lines(study) if event["event"] == "asked"}
    return [
        {"key": asked[event["number"]]["key"], "score": event["score"]}
        for event in sorted(lines(study), key=lambda event: event.get("score", 0.0))
        if event["event"] == "told"
    ]


# ------------------------------------------------------------------ what the report says


def test_the_report_tells_the_two_judges_apart(tmp_path: Path) -> None:
    options = {"diary": str(tmp_path / "diary"), "wait": 0.0}
    other = Part.named("evaluator", "parts.comparisons:Costly", options)
    compared(tmp_path / "duel", seeds="3", tree=NOISY, confirm=Confirm(2, evaluator=other))
    place, _ = write_report([tmp_path / "duel"])
    found = json.loads((place / "report.json").read_text())
    assert found["outcome"]["judge"] == "parts.comparisons:Costly"
    assert found["outcome"]["name"] == "judged"
    assert found["sampling"] is None
    assert all(arm["curse"] is None for arm in found["arms"])
    assert all(arm["improvement"] is None for arm in found["arms"])
    text = (place / "report.md").read_text()
    assert (
        "The searches saw score of landscape; winners were chosen by parts.comparisons:Costly "
        "among the best of each search, and judged is read after that, for its winners only."
    ) in text
    assert "| confirmation | top 2, by parts.comparisons:Costly (diary " in text
    assert "random sampling" not in text.partition("## Against")[0].partition("told.")[2]
    (row,) = (row for row in found["checklist"] if row["item"].startswith("Random search and"))
    assert row["note"].startswith("random search is shown; ")


def test_other_columns_of_a_table_are_the_same_judge(tmp_path: Path) -> None:
    table = tmp_path / "small.csv"
    rows = [f"{one},{two},{one + two},{two - one}" for one in range(3) for two in range(4)]
    table.write_text("\n".join(["d_one,d_two,score,again", *rows]) + "\n")
    tree = {
        "space": {"name": "table"},
        "evaluator": {"name": "table", "table": str(table), "decisions": "d_*"},
        "study": {"trials": 5},
    }
    compared(tmp_path / "all", "random-search", tree=tree, confirm=Confirm(2, "again"))
    place, _ = write_report([tmp_path / "all"])
    found = json.loads((place / "report.json").read_text())
    assert found["outcome"]["judge"] is None
    assert found["arms"][0]["curse"]["n"] == 3


# ------------------------------------------------------------------ the whole way, really trained


@pytest.mark.slow
def test_a_proxy_searches_and_trainings_choose(tmp_path: Path) -> None:
    answer = command_line.nas(
        *("compare", "--space", "ladder", "--evaluator", "proxy:grasp", "--dataset", "digits-hard"),
        *("--strategies", "policy-gradient", "--seeds", "2", "--trials", "6", "--confirm", "2"),
        *("--confirm-evaluator", "train", "--set", "confirm.recipe.epochs=1"),
        *("--out", tmp_path / "duel"),
    )
    assert answer.code == 0, answer.err
    assert f"nas retrain {tmp_path / 'duel'}" in answer.out
    for study in studies(tmp_path / "duel"):
        (best,) = command_line.nas("best", study, "--json").json["best"]
        assert best["confirmed_in"].endswith("confirm")
        final = json.loads((study / "confirm" / "study.json").read_text())["evaluator"]
        assert (final["name"], final["options"]["recipe"]) == ("train", {"epochs": 1})


@pytest.mark.slow
@pytest.mark.ray
def test_on_ray_one_judge_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # workers import the judge
    tree = {**costly(tmp_path / "diary"), "evaluator": NOISY["evaluator"]}
    again = Confirm(2, evaluator=dear(tmp_path / "diary"))
    compared(tmp_path / "here", seeds="2", tree=tree, confirm=again)
    ray = {**tree, "runner": {"name": "ray"}}
    compared(tmp_path / "ray", seeds="2", tree=ray, confirm=again)
    assert stories(tmp_path / "here") == stories(tmp_path / "ray")
