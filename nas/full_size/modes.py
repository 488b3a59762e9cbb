"""The three ways to larger data: from scratch, on the features of a frozen body, or with its last
cells open."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nas.exporting.weights import Weights
from nas.full_size.body import Bodied, Finetuned, classifier_of, features, trained_classifier
from nas.full_size.trainings import Job, Setting, Trained, Watch, finished, keep, trained
from nas.training.augment import Source
from nas.training.recipe import Recipe
from nas.training.trainer import Data, Metrics

MODES = ("scratch", "features", "finetune")
_HEADS = ("network.head.", "network.linear.")  # the classifier of a cell network, of a residual one
_FEATURE_BATCH, _FEATURE_EPOCHS = (
    256,
    50,
)  # of the classifier alone, whose passes cost next to nothing


@dataclass(frozen=True, slots=True)
class Finetuning:
    """How far a body is opened: its last cells, at a share of the classifier's rate."""

    open_cells: int = 2
    pace: float = 0.1


@dataclass(frozen=True, slots=True)
class Body:
    """A trained body: which weights it has, what network they belong to, and how it stands under a
    new classifier."""

    weights: Weights
    identity: Mapping[str, Any]
    make: Callable[[int], Bodied]  # of a seed, for the classifier


def on_features(body: Body, setting: Setting, seed: int, folder: Path, watch: Watch) -> Trained:
    """A new classifier on a frozen body: features are computed once and kept."""
    facts = _facts(body, setting, seed, "features")
    done = finished(folder, facts, 1, seed, watch)
    if done is not None:
        return done
    network, metrics = _with_classifier(body, setting, seed, folder.parent)
    watch(1, metrics)
    return Trained(seed, keep(network, facts, setting, [metrics], folder), [metrics])


def finetuned(
    body: Body, setting: Setting, seed: int, folder: Path, watch: Watch, how: Finetuning
) -> Trained:
    """The same, then the last cells opened and trained on at a smaller rate."""
    facts = {**_facts(body, setting, seed, "finetune"), **asdict(how)}

    def make(_: Data) -> nn.Module:
        return Finetuned(_with_classifier(body, setting, seed, folder.parent)[0], how.open_cells)

    def pace(name: str) -> float:
        return 1.0 if name.startswith(_HEADS) else how.pace

    def kept(wrapped: nn.Module) -> nn.Module:
        assert isinstance(wrapped, Finetuned)
        return wrapped.network

    return trained(
        Job(
            make=make,
            facts=facts,
            setting=setting,
            seed=seed,
            folder=folder,
            watch=watch,
            pace=pace,
            kept=kept,
        )
    )


def _facts(body: Body, setting: Setting, seed: int, mode: str) -> dict[str, Any]:
    return {
        **setting.facts(),
        **body.identity,
        "seed": seed,
        "mode": mode,
        "body": digest_of(body.weights.file),
    }


def digest_of(file: Path) -> str:
    """Which weights these are."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def _with_classifier(
    body: Body, setting: Setting, seed: int, cache: Path
) -> tuple[Bodied, Metrics]:
    """The body with a classifier that fits it, and how good the two are."""
    network = body.make(seed)
    stored = _features_of(network, setting, body.weights, cache)
    recipe = setting.recipe.changed({"batch_size": _FEATURE_BATCH, "epochs": _FEATURE_EPOCHS})
    with setting.computation.active():
        losses = trained_classifier(network, stored["train"], stored["train labels"], recipe, seed)
        train, val = (
            _judged(network, stored[part], stored[f"{part} labels"]) for part in ("train", "val")
        )
    return network, {
        "train_loss": losses[-1],
        "train_accuracy": train[1],
        "val_loss": val[0],
        "val_accuracy": val[1],
    }


@torch.no_grad()
def _judged(network: Bodied, vectors: Tensor, labels: Tensor) -> tuple[float, float]:
    logits = classifier_of(network)(vectors)
    loss = nn.functional.cross_entropy(logits, labels)
    return float(loss), float((logits.argmax(1) == labels).float().mean())


def _features_of(
    network: Bodied, setting: Setting, weights: Weights, cache: Path
) -> Mapping[str, Tensor]:
    """Features and labels of both splits, from the cache where they were computed before."""
    marks = [
        digest_of(weights.file),
        setting.fingerprint,
        setting.recipe.train_images,
        setting.computation.precision,
    ]
    key = hashlib.sha256(repr(marks).encode()).hexdigest()[:12]
    file = cache / f"features-{key}.safetensors"
    try:
        return load_file(file)
    except (OSError, SafetensorError):
        pass
    data = setting.data()
    stored: dict[str, Tensor] = {}
    for part, images in (("train", data.train), ("val", data.val)):
        source = Source(images, data.mean, data.std, Recipe(), setting.computation.torch_device)
        stored[part] = features(network, images, source, setting.computation).contiguous()
        stored[f"{part} labels"] = torch.from_numpy(images.labels.copy())
    cache.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".tmp")
    save_file(stored, draft)
    draft.replace(file)
    return stored
