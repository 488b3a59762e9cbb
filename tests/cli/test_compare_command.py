"""`nas compare` and `nas report` as commands: killed and repeated, read by machines, refused in one
sentence."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from parts.command_line import ended, nas, ran, started
from parts.comparisons import stories

SMALL = (
    "compare",
    "--space",
    "nasbench201",
    "--evaluator",
    "landscape",
    "--strategies",
    "evolution,random-search",
    "--set",
    "evolution.population=4",
    "--set",
    "evolution.sample=2",
)


def test_a_comparison_ends_with_its_verdict_and_a_report(tmp_path: Path) -> None:
    answer = nas(
        *SMALL, "--trials", "8", "--seeds", "3", "--processes", "1", "--out", tmp_path / "all"
    )
    assert answer.code == 0, answer.err
    assert answer.out.startswith("For evolution there are not enough seeds to tell.\n")
    assert f"report: {tmp_path / 'all' / 'report.html'}" in answer.out
    assert (tmp_path / "all" / "report.html").exists()


def test_machines_get_everything_the_page_shows(tmp_path: Path) -> None:
    answer = ran([*SMALL, "--trials", "8", "--seeds", "2", "--json", "--out", tmp_path / "all"])
    assert answer.code == 0, answer.err
    assert answer.json == json.loads((tmp_path / "all" / "report.json").read_text())
    again = nas("report", tmp_path / "all", "--json")
    assert again.out == answer.out


def test_killed_at_any_moment_the_same_command_continues(tmp_path: Path) -> None:
    words = (*SMALL, "--trials", "150", "--seeds", "6", "--processes", "2", "--no-report")
    assert ran([*words, "--out", tmp_path / "whole"]).code == 0
    killed = 0
    for wait in (0.0, 0.15, 0.4):
        process = started(*words, "--out", tmp_path / "parts", start_new_session=True)
        until = time.monotonic() + 60
        count = len(list((tmp_path / "parts").rglob("events.jsonl")))
        while process.poll() is None and time.monotonic() < until:
            if len(list((tmp_path / "parts").rglob("events.jsonl"))) > count:
                break
            time.sleep(0.005)
        time.sleep(wait)
        # its workers find out by themselves; nothing happens where it has ended already
        process.kill()
        killed += ended(process).code == -signal.SIGKILL
    assert killed
    time.sleep(0.5)
    assert ran([*words, "--out", tmp_path / "parts"]).code == 0
    assert stories(tmp_path / "parts") == stories(tmp_path / "whole")


def test_a_signal_stops_gently_and_says_how_to_go_on(tmp_path: Path) -> None:
    words = (
        *SMALL,
        "--trials",
        "400",
        "--seeds",
        "40",
        "--processes",
        "2",
        "--no-report",
        "--out",
        tmp_path / "all",
    )
    process = started(*words)
    while not list(tmp_path.rglob("events.jsonl")):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    answer = ended(process)
    assert answer.code == 3
    assert "; continue with `nas compare " in answer.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--seeds", "none"),
            "--seeds is 'none': expected a number of seeds, a range 1-50 or a list 1,2,5",
        ),
        (
            ("--confirm-score", "x"),
            "--confirm-score, --confirm-cost, --confirm-by, --confirm-evaluator and confirm.* say "
            "how to confirm: give --confirm K too",
        ),
        (
            ("--set", "confirm.noise=0.1"),
            "--confirm-score, --confirm-cost, --confirm-by, --confirm-evaluator and confirm.* say ",
        ),
        (
            ("--confirm", "2", "--confirm-score", "x", "--confirm-evaluator", "landscape"),
            "--confirm-score and --confirm-cost are for the table that searches: of another judge, "
            "set confirm.score and confirm.cost",
        ),
        (
            ("--confirm", "2", "--confirm-evaluator", "landscape", "--set", "confirm.nose=1"),
            "no option of evaluator is called 'nose'",
        ),
        (("--confirm", "2", "--confirm-evaluator", "trains"), "no evaluator is called 'trains'"),
        (
            ("--set", "strategy.population=3"),
            "a setting of 'strategy' would be every arm's: name the arm, say ",
        ),
        (("--set", "evolution.populaton=3"), "no option of strategy is called 'populaton'"),
        (("--evaluator", "tabel"), "no evaluator is called 'tabel'"),
    ],
)
def test_bad_words_are_refused_before_anything_is_written(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    answer = nas(*SMALL, "--trials", "5", "--out", tmp_path / "all", *words)
    assert answer.sentence.startswith(sentence), answer.sentence
    assert not (tmp_path / "all").exists()


def test_a_report_of_nothing_is_refused(tmp_path: Path) -> None:
    assert nas("report", tmp_path / "nowhere").sentence == (
        f"there is no folder {str(tmp_path / 'nowhere')!r}: name a study or a comparison"
    )
    assert (
        nas("report", tmp_path).sentence
        == f"there is no study in {tmp_path}: a study is a folder with study.json in it"
    )


def test_without_a_folder_the_same_command_finds_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (*SMALL, "--trials", "5", "--seeds", "2", "--processes", "1", "--no-report")
    assert nas(*words).code == nas(*words).code == 0
    (folder,) = (tmp_path / "results").iterdir()
    assert folder.name.startswith("compare-nasbench201-")
    assert nas(*words, "--set", "evolution.sample=3").code == 0
    assert len(list((tmp_path / "results").iterdir())) == 2


SHIPPED = ("--space", "nasbench201", "--evaluator", "table", "--trials", "3", "--seeds", "2")


@pytest.mark.parametrize(
    ("words", "score", "final"),
    [
        ((), "score_seed0", "(score_seed1 + score_seed2) / 2"),
        (("--final", "score_seed1"), None, "score_seed1"),
        (("--score", "score"), "score", None),
    ],
)
def test_a_table_with_seeds_judges_winners_by_those_the_search_did_not_see(
    tmp_path: Path, words: tuple[str, ...], score: str | None, final: str | None
) -> None:
    out = ("--strategies", "random-search", "--out", tmp_path / "all", "--no-report")
    assert nas("compare", *SHIPPED, *words, *out).code == 0
    options = json.loads((tmp_path / "all" / "compare.json").read_text())["arms"]
    (arm,) = options.values()
    recorded = arm["evaluator"]["options"]
    assert (recorded["score"], recorded["final"]) == (score, final)
    best = nas("best", tmp_path / "all" / "random-search" / "seed-1", "--json").json["best"][0]
    assert set(best["final"]) == ({final} if final else set())
