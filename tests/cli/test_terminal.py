"""Names of folders, classes and files never steer a terminal, and copied lines still run."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from nas.cli._verb import harmless
from nas.errors import shell_word
from nas.exporting.source.python_file import names_in_file
from nas.exporting.weights import write_weights
from parts.command_line import ROOT, SMALL, nas
from parts.exported_networks import genotype, subject
from parts.studies import lines, write_log

WINDOW_TITLE = "\x1b]0;owned\x07"
RED = "\x1b[31m"


WORDS = ("plain", "two words", "it's", f"a{RED}b 'c\\\n\t\u202e", "caf\xe9 \xa0", "\udcff\udc80")


@pytest.mark.parametrize("word", WORDS)
def test_a_word_of_a_command_means_itself_to_a_shell(word: str) -> None:
    spelled = shell_word(word)
    assert spelled.isprintable()
    code = "import os, sys; sys.stdout.buffer.write(os.fsencode(sys.argv[1]))"
    command = f"{shell_word(sys.executable)} -c {shell_word(code)} {spelled}"
    answer = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert answer.stdout == word.encode("utf-8", "surrogateescape")


def test_what_steers_is_spelled_out_and_what_is_text_is_not() -> None:
    assert harmless(f"{RED}a\tb\nc\r") == "\\x1b[31ma\tb\nc\\x0d"
    assert harmless("\x9b2J \u202e \udcff \x7f") == "\\u009b2J \\u202e \\udcff \\u007f"
    for text in ("größer │ ±1 🙂", "日本語"):
        assert harmless(text) == text


def test_a_study_in_a_hostile_folder_prints_lines_that_run(tmp_path: Path) -> None:
    folder = tmp_path / f"it's {RED}{WINDOW_TITLE}"
    found = nas("search", *SMALL, "--trials", "2", "--out", folder)
    assert found.code == 0
    for answer in (found, nas("status", folder), nas("best", folder), nas("trial", folder, 0)):
        assert answer.code == 0, answer.err
        assert not set("\x1b\x07") & set(answer.out + answer.err)

    printed = [line.strip() for line in found.out.partition("next:\n")[2].splitlines()]
    again = next(line for line in printed if line.startswith("nas best "))
    command = again.replace("nas", f"{shell_word(sys.executable)} -m nas", 1)
    answer = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "1. trial" in answer.stdout


def test_errors_and_names_of_a_log_steer_nothing(tmp_path: Path) -> None:
    assert nas("search", *SMALL, "--trials", "2", "--out", tmp_path / "s").code == 0
    (tmp_path / f"no{RED}where").touch()
    missing = nas("search", *SMALL, "--trials", "2", "--out", tmp_path / f"no{RED}where")
    assert "\\x1b[31m" in missing.sentence
    assert "\x1b" not in missing.sentence

    events = lines(tmp_path / "s")
    told = next(event for event in events if event["event"] == "told")
    end = {"event": "failed", "number": told["number"], "kind": RED, "seconds": 1.0, "time": 0.0}
    events[events.index(told)] = {**end, "message": f"{WINDOW_TITLE}\n{RED}"}
    write_log(tmp_path / "s", events)
    for words in (("events", tmp_path / "s"), ("trial", tmp_path / "s", 0), ("status", "s")):
        answer = nas(*words)
        assert not set("\x1b\x07") & set(answer.out + answer.err)


def test_names_of_classes_steer_nothing(tmp_path: Path) -> None:
    small = subject(genotype(), filters=4, image_size=8, classes=2)
    small = replace(small, classes=(f"a{RED}", WINDOW_TITLE), trained={"dataset": "mine"})
    write_weights(tmp_path / "w.safetensors", small, names_in_file(small))
    Image.new("RGB", (9, 9)).save(tmp_path / "p.png")
    answer = nas("predict", tmp_path / "w.safetensors", tmp_path / "p.png")
    assert answer.code == 0, answer.err
    assert "a\\x1b[31m " in answer.out
    assert not set("\x1b\x07") & set(answer.out + answer.err)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("search --trials abc", "--trials is 'abc': expected a whole number"),
        ("search --budget-seconds long", "--budget-seconds is 'long': expected a number"),
        ("sample nasnet -n x", "--number is 'x': expected a whole number"),
        ("export a --top 0", "--top is '0': expected 1 or more"),
        ("best", "nas best needs DIR: `nas best -h` says more"),
        ("serach", "no such command 'serach'. Did you mean 'search'?"),
        ("report x --band wide", "--band is 'wide': 'wide' is not one of 'quartiles', 'interval'"),
    ],
)
def test_wrong_words_get_one_sentence(words: str, sentence: str) -> None:
    assert nas(*words.split()).sentence == sentence


VERBS = ("search", "sample nasnet", "evaluate nasnet-a", "retrain nasnet-a", "transfer nasnet-a")


@pytest.mark.parametrize("verb", VERBS)
def test_a_negative_seed_is_refused_everywhere_alike(verb: str) -> None:
    assert nas(*verb.split(), "--seed", "-1").sentence == "--seed is '-1': expected 0 or more"


def test_a_negative_seed_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[study]\nseed = -1\n")
    assert nas("search", "--config", tmp_path / "c.toml").sentence == (
        "study.seed is -1: expected 0 or more"
    )


def test_a_file_that_is_no_genotype_is_hardly_quoted(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{RED}-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n")
    sentence = nas("show", tmp_path / "key").sentence
    assert "a text that begins '\\x1b[31m-----BE' is no genotype" in sentence
    assert "MII" not in sentence


def test_lost_weights_are_named_with_what_to_do(tmp_path: Path) -> None:
    small = subject(genotype(), filters=4, image_size=8)
    (tmp_path / "genotype.json").write_text(small.genotype.to_json())
    assert nas("predict", tmp_path, "p.png").sentence == (
        f"{tmp_path / 'weights.safetensors'} is missing, so nothing can be predicted; export it "
        "again, or give trained weights with --weights FILE"
    )
    assert nas("predict", "nasnet-a", "p.png").sentence == (
        "'nasnet-a' has no weights; give trained ones with --weights FILE"
    )
    assert nas("search", *SMALL, "--trials", "1", "--out", tmp_path / "s").code == 0
    kept = tmp_path / "s" / "checkpoints" / "0" / "weights.safetensors"
    assert nas("predict", tmp_path / "s", "p.png").sentence == (
        f"{kept} is missing, so nothing can be predicted; train it with `nas retrain "
        f"{tmp_path / 's'}`"
    )
