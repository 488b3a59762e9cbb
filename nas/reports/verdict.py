"""A comparison from Python, from its settings to its verdict: `nas.compare`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, final

from nas.errors import SettingsError, shortened
from nas.reports.experiment import read_experiment
from nas.reports.write import write_report
from nas.search.comparing.request import asked_of, default_folder
from nas.search.comparing.run import Progress
from nas.search.comparing.run import compare as run_comparison
from nas.search.keywords import SharedSettings, tree_of_keywords
from nas.search.objects import refuse_unrecorded, table_of
from nas.settings import merged

if TYPE_CHECKING:
    import pandas

    from nas.contracts import Evaluator
    from nas.reports.findings import Findings
    from nas.search.keywords import OneStrategy

    Strategies = Sequence[OneStrategy] | Mapping[str, OneStrategy]


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison came to; everything is read from its folder when it is asked for."""

    folder: Path
    margin: float | None = None

    @property
    def sentence(self) -> str:
        """Which strategies are better than random search, in one sentence."""
        return self._analysed().verdict

    @property
    def table(self) -> pandas.DataFrame:
        """A row for each arm beside random search: verdict, difference, interval, p, ..."""
        import pandas

        from nas.reports.as_json import tree

        return pandas.DataFrame(tree(self._analysed().comparisons))

    def report(self, out: str | Path | None = None) -> Path:
        """Write report.html, report.md, report.json, trials.csv and figures; returns the page."""
        place, _ = write_report([self.folder], None if out is None else Path(out), self.margin)
        return place / "report.html"

    def _analysed(self) -> Findings:
        from nas.reports.compare import analysed

        return analysed(read_experiment([self.folder]), self.margin)


def compare(
    strategies: Strategies,
    *,
    seeds: int | str | Sequence[int] = 10,
    confirm: int | None = None,
    confirm_score: str | None = None,
    confirm_cost: str | None = None,
    confirm_evaluator: str | Mapping[str, Any] | type[Evaluator] | None = None,
    margin: float | None = None,
    pilot: int = 0,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **settings: Unpack[SharedSettings],
) -> Verdict:
    """Compare strategies over many seeds, and say which are better than random search.

    Random search always takes part. The same call again continues the comparison that it began.

    Args:
        strategies: names or classes; a mapping gives each a label, as in `{"small": "evolution"}`.
        seeds: how many (10 means 1 to 10), "1-50", or a list of them.
        confirm: how many of the best of each search are evaluated again, to choose by that.
        confirm_evaluator: another judge for these, by what it knows of the settings; its own ones
            as `{"name": "train", "recipe": {"epochs": 8}}`.
        progress: called with how many studies have ended, and of how many.

    >>> import nas
    >>> verdict = nas.compare(
    ...     ["evolution"], seeds=3, space="nasbench201", evaluator="landscape", trials=20,
    ...     processes=1, out="duel",
    ... )
    >>> list(verdict.table["arm"])
    ['evolution']
    """
    tree = tree_of_keywords(settings)
    judge: dict[str, Any] = {}
    if confirm_evaluator is not None:
        judge = table_of("evaluator", confirm_evaluator)
        tree = merged(tree, {"confirm": {name: judge[name] for name in judge if name != "name"}})
    asked, budget = asked_of(
        tree,
        _words(strategies),
        seeds if isinstance(seeds, str) else _seeds(seeds),
        confirm=confirm,
        confirm_score=confirm_score,
        confirm_cost=confirm_cost,
        confirm_evaluator=judge.get("name"),
        margin=margin,
        pilot=pilot,
    )
    refuse_unrecorded(asked.arms[0].plan, settings)
    out = tree.get("study", {}).get("out")
    folder = Path(out) if out else default_folder(asked)

    told = Progress()
    if progress is not None:
        hear = progress
        told.changed = lambda now: hear(now.ended, now.total)
    run_comparison(folder, asked, budget, processes, told)
    return Verdict(folder, margin)


def _words(strategies: Strategies) -> str:
    """The strategies as the command line spells them."""
    if isinstance(strategies, str):
        return strategies
    if isinstance(strategies, Mapping):
        return ",".join(f"{label}={_name(each)}" for label, each in strategies.items())
    return ",".join(_labelled(each) for each in strategies)


def _labelled(strategy: OneStrategy) -> str:
    name = _name(strategy)
    return f"{strategy.__name__}={name}" if inspect.isclass(strategy) and ":" in name else name


def _name(strategy: OneStrategy) -> str:
    return str(table_of("strategy", strategy)["name"])


def _seeds(seeds: int | Sequence[int]) -> str:
    if isinstance(seeds, int):
        return str(seeds)
    numbers = list(seeds)
    if not numbers or not all(isinstance(seed, int) for seed in numbers):
        raise SettingsError(f"seeds is {shortened(numbers)}: expected a number, or a list of them")
    return ",".join(f"{seed}-{seed}" for seed in numbers)
