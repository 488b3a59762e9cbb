"""A study from a stranger runs no code: what its files name is imported only if a user says so."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas.cli import VERBS
from parts.command_line import SMALL, nas
from parts.studies import without_proofs

EVIL = (
    "from pathlib import Path\n"
    "Path({marker!r}).write_text('ran')\n"
    "from nas.strategies.random_search import RandomSearch\n"
    "from nas.evaluators.landscape import Landscape\n"
    "from search_spaces.nasbench201 import Nasbench201Space\n"
    "from runners.local import Local\n"
    "class Space(Nasbench201Space): pass\n"
    "class Strategy(RandomSearch): pass\n"
    "class Evaluator(Landscape): pass\n"
    "class Runner(Local): pass\n"
    "def Dataset(): raise AssertionError\n"
)
KINDS = ("space", "strategy", "evaluator", "runner", "dataset")

# Every verb that takes the folder of a study, with the words that make it go furthest.
WORDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "best": (("best", "DIR", "--top", "2"),),
    "convert": (("convert", "DIR/best/genotype.json", "--to", "json"),),
    "dashboard": (),  # serves until it is stopped: its mirror is tested below
    "evaluate": (("evaluate", "DIR/best/genotype.json", "--evaluator", "landscape"),),
    "events": (("events", "DIR"),),
    "export": (("export", "DIR", "--to", "json", "--out", "OUT"),),
    "inspect": (("inspect", "DIR"),),
    "predict": (("predict", "DIR", "picture.png"),),
    "profile": (),  # measures for half a minute; it chooses its genotype as `export` does
    "report": (("report", "DIR", "--out", "OUT"),),
    "resume": (
        ("resume", "DIR", "--trials", "+1"),
        ("resume", "DIR", "--workers", "2"),
        ("resume", "DIR", "--set", "runner.workers=2", "--to", "json"),
    ),
    "retrain": (("retrain", "DIR", "--dataset", "cifar11"),),
    "show": (("show", "DIR/best/genotype.json"), ("show", "DIR")),
    "status": (("status", "DIR"), ("status", "DIR", "--check")),
    "track": (("track", "DIR", "--to", "tensorboard:OUT"),),
    "transfer": (("transfer", "DIR", "--dataset", "cifar11"),),
    "trial": (("trial", "DIR", "0"),),
}
WITHOUT_A_FOLDER = {
    "audit",
    "compare",
    "describe",
    "doctor",
    "list",
    "plan",
    "sample",
    "search",
    "selftest",
    "supernet",
    "tabulate",
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study without hostile names."""
    folder = tmp_path_factory.mktemp("sound") / "study"
    assert nas("search", *SMALL, "--trials", "6", "--out", folder).code == 0
    return folder


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Path]:
    """What a hostile module leaves behind once it is imported."""
    path = list(sys.path)
    forget()
    yield tmp_path / "marker"
    forget()
    sys.path[:] = path
    for name in [name for name in sys.modules if name.split(".")[0] in ("evilmod", "study")]:
        del sys.modules[name]


def hostile(sound: Path, marker: Path, kind: str, module: str) -> Path:
    """The study, naming a module that lies in its own folder."""
    folder = marker.parent / "study"
    shutil.copytree(sound, folder)
    (folder / "evilmod.py").write_text(EVIL.format(marker=str(marker)))
    content = json.loads((folder / "study.json").read_text())
    name = f"{module}:{kind.capitalize()}"
    if kind == "dataset":
        content["evaluator"] = {"name": "train", "options": {"dataset": name}}
    else:
        content[kind]["name"] = name
    (folder / "study.json").write_text(json.dumps(content))
    without_proofs(folder / "events.jsonl")
    if kind == "space":
        genotype = json.loads((folder / "best" / "genotype.json").read_text())
        genotype["space"] = name
        (folder / "best" / "genotype.json").write_text(json.dumps(genotype))
    return folder


def test_every_verb_is_tried_or_takes_no_folder() -> None:
    assert {verb.rstrip("_") for verb in VERBS} == set(WORDS) | WITHOUT_A_FOLDER


@pytest.mark.parametrize(
    ("kind", "inside"),
    [*((kind, True) for kind in KINDS), ("space", False), ("evaluator", False)],
    ids=lambda value: {True: "inside", False: "parent"}.get(value, value),
)
@pytest.mark.parametrize("verb", [verb for verb in WORDS if WORDS[verb]])
def test_no_verb_imports_what_a_study_names(
    sound: Path,
    marker: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    kind: str,
    inside: bool,
) -> None:
    module = "evilmod" if inside else "study.evilmod"
    folder = hostile(sound, marker, kind, module)
    monkeypatch.chdir(folder if inside else folder.parent)
    here = "." if inside else "study"

    for words in WORDS[verb]:
        said = [
            word.replace("DIR", here).replace("OUT", str(marker.parent / "out")) for word in words
        ]
        answer = nas(*said)
        assert answer.code in (0, 2), (said, answer.err)
        assert not marker.exists(), said
        assert "Traceback" not in answer.err + answer.out


@pytest.mark.parametrize("kind", ["space"])
def test_the_dashboard_imports_nothing_either(
    sound: Path, marker: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(hostile(sound, marker, kind, "evilmod"))
    sentence = nas("dashboard", ".", "--port", "0").sentence
    assert "lies outside this package" in sentence
    assert not marker.exists()


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_what_is_trusted_is_run(
    sound: Path, marker: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The same study and the same module: so the tests above would notice an import."""
    monkeypatch.chdir(hostile(sound, marker, kind, "evilmod"))

    sentence = nas("resume", ".", "--trials", "+1").sentence
    assert f"{kind} 'evilmod:{kind.capitalize()}' is named by a file" in sentence
    assert "--trust" in sentence
    assert not marker.exists()

    nas("resume", ".", "--trials", "+1", "--trust")
    assert marker.exists()


def test_a_search_with_ones_own_part_goes_on_by_the_same_words_and_by_resume(
    marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(marker.parent)
    Path("evilmod.py").write_text(EVIL.format(marker=str(marker)))
    words = ("search", *SMALL, "--strategy", "evilmod:Strategy", "--out", "mine")

    begun = nas(*words, "--trials", "3")
    assert begun.code == 0, begun.err
    assert "  nas resume mine --trust --trials +3" in begun.out.splitlines()
    assert nas(*words).code == 0

    forget()
    assert "--trust" in nas("resume", "mine", "--trials", "+3").sentence
    again = nas("resume", "mine", "--trust", "--trials", "+3", "--workers", "2")
    assert again.code == 0, again.err
    assert nas("status", "mine", "--check", "--trust").code == 0


@pytest.mark.parametrize("name", [":x", "x:", "..x:Y", "a b:Y", "x:y:z"])
def test_a_name_that_is_none_gets_a_sentence(tmp_path: Path, name: str) -> None:
    words = ("search", "--evaluator", name, "--trials", "2", "--out", tmp_path / "study")
    assert "names no evaluator" in nas(*words).sentence


def forget() -> None:
    """What a new process would not know: names typed in earlier commands."""
    from nas import registry

    registry._allowed.clear()
