"""Optuna's samplers: they draw what Optuna itself would draw, with every argument pinned and
nothing left behind."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import optuna
import pytest

from nas.contracts import Evaluation, Proposal, Trial
from nas.errors import NasError, SettingsError
from nas.evaluators.landscape import landscape_target
from nas.registry import load
from nas.seeding import derive
from nas.strategies.optuna_sampler import OptunaSampler
from search_spaces.cells.space import SearchSpace

NASNET = load("space", "nasnet")()
SMALL = load("space", "nasbench201")()
QUICK: dict[str, dict[str, Any]] = {
    "gp": {"n_startup_trials": 5},
    "nsgaii": {"population_size": 6},
    "random": {},
    "tpe": {"n_startup_trials": 5},
}
CLASSES = {
    "gp": optuna.samplers.GPSampler,
    "nsgaii": optuna.samplers.NSGAIISampler,
    "random": optuna.samplers.RandomSampler,
    "tpe": optuna.samplers.TPESampler,
}


def score(space: SearchSpace, proposal: Proposal) -> float:
    target = landscape_target(space.counts, 0)
    choices = space.encode(proposal.genotype)
    return sum(a == b for a, b in zip(choices, target, strict=True)) / len(target)


def tell(strategy: OptunaSampler, number: int, proposal: Proposal, score: float) -> None:
    strategy.tell(Trial(number, proposal.genotype, number, proposal.notes), Evaluation(score))


@pytest.mark.parametrize("sampler", sorted(CLASSES))
def test_proposals_are_optunas_own(sampler: str) -> None:
    """A study of Optuna's, whose sampler is replaced by one with our seed before every ask, draws
    the same trials.

    NSGA-II is asked once more beforehand, for nothing: the first ask of a generation writes down
    its parents, and sees them in another order than the asks after it.
    """
    space = SMALL if sampler == "gp" else NASNET
    ours = OptunaSampler(space, 11, sampler=sampler, **QUICK[sampler])
    theirs = optuna.create_study(direction="maximize")
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        decision.name: optuna.distributions.CategoricalDistribution(
            tuple(range(len(decision.options)))
        )
        for decision in space.decisions
    }
    options = {**QUICK[sampler], **({"constant_liar": False} if sampler == "tpe" else {})}
    for number in range(20):
        if sampler == "nsgaii":
            theirs.ask(distributions)
        theirs.sampler = CLASSES[sampler](seed=derive(11, "ask", number) % 2**32, **options)
        trial = theirs.ask(distributions)
        proposal = ours.ask(number)
        names = [decision.name for decision in space.decisions]
        assert space.encode(proposal.genotype) == tuple(trial.params[name] for name in names), (
            number
        )
        theirs.tell(trial, score(space, proposal))
        tell(ours, number, proposal, score(space, proposal))


@pytest.mark.parametrize("sampler", sorted(CLASSES))
def test_every_argument_of_the_sampler_is_recorded(sampler: str) -> None:
    """A new version of Optuna that adds, drops or changes an argument shows up here."""
    recorded = OptunaSampler(SMALL, 0, sampler=sampler).recorded()
    expected = {
        p.name: p.default
        for p in inspect.signature(CLASSES[sampler]).parameters.values()
        if p.name != "seed"
    }
    decided = {
        "gp": {"warn_independent_sampling": False},
        "tpe": {"multivariate": True, "constant_liar": False},
    }.get(sampler, {})
    assert recorded == {
        "class": CLASSES[sampler].__name__,
        "arguments": {**expected, **decided},
    }


def test_options_reach_the_sampler_and_the_record() -> None:
    strategy = OptunaSampler(NASNET, 0, n_startup_trials=3, n_ei_candidates=7, multivariate=False)
    arguments = strategy.recorded()["arguments"]
    assert (
        arguments["n_startup_trials"],
        arguments["n_ei_candidates"],
        arguments["multivariate"],
    ) == (3, 7, False)
    for number in range(5):
        tell(strategy, number, strategy.ask(number), 0.0)
    joint = OptunaSampler(NASNET, 0, n_startup_trials=3, n_ei_candidates=7)
    for number in range(5):
        tell(joint, number, strategy.ask(100 + number), float(number))
        tell(strategy, number, strategy.ask(100 + number), float(number))
    assert strategy.ask(10) != joint.ask(10)


WORKS = "there are optuna:gp, optuna:nsgaii, optuna:random, optuna:tpe"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"sampler": "cmaes"},
            f"optuna:cmaes does not work here: it moves through .* are not numbers; {WORKS}",
        ),
        (
            {"sampler": "qmc"},
            f"optuna:qmc does not work here: it counts its own asks, .* change nothing; {WORKS}",
        ),
        ({"sampler": "grid"}, f"optuna:grid does not work here: .*; {WORKS}"),
        ({"sampler": "bruteforce"}, f"optuna:bruteforce does not work here: .*; {WORKS}"),
        (
            {"sampler": "nsgaiii"},
            f"optuna:nsgaiii does not work here: it is made for several scores, .*; {WORKS}",
        ),
        ({"sampler": "partialfixed"}, f"optuna:partialfixed does not work here: .*; {WORKS}"),
        (
            {"sampler": "tpee"},
            (
                "no sampler of optuna is called 'tpee'; there are gp, nsgaii, random, tpe; did you "
                "mean 'tpe'?"
            ),
        ),
        (
            {"sampler": "gp"},
            "optuna:gp is too slow for the 50 decisions of space 'nasnet': expected 16 or fewer",
        ),
        ({"n_startup_trials": 0}, "n_startup_trials of optuna is 0, expected 1 or more"),
        ({"n_ei_candidates": -1}, "n_ei_candidates of optuna is -1, expected 1 or more"),
        (
            {"sampler": "nsgaii", "population_size": 1},
            "population_size of optuna is 1, expected 2 or more",
        ),
        (
            {"sampler": "nsgaii", "crossover_prob": 1.5},
            "crossover_prob of optuna is 1.5, expected a probability",
        ),
        (
            {"population_size": 9},
            "option population_size does not belong to optuna:tpe, but to optuna:nsgaii; leave",
        ),
        (
            {"sampler": "random", "n_startup_trials": 9},
            (
                "option n_startup_trials does not belong to optuna:random, but to optuna:gp or "
                "optuna:tpe; leave it out"
            ),
        ),
    ],
)
def test_bad_options_are_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NasError, match=sentence.replace("?", r"\?")):
        OptunaSampler(NASNET, 0, **options)


def test_gp_without_scipy_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.strategies.optuna_sampler.find_spec", lambda name: None)
    with pytest.raises(
        SettingsError, match=r"optuna:gp needs scipy, .* pip install 'nas-toolkit\[plots\]'"
    ):
        OptunaSampler(SMALL, 0, sampler="gp")


def test_nsgaii_moves_on_by_generations() -> None:
    strategy = OptunaSampler(NASNET, 0, sampler="nsgaii", population_size=6)
    seen = []
    for number in range(20):
        proposal = strategy.ask(number)
        seen.append(proposal.notes["generation"])
        tell(strategy, number, proposal, score(NASNET, proposal))
    assert seen == [number // 6 for number in range(20)]


def test_nsgaii_counts_guests_and_leaves_out_latecomers() -> None:
    """A user's genotypes, without notes, fill the open generation; a result of a closed one changes
    nothing."""
    strategy, punctual = (
        OptunaSampler(NASNET, 0, sampler="nsgaii", population_size=4) for _ in range(2)
    )
    late = strategy.ask(0)
    guests = [Proposal(strategy.ask(number).genotype) for number in range(1, 5)]
    for number, guest in enumerate(guests):
        for one in (strategy, punctual):
            tell(one, number, guest, score(NASNET, guest))
    assert strategy.ask(9).notes == {"generation": 1}
    tell(strategy, 0, late, 99.0)
    assert strategy.ask(9) == punctual.ask(9)


def test_it_says_nothing_and_leaves_optunas_logging_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = optuna.logging.get_verbosity()
    strategy = OptunaSampler(NASNET, 0, n_startup_trials=2)
    for number in range(5):
        tell(strategy, number, strategy.ask(number), float(number))
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_listing_strategies_does_not_import_optuna() -> None:
    script = (
        "import sys; from nas.registry import names; names('strategy'); assert 'optuna' not "
        "in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
