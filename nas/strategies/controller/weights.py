"""Weights of a controller in a safetensors file: taken out of one study, put into the next."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from nas.errors import SettingsError, shortened

if TYPE_CHECKING:
    from torch import Tensor, nn

FILE_NAME = "controller.safetensors"


def write_weights(policy: nn.Module, folder: Path) -> Path:
    """Write the weights into this folder; returns the file."""
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE_NAME
    draft = file.with_name(file.name + ".tmp")
    draft.write_bytes(
        save({name: value.contiguous() for name, value in policy.state_dict().items()})
    )
    draft.replace(file)
    return file


def read_weights(place: str, policy: nn.Module) -> str:
    """Put the weights of this folder or file into the policy; returns the SHA-256 of the file."""
    file = Path(place) / FILE_NAME if Path(place).is_dir() else Path(place)
    weights, digest = _read(file, place)
    own = policy.state_dict()
    _check(weights, own, file)
    policy.load_state_dict(weights)
    return digest


def _read(file: Path, place: str) -> tuple[dict[str, Tensor], str]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        content = file.read_bytes()
    except OSError as problem:
        raise SettingsError(
            f"warm_start {shortened(place)} cannot be read: {problem.strerror}; expected a folder "
            "with "
            f"{FILE_NAME}, which `nas inspect STUDY --export FOLDER` writes"
        ) from problem
    try:
        return load(content), hashlib.sha256(content).hexdigest()
    except (SafetensorError, ValueError, KeyError) as problem:
        raise SettingsError(
            f"warm_start {shortened(str(file))} is no safetensors file: {problem}; other formats "
            "are not read"
        ) from problem


def _check(weights: Mapping[str, Tensor], own: Mapping[str, Tensor], file: Path) -> None:
    described, expected = _shapes(weights), _shapes(own)
    if described != expected:
        strange = sorted(described.items() ^ expected.items())
        raise SettingsError(
            f"warm_start {shortened(str(file))} holds the weights of another controller: they "
            "differ in "
            f"{', '.join(dict.fromkeys(name for name, _ in strange))} ({_brief(described)}; this "
            "one has "
            f"{_brief(expected)}), so space and strategy.hidden must be those it was trained with"
        )
    if not all(bool(torch.isfinite(weight).all()) for weight in weights.values()):
        raise SettingsError(
            f"warm_start {shortened(str(file))} holds NaN or infinite weights; export it again"
        )


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, str]:
    return {name: "x".join(map(str, weight.shape)) for name, weight in weights.items()}


def _brief(shapes: Mapping[str, str]) -> str:
    return (
        ", ".join(f"{name} {shapes[name]}" for name in ("embedding", "weight") if name in shapes)
        or "neither"
    )
