"""The commands that only read a study, and those that say what there is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from nas import __version__, registry
from nas.cli import VERBS
from nas.cli._kinds import described_kinds
from parts.command_line import ROOT, SMALL, ended, nas, started
from parts.studies import lines, write_log

Event = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of evolution."""
    place = tmp_path_factory.mktemp("studies") / "s"
    words = ("--space", "ladder", "--strategy", "evolution", "--evaluator", "landscape")
    small = (
        "--set",
        "strategy.population=5",
        "--set",
        "strategy.sample=3",
        "--set",
        "evaluator.epochs=3",
    )
    assert nas("search", *words, *small, "--trials", "18", "--out", place).code == 0
    return place


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The same study, to be spoiled."""
    (tmp_path / "copy").mkdir()
    for name in ("study.json", "events.jsonl"):
        (tmp_path / "copy" / name).write_bytes((folder / name).read_bytes())
    return tmp_path / "copy"


@pytest.mark.parametrize(
    "words", [("status",), ("status", "--check"), ("best",), ("best", "--top", "3"), ("trial", "0")]
)
def test_read_commands_answer_in_json(folder: Path, words: tuple[str, ...]) -> None:
    assert nas(words[0], folder, *words[1:], "--json").json


def test_status(folder: Path) -> None:
    out = nas("status", folder).out.splitlines()
    assert out[0] == "ladder · evolution · landscape · seed 0"
    assert out[1] == "18 of 18 trials, finished: all 18 trials are done"
    assert out[2].endswith("reused")
    assert out[-1].startswith("best: trial ")
    assert "true_score" in out[-1]


def test_best(folder: Path) -> None:
    best = nas("best", folder, "--top", "4", "--json").json["best"]
    scores = [winner["score"] for winner in best]
    told = {event["score"] for event in lines(folder) if event["event"] == "told"}
    assert scores == sorted(told, reverse=True)[:4]
    assert len({winner["key"] for winner in best}) == 4
    assert nas("best", folder, "--top", "4").out.count("\n") == 4


def test_events(folder: Path) -> None:
    out = nas("events", folder).out.splitlines()
    assert len(out) == len(lines(folder))
    assert nas("events", folder, "--tail", "2").out.splitlines() == out[-2:]
    assert [json.loads(line) for line in nas("events", folder, "--json").out.splitlines()] == lines(
        folder
    )


def test_events_are_followed_until_the_end(tmp_path: Path) -> None:
    search = started(
        "search",
        *SMALL,
        "--set",
        "evaluator.delay_seconds=0.1",
        "--trials",
        "12",
        "--out",
        tmp_path / "s",
    )
    while not (tmp_path / "s" / "study.json").exists():
        time.sleep(0.01)
    follower = ended(started("events", tmp_path / "s", "--follow", "--json"))
    assert ended(search).code == 0
    assert follower.code == 0
    seen = [json.loads(line) for line in follower.out.splitlines()]
    assert seen == lines(tmp_path / "s")[: len(seen)]
    assert seen[-1]["event"] in ("finished", "opened")


def test_trial(folder: Path) -> None:
    out = nas("trial", folder, "0").out
    assert "Normal cell" in out
    assert "score by step" in out
    assert "told" in out
    last = sum(event["event"] == "asked" for event in lines(folder)) - 1
    assert last > 18  # repeats are free, and have numbers
    sentence = nas("trial", folder, "99").sentence
    assert sentence == f"{folder} has no trial 99: its trials are 0 to {last}"


def test_a_failed_trial_shows_its_traceback_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sad_judge.py").write_text(
        "from nas.contracts import Evaluator\n"
        "class Sad(Evaluator):\n"
        "    def evaluate(self, genotype, *, seed, workdir, report):\n"
        "        raise ValueError('nothing works')\n"
    )
    words = (
        "--space",
        "ladder",
        "--strategy",
        "random",
        "--evaluator",
        "sad_judge:Sad",
        "--trials",
        "1",
        "--out",
        "s",
    )
    answer = nas("search", *words)
    assert answer.code == 0
    assert "finished: the one trial is done (1 failed, 1 retried)" in answer.out
    out = nas("trial", "s", "0").out
    assert out.count("Traceback (most recent call last)") == 1
    assert out.count("error: ValueError: nothing works") == 2
    assert 'sad_judge.py", line 4, in evaluate' in out
    assert not (tmp_path / "s" / "work").exists()


# ------------------------------------------------------------------ the check


def test_a_sound_log(folder: Path) -> None:
    out = nas("status", folder, "--check").out
    assert "the log is sound: " in out
    asked = sum(event["event"] == "asked" for event in lines(folder))
    assert f"{asked} proposals replayed alike" in out


def first(events: list[Event], kind: str, **facts: Any) -> int:
    return next(
        place
        for place, event in enumerate(events)
        if event["event"] == kind and all(event.get(name) == value for name, value in facts.items())
    )


def told_twice(events: list[Event]) -> str:
    events.insert(-1, events[first(events, "told", number=3)])
    return "trial 3 ended more than once"


def never_asked(events: list[Event]) -> str:
    del events[first(events, "asked", number=4)]
    return "trial 4, which was never asked"


def renumbered(events: list[Event]) -> str:
    events[first(events, "asked", number=5)]["number"] = 50
    return "number 50 follows 4: numbers must rise by one"


def another_genotype(events: list[Event]) -> str:
    events[first(events, "asked", number=6)]["genotype"] = events[first(events, "asked", number=0)][
        "genotype"
    ]
    return "replay proposes another genotype as number 6"


def another_seed(events: list[Event]) -> str:
    events[first(events, "asked", number=2)]["seed"] += 1
    return "the seed of trial 2 is not the one that follows from the seed of the study"


def another_key(events: list[Event]) -> str:
    events[first(events, "asked", number=1)]["key"] = "0" * 20
    return "the key of number 1 is not that of its genotype"


def better_score(events: list[Event]) -> str:
    """The children of evolution betray it."""
    events[first(events, "told", number=2)]["score"] = -9.0
    return "replay proposes another genotype as number |ended otherwise"


def better_copy(events: list[Event]) -> str:
    place = next(place for place, event in enumerate(events) if "reused" in event)
    events[place]["score"] += 1
    return "but that one ended otherwise"


def late_news(events: list[Event]) -> str:
    events.append({"event": "attempted", "number": 0, "attempt": 2})
    return "trial 0 was attempted after it had ended"


def headless(events: list[Event]) -> str:
    del events[0]
    return "the log begins with asked, not with started"


def half_a_line(events: list[Event]) -> str:
    del events[first(events, "asked", number=1)]["number"]
    return "is 'asked' without 'number'"


DOCTORS = (
    told_twice,
    never_asked,
    renumbered,
    another_genotype,
    another_seed,
    another_key,
    better_score,
    better_copy,
    late_news,
    headless,
    half_a_line,
)


@pytest.mark.parametrize("doctor", DOCTORS)
def test_a_doctored_log_is_found_out(copy: Path, doctor: Callable[[list[Event]], str]) -> None:
    events = lines(copy)
    expected = doctor(events)
    write_log(copy, events)
    answer = nas("status", copy, "--check", "--json")
    assert answer.code == 2
    verdict = answer.json["check"]
    assert not verdict["sound"]
    assert any(
        word in problem for problem in verdict["problems"] for word in expected.split("|")
    ), verdict["problems"]
    assert "problem: " in nas("status", copy, "--check").out


# ------------------------------------------------------------------ what there is


def test_every_kind_is_listed() -> None:
    everything = nas("list", "--json").json
    assert everything["strategies"] == registry.names("strategy")
    assert "nasnet-a" in everything["genotypes"]
    assert "sep_5x5" in everything["ops"]
    for kind, names in everything.items():
        assert nas("list", kind).out.splitlines() == (names or [""])
        assert nas("list", kind, "--json").json == {kind: names}
    assert (
        "no kind of part is called 'stuff'; there are datasets, " in nas("list", "stuff").sentence
    )
    assert "kind 's' is ambiguous: it begins strategies, spaces" in nas("list", "s").sentence
    assert {"cifar10-search", "fit"} <= set(everything["presets"]) == set(everything["recipes"])
    assert {"json", "onnx", "python", "svg"} <= set(everything["formats"])
    assert "imagenet-mobile" in everything["skeletons"]


@cache
def described() -> dict[str, list[str]]:
    found: dict[str, list[str]] = nas("describe", "--json").json
    return found


@cache
def described_lines() -> list[str]:
    return nas("describe").out.splitlines()


@pytest.mark.parametrize("kind", described_kinds())
def test_every_part_is_described(kind: str) -> None:
    there = described()[kind]
    assert f"{kind}: {', '.join(there)}" in described_lines()
    for name in there:
        facts = nas("describe", kind, name, "--json").json
        assert facts["text"], name
        if kind in registry.KINDS:
            assert all(option["text"] for option in facts["options"]), (name, facts["options"])
        assert nas("describe", kind, name).out.startswith(facts["text"][:20])


def test_a_preset_a_recipe_and_a_skeleton_are_described() -> None:
    out = nas("describe", "preset", "cifar10-search").out
    assert out.startswith("A preset of dataset cifar10 (--preset cifar10-search).")
    for line in (
        "recipe.epochs: int = 20",
        "recipe.flip: bool = True",
        "skeleton.filters: int = 32",
    ):
        assert f"\n  {line}\n" in out
    assert "recipe.rotation" not in out
    assert "\n  epochs: int = 6\n" in nas("describe", "recipe", "digits-demo").out
    assert (
        "options (--set recipe.OPTION=VALUE):\n  epochs: int = 20\n"
        in nas("describe", "recipe").out
    )
    assert "\n  filters: int = 44\n" in nas("describe", "skeleton", "imagenet-mobile").out
    assert "no preset is called 'cifar'; there are " in nas("describe", "preset", "cifar").sentence
    assert nas("describe", "strategy").out == f"strategy: {', '.join(registry.names('strategy'))}\n"
    assert (
        "10 classes, images of 8x8 pixels in 1 channel" in nas("describe", "dataset", "digits").out
    )


def test_options_of_a_part_are_described() -> None:
    out = nas("describe", "strategy", "evolution").out
    assert (
        "options (--set strategy.OPTION=VALUE):\n  population: int = 100\n      how many trials "
        "are alive"
    ) in out
    assert "no strategy is called 'evolve'" in nas("describe", "strategy", "evolve").sentence


def test_one_genotype_is_judged(tmp_path: Path) -> None:
    facts = nas("evaluate", "nasnet-a", "--evaluator", "table", "--json")
    assert facts.code == 2
    words = ("--space", "nasbench201", "--evaluator", "landscape")
    facts = nas(
        "evaluate",
        "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
        *words,
        "--json",
    ).json
    assert facts["score"] == pytest.approx(facts["metrics"]["true_score"], abs=0.2)


# ------------------------------------------------------------------ the shell


def completed(words: str, count: int, shell: str = "bash") -> list[str]:
    answer = subprocess.run(
        [sys.executable, "-c", "from nas.cli import app; app(prog_name='nas')"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "_NAS_COMPLETE": f"complete_{shell}",
             "COMP_WORDS": words, "COMP_CWORD": str(count)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return answer.stdout.split()


def test_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")  # whoever runs us
    assert {"search", "status"} <= set(completed("nas s", 1))
    assert "--trials" in completed("nas search --tr", 2)
    assert completed("nas search --strategy ev", 3) == ["evolution"]
    script = ended(started("--show-completion", "bash"))
    assert script.code == 0
    assert "_NAS_COMPLETE=complete_" in script.out


def test_what_is_offered_for_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nas.cli import _completion
    from nas.full_size.presets import PRESETS

    for folder in ("results/one", "results/two", "other/three", "empty"):
        (tmp_path / folder).mkdir(parents=True)
    for mark in ("results/one/study.json", "results/two/compare.json", "other/three/study.json"):
        (tmp_path / mark).touch()
    (tmp_path / "drawn.json").touch()
    (tmp_path / ".hidden").mkdir()
    monkeypatch.chdir(tmp_path)

    below = ["results/one", "results/two"]
    assert _completion.studies("") == [*below, "empty/", "other/", "results/"]
    assert _completion.studies("results/t") == ["results/two"]
    assert _completion.studies(f"{tmp_path}/oth") == [f"{tmp_path}/other/"]
    assert _completion.studies("no/where") == []
    assert {"nasnet-a", "drawn.json", *below} <= set(_completion.genotypes(""))
    lists = _completion.lists_of(_completion.parts("strategy"))
    assert lists("evolution,rand") == ["evolution,random-search"]
    assert "python" in _completion.formats("p")
    assert _completion.presets("digits-h") == ["digits-hard"]
    assert _completion.skeletons("nasb") == ["nasbench201"]
    assert set(_completion.transfer_presets("")) == set(PRESETS)


def test_every_verb_helps() -> None:
    help_page = nas("--help").out
    for verb in VERBS:
        word = verb.rstrip("_").replace("_", "-")
        assert word in help_page
        assert nas(word, "--help").code == 0


def test_it_says_its_version() -> None:
    answer = nas("--version")
    assert (answer.code, answer.out) == (0, f"nas {__version__}\n")
    assert nas("--help").code == 0
