"""Whatever works for long may be stopped or killed: the command that is printed goes on, and what
was done stays done."""

import shlex
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from parts.command_line import ended, nas, started
from parts.printed_lines import follow, the_command
from parts.studies import kinds, lines, story
from search_spaces.cells.nasbench201_text import from_nasbench201_text

CTRL_C, TERM, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL
CELL = "|nor_conv_1x1~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"
SLOWLY = ("--evaluator", "landscape", "--set", "evaluator.delay_seconds=0.05")
SEARCH = ("search", "--space", "ladder", "--strategy", "evolution", *SLOWLY)
SEARCH += ("--trials", "20", "--out")
OUT = "my results"  # everything is kept in here


@dataclass(frozen=True)
class Work:
    """Words that work for long, when to end them, and what must be there at the end."""

    words: tuple[str, ...]
    is_busy: Callable[[Path], bool]  # of the folder they work in
    check: Callable[[Path], None]
    goes_on: str = ""  # how the command begins that goes on; else as the words do


def told(folder: Path, count: int) -> bool:
    """Whether some study in here has so many results."""
    try:
        logs = list(folder.rglob("events.jsonl"))
    except FileNotFoundError:  # a trial has just left its folder
        return False
    return any(kinds(log.parent).count("told") >= count for log in logs)


def search_is_whole(home: Path) -> None:
    assert nas(*SEARCH, home / "never killed").code == 0
    assert story(lines(home / OUT)) == story(lines(home / "never killed"))
    assert "finished" in kinds(home / OUT)


def comparison_is_whole(home: Path) -> None:
    logs = list((home / OUT).rglob("events.jsonl"))
    assert len(logs) == 10
    for log in logs:
        told = [event for event in lines(log.parent) if event["event"] == "told"]
        assert sum("reused" not in event for event in told) == 8
    assert (home / OUT / "report.html").is_file()


def table_is_whole(home: Path) -> None:
    assert len((home / OUT / "table.csv").read_text().splitlines()) == 1 + 27


def training_is_whole(home: Path) -> None:
    assert (home / OUT / "result.json").is_file()
    assert len(list((home / OUT).rglob("weights.safetensors"))) == 2


def export_is_whole(home: Path) -> None:
    assert {"README.md", "model.py"} <= {file.name for file in (home / OUT).iterdir()}


TRAINED = (
    *("cell.json", "--dataset", "digits", "--device", "cpu", "--threads", "1", "--to", "none"),
    *("--set", "recipe.epochs=5", "--set", "skeleton.filters=4", "--seeds", "2", "--out", OUT),
)


def one_of_two(folder: Path) -> bool:
    return bool(list(folder.rglob("weights.safetensors")))


WORK = {
    "search": Work(
        (*SEARCH, OUT),
        lambda folder: told(folder, 3),
        search_is_whole,
        "nas resume",
    ),
    "compare": Work(
        ("compare", "--space", "ladder", "--strategies", "evolution", "--seeds", "5", *SLOWLY,
         "--trials", "8", "--processes", "1", "--out", OUT),
        lambda folder: told(folder, 8),
        comparison_is_whole,
    ),
    "tabulate": Work(
        ("tabulate", "--space", "ladder", "--seeds", "2", *SLOWLY, "--out", f"{OUT}/table.csv"),
        lambda folder: told(folder, 3),
        table_is_whole,
    ),
    "retrain": Work(("retrain", *TRAINED), one_of_two, training_is_whole),
    "transfer": Work(("transfer", *TRAINED), one_of_two, training_is_whole),
    "export": Work(
        ("export", "cell.json", "--to", "python,svg", "--out", OUT),
        lambda folder: bool(list(folder.parent.glob(f".{folder.name}-*/*"))),
        export_is_whole,
    ),
}  # fmt: skip


def slow(*values: object) -> object:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("verb", "number"),
    [
        ("search", TERM),
        ("search", KILL),
        ("compare", TERM),
        ("tabulate", CTRL_C),
        ("retrain", TERM),
        slow("search", CTRL_C),
        slow("compare", CTRL_C),
        slow("compare", KILL),
        slow("tabulate", TERM),
        slow("tabulate", KILL),
        slow("retrain", CTRL_C),
        slow("retrain", KILL),
        *(slow(verb, number) for verb in ("transfer", "export") for number in (CTRL_C, TERM, KILL)),
    ],
)
def test_what_is_ended_goes_on(verb: str, number: int, tmp_path: Path) -> None:
    work, folder = WORK[verb], tmp_path / OUT
    (tmp_path / "cell.json").write_text(from_nasbench201_text(CELL).to_json())
    process = started(*work.words, cwd=tmp_path)
    while not work.is_busy(folder):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(number)
    answer = ended(process)
    done = {file: file.stat().st_mtime_ns for file in folder.rglob("weights.safetensors")}

    again = shlex.join(["nas", *work.words])
    if number == KILL:
        assert answer.code == -KILL
    else:
        assert answer.code == 3, answer.err
        assert "Traceback" not in answer.err
        printed = the_command(answer.out + answer.err, work.goes_on or f"nas {verb}")
        assert work.goes_on or printed == again
        again = printed
    finished = follow(again, at=tmp_path, apart=True)
    assert finished.code == 0, finished.err
    work.check(tmp_path)
    assert all(file.stat().st_mtime_ns == when for file, when in done.items())
