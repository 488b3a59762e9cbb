"""Whatever has a name, by kind: parts, operations, published cells, presets, skeletons."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from nas import registry
from nas.settings import Option, options_of

Names = Callable[[], list[str]]
_ALWAYS_SHOWN = ("epochs", "batch_size", "learning_rate")
_PLURALS = {"strategy": "strategies", "proxy": "proxies"}


def listed_kinds() -> dict[str, Names]:
    """What can be listed, each with the function that lists it; parts are not imported to do so."""
    from search_spaces import zoo
    from search_spaces.cells import known_ops

    parts: dict[str, Names] = {
        _PLURALS.get(kind, f"{kind}s"): partial(registry.names, kind) for kind in registry.KINDS
    }
    return {
        **parts,
        "formats": lambda: sorted(_formats()),
        "genotypes": zoo.names,
        "ops": lambda: list(known_ops()),
        "presets": lambda: sorted(_presets()),
        "recipes": lambda: sorted(_presets()),
        "skeletons": lambda: sorted(_skeletons()),
    }


def described_kinds() -> dict[str, Names]:
    """What can be described."""
    listed = listed_kinds()
    settings = {f"{kind}": listed[f"{kind}s"] for kind in ("format", "preset", "recipe")}
    parts: dict[str, Names] = {kind: partial(registry.names, kind) for kind in registry.KINDS}
    return {**parts, **settings, "skeleton": listed["skeletons"]}


def options_by_default(kind: str) -> dict[str, Option]:
    """The settings of a recipe or a skeleton."""
    return options_of(_classes()[kind])


def documented(kind: str) -> str:
    """What a recipe or a skeleton is, and what each setting means."""
    return inspect.getdoc(_classes()[kind]) or ""


def _classes() -> dict[str, type]:
    from nas.training.recipe import Recipe
    from search_spaces.cells.skeleton import Skeleton

    return {"recipe": Recipe, "skeleton": Skeleton}


def settings_called(kind: str, name: str) -> tuple[str, dict[str, Any]]:
    """What a preset, a recipe or a skeleton of this name is, and all that it sets; those of a
    preset are called `recipe.epochs` and so on."""
    from nas.errors import NasError, known_names

    known: Mapping[str, Any] = _skeletons() if kind == "skeleton" else _presets()
    if name not in known:
        raise NasError(known_names(name, known, kind))
    if kind == "skeleton":
        return f"The published skeleton {name} (--skeleton {name}).", known[name]
    whose, recipe, skeleton = known[name]
    if kind == "recipe":
        return f"The recipe of preset {name}, {whose}.", recipe
    usual = {option.name: option.default for option in options_by_default("recipe").values()}
    changed = {
        f"recipe.{key}": value
        for key, value in recipe.items()
        if value != usual[key] or key in _ALWAYS_SHOWN
    }
    text = (
        f"A preset {whose} (--preset {name}). What is not listed is as in `nas describe recipe` "
        "and `nas describe skeleton`."
    )
    return text, {**changed, **{f"skeleton.{key}": value for key, value in skeleton.items()}}


def _presets() -> dict[str, tuple[str, dict[str, Any], Mapping[str, Any]]]:
    """Each preset: whose it is, the settings of its recipe and those of its skeleton."""
    from nas.full_size.presets import PRESETS
    from nas.training.datasets import presets

    large = {
        name: ("of `nas transfer`", asdict(each.recipe), each.skeleton)
        for name, each in PRESETS.items()
    }
    return large | {
        name: (f"of dataset {dataset.name}", asdict(each.recipe), each.skeleton)
        for name, (dataset, each) in presets().items()
    }


def _skeletons() -> dict[str, dict[str, Any]]:
    from search_spaces.cells.skeleton import SKELETONS

    return {name: asdict(skeleton) for name, skeleton in SKELETONS.items()}


def _formats() -> tuple[str, ...]:
    from nas.exporting.known import format_words

    return format_words()
