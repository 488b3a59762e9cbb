"""The settings of a search by name: the same names as options of the command line and as keyword
arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from nas.errors import SettingsError, known_names, shortened
from nas.search.objects import PARTS, table_of
from nas.settings import assignments, merged, read_config

if TYPE_CHECKING:
    from nas.contracts import Evaluator, Runner, Strategy
    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import SearchSpace

    OneStrategy = str | type[Strategy]

_TABLES = {
    "runner": (
        *("workers", "trial_timeout", "gpus_per_trial", "cpus_per_trial"),
        *("concurrency", "address"),
    ),
    "evaluator": (
        *("table", "score", "cost", "final", "decisions"),
        *("dataset", "preset", "data_dir", "skip_corrupt", "device"),
    ),
    "study": (
        *("seed", "trials", "budget_seconds", "max_hours", "duplicates", "retries"),
        *("failure_score", "stopped_as", "early_stop", "deterministic", "lag"),
        *("max_params", "max_macs", "start_from", "out"),
    ),
}
_PLACES = {name: (table, name) for table, names in _TABLES.items() for name in names} | {
    part: (part, "name") for part in PARTS
}
_OTHERS = ("config", "set")


class SharedSettings(TypedDict, total=False):
    """What searches and comparisons are told alike; `nas search --help` says what each means."""

    space: str | Mapping[str, Any] | type[SearchSpace] | SearchSpace
    evaluator: str | Mapping[str, Any] | type[Evaluator] | Evaluator
    runner: str | Mapping[str, Any] | type[Runner] | Runner
    dataset: Any  # a name, or the record or function of a file of datasets
    preset: str
    data_dir: str | Path
    skip_corrupt: bool
    device: str
    table: str | Path
    score: str
    cost: str
    final: str
    decisions: str
    trials: int
    budget_seconds: float
    workers: int
    trial_timeout: float
    gpus_per_trial: float
    cpus_per_trial: float
    concurrency: int
    address: str
    duplicates: str
    retries: int
    failure_score: float
    stopped_as: str
    early_stop: str
    deterministic: bool
    lag: int
    max_params: str | float
    max_macs: str | float
    start_from: Sequence[str | Genotype]
    out: str | Path
    config: str | Path
    set: Mapping[str, Any] | Sequence[str]


class SearchSettings(SharedSettings, total=False):
    """What one search is told."""

    strategy: str | Mapping[str, Any] | type[Strategy]
    seed: int
    max_hours: float


def tree_of_words(words: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a file, of `--set` and of flags as one tree; flags win, then `--set`, then
    the file."""
    return _tree(words, assignments(words.get("settings") or []))


def tree_of_keywords(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same tree from keyword arguments, where parts may be objects."""
    known = (*_PLACES, *_OTHERS)
    for name in given:
        if name not in known:
            raise SettingsError(known_names(name, known, "setting of a search"))

    words = {name: _plain(name, value) for name, value in given.items()}
    parts = {kind: table_of(kind, words.pop(kind)) for kind in PARTS if words.get(kind) is not None}
    return merged(_tree(words, _nested(words.get("set") or {})), parts)


def _tree(words: Mapping[str, Any], assigned: Mapping[str, Any]) -> dict[str, Any]:
    flags: dict[str, dict[str, Any]] = {}
    for name, value in words.items():
        if name in _PLACES and value is not None and value != [] and value is not False:
            table, option = _PLACES[name]
            flags.setdefault(table, {})[option] = value

    config = words.get("config")
    return merged(read_config(Path(config)) if config else {}, merged(assigned, flags))


def _plain(name: str, value: Any) -> Any:
    """What the command line would have read: files as text, genotypes as JSON."""
    if name == "start_from" and value is not None:
        return [each if isinstance(each, str) else each.to_json() for each in value]
    if name == "dataset" and value is not None and not isinstance(value, str):
        return table_of("dataset", value)["name"]
    return str(value) if isinstance(value, Path) else value


def _nested(settings: Mapping[str, Any] | Iterable[str]) -> dict[str, Any]:
    """`{"strategy.population": 50}` as `{"strategy": {"population": 50}}`; texts as after
    `--set`."""
    if isinstance(settings, str):
        raise SettingsError(
            f"set is {shortened(settings)}: expected a list of texts, or a table such as "
            "{'strategy.population': 50}"
        )
    if not isinstance(settings, Mapping):
        return assignments(settings)

    tree: dict[str, Any] = {}
    for name, value in settings.items():
        first, dot, rest = name.partition(".")
        if not dot and not isinstance(value, Mapping):
            raise SettingsError(
                f"{shortened(name)} is no setting: expected part.option, as in strategy.population"
            )
        below = _nested({rest: value}) if "." in rest else {rest: value}
        tree = merged(tree, {first: below if dot else value})
    return tree


__all__ = ["SearchSettings", "SharedSettings", "tree_of_keywords", "tree_of_words"]
