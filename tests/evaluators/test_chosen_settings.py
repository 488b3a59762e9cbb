"""A child is trained by what its genotype chose, exactly as one of a search fixed at that."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.contracts import Evaluation
from nas.errors import NasError
from nas.evaluators.proxy import Proxy
from nas.evaluators.train import Train
from nas.training.checkpoint import read_weights
from nas.training.datasets._resized import resized
from nas.training.datasets.digits import digits
from nas.training.final_split import FinalSplit
from search_spaces.cells.decided_settings import DecidedSettings
from search_spaces.cells.genotype import Genotype
from search_spaces.nasnet import NasnetSpace

CELLS = NasnetSpace(blocks=2)
SPACE = DecidedSettings(
    space=CELLS,
    settings={
        "skeleton.filters": [4, 6],
        "skeleton.image_size": [6, 8],
        "recipe.learning_rate": [0.01, 0.5],
    },
)
PLAIN = CELLS.sample(np.random.default_rng(0))
CHOSEN = {"skeleton.filters": 6, "skeleton.image_size": 6, "recipe.learning_rate": 0.5}
GENOTYPE = replace(PLAIN, settings=CHOSEN)
RECIPE = {"epochs": 1, "train_images": 96, "batch_size": 32}
QUICK: dict[str, Any] = {"device": "cpu", "precision": "fp32", "layout": "channels-last"}


def free(**options: Any) -> Train:
    return Train(SPACE, **{**QUICK, "recipe": RECIPE, **options})


def fixed() -> Train:
    recipe = {**RECIPE, "learning_rate": 0.5}
    return Train(CELLS, **QUICK, recipe=recipe, skeleton={"filters": 6, "image_size": 6})


def judged(evaluator: Train, genotype: Genotype, folder: Path) -> Evaluation:
    return evaluator.evaluate(genotype, seed=1, workdir=folder, report=lambda *_: True)


def test_the_same_network_is_trained_to_the_last_bit(tmp_path: Path) -> None:
    clocks = ("seconds", "images_per_second", "peak_memory_mib")
    judge, other = free(), fixed()
    one, two = judged(judge, GENOTYPE, tmp_path / "1"), judged(other, PLAIN, tmp_path / "2")
    assert one.score == two.score
    for metrics in (one.metrics, two.metrics):
        for clock in clocks:
            metrics.pop(clock)  # type: ignore[attr-defined]
    assert one.metrics == two.metrics
    weights = [read_weights(tmp_path / str(n) / "keep" / "weights.safetensors") for n in (1, 2)]
    assert all((weights[0][0][name] == value).all() for name, value in weights[1][0].items())
    assert (
        weights[0][1]["skeleton"] == weights[1][1]["skeleton"] == dataclasses.asdict(other.skeleton)
    )
    assert weights[0][1]["recipe"]["learning_rate"] == 0.5
    finals = [
        evaluator.final(genotype, kept=tmp_path / str(n) / "keep")
        for evaluator, genotype, n in ((judge, GENOTYPE, 1), (other, PLAIN, 2))
    ]
    assert finals[0] == finals[1] != {}


def test_what_is_known_before_a_training_is_that_of_the_fixed_one() -> None:
    judge, other = free(latency_batch=1), fixed()
    costs = dict(judge.costs(GENOTYPE))
    assert costs.pop("latency_ms") > 0
    assert costs == other.costs(PLAIN)
    smaller = replace(GENOTYPE, settings={**CHOSEN, "skeleton.filters": 4})
    assert judge.costs(smaller)["params"] < costs["params"]
    assert judge.at(0.5).of(GENOTYPE).recipe.learning_rate == 0.5
    foreseen, of_fixed = judge.foresee(GENOTYPE), other.foresee(PLAIN)
    assert foreseen is not None
    assert of_fixed is not None
    assert foreseen.kept_mib == of_fixed.kept_mib > 4 * costs["params"] / 2**20
    assert foreseen.exported_mib == of_fixed.exported_mib
    assert judge.outlook().network.startswith("a typical child has")


def test_a_proxy_sees_the_chosen_network_and_pictures(tmp_path: Path) -> None:
    for name in ("params", "macs", "synflow", "grad-norm"):
        one = Proxy(SPACE, proxy=name, device="cpu")
        two = Proxy(CELLS, proxy=name, device="cpu", skeleton={"filters": 6, "image_size": 6})
        scores = [
            judge.evaluate(genotype, seed=3, workdir=tmp_path, report=lambda *_: True).score
            for judge, genotype in ((one, GENOTYPE), (two, PLAIN))
        ]
        assert scores[0] == scores[1], name
        assert one.costs(GENOTYPE) == two.costs(PLAIN)


def test_what_makes_no_skeleton_together_is_refused_before_a_search() -> None:
    sizes = DecidedSettings(
        space=CELLS,
        settings={"skeleton.image_size": [8, 32], "skeleton.auxiliary": [False, True]},
    )
    with pytest.raises(NasError, match="the auxiliary head needs a map of at least 5x5"):
        Train(sizes, **QUICK)


def test_pictures_at_another_size() -> None:
    """Means are kept, splits too; a size of its own is no change."""
    smaller, larger = resized(digits, 4), resized(digits, 16)
    assert resized(digits, 8) is digits
    for dataset, size in ((smaller, 4), (larger, 16)):
        images = dataset.load("val")
        assert images.pixels.shape == (400, size, size, 1)
        assert (images.labels == digits.load("val").labels).all()
        assert abs(images.pixels.mean() - digits.load("val").pixels.mean()) < 0.05 * 255
        assert dataset.fingerprint != digits.fingerprint
        assert FinalSplit(dataset).load().pixels.shape == (400, size, size, 1)
        assert dataset.lies_here
