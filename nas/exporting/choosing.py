"""What a user calls by a word: a genotype, the best of a study or of a comparison, weights or an
exported folder; and its network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from nas.drawings.surroundings import surroundings
from nas.errors import NasError, SettingsError, shell_word, shortened
from nas.exporting.source.python_file import names_in_file
from nas.exporting.subject import Subject, fresh_network, without_results
from nas.exporting.weights import Weights, load_into, open_weights, refuse_other_genotype
from nas.study.places import is_comparison, is_searched, is_study, place_of
from nas.study.seed_spread import own_metrics, seed_spread
from nas.study.store import WEIGHTS_FILE, checkpoint_of
from search_spaces import zoo
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.reading import read_genotype
from search_spaces.cells.skeleton import Skeleton

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_NAME = 100
_OF_PICTURES = ("classes", "channels", "image_size")
_OF_THE_SUBJECT = ("genotype", "skeleton", "classes", "mean", "std", "trained", "origin")


class HasFolder(Protocol):
    """What lies in a folder, as `nas.search` and `nas.compare` give it."""

    @property
    def folder(self) -> Path:
        """Where it lies."""


class HasGenotype(Protocol):
    """A trial, or the best of a study."""

    @property
    def genotype(self) -> Genotype:
        """Its drawing."""


Source = str | Path | Genotype | HasFolder | HasGenotype


def word_of(source: Source) -> str:
    """The word by which the command line would name what is given in Python."""
    drawn = source if isinstance(source, Genotype) else getattr(source, "genotype", None)
    if isinstance(drawn, Genotype):
        return drawn.to_json()
    place = getattr(source, "folder", source)
    if not isinstance(place, str | Path):
        raise SettingsError(
            f"{shortened(source)} stands for no network: give a study, a folder, or a genotype in "
            "any form"
        )
    return str(place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A genotype that somebody chose, before it is put into a skeleton.

    Args:
        name: of a folder for it.
        searched_in: settings of the skeleton that its study gave.
        found: whether the weights were found with a study; those that somebody gave are never left
            out.
        study: the one that judged it.
        pictures: how many classes and channels its study's pictures have, and their size.
    """

    genotype: Genotype
    name: str
    title: str
    origin: Mapping[str, Any] = field(default_factory=dict)
    entry: zoo.ZooEntry | None = None
    weights: Weights | None = None
    searched_in: Mapping[str, Any] = field(default_factory=dict)
    found: bool = False
    study: Path | None = None
    pictures: Mapping[str, int] = field(default_factory=dict)


def choices(
    source: str, top: int = 1, weights: Path | None = None, *, with_weights: bool = True
) -> list[Choice]:
    """What a word stands for; the best `top` of a study, or of the winners of a comparison.

    Args:
        source: the folder of a study or a comparison, an exported folder, a file of weights, or a
            genotype in any form.
        weights: a file that takes the place of weights found with the source.
        with_weights: whether those that a study kept are wanted; where they are not, they may be
            damaged.
    """
    given = None if weights is None else open_weights(weights)
    path = place_of(source)
    if is_searched(path):
        found = _of_study(path, top, with_weights and given is None)
    else:
        if top > 1:
            raise NasError(
                f"--top {top} asks for the best of a study, but {source!r} is one genotype"
            )
        found = [_single(source, path, given is None)]
    return found if given is None else [_with(choice, given) for choice in found]


def front_choices(source: str, *, with_weights: bool = True) -> list[Choice]:
    """All on the front of a study with several objectives, the best by the first one first; of
    equal networks one."""
    from nas.search.fronts import front_of
    from nas.search.plan import read_study_json

    folder = place_of(source)
    if not is_study(folder):
        raise NasError(f"--front asks for the front of a study, but {source!r} is none")
    study, found = read_study_json(folder), dict[str, Choice]()
    for rank, member in enumerate(front_of(folder).members, start=1):
        first = next(iter(member.objectives.values()))
        lines = {"number": member.number, "genotype": member.genotype}, {"metrics": member.metrics}
        choice = _trial(folder, study, rank, first, *lines, member.final)
        origin = {**choice.origin, "objectives": dict(member.objectives)}
        kept = _with_kept(replace(choice, origin=origin), with_weights)
        found.setdefault(member.key, kept)
    return list(found.values())


def _with(choice: Choice, weights: Weights) -> Choice:
    """The choice with other weights, of which nothing that was measured with its own is true.

    A drawing with the same key may name its weights in another order: the one that they were saved
    with counts.
    """
    refuse_other_genotype(weights, choice.genotype)
    drawn, origin = weights.genotype or choice.genotype, without_results(choice.origin)
    return replace(
        choice, genotype=drawn, weights=weights, origin=origin or _origin_of(weights), found=False
    )


