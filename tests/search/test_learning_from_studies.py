"""`--learn-from`: what older studies judged in the same way is known from the start, at no cost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.errors import SettingsError, StudyError
from parts.command_line import nas as command
from parts.command_line import started
from parts.studies import lines, story

TASK = ("--space", "nasbench201", "--evaluator", "landscape")
OLD = ("search", *TASK, "--strategy", "evolution", "--trials", "24", "--seed", "3", "--out")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    assert command(*OLD, tmp_path / "old").code == 0
    return tmp_path / "old"


def new(old: Path, *words: str) -> tuple[str | Path, ...]:
    task = () if "--space" in words else TASK
    return ("search", *task, "--strategy", "critic", "--trials", "10", "--learn-from", old, *words)


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [event for event in lines(folder) if event["event"] == kind]


def judged(folder: Path) -> list[dict[str, Any]]:
    return [event for event in events(folder, "told") if "reused" not in event]


def written(folder: Path) -> int:
    """How many results the log of a running study holds; its last line may be torn."""
    log = folder / "events.jsonl"
    return log.read_bytes().count(b'"event":"told"') if log.exists() else 0


def learnt(folder: Path) -> list[dict[str, Any]]:
    return [event for event in events(folder, "told") if "learnt" in event]


def test_it_is_told_first_at_no_cost_and_duplicates_are_answered_from_it(
    tmp_path: Path, old: Path
) -> None:
    best = max(judged(old), key=lambda event: event["score"])
    known = {event["number"]: event["genotype"] for event in events(old, "asked")}
    cell = json.dumps(known[best["number"]])
    words = ("random-search" if word == "critic" else word for word in new(old))
    done = command(*words, "--start-from", cell, "--out", tmp_path / "new")
    assert f"learnt: 24 evaluations of {old} are known from the start, at no cost" in done.err
    assert "(10 evaluated, " in done.out, "10 trials were bought besides"
    assert ", 24 learnt)" in done.out

    log = lines(tmp_path / "new")
    assert [event["event"] for event in log[1:49]] == ["asked", "told"] * 24
    before = [(event["score"], event["metrics"]) for event in judged(old)]
    assert [(event["score"], event["metrics"]) for event in learnt(tmp_path / "new")] == before
    assert {event["seconds"] for event in learnt(tmp_path / "new")} == {0.0}
    assert log[1]["learnt"]["study"] == str(old)

    repeat = log[49]
    place = judged(old).index(best)  # its number here
    assert (repeat["event"], repeat["duplicate_of"]) == ("asked", place)
    assert (log[50]["reused"], log[50]["score"]) == (place, best["score"])
    assert "learnt" not in log[50]

    status = command("status", tmp_path / "new", "--check")
    assert "10 of 10 trials" in status.out
    assert "24 learnt" in status.out
    assert status.code == 0


def test_strategies_hear_of_it(tmp_path: Path, old: Path) -> None:
    """The critic draws its first five at random, unless it knows something."""
    for name, words in (("with", new(old)), ("without", new(old)[:-2])):
        assert command(*words, "--out", tmp_path / name).code == 0
    with_it, without = (
        [event["key"] for event in events(tmp_path / name, "asked") if "learnt" not in event]
        for name in ("with", "without")
    )
    assert with_it != without
    assert not set(with_it) & {event["key"] for event in events(old, "asked")}


def test_a_resume_needs_no_older_folder(tmp_path: Path, old: Path) -> None:
    for name in ("whole", "later"):
        command(*new(old), "--out", tmp_path / name)
    assert not (tmp_path / "later" / "learnt.json").exists()
    command("resume", tmp_path / "whole", "--trials", "+5")
    shutil.rmtree(old)
    assert command("resume", tmp_path / "later", "--trials", "+5").code == 0
    assert story(lines(tmp_path / "later")) == story(lines(tmp_path / "whole"))
    assert command(*new(old), "--out", tmp_path / "later").code == 0, "nor does the same command"
    assert command("status", tmp_path / "later", "--check").code == 0
    other = command("search", *TASK, "--strategy", "critic", "--out", tmp_path / "later")
    assert "learn_from: ['" in other.sentence


def test_a_log_that_ends_within_what_is_learnt_goes_on(tmp_path: Path, old: Path) -> None:
    """As a kill leaves it: any number of whole lines, and the file that says what is to come."""
    from nas.search.learning import learnt_for, write_learnt
    from nas.search.plan import Plan

    assert command(*new(old), "--out", tmp_path / "whole").code == 0
    found = learnt_for(Plan.read(tmp_path / "whole"), None)
    text = (tmp_path / "whole" / "events.jsonl").read_bytes().splitlines(keepends=True)
    for count in (0, 1, 2, 3, 20, 49):
        cut = tmp_path / f"cut-{count}"
        cut.mkdir()
        shutil.copy(tmp_path / "whole" / "study.json", cut)
        write_learnt(cut, found, 1)
        (cut / "events.jsonl").write_bytes(b"".join(text[:count]) + text[count][:30])
        assert command(*new(old), "--out", cut).code == 0
        assert story(lines(cut)) == story(lines(tmp_path / "whole")), count
        assert len(learnt(cut)) == 24
        assert not (cut / "learnt.json").exists()


@pytest.mark.slow
def test_killed_while_it_learns(tmp_path: Path) -> None:
    command("search", *TASK, "--strategy", "random-search", "--trials", "1200", "--out", "big")
    words = ("search", *TASK, "--strategy", "random-search", "--seed", "1", "--trials", "5")
    words += ("--learn-from", "big", "--out")
    assert command(*words, "whole").code == 0
    count = len(learnt(Path("whole")))
    for attempt in range(8):
        folder = Path(f"killed-{attempt}")
        process = started(*words, folder)
        deadline = time.monotonic() + 60
        while written(folder) <= 20:
            assert time.monotonic() < deadline
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.communicate()
        if written(folder) < count:
            break
    assert written(folder) < count, "it was never caught in the act"
    assert command(*words, folder).code == 0
    assert story(lines(folder)) == story(lines(Path("whole")))
    assert command("status", folder, "--check").code == 0


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_the_best_kept_comes_along(old: Path) -> None:
    best = max(judged(old), key=lambda event: event["score"])
    for number in (best["number"], best["number"] + 1000):
        (old / "checkpoints" / str(number)).mkdir(parents=True)
        (old / "checkpoints" / str(number) / "weights").write_text(str(number))
    words = [word if word != "critic" else "random-search" for word in new(old)]
    words[words.index("10")] = "1"
    assert command(*words, "--out", "n").code == 0
    place = judged(old).index(best)
    kept = [path.relative_to("n") for path in Path("n").rglob("weights")]
    assert kept == [Path("checkpoints", str(place), "weights")]
    assert Path("n", kept[0]).read_text() == str(best["number"])
    assert not Path("n/learnt").exists()


@pytest.mark.parametrize(
    ("words", "difference"),
    [
        (("--set", "evaluator.noise=0.5"), "evaluator.options.noise: 0.02 there, 0.5 asked for"),
        (("--evaluations-per-trial", "2"), "evaluations_per_trial: 1 there, 2 asked for"),
        (("--space", "ladder", "--evaluator", "landscape"), "space.name: 'nasbench201' there"),
        (("--space", "nasbench201", "--evaluator", "table"), "evaluator.name: 'landscape' there"),
        (("--objectives", "score, -true_score"), "objectives: None there"),
    ],
)
def test_what_differs_is_refused_with_the_difference(
    old: Path, words: tuple[str, ...], difference: str
) -> None:
    refused = command(*new(old, *words), "--out", "n").sentence
    assert refused.startswith(f"--learn-from {old}: that study was judged otherwise (")
    assert difference in refused
    assert not Path("n").exists()


def test_other_data_is_refused(tmp_path: Path) -> None:
    table = Path("t.csv")
    rows = "".join(f"{a},{b},{a * b}\n" for a in range(4) for b in range(4))
    words = ("--space", "table", "--table", "t.csv", "--decisions", "[ab]", "--trials", "5")
    words += ("--strategy", "random-search", "--out")
    table.write_text("a,b,score\n" + rows)
    assert command("search", *words, "one").code == 0
    assert command("search", "--learn-from", "one", *words, "two").code == 0
    table.write_text("a,b,score\n" + rows.replace("0,0,0", "0,0,7"))
    refused = command("search", "--learn-from", "one", *words, "three").sentence
    assert "data.sha256" in refused


def test_what_lies_beyond_the_limits_is_left_out(old: Path) -> None:
    costs = "--set", "evaluator.dataset=digits", "--set", "skeleton.filters=4"
    proxy = ("search", "--space", "nasbench201", "--evaluator", "proxy:params", *costs)
    if command(*proxy, "--trials", "8", "--strategy", "random-search", "--out", "p").code:
        pytest.skip("no proxy that counts parameters")
    params = sorted(event["metrics"]["params"] for event in events(Path("p"), "told"))
    words = (*proxy, "--trials", "3", "--strategy", "random-search", "--learn-from", "p")
    limit = ("--max-params", str(params[3] + 1), "--out", "small")
    assert command(*words, *limit).code == 0
    record = json.loads(Path("small/study.json").read_text())["learnt"]
    assert record["evaluations"] + record["left_out"] == len({*params}) or record["left_out"] > 0
    assert all(event["metrics"]["params"] <= params[3] + 1 for event in learnt(Path("small")))


def test_no_name_of_an_older_study_is_imported(old: Path) -> None:
    record = json.loads((old / "study.json").read_text())
    Path("evil.py").write_text("raise SystemExit('imported')\n")
    for kind in ("space", "evaluator", "strategy", "runner"):
        changed = {**record, kind: {**record[kind], "name": "./evil.py:Evil"}}
        (old / "study.json").write_text(json.dumps(changed))
        answer = command(*new(old), "--out", f"n-{kind}")
        if kind in ("space", "evaluator"):
            assert "judged otherwise" in answer.sentence
        assert "imported" not in answer.err + answer.out


def test_a_study_at_work_is_waited_for(tmp_path: Path, old: Path) -> None:
    from nas.study.store import Store

    with Store(old / "events.jsonl"):
        refused = command(*new(old), "--out", "n").sentence
    assert "a process is at work on that study just now" in refused
    assert "there is no folder 'nowhere'" in command(*new(Path("nowhere")), "--out", "n").sentence


def test_every_arm_begins_with_the_same_and_the_report_says_it(old: Path) -> None:
    words = ("compare", *TASK, "--strategies", "critic", "--seeds", "2", "--trials", "6")
    words += ("--processes", "1", "--no-report", "--learn-from", str(old), "--out", "c")
    done = command(*words)
    assert done.code == 0, done.err
    assert f"24 evaluations of {old} are known from the start, at no cost" in done.err
    for label in ("critic", "random-search"):
        for seed in (1, 2):
            folder = Path("c") / label / f"seed-{seed}"
            assert len(learnt(folder)) == 24
            assert sum("reused" not in e and "learnt" not in e for e in events(folder, "told")) == 6
    shutil.rmtree(old)
    more = [word if word != "2" else "3" for word in words]
    assert command(*more).code == 0, "a third seed begins with what the first two did"
    assert len(learnt(Path("c/critic/seed-3"))) == 24


@pytest.mark.slow
def test_a_report_says_what_was_known(old: Path) -> None:
    words = ("compare", *TASK, "--strategies", "critic", "--seeds", "2", "--trials", "6")
    assert command(*words, "--processes", "1", "--learn-from", old, "--out", "c").code == 0
    page = Path("c/report.md").read_text()
    assert f"24 evaluations of {old} known to every study from the start" in page.replace("\\", "")
    report = json.loads(Path("c/report.json").read_text())
    rows = {row["label"]: row for row in report["arms"]}
    assert rows["random-search"]["costs"]["trials"] == 6
    assert rows["random-search"]["counts"]["asked"] == 12


def test_from_python(tmp_path: Path, old: Path) -> None:
    study = nas.search(
        space="nasbench201",
        evaluator="landscape",
        strategy="random-search",
        trials=3,
        learn_from=[old],
        out=tmp_path / "n",
    )
    assert list(study.trials()["state"]).count("learnt") == 24
    assert study.best.score >= max(event["score"] for event in events(old, "told"))
    with (
        pytest.raises(SettingsError, match="nobody can tell whether an older one judged alike"),
        nas.open_study(
            tmp_path / "own", space="ladder", strategy="evolution", trials=3, learn_from=[old]
        ),
    ):
        pass


def test_a_damaged_file_of_what_is_to_be_learnt_is_named(old: Path) -> None:
    from nas.search.learning import read_learnt

    folder = Path("n")
    folder.mkdir()
    for text in ("{", '{"format": 2}', '{"format": 1, "left_out": 0, "judgements": [{}]}', "[]"):
        (folder / "learnt.json").write_text(text)
        with pytest.raises(StudyError, match="is not what a study has learnt"):
            read_learnt(folder)
