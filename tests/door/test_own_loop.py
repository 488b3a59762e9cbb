"""A loop of the user's own over a study: every trial is remembered, and a crash costs nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import nas
from nas.errors import NasError, SettingsError
from parts.command_line import nas as command
from parts.studies import kinds
from search_spaces.nasnet import NasnetSpace


def judged(choices: object) -> float:
    return float(sum(map(ord, str(choices))) % 97)


def test_every_trial_names_what_was_chosen(tmp_path: Path) -> None:
    space = NasnetSpace()
    with nas.open_study(tmp_path / "s", space="nasnet", strategy="evolution", trials=5) as study:
        for trial in study.todo():
            assert list(trial.choices) == [decision.name for decision in space.decisions]
            answers = [
                decision.options.index(trial.choices[decision.name]) for decision in space.decisions
            ]
            assert space.decode(answers).key == trial.genotype.key
            study.tell(trial, judged(trial.choices))
    assert study.finished == "all 5 trials are done"
    assert (tmp_path / "s" / "best" / "genotype.json").is_file()
    assert command("status", tmp_path / "s", "--check", "--json").json["check"]["sound"]


def test_choices_of_a_table_space_are_those_of_the_genotype(tmp_path: Path) -> None:
    space = {"name": "table", "decisions": {"depth": ["1", "2", "3"], "kind": ["a", "b"]}}
    with nas.open_study(
        tmp_path / "s", space="table", strategy="random-search", trials=4, set={"space": space}
    ) as study:
        for trial in study.todo():
            assert trial.choices == trial.genotype.choices
            study.tell(trial, float(trial.choices["depth"]))


def test_numbers_evaluations_and_failures_are_told(tmp_path: Path) -> None:
    with nas.open_study(tmp_path / "s", space="nasnet", trials=3, retries=0) as study:
        first, second, third = study.todo()
        study.tell(first, nas.Evaluation(0.5, {"params": 3}, 2.0))
        study.tell(second.number, 1)
        study.tell(third, nas.Failure("error", "the disk is full"))
    lines = (tmp_path / "s" / "events.jsonl").read_text().splitlines()
    log = [json.loads(line) for line in lines]
    ends = [event for event in log if event["event"] in ("told", "failed")]
    assert [event.get("score") for event in ends] == [0.5, 1.0, None]
    assert (ends[0]["metrics"], ends[0]["seconds"]) == ({"params": 3}, 2.0)
    assert ends[2]["message"] == "the disk is full"


@pytest.mark.parametrize("score", [float("nan"), float("inf"), "good", None])
def test_what_is_no_score_is_refused_and_the_trial_stays_open(
    tmp_path: Path, score: object
) -> None:
    with nas.open_study(tmp_path / "s", space="nasnet", trials=1) as study:
        for trial in study.todo():
            with pytest.raises(NasError, match=r"the score is .*: expected a"):
                study.tell(trial, score)  # type: ignore[arg-type]
            study.tell(trial, 0.5)
            with pytest.raises(NasError, match="trial 0 is not open"):
                study.tell(trial, 0.5)


def test_a_loop_that_breaks_continues_with_the_trial_it_broke_in(tmp_path: Path) -> None:
    def run(break_at: int | None) -> list[tuple[int, int]]:
        seen = []
        with nas.open_study(tmp_path / "s", space="nasnet", strategy="evolution", trials=6) as own:
            for trial in own.todo():
                seen.append((trial.number, trial.seed))
                if trial.number == break_at:
                    raise ZeroDivisionError
                own.tell(trial, judged(trial.choices))
        return seen

    with pytest.raises(ZeroDivisionError):
        run(3)
    after = run(None)
    assert [number for number, _ in after] == [3, 4, 5]
    assert kinds(tmp_path / "s").count("told") == 6


def test_the_command_line_reads_such_a_study_and_leaves_its_loop_alone(tmp_path: Path) -> None:
    with nas.open_study(tmp_path / "s", space="nasnet", trials=3) as study:
        study.tell(next(study.todo()), 1.0)
    before = (tmp_path / "s" / "events.jsonl").read_bytes()
    assert command("best", tmp_path / "s").code == 0
    assert "continue it there, with nas.open_study" in command("resume", tmp_path / "s").sentence
    assert (tmp_path / "s" / "events.jsonl").read_bytes() == before


def test_who_judges_and_where_cannot_be_set(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError, match="no evaluator to set: leave out dataset"),
        nas.open_study(tmp_path / "s", space="nasnet", dataset="digits"),
    ):
        pass
    assert not (tmp_path / "s").exists()


def test_learning_curves_can_be_stopped(tmp_path: Path) -> None:
    with nas.open_study(
        tmp_path / "s", space="nasnet", trials=8, early_stop="median",
        set={"study.grace_trials": 2},
    ) as study:  # fmt: skip
        stopped = 0
        for trial in study.todo():
            score = -float(trial.number)
            if study.progress(trial, 1, {"score": score}) and study.progress(
                trial, 2, {"score": score}
            ):
                study.tell(trial, score)
            else:
                study.tell(trial, nas.Stopped(2, score))
                stopped += 1
    assert stopped == kinds(tmp_path / "s").count("stopped") > 0
