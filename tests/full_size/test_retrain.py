"""Retraining: several seeds, ranked on validation, the test split read once for the first, resumed
after any kill."""

import errno
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from nas.cli import app
from nas.errors import NasError, StudyError
from nas.exporting.choosing import Choice, choices
from nas.full_size.learning_curves import curves_svg
from nas.full_size.retrain import Retrained, retrain, spread
from nas.full_size.settings import full_size, setting_of
from nas.full_size.trainings import Setting, Trained, Watch, job_of, trained
from nas.training import checkpoint, final_split
from nas.training.computation import Computation
from nas.training.datasets import Dataset, Images
from nas.training.datasets.digits import digits
from nas.training.failures import OutOfMemory
from nas.training.judging import judged
from nas.training.recipe import Recipe
from nas.training.trainer import Metrics, Trainer
from search_spaces import zoo
from search_spaces.cells.nasbench201_text import from_nasbench201_text
from search_spaces.cells.skeleton import Skeleton

GENOTYPES = [
    from_nasbench201_text(f"|{op}~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|")
    for op in ("nor_conv_3x3", "nor_conv_1x1")
]
SKELETON = Skeleton(layout="nasbench201", cells_per_stage=1, filters=4, image_size=8, channels=1)
RECIPE = Recipe(epochs=2, batch_size=64, learning_rate=0.1, train_images=256)


def choice(number: int) -> Choice:
    return Choice(genotype=GENOTYPES[number], name=f"cell-{number}", title=f"cell {number}")


def setting(dataset: Dataset = digits, **changes: object) -> Setting:
    recipe = replace(RECIPE, **changes)  # type: ignore[arg-type]
    return setting_of(dataset, recipe, device="cpu", threads=1, checkpoint_seconds=0)


def quiet(*_: object) -> None:
    pass


def one(setting: Setting, seed: int, folder: Path, watch: Watch = quiet) -> Trained:
    return trained(job_of(GENOTYPES[0], SKELETON, setting, seed, folder, watch))


def run(
    folder: Path, count: int = 2, seeds: range = range(2), dataset: Dataset = digits
) -> Retrained:
    entrants = [(choice(number), SKELETON) for number in range(count)]
    return retrain(entrants, setting(dataset), folder, seeds=seeds, watch=quiet, formats=[])


def test_entrants_are_ranked_by_the_mean_of_validation(tmp_path: Path) -> None:
    result = run(tmp_path / "out")
    first, second = result.entrants
    assert first.val_accuracy >= second.val_accuracy
    assert first.val_accuracy == pytest.approx(sum(r.val_accuracy for r in first.runs) / 2)
    assert len(result.tests) == 2
    record = json.loads((tmp_path / "out" / "result.json").read_text())
    assert record["ranking"][0]["key"] == first.choice.genotype.key
    assert record["test_top_1_sd"] == pytest.approx(
        spread("x", [t.top_1 for t in result.tests])["x_sd"]
    )
    assert "<polyline" in (first.folder / "curves.svg").read_text()


def test_the_test_split_is_read_once_and_for_the_first_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def read(split: str, data_dir: Path | None) -> Images:
        opened.append(split)
        return digits.read(split, data_dir)

    watched = replace(digits, name="watched", read=read)
    first = run(tmp_path / "out", dataset=watched)
    assert opened.count("test") == 1
    assert len(first.tests) == len(first.entrants[0].runs)
    monkeypatch.setattr(
        final_split.FinalSplit, "load", lambda _: pytest.fail("the test split was read again")
    )
    assert run(tmp_path / "out", dataset=watched).tests == first.tests


class Killed(Exception):
    pass


