"""Settings of skeleton and recipe that were given several values: decisions of the search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

from nas.contracts import Evaluator
from nas.errors import NasError, SettingsError, shortened
from nas.settings import Word, complete
from nas.training.recipe import Recipe
from search_spaces.cells import Decided, Setting
from search_spaces.cells.decided_settings import TABLES, DecidedSettings
from search_spaces.cells.skeleton import Skeleton, check_setting
from search_spaces.cells.space import SearchSpace


def divided(tree: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, tuple[Setting, ...]]]:
    """A tree of settings without those that were given several values, and these with their
    values, typed."""
    rest, decided = dict(tree), dict[str, tuple[Setting, ...]]()
    for table in TABLES:
        beside, inside = _parted(rest.get(table)), _parted(_of_evaluator(rest, table))
        for name, value in {**inside[1], **beside[1]}.items():
            values = _values(table, name, value)
            if len(values) > 1:
                decided[f"{table}.{name}"] = values
            else:
                beside[0][name] = values[0]  # a list of one is that one
        if table in rest or beside[0]:
            rest[table] = beside[0]
        if inside[1]:
            rest["evaluator"] = {**rest["evaluator"], table: inside[0]}
        if not rest.get(table):
            rest.pop(table, None)
    return rest, decided


def refuse_unheeded(
    evaluator: Callable[..., Evaluator], name: str, settings: Iterable[str]
) -> None:
    """Refuse to let a search decide what its evaluator would not look at."""
    heeded = getattr(evaluator, "heeds", ())
    for setting in settings:
        if setting.partition(".")[0] not in heeded:
            raise SettingsError(
                f"{setting} has several values, so each genotype would choose one, but evaluator "
                f"{name!r} does not heed what genotypes choose of it: give one value, or take "
                "--evaluator train"
            )


def refuse_for_latency_table(settings: Iterable[str]) -> None:
    """Refuse skeletons of several sizes where one table is to say how long they take."""
    for setting in settings:
        if setting.startswith("skeleton."):
            raise SettingsError(
                f"{setting} has several values, but a table of latencies is of one skeleton: give "
                "one, or ask a --latency-command"
            )


def with_decided(space: SearchSpace, decided: Decided) -> SearchSpace:
    """The space with a decision more for each of these."""
    return DecidedSettings(space=space, settings=decided)


def deciding(space: SearchSpace, given: Mapping[str, Any]) -> SearchSpace:
    """The space with a decision more for each setting given; one with a single value is refused."""
    fixed, decided = divided(given)
    for table, settings in fixed.items():
        for name in settings:
            raise SettingsError(
                f"{table}.{name} has one value, so there is nothing to draw: give several, as in "
                f"{table}.{name}=A,B, or leave it out"
            )
    return with_decided(space, decided)


def refuse_of_space(options: Mapping[str, Any]) -> None:
    """Say where a setting belongs that was taken for one of the space."""
    for name, value in options.items():
        for table, record in (("skeleton", Skeleton), ("recipe", Recipe)):
            if name in {field.name for field in fields(record)}:
                raise SettingsError(
                    f"{name} is a setting of the {table}, not of the space: say --set "
                    f"{table}.{name}={value}"
                )


def _of_evaluator(tree: Mapping[str, Any], table: str) -> object:
    evaluator = tree.get("evaluator")
    return evaluator.get(table) if isinstance(evaluator, Mapping) else None


def _parted(table: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of one value, and those of several."""
    if not isinstance(table, Mapping):
        return {}, {}
    several = {name: value for name, value in table.items() if is_several(value)}
    return {name: value for name, value in table.items() if name not in several}, several


def is_several(value: object) -> bool:
    """Whether it is a list; no setting of a skeleton or recipe is one."""
    if isinstance(value, Word):
        return "," in value or value.strip().startswith("[")
    return isinstance(value, list | tuple)


def _values(table: str, name: str, value: Any) -> tuple[Setting, ...]:
    """The values of one setting, each typed as that setting is."""
    setting = f"{table}.{name}"
    pieces = value
    if isinstance(value, Word):
        pieces = [Word(piece.strip(" \"'")) for piece in value.strip().strip("[]").split(",")]
    try:
        check_setting(setting)
        typed = tuple(_typed(table, name, piece) for piece in pieces)
    except NasError as problem:
        raise SettingsError(f"{setting} is {shortened(value)}: {problem}") from problem
    if not typed or len(set(typed)) < len(typed):
        raise SettingsError(f"{setting} is {shortened(value)}: expected different values")
    return typed


def _typed(table: str, name: str, piece: Any) -> Setting:
    kind: type[Any] = Skeleton if table == "skeleton" else Recipe
    found: Any = complete(kind, {name: piece}, table)[name]
    if not isinstance(found, bool | int | float | str):
        raise SettingsError(f"{shortened(found)} cannot be one of several values")
    value: Setting = getattr(kind(**{name: found}), name)
    return value
