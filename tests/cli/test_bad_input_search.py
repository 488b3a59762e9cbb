"""Whatever is wrong with what a user gives: one clear sentence, exit code 2, and nothing
written."""

from __future__ import annotations

import errno
import fcntl
import gzip
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from parts.command_line import SMALL, nas

HEAD = "a,b,score\n"
ROWS = "".join(f"{a},{b},{0.1 * a + b}\n" for a in range(2) for b in range(3))


def search(*words: str | Path) -> tuple[str | Path, ...]:
    return ("search", *SMALL, "--trials", "3", *words)


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """A finished study of three trials."""
    assert nas(*search("--out", tmp_path / "done")).code == 0
    return tmp_path / "done"


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--strategy", "evolutoin"),
            "no strategy is called 'evolutoin'; there are critic, .*did you mean 'evolution'",
        ),
        (("--space", "nasnot"), "no space is called 'nasnot'; there are .*did you mean 'nasnet'"),
        (
            ("--evaluator", "oracle"),
            "no evaluator is called 'oracle'; there are landscape, proxy, shared, surrogate, "
            "table, train",
        ),
        (("--runner", "ray_tun_e"), "no runner is called 'ray_tun_e'; there are local"),
        (
            ("--strategy", "nowhere.file:Strategy"),
            "strategy 'nowhere.file:Strategy' cannot be loaded: No module named",
        ),
        (("--strategy", "optuna:cmaes"), "optuna:cmaes does not work here: "),
        (
            ("--strategy", "json:JSONDecoder"),
            "'json:JSONDecoder' is no strategy: expected a class that extends Strategy",
        ),
        (("--trials", "0"), "a budget of 0 trials makes no study: expected more than 0"),
        (("--trials", "-5"), "a budget of -5 trials makes no study: expected more than 0"),
        (
            ("--budget-seconds", "-1"),
            r"a budget of -1\.0 seconds makes no study: expected more than 0",
        ),
        (("--budget-seconds", "nan"), "a budget of nan seconds makes no study"),
        (("--max-hours", "inf"), "a budget of inf hours makes no study"),
        (("--retries", "-1"), "retries is -1: expected a number from 0 to 1000"),
        (("--failure-score", "nan"), "failure-score is nan: expected a finite number"),
        (
            ("--duplicates", "keep"),
            "study.duplicates is 'keep': input should be 'reuse', 'retrain' or 'resample'",
        ),
        (("--workers", "0"), "workers is 0: expected a number from 1 to 4096"),
        (("--trial-timeout", "-3"), r"trial-timeout is -3\.0: expected seconds, more than 0"),
        (
            ("--max-params", "three"),
            "'three' is no amount: expected a number above 0, say 3.3M or 600000",
        ),
        (
            ("--max-params", "3M"),
            "evaluator 'landscape' does not know the params of a genotype before .*--max-params",
        ),
        (
            ("--start-from", "nasnet-a"),
            "--start-from: the genotype is of space .*not of 'nasbench201'",
        ),
        (
            ("--start-from", "nothing-there"),
            "no file or published genotype is called 'nothing-there'; there are amoebanet",
        ),
        (
            ("--set", "strategy"),
            "'strategy' is no setting: expected part.option=value, as in strategy.population=50",
        ),
        (
            ("--set", "strategy.population=5"),
            "no option of strategy is called 'population'; there are none",
        ),
        (
            ("--set", "evaluator.noize=5"),
            "no option of evaluator is called 'noize'; .*did you mean 'noise'",
        ),
        (
            ("--set", "evaluator.noise=much"),
            r"evaluator.noise is 'much': input should be a valid number \(its type is float",
        ),
        (
            ("--set", "evaluator.epochs=1.5"),
            r"evaluator.epochs is 1.5: .*integer.* \(its type is int\)",
        ),
        (("--set", "evaluator.noise=-1"), "noise of the landscape is -1.0; expected 0 or more"),
        (
            ("--set", "stdy.seed=3"),
            "no part of the settings is called 'stdy'; .*did you mean 'study'",
        ),
        (("--set", "evaluator.recipe.epochs=3"), "no option of evaluator is called 'recipe'"),
        (("--set", "recipe.epochs=3"), "evaluator 'landscape' has no recipe: it trains nothing"),
        (("--config", "missing.toml"), "missing.toml cannot be read: No such file or directory"),
        (
            ("--evaluator", "table", "--space", "darts"),
            (
                "no table of space 'darts' comes with the package; say which one to read with "
                "--table "
                "FILE"
            ),
        ),
        (("--evaluator", "table", "--table", "missing.csv"), "missing.csv"),
    ],
)
def test_a_wrong_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = nas(*search(*words))
    assert re.search(sentence, answer.sentence), answer.sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            b"[study]\ntrials = 'many'\n",
            "study.trials is 'many': input should be a valid integer (its type is int | None)",
        ),
        (b"[study]\ntrails = 3\n", "no option of study is called 'trails'"),
        (b"[sudy]\ntrials = 3\n", "no part of the settings is called 'sudy'"),
        (b"study = 3\n", "settings.toml: study is 3: expected a table, as in [study] trials = 50"),
        (b"[study\n", "settings.toml is not TOML: "),
        (b"\xff\xfe", "settings.toml is not UTF-8 text: expected a TOML file"),
        (
            b"#" * 1_100_000,
            "settings.toml is larger than 1,000,000 bytes: that is no configuration",
        ),
    ],
)
def test_a_wrong_file_of_settings(tmp_path: Path, text: bytes, sentence: str) -> None:
    (tmp_path / "settings.toml").write_bytes(text)
    answer = nas("search", *SMALL, "--config", tmp_path / "settings.toml", "--out", tmp_path / "s")
    assert sentence in answer.sentence
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (HEAD + ROWS + "0,0,0.7\n", "rows 1 and 7 are the same architecture; keep one of them"),
        (HEAD + ROWS.replace("0.1,", "x,").replace("1,2,2.1", "1,2,high"), "high"),
        (HEAD + ROWS.replace("1,2,2.1", "1,2,nan"), "nan|finite|lacks|missing|no number"),
        (HEAD + ROWS.replace("1,2,2.1", "1,2,inf"), "inf|finite"),
        (HEAD + "".join(ROWS.splitlines(keepends=True)[:-1]), "lacks|missing|row"),
        (HEAD, "no rows|empty|row"),
        ("", "empty|column|header"),
    ],
)
def test_a_wrong_table(tmp_path: Path, rows: str, sentence: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(rows)
    words = (
        "--space",
        "table",
        "--evaluator",
        "table",
        "--table",
        path,
        "--decisions",
        "[ab]",
        "--strategy",
        "random",
    )
    answer = nas("search", *words, "--trials", "2", "--out", tmp_path / "s")
    assert re.search(sentence, answer.sentence), answer.sentence
    assert not (tmp_path / "s").exists()


def test_a_table_that_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"\xff\xfe\x00" * 50)[:-9])
    words = (
        "--space",
        "table",
        "--evaluator",
        "table",
        "--table",
        path,
        "--decisions",
        "[ab]",
        "--out",
        tmp_path / "s",
    )
    assert "table.csv.gz" in nas("search", *words).sentence


