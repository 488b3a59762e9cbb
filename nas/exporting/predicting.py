"""What a trained network says of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nas.errors import NasError, shell_word, shortened
from nas.exporting.choosing import Choice, choices, subject_of
from nas.exporting.subject import Subject
from nas.study.files import WEIGHTS_FILE, checkpoint_of
from nas.training.datasets._pictures import decoded

_MOST_PICTURES = 1000


@dataclass(frozen=True, slots=True)
class Guess:
    """A class and how sure the network is of it."""

    name: str
    share: float


def trained_subject(source: str, weights: Path | None = None) -> Subject:
    """The network that a word stands for, with weights of its own or those that are given."""
    choice = choices(source, weights=weights)[0]
    if choice.weights is None:
        raise NasError(_without_weights(source, choice))
    return subject_of(choice)


def _without_weights(source: str, choice: Choice) -> str:
    folder, word = Path(source), shell_word(source)
    if "trial" in choice.origin:
        kept = checkpoint_of(folder, choice.origin["trial"]) / WEIGHTS_FILE
        return f"{kept} is missing, so nothing can be predicted; train it with `nas retrain {word}`"
    if folder.is_dir():
        return (
            f"{folder / WEIGHTS_FILE} is missing, so nothing can be predicted; export it again, or "
            "give trained weights with --weights FILE"
        )
    return f"{shortened(source)} has no weights; give trained ones with --weights FILE"


def predictions(subject: Subject, files: Sequence[Path], most: int = 5) -> list[list[Guess]]:
    """The likeliest classes of each picture, the likeliest first."""
    if not subject.trained:
        raise NasError(
            "these weights are random, so nothing can be predicted; give trained weights, or an "
            "export's folder"
        )
    if len(files) > _MOST_PICTURES:
        raise NasError(
            f"{len(files)} pictures are too many for one call; expected at most {_MOST_PICTURES}"
        )
    found = []
    with torch.inference_mode():
        for file in files:
            shares = subject.network(_image(subject, file)).softmax(1)[0]
            best = shares.topk(min(most, len(shares)))
            pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
            found.append([Guess(_name(subject, index), share) for share, index in pairs])
    return found


def _image(subject: Subject, file: Path) -> Tensor:
    """The picture as the network was trained on pictures: its middle square, scaled, normalised."""
    if not file.is_file():
        raise NasError(f"there is no picture {str(file)!r}; give files such as photo.jpg")
    channels, size, _ = subject.shape
    pixels = decoded(file, size)
    if pixels is None:
        raise NasError(f"{file} cannot be decoded; give a JPEG, PNG or WebP picture")
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255.0
    if channels == 1:
        image = image.mean(dim=1, keepdim=True)
    mean = torch.tensor(subject.mean or (0.0,) * channels)[:, None, None]
    std = torch.tensor(subject.std or (1.0,) * channels)[:, None, None]
    return (image - mean) / std


def _name(subject: Subject, index: int) -> str:
    return subject.classes[index] if subject.classes else f"class {index}"
