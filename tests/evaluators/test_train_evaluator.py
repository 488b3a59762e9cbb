"""The `train` evaluator: what it sees, what it scores, what it leaves, and what it refuses."""

import ast
import dataclasses
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nas.contracts import Evaluation, Failure, Stopped, Trial
from nas.errors import NasError, NotJudged
from nas.evaluators.train import Train
from nas.study.attempt import attempt
from nas.training import final_split
from nas.training.checkpoint import read_weights
from nas.training.datasets import Images, open_dataset
from nas.training.datasets.digits import digits
from nas.training.trainer import Trainer
from search_spaces.cells.cost import cost
from search_spaces.cells.network import Skeleton, build_network
from search_spaces.nasbench201 import Nasbench201Space
from search_spaces.nasnet import NasnetSpace

ROOT = Path(__file__).parents[2]
SPACE = NasnetSpace(blocks=2)
GENOTYPE = SPACE.sample(np.random.default_rng(0))
QUICK: dict[str, Any] = {
    "device": "cpu",
    "precision": "fp32",
    "layout": "channels-last",
    "recipe": {"epochs": 2, "train_images": 96, "batch_size": 32},
    "skeleton": {"filters": 4},
}


def quick(**options: Any) -> Train:
    return Train(SPACE, **{**QUICK, **options})


def go_on(step: int, metrics: Any) -> bool:
    return True


def judged(evaluator: Train, folder: Path, seed: int = 1) -> Evaluation:
    return evaluator.evaluate(GENOTYPE, seed=seed, workdir=folder, report=go_on)


# ------------------------------------------------------------------ the test split


# Whoever may open the test split: it is read after all choices are made. A search is not among
# them.
MAY_OPEN = (
    "nas/training/final_split.py",
    "nas/evaluators/_on_test.py",
    "nas/full_size/",
    "nas/cli/retrain",
    "nas/cli/transfer",
    "nas/exporting/formats/",
    "nas/testing/dataset_promises.py",
)


def test_only_final_evaluation_holds_the_handle() -> None:
    for file in (
        file for room in ("nas", "runners", "search_spaces") for file in (ROOT / room).rglob("*.py")
    ):
        name = file.relative_to(ROOT).as_posix()
        names = set(_names(ast.parse(file.read_text())))
        if not name.startswith(MAY_OPEN):
            assert not names & {"FinalSplit", "nas.training.final_split", "final_split"}, (
                f"{name} reaches for the test split"
            )
        if not name.startswith((*MAY_OPEN, "nas/training/datasets/")):
            assert not any(call.endswith("dataset.read") for call in names), (
                f"{name} reads a dataset past its guard"
            )


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def test_a_search_never_opens_the_test_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def read(split: str, data_dir: Path | None) -> Images:
        opened.append(split)
        return digits.read(split, data_dir)

    watched = replace(digits, name="watched", read=read)
    monkeypatch.setattr(final_split, "FinalSplit", None)
    monkeypatch.setattr("nas.training.datasets.digits.digits", watched)
    evaluator = quick()
    evaluator.measured()
    judged(evaluator, tmp_path)
    assert evaluator.final(GENOTYPE) == {}
    assert set(opened) == {"train", "val"}


def test_a_winner_is_judged_on_the_test_split_with_its_own_weights(tmp_path: Path) -> None:
    evaluator = quick()
    evaluation = judged(evaluator, tmp_path)
    found = evaluator.final(GENOTYPE, kept=tmp_path / "keep")
    network = SPACE.build(GENOTYPE, evaluator.skeleton).eval()
    network.load_state_dict(read_weights(tmp_path / "keep" / "weights.safetensors")[0])
    images = digits.read("test", None)
    pixels = torch.from_numpy(images.pixels).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        logits = network((pixels - digits.mean[0]) / digits.std[0])
    assert found == {"test_accuracy": float((logits.argmax(1).numpy() == images.labels).mean())}
    assert 0 < found["test_accuracy"] != evaluation.score


