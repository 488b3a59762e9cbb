"""The settings of a search as keyword arguments, by the names of the options of the command
line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from nas.errors import SettingsError, known_names, shortened
from nas.search.objects import table_of
from nas.search.words import PARTS, PLACES, tree_of
from nas.settings import assignments, merged

if TYPE_CHECKING:
    from nas.contracts import Evaluator, Runner, Strategy
    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import SearchSpace

    OneStrategy = str | type[Strategy]

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
    table: str | Path | Sequence[str | Path]
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
    evaluations_per_trial: int
    failure_score: float
    stopped_as: str
    early_stop: str
    screen: str
    fidelity: str
    deterministic: bool
    lag: int
    max_params: str | float
    max_macs: str | float
    max_latency_ms: str | float
    latency_command: str
    latency_table: str | Path
    objectives: str | Sequence[str]
    scales: str | Sequence[Sequence[float]]
    start_from: Sequence[str | Genotype]
    learn_from: Sequence[str | Path]
    out: str | Path
    config: str | Path
    set: Mapping[str, Any] | Sequence[str]


class SearchSettings(SharedSettings, total=False):
    """What one search is told."""

    strategy: str | Mapping[str, Any] | type[Strategy]
    seed: int
    max_hours: float


def tree_of_keywords(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same tree from keyword arguments, where parts may be objects."""
    known = (*PLACES, *_OTHERS)
    for name in given:
        if name not in known:
            raise SettingsError(known_names(name, known, "setting of a search"))

    words = {name: _plain(name, value) for name, value in given.items()}
    parts = {kind: table_of(kind, words.pop(kind)) for kind in PARTS if words.get(kind) is not None}
    return merged(tree_of(words, _nested(words.get("set") or {})), parts)


def _plain(name: str, value: Any) -> Any:
    """What the command line would have read: files as text, genotypes as JSON."""
    if name == "start_from" and value is not None:
        return [each if isinstance(each, str) else each.to_json() for each in value]
    if name == "dataset" and value is not None and not isinstance(value, str):
        return table_of("dataset", value)["name"]
    if isinstance(value, list | tuple) and name in ("table", "learn_from"):
        return [str(each) for each in value]
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
