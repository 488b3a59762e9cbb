"""A network as a traced program with a free batch size: what `torch.export` and ONNX files are made
from."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import nn


@lru_cache(maxsize=1)
def traced(network: nn.Module, shape: tuple[int, int, int]) -> torch.export.ExportedProgram:
    """The program of a network in evaluation mode for images of this shape; kept for the next
    format that asks."""
    batch = torch.export.Dim("batch", min=1)
    with quiet():
        return torch.export.export(network, (torch.zeros(2, *shape),), dynamic_shapes=({0: batch},))


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps to itself what torch's exporters say about torch's own insides."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
