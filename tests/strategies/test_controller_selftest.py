"""The self-test of the controller is green, and every seeded mistake is rejected by it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.cli import main
from nas.contracts import Evaluation, Trial
from nas.strategies.controller import selftest, selftest_critic
from nas.strategies.controller.batches import LearningRules, judge, ppo, reinforce
from nas.strategies.controller.check import Check
from nas.strategies.controller.gaussian_process import NOISE, Critic, Kernel, fit
from nas.strategies.controller.past import Past
from nas.strategies.controller.policy import log_probs_of
from nas.strategies.controller.settings import Settings
from nas.strategies.policy_gradient import ImaginedRules, PolicyGradient, gains, ranks


def wrong_sign(log_probs: Tensor, drawn: Tensor, advantages: Tensor, clip: float) -> Tensor:
    return -ppo(log_probs, drawn, advantages, clip)


def stale_log_probs(log_probs: Tensor, drawn: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Log-probabilities taken again from the policy that is being trained: the ratio is always
    1."""
    return ppo(log_probs, log_probs.detach(), advantages, clip)


def unclipped(log_probs: Tensor, drawn: Tensor, advantages: Tensor, clip: float) -> Tensor:
    return ppo(log_probs, drawn, advantages, 1e9)


def clipped_on_both_sides(
    log_probs: Tensor, drawn: Tensor, advantages: Tensor, clip: float
) -> Tensor:
    """Without the minimum: a ratio that went the wrong way cannot come back."""
    return ((log_probs - drawn).exp().clamp(1 - clip, 1 + clip) * advantages[:, None]).sum(1)


def mean_reward_for_all(
    scores: np.ndarray, recent: np.ndarray, baseline: float | None, settings: Settings
) -> tuple[np.ndarray, float]:
    return judge(np.full_like(scores, scores.mean()), recent, baseline, settings)


def baseline_before_advantage(
    scores: np.ndarray, recent: np.ndarray, baseline: float | None, settings: Settings
) -> tuple[np.ndarray, float]:
    """Each score is compared with an average that it is part of already."""
    _, following = judge(scores, recent, baseline, settings)
    advantages, _ = judge(scores, recent, following, settings)
    return advantages, following


def rewards_of_other_trials(
    scores: np.ndarray, recent: np.ndarray, baseline: float | None, settings: Settings
) -> tuple[np.ndarray, float]:
    """Rewards paired with other actions than those that earned them."""
    return judge(np.roll(scores, 1), recent, baseline, settings)


def entropy_of_the_chosen(distributions: Tensor, choices: Tensor) -> Tensor:
    return -log_probs_of(distributions, choices).sum(1)


def wrong_sign_reinforce(log_probs: Tensor, advantages: Tensor) -> Tensor:
    return -reinforce(log_probs, advantages)


def mean_over_decisions(
    log_probs: Tensor, drawn: Tensor, advantages: Tensor, clip: float
) -> Tensor:
    """The gradient of a shrunken log-probability."""
    return ppo(log_probs, drawn, advantages, clip) / log_probs.shape[1]


MUTANTS: dict[str, LearningRules] = {
    "wrong sign": LearningRules(ppo=wrong_sign),
    "wrong sign, reinforce": LearningRules(reinforce=wrong_sign_reinforce),
    "stale log-probabilities": LearningRules(ppo=stale_log_probs),
    "mean reward for all": LearningRules(judge=mean_reward_for_all),
    "entropy of the chosen action": LearningRules(entropy=entropy_of_the_chosen),
    "baseline updated before the advantage": LearningRules(judge=baseline_before_advantage),
    "rewards of other trials": LearningRules(judge=rewards_of_other_trials),
    "no clipping": LearningRules(ppo=unclipped),
    "clipping without the minimum": LearningRules(ppo=clipped_on_both_sides),
    "mean over decisions": LearningRules(ppo=mean_over_decisions),
}


def test_the_controller_passes() -> None:
    checks = list(selftest.run())
    assert len(checks) == len(selftest.CHECKS) + len(selftest_critic.CHECKS)
    assert all(check.passed for check in checks), checks


@pytest.mark.parametrize("mutant", MUTANTS)
def test_every_mutant_is_rejected(mutant: str) -> None:
    """The formulas alone give it away, before anything is learned."""
    assert not all(check(MUTANTS[mutant]).passed for check in selftest.FORMULAS)


def test_a_mutant_that_cannot_learn_finds_no_best_arm() -> None:
    both = replace(MUTANTS["wrong sign"], reinforce=wrong_sign_reinforce)
    assert not selftest.check_bandits(both).passed


def test_the_command_tells_and_fails_when_a_check_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = iter([True, False])
    monkeypatch.setattr(selftest, "run", lambda: iter([Check("one", next(outcomes), "fine")]))
    for code in (0, 1):
        monkeypatch.setattr("sys.argv", ["nas", "selftest", "controller", "--json"])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == code
        assert json.loads(capsys.readouterr().out)["passed"] is (code == 0)


def test_an_unknown_self_test_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["nas", "selftest", "controler"])
    with pytest.raises(SystemExit):
        main()
    assert (
        "no self-test is called 'controler'; there are controller; did you mean 'controller'?"
        in capsys.readouterr().err
    )


def test_the_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    selftest.check_entropy(LearningRules())
    assert torch.equal(before, torch.get_rng_state())


# ------------------------------------------------------------------ mistakes about the critic


def shuffled_scores(
    kernel: Kernel,
    choices: Tensor,
    scores: Tensor,
    noise: float = NOISE,
    before: Critic | None = None,
) -> Critic:
    return fit(kernel, choices, scores.roll(1), noise, before)


IMAGINED: dict[str, ImaginedRules] = {
    "wrong sign": ImaginedRules(gains=lambda log_probs, advantages: -gains(log_probs, advantages)),
    "ranks reversed": ImaginedRules(ranks=lambda values: -ranks(values)),
    "shuffled scores": ImaginedRules(fit=shuffled_scores),
    "entropy of the chosen action": ImaginedRules(entropy=entropy_of_the_chosen),
}


@pytest.mark.parametrize("mutant", IMAGINED)
def test_every_mutant_with_a_critic_is_rejected(mutant: str) -> None:
    assert not all(check(IMAGINED[mutant]).passed for check in selftest_critic.FORMULAS)


def test_a_critic_that_has_seen_the_score_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    tell = PolicyGradient.tell

    def tell_and_then_foresee(self: PolicyGradient, trial: Trial, evaluation: Evaluation) -> None:
        tell(self, trial, evaluation)
        if self._insight.foreseen:
            _, score = self._insight.foreseen.pop()
            seen = self._foreseen(self.space.encode(trial.genotype))
            assert seen is not None
            self._insight.foreseen.append((seen, score))

    monkeypatch.setattr(PolicyGradient, "tell", tell_and_then_foresee)
    assert not selftest_critic.check_foresight(ImaginedRules()).passed


def test_candidates_that_are_not_filtered_by_key_are_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Past, "first_new", lambda self, candidates, ahead: list(candidates)[ahead])
    assert not selftest_critic.check_new_keys(ImaginedRules()).passed


def test_pending_trials_that_are_ignored_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Past, "ahead", lambda self, number, proposals: 0)
    assert not selftest_critic.check_in_flight(ImaginedRules()).passed
