"""What an exporter returns: its files, a sentence on how to use them, and a way to ask them for
their answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

Answers = Callable[[Sequence[Tensor]], list[Tensor]]


@dataclass(frozen=True, slots=True)
class Written:
    """The files of one format.

    Args:
        usage: Markdown that says how a stranger loads them.
        answers: logits for each batch of images, computed by the files as a stranger would; None
            where they compute nothing.
        limit: the largest difference that is no mistake, relative to the largest logit.
    """

    files: tuple[Path, ...]
    usage: str
    answers: Answers | None = None
    limit: float = 1e-4


Exporter = Callable[..., Written]  # (subject, folder): the one function of a file in nas/exporters
