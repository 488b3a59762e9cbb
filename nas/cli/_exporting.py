"""What an export prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli._verb import nas_here
from nas.errors import shell_word

if TYPE_CHECKING:
    from nas.exporting.export import Exported
    from nas.exporting.subject import Subject
    from nas.exporting.winner import Winner


def told(subject: Subject, exported: Exported) -> Iterator[str]:
    """The files, how they were verified, and what to do with them."""
    from nas.cli._portraits import bytes_text

    state = "trained" if subject.trained else "untrained, its weights are random"
    yield (
        f"{subject.title}: {exported.cost.params:,} parameters, {exported.cost.macs:,} "
        f"multiply-adds, {state}"
    )
    for name, files in exported.files.items():
        took = f"{exported.seconds[name]:.1f} s" if name in exported.seconds else ""
        for file in files:
            yield f"  {name:<14} {file}  {bytes_text(file.stat().st_size)}  {took}".rstrip()
    yield from _verified(exported)
    for speed in exported.latencies:
        yield (
            f"  latency, {speed.engine}, batch {speed.batch}: {speed.milliseconds:.2f} ms "
            f"({speed.rounds} rounds)"
        )
    yield from _next(subject, exported)


def _verified(exported: Exported) -> Iterator[str]:
    for name in dict.fromkeys(check.format for check in exported.checks):
        checks = [check for check in exported.checks if check.format == name]
        worst = max(checks, key=lambda check: check.relative)
        batches = ", ".join(str(check.batch) for check in checks)
        yield (
            f"  verified {name}: largest difference {worst.difference:.3g} "
            f"({worst.relative:.2g} of the largest logit), batches {batches}"
        )


def _next(subject: Subject, exported: Exported) -> Iterator[str]:
    files = [file for part in exported.files.values() for file in part]
    yield from how_to_run(files, trained=bool(subject.trained))
    yield f"how to use each file: {exported.folder / 'README.md'}"
    if not subject.trained:
        words = [nas_here(), "retrain", shell_word(str(exported.folder))]
        if "learned from" in subject.origin:
            words.append(str(subject.origin["learned from"]))
        yield f"train it: {' '.join(words)}"


def winner_told(winner: Winner) -> Iterator[str]:
    """Where the winner of a search lies and how it is run; what failed, in a line with the command
    to try again."""
    if winner.files:
        names = ", ".join(file.name for file in winner.files)
        yield f"exported and verified: {winner.folder} ({names})"
        yield from how_to_run(winner.files)
    if winner.problem is not None:
        what = "not every format could be" if winner.files else "the winner could not be"
        yield f"{what} exported ({winner.problem}); try again: {winner.again}"


def how_to_run(files: Sequence[Path], *, trained: bool = True) -> Iterator[str]:
    """The commands that run what was exported without us."""
    for file in files:
        if file.name == "model.py":
            pillow, picture = (" and Pillow", " PICTURE") if trained else ("", "")
            command = f"python {shell_word(str(file))}{picture}"
            yield f"run it anywhere with torch{pillow}: {command}"
        if file.name == "model.onnx":
            yield f"run it anywhere with onnxruntime: {_onnx_command(file)}"


def _onnx_command(model: Path) -> str:
    """A line for a shell that classifies an empty image."""
    images = "numpy.zeros((1, *s.get_inputs()[0].shape[1:]), 'float32')"
    session = f"s = onnxruntime.InferenceSession({str(model)!r})"
    code = f"import numpy, onnxruntime; {session}; print(s.run(None, {{'images': {images}}})[0])"
    is_plain = not set(code) & set('"$`\\!')  # what a shell reads between double quotes
    return f'python -c "{code}"' if is_plain else f"python -c {shell_word(code)}"


def refuse_push(to: str | None, top: int) -> None:
    """Whatever can be refused of `--push` is refused before anything is exported."""
    from nas.errors import SettingsError
    from nas.exporting.pushing import client_of_hub

    if top > 1 or "hub" not in (to or "").split(","):
        raise SettingsError("--push sends one network as `--to hub` writes it: say --to hub")
    client_of_hub()


def refuse_beside_front(top: int, weights: Path | None = None) -> None:
    """`--front` names all that is meant."""
    from nas.errors import SettingsError

    if top > 1 or weights is not None:
        other = "--top" if top > 1 else "--weights"
        raise SettingsError(f"--front is all on the front, with own weights: leave {other} out")


def told_record(subject: Subject, exported: Exported) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "title": subject.title,
        "key": subject.genotype.key,
        "trained": bool(subject.trained),
        "folder": str(exported.folder),
        "files": {name: [str(file) for file in files] for name, files in exported.files.items()},
        "seconds": dict(exported.seconds),
        "checks": [asdict(check) for check in exported.checks],
        "cost": asdict(exported.cost),
        "latency": [asdict(speed) for speed in exported.latencies],
        "origin": dict(subject.origin),
    }
