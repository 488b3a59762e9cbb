"""What the controller costs per trial: sampling and learning on the NASNet space, one core; replay
and snapshot."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import torch

from nas.contracts import Evaluation, Proposal, Trial
from nas.evaluators.landscape import landscape_target
from nas.strategies.policy_gradient import PolicyGradient
from search_spaces.nasnet import NasnetSpace

SPACE = NasnetSpace()
TARGET = landscape_target(SPACE.counts, 0)
Past = list[tuple[Trial, Evaluation]]


def main() -> None:
    """Print one JSON line per figure."""
    torch.set_num_threads(1)
    report(
        "controller: decode and encode of a genotype",
        1e3 * seconds(_decode_and_encode, 2_000) / 2_000,
        "ms/trial",
    )
    strategy, past = PolicyGradient(SPACE, 0), []
    early = 1e3 * seconds(lambda count: advance(strategy, past, count), 1_000) / 1_000
    report("controller: ask and tell, trials 0 to 1,000", early, "ms/trial")
    advance(strategy, past, 8_000)
    late = 1e3 * seconds(lambda count: advance(strategy, past, count), 1_000) / 1_000
    report("controller: ask and tell, trials 9,000 to 10,000", late, "ms/trial", early)
    replayed = PolicyGradient(SPACE, 0)
    replay = seconds(lambda count: learn(replayed, past[:count]), 10_000)
    report("controller: replay of 10,000 trials", replay, "s")
    snapshot = strategy.snapshot()
    thawed = PolicyGradient(SPACE, 0)
    report(
        "controller: a snapshot of 10,000 trials, taken",
        seconds(lambda _: strategy.snapshot(), 1),
        "s",
    )
    report(
        "controller: a snapshot of 10,000 trials, restored",
        seconds(lambda _: thawed.restore(snapshot), 1),
        "s",
        replay,
    )
    advance(strategy, past, 9_000)
    last = 1e3 * seconds(lambda count: advance(strategy, past, count), 1_000) / 1_000
    report("controller: ask and tell, trials 19,000 to 20,000", last, "ms/trial", early)


def advance(strategy: PolicyGradient, past: Past, count: int) -> None:
    """So many more trials, each told before the next is asked."""
    for number in range(len(past), len(past) + count):
        proposal = strategy.ask(number)
        past.append((_trial(number, proposal), Evaluation(_score(proposal))))
        strategy.tell(*past[-1])
        strategy.diagnostics()


def learn(strategy: PolicyGradient, past: Past) -> None:
    """Tell the past only."""
    for heard in past:
        strategy.tell(*heard)
        strategy.diagnostics()


def _score(proposal: Proposal) -> float:
    choices = SPACE.encode(proposal.genotype)
    return sum(choice == best for choice, best in zip(choices, TARGET, strict=True)) / len(TARGET)


def _trial(number: int, proposal: Proposal) -> Trial:
    return Trial(number, proposal.genotype, number, proposal.notes)


def _decode_and_encode(count: int) -> None:
    for _ in range(count):
        SPACE.encode(SPACE.decode(TARGET))


def seconds(act: Callable[[int], object], count: int) -> float:
    """How long it takes this process, other processes aside."""
    began = time.process_time()
    act(count)
    return time.process_time() - began


def report(name: str, value: float, unit: str, reference: float | None = None) -> None:
    """One JSON line."""
    ratio = None if reference is None else value / reference
    print(
        json.dumps(
            {"name": name, "value": value, "unit": unit, "reference": reference, "ratio": ratio}
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
