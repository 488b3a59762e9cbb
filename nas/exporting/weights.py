"""Weights as safetensors files: what they belong to is written beside them, and nothing else is
ever loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from nas.errors import NasError, shortened
from nas.exporting.subject import Subject, accuracies_of
from nas.settings import complete
from nas.training.checkpoint import in_one_order, is_as_written
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton

_FORMAT = "1"
_LARGEST_FILE = 8 << 30
_MOST_CLASSES = 100_000


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights and the facts it carries: genotype, skeleton, dataset, classes; none where
    it is foreign."""

    file: Path
    facts: Mapping[str, Any]

    @property
    def genotype(self) -> Genotype | None:
        """The genotype whose weights these are, where the file says so."""
        return Genotype.from_dict(self.facts["genotype"]) if "genotype" in self.facts else None

    @property
    def skeleton(self) -> Skeleton | None:
        """The skeleton they were trained in, where the file says so."""
        known = self.facts.get("skeleton")
        if known is None:
            return None
        if not isinstance(known, dict):
            raise NasError(
                f"{self.file} names no skeleton but {shortened(known)}; expected a table of "
                "settings"
            )
        return Skeleton(**complete(Skeleton, known, "skeleton"))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in order."""
        names = self.facts.get("classes") or []
        if not isinstance(names, list) or len(names) > _MOST_CLASSES:
            raise NasError(
                f"{self.file} holds {shortened(names)} where the names of classes should be"
            )
        return tuple(str(name)[:200] for name in names)

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of numbers among the facts; empty where there is none."""
        values = self.facts.get(name) or ()
        if not isinstance(values, (list, tuple)) or not all(
            isinstance(value, (int, float)) for value in values
        ):
            raise NasError(f"{self.file} holds {shortened(values)} as its {name}; expected numbers")
        return tuple(map(float, values))


def open_weights(
    file: Path, remedy: str = "give weights that retrain, transfer or export wrote"
) -> Weights:
    """A file of weights; refuses in one sentence, which ends with the remedy, what is none."""
    if not file.is_file():
        raise NasError(f"there is no file {shortened(str(file))}; {remedy}")
    if file.stat().st_size > _LARGEST_FILE:
        raise NasError(f"{file} is larger than {_LARGEST_FILE >> 30} GiB, which no network here is")
    try:
        with safe_open(file, framework="pt") as stored:
            header = stored.metadata() or {}
        facts = json.loads(header.get("facts", "{}"))
        changed = not is_as_written(file, header)
    except (SafetensorError, OSError, ValueError, RecursionError) as problem:
        raise NasError(
            f"{file} is no safetensors file ({str(problem)[:100]}); {remedy}"
        ) from problem
    if changed:
        raise NasError(f"{file} was changed after it was written; {remedy}")
    return Weights(file, facts if isinstance(facts, dict) else {})


def refuse_other_genotype(weights: Weights, genotype: Genotype) -> None:
    """Weights that say whose they are belong to no other network, even where the shapes are the
    same."""
    own = weights.genotype
    if own is not None and own.key != genotype.key:
        raise NasError(
            f"{weights.file} holds weights of genotype {own.key}, not of {genotype.key}; give the "
            "genotype they belong "
            "to, or other weights"
        )


@torch.no_grad()
def load_into(weights: Weights, network: nn.Module, names: Mapping[str, str]) -> None:
    """Puts the weights into a network, if they are its own.

    Args:
        names: what an exported file calls each weight of the network; both spellings are welcome.
    """
    own = dict(network.state_dict())
    with safe_open(weights.file, framework="pt") as stored:
        there = {name for name in stored.keys() if not name.startswith("auxiliary.")}  # noqa: SIM118
        spelled = (
            names if there & (set(names.values()) - set(names)) else {name: name for name in own}
        )
        missing = sorted(spelled[name] for name in own if spelled[name] not in there)
        _refuse_strangers(weights.file, missing, sorted(there - set(spelled.values())))
        for name, tensor in own.items():
            shape = stored.get_slice(spelled[name]).get_shape()
            if tuple(shape) != tuple(tensor.shape):
                raise NasError(
                    f"{weights.file} holds {spelled[name]} as {_sides(shape)}, but this network "
                    "has "
                    f"{_sides(tensor.shape)}; use the genotype and the skeleton they were trained "
                    "in"
                )
            tensor.copy_(stored.get_tensor(spelled[name]))


def _refuse_strangers(file: Path, missing: list[str], unknown: list[str]) -> None:
    if missing or unknown:
        what = (
            f"lacks {missing[0]}"
            if missing
            else f"holds {unknown[0]}, which this network does not have"
        )
        raise NasError(
            f"{file} {what} ({len(missing)} weights missing, {len(unknown)} unknown); "
            "use the genotype and the skeleton they were trained in"
        )


def _sides(shape: Any) -> str:
    return "x".join(map(str, shape)) or "one number"


def write_weights(file: Path, subject: Subject, names: Mapping[str, str]) -> None:
    """Write a subject's weights under these names, with the facts that every `--weights` reads."""
    tensors = {
        names[name]: tensor.detach().cpu().contiguous()
        for name, tensor in subject.network.state_dict().items()
    }
    header = {"format": _FORMAT, "facts": json.dumps(facts_of(subject))}
    with file.open("wb") as stream:  # save_file would make it readable by its owner alone
        stream.writelines(in_one_order(save(tensors, header), proven=True))


def facts_of(subject: Subject) -> dict[str, Any]:
    """What a subject's weights belong to."""
    accuracies = accuracies_of(subject)
    return {
        **subject.trained,
        **({"accuracy": accuracies} if accuracies else {}),
        "trained": bool(subject.trained),
        "genotype": subject.genotype.to_dict(),
        "skeleton": asdict(subject.skeleton),
        "classes": list(subject.classes),
        "mean": list(subject.mean),
        "std": list(subject.std),
        "origin": dict(subject.origin),
    }
