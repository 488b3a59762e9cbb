"""Which keys `--json` prints and `report.json` holds: verbs are run in an empty folder, and what
they print is looked at. `python docs/hooks/json_keys.py` writes docs/json-keys.json anew."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "json-keys.json"
FORMAT = 1

_LANDSCAPE = ("--space", "nasbench201", "--evaluator", "landscape", "--trials")
_CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
QUICK: tuple[tuple[str, ...], ...] = (
    ("search", *_LANDSCAPE, "40", "--strategy", "policy-gradient", "--out", "s"),
    (
        *("search", *_LANDSCAPE, "12", "--strategy", "random-search", "--out", "k"),
        *("--confirm", "2", "--confirm-evaluator", "landscape"),
    ),
    ("plan", *_LANDSCAPE, "40", "--strategy", "random-search"),
    ("resume", "s", "--trials", "+10"),
    ("status", "s"),
    ("status", "s", "--check"),
    ("best", "s"),
    ("status", "k"),
    ("best", "k"),
    ("trial", "s", "3"),
    ("inspect", "s"),
    ("track", "s", "--to", "tensorboard"),
    ("evaluate", _CELL, "--evaluator", "landscape"),
    ("list",),
    ("describe", "strategy", "evolution"),
    ("sample", "nasnet"),
    ("show", "nasnet-a"),
    ("convert", "nasnet-a", "--to", "darts"),
    (
        "compare",
        "--strategies",
        "evolution,optuna:tpe",
        "--seeds",
        "2",
        *_LANDSCAPE,
        "12",
        "--processes",
        "1",
        "--out",
        "c",
    ),
    ("report", "c"),
    ("status", "c"),
    ("status", "c", "--check"),
    ("best", "c"),
    (
        *("audit", "--space", "nasbench201", "--cheap", "landscape", "--true", "landscape"),
        *("--n", "12", "--out", "a"),
    ),
    (
        *("search", "--space", "nasbench201", "--table", "nasbench201-digits", "--trials", "12"),
        *("--objectives", "score, -macs", "--strategy", "random-search", "--out", "o"),
    ),
    ("status", "o"),
    ("best", "o"),
    ("tabulate", "--space", "ladder", "--evaluator", "landscape", "--seeds", "1", "--out", "t.csv"),
)
_TINY = ("--dataset", "digits", "--set", "recipe.epochs=1", "--set", "recipe.train_images=100")
SLOW: tuple[tuple[str, ...], ...] = (
    ("plan", "--space", "ladder", "--trials", "2", *_TINY),
    ("search", "--space", "ladder", "--trials", "2", "--set", "recipe.epochs=1", "--out", "t"),
    ("export", "t", "--to", "python,json"),
    ("export", "o", "--front", "--to", "json"),
    ("retrain", "o", "--front", "--seeds", "1", *_TINY, "--to", "json", "--out", "f"),
    ("predict", "t", "picture.png"),
    ("profile", "t"),
    ("retrain", "t", "--seeds", "1", *_TINY, "--to", "json", "--out", "r"),
    ("transfer", "t", *_TINY, "--to", "json", "--out", "x"),
    ("selftest", "controller"),
    ("doctor", "--seconds", "0"),
)


# Objects whose keys are names of metrics, trials, options, files or architectures.
_FREE = {
    *(
        "genotype",
        "genotypes",
        "metrics",
        "final",
        "counts",
        "options",
        "origin",
        "files",
        "events",
        "objectives",
        "checks",
    ),
    *("spreads", "notes", "skeleton", "policy", "entropies", "settings", "failures", "updates"),
}
_DEPTH = 3


def measured(commands: Iterable[tuple[str, ...]]) -> dict[str, dict[str, str]]:
    """The keys that these commands print, by verb."""
    found: dict[str, dict[str, str]] = {}
    for words in commands:
        known = found.setdefault(words[0], {})
        _join(known, shape(json.loads(_printed(*words, "--json"))))
        if words[0] == "report":
            found["report.json"] = shape(json.loads(Path("c/report.json").read_text()))
    return found


def _join(known: dict[str, str], more: Mapping[str, str]) -> None:
    for key, kinds in more.items():
        both = {*known.get(key, kinds).split(" or "), *kinds.split(" or ")}
        known[key] = " or ".join(sorted(both))


def _printed(*words: str) -> str:
    from nas.cli import main

    out = io.StringIO()
    old, sys.argv = sys.argv, ["nas", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            main()
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"nas {' '.join(words)} ended with {end.code}") from end
    finally:
        sys.argv = old
    return out.getvalue()


def shape(value: Any) -> dict[str, str]:
    """Every key with the kind of its value."""
    found: dict[str, set[str]] = {}
    for path, kind in _leaves(value, ""):
        found.setdefault(path, set()).add(kind)
    return {path: " or ".join(sorted(kinds)) for path, kinds in found.items()}


def _leaves(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    if path:
        yield path, _kind(value)
    if depth == _DEPTH or path.rpartition(".")[2] in _FREE:
        return
    if isinstance(value, Mapping):
        for key, inside in value.items():
            yield from _leaves(inside, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(value, list):
        for inside in value:
            if isinstance(inside, Mapping):
                for key, below in inside.items():
                    yield from _leaves(below, f"{path}[].{key}", depth + 1)


def _kind(value: Any) -> str:
    kinds = {
        bool: "true or false",
        int: "number",
        float: "number",
        str: "text",
        list: "list",
        dict: "object",
    }
    return "null" if value is None else kinds[type(value)]


if __name__ == "__main__":
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Image.new("L", (8, 8)).save("picture.png")
        found = measured([*QUICK, *SLOW])
    content = {"format": FORMAT, "verbs": found}
    FILE.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
