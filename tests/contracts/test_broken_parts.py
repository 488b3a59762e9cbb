"""The checks of `nas.testing` find what is broken, and say which promise it is."""

from __future__ import annotations

import dataclasses
import doctest
import os
from pathlib import Path
from typing import Any

import pytest

from nas import testing
from nas.contracts import Evaluation, Evaluator, Proposal, Runner, Strategy
from nas.exporting.written import Written
from nas.seeding import numpy_rng
from nas.study.attempt import attempt
from nas.training.datasets import Images
from nas.training.datasets.digits import digits
from search_spaces.ladder import LadderSpace


class AsksTwice(Strategy):
    """Its questions are steps."""

    asked = 0

    def ask(self, number: int) -> Proposal:
        self.asked += 1
        return Proposal(self.space.sample(numpy_rng(self.seed, "ask", self.asked)))

    def tell(self, trial: object, evaluation: object) -> None:
        pass


class Denies(Strategy):
    """Says that it does not learn, and counts what it heard."""

    learns = False
    heard = 0

    def ask(self, number: int) -> Proposal:
        return Proposal(self.space.sample(numpy_rng(self.seed, "ask", number, self.heard)))

    def tell(self, trial: object, evaluation: object) -> None:
        self.heard += 1


class Wavers(Evaluator):
    """Its score is a different one each time."""

    def evaluate(self, genotype: Any, *, seed: int, workdir: Path, report: Any) -> Evaluation:
        return Evaluation(float(int.from_bytes(os.urandom(4))))


class Leaves(Evaluator):
    """Writes where it should not."""

    def evaluate(self, genotype: Any, *, seed: int, workdir: Path, report: Any) -> Evaluation:
        Path("left-behind").touch()
        return Evaluation(0.0)


class Shifts(LadderSpace):  # type: ignore[misc]
    """Encodes otherwise than it decodes."""

    def encode(self, genotype: Any) -> tuple[int, ...]:
        first, *rest = super().encode(genotype)
        return ((first + 1) % self.counts[0], *rest)


class Forgets(Runner):
    """Drops every trial's files."""

    def run(self, study: Any, evaluator: Evaluator) -> None:
        while (trial := study.ask()) is not None:
            folder = study.folder / "elsewhere"
            folder.mkdir(exist_ok=True)
            outcome = attempt(evaluator, trial, folder / str(trial.number), lambda *_: True)
            study.tell(trial.number, outcome)


def show_the_test_split(split: str, data_dir: Path | None) -> Images:
    return digits.read("test", data_dir)


def writes_nothing(subject: object, folder: Path) -> Written:
    """Write nothing."""
    return Written((), "`model.txt`")


@pytest.mark.parametrize(
    ("check", "promise"),
    [
        (
            lambda: testing.check_strategy(AsksTwice, spaces=[LadderSpace()]),
            "A storm of questions between tells leaves every later proposal as it was",
        ),
        (
            lambda: testing.check_strategy(Denies, spaces=[LadderSpace()]),
            "told them again, if it learns, it goes on as the one that lived",
        ),
        (
            lambda: testing.check_evaluator(Wavers),
            "Genotype and seed fix score, metrics and reports",
        ),
        (lambda: testing.check_evaluator(Leaves), "below its workdir and nowhere else. it left "),
        (lambda: testing.check_space(Shifts), "become a genotype of this space, and .* back"),
        (lambda: testing.check_runner(Forgets), "The steps of a trial are written down in order"),
        (
            lambda: testing.check_dataset(dataclasses.replace(digits, read=show_the_test_split)),
            "No image of the test split is among those that a search sees",
        ),
        (
            lambda: testing.check_dataset(dataclasses.replace(digits, mean=(0.5,))),
            "`mean` and `std` are those of the training pixels",
        ),
        (lambda: testing.check_export_format(writes_nothing), "returns the files that it wrote"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_a_broken_promise_is_named(
    check: Any, promise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match=f"broken promise: .*{promise}"):
        check()


def test_whole_parts_pass() -> None:
    testing.check_dataset(digits)
    testing.check_op("max_3x3")
    testing.check_strategy("random-search", spaces=[LadderSpace()])
    assert doctest.testmod(testing).failed == 0
