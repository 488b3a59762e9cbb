"""What a trained network says of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nas.errors import NasError, shell_word, shortened
from nas.exporting.choosing import Choice, choices, kept_weights, subject_of
from nas.exporting.subject import Subject
from nas.study.places import place_of
from nas.study.store import WEIGHTS_FILE
from nas.training.datasets import Pixels
from nas.training.datasets._pictures import MOST_PIXELS, decoded, is_picture


@dataclass(frozen=True, slots=True)
class Guess:
    """A class and how sure the network is of it."""

    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """A picture and its likeliest classes, the likeliest first; none where it cannot be decoded,
    which only a picture found in a folder may be."""

    picture: str
    classes: tuple[Guess, ...]


def trained_subject(source: str, weights: Path | None = None) -> Subject:
    """The network that a word stands for, with weights of its own or those that are given."""
    choice = choices(source, weights=weights)[0]
    if choice.weights is None:
        raise NasError(_without_weights(source, choice))
    return subject_of(choice)


def _without_weights(source: str, choice: Choice) -> str:
    folder, word, kept = place_of(source), shell_word(source), kept_weights(choice)
    if kept is not None:
        return f"{kept} is missing, so nothing can be predicted; train it with `nas retrain {word}`"
    if folder.is_dir():
        return (
            f"{folder / WEIGHTS_FILE} is missing, so nothing can be predicted; export it again, or "
            "give trained weights with --weights FILE"
        )
    return f"{shortened(source)} has no weights; give trained ones with --weights FILE"


def predictions(subject: Subject, places: Sequence[Path], most: int = 5) -> list[Prediction]:
    """What the network sees in these pictures, and in all pictures below these folders."""
    if not subject.trained:
        raise NasError(
            "these weights are random, so nothing can be predicted; give trained weights, or an "
            "export's folder"
        )
    given = set(places)
    files = [file for place in places for file in _pictures_at(place)]
    pixels = (_pixels(subject, file, given=file in given) for file in files)
    with torch.inference_mode():
        return [
            Prediction(str(file), () if found is None else _guesses(subject, found, most))
            for file, found in zip(files, pixels, strict=True)
        ]


def _pictures_at(place: Path) -> list[Path]:
    """The file itself, or the pictures below a folder in the order of their names."""
    if not place.is_dir():
        return [place]
    found = [file for file in sorted(place.rglob("*")) if is_picture(file)]
    if not found:
        raise NasError(f"there is no picture in {str(place)!r}; give files such as photo.jpg")
    return found


def _pixels(subject: Subject, file: Path, *, given: bool) -> Pixels | None:
    """The middle square of a picture, as large as the network was trained on."""
    if not file.is_file():
        raise NasError(f"there is no picture {str(file)!r}; give files such as photo.jpg")
    pixels = decoded(file, subject.shape[1])
    if pixels is None and given:
        raise NasError(
            f"{file} cannot be decoded; give a JPEG, PNG or WebP picture of at "
            f"most {MOST_PIXELS:,} pixels"
        )
    return pixels


def _guesses(subject: Subject, pixels: Pixels, most: int) -> tuple[Guess, ...]:
    shares = subject.network(_normalised(subject, pixels)).softmax(1)[0]
    best = shares.topk(min(most, len(shares)))
    pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return tuple(Guess(_name(subject, index), share) for share, index in pairs)


def _normalised(subject: Subject, pixels: Pixels) -> Tensor:
    """As the network was given pictures in its training."""
    channels = subject.shape[0]
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255.0
    if channels == 1:
        image = image.mean(dim=1, keepdim=True)
    mean = torch.tensor(subject.mean or (0.0,) * channels)[:, None, None]
    std = torch.tensor(subject.std or (1.0,) * channels)[:, None, None]
    return (image - mean) / std


def _name(subject: Subject, index: int) -> str:
    return subject.classes[index] if subject.classes else f"class {index}"
