"""Following a log to a tracker: everything once, whatever happens in between."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from nas.search.tracking.following import Follower
from nas.search.tracking.of_study import study_sources
from nas.search.tracking.runs import (
    Conclusion,
    Point,
    Run,
    Seen,
    Tracker,
    Unreachable,
    Whole,
)
from parts.command_line import SMALL, nas, started
from parts.studies import lines

CORPUS = Path(__file__).parents[1] / "corpus"


class Shelf(Tracker):
    """Keeps what it is told; its store outlives it, and may be out of reach."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.points: list[Point] = []
        self.mark: str | None = None
        self.down = False
        self.told = 0

    def open(self, whole: Whole) -> Seen:
        self._reach()
        steps = {point.name: point.step for point in self.points}
        return Seen(frozenset(self.runs), steps, self.mark)

    def add(self, run: Run) -> None:
        self._reach()
        assert run.name not in self.runs
        self.runs[run.name] = run
        self.told += 1
        self.down = self.told == 3  # it goes away in the middle of a study

    def extend(self, points: Sequence[Point]) -> None:
        self._reach()
        self.points += points

    def end(self, ending: Conclusion) -> None:
        self._reach()
        self.mark = ending.mark

    def where(self) -> str:
        return "here"

    def _reach(self) -> None:
        if self.down:
            raise Unreachable("the shelf does not answer")


def follower(folder: Path, shelf: Shelf, said: list[str]) -> Follower:
    return Follower(lambda: study_sources(folder), lambda: shelf, "shelf", said.append)


def test_a_server_that_goes_away_is_said_once_and_caught_up_without_anything_twice(
    tmp_path: Path,
) -> None:
    study = tmp_path / "s"
    nas("search", *SMALL, "--trials", "6", "--out", study)
    shelf, said = Shelf(), list[str]()
    with closing(follower(study, shelf, said)) as follows:
        follows.look()
        follows.look()
        assert said == [
            "the shelf does not answer; nothing is lost, it is caught up as soon as it answers"
        ]
        shelf.down = False
        follows.look()
        assert follows.trouble is None

    assert list(shelf.runs) == [f"trial-{number}" for number in range(6)]
    told = [event for event in lines(study) if event["event"] == "told"]
    scores = [point.value for point in shelf.points if point.name == "score"]
    assert scores == [event["score"] for event in told]
    best = [point for point in shelf.points if point.name == "best_score"]
    assert [point.step for point in best] == [1, 2, 3, 4, 5, 6]
    assert best[-1].value == max(scores)
    assert shelf.mark is not None


def test_a_study_that_goes_on_is_continued_where_it_was(tmp_path: Path) -> None:
    study = tmp_path / "s"
    nas("search", *SMALL, "--trials", "2", "--out", study)
    shelf = Shelf()
    with closing(follower(study, shelf, [])) as follows:
        follows.look()
    before = shelf.mark

    nas("resume", study, "--trials", "+3")
    shelf.told = 10
    moved = Path(shutil.move(study, tmp_path / "elsewhere"))
    with closing(follower(moved, shelf, [])) as follows:
        follows.look()

    assert len(shelf.runs) == 5
    steps = [point.step for point in shelf.points if point.name == "score"]
    assert steps == [1, 2, 3, 4, 5]
    assert shelf.mark != before


def test_a_trained_trial_has_its_curve_its_decisions_and_its_recipe(tmp_path: Path) -> None:
    shutil.copytree(CORPUS / "trained" / "study", tmp_path / "study")
    shelf = Shelf()
    shelf.told = 10
    with closing(follower(tmp_path / "study", shelf, [])) as follows:
        follows.look()

    events = [event for event in lines(tmp_path / "study") if event.get("number") == 0]
    run = shelf.runs["trial-0"]
    curve = [(point.step, point.value) for point in run.points if point.name == "val_accuracy"]
    assert curve == [
        (event["step"], event["metrics"]["val_accuracy"])
        for event in events
        if event["event"] == "progressed"
    ]
    assert run.parameters["seed"] == str(events[0]["seed"])
    assert run.parameters["recipe.epochs"] == 2
    assert run.parameters["dataset"] == "digits"
    assert "sep_3x3" in run.parameters.values()
    assert run.genotype is not None
    told = [event for event in events if event["event"] == "told"]
    assert run.metrics["score"] == told[0]["score"]


