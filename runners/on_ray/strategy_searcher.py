"""A strategy of ours as a searcher of Ray Tune, for whoever has a `tune.Tuner` of their own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, final

from ray.tune.search import Searcher

from nas import registry
from nas.contracts import Strategy
from nas.errors import SettingsError, shortened
from nas.settings import complete
from runners.on_ray.suggestions import Ended, Suggestions
from search_spaces.cells.space import SearchSpace

TRAINING_ITERATION: Final = "training_iteration"  # as Tune counts reports
GENOTYPE, SEED = "genotype", "seed"  # keys of a config beside the decisions
_MANY: Final = 3  # trials that were stopped, before it is odd that none was full

Words = str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SearcherParts:
    """What a searcher is made of, so that it can be made again.

    Args:
        last_step: the `training_iteration` of a full trial; None: a trial is full that ends by
            itself.
    """

    strategy: Any
    space: Any
    seed: int
    last_step: int | None
    stopped_as: Literal["worst", "ignore"]

    def begin(self) -> Suggestions:
        """Suggestions that know nothing yet."""
        space = _space_of(self.space)
        taken = {GENOTYPE, SEED} & {decision.name for decision in space.decisions}
        if taken:
            raise SettingsError(
                f"a decision of the space is called {min(taken)!r}, as is a key of every config: "
                "call it something else"
            )
        return Suggestions(_strategy_of(self.strategy, space, self.seed), self.stopped_as)


@final
class StrategySearcher(Searcher):
    """Suggests configs with a key for each decision, the genotype as JSON and a seed.

    A trial that a scheduler stopped is never taken for a full one: by `last_step`, where that was
    given; else a trial is full whose last report Tune let pass, for then it ended by itself.
    """

    def __init__(self, wanted: SearcherParts, metric: str, mode: str) -> None:
        if mode not in ("max", "min"):
            raise SettingsError(f"mode is {shortened(mode)}: expected 'max' or 'min'")
        super().__init__(metric=metric, mode=mode)
        self._wanted = wanted
        self._scored_by = metric
        self._suggestions = wanted.begin()
        self._passed: dict[str, int] = {}  # by open trial, the last step that Tune let pass
        self._stopped = 0

    def suggest(self, trial_id: str) -> Any:
        """The next new genotype; None while results must come first, FINISHED when none is left."""
        trial = self._suggestions.suggest(trial_id)
        if trial is None:
            return Searcher.FINISHED if self._suggestions.is_over else None
        space = self._suggestions.strategy.space
        answers = zip(space.decisions, space.encode(trial.genotype), strict=True)
        chosen = {decision.name: decision.options[answer] for decision, answer in answers}
        return {**chosen, GENOTYPE: trial.genotype.to_json(), SEED: trial.seed}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A report that did not end its trial."""
        self._passed[trial_id] = result.get(TRAINING_ITERATION, 0)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """The end of a trial, as Tune says it: full, stopped and failed ones alike."""
        passed = self._passed.pop(trial_id, None)
        self._suggestions.end(trial_id, self._how(passed, result or {}, error=error))

    def save(self, checkpoint_path: str) -> None:
        """Write down all that has happened."""
        Path(checkpoint_path).write_text(self._suggestions.to_json(), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Hear again all that had happened."""
        self._suggestions = self._wanted.begin()
        self._suggestions.replay(Path(checkpoint_path).read_text(encoding="utf-8"))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_suggestions": self._suggestions.to_json()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._suggestions = self._wanted.begin()
        self._suggestions.replay(state["_suggestions"])

    def _how(self, passed: int | None, result: Mapping[str, Any], *, error: bool) -> Ended:
        value = result.get(self._scored_by)
        if error or not isinstance(value, int | float) or not math.isfinite(value):
            return Ended("failed")
        if self._is_full(passed, result):
            return Ended("told", float(value) if self._mode == "max" else -float(value))
        self._stopped += 1
        if self._stopped == _MANY and not self._suggestions.full and self._wanted.last_step is None:
            warnings.warn(
                f"{_MANY} trials have ended and none is known to be full, so nothing is learned "
                "from: if full trials are ended by the scheduler (its max_t) or by stop=, or your "
                "trainable is a class, say nas.ray_searcher(..., last_step=N), the "
                "training_iteration of a full one",
                stacklevel=2,
            )
        return Ended("stopped")

    def _is_full(self, passed: int | None, result: Mapping[str, Any]) -> bool:
        step = result.get(TRAINING_ITERATION, 0)
        if self._wanted.last_step is not None:
            return bool(step >= self._wanted.last_step)
        return bool(step == passed)


def _space_of(space: Any) -> SearchSpace:
    if isinstance(space, SearchSpace):
        return space
    name, options = _words(space)
    registry.allow(name)
    factory = registry.load("space", name)
    made: SearchSpace = factory(**complete(factory, options, "space"))
    return made


def _strategy_of(strategy: Any, space: SearchSpace, seed: int) -> Strategy:
    if isinstance(strategy, type):
        made: Strategy = strategy(space, seed)
        return made
    name, options = _words(strategy)
    registry.allow(name)
    factory = registry.load("strategy", name)
    _, _, argument = name.partition(":")
    if argument and not registry.is_outside("strategy", name):
        options = {"sampler": argument, **options}
    chosen: Strategy = factory(space, seed, **complete(factory, options, "strategy"))
    return chosen


def _words(part: Words) -> tuple[str, dict[str, Any]]:
    """Name and options of a part, given as a name or as a table of both."""
    if isinstance(part, str):
        return part, {}
    if isinstance(part, Mapping) and isinstance(part.get("name"), str):
        return part["name"], {name: value for name, value in part.items() if name != "name"}
    raise SettingsError(
        f"{shortened(part)} names no part: expected a name, or a table such as "
        "{'name': 'evolution', 'population': 50}"
    )
