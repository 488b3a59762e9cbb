"""A search from Python, from its settings to its winner: `nas.search`, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, final

from nas.errors import StudyError
from nas.exporting.known import formats_of
from nas.exporting.winner import finish, refuse_without_weights
from nas.search.confirmed import confirmation_of
from nas.search.keywords import SearchSettings, tree_of_keywords
from nas.search.objects import refuse_unrecorded
from nas.search.plan import Plan
from nas.search.progress import ProgressLine
from nas.search.reading import ledger_of
from nas.search.run import OpenSearch, open_search, run
from nas.search.words import assignment
from search_spaces.cells.genotype import Genotype

if TYPE_CHECKING:
    from nas.exporting.export import Exported
    from nas.search.trials import TrialsFrame


@final
@dataclass(frozen=True, slots=True)
class Best:
    """The best trial of a study.

    Args:
        final: what it was judged by after the search, where it was.
    """

    number: int
    score: float
    genotype: Genotype
    final: Mapping[str, float]

    @property
    def key(self) -> str:
        """The same for equal networks."""
        return self.genotype.key


@final
@dataclass(frozen=True, slots=True)
class Status:
    """How far a study is.

    Args:
        finished: why it ended, or None while more may follow.
        trials: how many were asked.
        counts: evaluated, reused, stopped, failed, skipped, retried.
    """

    finished: str | None
    trials: int
    counts: Mapping[str, int]
    cost_seconds: float


@final
@dataclass(frozen=True, slots=True)
class SearchedStudy:
    """A study that was searched: everything is read from its folder when it is asked for."""

    folder: Path

    def __init__(self, folder: str | Path) -> None:
        object.__setattr__(self, "folder", Path(folder))

    @property
    def best(self) -> Best:
        """The best trial; of equals the one told first. Of a search whose best were judged again it
        is the one that was chosen so."""
        confirmation = confirmation_of(self.folder)
        if confirmation is not None:
            return SearchedStudy(confirmation).best
        ledger = ledger_of(self.folder, Plan.read(self.folder).rules)
        found = ledger.best
        if found is None:
            raise StudyError(f"{self.folder} has no evaluated trial yet: search on")
        number = found.trial.number
        return Best(number, found.score, found.trial.genotype, ledger.opened.get(number, {}))

    @property
    def status(self) -> Status:
        """How far it is."""
        ledger = ledger_of(self.folder, Plan.read(self.folder).rules)
        return Status(ledger.finished, ledger.bought_trials, dict(ledger.counts), ledger.cost)

    def trials(self) -> TrialsFrame:
        """A row for each trial: number, state, score, seconds, key, failure, metrics, choices."""
        from nas.search.trials import trials_frame

        return trials_frame(self.folder)

    def front(self) -> TrialsFrame:
        """A row for each trial that no other dominates: number, knee, objectives, key."""
        from nas.search.trials import front_frame

        return front_frame(self.folder)

    def export(
        self, out: str | Path | None = None, to: str | Sequence[str] | None = None
    ) -> Exported:
        """Export the winner to a folder, each file verified.

        Args:
            out: the folder; None is `best/` of the study.
            to: formats; None is all that can be written here.
        """
        from nas.exporting.networks import export

        return export(self.folder, to=to, out=out)

    def export_front(
        self, out: str | Path | None = None, to: str | Sequence[str] | None = None
    ) -> list[Exported]:
        """Export all on the front, each to a folder of its own, each file verified.

        Args:
            out: the folder of these; None is `best/front/` of the study.
            to: formats; None is all that can be written here.
        """
        from nas.exporting.networks import export_front

        return export_front(self.folder, to=to, out=out)


def search(
    *,
    to: str | Sequence[str] | None = None,
    progress: bool | None = None,
    **settings: Unpack[SearchSettings],
) -> SearchedStudy:
    """Search: draw, judge, remember. The same call again continues the study that it began.

    Settings have the names that `nas search --help` explains, parts of a study are given as names,
    as tables with options, or as classes and objects of your own.

    Args:
        to: formats in which a trained winner is exported; None is all that take seconds, () none.
        progress: whether to show a line of progress; None is in a terminal or a notebook.

    >>> import nas
    >>> study = nas.search(
    ...     space="nasbench201", evaluator="landscape", strategy="evolution", trials=30, out="first"
    ... )
    >>> study.status.finished
    'all 30 trials are done'
    >>> sorted(study.best.genotype.cells)
    ['normal']
    """
    todo = assignment(tree_of_keywords(settings))
    refuse_unrecorded(todo.plan, settings)
    formats = formats_of(to)
    if formats:
        evaluator = todo.plan.evaluator
        cheap = getattr(evaluator.factory, "cheap", False)
        refuse_without_weights(evaluator.name, cheap=cheap, formats=formats)

    line = ProgressLine(progress)
    with open_search(todo.plan, todo.folder, todo.budget, line.see) as search:
        line.follow(search)
        reason = run(search)
        line.end()
        if reason is not None:
            _export(search, formats)
    return SearchedStudy(todo.folder)


def _export(search: OpenSearch, formats: list[str] | None) -> None:
    """Export the winner where its network was trained and its weights were kept; what fails is
    told."""
    best, study = search.study.ledger.best, search.study
    trial = None if best is None else best.trial
    winner = finish(
        study.folder, trial, search.evaluator, formats, lambda text: study.notice(text, "winner")
    )
    if winner is not None and winner.problem is not None:
        study.notice(f"not every format could be exported: {winner.problem}", "winner")