def _single(source: str, path: Path, with_weights: bool) -> Choice:
    if path.suffix == ".safetensors":
        return _of_weights(open_weights(path))
    drawing = path / "genotype.json"
    if (path / WEIGHTS_FILE).is_file() and (with_weights or not drawing.is_file()):
        return _of_weights(
            open_weights(path / WEIGHTS_FILE, f"export it again, or give {drawing} alone")
        )
    if path.is_dir() and drawing.is_file():
        return _named(read_genotype(drawing))
    if path.is_dir():
        from nas.search.winners import nothing_in

        raise NasError(nothing_in(path, WEIGHTS_FILE))
    genotype = read_genotype(source)
    if source in zoo.names() and not path.exists():
        entry = zoo.load(source)
        return Choice(
            genotype=genotype,
            name=source,
            title=entry.title,
            entry=entry,
            origin={"published in": entry.source},
        )
    return _named(genotype)


def _named(genotype: Genotype, **more: Any) -> Choice:
    space = _NOT_IN_NAMES.sub("_", genotype.space).lstrip(".-")[
        :_LONGEST_NAME
    ]  # somebody else may have written it
    name = f"{space or 'genotype'}-{genotype.key[:8]}"
    return Choice(genotype=genotype, name=name, title=name.replace("-", " "), **more)


def _of_weights(weights: Weights) -> Choice:
    genotype = weights.genotype
    if genotype is None:
        raise NasError(
            f"{weights.file} does not say whose weights it holds; give the genotype and --weights"
        )
    return _named(genotype, weights=weights, origin=_origin_of(weights))


def _origin_of(weights: Weights) -> dict[str, Any]:
    """Where the weights say that they come from."""
    origin = weights.facts.get("origin")
    return origin if isinstance(origin, dict) else {}


def _of_study(folder: Path, top: int, with_weights: bool) -> list[Choice]:
    """The best of a study, or of the winners of a comparison; where they were judged again, in the
    order which that gave."""
    from nas.search.plan import read_study_json
    from nas.search.winners import winners_of

    return [
        _with_kept(
            _trial(place, read_study_json(place), rank, score, asked, told, final), with_weights
        )
        for rank, (place, (score, asked, told, final)) in enumerate(
            winners_of(folder, top), start=1
        )
    ]


def _trial(
    folder: Path,
    study: Mapping[str, Any],
    rank: int,
    score: float,
    asked: Mapping[str, Any],
    told: Mapping[str, Any],
    judged: Mapping[str, float],
) -> Choice:
    from nas.search.confirmed import search_of
    from nas.search.plan import read_study_json

    number = int(asked["number"])
    spread = seed_spread(told["metrics"])
    above = search_of(folder)  # whose strategy proposed it, where this study only judged it again
    searched = study if above is None else read_study_json(above)
    origin = {
        "study": _called(folder.resolve()),
        "trial": number,
        "rank": rank,
        "score": score,
        "score of": None if spread is None else f"{spread.evaluations} seeds, ± {spread.sd:.2g}",
        "strategy": searched["strategy"]["name"],
        "searched by": None if above is None else searched["evaluator"]["name"],
        "evaluator": study["evaluator"]["name"],
        "commit": study.get("commit"),
        "data fingerprint": (study.get("measured") or {}).get("data"),
        "validation accuracy": own_metrics(told["metrics"]).get("val_accuracy"),
        "test accuracy": judged.get("test_accuracy"),
    }
    options = study["evaluator"].get("options") or {}
    origin["learned from"] = _learned_from(options)
    skeleton = options.get("skeleton")
    return _named(
        Genotype.from_dict(asked["genotype"]),
        origin={name: value for name, value in origin.items() if value is not None},
        searched_in=skeleton if isinstance(skeleton, dict) else {},
        study=folder,
        pictures=_pictures_in(folder),
    )


def _pictures_in(study: Path) -> dict[str, int]:
    """What networks for a study's pictures are made for, as weights say that it kept; nothing where
    there are none."""
    for file in sorted(study.glob(f"checkpoints/*/{WEIGHTS_FILE}")):
        with suppress(NasError):  # damaged ones are spoken of where they are wanted
            skeleton = open_weights(file).skeleton
            if skeleton is not None:
                return {name: getattr(skeleton, name) for name in _OF_PICTURES}
    return {}


