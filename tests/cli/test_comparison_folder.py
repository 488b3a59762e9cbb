"""A comparison's folder in place of a study's: its winners, its standing, and going on with it."""

from __future__ import annotations

import json
import shlex
import signal
import time
from pathlib import Path

import pytest

from parts.command_line import Answer, ended, nas, started
from parts.comparisons import stories
from parts.printed_lines import commands_in, follow, the_command

BEGUN = ("compare", "--space", "nasbench201", "--evaluator", "landscape", "--processes", "1")
BEGUN += ("--strategies", "evolution", "--set", "evolution.population=4")
BEGUN += ("--set", "evolution.sample=2")
SMALL = (*BEGUN, "--seeds", "3", "--trials", "12", "--no-report")


def well(answer: Answer) -> Answer:
    assert answer.code == 0, answer.err
    return answer


def winner_of(study: Path) -> tuple[float, str]:
    (best,) = well(nas("best", study, "--json")).json["best"]
    return best["score"], best["key"]


@pytest.fixture
def six(tmp_path: Path) -> Path:
    well(nas(*SMALL, "--out", tmp_path / "six"))
    return tmp_path / "six"


# ------------------------------------------------------------------ its winners


def test_the_winners_of_all_studies_the_best_first(six: Path) -> None:
    studies = [path.parent for path in six.glob("*/seed-*/study.json")]
    best: dict[str, float] = {}
    for score, key in map(winner_of, studies):
        best[key] = max(score, best.get(key, score))
    found = well(nas("best", six, "--top", "100", "--json")).json["best"]
    assert [(one["key"], one["score"]) for one in found] == sorted(
        best.items(), key=lambda one: -one[1]
    )
    for one in found:
        assert winner_of(six / one["study"]) == (one["score"], one["key"])
    first = well(nas("best", six)).out
    assert first.startswith(f"  1. {found[0]['study']}, trial {found[0]['number']}, score ")
    assert json.loads(first.splitlines()[1]) == found[0]["genotype"]


def test_confirmed_winners_stand_first(tmp_path: Path) -> None:
    noisy = ("--set", "evaluator.noise=0.3", "--confirm", "3")
    well(nas(*SMALL, *noisy, "--out", tmp_path / "all"))
    found = well(nas("best", tmp_path / "all", "--top", "100", "--json")).json["best"]
    assert {one["study"].rpartition("/")[2] for one in found} == {"confirm"}
    assert found[0]["score"] == max(one["score"] for one in found)
    # one study of which the best are not confirmed yet has the highest score, and stands last
    (tmp_path / "all" / "evolution" / "seed-1" / "confirm" / "events.jsonl").unlink()
    found = well(nas("best", tmp_path / "all", "--top", "100", "--json")).json["best"]
    assert found[-1]["study"] == "evolution/seed-1"


def test_the_best_winner_leaves_the_house(six: Path) -> None:
    (best,) = well(nas("best", six, "--json")).json["best"]
    out = well(nas("export", six, "--to", "json,svg")).out
    assert f"{six / 'best'}" in out
    (record,) = six.glob("best/export.json")
    subject = json.loads(record.read_text())["subject"]
    assert (subject["trial"], subject["key"]) == (best["number"], best["key"])
    card = (six / "best" / "README.md").read_text()
    assert f"six/{best['study']}" in card
    assert best["study"].partition("/")[0] in card
    well(nas(*SMALL, "--seeds", "4", "--out", six))  # what was exported is not in its way
    well(nas("report", six))


def test_fronts_have_no_best(tmp_path: Path) -> None:
    table = ("--table", "nasbench201-digits", "--objectives", "score, -macs")
    words = ("compare", "--space", "nasbench201", *table, "--strategies", "evolution")
    words += ("--seeds", "1", "--trials", "8", "--processes", "1", "--no-report")
    folder = tmp_path / "it's all"
    ended_with = well(nas(*words, "--out", folder))
    assert commands_in(ended_with.out) == [f"nas report {shlex.quote(str(folder))}"]
    study = shlex.quote(str(folder / "evolution" / "seed-1"))
    for verb in ("best", "export", "show"):
        assert nas(verb, folder).sentence == (
            f"{folder} compares fronts, so it has no best of all: give the folder of one of its "
            f"studies, as {study}"
        )
    well(follow(f"nas best {study}", at=tmp_path))
    assert ", best " not in well(nas("status", folder)).out


@pytest.mark.parametrize("verb", ["inspect", "trial"])
def test_what_reads_one_study_says_where_one_is(six: Path, verb: str) -> None:
    words = (six, "1") if verb == "trial" else (six,)
    assert nas(verb, *words).sentence == (
        f"{six} holds no study: there is no study.json in it; one lies below it, "
        f"{six / 'evolution' / 'seed-1'}"
    )


# ------------------------------------------------------------------ how far it is


def test_its_standing(six: Path) -> None:
    found = well(nas("status", six, "--json")).json
    assert (found["done"], found["studies"], found["running"]) == (6, 6, False)
    assert [(arm["arm"], arm["done"], arm["trials"]) for arm in found["arms"]] == [
        ("evolution", 3, 36),
        ("random-search", 3, 36),
    ]
    arm = found["arms"][0]["best"]
    assert winner_of(six / "evolution" / f"seed-{arm['seed']}")[0] == arm["score"]
    words = well(nas("status", six)).out
    assert words.startswith("comparison: nasbench201 · landscape · 2 arms, 3 seeds, 12 trials\n")
    assert "6 of 6 studies done\n" in words
    well(follow(the_command(words, "nas report "), at=six))