def test_a_kill_changes_nothing(tmp_path: Path) -> None:
    whole = one(setting(epochs=3), 5, tmp_path / "whole", quiet)

    def kill(epoch: int, metrics: Metrics) -> None:
        if epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        one(setting(epochs=3), 5, tmp_path / "killed", kill)
    assert (tmp_path / "killed" / "progress.safetensors").exists()
    heard: list[int] = []
    again = one(
        setting(epochs=3),
        5,
        tmp_path / "killed",
        lambda epoch, _: heard.append(epoch),
    )
    assert heard == [1, 2, 3]
    losses = [[metrics["val_loss"] for metrics in each.curve] for each in (whole, again)]
    assert losses[0] == losses[1]
    assert not (tmp_path / "killed" / "progress.safetensors").exists()


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    first = one(setting(), 1, tmp_path, quiet)
    before = first.file.stat().st_mtime_ns
    assert one(setting(), 1, tmp_path, quiet).curve == first.curve
    assert first.file.stat().st_mtime_ns == before
    assert one(setting(epochs=1), 1, tmp_path, quiet).curve != first.curve


def test_averaged_weights_survive_a_kill(tmp_path: Path) -> None:
    averaged = setting(weight_average=0.9)
    whole = one(averaged, 5, tmp_path / "whole", quiet)

    def kill(epoch: int, metrics: Metrics) -> None:
        raise Killed

    with pytest.raises(Killed):
        one(averaged, 5, tmp_path / "killed", kill)
    again = one(averaged, 5, tmp_path / "killed", quiet)
    assert again.curve[-1]["val_loss"] == whole.curve[-1]["val_loss"]
    assert (
        whole.curve[-1]["val_loss"]
        != one(setting(), 5, tmp_path / "p", quiet).curve[-1]["val_loss"]
    )


def test_another_run_s_folder_is_left_alone(tmp_path: Path) -> None:
    run(tmp_path / "out", count=1, seeds=range(1))
    with pytest.raises(
        NasError, match=r"was begun with other settings \(entrants.*choose another with --out"
    ):
        run(tmp_path / "out", count=2, seeds=range(1))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    with pytest.raises(NasError, match="is not empty and was not begun by this command"):
        run(tmp_path / "full")


@pytest.mark.parametrize("text", ['{"tested": ', "[1]", "null", "\xff", '{"tested": "MARK"}'])
def test_a_damaged_result_counts_as_not_there(tmp_path: Path, text: str) -> None:
    first = run(tmp_path / "out", count=1, seeds=range(1))
    file = tmp_path / "out" / "result.json"
    whole = file.read_text()
    file.write_text(text.replace("MARK", json.loads(whole)["tested"]), encoding="latin-1")
    assert run(tmp_path / "out", count=1, seeds=range(1)).tests == first.tests
    assert file.read_text() == whole


@pytest.mark.parametrize("text", ["null", "[1]", '{"recipe": ', "", "\xff"])
def test_damaged_settings_get_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "retrain.json").write_text(text, encoding="latin-1")
    with pytest.raises(
        NasError, match=r"retrain\.json holds no settings of a run; restore it, or choose another"
    ):
        run(tmp_path, count=1, seeds=range(1))


def test_the_command_retrains_tests_and_exports(tmp_path: Path) -> None:
    file = tmp_path / "g.json"
    file.write_text(GENOTYPES[0].to_json())
    words = [
        "retrain",
        str(file),
        "--preset",
        "digits-demo",
        "--seeds",
        "2",
        "--threads",
        "1",
        "--to",
        "python,json",
    ]
    small = [
        "--set",
        "recipe.epochs=1",
        "--set",
        "skeleton.filters=4",
        "--set",
        "recipe.train_images=200",
    ]
    out = tmp_path / "out"
    answer = CliRunner().invoke(app, [*words, *small, "--out", str(out)], catch_exceptions=False)
    assert re.search(r"test split, read once, for .*: top-1 \d+\.\d\d % ± \d+\.\d\d", answer.stdout)
    card = (out / "best" / "README.md").read_text()
    for line in (
        "- validation split: ",
        "- test split: ",
        "- test_ mean of 2 seeds split: ",
        "- dataset: digits",
        "epochs 1",
    ):
        assert line in card, line
    found = choices(str(out / "best"))[0]
    assert found.weights is not None
    assert found.weights.classes == tuple("0123456789")
    assert "'0', " not in (out / "best" / "model.py").read_text()
    assert '("0", "1", "2"' in (out / "best" / "model.py").read_text()


