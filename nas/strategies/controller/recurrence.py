"""Draws of the controller's network, and the gradient along them, written by hand.

The policy learns from what it has just drawn, so the way there need not be gone again; and the way
back through an LSTM takes a dozen operations a step instead of the hundred of autograd. All of them
are small, so that nothing leaves the cache. The network is nas/strategies/controller/policy.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

aten = torch.ops.aten


class LstmStep(NamedTuple):
    """What an LSTM went through in one step; (B, H) each, but for the words."""

    words: Tensor  # what it was fed (B,)
    state_before: Tensor
    cell_before: Tensor
    enter: Tensor  # how far the gates were open
    forget: Tensor
    new: Tensor  # what might enter
    leave: Tensor
    bent: Tensor  # tanh of the cell
    state: Tensor


class Parts(NamedTuple):
    """What the network is made of, as the steps need it; gates stand in torch's order: enter,
    forget, new, leave."""

    inputs: Tensor  # what each word adds to the gates (W, 4H)
    from_state: Tensor  # what the state before adds to them (4H, H)
    weight: Tensor  # (T, H, K)
    bias: Tensor  # (T, 1, K)


class Draw(NamedTuple):
    """What a policy has drawn, and how it came to it."""

    choices: Tensor  # (B, T)
    steps: Sequence[LstmStep]
    logits: Tensor  # (T, B, K), neither squashed nor cooled


@torch.no_grad()
def draw(parts: Parts, offsets: Tensor, noise: Tensor, squashed: Any) -> Draw:
    """Choices where logits plus Gumbel noise (B, T, K) are largest, as `Policy.sample` takes them.

    Args:
        offsets: which word the first option of each decision is (T,).
    """
    rows, hidden = len(noise), parts.from_state.shape[1]
    # Twice as much where a tanh is wanted: it is a stretched sigmoid, and one for all is cheaper.
    stretch = noise.new_ones(4, hidden)
    stretch[2] = 2
    inputs = parts.inputs * stretch.view(-1)
    across = (parts.from_state.T * stretch.view(-1)).contiguous()
    words = torch.zeros(rows, dtype=torch.int64)
    state = cell = noise.new_zeros(rows, hidden)
    steps, logits, choices = [], [], []
    for place, luck in enumerate(noise.transpose(0, 1)):
        gates = torch.addmm(inputs.index_select(0, words), state, across).sigmoid_()
        enter, forget, stretched, leave = gates.chunk(4, 1)
        new = (2 * stretched).sub_(1)
        after = torch.addcmul(forget * cell, enter, new)
        bent = (2 * after).sigmoid_().mul_(2).sub_(1)
        out = leave * bent
        steps.append(LstmStep(words, state, cell, enter, forget, new, leave, bent, out))
        state, cell = out, after
        logits.append(torch.addmm(parts.bias[place], state, parts.weight[place]))
        choices.append((squashed(logits[-1]) + luck).argmax(1))
        words = choices[-1] + offsets[place]
    return Draw(torch.stack(choices, 1), steps, torch.stack(logits))


def logits_of(parts: Parts, drawn: Draw) -> Tensor:
    """The logits (T, B, K) of this draw, with a gradient for the parts that it was made with."""
    return cast("Tensor", _Logits.apply(drawn, *parts))  # type: ignore[no-untyped-call]


class _Logits(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drawn: Draw, *parts: Tensor) -> Tensor:
        ctx.drawn = drawn
        ctx.save_for_backward(*parts)
        return drawn.logits.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        parts, steps = Parts(*ctx.saved_tensors), ctx.drawn.steps
        inputs, from_state = torch.zeros_like(parts.inputs), torch.zeros_like(parts.from_state)
        weight = torch.empty_like(parts.weight)
        of_cell = of_state = torch.zeros_like(steps[0].state)

        for place in range(len(steps) - 1, -1, -1):
            step, wanted = steps[place], gradients[0][place]
            torch.mm(step.state.T, wanted, out=weight[place])
            of_state = torch.addmm(of_state, wanted, parts.weight[place].T)

            of_cell = of_cell + aten.tanh_backward(of_state * step.leave, step.bent)
            gates = torch.cat(
                [
                    aten.sigmoid_backward(of_cell * step.new, step.enter),
                    aten.sigmoid_backward(of_cell * step.cell_before, step.forget),
                    aten.tanh_backward(of_cell * step.enter, step.new),
                    aten.sigmoid_backward(of_state * step.bent, step.leave),
                ],
                1,
            )
            inputs.index_add_(0, step.words, gates)
            from_state.addmm_(gates.T, step.state_before)
            of_cell = of_cell * step.forget
            of_state = gates @ parts.from_state

        return None, inputs, from_state, weight, gradients[0].sum(1, keepdim=True)
