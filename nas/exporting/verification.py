"""Holds exported files to their word: the same images, the same logits, for several sizes of
batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from nas.errors import NasError
from nas.exporting.subject import Subject
from nas.exporting.written import Written
from nas.search.record import Check
from nas.seeding import torch_rng

BATCHES = (1, 2, 17)
_MOST_MACS = 2e11  # of one batch: what a core does in a minute or so


def batches_for(macs: int) -> tuple[int, ...]:
    """The sizes of batch that a network of so many multiply-adds is verified with; a large one is
    spared the last."""
    return tuple(batch for batch in BATCHES if batch <= 2 or batch * macs <= _MOST_MACS)


def verified(
    subject: Subject, written: Mapping[str, Written], batches: Sequence[int]
) -> list[Check]:
    """Compares every format that computes with the network itself; a mismatch is an error."""
    images = [
        torch.randn(batch, *subject.shape, generator=torch_rng(0, "verification", batch))
        for batch in batches
    ]
    expected = [_logits(subject, batch) for batch in images]
    checks = []
    for name, files in written.items():
        if files.answers is None:
            continue
        answers = files.answers(images)
        checks += [_check(name, *pair, files.limit) for pair in zip(expected, answers, strict=True)]
    return checks


def _logits(subject: Subject, images: Tensor) -> Tensor:
    with torch.inference_mode():
        logits: Tensor = subject.network(images.clone())
    if not torch.isfinite(logits).all():
        raise NasError(
            "the network's logits are not finite, so no file can be compared with it; "
            "train it first and export its weights"
        )
    return logits


def _check(name: str, expected: Tensor, answer: Tensor, limit: float) -> Check:
    if answer.shape != expected.shape:
        raise NasError(
            f"{name} gives logits of shape {tuple(answer.shape)}, expected "
            f"{tuple(expected.shape)}; "
            "nothing was exported"
        )
    difference = float((expected - answer).abs().max())
    relative = difference / max(float(expected.abs().max()), 1e-12)
    if not relative <= limit:  # so that NaN is a mismatch too
        raise NasError(
            f"{name} differs from the network by {relative:.2g} of the largest logit at batch "
            f"{len(expected)}, "
            f"expected at most {limit:g}; nothing was exported"
        )
    return Check(name, len(expected), difference, relative)