def test_of_two_followers_only_one_tells(tmp_path: Path) -> None:
    study = tmp_path / "s"
    nas("search", *SMALL, "--trials", "2", "--out", study)
    first, second = Shelf(), Shelf()
    one = follower(study, first, [])
    with closing(follower(study, second, [])) as two:
        one.look()
        two.look()
        assert second.runs == {}
        assert two.trouble == f"another process shows {study} there just now: it tells what is new"

        one.close()
        two.look()
        assert len(second.runs) == 2


def test_each_study_of_a_comparison_is_a_run(tmp_path: Path) -> None:
    shutil.copytree(CORPUS / "comparison" / "study", tmp_path / "c")
    titles = [whole.title for each in study_sources(tmp_path / "c") if (whole := each.whole())]

    assert titles == [
        f"c {arm} seed-{seed}" for arm in ("evolution", "random-search") for seed in (1, 2, 3)
    ]


def test_a_search_is_shown_by_a_process_beside_it(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    study, shown = tmp_path / "s", tmp_path / "runs"
    words = ("search", *SMALL, "--trials", "5", "--out", study, "--track", f"tensorboard:{shown}")
    process = started(*words)
    out, err = process.communicate(timeout=100)

    assert process.returncode == 0, err
    assert "5 runs added to tensorboard" in out + err
    home = next(shown.iterdir())
    assert len(list(home.glob("trial-*"))) == 5

    again = nas("track", study, "--to", f"tensorboard:{shown}")
    assert again.out.startswith("0 runs added to tensorboard")


@pytest.mark.slow
def test_a_server_that_is_down_does_not_hold_up_a_search(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    study = tmp_path / "s"
    nowhere = "mlflow:http://127.0.0.1:9"
    process = started("search", *SMALL, "--trials", "3", "--out", study, "--track", nowhere)
    _, err = process.communicate(timeout=100)

    assert process.returncode == 0, err
    assert err.count("does not answer as MLflow does") == 2, err  # once, and in what came of it
    assert f"catch up with `nas track {study} --to {nowhere}`" in err
    assert nas("status", study, "--json").json["counts"]["evaluated"] == 3


@pytest.mark.parametrize(
    ("package", "tracker"), [("tensorboardX", "tensorboard"), ("wandb", "wandb")]
)
def test_what_is_not_installed_is_said_before_anything_begins(
    package: str, tracker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    answer = nas("search", *SMALL, "--trials", "3", "--out", tmp_path / "s", "--track", tracker)

    assert answer.sentence == (
        f"tracking in {tracker} needs {package}, which is not installed: "
        f"pip install 'nas-toolkit[{tracker}]'"
    )
    assert not (tmp_path / "s").exists()


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    assert nas("track", tmp_path, "--to", "tensorboard").sentence == (
        f"{tmp_path} holds no study, comparison, retraining or transfer: give the folder of one"
    )


@pytest.mark.slow
def test_a_retraining_is_a_run_with_its_trainings_below(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    shutil.copytree(CORPUS / "trained" / "study", tmp_path / "study")
    tiny = ("--set", "recipe.epochs=2", "--set", "recipe.train_images=64", "--to", "json")
    done = nas("retrain", tmp_path / "study", "--seeds", "1", *tiny, "--out", tmp_path / "r")
    assert done.code == 0, done.err

    from nas.full_size.trackable import training_sources

    shelf = Shelf()
    made = Follower(lambda: training_sources(tmp_path / "r"), lambda: shelf, "shelf", print)
    with closing(made) as follows:
        follows.look()
    (name,) = shelf.runs
    run = shelf.runs[name]
    assert name.endswith("-seed-0")
    assert [point.step for point in run.points if point.name == "val_accuracy"] == [1, 2]
    assert run.parameters["recipe.epochs"] == 2
    assert shelf.mark is not None
    assert "genotype.json" in shelf.mark

    told = nas("track", tmp_path / "r", "--to", "tensorboard", "--json").json
    assert (told["runs"], told["studies"]) == (1, 1)
