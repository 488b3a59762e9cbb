"""`nas.ray_searcher`: a strategy of ours where a `tune.Tuner` of one's own asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from nas.errors import SettingsError, shortened
from runners.on_ray.installed import require_ray

if TYPE_CHECKING:
    from nas.contracts import Strategy
    from runners.on_ray.strategy_searcher import StrategySearcher
    from search_spaces.cells.space import SearchSpace


def ray_searcher(
    strategy: str | Mapping[str, Any] | type[Strategy] = "policy-gradient",
    *,
    space: str | Mapping[str, Any] | SearchSpace = "nasnet",
    seed: int = 0,
    metric: str,
    mode: str = "max",
    last_step: int | None = None,
    stopped_as: Literal["worst", "ignore"] = "worst",
) -> StrategySearcher:
    """A strategy as a searcher of Ray Tune, for `tune.TuneConfig(search_alg=...)`.

    Each config has a key for every decision, `genotype` (JSON, for `nas.build`) and `seed`. Each
    genotype is tried once; when all are, the run ends. State is saved and restored with the
    experiment.

    Args:
        strategy, space: names, or tables with a name and options; a class, an object.
        seed: of all proposals.
        metric, mode: what is raised (`max`) or lowered (`min`).
        last_step: the `training_iteration` of a full trial. Needed where full ones are ended by
            a scheduler (ASHA at its `max_t`) or by `stop`, and for trainables that are classes;
            else a trial is full that ends by itself.
        stopped_as: what the strategy hears of a trial that a scheduler stopped: the worst full
            score so far (`worst`), or nothing (`ignore`).

    >>> import nas
    >>> searcher = nas.ray_searcher("evolution", space="ladder", metric="score")
    >>> config = searcher.suggest("first")
    >>> sorted(config)[:2]
    ['genotype', 'op']
    """
    require_ray()
    if last_step is not None and last_step < 1:
        raise SettingsError(f"last_step is {shortened(last_step)}: expected 1 or more")
    if stopped_as not in ("worst", "ignore"):
        raise SettingsError(f"stopped_as is {shortened(stopped_as)}: expected worst or ignore")
    from runners.on_ray.strategy_searcher import SearcherParts, StrategySearcher

    return StrategySearcher(
        SearcherParts(strategy, space, seed, last_step, stopped_as), metric, mode
    )
