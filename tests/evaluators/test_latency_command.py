"""Latency from a command of the user's: how it is started, what its answers may be, that each
network is asked for once, and that no file makes it run."""

from __future__ import annotations

import json
import math
import os
import pickle
import shlex
import shutil
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from nas.errors import LatencyError, SettingsError
from nas.evaluators._latency_sources import Commanded
from nas.registry import _allowed_commands, allow_command, load
from nas.training.latency_command import LatencyCommand
from parts.command_line import ended, nas, started
from parts.studies import lines
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton

TINY = ("--space", "ladder", "--dataset", "digits", "--set", "skeleton.filters=4")
TINY += ("--set", "recipe.epochs=1", "--set", "recipe.train_images=64", "--to", "none")
TINY += ("--set", "evaluator.precision=fp32", "--set", "evaluator.layout=contiguous")
TINY += ("--strategy", "random-search")


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache and a folder of its own, and no command typed yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _allowed_commands.clear()


@pytest.fixture
def quick_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of 20 to 35 bytes in place of networks: translating one takes many seconds."""

    def some_bytes(genotype: Genotype, skeleton: Skeleton, folder: Path) -> Path:
        file = folder / "model.onnx"
        file.write_text("x" * (20 + int(genotype.key[0], 16)))
        return file

    monkeypatch.setattr("nas.exporting.verified_onnx.verified_onnx", some_bytes)


def command(text: str, seconds: float | None = None) -> LatencyCommand:
    allow_command({"latency_command": text})
    return LatencyCommand.of(text, seconds)


def shell(text: str) -> str:
    """A command of which a shell reads the text, as users may ask for."""
    return f"sh -c {shlex.quote(text)} sh {{onnx}}"


def genotypes(count: int) -> list[Genotype]:
    space = load("space", "ladder")()
    return [space.decode((index, 0, 0)) for index in range(count)]


# ------------------------------------------------------------------ the command itself


@pytest.mark.parametrize(
    "text", ["cat {onnx}", "cat", "sh -c 'cat \"$1\"' sh {onnx}", "cat --file={onnx}"]
)
def test_the_file_comes_as_a_word_or_on_the_input(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a name; touch owned $(touch owned)"
    file.write_text("says\n12.5\n")
    if "--file" in text:
        with pytest.raises(LatencyError, match=r"ended with code 1: .*--help"):
            command(text).milliseconds(file)
    else:
        assert command(text).milliseconds(file) == 12.5
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("said", ["3", "3.0 ms", "warm: 9\n3.0ms\n\n"])
def test_the_last_line_is_the_number(tmp_path: Path, said: str) -> None:
    (tmp_path / "m").write_text(said)
    assert command("cat").milliseconds(tmp_path / "m") == 3.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (shell("echo no such network >&2; exit 7"), "ended with code 7: 'no such network'"),
        (shell("exit 7"), "ended with code 7 and said nothing"),
        (shell("kill -9 $$"), "was ended by signal 9"),
        (shell("echo quick"), "printed 'quick' last: expected milliseconds above 0"),
        (shell("true"), "printed '' last"),
        (shell("echo nan"), "printed 'nan' last"),
        (shell("echo inf"), "printed 'inf' last"),
        (shell("echo -1"), "printed '-1' last"),
        ("no-such-program {onnx}", "cannot be started: No such file or directory"),
    ],
)
def test_what_is_no_latency_is_told_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(LatencyError) as found:
        command(text).milliseconds(tmp_path / "m")
    assert sentence in str(found.value)
    assert "\n" not in str(found.value)
    assert found.value.failure_kind == "error"
    assert pickle.loads(pickle.dumps(found.value)).failure_kind == "error"


def test_one_that_takes_too_long_is_killed_with_what_it_started(tmp_path: Path) -> None:
    text = shell(f"sleep 60 & echo $! > {tmp_path / 'pid'}; wait")
    with pytest.raises(LatencyError, match=r"took longer than 0\.5 s") as found:
        command(text, 0.5).milliseconds(tmp_path / "m")
    assert found.value.failure_kind == "timeout"
    assert not _lives(int((tmp_path / "pid").read_text()))


def _lives(process: int) -> bool:
    """Whether it runs; one that was killed may wait for its parent to hear of it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        if state == "Z":
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"latency_command": "bench '{onnx}"}, "no closing quotation; quote it as in a shell"),
        ({"latency_command": " "}, "latency_command is empty"),
        ({"latency_command": "x", "latency_timeout": 0.0}, "expected seconds above 0"),
        ({"latency_command": "x", "latency_timeout": math.nan}, "expected seconds above 0"),
        ({"latency_timeout": 5.0}, "give both, or neither"),
        ({"latency_command": "x", "latency_batch": 1}, "another was named: take one"),
    ],
)
def test_wrong_options_get_a_sentence(options: dict[str, object], sentence: str) -> None:
    allow_command(options)
    with pytest.raises(SettingsError, match=sentence):
        load("evaluator", "train")(load("space", "ladder")(), **options)


