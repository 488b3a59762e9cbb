"""`nas search` and `nas resume` as a user meets them: what they print, leave behind and answer the
second time."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nas.reports.findings import Champion
from nas.reports.tables import winner_commands
from nas.search.words import DEFAULTS
from parts.command_line import ROOT, SMALL, nas, ran
from parts.printed_lines import follow, the_command
from parts.studies import kinds, lines, story
from search_spaces.cells.genotype import Genotype


def search(*words: str | Path) -> tuple[str | Path, ...]:
    return ("search", *SMALL, *words)


def test_a_search_says_what_it_does_names_the_winner_and_the_next_commands(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    answer = nas(*search("--trials", "40", "--out", folder))
    assert answer.code == 0
    for line in (
        "     space: nasbench201",
        "  strategy: random-search",
        " evaluator: landscape (noise=0.02, seed=0, epochs=0, delay_seconds=0.0, interactions=0.0)",
        "    budget: 40 trials, seed 0",
        f"    folder: {folder}",
    ):
        assert line in answer.err.splitlines()
    assert answer.out.startswith("finished: all 40 trials are done (")
    winner = re.search(r"winner: trial (\d+), score ([\d.]+), key (\w+)", answer.out)
    assert winner is not None
    best = Genotype.from_json((folder / "best" / "genotype.json").read_text())
    assert best.key == winner[3]
    assert f"  nas show {folder}/best/genotype.json\n  nas best {folder} --top 5\n" in answer.out
    assert f"  nas resume {folder} --trials +40\n" in answer.out


@pytest.mark.parametrize("name", ["my dir/s 1", "it's", 'a "b" $HOME'])
def test_printed_commands_can_be_copied_whatever_the_folder_is_called(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    answer = nas(*search("--trials", "5", "--out", folder))
    commands = [line for line in answer.out.splitlines() if line.startswith("  nas ")]
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command)
        assert str(folder) in words or str(folder / "best" / "genotype.json") in words
        again = nas(*words[1:])
        assert again.code == 0, again.err


def test_commands_in_sentences_and_reports_can_be_copied(tmp_path: Path) -> None:
    folder = tmp_path / "my dir"
    assert nas(*search("--trials", "2", "--out", folder)).code == 0
    sentence = nas(*search("--trials", "2", "--seed", "7", "--out", folder)).sentence
    assert f"resume it as it is with `nas resume '{folder}'`" in sentence
    champion = Champion(0, "my dir/s 1", 1, "", 0.5, {}, {}, {})
    show, export = map(shlex.split, winner_commands(champion))
    assert show == ["nas", "show", "my dir/s 1/best/genotype.json"]
    assert export == ["nas", "export", "my dir/s 1", "--to", "python,svg"]


@pytest.mark.parametrize("command", ["search", "compare"])
def test_a_cluster_that_is_not_there_is_missed_before_anything_is_written(
    tmp_path: Path, command: str
) -> None:
    words = ("--space", "ladder", "--evaluator", "landscape", "--trials", "2", "--runner", "ray")
    more = (
        ("--strategies", "random-search,local-search", "--seeds", "2")
        if command == "compare"
        else ()
    )
    sentence = nas(
        command, *words, *more, "--address", "127.0.0.1:99999", "--out", tmp_path / "s"
    ).sentence
    assert sentence.startswith("nobody listens at 127.0.0.1:99999: check the address")
    assert not (tmp_path / "s").exists()


def test_a_finished_study_needs_no_cluster(tmp_path: Path) -> None:
    assert nas(*search("--trials", "2", "--out", tmp_path / "s")).code == 0
    away = ("--runner", "ray", "--address", "127.0.0.1:99999")
    again = nas(*search("--trials", "2", "--out", tmp_path / "s", *away))
    assert again.code == 0, again.err


def test_it_answers_in_json(tmp_path: Path) -> None:
    facts = nas(*search("--trials", "5", "--out", tmp_path / "s", "--json")).json
    assert facts["finished"] == "all 5 trials are done"
    assert facts["trials"] == 5
    assert Genotype.from_dict(facts["best"]["genotype"]).key == facts["best"]["key"]


def test_defaults_are_filled_in_and_recorded(tmp_path: Path) -> None:
    assert nas(*search("--trials", "2", "--out", tmp_path / "s")).code == 0
    plan = json.loads((tmp_path / "s" / "study.json").read_text())
    assert plan["rules"]["duplicates"] == "reuse"
    assert plan["rules"]["retries"] == 1
    assert plan["evaluator"]["options"] == {
        "noise": 0.02,
        "seed": 0,
        "epochs": 0,
        "delay_seconds": 0.0,
        "interactions": 0.0,
    }
    assert plan["space"]["fingerprint"]
    assert {"python", "nas", "torch", "optuna", "ray", "numpy"} <= plan["versions"].keys()
    assert plan["hardware"]["cpu"]


def test_the_arguments_of_a_sampler_are_spelled_out(tmp_path: Path) -> None:
    words = (
        "--space",
        "ladder",
        "--strategy",
        "optuna:tpe",
        "--evaluator",
        "landscape",
        "--trials",
        "2",
    )
    assert nas("search", *words, "--out", tmp_path / "s").code == 0
    recorded = json.loads((tmp_path / "s" / "study.json").read_text())["recorded"]
    assert recorded["class"] == "TPESampler"
    assert recorded["arguments"]["n_ei_candidates"] == 24


def test_without_a_folder_each_search_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (("--seed", "1"), ("--seed", "2"), ("--seed", "1")):
        assert nas(*search("--trials", "3", *words)).code == 0
    names = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert len(names) == 2
    assert names[0].startswith("nasbench201-random-search-seed1-")


# ------------------------------------------------------------------ once more


def test_the_same_command_on_a_finished_study_names_the_winner_again(tmp_path: Path) -> None:
    words = search("--trials", "12", "--out", tmp_path / "s")
    first = nas(*words)
    before = (tmp_path / "s" / "events.jsonl").read_bytes()
    again = nas(*words)
    assert (again.code, again.out) == (0, first.out)
    assert "   resumed: after 12 trials" in again.err
    assert (tmp_path / "s" / "events.jsonl").read_bytes() == before


@pytest.mark.parametrize("log", [None, b"", b'{"event":"star'])
@pytest.mark.parametrize("again", ["search", "resume"])
def test_a_study_killed_before_its_first_line_begins(
    tmp_path: Path, log: bytes | None, again: str
) -> None:
    folder = tmp_path / "s"
    words = search("--trials", "7", "--out", folder)
    assert nas(*words).code == 0
    whole = story(lines(folder))
    (folder / "best" / "genotype.json").unlink()
    (folder / "best").rmdir()
    (folder / "events.jsonl").unlink()
    if log is not None:
        (folder / "events.jsonl").write_bytes(log)
    assert nas("status", folder, "--json").json["trials"] == 0
    assert nas("best", folder).sentence.endswith(
        f"has no evaluated trial yet: continue it with `nas resume {folder}`"
    )
    assert nas("events", folder).code == 0
    answer = nas(*(search("--out", folder) if again == "search" else ("resume", folder)))
    assert answer.code == 0, answer.err
    assert story(lines(folder)) == whole


def test_a_finished_study_is_extended(tmp_path: Path) -> None:
    assert nas(*search("--trials", "20", "--out", tmp_path / "whole")).code == 0
    assert nas(*search("--trials", "5", "--out", tmp_path / "s")).code == 0
    assert "all 8 trials are done" in nas("resume", tmp_path / "s", "--trials", "+3").out
    assert "all 20 trials are done" in nas("resume", tmp_path / "s", "--trials", "20").out
    assert story(lines(tmp_path / "s")) == story(lines(tmp_path / "whole"))
    assert kinds(tmp_path / "s").count("finished") == 3
    assert nas("resume", tmp_path / "s", "--trials", "5").sentence == (
        "--trials is 5, but 20 trials have ended already: give a larger number, or +N for N more"
    )
    assert kinds(tmp_path / "s").count("finished") == 3
    assert nas("resume", tmp_path / "s", "--trials", "more").sentence.startswith(
        "--trials is 'more': expected a number"
    )
    assert (
        "a budget of 0.0 seconds makes no study"
        in nas("resume", tmp_path / "s", "--budget-seconds", "0").sentence
    )


def test_more_trials_are_added_to_those_that_have_ended(tmp_path: Path) -> None:
    assert nas(*search("--trials", "20", "--out", tmp_path / "s")).code == 0
    log = tmp_path / "s" / "events.jsonl"
    events = log.read_text().splitlines(keepends=True)
    ends = [place for place, line in enumerate(events) if '"event":"told"' in line]
    log.write_text("".join(events[: ends[4] + 1]))  # killed after its fifth result
    assert nas("resume", tmp_path / "s", "--trials", "+3", "--json").json["trials"] == 8


def test_more_trials_of_a_study_that_counted_seconds(tmp_path: Path) -> None:
    delay = ("--set", "evaluator.delay_seconds=0.001")
    answer = nas(*search("--budget-seconds", "0.0045", *delay, "--out", tmp_path / "s"))
    assert answer.out.startswith(
        "finished: the budget of 0.0045 s of evaluation is spent (5 evaluated)"
    )
    assert f"nas resume {tmp_path / 's'} --budget-seconds 0.009" in answer.out
    assert (
        "is spent (9 evaluated" in nas("resume", tmp_path / "s", "--budget-seconds", "0.0085").out
    )
    asked = nas("status", tmp_path / "s", "--json").json["trials"]
    words = ("--budget-seconds", "60", "--trials", "+2", "--json")
    assert nas("resume", tmp_path / "s", *words).json["trials"] == asked + 2


def test_guests_come_first(tmp_path: Path) -> None:
    words = (
        "--start-from",
        "0,0,0,0,0,0",
        "--start-from",
        "4,3,2,1,0,0",
        "--trials",
        "4",
        "--out",
        tmp_path / "s",
    )
    assert nas(*search(*words)).code == 0
    first = [
        Genotype.from_dict(event["genotype"])
        for event in lines(tmp_path / "s")
        if event["event"] == "asked"
    ][:2]
    from search_spaces.nasbench201 import Nasbench201Space

    assert [Nasbench201Space().encode(genotype) for genotype in first] == [
        (0,) * 6,
        (4, 3, 2, 1, 0, 0),
    ]
    assert nas("status", tmp_path / "s", "--check").code == 0


# ------------------------------------------------------------------ settings


def test_flags_win_over_words_and_words_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(
        "[space]\nname = 'nasbench201'\n[strategy]\nname = 'evolution'\npopulation = 30\nsample = "
        "7\n"
        "[evaluator]\nname = 'landscape'\nnoise = 0.5\n[study]\ntrials = 9\nseed = 4\n"
    )
    words = (
        "--config",
        config,
        "--set",
        "strategy.population=20",
        "--set",
        "study.seed=5",
        "--seed",
        "6",
    )
    assert nas("search", *words, "--out", tmp_path / "s").code == 0
    plan = json.loads((tmp_path / "s" / "study.json").read_text())
    assert plan["strategy"] == {"name": "evolution", "options": {"population": 20, "sample": 7}}
    assert plan["evaluator"]["options"]["noise"] == 0.5
    assert plan["seed"] == 6
    assert plan["budget"] == {"trials": 9}


def test_the_defaults_are_parts_that_exist() -> None:
    from nas import registry

    for kind, name in DEFAULTS.items():
        assert registry.resolve(kind, name) == name


# ------------------------------------------------------------------ terminals


def test_lines_where_there_is_no_terminal(tmp_path: Path) -> None:
    delay = ("--set", "evaluator.delay_seconds=0.001")
    answer = ran(search("--trials", "6", *delay, "--out", tmp_path / "s"))
    assert answer.code == 0
    assert "\x1b" not in answer.err + answer.out
    assert re.search(
        r"^trial 5: [\d.]+ · 6 of 6 trials · best [\d.]+ \(trial \d\) · \S+ (s a|trials) ",
        answer.err,
        re.M,
    )


def test_a_live_bar_on_a_terminal(tmp_path: Path) -> None:
    driver, terminal = pty.openpty()
    words = (
        "search",
        *SMALL,
        "--trials",
        "12",
        "--set",
        "evaluator.delay_seconds=0.05",
        "--out",
        str(tmp_path / "s"),
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm",
        "COLUMNS": "120",
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", *words],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=environment,
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(driver, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(driver)
    assert process.stdout is not None
    out = process.stdout.read().decode()
    process.stdout.close()
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert re.search(
        r"\d+ of 12 trials · best [\d.]+ \(trial \d+\) · [\d.,]+ (trials a second|s a trial)", text
    )
    assert "left" in text
    assert "winner: trial" in out
    assert "\x1b" not in out


def test_python_m_nas(tmp_path: Path) -> None:
    assert ran(("list", "spaces")).out.splitlines() == nas("list", "spaces").out.splitlines()


def test_what_goes_on_elsewhere_says_so_in_the_line_that_continues_it(tmp_path: Path) -> None:
    folder = tmp_path / "my study"
    assert nas("search", *SMALL, "--trials", "2", "--out", folder).code == 0
    elsewhere = nas("resume", folder, "--trials", "+2", "--workers", "2").out
    line = the_command(elsewhere, "nas resume ")
    assert line == f"nas resume '{folder}' --set runner.workers=2 --trials +4"
    again = follow(line, at=tmp_path)
    assert the_command(again.out, "nas resume ").endswith(" --set runner.workers=2 --trials +8")
    back = nas("resume", folder, "--trials", "+1").out
    assert the_command(back, "nas resume ") == f"nas resume '{folder}' --trials +9"
