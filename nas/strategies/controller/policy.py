"""The controller's network: one LSTM that answers the decisions of a space one after another.

"The paper" is Zoph, Vasudevan, Shlens and Le, "Learning Transferable Architectures for Scalable
Image Recognition" (2018).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn

from nas.strategies.controller.recurrence import Draw, Parts, draw, logits_of

if TYPE_CHECKING:
    from nas.strategies.controller.settings import CriticSettings, Settings

_FORBIDDEN = -1e9  # a logit; minus infinity would turn 0 x log 0 into NaN


@final
class Policy(nn.Module):
    """One LSTM, and for each decision a softmax over its options; the answer is embedded and fed to
    the next step.

    The paper (appendix A) has one layer of 100 units, all weights uniform in +-0.1. It does not say
    what is fed back; here every option of every decision has its own embedding, and every decision
    its own softmax weights, so the network always knows which decision it is at.
    """

    offsets: Tensor
    forbidden: Tensor

    def __init__(
        self,
        counts: Sequence[int],
        settings: Settings | CriticSettings,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        hidden, decisions, most = settings.hidden, len(counts), max(counts)
        self.embedding = nn.Parameter(
            torch.empty(1 + sum(counts), hidden, dtype=torch.float32)
        )  # row 0 starts
        # Made on `meta`, because a real LSTM would fill itself from torch's global generator.
        self.lstm = nn.LSTM(hidden, hidden, dtype=torch.float32, device="meta").to_empty(
            device="cpu"
        )
        self.weight = nn.Parameter(torch.empty(decisions, hidden, most, dtype=torch.float32))
        self.bias = nn.Parameter(torch.empty(decisions, 1, most, dtype=torch.float32))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-0.1, 0.1, generator=generator)
        self.hidden, self.tanh_constant, self.temperature = (
            hidden,
            settings.tanh_constant,
            settings.temperature,
        )
        limits = torch.tensor(counts)
        self.register_buffer("offsets", 1 + limits.cumsum(0) - limits, persistent=False)
        self.register_buffer(
            "forbidden", torch.arange(most) >= limits[:, None, None], persistent=False
        )  # (T, 1, K)

    def log_distributions(self, choices: Tensor) -> Tensor:
        """Log-probabilities of all options of every decision, given the choices (B, T) before it:
        (T, B, K)."""
        fed = self.embedding[(choices + self.offsets).T[:-1]]
        start = self.embedding[0].expand(1, len(choices), -1)
        states, _ = self.lstm(torch.cat([start, fed]))
        biases = self.bias.masked_fill(self.forbidden, _FORBIDDEN)
        return self._squashed(torch.baddbmm(biases, states, self.weight)).log_softmax(-1)

    @torch.no_grad()
    def sample(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Choices (B, T) where logits plus Gumbel noise (B, T, K) are largest, and their
        log-probabilities (B, T)."""
        from_input, from_state, input_bias, state_bias = map(
            _output_before_new, self.lstm.all_weights[0]
        )
        inputs = self.embedding @ from_input.T + (input_bias + state_bias)
        biases = self.bias.masked_fill(self.forbidden, _FORBIDDEN)
        state = cell = noise.new_zeros(len(noise), self.hidden)
        fed = inputs[0].expand(len(noise), -1)
        choices, logits = [], []
        for step, luck in enumerate(noise.transpose(0, 1)):
            gates = torch.addmm(fed, state, from_state.T)
            enter, forget, leave = gates[:, : 3 * self.hidden].sigmoid().chunk(3, 1)
            cell = torch.addcmul(forget * cell, enter, gates[:, 3 * self.hidden :].tanh())
            state = leave * cell.tanh()
            logits.append(self._squashed(torch.addmm(biases[step], state, self.weight[step])))
            choices.append((logits[-1] + luck).argmax(1))
            fed = inputs.index_select(0, choices[-1] + self.offsets[step])
        drawn = torch.stack(choices, 1)
        return drawn, log_probs_of(torch.stack(logits).log_softmax(-1), drawn)

    def draw(self, noise: Tensor) -> Draw:
        """The choices of `sample`, with the way that led to them."""
        return draw(self._parts(), self.offsets, noise, self._squashed)

    def drawn_distributions(self, drawn: Draw) -> Tensor:
        """Those of `log_distributions`, for a draw that this policy has made as it is now."""
        return self._squashed(logits_of(self._parts(), drawn)).log_softmax(-1)

    def _parts(self) -> Parts:
        from_input, from_state, input_bias, state_bias = self.lstm.all_weights[0]
        inputs = self.embedding @ from_input.T + (input_bias + state_bias)
        biases = self.bias.masked_fill(self.forbidden, _FORBIDDEN)
        return Parts(inputs, from_state, self.weight, biases)

    def _squashed(self, logits: Tensor) -> Tensor:
        """Temperature and squashing as in ENAS (Pham et al. 2018, appendix A); both are off in the
        paper."""
        if self.temperature != 1:
            logits = logits / self.temperature
        if self.tanh_constant:
            forbidden = logits < _FORBIDDEN / 2
            logits = (self.tanh_constant * torch.tanh(logits / self.tanh_constant)).masked_fill(
                forbidden, _FORBIDDEN
            )
        return logits


def _output_before_new(gates: Tensor) -> Tensor:
    """Rows of torch's LSTM weights, in the order input, forget, new, output, with the three sigmoid
    gates first."""
    enter, forget, new, leave = gates.chunk(4)
    return torch.cat([enter, forget, leave, new])


def log_probs_of(distributions: Tensor, choices: Tensor) -> Tensor:
    """Log-probabilities of the choices (B, T) under distributions (T, B, K): (B, T)."""
    return distributions.gather(2, choices.T[:, :, None])[:, :, 0].T


@contextmanager
def alone() -> Iterator[None]:
    """One thread, no autocast and no gradient mode of the caller's, so that every pass gives the
    same bits."""
    threads = torch.get_num_threads()
    if threads != 1:
        torch.set_num_threads(1)
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
            yield
    finally:
        if threads != 1:
            torch.set_num_threads(threads)
