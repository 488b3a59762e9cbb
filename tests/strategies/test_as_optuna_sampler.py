"""The controller as an Optuna sampler: Optuna's own conformance suite, and that it learns and
resumes."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)

from nas.errors import SettingsError
from nas.evaluators.table import Table
from nas.registry import load
from nas.strategies.controller.as_optuna_sampler import PolicyGradientSampler

optuna.logging.set_verbosity(optuna.logging.WARNING)
OPTIONS: dict[str, Any] = {"uniform": 32, "hidden": 16}
PLAIN: dict[str, Any] = {"preset": "plain", "batch": 5, "hidden": 16}


class TestConformance(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    """Optuna's cases, whole; numbers among the relative ones are drawn by the independent
    sampler."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: PolicyGradientSampler(seed=0, hidden=8)


def loss(trial: optuna.Trial) -> float:
    wrong = trial.suggest_categorical("op", ["conv", "pool", "skip", "none"]) != "skip"
    wrong += trial.suggest_categorical("width", [8, 16, 32, None]) is not None
    wrong += trial.suggest_categorical("norm", [True, False, 1.5]) is not False
    return float(wrong)


def studied(sampler: BaseSampler, trials: int, **settings: Any) -> optuna.Study:
    study = optuna.create_study(sampler=sampler, **settings)
    study.optimize(loss, n_trials=trials)
    return study


def tail(study: optuna.Study) -> float:
    return sum(trial.value or 0.0 for trial in study.trials[-30:]) / 30


def test_it_learns_to_minimise() -> None:
    learned = tail(studied(PolicyGradientSampler(seed=1, redraws=0, **PLAIN), 150))
    assert learned < 0.5 * tail(studied(optuna.samplers.RandomSampler(seed=1), 150))


def test_it_learns_to_maximise() -> None:
    study = optuna.create_study(
        sampler=PolicyGradientSampler(seed=1, redraws=0, **PLAIN), direction="maximize"
    )
    study.optimize(lambda trial: -loss(trial), n_trials=150)
    assert tail(study) > -0.9


def test_with_its_critic_it_beats_random_draws_on_the_table_that_ships() -> None:
    """The best of 40 trials of NAS-Bench-201, on average over five seeds."""
    space = load("space", "nasbench201")()
    table = Table(space)

    def accuracy(trial: optuna.Trial) -> float:
        choices = [
            trial.suggest_categorical(decision.name, list(range(len(decision.options))))
            for decision in space.decisions
        ]
        genotype = space.decode(choices)
        return table.evaluate(genotype, seed=0, workdir=Path(), report=lambda *_: True).score

    def best(sampler: BaseSampler) -> float:
        study = optuna.create_study(sampler=sampler, direction="maximize")
        study.optimize(accuracy, n_trials=40)
        return study.best_value

    ours, theirs = (
        sum(best(make(seed)) for seed in range(5)) / 5
        for make in (lambda seed: PolicyGradientSampler(seed=seed), optuna.samplers.RandomSampler)
    )
    assert ours > theirs + 0.001


def test_a_new_sampler_learns_from_the_stored_study() -> None:
    """Nothing that matters lives in the sampler: a fresh one, or a pickled one, continues the study
    alike."""
    lived = studied(PolicyGradientSampler(seed=3, **OPTIONS), 60)
    born_again = studied(PolicyGradientSampler(seed=3, **OPTIONS), 33)
    for replace in (
        lambda old: PolicyGradientSampler(seed=3, **OPTIONS),
        lambda old: pickle.loads(pickle.dumps(old)),
    ):
        born_again.sampler = replace(born_again.sampler)
        born_again.optimize(loss, n_trials=13)
    assert [t.params for t in born_again.trials[1:59]] == [t.params for t in lived.trials[1:59]]


def test_other_samplers_trials_and_failures_are_survived() -> None:
    study = studied(optuna.samplers.RandomSampler(seed=2), 12)
    study.sampler = PolicyGradientSampler(seed=2, **OPTIONS)
    study.enqueue_trial({"op": "skip", "width": None, "norm": False})
    study.optimize(loss, n_trials=12)

    def moody(trial: optuna.Trial) -> float:
        value = loss(trial)
        if trial.number % 3 == 0:
            raise optuna.TrialPruned
        return float("nan") if trial.number % 3 == 1 else value

    study.optimize(moody, n_trials=12)
    study.optimize(loss, n_trials=6, n_jobs=2)
    assert len(study.trials) == 42


def test_wrong_options_are_refused_at_once() -> None:
    with pytest.raises(
        SettingsError,
        match="batch of policy-gradient is 0; expected a whole number from 1 to 10,000",
    ):
        PolicyGradientSampler(preset="plain", batch=0)


def test_the_example_of_the_docs_runs_and_learns() -> None:
    page = (Path(__file__).parents[2] / "docs" / "controller.md").read_text()
    (example,) = [block.partition("```")[0] for block in page.split("```python\n")[1:]]
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["study"].best_params == {"op": "conv", "width": 64}
