"""The controller without a critic: a policy that learns from the scores of its own draws.

After Zoph, Vasudevan, Shlens and Le, "Learning Transferable Architectures for Scalable Image
Recognition" (2018), section 3 and appendix A (called "the paper" below), Zoph and Le, "Neural
Architecture Search with Reinforcement Learning" (2017, "the first paper"), and Schulman et al.,
"Proximal Policy Optimization Algorithms" (2017, "PPO"). The network itself is
nas/strategies/controller/policy.py. Read from top to bottom; docs/controller.md tells the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from nas.contracts import Evaluation, Json, Proposal, Strategy, Trial
from nas.seeding import numpy_rng, torch_rng
from nas.strategies.controller.diagnostics import Diagnostics, Step
from nas.strategies.controller.memory import Memory, Told
from nas.strategies.controller.policy import Policy, alone, log_probs_of
from nas.strategies.controller.scalarising import Rewards
from nas.strategies.controller.settings import Settings
from nas.strategies.controller.snapshot import pack, unpack
from nas.strategies.controller.weights import read_weights

if TYPE_CHECKING:
    from search_spaces.cells.space import Choices, SearchSpace

_BLOCKS_KEPT = 8
_DIGITS = 5  # of a log-probability in the notes
_LARGEST_ADVANTAGE = 1e4  # a score of 1e300 must not become an infinite gradient


# ------------------------------------------------------------------------------------------ the
# rules of learning


@np.errstate(over="ignore", invalid="ignore")
def judge(
    scores: np.ndarray, recent: np.ndarray, baseline: float | None, settings: Settings
) -> tuple[np.ndarray, float]:
    """How much better than expected each score of a batch is, and the baseline for the next batch.

    The paper subtracts an exponential moving average of earlier scores. The batch enters the
    average only after it was judged by it, or each score would be compared with itself. Before
    there is an average, the first batch is judged by the mean of the others in it.
    """
    if baseline is None:
        differences = (scores - scores.mean()) * (len(scores) / max(len(scores) - 1, 1))
        following = float(scores.mean())
    else:
        differences = scores - baseline
        following = baseline
        for score in scores.tolist():
            following = settings.baseline_decay * following + (1 - settings.baseline_decay) * score
    if settings.advantage == "scale":
        differences = differences / (recent.std() + 1e-8)
    elif settings.advantage == "rank":
        differences = _ranks(scores, recent)
    return np.clip(np.nan_to_num(differences), -_LARGEST_ADVANTAGE, _LARGEST_ADVANTAGE), following


def _ranks(scores: np.ndarray, recent: np.ndarray) -> np.ndarray:
    """Where each score stands among recent ones, from -sqrt(3) to sqrt(3): variance 1."""
    below = (recent < scores[:, None]).mean(1)
    equal = (recent == scores[:, None]).mean(1)
    return np.asarray((2 * below + equal - 1) * 3**0.5)


def reinforce(log_probs: Tensor, advantages: Tensor) -> Tensor:
    """REINFORCE (the first paper, section 3.2): advantage times log-probability; (B,)."""
    return log_probs.sum(1) * advantages


def ppo(log_probs: Tensor, drawn: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """The clipped objective of PPO (its section 3), each decision an action of its own; (B,).

    `drawn` are the log-probabilities at the time of the draw, so a result that comes late is
    weighed by how much the policy has changed since then. A ratio for the whole sequence would be
    exact also for long sequences, but among 50 decisions nearly every sequence leaves the clip
    range after one step.
    """
    ratios = (log_probs - drawn).exp()
    gain = advantages[:, None]
    return torch.minimum(ratios * gain, ratios.clamp(1 - clip, 1 + clip) * gain).sum(1)


def entropy(distributions: Tensor, choices: Tensor) -> Tensor:
    """The entropy of every softmax in full, summed along each sequence: (B,)."""
    del choices
    return -(distributions.exp() * distributions).sum(-1).sum(0)


@dataclass(frozen=True, slots=True)
class LearningRules:
    """The formulas the controller learns by; the self-test swaps in wrong ones and must notice."""

    judge: Callable[[np.ndarray, np.ndarray, float | None, Settings], tuple[np.ndarray, float]] = (
        judge
    )
    reinforce: Callable[[Tensor, Tensor], Tensor] = reinforce
    ppo: Callable[[Tensor, Tensor, Tensor, float], Tensor] = ppo
    entropy: Callable[[Tensor, Tensor], Tensor] = entropy


class Batch(NamedTuple):
    """Told trials as tensors, and what is imitated besides."""

    choices: Tensor  # (B, T)
    drawn: Tensor  # (B, T)
    advantages: Tensor  # (B,)
    imitated: Tensor  # (R, T), the best so far; R may be 0


def loss_of(
    policy: Policy, batch: Batch, settings: Settings, rules: LearningRules
) -> tuple[Tensor, Tensor, Tensor]:
    """What descent lowers, with the distributions (T, B, K) and log-probabilities (B, T)."""
    rows = len(batch.choices)
    together = torch.cat([batch.choices, batch.imitated])
    distributions = policy.log_distributions(together)
    all_log_probs = log_probs_of(distributions, together)
    distributions, log_probs = distributions[:, :rows], all_log_probs[:rows]
    if settings.algorithm == "ppo":
        gains = rules.ppo(log_probs, batch.drawn, batch.advantages, settings.clip)
    else:
        gains = rules.reinforce(log_probs, batch.advantages)
    loss = (
        -gains.mean() - settings.entropy_weight * rules.entropy(distributions, batch.choices).mean()
    )
    if len(batch.imitated):
        # Not in the paper: the best architectures so far are made likelier in every update,
        # wherever they came from.
        loss = loss - settings.replay_weight * all_log_probs[rows:].sum(1).mean()
    return loss, distributions.detach(), log_probs.detach()


# --------------------------------------------------------------------------------------------------
# the strategy


@final
class BatchLearner(Strategy):
    """The presets `plain` and `paper`: an LSTM learns from its own draws, a batch at a time.

    Ask n is row n % batch of block n // batch: one pass through the LSTM draws a whole block, each
    row from its own generator. An update happens when `batch` trials of ours are told. Trials
    without our notes (a user's own, another strategy's) are never taken for draws of this policy:
    they count among recent scores and can be imitated, no more.
    """

    def __init__(
        self, space: SearchSpace, seed: int, settings: Settings, warm_start: str | None = None
    ) -> None:
        super().__init__(space, seed)
        self.settings = settings
        self.rules = LearningRules()
        self.policy = Policy(space.counts, settings, torch_rng(seed, "controller"))
        self.optimizer = torch.optim.Adam(
            self.policy.parameters(), lr=settings.learning_rate, fused=True
        )
        self.memory = Memory(settings)
        self._rewards = Rewards(seed, settings.batch)
        self._warm_start = None if warm_start is None else read_weights(warm_start, self.policy)
        self._diagnostics = Diagnostics(space.counts, settings)
        self._blocks: dict[int, list[Proposal]] = {}

    def ask(self, number: int) -> Proposal:
        """Row `number % batch` of its block, as the policy of now draws it."""
        block, row = divmod(number, self.settings.batch)
        if block not in self._blocks:
            if len(self._blocks) >= _BLOCKS_KEPT:
                self._blocks.pop(next(iter(self._blocks)))
            self._blocks[block] = self._draw(block)
        return self._blocks[block][row]

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """Remember the result; with the last one of a batch, learn."""
        choices = self.space.encode(trial.genotype)
        reward = self._rewards.hear(evaluation.point)
        self.memory.hear(choices, reward)
        self._diagnostics.hear(choices)
        log_probs = _noted(trial.notes, len(choices))
        if log_probs is not None:
            self.memory.batch.append(Told(choices, log_probs, reward))
        if len(self.memory.batch) == self.settings.batch:
            with alone():
                self._update()
            self._blocks.clear()

    def diagnostics(self) -> list[dict[str, Json]]:
        """One record per update since the last call."""
        return self._diagnostics.drain()

    def recorded(self) -> Mapping[str, Json]:
        """All settings behind the preset, and which weights it started from."""
        return {**asdict(self.settings), "warm_start_sha256": self._warm_start}

    def snapshot(self) -> Mapping[str, np.ndarray]:
        """Everything the past has changed, as arrays: `restore` brings it back to the bit."""
        learned = pack(self.policy, self.optimizer, self.memory, self._diagnostics)
        return {**learned, **self._rewards.pack()}

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> None:
        """Continue from a snapshot of a controller with the same space, seed and options."""
        unpack(snapshot, self.policy, self.optimizer, self.memory, self._diagnostics)
        self._rewards.unpack(snapshot)
        self._blocks.clear()

    def _draw(self, block: int) -> list[Proposal]:
        """All rows of a block in one pass of fixed shape, with some candidates for each row."""
        first, candidates = block * self.settings.batch, 1 + self.settings.redraws
        shape = candidates, len(self.space.counts), max(self.space.counts)
        rngs = [numpy_rng(self.seed, "ask", first + row) for row in range(self.settings.batch)]
        noise = np.concatenate([rng.gumbel(size=shape) for rng in rngs]).astype(np.float32)
        with alone():
            drawn, drawn_log_probs = self.policy.sample(torch.from_numpy(noise))
        choices, log_probs = [tuple(row) for row in drawn.tolist()], drawn_log_probs.tolist()
        proposals, taken = [], set[tuple[int, ...]]()
        for start in range(0, len(choices), candidates):
            pick = self._first_new(choices[start : start + candidates], taken) + start
            taken.add(choices[pick])
            notes = {"log_probs": [round(value, _DIGITS) for value in log_probs[pick]]}
            proposals.append(Proposal(self.space.decode(choices[pick]), notes))
        return proposals

    def _first_new(self, candidates: Sequence[Choices], taken: Container[Choices]) -> int:
        """The first not told before the last update and not earlier in this block; else the last.

        Not in the paper. Leaving out what is known draws from a slightly different policy than the
        log-probabilities say; it costs a small bias and saves the trials in which a controller that
        has settled repeats itself.
        """
        for index, choices in enumerate(candidates):
            if choices not in taken and choices not in self.memory.known:
                return index
        return len(candidates) - 1

    def _update(self) -> None:
        """One batch: judge it once, then take `epochs` gradient steps on it."""
        settings, memory = self.settings, self.memory
        memory.settle()
        scores = np.array([trial.score for trial in memory.batch])
        advantages, baseline = self.rules.judge(
            scores, memory.recent_scores(), memory.baseline, settings
        )
        batch = self._gathered(advantages)
        for _ in range(settings.epochs if settings.algorithm == "ppo" else 1):
            self.optimizer.zero_grad(set_to_none=True)
            loss, distributions, log_probs = loss_of(self.policy, batch, settings, self.rules)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        fresh = slice(len(scores))
        step = Step(
            scores,
            batch.advantages[fresh],
            batch.drawn[fresh],
            log_probs[fresh],
            distributions[:, fresh],
            baseline,
        )
        self._diagnostics.record(step, self.policy)
        memory.earlier.extend(memory.batch)
        memory.batch, memory.baseline = [], baseline

    def _gathered(self, advantages: np.ndarray) -> Batch:
        """The fresh trials, then earlier ones judged anew, and what is imitated."""
        memory = self.memory
        earlier = list(memory.earlier) if self.settings.algorithm == "ppo" else []
        if earlier:
            scores = np.array([trial.score for trial in earlier])
            again, _ = self.rules.judge(
                scores, memory.recent_scores(), memory.baseline, self.settings
            )
            advantages = np.concatenate([advantages, again])
        told = [*memory.batch, *earlier]
        best = torch.tensor([choices for _, choices in memory.best], dtype=torch.int64)
        return Batch(
            choices=torch.tensor([trial.choices for trial in told]),
            drawn=torch.tensor([trial.log_probs for trial in told], dtype=torch.float32),
            advantages=torch.tensor(advantages, dtype=torch.float32),
            imitated=best.reshape(-1, len(self.space.counts)),
        )


def _noted(notes: Mapping[str, Json], decisions: int) -> tuple[float, ...] | None:
    """The log-probabilities in the notes of a proposal; None for a trial that is not ours."""
    values = notes.get("log_probs")
    if not isinstance(values, list) or len(values) != decisions:
        return None
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        return None
    return tuple(values)