# ------------------------------------------------------------------ what is remembered


def counting(tmp_path: Path) -> str:
    """A command that writes down each time it is asked, and when it begins and ends."""
    script = tmp_path / "bench.py"
    script.write_text(
        "import sys, time\n"
        "began = time.time()\n"
        "time.sleep(0.05)\n"
        f"open({str(tmp_path / 'asked')!r}, 'a').write(f'{{began}} {{time.time()}}\\n')\n"
        "print(len(open(sys.argv[1], 'rb').read()))\n"
    )
    return f"{sys.executable} {script} {{onnx}}"


def asked(tmp_path: Path) -> list[str]:
    file = tmp_path / "asked"
    return file.read_text().splitlines() if file.exists() else []


@pytest.mark.usefixtures("quick_files")
def test_each_network_is_asked_for_once(tmp_path: Path) -> None:
    """Another skeleton, another command or another folder is another network's."""
    one, skeleton = genotypes(1)[0], Skeleton()
    text = counting(tmp_path)
    first = Commanded(command(text)).milliseconds(one, skeleton)
    assert Commanded(command(text)).milliseconds(one, skeleton) == first
    assert len(asked(tmp_path)) == 1

    Commanded(command(text)).milliseconds(one, Skeleton(filters=16))
    Commanded(command(f"{text} again")).milliseconds(one, skeleton)
    (tmp_path / "elsewhere").mkdir()
    os.chdir(tmp_path / "elsewhere")
    Commanded(command(text)).milliseconds(one, skeleton)
    assert len(asked(tmp_path)) == 4


@pytest.mark.usefixtures("quick_files")
def test_two_never_measure_at_once(tmp_path: Path) -> None:
    text, found = counting(tmp_path), []

    def ask() -> None:
        source = Commanded(command(text))
        found.extend(source.milliseconds(one, Skeleton()) for one in genotypes(3))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spans = sorted(tuple(map(float, line.split())) for line in asked(tmp_path))
    assert len(found) == 12
    assert len(spans) == 3
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


@pytest.mark.usefixtures("quick_files")
def test_a_torn_line_is_measured_again_and_a_strange_one_is_named(tmp_path: Path) -> None:
    one, text = genotypes(1)[0], counting(tmp_path)
    source = Commanded(command(text))
    first = source.milliseconds(one, Skeleton())
    source.file.write_bytes(source.file.read_bytes()[:-9])
    assert Commanded(command(text)).milliseconds(one, Skeleton()) == first
    assert len(asked(tmp_path)) == 2

    source.file.write_text('{"network": "x", "ms": "much"}\n')
    with pytest.raises(SettingsError, match="remove the file"):
        Commanded(command(text)).milliseconds(one, Skeleton())


# ------------------------------------------------------------------ a search with it


@pytest.mark.usefixtures("quick_files")
def test_a_search_raises_accuracy_against_what_the_command_says(tmp_path: Path) -> None:
    """Its objective, its score and its limit; and another study asks for nothing again."""
    words = (*TINY, "--latency-command", counting(tmp_path), "--trials", "3")
    several = ("--objectives", "val_accuracy, -latency_ms", "--scales", "0:1, -50:0")
    assert nas("search", *words, *several, "--out", "a").code == 0
    told = [event for event in lines(tmp_path / "a") if event["event"] == "told"]
    assert all(event["objectives"][1] == -event["metrics"]["latency_ms"] <= -20 for event in told)
    before = len(asked(tmp_path))
    assert before > 0

    formula = ("--score", "val_accuracy - latency_ms")
    assert nas("search", *words, *formula, "--out", "b").code == 0
    assert all(event["score"] < -18 for event in lines(tmp_path / "b") if event["event"] == "told")
    assert len(asked(tmp_path)) == before

    answer = nas("search", *words, "--max-latency-ms", "27", "--out", "c")
    assert answer.code == 0, answer.err
    story = lines(tmp_path / "c")
    skipped = {event["reason"] for event in story if event["event"] == "skipped"}
    assert skipped <= {f"latency_ms {slow} > 27" for slow in range(28, 36)}
    assert skipped
    told = [event["metrics"]["latency_ms"] for event in story if event["event"] == "told"]
    assert max(told) <= 27