def test_no_winner_is_judged_without_its_weights_a_test_split_or_leave(tmp_path: Path) -> None:
    def without_test(split: str, data_dir: Path | None) -> Images:
        return {name: digits.read(name, data_dir) for name in ("train", "val")}[split]

    evaluator = quick()
    judged(evaluator, tmp_path)
    assert evaluator.final(GENOTYPE, kept=tmp_path) == {}
    assert quick(final="none").final(GENOTYPE, kept=tmp_path / "keep") == {}
    evaluator.dataset = dataclasses.replace(digits, name="half", read=without_test)
    with pytest.raises(NotJudged, match="the test split of half cannot be read: KeyError 'test'"):
        evaluator.final(GENOTYPE, kept=tmp_path / "keep")
    empty = Images(np.zeros((0, 8, 8, 1), np.uint8), np.zeros(0, np.int64))
    evaluator.dataset = dataclasses.replace(digits, name="flat", read=lambda split, _: empty)
    with pytest.raises(NotJudged, match="the test split of flat holds no images"):
        evaluator.final(GENOTYPE, kept=tmp_path / "keep")


@pytest.mark.parametrize("content", [b"", b"x" * 99])
def test_weights_that_were_damaged_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.safetensors").write_bytes(content)
    with pytest.raises(
        NotJudged, match=r"weights.safetensors does not hold its weights .*; bring the file back"
    ):
        quick().final(GENOTYPE, kept=tmp_path)


def test_weights_of_another_network_judge_nothing(tmp_path: Path) -> None:
    judged(quick(skeleton={"filters": 8}), tmp_path)
    with pytest.raises(NotJudged, match="does not hold its weights"):
        quick().final(GENOTYPE, kept=tmp_path / "keep")


# ------------------------------------------------------------------ scores


def test_the_score_is_the_validation_accuracy_of_the_last_epoch(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    evaluation = quick().evaluate(
        GENOTYPE,
        seed=1,
        workdir=tmp_path,
        report=lambda step, metrics: told.append({"step": step, **metrics}) is None,
    )
    assert [metrics["step"] for metrics in told] == [1, 2]
    assert (
        evaluation.score
        == told[-1]["val_accuracy"]
        == told[-1]["score"]
        == evaluation.metrics["val_accuracy"]
    )
    assert evaluation.metrics["epochs"] == 2
    assert evaluation.seconds >= sum(metrics["seconds"] for metrics in told)


def test_a_formula_may_be_the_score(tmp_path: Path) -> None:
    evaluator = quick(score="val_accuracy - 0.05 * log(params)")
    evaluation = judged(evaluator, tmp_path)
    metrics = evaluation.metrics
    assert evaluation.score == pytest.approx(
        metrics["val_accuracy"] - 0.05 * np.log(metrics["params"])
    )


def test_costs_are_those_of_the_network() -> None:
    evaluator = quick()
    whole = cost(GENOTYPE, evaluator.skeleton)
    assert evaluator.costs(GENOTYPE) == {"params": whole.params, "macs": whole.macs}


def test_a_child_of_nasbench201_trains_in_its_own_skeleton(tmp_path: Path) -> None:
    space = Nasbench201Space()
    evaluator = Train(space, **QUICK)
    genotype = space.sample(np.random.default_rng(1))
    assert evaluator.skeleton.layout == "nasbench201"
    assert 0 <= evaluator.evaluate(genotype, seed=0, workdir=tmp_path, report=go_on).score <= 1


# ------------------------------------------------------------------ crashes and failures


class Killed(BaseException):
    """What ends a process."""


def test_a_child_interrupted_by_a_crash_ends_with_the_same_score(tmp_path: Path) -> None:
    def dies(step: int, metrics: Any) -> bool:
        if step == 2:
            raise Killed
        return True

    evaluator = quick(checkpoint_seconds=0, recipe={**QUICK["recipe"], "epochs": 3})
    whole = judged(evaluator, tmp_path / "whole")
    with pytest.raises(Killed):
        evaluator.evaluate(GENOTYPE, seed=1, workdir=tmp_path / "cut", report=dies)
    assert (tmp_path / "cut" / "progress.safetensors").exists()
    again = judged(evaluator, tmp_path / "cut")
    assert again.score == whole.score
    weights = [
        read_weights(tmp_path / name / "keep" / "weights.safetensors")[0]
        for name in ("whole", "cut")
    ]
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    assert (
        judged(evaluator, tmp_path / "cut", seed=2).metrics["train_loss"]
        != whole.metrics["train_loss"]
    )


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
            "out_of_memory",
        ),
        (MemoryError("4 GiB"), "out_of_memory"),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
            ),
            "out_of_memory",
        ),
        (RuntimeError("shapes do not fit"), "error"),
    ],
)
def test_failures_have_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception, kind: str
) -> None:
    def fails(trainer: Trainer, *_: object) -> None:
        raise problem

    monkeypatch.setattr(Trainer, "_learn", fails)
    outcome = attempt(quick(), Trial(0, GENOTYPE, 1), tmp_path, go_on)
    assert isinstance(outcome, Failure)
    assert outcome.kind == kind
    assert str(problem).splitlines()[0][:20] in outcome.message