def test_a_published_cell_keeps_its_conventions() -> None:
    entry = zoo.load("darts-v2")
    published = Choice(genotype=entry.genotype, name="darts-v2", title=entry.title, entry=entry)
    skeleton, recipe = full_size(
        published, replace(digits, image_size=32), "cifar10-final", {}, {"epochs": "9"}
    )
    assert (skeleton.op_semantics, skeleton.first_input, skeleton.relu_before_pool) == (
        "nds",
        "stem",
        False,
    )
    assert (skeleton.filters, skeleton.auxiliary, recipe.epochs) == (32, True, 9)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--preset", "imagenet"], "no preset is called 'imagenet'"),
        (["--precision", "fp8"], "no precision is called 'fp8'; there are bf16, fp32"),
        (
            ["--preset", "digits-demo", "--set", "recipe.epochs=many"],
            "recipe.epochs is 'many'; expected a whole number",
        ),
        (
            ["--preset", "digits-demo", "--set", "recipe.pace=1"],
            "no setting of the recipe is called 'pace'",
        ),
        (["--preset", "digits-demo", "--top", "3"], "--top 3 asks for the best of a study"),
        (
            ["--preset", "digits-demo", "--to", "python,caffe"],
            "no exporter is called 'caffe'; there are ",
        ),
        (["--set", "strategy.population=3"], "no part to set here is called 'strategy'"),
    ],
)
def test_bad_words_get_one_sentence(words: list[str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(NasError) as problem:
        CliRunner().invoke(
            app,
            ["retrain", "nasnet-a", "--out", str(tmp_path / "o"), *words],
            catch_exceptions=False,
        )
    assert sentence in str(problem.value)
    assert not (tmp_path / "o").exists()


def test_a_training_that_diverges_is_told_in_one_sentence(tmp_path: Path) -> None:
    entrants = [(choice(0), SKELETON)]
    wild = setting(learning_rate=1_000.0, gradient_clip=0.0, momentum=0.9999)
    with pytest.raises(
        StudyError,
        match=r"seed-0 came to nothing: the \w+ loss is \S+ .*; try a lower learning rate$",
    ):
        retrain(entrants, wild, tmp_path, seeds=[0], watch=quiet, formats=[])


@pytest.mark.parametrize(
    ("moment", "problem"),
    [
        ("run", OutOfMemory("cannot have 9 GiB")),
        ("__init__", torch.OutOfMemoryError("cannot have 9 GiB")),
    ],
)
def test_memory_that_runs_out_is_told_with_a_remedy(
    moment: str, problem: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(Trainer, moment, full)
    with pytest.raises(
        StudyError,
        match=r"seed-0 came to nothing: cannot have 9 GiB; .*--set recipe\.micro_batch=16",
    ):
        run(tmp_path)


def test_a_full_disk_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint, "write_tensors", full)
    with pytest.raises(
        StudyError,
        match=r"seed-0 cannot be kept: No space left on device; make room, and the same comm",
    ):
        run(tmp_path)


def test_judging_counts_right_answers() -> None:
    class Known(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.arange(10.0).expand(
                len(images), 10
            )  # always class 9, and 5 to 8 behind it

    images = digits.load("val")
    found = judged(Known(), images, digits, Computation())
    assert found.top_1 == pytest.approx((images.labels == 9).mean())
    assert found.top_5 == pytest.approx((images.labels >= 5).mean())
    assert found.images == len(images)


def test_curves_of_one_epoch_can_be_drawn() -> None:
    text = curves_svg("a < b", {0: [{"train_accuracy": 0.5, "val_accuracy": 1.0}]})
    assert "a &lt; b" in text
    assert text.count("<polyline") == 2
