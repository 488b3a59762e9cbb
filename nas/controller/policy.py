"""The controller's network: one LSTM that answers the decisions of a space one after another.

"The paper" is Zoph, Vasudevan, Shlens and Le, "Learning Transferable Architectures for Scalable Image Recognition"
(2018).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from nas.controller.settings import Settings

_FORBIDDEN = -1e9  # a logit; minus infinity would turn 0 x log 0 into NaN


@final
class Policy(nn.Module):
    """One LSTM, and for each decision a softmax over its options; the answer is embedded and fed to the next step.

    The paper (appendix A) has one layer of 100 units, all weights uniform in +-0.1. It does not say what is fed back;
    here every option of every decision has its own embedding, and every decision its own softmax weights, so the
    network always knows which decision it is at.
    """

    offsets: Tensor
    forbidden: Tensor
    last_option: Tensor

    def __init__(self, counts: Sequence[int], settings: Settings, generator: torch.Generator) -> None:
        super().__init__()
        hidden, decisions, most = settings.hidden, len(counts), max(counts)
        self.embedding = nn.Parameter(torch.empty(1 + sum(counts), hidden, dtype=torch.float32))  # row 0 starts
        # Made on `meta`, because a real LSTM would fill itself from torch's global generator.
        self.lstm = nn.LSTM(hidden, hidden, dtype=torch.float32, device="meta").to_empty(device="cpu")
        self.weight = nn.Parameter(torch.empty(decisions, hidden, most, dtype=torch.float32))
        self.bias = nn.Parameter(torch.empty(decisions, 1, most, dtype=torch.float32))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-0.1, 0.1, generator=generator)
        self.hidden, self.tanh_constant, self.temperature = hidden, settings.tanh_constant, settings.temperature
        limits = torch.tensor(counts)
        self.register_buffer("offsets", 1 + limits.cumsum(0) - limits, persistent=False)
        self.register_buffer("forbidden", torch.arange(most) >= limits[:, None, None], persistent=False)  # (T, 1, K)
        self.register_buffer("last_option", limits - 1, persistent=False)

    def log_distributions(self, choices: Tensor) -> Tensor:
        """Log-probabilities of all options of every decision, given the choices (B, T) before it: (T, B, K)."""
        fed = self.embedding[(choices + self.offsets).T[:-1]]
        start = self.embedding[0].expand(1, len(choices), -1)
        states, _ = self.lstm(torch.cat([start, fed]))
        return self._log_softmax(torch.baddbmm(self.bias, states, self.weight), self.forbidden)

    @torch.no_grad()
    def sample(self, uniforms: Tensor) -> tuple[Tensor, Tensor]:
        """Choices (B, T) drawn by inverting cumulated probabilities at these uniforms (B, T), and their log-probs."""
        rows = len(uniforms)
        from_input, from_state, input_bias, state_bias = self.lstm.all_weights[0]
        inputs = self.embedding @ from_input.T + (input_bias + state_bias)
        state, cell = uniforms.new_zeros(2, rows, self.hidden)
        fed = inputs[0].expand(rows, -1)
        choices, log_probs = [], []
        for step, uniform in enumerate(uniforms.T):
            state, cell = _step(fed, state, cell, from_state)
            logits = torch.addmm(self.bias[step], state, self.weight[step])
            distribution = self._log_softmax(logits, self.forbidden[step])
            passed = (distribution.exp().cumsum(-1) <= uniform[:, None]).sum(-1)
            choice = torch.minimum(passed, self.last_option[step])
            choices.append(choice)
            log_probs.append(distribution.gather(1, choice[:, None])[:, 0])
            fed = inputs[choice + self.offsets[step]]
        return torch.stack(choices, 1), torch.stack(log_probs, 1)

    def _log_softmax(self, logits: Tensor, forbidden: Tensor) -> Tensor:
        """Temperature and squashing as in ENAS (Pham et al. 2018, appendix A); both are off in the paper."""
        if self.temperature != 1:
            logits = logits / self.temperature
        if self.tanh_constant:
            logits = self.tanh_constant * torch.tanh(logits / self.tanh_constant)
        return logits.masked_fill(forbidden, _FORBIDDEN).log_softmax(-1)


def _step(fed: Tensor, state: Tensor, cell: Tensor, from_state: Tensor) -> tuple[Tensor, Tensor]:
    """One step of torch's LSTM, whose gates stand in the order input, forget, new, output."""
    enter, forget, new, leave = torch.addmm(fed, state, from_state.T).chunk(4, 1)
    cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
    return leave.sigmoid() * cell.tanh(), cell


def log_probs_of(distributions: Tensor, choices: Tensor) -> Tensor:
    """Log-probabilities of the choices (B, T) under distributions (T, B, K): (B, T)."""
    return distributions.gather(2, choices.T[:, :, None])[:, :, 0].T


@contextmanager
def alone() -> Iterator[None]:
    """One thread, full float32 and no gradient mode of the caller's, so that every pass gives the same bits."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    if threads != 1:
        torch.set_num_threads(1)
    if precision != "highest":
        torch.set_float32_matmul_precision("highest")
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        if threads != 1:
            torch.set_num_threads(threads)
        if precision != "highest":
            torch.set_float32_matmul_precision(precision)