def test_divergence_has_a_type(tmp_path: Path) -> None:
    recipe = {
        **QUICK["recipe"],
        "learning_rate": 1000.0,
        "gradient_clip": 0.0,
        "schedule": "constant",
        "epochs": 30,
    }
    outcome = attempt(quick(recipe=recipe), Trial(0, GENOTYPE, 1), tmp_path, go_on)
    assert isinstance(outcome, Failure)
    assert outcome.kind == "diverged"
    assert "loss is" in outcome.message


def test_a_child_stopped_early_is_no_full_result(tmp_path: Path) -> None:
    outcome = attempt(quick(), Trial(0, GENOTYPE, 1), tmp_path, lambda step, metrics: False)
    assert isinstance(outcome, Stopped)
    assert outcome.step == 1
    assert outcome.metrics["epochs"] == 1


# ------------------------------------------------------------------ what it leaves and what stays


def test_kept_weights_give_the_score_again(tmp_path: Path) -> None:
    evaluator = quick()
    evaluation = judged(evaluator, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["keep"]
    tensors, facts = read_weights(tmp_path / "keep" / "weights.safetensors")
    network = build_network(GENOTYPE, Skeleton(**facts["skeleton"]))
    network.load_state_dict(tensors)
    network.eval()
    val = open_dataset(facts["dataset"]).load("val")
    images = (torch.from_numpy(val.pixels).permute(0, 3, 1, 2) / 255 - digits.mean[0]) / digits.std[
        0
    ]
    with torch.inference_mode():
        right = (network(images).argmax(1) == torch.from_numpy(val.labels)).float().mean()
    assert float(right) == pytest.approx(evaluation.score, abs=0.006)
    assert facts["genotype"] == GENOTYPE.to_dict()


def test_weights_may_be_left_out(tmp_path: Path) -> None:
    judged(quick(keep_weights=False), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_was_settled_holds_on_the_same_kind_of_machine_and_is_said_of_each_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another kind of machine it is measured again."""
    first = Train(SPACE, device="cpu", skeleton={"filters": 2})
    settled = first.settle()
    assert set(settled) == {"hardware", "device", "precision", "layout"}
    assert pickle.loads(pickle.dumps(first)).settle() == settled

    other = {**settled, "layout": "contiguous", "precision": "bf16"}
    monkeypatch.setattr("nas.training.measurement.fastest", None)  # nothing may be measured
    again = quick(precision="auto", layout="auto")
    assert again.settle([other, settled]) == other
    assert judged(again, tmp_path).metrics.items() >= other.items()
    elsewhere = {**other, "hardware": "a GPU of another kind"}
    with pytest.raises(TypeError):
        quick(precision="auto", layout="auto").settle([elsewhere])


def test_what_a_study_is_hangs_on_no_machine() -> None:
    evaluator = Train(SPACE, device="cuda")  # whether or not this machine has one
    assert set(evaluator.measured()) == {"data"}
    assert "params" in (told := evaluator.outlook()).network
    assert told.seconds is None, "it trains elsewhere"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"skeleton": {"filter": 4}},
            "no setting of the skeleton is called 'filter'.*did you mean 'filters'",
        ),
        ({"skeleton": {"filters": "4"}}, "filters must be a whole number"),
        ({"recipe": {"lr": 1}}, "no setting of the recipe is called 'lr'"),
        ({"preset": "cifar"}, "no preset is called 'cifar'"),
        ({"dataset": "mnist"}, "no dataset is called 'mnist'"),
        ({"score": "val_acuracy"}, "val_acuracy.*val_accuracy"),
        ({"score": "__import__('os')"}, "."),
        ({"threads": 0}, "threads is 0; expected 1 or more"),
        ({"device": "gpu"}, "device 'gpu' cannot be used here"),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises(NasError, match=words):
        quick(**options).settle()
