"""Where trainings run, as the command line says it: what is refused, and what decides the
weights."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from nas.errors import SettingsError, StudyError
from nas.full_size.body import Finetuned
from nas.full_size.machine import Machine
from nas.full_size.settings import setting_of
from nas.full_size.trainings import Here
from nas.registry import load, names
from nas.training.datasets import open_dataset
from nas.training.recipe import Recipe
from parts.command_line import nas
from runners.on_ray.training_messages import Ended, Mailbox, Progressed, Raised
from search_spaces import zoo
from search_spaces.cells.network import build_network
from search_spaces.cells.skeleton import Skeleton

RETRAIN = ("retrain", "nasnet-a", "--preset", "digits-demo", "--device", "cpu")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--runner", "rya"), "no runner of trainings is called 'rya'; there are local, ray"),
        (
            ("--runner", "local", "--workers", "2"),
            "2 workers train a network together on Ray: leave out --runner local",
        ),
        (("--address", "auto"), "--address is for trainings on Ray: add --workers 2 or more"),
        (
            ("--gpus-per-worker", "1"),
            "--gpus-per-worker is for trainings on Ray: add --workers 2 or more",
        ),
        (
            ("--sync-batch-norm",),
            "--sync-batch-norm is for trainings on Ray: add --workers 2 or more",
        ),
        (
            ("--runner", "ray", "--sync-batch-norm", "--gpus-per-worker", "1"),
            "--sync-batch-norm is for workers that divide a batch: add --workers 2 or more",
        ),
        (
            ("--workers", "2", "--sync-batch-norm"),
            "batch norms are synchronised on GPUs only, but the workers train on cpu: leave out "
            "--sync-batch-norm, or "
            "give each worker a GPU with --gpus-per-worker 1",
        ),
        (
            ("--workers", "2", "--gpus-per-worker", "0.5"),
            (
                "gpus-per-worker is 0.5: workers that train one network together take a whole GPU "
                "each, so expected 0 or 1"
            ),
        ),
        (
            ("--workers", "2", "--gpus-per-worker", "1"),
            "--gpus-per-worker is 1, but --device is cpu: leave out one of the two",
        ),
        (
            ("--workers", "2", "--device", "cuda:1"),
            "--device is cuda:1, but Ray gives each worker a device of its own: say cpu or cuda",
        ),
        (
            ("--workers", "2", "--gpus-per-worker", "8"),
            "gpus-per-worker is 8.0: expected a number from 0 to 1",
        ),
        (("--workers", "5000"), "workers is 5000: expected a number from 1 to 4096"),
    ],
)
def test_what_cannot_be_gets_one_sentence(
    words: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert sentence in nas(*RETRAIN, "--out", out, *words).sentence
    assert not out.exists()


def place(workers: int, runner: str | None = None) -> object:
    return Machine(runner=runner, workers=workers, device="cpu").place()


def test_one_worker_is_this_process() -> None:
    assert isinstance(place(1), Here)
    assert isinstance(place(1, "local"), Here)
    assert names("place") == ["ray-train"]
    assert isinstance(place(2), load("place", "ray"))
    assert isinstance(place(1, "ray"), load("place", "ray"))


def test_only_dividing_a_batch_changes_whose_weights_they_are() -> None:
    """So a retraining may begin here and continue on Ray, but not with another number of shares."""
    data, recipe, ray = open_dataset("digits"), Recipe(), load("place", "ray-train")
    here = setting_of(data, recipe, device="cpu").facts()
    assert setting_of(data, recipe, device="cpu", place=ray()).facts() == here
    two = setting_of(data, recipe, device="cpu", place=ray(workers=2)).facts()
    assert two == {**here, "workers": 2, "sync_batch_norm": False}


def test_a_half_frozen_network_travels() -> None:
    skeleton = Skeleton(cells_per_stage=1, filters=4, image_size=8)
    network = Finetuned(build_network(zoo.load("nasnet-a").genotype, skeleton), open_cells=1)
    there = pickle.loads(pickle.dumps(network))
    for one in (network, there):
        one.train()
    trains = [[module.training for module in one.modules()] for one in (network, there)]
    learns = [
        [parameter.requires_grad for parameter in one.parameters()] for one in (network, there)
    ]
    assert trains[0] == trains[1]
    assert learns[0] == learns[1]
    assert len(set(trains[0])) == len(set(learns[0])) == 2
    pairs = zip(network.state_dict().values(), there.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_the_desk_keeps_words_and_the_last_checkpoint() -> None:
    mailbox = Mailbox()
    mailbox.begin(1, b"old")
    mailbox.begin(2, None)
    assert mailbox.resume(1) == (True, b"old")
    assert mailbox.resume(2) == (True, None)
    first, second = Progressed(1, 1, {}, b"new"), Progressed(1, 2, {}, None)
    for word in (first, second, end := Ended(1, [], b"")):
        mailbox.post(word)
    mailbox.post(Progressed(1, 3, {}, b"late"))
    assert mailbox.resume(1) == (False, None), "workers that come back have nothing to do"
    assert mailbox.take() == [first, second, end]
    assert mailbox.take() == []
    mailbox.post(problem := Raised(2, SettingsError("no")))
    assert mailbox.resume(2) == (False, None)
    assert mailbox.take() == [problem]


def test_a_checkpoint_is_what_workers_resume_from() -> None:
    mailbox = Mailbox()
    mailbox.begin(1, None)
    mailbox.post(Progressed(1, 1, {}, b"new"))
    mailbox.post(Progressed(1, 2, {}, None))
    assert mailbox.resume(1) == (True, b"new")


def test_a_failure_of_ray_itself_is_one_sentence(tmp_path: Path) -> None:
    from ray.exceptions import RayActorError

    from runners.on_ray.training_driver import explain_ray_errors

    with (
        pytest.raises(
            StudyError,
            match=r"^Ray could not go on \(.+\): continue with the same command; .*ray\.log$",
        ),
        explain_ray_errors(tmp_path),
    ):
        raise RayActorError