def _learned_from(options: Mapping[str, Any]) -> str | None:
    """The words that name what the children of a study learned from; None where they did not."""
    if not isinstance(options.get("dataset"), str):
        return None
    named = {"dataset": "--dataset", "data_dir": "--data-dir", "image_size": "--image-size"}
    words = [
        f"{word} {shell_word(str(options[name]))}"
        for name, word in named.items()
        if options.get(name) is not None
    ]
    return " ".join([*words, *["--skip-corrupt"] * bool(options.get("skip_corrupt"))])


def _called(study: Path) -> str:
    """The name of a study, behind that of the search it confirms and of the comparison it is in."""
    from nas.search.confirmed import search_of

    if search_of(study) is not None:
        return f"{_called(study.parent)}/{study.name}"
    comparison = study.parents[1] if len(study.parents) > 1 else study
    inside = is_comparison(comparison)
    return str(study.relative_to(comparison.parent)) if inside else study.name


def kept_weights(choice: Choice) -> Path | None:
    """Where the study of this choice would have kept its weights; None where it has no study."""
    if choice.study is None:
        return None
    return checkpoint_of(choice.study, choice.origin["trial"]) / WEIGHTS_FILE


def _with_kept(choice: Choice, with_weights: bool) -> Choice:
    """The choice with the weights that its study kept, where it has them and they are wanted."""
    kept = kept_weights(choice)
    if not with_weights or kept is None or not kept.is_file():
        return choice
    remedy = "give others with --weights FILE, or delete it to go on without trained weights"
    return replace(choice, weights=open_weights(kept, remedy), found=True)


def subject_of(
    choice: Choice, skeleton: str | None = None, settings: Mapping[str, Any] | None = None
) -> Subject:
    """The network of a choice: in the skeleton asked for, else in that of its weights, else in the
    usual one.

    Weights found with a study are left out where another skeleton is asked for; then the network is
    untrained.
    """
    if not choice.genotype.cells:
        raise NasError(
            f"a genotype of space {choice.genotype.space!r} has choices and no cells: no network "
            "to build"
        )
    searched = None if choice.weights is None else choice.weights.skeleton
    if searched is not None and skeleton is None and not settings:
        return _subject(choice, searched, choice.weights)
    around = around_choice(choice, skeleton, settings or {})
    own = not choice.found or (searched is not None and _same_network(searched, around))
    return _subject(choice, around, choice.weights if own else None)


def around_choice(choice: Choice, skeleton: str | None, settings: Mapping[str, Any]) -> Skeleton:
    """The skeleton that was asked for, else the usual one for pictures as those of its study."""
    chosen = choice.genotype.settings_of("skeleton")  # an image size, say
    usual = {name: value for name, value in choice.pictures.items() if name not in chosen}
    around = settings if skeleton is not None else {**usual, **settings}
    return surroundings(choice.genotype, skeleton, around, choice.entry).skeleton


def _same_network(one: Skeleton, other: Skeleton) -> bool:
    """Whether two skeletons differ at most in what serves training."""
    training = {
        "auxiliary": False,
        "drop_path_keep": 1.0,
        "drop_path_steps": 0,
        "dropout_keep": 1.0,
    }
    return replace(one, **training) == replace(other, **training)  # type: ignore[arg-type]


def _subject(choice: Choice, skeleton: Skeleton, weights: Weights | None) -> Subject:
    network = fresh_network(choice.genotype, skeleton)
    subject = Subject(
        title=choice.title,
        genotype=choice.genotype,
        skeleton=network.skeleton,
        network=network,
        origin=without_results(choice.origin),
    )
    if weights is None:
        return subject
    load_into(weights, network, names_in_file(subject))
    trained = _training(weights)
    mean, std = _pixels(weights)
    return replace(
        subject,
        origin=choice.origin if trained else subject.origin,
        trained=trained,
        classes=weights.classes if len(weights.classes) == skeleton.classes else (),
        mean=mean if len(mean) == skeleton.channels else (),
        std=std if len(std) == skeleton.channels else (),
    )


def _training(weights: Weights) -> dict[str, Any]:
    """What the weights were trained by; nothing where their file says that they are random."""
    if weights.facts.get("trained") is False:
        return {}
    known = {name: value for name, value in weights.facts.items() if name not in _OF_THE_SUBJECT}
    return known or {"weights": weights.file.name}


def _pixels(weights: Weights) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of the training pixels: the file's own, or those of the built-in dataset
    that it names."""
    from nas.registry import load, names
    from nas.training.datasets import Dataset

    mean, std = weights.numbers("mean"), weights.numbers("std")
    name = str(weights.facts.get("dataset", ""))
    if not mean and name in names("dataset"):
        known = load("dataset", name)
        if isinstance(known, Dataset):
            return known.mean, known.std
    return mean, std
