"""Optuna's samplers as strategies: the history is ours, the draw is Optuna's, and a question leaves
no trace.

Every ask makes a fresh sampler, seeded for its number, and shows it the trials told so far. So
nothing hides in a sampler between two asks, and resume is exact. Optuna's own storage would write
each ask down before it is answered; ours is a list of results that can only be read.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, final

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from nas.contracts import Evaluation, Json, Proposal, Strategy, Trial
from nas.errors import SettingsError, known_names, shortened
from nas.seeding import derive

if TYPE_CHECKING:
    from search_spaces.cells.space import SearchSpace

_STUDY = "told"
_LONG_AGO = datetime(1970, 1, 1)  # Optuna wants a date; no sampler here reads it
_GP_DECISIONS = 16
_HUGE = 1e100  # GP squares scores, so larger ones are shown to samplers as this

# Every constructor argument but the seed, as in Optuna 5.0, except for constant_liar: it makes TPE
# avoid trials that are running, and an ask that depends on results only cannot see those. None
# stands for Optuna's own choice where a value would be refused as deprecated.
_PINNED: Mapping[str, Mapping[str, Json]] = {
    "gp": {
        "independent_sampler": None,
        "n_startup_trials": 10,
        "deterministic_objective": False,
        "constraints_func": None,
        "warn_independent_sampling": False,
    },
    "nsgaii": {
        "population_size": 50,
        "mutation": None,
        "mutation_prob": None,
        "crossover": None,
        "crossover_prob": 0.9,
        "swapping_prob": 0.5,
        "constraints_func": None,
        "elite_population_selection_strategy": None,
        "child_generation_strategy": None,
        "after_trial_strategy": None,
    },
    "random": {},
    "tpe": {
        "consider_prior": None,
        "prior_weight": None,
        "consider_magic_clip": None,
        "consider_endpoints": None,
        "n_startup_trials": 10,
        "n_ei_candidates": 24,
        "gamma": None,
        "weights": None,
        "multivariate": True,
        "group": False,
        "warn_independent_sampling": None,
        "constant_liar": False,
        "constraints_func": None,
    },
}
_REFUSED = {
    "bruteforce": "it counts its own asks, and a question must change nothing",
    "cmaes": "it moves through numbers, and the decisions of a space are not numbers",
    "grid": "it counts its own asks, and a question must change nothing",
    "nsgaiii": "it is made for several scores, and a study has one",
    "partialfixed": "it wraps another sampler, and a space has nothing to fix",
    "qmc": "it counts its own asks, and a question must change nothing",
}


@final
class OptunaSampler(Strategy):
    """A sampler of Optuna: `optuna:tpe`, `optuna:nsgaii`, `optuna:gp` or `optuna:random`.

    Each decision is a categorical parameter, and results are shown in the order in which they
    arrived. All arguments of the sampler are pinned here, so that another version of Optuna cannot
    change a default unseen. TPE runs without its constant liar: with several workers it may propose
    what is being evaluated. NSGA-II keeps its generations in the notes of proposals; results that
    come after their generation has ended are not used, as in Optuna. GP is refused on spaces of
    more than 16 decisions.

    Args:
        sampler: which one.
        n_startup_trials: how many random trials come first, at least 1 (tpe and gp; 10).
        n_ei_candidates: how many candidates TPE compares per proposal, at least 1 (tpe; 24).
        multivariate: whether TPE draws the decisions together (tpe; true).
        population_size: how many trials make a generation, at least 2 (nsgaii; 50).
        mutation_prob: how likely a decision is redrawn, 0 to 1 (nsgaii; one over the number of
            decisions).
        crossover_prob: how likely a child has two parents, 0 to 1 (nsgaii; 0.9).
        swapping_prob: how likely a decision changes sides in a crossover, 0 to 1 (nsgaii; 0.5).
    """

    takes_several = True

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        *,
        sampler: str = "tpe",
        n_startup_trials: int | None = None,
        n_ei_candidates: int | None = None,
        multivariate: bool | None = None,
        population_size: int | None = None,
        mutation_prob: float | None = None,
        crossover_prob: float | None = None,
        swapping_prob: float | None = None,
    ) -> None:
        super().__init__(space, seed)
        given = {
            "n_startup_trials": n_startup_trials,
            "n_ei_candidates": n_ei_candidates,
            "multivariate": multivariate,
            "population_size": population_size,
            "mutation_prob": mutation_prob,
            "crossover_prob": crossover_prob,
            "swapping_prob": swapping_prob,
        }
        self.sampler = sampler
        _check_sampler(sampler, space)
        self._arguments = _arguments(
            sampler, {name: value for name, value in given.items() if value is not None}
        )
        self._open: dict[str, BaseDistribution] = {
            decision.name: CategoricalDistribution(tuple(range(len(decision.options))))
            for decision in space.decisions
            if len(decision.options) > 1
        }
        # Optuna sorts the parameters it draws together, and so do we: the order decides what each
        # random number is for.
        self._joint = (
            dict(sorted(self._open.items())) if self._arguments.get("multivariate", True) else {}
        )
        self._history = _History()
        self._told = 0
        self._generations = _Generations(int(self._arguments.get("population_size", 0)))

    def recorded(self) -> Mapping[str, Json]:
        """What decides the proposals besides the seed and the version of Optuna: the sampler with
        every argument."""
        return {"class": _CLASSES[self.sampler].__name__, "arguments": self._arguments}

    @property
    def learns_after(self) -> int:
        """The random trials that come first, or the first generation."""
        first = self._arguments.get("n_startup_trials", self._arguments.get("population_size"))
        return int(first or 0)

    def ask(self, number: int) -> Proposal:
        """What a fresh sampler, seeded for this number, draws after the trials told so far."""
        sampler = self._fresh_sampler(number)
        study = self._study(sampler)
        blank = optuna.trial.create_trial(state=TrialState.RUNNING)
        answers = sampler.sample_relative(study, blank, self._joint) if self._joint else {}
        for name, distribution in self._open.items():
            if name not in answers:
                answers[name] = sampler.sample_independent(study, blank, name, distribution)
        choices = [int(answers.get(decision.name, 0)) for decision in self.space.decisions]
        notes = {"generation": self._generations.number} if self.sampler == "nsgaii" else {}
        return Proposal(self.space.decode(choices), notes)

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """Add one result to what the sampler looks at: TPE and GP all of them, NSGA-II a
        generation, random none."""
        self._history.objectives = len(evaluation.point)
        if self.sampler == "nsgaii":
            if self._generations.add(
                self._finished(trial, evaluation), trial.notes.get("generation")
            ):
                self._generations.advance(self._next_parents())
        elif self.sampler != "random":
            self._history.finished.append(self._finished(trial, evaluation))

    def _finished(self, trial: Trial, evaluation: Evaluation) -> FrozenTrial:
        """A trial of Optuna's made in place: `Study.add_trial` copies every distribution, 0.7 ms
        for 55 of them."""
        place, self._told = (
            self._told,
            self._told + 1,
        )  # TPE weighs results by age: the order in which they arrived
        choices = zip(self.space.decisions, self.space.encode(trial.genotype), strict=True)
        return FrozenTrial(
            number=place,
            trial_id=place,
            state=TrialState.COMPLETE,
            value=None,
            values=[max(-_HUGE, min(_HUGE, value)) for value in evaluation.point],
            datetime_start=_LONG_AGO,
            datetime_complete=_LONG_AGO,
            params={
                decision.name: choice for decision, choice in choices if decision.name in self._open
            },
            distributions=self._open,
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )

    def _fresh_sampler(self, number: int) -> BaseSampler:
        seed = (
            derive(self.seed, "ask", number) % 2**32
        )  # NumPy's old generator, which Optuna uses, takes 32 bits
        if self.sampler == "nsgaii":
            return _NSGAII(self._generations, seed=seed, **self._arguments)
        sampler: BaseSampler = _CLASSES[self.sampler](seed=seed, **self._arguments)
        return sampler

    def _study(self, sampler: BaseSampler) -> optuna.Study:
        """A fresh look at the history: a study object remembers the trials it saw first."""
        return optuna.load_study(study_name=_STUDY, storage=self._history, sampler=sampler)

    def _next_parents(self) -> list[FrozenTrial]:
        sampler = _NSGAII(
            self._generations, seed=0, **self._arguments
        )  # the best are chosen without chance
        parents = sampler.select_parent(self._study(sampler), self._generations.number + 1)
        return sorted(parents, key=lambda parent: parent.number)  # as Optuna reads them back


class _History(optuna.storages.InMemoryStorage):
    """The trials told, in order, as a storage that samplers can read and not change."""

    def __init__(self) -> None:
        super().__init__()
        self.objectives = 1
        self.finished: list[FrozenTrial] = []
        with _quietly():
            self.create_new_study([optuna.study.StudyDirection.MAXIMIZE], _STUDY)

    def get_study_directions(self, study_id: int) -> list[optuna.study.StudyDirection]:
        """As many as the trials told have objectives; all are raised."""
        del study_id
        return [optuna.study.StudyDirection.MAXIMIZE] * self.objectives

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """All of them: they are finished, and nobody here writes on them."""
        del study_id, deepcopy
        return list(self.finished) if states is None or TrialState.COMPLETE in states else []

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Not kept: GP leaves its draw here for other workers, and asking must change nothing."""


