"""The README of an export: where it comes from, how good it is, what it costs, how its files are
used."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.errors import counted
from nas.exporting.source.python_file import plain
from nas.exporting.subject import Subject, accuracies_of
from nas.search.record import Check
from nas.training.latency import Latency
from search_spaces.cells.cost import Cost

_NOT_SHOWN = frozenset({"classes", "mean", "std", "origin", "accuracy", "recipe", "curve"})
_LONGEST = 500
_MARKS = re.compile(r"[\\`*<>\[\]&]")  # what Markdown and HTML would act upon


def card(
    subject: Subject,
    cost: Cost,
    usages: Mapping[str, str],
    checks: Sequence[Check],
    speeds: Sequence[Latency],
) -> str:
    """The text of README.md."""
    sections = [
        [f"# {plain(subject.title)}", *_summary(subject, cost)],
        ["## Where it comes from", *_facts({**subject.origin, "key": subject.genotype.key})],
        ["## Accuracy", *_accuracy(subject)],
        ["## Files", *usages.values()],
        ["## Verified", *_verified(checks)],
    ]
    if subject.classes:
        sections.insert(4, ["## Classes, in order", *_classes(subject.classes)])
    if speeds:
        sections.append(["## Latency", *_latency(speeds)])
    sections.append(["## Skeleton", *_facts(dict(_skeleton(subject)))])
    return "\n\n".join("\n\n".join(section) for section in sections) + "\n"


def _summary(subject: Subject, cost: Cost) -> Iterator[str]:
    skeleton = subject.skeleton
    yield (
        f"A network of {cost.params:,} parameters and {cost.macs:,} multiply-adds for images of "
        f"{skeleton.image_size}x{skeleton.image_size} pixels, "
        f"{counted(skeleton.channels, 'channel')}, "
        f"{skeleton.classes} classes."
    )
    if not subject.trained:
        words = f" {subject.origin['learned from']}" if "learned from" in subject.origin else ""
        yield (
            "**Its weights are random: it is untrained.** Train it with `nas retrain "
            f"genotype.json{words}`."
        )
    if subject.pixels_unknown:
        yield (
            "**The mean and deviation of its training pixels are not known:** its weights do not "
            "say them. Until MEAN "
            "and STD in `model.py` are set to those of its dataset, what it says of pictures may "
            "be wrong."
        )
    elif subject.trained:
        yield (
            f"It expects pixels in 0..1, less {_listed(subject.mean)}, divided by "
            f"{_listed(subject.std)}."
        )


def _classes(names: Sequence[str]) -> Iterator[str]:
    """Each with its number, indented so that Markdown shows them as they are."""
    digits = len(str(len(names) - 1))
    yield "\n".join(
        f"    {number:>{digits}}  {_in_a_line(name)}" for number, name in enumerate(names)
    )


def _listed(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def _facts(facts: Mapping[str, Any]) -> Iterator[str]:
    lines = [
        f"- {plain(str(name))}: {_value(value)}"
        for name, value in facts.items()
        if value not in (None, [], ())
    ]
    yield "\n".join(lines)


def _value(value: object) -> str:
    """A fact in one line, in which Markdown and HTML act upon nothing."""
    text = value if isinstance(value, str) else json.dumps(value)
    return _MARKS.sub(r"\\\g<0>", _in_a_line(text)[:_LONGEST])


def _in_a_line(text: str) -> str:
    """The text with what cannot be printed spelled out."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _accuracy(subject: Subject) -> Iterator[str]:
    if not subject.trained:
        yield "None was measured for these weights."
        return
    known = {f"{split} split": value for split, value in accuracies_of(subject).items()}
    shown = {name: value for name, value in subject.trained.items() if name not in _NOT_SHOWN}
    yield from _facts(known or {"accuracy": "not written in the weights"})
    yield from _facts({"weights": "trained", **shown})
    recipe = subject.trained.get("recipe")
    if isinstance(recipe, dict):
        yield f"Recipe: {_value(', '.join(f'{name} {value}' for name, value in recipe.items()))}"


def _verified(checks: Sequence[Check]) -> Iterator[str]:
    if not checks:
        yield "None of these files computes anything, so there was nothing to verify."
        return
    rows = [
        f"| {check.format} | {check.batch} | {check.difference:.3g} | {check.relative:.2g} |"
        for check in checks
    ]
    yield (
        "Logits against those of the network they were written from, on images of noise. Python "
        "and torch files ran in "
        "a fresh interpreter without the toolkit, ONNX in ONNX Runtime."
    )
    table = [
        "| format | batch | largest difference | relative to the largest logit |",
        "|---|---:|---:|---:|",
        *rows,
    ]
    yield "\n".join(table)


def _latency(speeds: Sequence[Latency]) -> Iterator[str]:
    rows = [
        f"| {speed.engine} | {speed.device} | {speed.threads} | {speed.batch} | "
        f"{speed.milliseconds:.2f} "
        f"| {speed.spread:.2f} | {speed.rounds} |"
        for speed in speeds
    ]
    head = [
        "| engine | device | threads | batch | median ms | spread ms (IQR) | rounds |",
        "|---|---|" + "---:|" * 5,
    ]
    yield "\n".join([*head, *rows])


def _skeleton(subject: Subject) -> Iterator[tuple[str, Any]]:
    skeleton = subject.skeleton
    for name in type(skeleton).__slots__:
        yield name, getattr(skeleton, name)


def write_card(folder: Path, text: str) -> Path:
    """Write the README."""
    file = folder / "README.md"
    file.write_text(text, encoding="utf-8")
    return file
