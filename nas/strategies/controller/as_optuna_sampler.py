"""The RNN controller for any Optuna study with categorical parameters."""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, final

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import IntersectionSearchSpace
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from nas.contracts import Evaluation, Trial
from nas.strategies.controller.plain_space import PlainSpace
from nas.strategies.policy_gradient import PolicyGradient
from search_spaces.cells.space import Choices, Decision

if TYPE_CHECKING:
    from optuna.study import Study

_NOTES = "policy_gradient:notes"


class _Learner(NamedTuple):
    """A controller for one set of parameters, and the trials it was told."""

    controller: PolicyGradient
    told: set[int]


@final
class PolicyGradientSampler(BaseSampler):
    """Draws all categorical parameters together by a policy gradient; other parameters by
    `independent_sampler`.

    What each draw needs to be learned from is stored with its trial, so a new sampler on a stored
    study learns from all of it; trials drawn by other samplers, pruned or failed ones are handled
    too. The parameters must be the same in every trial; a parameter that only some trials have is
    drawn by the independent sampler.

    Args:
        seed: of all draws; None takes one by chance.
        independent_sampler: for numbers, for conditional parameters and for the very first trial;
            by default random.
        options: those of the strategy `policy-gradient`, say `preset="paper"` or `batch=20`.
    """

    def __init__(
        self,
        seed: int | None = None,
        *,
        independent_sampler: BaseSampler | None = None,
        **options: Any,
    ) -> None:
        self._seed = secrets.randbits(32) if seed is None else seed
        self._independent = independent_sampler or RandomSampler(seed=self._seed % 2**32)
        self._options = options
        self._intersection = IntersectionSearchSpace()
        self._lock = threading.Lock()
        self._learners: dict[object, _Learner] = {}
        PolicyGradient(
            PlainSpace.of(2), 0, **options
        )  # wrong options are refused here, not in the second trial

    def __getstate__(self) -> dict[str, Any]:
        """Without what is learned, which comes back from the study, and without the lock, which
        cannot travel."""
        state = dict(self.__dict__)
        del state["_lock"], state["_learners"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock, self._learners = threading.Lock(), {}

    def reseed_rng(self) -> None:
        """Only the independent sampler's: ours follow the trial's number, so no two workers draw
        the same."""
        self._independent.reseed_rng()

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The categorical parameters that all trials so far have in common."""
        del trial
        common = self._intersection.calculate(study)
        return {name: common[name] for name in sorted(common) if _is_ours(common[name])}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """One draw of the controller, after it was told what has come in since the last one."""
        self._raise_error_if_multi_objective(study)
        ours = {
            name: value
            for name, value in search_space.items()
            if isinstance(value, CategoricalDistribution)
        }
        others = {name: value for name, value in search_space.items() if name not in ours}
        drawn = {
            name: self._independent.sample_independent(study, trial, name, others[name])
            for name in others
        }
        if not ours:
            return drawn
        with self._lock:
            controller = self._taught(study, ours)
            proposal = controller.ask(trial.number)
        choices = controller.space.encode(proposal.genotype)
        notes = {**proposal.notes, "drawn": dict(zip(ours, choices, strict=True))}
        study._storage.set_trial_system_attr(trial._trial_id, _NOTES, notes)
        picked = zip(ours.items(), choices, strict=True)
        return {
            **drawn,
            **{name: distribution.choices[choice] for (name, distribution), choice in picked},
        }

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """By the independent sampler."""
        self._raise_error_if_multi_objective(study)
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """For the independent sampler."""
        self._independent.before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """For the independent sampler."""
        self._independent.after_trial(study, trial, state, values)

    def _taught(self, study: Study, ours: Mapping[str, CategoricalDistribution]) -> PolicyGradient:
        """The controller of these parameters, told every finished trial in the order in which they
        finished."""
        key = (
            study._study_id,
            tuple((name, distribution.choices) for name, distribution in ours.items()),
        )
        if key not in self._learners:
            decisions = [
                Decision(name, tuple(range(len(value.choices)))) for name, value in ours.items()
            ]
            controller = PolicyGradient(PlainSpace(decisions), self._seed, **self._options)
            self._learners[key] = _Learner(controller, set())
        controller, told = self._learners[key]
        sign = -1.0 if study.direction == StudyDirection.MINIMIZE else 1.0
        for trial in _finished(study, told):
            told.add(trial.number)
            choices = _choices_of(trial, ours)
            if choices is None or trial.value is None or not math.isfinite(trial.value):
                continue
            heard = Trial(
                trial.number, controller.space.decode(choices), 0, _notes_of(trial, ours, choices)
            )
            controller.tell(heard, Evaluation(sign * trial.value))
            controller.diagnostics()
        return controller


def _is_ours(distribution: BaseDistribution) -> bool:
    return isinstance(distribution, CategoricalDistribution) and not distribution.single()


def _finished(study: Study, told: set[int]) -> Iterator[FrozenTrial]:
    trials = study._storage.get_all_trials(
        study._study_id, deepcopy=False, states=(TrialState.COMPLETE,)
    )
    fresh = (trial for trial in trials if trial.number not in told)
    yield from sorted(fresh, key=lambda trial: (trial.datetime_complete, trial.number))


def _choices_of(trial: FrozenTrial, ours: Mapping[str, CategoricalDistribution]) -> Choices | None:
    """Which options a trial took; None if it lacks a parameter or took an option that is not
    there."""
    choices = []
    for name, distribution in ours.items():
        if trial.distributions.get(name) != distribution:
            return None
        choices.append(int(distribution.to_internal_repr(trial.params[name])))
    return tuple(choices)


def _notes_of(
    trial: FrozenTrial, ours: Mapping[str, CategoricalDistribution], choices: Choices
) -> Mapping[str, Any]:
    """The notes of our own draw; none if another sampler drew, or the drawn values were not the
    ones used."""
    notes: Mapping[str, Any] = trial.system_attrs.get(_NOTES, {})
    return notes if notes.get("drawn") == dict(zip(ours, choices, strict=True)) else {}
