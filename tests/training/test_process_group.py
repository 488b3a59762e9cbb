"""Two processes that train one network: the same weights as one process that takes the halves of
each batch in turn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.errors import SettingsError
from nas.seeding import torch_rng
from nas.training.augment import Source, drawn
from nas.training.computation import Computation
from nas.training.process_group import (
    ALONE,
    ProcessGroup,
    check_batch,
    check_norms,
    synchronized_norms,
)
from nas.training.schedule import learning_rate_at, make_optimizer
from nas.training.trainer import evaluated
from parts.process_groups import (
    DATA,
    PLAIN,
    QUIET,
    RECIPE,
    SMALL_BATCHES,
    Learned,
    all_cases,
    child,
    learned,
    one_step,
    run_in_group,
)

CLOCKS = ("seconds", "images_per_second", "peak_memory_mib")


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return run_in_group(2, all_cases, tmp_path_factory.mktemp("group"))


def parameters(found: Learned) -> dict[str, Tensor]:
    return {name: value for name, value in found["state"].items() if not is_statistic(name)}


def is_statistic(name: str) -> bool:
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def without_clocks(found: Learned) -> list[dict[str, float]]:
    return [
        {name: value for name, value in row.items() if name not in CLOCKS} for row in found["curve"]
    ]


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def test_the_weights_are_those_of_two_micro_batches_to_the_last_bit(
    group: list[dict[str, Any]],
) -> None:
    """With crops, drop-path, dropout, clipping and a running mean of the weights."""
    alone = learned(RECIPE.changed({"micro_batch": 8}))
    assert_same(parameters(group[0]["noisy"]), parameters(alone))
    losses = [[row["train_loss"] for row in found["curve"]] for found in (group[0]["noisy"], alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    shares = [
        [row["train_accuracy"] for row in found["curve"]] for found in (group[0]["noisy"], alone)
    ]
    assert shares[0] == shares[1]


def test_all_processes_hold_and_say_the_same(group: list[dict[str, Any]]) -> None:
    for case in ("noisy", "plain", "micro", "resumed"):
        assert_same(group[0][case]["state"], group[1][case]["state"])
        assert without_clocks(group[0][case]) == without_clocks(group[1][case])


def by_hand() -> tuple[nn.Module, Source]:
    """Two copies of the network, each with batch statistics of its own; gradients are averaged,
    statistics too."""
    computation = Computation()
    copies = [child(QUIET).to(memory_format=torch.channels_last) for _ in range(2)]  # type: ignore[call-overload]
    optimizers = [make_optimizer(copy, PLAIN) for copy in copies]
    source = Source(DATA.train, DATA.mean, DATA.std, PLAIN, computation.torch_device)
    for epoch in (1, 2):
        for copy in copies:
            copy.train()
        order = drawn(PLAIN, 64, 8, torch_rng(3, "epoch", epoch), computation.torch_device)
        for step in range(4):
            for half, copy in enumerate(copies):
                copy.zero_grad()
                start = 16 * step + 8 * half
                images, labels = source.augmented(order.part(start, start + 8))
                (functional.cross_entropy(copy(images), labels) * 0.5).backward()  # type: ignore[no-untyped-call]
            for pair in zip(*(copy.parameters() for copy in copies), strict=True):
                if pair[0].grad is not None and pair[1].grad is not None:
                    total = pair[0].grad + pair[1].grad
                    for parameter in pair:
                        parameter.grad.copy_(total)  # type: ignore[union-attr]
            for copy, optimizer in zip(copies, optimizers, strict=True):
                nn.utils.clip_grad_norm_(copy.parameters(), PLAIN.gradient_clip)
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate_at(PLAIN, 4 * (epoch - 1) + step, 4)
                optimizer.step()
        with torch.no_grad():
            for pair in zip(*(copy.buffers() for copy in copies), strict=True):
                if pair[0].is_floating_point():
                    mean = (pair[0] + pair[1]) * 0.5
                    for buffer in pair:
                        buffer.copy_(mean)
    return copies[0], Source(DATA.val, DATA.mean, DATA.std, PLAIN, computation.torch_device)


def test_statistics_are_the_mean_of_those_of_the_halves(group: list[dict[str, Any]]) -> None:
    with Computation().active():  # one thread, as in the group: more would add up in another order
        network, validation = by_hand()
    assert_same(group[0]["plain"]["state"], dict(network.state_dict()))
    with SMALL_BATCHES:
        loss, accuracy = evaluated(network, validation, Computation())
    assert group[0]["plain"]["curve"][-1]["val_loss"] == pytest.approx(loss, rel=1e-6)
    assert group[0]["plain"]["curve"][-1]["val_accuracy"] == accuracy


def test_shares_are_divided_further(group: list[dict[str, Any]]) -> None:
    """One step: sums are added up in another order, and further steps would make more of that on
    some processors."""
    alone = parameters(one_step(ALONE, 4))
    for name, value in parameters(group[0]["micro"]).items():
        torch.testing.assert_close(value, alone[name], rtol=0, atol=1e-5)


def test_a_killed_gang_continues_as_if_it_had_not_been(group: list[dict[str, Any]]) -> None:
    assert group[0]["resumed"]["written"] == ["rank-0"], "one process writes"
    assert_same(group[0]["resumed"]["state"], group[0]["noisy"]["state"])
    assert without_clocks(group[0]["resumed"]) == without_clocks(group[0]["noisy"])


def test_all_processes_see_that_training_diverges(group: list[dict[str, Any]]) -> None:
    assert "loss is" in group[0]["diverged"]
    assert group[0]["diverged"] == group[1]["diverged"]


@pytest.mark.parametrize(("count", "size"), [(16, 2), (17, 3), (128, 7)])
def test_shares_are_a_partition(count: int, size: int) -> None:
    shares = [ProcessGroup(rank, size).share(count) for rank in range(size)]
    assert [place for share in shares for place in range(*share)] == list(range(count))
    assert (
        max(stop - start for start, stop in shares) - min(stop - start for start, stop in shares)
        <= 1
    )


def test_one_process_divides_nothing() -> None:
    assert ALONE.share(7) == (0, 7)
    number = torch.ones(3)
    assert ALONE.total(number) is number
    check_batch(ALONE, 1, Computation())


def test_what_cannot_be_divided_is_refused() -> None:
    with pytest.raises(
        SettingsError,
        match=(
            r"a batch of 12 images cannot be divided among 8 workers: .* recipe.batch_size=16 "
            r"or more"
        ),
    ):
        check_batch(ProcessGroup(0, 8), 12, Computation())
    with pytest.raises(
        SettingsError,
        match="batch norms are synchronised on GPUs only, but the workers train on cpu",
    ):
        synchronized_norms(child(), Computation())


def test_synchronized_norms_keep_the_names_of_weights() -> None:
    check_norms("cuda:1")
    network = child()
    names = list(network.state_dict())
    converted = synchronized_norms(network, Computation("cuda"))
    assert list(converted.state_dict()) == names
    kinds = {type(module) for module in converted.modules()}
    assert nn.SyncBatchNorm in kinds
    assert nn.BatchNorm2d not in kinds
