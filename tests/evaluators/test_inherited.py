"""Children that begin with shared weights: what they get, what it does, and what is refused."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from nas import registry
from nas.cli import app
from nas.errors import SettingsError
from nas.evaluators._supernet_files import RECORD, record_of, weights_of
from nas.evaluators.shared import make_supernet
from nas.evaluators.train import Train
from nas.seeding import numpy_rng
from nas.study.attempt import never_stop
from nas.training import trainer
from search_spaces.cells.genotype import Genotype

LADDER = registry.load("space", "ladder")()
QUICK: dict[str, Any] = {
    "dataset": "digits-hard",
    "device": "cpu",
    "precision": "fp32",
    "layout": "channels-last",
    "skeleton": {"filters": 4},
}
SHORT = {"epochs": 3, "learning_rate": 0.005}  # of four steps each


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("supernet")
    judge = Train(LADDER, **QUICK, recipe={"epochs": 8})
    make_supernet(judge, folder, steps=150, seed=0, report=lambda *_: None)
    return folder


def child(**options: Any) -> Train:
    return Train(LADDER, **{**QUICK, "recipe": SHORT, **options})


def judged(evaluator: Train, genotype: Genotype, folder: Path, seed: int = 0) -> float:
    return evaluator.evaluate(genotype, seed=seed, workdir=folder, report=never_stop).score


def test_a_child_begins_with_its_part_of_the_weights(
    supernet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Caught(Exception):
        pass

    begun: list[nn.Module] = []

    def caught(network: nn.Module, *_: Any, **__: Any) -> None:
        begun.append(network)
        raise Caught

    monkeypatch.setattr(trainer, "Trainer", caught)
    genotype = LADDER.decode((2, 1, 0))
    for inherit in (str(supernet), None):
        with pytest.raises(Caught):
            judged(child(inherit=inherit), genotype, tmp_path)

    inherited, fresh = ({n: p.detach() for n, p in each.named_parameters()} for each in begun)
    wanted: dict[str, Tensor] = weights_of(supernet, record_of(supernet)).of(begun[0])
    assert set(wanted) == set(inherited)
    assert all(torch.equal(inherited[name], wanted[name]) for name in wanted)
    assert not torch.equal(inherited["head.linear.weight"], fresh["head.linear.weight"])


def test_three_short_epochs_go_further_from_shared_weights(supernet: Path, tmp_path: Path) -> None:
    genotypes = [LADDER.sample(numpy_rng(0, "child", number)) for number in range(3)]
    scores = {
        inherit: fmean(
            judged(child(inherit=inherit), genotype, tmp_path / f"{inherit is None}-{number}")
            for number, genotype in enumerate(genotypes)
        )
        for inherit in (str(supernet), None)
    }
    assert scores[str(supernet)] > scores[None] + 0.1


def test_it_is_trained_alike_where_the_folder_is_not(supernet: Path, tmp_path: Path) -> None:
    copy = tmp_path / "supernet"
    shutil.copytree(supernet, copy)
    genotype = LADDER.decode((2, 1, 0))
    evaluator = child(inherit=str(copy))
    sent, shared = pickle.dumps(evaluator), evaluator.shared()
    score = judged(evaluator, genotype, tmp_path / "one")
    shutil.rmtree(copy)
    far = pickle.loads(sent)
    far.take_shared(shared)
    assert judged(far, genotype, tmp_path / "other") == score
    assert len(sent) < 100_000


def test_weights_are_part_of_what_a_study_is(supernet: Path, tmp_path: Path) -> None:
    copy, out = tmp_path / "supernet", tmp_path / "study"
    shutil.copytree(supernet, copy)
    words = f"search --space ladder --dataset digits-hard --strategy random-search --out {out}"
    words += f" --set evaluator.inherit={copy} --set skeleton.filters=4 --set recipe.epochs=1"
    words += " --set evaluator.precision=fp32 --set evaluator.layout=channels-last --to none"
    answer = CliRunner().invoke(app, [*words.split(), "--trials", "1"])
    assert answer.exit_code == 0, answer.output
    measured = json.loads((out / "study.json").read_text())["measured"]
    assert measured["inherited"] == record_of(supernet)["weights"]
    other = json.loads((copy / RECORD).read_text())
    (copy / RECORD).write_text(json.dumps({**other, "weights": "0123456789abcdef"}))
    again = CliRunner().invoke(app, [*words.split(), "--trials", "2"])
    assert "has changed (inherited" in str(again.exception)


def test_a_confirmation_may_inherit(supernet: Path, tmp_path: Path) -> None:
    words = f"search --space ladder --evaluator shared --set evaluator.supernet={supernet}"
    words += f" --trials 2 --confirm 1 --set confirm.inherit={supernet} --out {tmp_path / 'study'}"
    words += " --set confirm.skeleton.filters=4 --set confirm.recipe.epochs=1 --to none"
    words += " --set confirm.dataset=digits-hard --strategy random-search"
    answer = CliRunner().invoke(app, words.split())
    assert answer.exit_code == 0, answer.output
    (study,) = (tmp_path / "study").glob("confirm-*/study.json")
    assert "inherited" in json.loads(study.read_text())["measured"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"skeleton": {"filters": 8}}, "is a supernet with filters 4, and children here have 8"),
        ({"inherit": "nowhere"}, "'nowhere' holds no supernet: make one with `nas supernet --out`"),
    ],
)
def test_what_cannot_be_inherited_is_refused(
    supernet: Path, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        child(**{"inherit": str(supernet), **change})


def test_weights_of_another_space_are_refused(supernet: Path) -> None:
    with pytest.raises(SettingsError, match="is a supernet of another space \\(ladder\\)"):
        Train(registry.load("space", "darts")(), **QUICK, inherit=str(supernet))


def test_a_supernet_itself_inherits_nothing(supernet: Path, tmp_path: Path) -> None:
    words = f"supernet --space ladder --set evaluator.inherit={supernet} --out {tmp_path / 's'}"
    answer = CliRunner().invoke(app, words.split())
    assert "leave evaluator.inherit out" in str(answer.exception)