@pytest.mark.usefixtures("quick_files")
@pytest.mark.parametrize("limit", [(), ("--max-latency-ms", "30")])
def test_a_network_that_the_command_refuses_is_a_failed_trial(
    tmp_path: Path, limit: tuple[str, ...]
) -> None:
    """The others go on; the log says what the command said, and nothing was trained for it."""
    text = shell("test ! -f bad || { echo too deep >&2; exit 3; }; touch bad; echo 5")
    words = (*TINY, "--latency-command", text, "--score", "val_accuracy - latency_ms", *limit)
    answer = nas("search", *words, "--trials", "2", "--set", "study.retries=0", "--out", "a")
    assert answer.code == 0, answer.err
    failed = [event for event in lines(tmp_path / "a") if event["event"] == "failed"]
    assert failed
    assert {event["kind"] for event in failed} == {"error"}
    assert all("ended with code 3: 'too deep'" in event["message"] for event in failed)
    assert "Traceback" not in failed[0]["message"]


@pytest.mark.usefixtures("quick_files")
def test_a_command_that_a_file_names_is_not_run(tmp_path: Path) -> None:
    """Only the same words again, or --trust, make it run."""
    text = counting(tmp_path)
    words = (*TINY, "--latency-command", text, "--score", "latency_ms", "--out", "a")
    begun = nas("search", *words, "--trials", "1")
    assert begun.code == 0, begun.err
    assert "  nas resume a --trust --trials +1" in begun.out.splitlines()
    assert nas("search", *words).code == 0
    ours = asked(tmp_path)

    for verb in (("resume", "a", "--trials", "+2"), ("status", "a", "--check"), ("best", "a")):
        _allowed_commands.clear()
        shutil.rmtree(tmp_path / "cache" / "nas" / "latencies", ignore_errors=True)
        answer = nas(*verb)
        assert asked(tmp_path) == ours
        assert not (tmp_path / "cache" / "nas" / "latencies").exists()
        if verb[0] == "resume":
            assert "is named by a file, so it is not run" in answer.sentence
            assert "--trust" in answer.sentence
        else:
            assert answer.code == 0, answer.err

    study = json.loads((tmp_path / "a" / "study.json").read_text())
    study["evaluator"]["options"]["latency_command"] = "touch owned"
    (tmp_path / "a" / "study.json").write_text(json.dumps(study))
    other = nas("search", *words)
    assert other.code == 2
    assert not (tmp_path / "owned").exists()

    study["evaluator"]["options"]["latency_command"] = text
    (tmp_path / "a" / "study.json").write_text(json.dumps(study))
    assert nas("resume", "a", "--trials", "+1", "--trust").code == 0
    assert len(asked(tmp_path)) > len(ours)


@pytest.mark.slow
def test_workers_measure_real_files_and_a_killed_search_does_not_ask_again(
    tmp_path: Path,
) -> None:
    """Two processes, ONNX files that ONNX Runtime reads, and a kill -9 between."""
    script = tmp_path / "runs.py"
    script.write_text(
        "import sys, numpy, onnxruntime\n"
        "session = onnxruntime.InferenceSession(sys.argv[1])\n"
        "shape = session.get_inputs()[0].shape[1:]\n"
        "(logits,) = session.run(None, {'images': numpy.zeros((3, *shape), 'float32')})\n"
        f"open({str(tmp_path / 'asked')!r}, 'a').write('asked\\n')\n"
        "print(logits.shape[0])\n"
    )
    words = (*TINY, "--latency-command", f"{sys.executable} {script} {{onnx}}", "--workers", "2")
    words += ("--score", "val_accuracy - latency_ms", "--trials", "3", "--out", str(tmp_path / "a"))
    process = started("search", *words, start_new_session=True)
    while not asked(tmp_path):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    os.killpg(process.pid, 9)
    ended(process)

    answer = nas("search", *words)
    assert answer.code == 0, answer.err
    told = [event for event in lines(tmp_path / "a") if event["event"] == "told"]
    assert {event["metrics"]["latency_ms"] for event in told} == {3.0}
    source = Commanded(command(words[words.index("--latency-command") + 1]))
    known = [json.loads(line)["network"] for line in source.file.read_text().splitlines()[1:]]
    assert len(known) == len(set(known))
    assert len(known) <= len(asked(tmp_path)) <= len(known) + 1  # one may have died unheard
