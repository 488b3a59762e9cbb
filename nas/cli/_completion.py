"""What a shell offers behind an option or in place of a word: names of parts, published cells,
folders of studies. Nothing heavy is imported, for whoever presses TAB is waiting."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from typer.models import ArgumentInfo, OptionInfo

Complete = Callable[[str], list[str]]
_MARKS = ("study.json", "compare.json")  # what the folder of a study or a comparison holds
_MOST = 200


def parts(kind: str) -> Complete:
    """Completes the names of a kind of part."""

    def complete(incomplete: str) -> list[str]:
        from nas import registry

        return _beginning(registry.names(kind), incomplete)

    return complete


def lists_of(complete: Complete) -> Complete:
    """Completes the last of several names with commas between."""

    def extend(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in complete(last)]

    return extend


def formats(incomplete: str) -> list[str]:
    """The words of `--to`."""
    from nas import registry

    return _beginning((name.partition("-")[0] for name in registry.names("exporter")), incomplete)


def presets(incomplete: str) -> list[str]:
    """The presets that datasets carry."""
    from nas.training.datasets import presets as known

    return _beginning(known(), incomplete)


def skeletons(incomplete: str) -> list[str]:
    """The published skeletons."""
    from search_spaces.cells.skeleton import SKELETONS

    return _beginning(SKELETONS, incomplete)


def studies(incomplete: str) -> list[str]:
    """Folders of studies, and folders on the way to them."""
    return [str(path) if _is_study(path) else f"{path}/" for path in _folders(incomplete)]


def genotypes(incomplete: str) -> list[str]:
    """Published cells, folders of studies, and files that may hold a genotype or weights."""
    from search_spaces import zoo

    files = [str(path) for path in _entries(incomplete) if path.suffix in (".json", ".safetensors")]
    return [*_beginning(zoo.names(), incomplete), *studies(incomplete), *files]


def listed_kinds(incomplete: str) -> list[str]:
    """What `nas list` takes."""
    from nas.cli._kinds import listed_kinds as kinds

    return _beginning(kinds(), incomplete)


def described_kinds(incomplete: str) -> list[str]:
    """What `nas describe` takes first."""
    from nas.cli._kinds import described_kinds as kinds

    return _beginning(kinds(), incomplete)


def described_names(ctx: Any, incomplete: str) -> list[str]:
    """What `nas describe` takes behind a kind."""
    from nas.cli._kinds import described_kinds as kinds

    names = kinds().get(str(ctx.params.get("kind")))
    return [] if names is None else _beginning(names(), incomplete)


def runners(incomplete: str) -> list[str]:
    """The shortest names, which runners share with places of trainings at full size."""
    from nas import registry

    return _beginning((name.partition("-")[0] for name in registry.names("runner")), incomplete)


def transfer_presets(incomplete: str) -> list[str]:
    """The presets of a transfer; to ask for them would import torch."""
    return _beginning(("fit", "imagenet-large", "imagenet-mobile"), incomplete)


# What is offered for a word or an option of this name: of one verb, or of any.
_BY_NAME: dict[str, Callable[..., list[str]]] = {
    "list kind": listed_kinds,
    "describe kind": described_kinds,
    "describe name": described_names,
    "transfer preset": transfer_presets,
    "track to": parts("tracker"),
    "track": parts("tracker"),
    "space": parts("space"),
    "strategy": parts("strategy"),
    "strategies": lists_of(parts("strategy")),
    "evaluator": parts("evaluator"),
    "runner": runners,
    "dataset": parts("dataset"),
    "pretrain": parts("dataset"),
    "preset": presets,
    "skeleton": skeletons,
    "to": lists_of(formats),
    "source": genotypes,
    "start_from": genotypes,
    "folder": studies,
    "folders": studies,
}


def completed(command: Callable[..., None]) -> Callable[..., None]:
    """The function of a verb, whose words and options a shell can complete."""
    signature = inspect.signature(command, eval_str=True)
    verb = command.__module__.rpartition(".")[2]
    for name, parameter in signature.parameters.items():
        for info in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(info, OptionInfo | ArgumentInfo):
                info.autocompletion = _BY_NAME.get(f"{verb} {name}", _BY_NAME.get(name))
    command.__signature__ = signature  # type: ignore[attr-defined]
    return command


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _folders(incomplete: str) -> Iterator[Path]:
    """The folders that go on as typed; where nothing is typed, those in results/ first."""
    if not incomplete:
        yield from (path for path in _entries("results/") if _is_study(path))
    yield from (path for path in _entries(incomplete) if path.is_dir())


def _entries(incomplete: str) -> list[Path]:
    place, _, name = incomplete.rpartition("/")
    folder = Path(place or ("/" if incomplete.startswith("/") else ".")).expanduser()
    try:
        found = sorted(path for path in folder.iterdir() if path.name.startswith(name))
    except OSError:
        return []
    shown = [path for path in found if not path.name.startswith(".") or name.startswith(".")]
    return shown[:_MOST]


def _is_study(path: Path) -> bool:
    return any((path / mark).is_file() for mark in _MARKS)