def test_every_log_is_checked(six: Path) -> None:
    assert "6 of 6 logs sound" in well(nas("status", six, "--check")).out
    log = six / "evolution" / "seed-2" / "events.jsonl"
    text = log.read_text()
    log.write_text(text.replace('"score":0.', '"score":1.', 1))
    assert log.read_text() != text
    answer = nas("status", six, "--check")
    assert answer.code == 2
    assert "5 of 6 logs sound" in answer.out
    assert "problem: evolution/seed-2: " in answer.out


# ------------------------------------------------------------------ going on


def test_killed_it_goes_on_by_its_folder_alone(tmp_path: Path) -> None:
    words = (*BEGUN, "--seeds", "4", "--trials", "150", "--no-report", "--confirm", "2")
    words += ("--set", "evaluator.noise=0.2", "--margin", "0.01")
    well(nas(*words, "--out", tmp_path / "whole"))
    process = started(*words, "--out", tmp_path / "parts")
    while len(list(tmp_path.glob("parts/**/events.jsonl"))) < 3:
        time.sleep(0.005)
    process.kill()
    assert ended(process).code == -signal.SIGKILL
    before = (tmp_path / "parts" / "compare.json").read_bytes()
    words_of = well(nas("status", tmp_path / "parts"))
    assert ", not finished\n" in words_of.out
    assert "best" not in words_of.out.replace("best 2 confirmed", ""), "who is ahead is not told"
    well(follow(the_command(words_of.out, "nas resume "), at=tmp_path))
    assert stories(tmp_path / "parts") == stories(tmp_path / "whole")
    assert (tmp_path / "parts" / "compare.json").read_bytes() == before


def test_extended_it_says_so(six: Path, tmp_path: Path) -> None:
    well(nas("resume", six, "--trials", "+6"))
    at_once = (*SMALL, "--trials", "18", "--out", tmp_path / "at-once")
    well(nas(*at_once))
    known = json.loads((six / "compare.json").read_text())
    assert [request["budget"] for request in known["requests"]] == [{"trials": 12}, {"trials": 18}]
    assert well(nas("status", six, "--json")).json["done"] == 6
    for study in ("evolution/seed-1", "random-search/seed-3"):
        assert winner_of(six / study) == winner_of(tmp_path / "at-once" / study)


def test_what_was_asked_for_before_is_no_new_request(six: Path) -> None:
    before = (six / "compare.json").read_bytes()
    well(nas(*SMALL, "--seeds", "2", "--out", six))
    well(nas("resume", six))
    assert (six / "compare.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--trials", "5"), "--trials is 5, but 12 trials have ended already"),
        (("--max-hours", "1"), "hours of wall clock depend on what else runs"),
        (("--to", "json"), "--to exports the winner of one study: run `nas export DIR`"),
        (("--set", "evaluator.noise=1"), "evaluator.* of a study cannot change"),
    ],
)
def test_what_a_comparison_does_not_take(six: Path, words: tuple[str, ...], sentence: str) -> None:
    assert nas("resume", six, *words).sentence.startswith(sentence)


def test_foreign_code_needs_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_own.py").write_text(
        "from nas.strategies.random_search import RandomSearch\n"
        "class Mine(RandomSearch):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = [word.replace("evolution", "mine=mine_own:Mine") for word in SMALL if "." not in word]
    words = [word for word in words if word != "--set"]
    well(nas(*words, "--out", "all"))
    told = well(nas("status", "all", "--json")).json
    assert told["arms"][0]["strategy"] == "mine_own:Mine"
    text = (tmp_path / "all" / "compare.json").read_text()
    (tmp_path / "all" / "compare.json").write_text(text.replace('"trials": 12', '"trials": 13'))
    process = started("resume", "all", cwd=tmp_path)
    answer = ended(process)
    assert answer.code == 2
    assert "--trust" in answer.sentence
    again = ended(started("status", "all", cwd=tmp_path))
    assert the_command(again.out, "nas resume ") == "nas resume all --trust"
    well(ended(started("resume", "all", "--trust", cwd=tmp_path)))


def test_interrupted_in_its_extension_it_ends_where_it_was_to(six: Path) -> None:
    """The printed line must not add the same trials once more."""
    process = started("resume", six, "--trials", "+3000")
    while json.loads((six / "compare.json").read_text())["budget"] == {"trials": 12}:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    answer = ended(process)
    assert answer.code == 3
    assert the_command(answer.err, "nas resume ") == f"nas resume {six}"
    again = started("resume", six, "--trials", "+0", "--workers", "2", "--json")
    again.send_signal(signal.SIGTERM)
    ended(again)
    known = json.loads((six / "compare.json").read_text())
    assert [request["budget"]["trials"] for request in known["requests"]] == [12, 3012]


def test_machines_are_told_of_an_interruption(tmp_path: Path) -> None:
    words = (*BEGUN, "--seeds", "40", "--trials", "400", "--no-report", "--json")
    process = started(*words, "--out", tmp_path / "all")
    while not list(tmp_path.rglob("events.jsonl")):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    answer = ended(process)
    assert answer.code == 3
    assert answer.json["interrupted"]
    assert answer.json["done"] < answer.json["studies"] == 80
