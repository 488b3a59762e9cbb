"""Trainings on a real Ray: the weights of one process, whoever is killed on the way."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nas.training.checkpoint import read_weights
from parts.clusters import HERE, cluster, kill, processes, run, running, wait_for

pytestmark = pytest.mark.ray
STATISTICS = ("running_mean", "running_var")
EPOCHS = 20
SMALL = (
    "--device",
    "cpu",
    "--threads",
    "1",
    "--to",
    "none",
    "--preset",
    "digits-demo",
    "--set",
    "recipe.epochs=2",
    "--set",
    "recipe.train_images=256",
    "--set",
    "skeleton.filters=4",
)


@pytest.fixture(scope="module", autouse=True)
def nodes() -> Iterator[list[int]]:
    """One node of two processors."""
    with cluster(2) as started:
        yield started


def training(folder: Path, workers: int) -> list[str]:
    return [
        sys.executable,
        str(HERE / "parts" / "ray_trainings.py"),
        str(folder),
        str(workers),
        str(EPOCHS),
    ]


def weights(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    (file,) = folder.glob("*/seed-*/weights.safetensors")
    return read_weights(file)


def half_way(folder: Path) -> Path | None:
    return next(folder.glob("*/seed-*/progress.safetensors"), None)


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


@pytest.fixture(scope="module")
def together(nodes: list[int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two workers made of it, undisturbed."""
    folder = tmp_path_factory.mktemp("together") / "out"
    done = run(training(folder, 2))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_two_workers_equal_one_process_that_takes_the_halves_in_turn(
    together: Path, tmp_path: Path
) -> None:
    done = run(training(tmp_path / "alone", 0))
    assert done.returncode == 0, done.stderr
    (found, facts), (expected, alone) = weights(together), weights(tmp_path / "alone")
    learned = [name for name in expected if not name.endswith(STATISTICS)]
    assert_same({name: found[name] for name in learned}, {name: expected[name] for name in learned})
    losses = [[row["train_loss"] for row in each["curve"]] for each in (facts, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert (facts["workers"], facts["sync_batch_norm"]) == (2, False)
    assert half_way(together) is None


def test_a_killed_worker_changes_nothing(together: Path, tmp_path: Path) -> None:
    """The others wait, a new one comes, and all continue from the last checkpoint."""
    folder = tmp_path / "out"
    with running(training(folder, 2)) as driver:
        wait_for(lambda: half_way(folder) is not None, driver)
        before = read_weights(folder / half_way(folder))[1]["curve"]  # type: ignore[operator]
        assert kill(processes("ray::RayTrainWorker")[-1])
        out, error = driver.communicate()
    assert driver.returncode == 0, out + error
    assert_same(weights(folder)[0], weights(together)[0])
    curve = weights(folder)[1]["curve"]
    assert len(curve) == EPOCHS
    assert curve[: len(before)] == before, (
        "with the seconds they took, so these epochs were not trained again"
    )


def test_a_killed_driver_continues(together: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with running(training(folder, 2)) as driver:
        wait_for(lambda: half_way(folder) is not None, driver)
        driver.kill()
        driver.wait()
    before = read_weights(folder / half_way(folder))[1]["curve"]  # type: ignore[operator]
    done = run(training(folder, 2))
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same(weights(folder)[0], weights(together)[0])
    assert weights(folder)[1]["curve"][: len(before)] == before


def test_trainings_side_by_side_are_those_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two seeds at once; the record of the command is the same to the letter, and so are the
    weights."""
    for place, words in (("here", ()), ("there", ("--runner", "ray", "--address", "auto"))):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        done = run(
            ["nas", "retrain", "nasnet-a", "--seeds", "2", "--out", "out", "--json", *SMALL, *words]
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert json.loads(done.stdout)["ranking"][0]["folder"].startswith("out/")
    here, there = (tmp_path / place / "out" for place in ("here", "there"))
    assert (there / "result.json").read_text() == (here / "result.json").read_text()
    for file in here.glob("*/seed-*/weights.safetensors"):
        assert_same(read_weights(file)[0], read_weights(there / file.relative_to(here))[0])


def test_transfer_opens_the_last_cells_together(tmp_path: Path) -> None:
    """The frozen network that travels to the workers stays frozen there."""
    pytest.importorskip("PIL")
    from parts.picture_folders import coloured

    pictures = coloured(tmp_path / "pictures")
    words = [
        "nas",
        "transfer",
        "nasnet-a",
        "--dataset",
        f"image-folder:{pictures}",
        "--out",
        str(tmp_path / "out"),
    ]
    small = [
        "--set",
        "skeleton.cells_per_stage=1",
        "--set",
        "skeleton.filters=4",
        "--set",
        "skeleton.stem_filters=4",
    ]
    tuned = [
        "--mode",
        "finetune",
        "--pretrain",
        f"image-folder:{pictures}",
        "--set",
        "pretrain.epochs=1",
    ]
    quick = [
        "--set",
        "recipe.epochs=1",
        "--set",
        "pretrain.batch_size=12",
        "--set",
        "recipe.batch_size=12",
    ]
    ray = ["--workers", "2", "--address", "auto", "--device", "cpu", "--to", "none"]
    done = run([*words, *small, *tuned, *quick, *ray], NAS_DATA=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert "trainings: 2 workers train each network, 1 CPU each" in done.stderr
    body, _ = read_weights(tmp_path / "out" / "searched" / "body-0" / "weights.safetensors")
    tuned_weights, facts = read_weights(
        tmp_path / "out" / "searched" / "seed-0" / "weights.safetensors"
    )
    changed = {
        name.split(".")[0] for name in body if not torch.equal(body[name], tuned_weights[name])
    }
    assert changed == {"cells", "head"}
    assert facts["workers"] == 2


def test_what_there_is_no_room_for_is_refused(tmp_path: Path) -> None:
    words = [
        "nas",
        "retrain",
        "nasnet-a",
        "--out",
        str(tmp_path / "out"),
        "--workers",
        "3",
        "--address",
        "auto",
    ]
    done = run([*words, *SMALL])
    assert done.returncode == 2
    assert (
        "3 workers need 1 CPU each, but the cluster has 1 node with 2 CPUs and 0 GPUs"
        in done.stderr
    )
    assert "Traceback" not in done.stderr
