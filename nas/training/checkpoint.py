"""Weights and half-finished trainings as safetensors files, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

_FORMAT, _DIGEST = "1", "sha256"


def save_weights(file: Path, network: nn.Module, facts: Mapping[str, Any]) -> None:
    """Keep a network's weights, with JSON facts that say what they belong to."""
    write_tensors(file, dict(network.state_dict()), facts)


def read_weights(file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a file; OSError, ValueError or SafetensorError where it is none of
    ours, or not what was written."""
    with safe_open(file, framework="pt") as stored:
        header = stored.metadata() or {}
        if header.get("format") != _FORMAT:
            raise ValueError(f"{file} has format {header.get('format')!r}; expected {_FORMAT!r}")
        if not is_as_written(file, header):
            raise ValueError(f"{file} was changed after it was written")
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        return tensors, json.loads(header["facts"])


def save_progress(
    file: Path,
    network: nn.Module,
    optimizer: Optimizer,
    facts: Mapping[str, Any],
    average: Mapping[str, Tensor] | None = None,
) -> None:
    """Keep a training between two epochs, with the running mean of its weights where it has one."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in (average or {}).items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in state.items()
        }
    write_tensors(file, tensors, facts)


def restore_progress(
    file: Path,
    network: nn.Module,
    optimizer: Optimizer,
    expected: Mapping[str, Any],
    average: Mapping[str, Tensor] | None = None,
) -> dict[str, Any] | None:
    """Put a training back as it was and return its facts; None where the file is missing, damaged
    or another's.

    It is this training's when its facts hold everything that is `expected`.
    """
    try:
        tensors, facts = read_weights(file)
    except (OSError, ValueError, KeyError, SafetensorError):
        return None
    if any(facts.get(name) != value for name, value in expected.items()):
        return None
    network.load_state_dict(_below("network.", tensors))
    for name, tensor in (average or {}).items():
        tensor.copy_(tensors[f"average.{name}"])
    state = _optimizer_state(_below("optimizer.", tensors), optimizer)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return facts


def _optimizer_state(
    tensors: Mapping[str, Tensor], optimizer: Optimizer
) -> dict[int, dict[str, Tensor]]:
    """State by parameter, in the memory layout of its parameter: fused updates run along memory."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for place, tensor in tensors.items():
        index, _, name = place.partition(".")
        like = parameters[int(index)]
        laid_out = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
        state.setdefault(int(index), {})[name] = laid_out.detach()
    return state


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def write_tensors(file: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Beside the place first, then in place at once: a crash leaves the old file or the new one."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save(plain, metadata={"format": _FORMAT, "facts": json.dumps(facts)})
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with draft.open("wb") as stream:
        for part in in_one_order(content, proven=True):
            stream.write(part)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


def in_one_order(content: bytes, *, proven: bool = False) -> tuple[bytes, bytes, memoryview]:
    """The same file, its facts in alphabetical order: safetensors writes them in any, and equal
    weights would be files of different digests.

    Args:
        proven: whether its facts name the digest of all numbers, so that a change is found.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    header, numbers = json.loads(content[8:end]), memoryview(content)[end:]
    if proven:
        header["__metadata__"][_DIGEST] = sha256(numbers).hexdigest()
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little"), text, numbers


def is_as_written(file: Path, header: Mapping[str, str]) -> bool:
    """Whether the numbers behind this header of a file are those that it names; older files name
    none."""
    if _DIGEST not in header:
        return True
    with file.open("rb") as stream:
        stream.seek(8 + int.from_bytes(stream.read(8), "little"))
        return file_digest(stream, "sha256").hexdigest() == header[_DIGEST]
