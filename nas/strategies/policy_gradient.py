"""The RNN controller of the NASNet line: a policy that answers decision after decision.

After Zoph, Vasudevan, Shlens and Le, "Learning Transferable Architectures for Scalable Image
Recognition" (2018), section 3 and appendix A (called "the paper" below). The paper teaches the
policy by the scores of trained children
alone, a batch at a time: its presets, `plain` and `paper`, are in
nas/strategies/controller/batches.py. Here a critic learns from every score, and the policy learns
from what the critic thinks of architectures that are merely imagined; none of them costs a trial.
Read from top to bottom; the network is nas/strategies/controller/policy.py, the critic
nas/strategies/controller/gaussian_process.py, and docs/controller.md tells the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from nas.contracts import Evaluation, Json, Proposal, Strategy, Trial
from nas.seeding import numpy_rng, torch_rng
from nas.strategies.controller.batches import BatchLearner, entropy
from nas.strategies.controller.candidates import chosen, listed, spare, uniform, with_children
from nas.strategies.controller.gaussian_process import CRITIC_VERSION, Critic, Imagined, Kernel, fit
from nas.strategies.controller.insight import Insight
from nas.strategies.controller.past import FIRST, Past
from nas.strategies.controller.policy import Policy, alone, log_probs_of
from nas.strategies.controller.recurrence import Draw
from nas.strategies.controller.settings import CriticSettings, Settings, settings_from
from nas.strategies.controller.snapshot import moments, restore_moments
from nas.strategies.controller.weights import read_weights

if TYPE_CHECKING:
    from search_spaces.cells.space import Choices, SearchSpace

# ------------------------------------------------------------------------------------------ the
# rules of learning


def ranks(values: Tensor) -> Tensor:
    """Where each value stands among all, from -sqrt(3) to sqrt(3): variance 1 in any unit."""
    below = (values < values[:, None]).double().mean(1)
    equal = (values == values[:, None]).double().mean(1)
    return ((2 * below + equal - 1) * 3**0.5).float()


def gains(log_probs: Tensor, advantages: Tensor) -> Tensor:
    """The gradient of the expected rank is the rank times that of the log-probability; (B,).

    Imagined draws come from the policy of this moment, so there is no ratio to weigh them by and
    none to clip.
    """
    return log_probs.sum(1) * advantages


@dataclass(frozen=True, slots=True)
class ImaginedRules:
    """The formulas this controller learns by; the self-test swaps in wrong ones and must notice."""

    fit: Callable[..., Critic] = fit
    ranks: Callable[[Tensor], Tensor] = ranks
    gains: Callable[[Tensor, Tensor], Tensor] = gains
    entropy: Callable[[Tensor, Tensor], Tensor] = entropy


def imagined_loss(
    policy: Policy, draw: Draw, values: Tensor, weight: float, rules: ImaginedRules
) -> tuple[Tensor, Tensor]:
    """What gradient descent lowers, with the distributions (T, B, K) behind it.

    Args:
        draw: the policy's own draws (B, T).
        values: what the critic thinks of them (B,).
        weight: what a nat of entropy is worth.
    """
    drawn, distributions = draw.choices, policy.drawn_distributions(draw)
    gained = rules.gains(log_probs_of(distributions, drawn), rules.ranks(values))
    loss = -gained.mean() - weight * rules.entropy(distributions, drawn).mean()
    return loss, distributions.detach()


# --------------------------------------------------------------------------------------------------
# the strategy


class _Pool(NamedTuple):
    """Architectures imagined for the next few trials."""

    draw: Draw  # of the policy
    all: Imagined  # these, and uniform draws


@final
class PolicyGradient(Strategy):
    """The RNN controller: an LSTM draws architectures and is trained by reinforcement learning.

    Preset `default`: a critic (a Gaussian process on the ranks of the scores) learns from every
    trial, whoever proposed it. Candidates are draws of the policy, uniform draws and children of
    the best; the one that is expected to improve most on the best, and whose key is new, is
    proposed. Every few trials the policy takes one gradient step on its own draws, rewarded by the
    critic's rank of them. Presets `plain` and `paper` have no critic: they learn from their own
    draws alone, in batches, as the paper does.

    preset: `default`, `plain` or `paper` (Zoph et al. 2018); the options below change it one by
        one.
    draws: what the policy imagines between two of its steps (default).
    uniform: how many uniform draws are candidates besides (default).
    mutants: how many children of the best five are (default).
    rounds: how often the most promising candidates have children (default).
    every: told trials per step of the policy (default).
    costs: the power of its expected seconds that a candidate's expected improvement is divided by,
        0 to 10; 0 where seconds do not matter, 1 for improvement per second (default).
    algorithm: `ppo` or `reinforce` (plain, paper).
    batch: told trials per update, and rows per forward pass (plain, paper).
    epochs: gradient steps per batch (plain, paper with ppo; reinforce takes one).
    clip: how far a probability ratio may leave 1 before its gradient stops (plain, paper with ppo).
    learning_rate: of Adam.
    entropy_weight: what a nat of entropy is worth.
    advantage: `baseline` (score minus moving average), `scale` (that, over the spread of recent
        scores), `rank` (plain, paper).
    window: how many recent scores spread and ranks are taken from (plain, paper).
    baseline_decay: of the moving average of scores (plain, paper).
    reuse: how many earlier trials are learned from again in every update; 0 for none (plain,
        paper).
    replay: how many of the best architectures are imitated in every update; 0 for none (plain,
        paper).
    replay_weight: what imitating them is worth (plain, paper).
    tanh_constant: squashes logits to plus or minus this; 0 for not at all.
    temperature: logits are divided by it.
    redraws: how many spare draws each row has, for when the one before is known; 0 allows repeats
        (plain, paper).
    hidden: units of the LSTM.
    warm_start: a folder (or file) with the weights of an earlier controller, or None.
    """

    takes_several = True

    def __init__(
        self,
        space: SearchSpace,
        seed: int,
        *,
        preset: str = "default",
        draws: int | None = None,
        uniform: int | None = None,
        mutants: int | None = None,
        rounds: int | None = None,
        every: int | None = None,
        costs: float | None = None,
        algorithm: str | None = None,
        batch: int | None = None,
        epochs: int | None = None,
        clip: float | None = None,
        learning_rate: float | None = None,
        entropy_weight: float | None = None,
        advantage: str | None = None,
        window: int | None = None,
        baseline_decay: float | None = None,
        reuse: int | None = None,
        replay: int | None = None,
        replay_weight: float | None = None,
        tanh_constant: float | None = None,
        temperature: float | None = None,
        redraws: int | None = None,
        hidden: int | None = None,
        warm_start: str | None = None,
    ) -> None:
        super().__init__(space, seed)
        given = locals()
        names = {field.name for kind in (Settings, CriticSettings) for field in fields(kind)}
        settings = settings_from(preset, {name: given[name] for name in names})
        self._batches: BatchLearner | None = None
        if isinstance(settings, Settings):
            self._batches = BatchLearner(space, seed, settings, warm_start)
            self.policy = self._batches.policy
            return
        self.settings = settings
        self.rules = ImaginedRules()
        self.policy = Policy(space.counts, settings, torch_rng(seed, "controller"))
        self.optimizer = torch.optim.Adam(
            self.policy.parameters(), lr=settings.learning_rate, fused=True
        )
        self.past = Past(space, seed, timed=settings.costs > 0)
        self._warm_start = None if warm_start is None else read_weights(warm_start, self.policy)
        self._kernel = Kernel(space)
        self._insight = Insight(space.counts)
        self._pool: _Pool | None = (
            None  # these four follow from the past, and are made when asked for
        )
        self._critic: Critic | None = None
        self._ranked: Tensor | None = None

    @property
    def learns_after(self) -> int:
        """The first trials are draws of a policy that has learned nothing."""
        return FIRST if self._batches is None else self._batches.learns_after

    def ask(self, number: int) -> Proposal:
        """The most promising new candidate, after as many others as earlier numbers are open."""
        if self._batches is not None:
            return self._batches.ask(number)
        with alone():
            candidates = self._candidates()
            choices = chosen(self.past, self._kernel, candidates, number, self.proposals)
            if choices is None:  # in a small space nearly everything is known
                choices = spare(self.past, numpy_rng(self.seed, "ask", number))
        return Proposal(self.past.genotype(choices))

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """Learn from a trial: the critic at once, the policy with every fourth."""
        if self._batches is not None:
            self._batches.tell(trial, evaluation)
            return
        choices, point = self.space.encode(trial.genotype), evaluation.point
        with alone():
            pool = self._imagined()
            self._insight.hear(choices, self.past.reward(point), self._foreseen(choices))
            self.past.hear(trial, choices, evaluation)
            self._ranked = None
            if len(self.past) % self.settings.every == 0:
                if len(self.past) >= FIRST:
                    self._learn(pool)
                self._pool = None

    def tried(self, trial: Trial) -> None:
        """Propose it no more, where there is a critic; draws of a policy may repeat."""
        if self._batches is None:
            self.past.tried(trial)

    def diagnostics(self) -> list[dict[str, Json]]:
        """What the policy did and how well the critic foresaw, since the last call."""
        return self._batches.diagnostics() if self._batches is not None else self._insight.drain()

    def recorded(self) -> Mapping[str, Json]:
        """All settings behind the preset, and which weights it started from."""
        if self._batches is not None:
            return self._batches.recorded()
        settings = asdict(self.settings)
        if not self.settings.costs:
            del settings["costs"]  # studies that were begun before it was there go on
        return {
            **settings,
            "warm_start_sha256": self._warm_start,
            "critic_version": CRITIC_VERSION,
        }

    def snapshot(self) -> Mapping[str, np.ndarray]:
        """Weights, Adam's moments and the past: `restore` brings it back to the bit."""
        if self._batches is not None:
            return self._batches.snapshot()
        return {
            **{
                f"policy.{name}": value.detach().numpy().copy()
                for name, value in self.policy.named_parameters()
            },
            **dict(moments(self.policy, self.optimizer)),
            **self.past.pack(),
            **self._insight.pack(),
        }

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> None:
        """Continue from a snapshot of a controller with the same space, seed and options."""
        if self._batches is not None:
            self._batches.restore(snapshot)
            return
        with torch.no_grad():
            for name, parameter in self.policy.named_parameters():
                parameter.copy_(torch.from_numpy(snapshot[f"policy.{name}"]))
        restore_moments(snapshot, self.policy, self.optimizer)
        self.past.unpack(snapshot)
        self._insight.unpack(snapshot)
        self._pool = self._critic = self._ranked = None

    # ------------------------------------------------------------------ what follows from the past

    def _imagined(self) -> _Pool:
        """The draws for this and the next few trials, until the policy takes its next step."""
        if self._pool is None:
            settings, counts = self.settings, self.space.counts
            rng = numpy_rng(self.seed, "imagine", len(self.past) // settings.every)
            noise = rng.gumbel(size=(settings.draws, len(counts), max(counts))).astype(np.float32)
            draw = self.policy.draw(torch.from_numpy(noise))
            every = torch.cat([draw.choices, uniform(counts, settings.uniform, rng)])
            self._pool = _Pool(draw, Imagined(every, len(self.past)))
        return self._pool

    def _believed(self) -> Critic:
        """The critic of all trials told so far."""
        past, critic = self.past, self._critic
        if critic is None or critic.told < len(past):
            timed = {} if (seconds := past.seconds()) is None else {"seconds": seconds}
            told = past.tensors()
            critic = self.rules.fit(self._kernel, *told, past.noise(), critic, **timed)
            self._critic = critic
        return critic

    def _candidates(self) -> Iterator[Choices]:
        """What may come next, best first; below five trials in the order of the draws."""
        if self._ranked is None:
            pool = self._imagined().all
            self._ranked = pool.choices
            if len(self.past) >= FIRST:
                settings, rng = self.settings, numpy_rng(self.seed, "refine", len(self.past))
                climb = settings.mutants, settings.rounds, rng, settings.costs
                self._ranked = with_children(self._believed(), pool, self.past.best(), *climb)
        return listed(self._ranked)

    def _foreseen(self, choices: Choices) -> float | None:
        """What the critic expects of a trial that it has not heard of."""
        if len(self.past) < FIRST:
            return None
        return float(self._believed().mean(torch.tensor([choices]))[0])

    def _learn(self, pool: _Pool) -> None:
        """One step of the policy on its own draws, rewarded by the critic."""
        drawn = pool.draw.choices
        values = pool.all.by(self._believed()).mean[: len(drawn)]
        self.optimizer.zero_grad(set_to_none=True)
        loss, distributions = imagined_loss(
            self.policy, pool.draw, values, self.settings.entropy_weight, self.rules
        )
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self._insight.step(distributions, self.policy, self.past.share_known(drawn))
