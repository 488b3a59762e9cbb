"""The only doors to randomness: a seed and a purpose give a generator, so a new consumer never
shifts another."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed that depends on the seed and on every word of the purpose, the same on every
    machine."""
    text = "/".join([str(seed), *(f"{type(word).__name__}:{word}" for word in purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_rng(seed: int, *purpose: str | int) -> np.random.Generator:
    """A NumPy generator of its own for this purpose."""
    return np.random.Generator(np.random.PCG64(derive(seed, *purpose)))


def torch_rng(seed: int, *purpose: str | int, device: str = "cpu") -> torch.Generator:
    """A torch generator of its own for this purpose."""
    import torch

    return torch.Generator(device=device).manual_seed(derive(seed, *purpose))
