"""A study whose trials are judged in the user's own loop: `nas.open_study`."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, SupportsFloat, Unpack, final

from nas.contracts import Evaluation, Evaluator, Failure, Outcome, Report, Stopped, Trial
from nas.errors import SettingsError, StudyError, shortened
from nas.search.decided import divided
from nas.search.keywords import SearchSettings, tree_of_keywords
from nas.search.objects import refuse_unrecorded
from nas.search.run import open_search, settle
from nas.search.words import assignment
from nas.study.attempt import plain
from nas.study.study import Study
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

if TYPE_CHECKING:
    from nas.search.trials import TrialsFrame

_ELSEWHERE = ("evaluator", "runner", "recipe", "skeleton")


@final
class OwnLoop(Evaluator):
    """What `study.json` names as the evaluator of such a study; it judges nothing itself."""

    heeds = ("skeleton", "recipe")  # as far as the loop does
    in_hand = False

    def measured(self) -> Mapping[str, Any]:
        """Nothing; asked before a study opens, so this is where all but its own loop are sent
        away."""
        return {} if self.in_hand else self._refuse()

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """Refuse: the loop judges."""
        del genotype, seed, workdir, report
        return self._refuse()

    def _refuse(self) -> NoReturn:
        raise StudyError(
            "this study is judged in a loop of your own: continue it there, with nas.open_study"
        )


@final
@dataclass(frozen=True, slots=True)
class OwnTrial:
    """One trial of your own loop.

    Args:
        choices: what was chosen, by the names of decisions; empty for a genotype that the space
            can build but not draw.
    """

    number: int
    genotype: Genotype
    seed: int
    choices: Mapping[str, int | str]
    notes: Mapping[str, Any]


@final
class OwnStudy:
    """A study that is open for your own loop: ask `todo`, judge, `tell`."""

    def __init__(self, study: Study, space: SearchSpace) -> None:
        self._study = study
        self._space = space
        self._began: dict[int, float] = {}

    @property
    def folder(self) -> Path:
        """Where the study lies."""
        return self._study.folder

    @property
    def finished(self) -> str | None:
        """Why the study has ended, or None while trials may follow."""
        return self._study.end_reason if self._study.is_over else None

    @property
    def space(self) -> SearchSpace:
        """What the genotypes are drawn from."""
        return self._space

    def todo(self) -> Iterator[OwnTrial]:
        """Trials one after another, until the budget is spent; first those that were left open."""
        for trial in self._study.todo():
            self._began[trial.number] = time.monotonic()
            yield self._own(trial)

    def tell(self, trial: OwnTrial | Trial | int, outcome: SupportsFloat | Outcome) -> None:
        """End a trial with a score (higher is better), an Evaluation or a Failure.

        A score alone costs the seconds since the trial was given out. A failure is tried once
        more, unless `retries` says otherwise.
        """
        number = trial if isinstance(trial, int) else trial.number
        self._study.tell(number, self._checked(number, outcome))

    def front(self) -> TrialsFrame:
        """A row for each trial that no other dominates; of a study with several objectives."""
        from nas.search.trials import front_frame

        return front_frame(self.folder)

    def progress(
        self, trial: OwnTrial | Trial | int, step: int, metrics: Mapping[str, Any]
    ) -> bool:
        """Write down one step of a learning curve; False asks the trial to stop (then tell a
        `Stopped`)."""
        number = trial if isinstance(trial, int) else trial.number
        return self._study.progress(number, step, plain(metrics))

    def workdir(self, trial: OwnTrial | Trial | int) -> Path:
        """A folder in which this trial may write; what lies in its `keep/` stays with the best."""
        folder = self._study.workdir(trial if isinstance(trial, int) else trial.number)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _own(self, trial: Trial) -> OwnTrial:
        choices = chosen(self._space, trial.genotype)
        return OwnTrial(trial.number, trial.genotype, trial.seed, choices, trial.notes)

    def _checked(self, number: int, outcome: SupportsFloat | Outcome) -> Outcome:
        if isinstance(outcome, Failure):
            return outcome
        if isinstance(outcome, Evaluation | Stopped):
            _refuse_no_number(outcome.score)
            return outcome
        score = _number(outcome)
        return Evaluation(score, {}, time.monotonic() - self._began.get(number, time.monotonic()))


def chosen(space: SearchSpace, genotype: Genotype) -> dict[str, int | str]:
    """The options a genotype stands for, by the names of the decisions of its space."""
    answers = zip(space.decisions, space.encode(genotype), strict=True)
    return {decision.name: decision.options[answer] for decision, answer in answers}


@contextmanager
def open_study(folder: str | Path, **settings: Unpack[SearchSettings]) -> Iterator[OwnStudy]:
    """Open a study for a loop of your own: begin it, or continue the one that lies there.

    Settings are those of `nas.search`, but for who judges and where. A trial left open by a crash
    is given out again.

    >>> import nas
    >>> with nas.open_study("mine", space="ladder", strategy="evolution", trials=3) as study:
    ...     for trial in study.todo():
    ...         study.tell(trial, float(len(trial.choices)))
    >>> study.finished
    'all 3 trials are done'
    """
    tree = tree_of_keywords({**settings, "out": folder})
    fixed, _ = divided(tree)  # those with several values are decisions, which the loop may heed
    for table in _ELSEWHERE:
        if table in fixed:
            raise SettingsError(
                f"open_study judges in your own loop, so there is no {table} to set: leave out "
                f"{', '.join(sorted(fixed[table]))}, or call nas.search"
            )

    name = f"{OwnLoop.__module__}:{OwnLoop.__name__}"
    todo = assignment({**tree, "evaluator": {"name": name}})
    if todo.plan.rules.evaluations_per_trial > 1:
        raise SettingsError(
            "open_study judges in your own loop: judge with several seeds there, and tell "
            "Evaluation(mean, {'score_sd': sd, 'evaluations': n})"
        )
    if todo.plan.learn_from:
        raise SettingsError(
            "open_study judges in your own loop, and nobody can tell whether an older one judged "
            "alike: leave learn_from out"
        )
    refuse_unrecorded(todo.plan, settings)
    space = todo.plan.make_space()
    judge = OwnLoop(space)
    judge.in_hand = True
    with open_search(todo.plan, todo.folder, todo.budget, evaluator=judge) as search:
        yield OwnStudy(search.study, space)
        settle(search)


def _number(score: SupportsFloat) -> float:
    try:
        number = float(score)
    except (TypeError, ValueError) as problem:
        raise StudyError(
            f"the score is {shortened(score)}: expected a number, an Evaluation or a Failure"
        ) from problem
    _refuse_no_number(number)
    return number


def _refuse_no_number(score: float) -> None:
    if not math.isfinite(score):
        raise StudyError(
            f"the score is {score}: expected a finite number; tell "
            "Failure('diverged', 'why') of a trial that came to nothing"
        )
