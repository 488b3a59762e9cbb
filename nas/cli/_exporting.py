"""What an export prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.exporting.export import Exported
    from nas.exporting.subject import Subject


def told(subject: Subject, exported: Exported) -> Iterator[str]:
    """The files, how they were verified, and what to do with them."""
    from nas.cli._portraits import bytes_text

    state = "trained" if subject.trained else "untrained, its weights are random"
    yield f"{subject.title}: {exported.cost.params:,} parameters, {exported.cost.macs:,} multiply-adds, {state}"
    for name, files in exported.files.items():
        took = f"{exported.seconds[name]:.1f} s" if name in exported.seconds else ""
        for file in files:
            yield f"  {name:<14} {file}  {bytes_text(file.stat().st_size)}  {took}".rstrip()
    yield from _verified(exported)
    for speed in exported.latencies:
        yield f"  latency, {speed.engine}, batch {speed.batch}: {speed.milliseconds:.2f} ms ({speed.rounds} rounds)"
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
    if "python-source" in exported.files:
        yield f"run it anywhere with torch: python {exported.folder / 'model.py'}"
    if "onnx-model" in exported.files:
        yield f"run it anywhere with onnxruntime: {_onnx_command(subject, exported)}"
    yield f"how to use each file: {exported.folder / 'README.md'}"
    if not subject.trained:
        yield f"train it: nas retrain {exported.folder}"


def _onnx_command(subject: Subject, exported: Exported) -> str:
    """A line for a shell that classifies an empty image."""
    images = f"numpy.zeros((1, {', '.join(map(str, subject.shape))}), 'float32')"
    session = f"onnxruntime.InferenceSession('{exported.folder / 'model.onnx'}')"
    return f"python -c \"import numpy, onnxruntime; print({session}.run(None, {{'images': {images}}})[0])\""


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