# ------------------------------------------------------------------ folders


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("mine")
    assert (
        "is a file: a study needs a folder of its own, choose another with --out"
        in nas(*search("--out", tmp_path / "s")).sentence
    )
    assert (tmp_path / "s").read_text() == "mine"
    assert "cannot be made: Not a directory" in nas(*search("--out", tmp_path / "s" / "t")).sentence


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    assert (
        "is a folder of something else (thesis.tex is in it): choose another"
        in nas(*search("--out", tmp_path)).sentence
    )
    assert content(tmp_path) == {"thesis.tex": b"mine"}


def test_a_log_without_its_settings(tmp_path: Path, done: Path) -> None:
    (done / "study.json").unlink()
    shutil.rmtree(done / "best")
    assert (
        "has a log but no study.json: restore study.json from a copy"
        in nas(*search("--out", done)).sentence
    )


@contextmanager
def nobody() -> Iterator[None]:
    """Root may write anywhere, so for a while we are somebody else."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_read_only_folder(done: Path) -> None:
    """(The study above has imported whatever a search needs, which nobody might not be allowed to
    read.)"""
    with tempfile.TemporaryDirectory() as place:
        closed = Path(place) / "closed"
        closed.mkdir(mode=0o555)
        Path(place).chmod(0o755)
        with nobody():
            inside, below = nas(*search("--out", closed)), nas(*search("--out", closed / "s"))
        assert "events.jsonl cannot be opened for writing: Permission denied" in inside.sentence
        assert "cannot be made: Permission denied; choose another with --out" in below.sentence
        assert list(closed.iterdir()) == []


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    assert (
        "its file system has no locks, and two writers would spoil the log"
        in nas(*search("--out", tmp_path / "s")).sentence
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["resume", "status", "best", "events"])
def test_no_study(tmp_path: Path, verb: str) -> None:
    assert "there is no folder " in nas(verb, tmp_path / "nowhere").sentence
    assert "holds no study: there is no study.json in it" in nas(verb, tmp_path).sentence
    (tmp_path / "study.json").write_bytes(b"\xff")
    assert "study.json is not JSON in UTF-8: restore it from a copy" in nas(verb, tmp_path).sentence
    assert sorted(content(tmp_path)) == ["study.json"]


@pytest.mark.parametrize("found", [0, 2, "one", None, [1]])
def test_another_format(done: Path, found: Any) -> None:
    plan = json.loads((done / "study.json").read_text())
    (done / "study.json").write_text(json.dumps({**plan, "format": found}))
    before = content(done)
    for words in (("resume", done), ("status", done), search("--out", done)):
        assert (
            f"study.json has format {found!r}, but this version reads format 1"
            in nas(*words).sentence
        )
    assert content(done) == before


@pytest.mark.parametrize("key", ["space", "strategy", "rules", "seed", "measured"])
def test_settings_that_lack_something(done: Path, key: str) -> None:
    plan = json.loads((done / "study.json").read_text())
    del plan[key]
    (done / "study.json").write_text(json.dumps(plan))
    assert (
        f"study.json lacks or misspells '{key}': it is no study of ours"
        in nas("resume", done).sentence
    )


@pytest.mark.parametrize("verb", ["resume", "status", "best", "events"])
def test_a_damaged_line(done: Path, verb: str) -> None:
    log = (done / "events.jsonl").read_bytes().splitlines(keepends=True)
    log[3] = b"\xff" + log[3]
    (done / "events.jsonl").write_bytes(b"".join(log))
    answer = nas(verb, done)
    assert answer.code == 2
    assert "events.jsonl, line 4 is damaged, and lines follow it" in answer.err


def test_other_settings_in_the_same_folder(done: Path) -> None:
    before = content(done)
    words = [
        str(word) for word in search("--out", done, "--seed", "3", "--set", "evaluator.noise=0.5")
    ]
    sentence = nas(*words).sentence
    assert (
        "holds a study with other settings (evaluator.options.noise: 0.02 there, 0.5 asked for; "
        "seed: 0 there, 3"
    ) in sentence
    assert (
        f"resume it as it is with `nas resume {done}`, or choose another folder with --out"
        in sentence
    )
    assert content(done) == before


def test_nan_and_infinite_scores_are_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd_judge.py").write_text(
        "from nas.contracts import Evaluation, Evaluator\n"
        "class Odd(Evaluator):\n"
        "    def __init__(self, space, *, score: float = 1.0, seconds: float = 0.0):\n"
        "        super().__init__(space); self.scored, self.seconds = score, seconds\n"
        "    def evaluate(self, genotype, *, seed, workdir, report):\n"
        "        return Evaluation(float(self.scored), {'loss': float('nan')}, self.seconds)\n"
    )
    words = (
        "search",
        "--space",
        "ladder",
        "--strategy",
        "random",
        "--evaluator",
        "odd_judge:Odd",
        "--trials",
        "2",
    )
    for score, kind in (("nan", "diverged"), ("inf", "diverged"), ("-inf", "diverged")):
        answer = nas(*words, "--set", f"evaluator.score={score}", "--out", tmp_path / score)
        assert answer.code == 0
        assert "2 failed" in answer.out
        assert json.loads(nas("status", tmp_path / score, "--json").out)["failures"] == {kind: 2}
    answer = nas(*words, "--set", "evaluator.seconds=-1", "--out", tmp_path / "past")
    assert "2 failed" in answer.out
    assert "the evaluator says it took -1.0 seconds" in nas("events", tmp_path / "past").out