class _Generations:
    """NSGA-II's generations as a fold over results: the open one, its trials so far, and its
    parents."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.number = 0
        self.population: list[FrozenTrial] = []
        self.parents: list[FrozenTrial] = []

    def add(self, finished: FrozenTrial, generation: int | None) -> bool:
        """Whether this trial completes the open generation; one without any, from the user, belongs
        to the open one."""
        if generation not in (None, self.number):
            return False
        self.population.append(finished)
        return len(self.population) >= self.size

    def advance(self, parents: list[FrozenTrial]) -> None:
        """Open the next generation."""
        self.parents, self.population, self.number = parents, [], self.number + 1


class _NSGAII(NSGAIISampler):
    """NSGA-II that is handed its generations; Optuna's reads and writes them in attributes of
    trials and study."""

    def __init__(self, generations: _Generations, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._handed = generations

    def get_trial_generation(self, study: optuna.Study, trial: FrozenTrial) -> int:
        del study, trial
        return self._handed.number

    def get_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        del study, generation
        return self._handed.population

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        del study, generation
        return self._handed.parents


_CLASSES: Mapping[str, type[Any]] = {
    "gp": GPSampler,
    "nsgaii": NSGAIISampler,
    "random": RandomSampler,
    "tpe": TPESampler,
}


def _check_sampler(name: str, space: SearchSpace) -> None:
    works = ", ".join(f"optuna:{sampler}" for sampler in _PINNED)
    if name in _REFUSED:
        raise SettingsError(
            f"optuna:{name} does not work here: {_REFUSED[name]}; there are {works}"
        )
    if name not in _PINNED:
        raise SettingsError(known_names(name, _PINNED, "sampler of optuna"))
    if name == "gp" and len(space.decisions) > _GP_DECISIONS:
        raise SettingsError(
            f"optuna:gp is too slow for the {len(space.decisions)} decisions of space "
            f"{space.name!r}: expected "
            f"{_GP_DECISIONS} or fewer, since with 50 a proposal takes seconds from 100 trials "
            "on; use optuna:tpe"
        )
    if name == "gp" and find_spec("scipy") is None:
        raise SettingsError(
            "optuna:gp needs scipy, which is not installed: pip install 'nas-toolkit[plots]'"
        )


def _arguments(sampler: str, given: Mapping[str, Json]) -> dict[str, Json]:
    """The pinned arguments of a sampler with the user's own in their place."""
    for name, value in given.items():
        if name not in _PINNED[sampler]:
            owners = " or ".join(
                f"optuna:{owner}" for owner, pinned in _PINNED.items() if name in pinned
            )
            raise SettingsError(
                f"option {name} does not belong to optuna:{sampler}, but to {owners}; leave it out"
            )
        _check_range(name, value)
    return {**_PINNED[sampler], **given}


def _check_range(name: str, value: Json) -> None:
    if name.endswith("_prob") and not 0 <= value <= 1:
        raise SettingsError(
            f"{name} of optuna is {shortened(value)}, expected a probability from 0 to 1"
        )
    least = {"n_startup_trials": 1, "n_ei_candidates": 1, "population_size": 2}.get(name)
    if least is not None and value < least:
        raise SettingsError(f"{name} of optuna is {shortened(value)}, expected {least} or more")


@contextmanager
def _quietly() -> Iterator[None]:
    """Optuna announces every new study; ours is none of the user's business."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
