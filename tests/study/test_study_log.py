"""What a study leaves on disk: files of its best trials, and a log that is the truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nas.contracts import Evaluation, Json, Trial
from nas.errors import StoreError
from nas.study import Rules
from nas.study.study import Study
from parts.studies import (
    TINY,
    A,
    B,
    Judge,
    Listed,
    asked,
    fresh_strategy,
    lines,
    of_trials,
    run_all,
    story,
    study_of,
    tiny,
    told,
    write_log,
)
from search_spaces.cells.genotype import Genotype

# ------------------------------------------------------------------ files


def with_files(study: Study, score: float) -> int:
    trial = asked(study)
    keep = study.workdir(trial.number) / "keep"
    keep.mkdir(parents=True)
    (keep / "weights").write_text(str(trial.number))
    told(study, trial, score)
    return trial.number


def test_only_the_best_keep_their_files(tmp_path: Path) -> None:
    genotypes = [tiny(0, index) for index in range(4)] + [tiny(1, 0)]
    with study_of(tmp_path, genotypes, Rules(keep=2)) as study:
        for score in (0.3, 0.1, 0.5, 0.4, 0.2):
            with_files(study, score)
        assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["2", "3"]
        assert (tmp_path / "checkpoints" / "2" / "weights").read_text() == "2"
        assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("learns", [True, False])
def test_what_does_not_learn_is_not_told_its_past(tmp_path: Path, learns: bool) -> None:
    with study_of(tmp_path, [A, B]) as study:
        for score in (0.2, 0.1):
            told(study, asked(study), score)
        best = study.ledger.best
    strategy = Listed([A, B])
    strategy.learns = learns
    with Study(tmp_path, strategy, seed=0, rules=Rules(), budget=None) as study:
        assert len(strategy.heard) == (2 if learns else 0)
        assert study.ledger.best == best
        assert study.ask() is None


def test_files_of_a_trial_told_just_before_a_crash_are_kept_after_it(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, B]) as study:
        trial = asked(study)
        keep = study.workdir(trial.number) / "keep"
        keep.mkdir(parents=True)
        (keep / "weights").write_text("w")
        study._keep_files = lambda number: None  # type: ignore[method-assign]  # killed before this
        told(study, trial)
    with study_of(tmp_path, [A, B]):
        assert (tmp_path / "checkpoints" / "0" / "weights").read_text() == "w"
        assert not study.workdir(0).exists()


def test_files_of_an_open_trial_stay_for_its_next_attempt(tmp_path: Path) -> None:
    with study_of(tmp_path, [A]) as study:
        study.workdir(asked(study).number).mkdir(parents=True)
        (study.workdir(0) / "half").write_text("way")
    with study_of(tmp_path, [A]) as study:
        assert (study.workdir(0) / "half").read_text() == "way"


# ------------------------------------------------------------------ the log


class Updating(Listed):
    """Changes inside at every second result."""

    def __init__(self, genotypes: Sequence[Genotype]) -> None:
        super().__init__(genotypes)
        self._news: list[dict[str, Json]] = []

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        super().tell(trial, evaluation)
        if len(self.heard) % 2 == 0:
            self._news.append({"update": len(self.heard) // 2})

    def diagnostics(self) -> list[dict[str, Json]]:
        news, self._news = self._news, []
        return news


def test_updates_of_a_strategy_are_in_the_log_also_after_a_crash(tmp_path: Path) -> None:
    genotypes = [tiny(index // 4, index % 4) for index in range(8)]
    with Study(tmp_path, Updating(genotypes), budget=of_trials(8)) as study:
        run_all(study, Judge(TINY))
    whole = [(e["number"], e["update"]) for e in lines(tmp_path) if e["event"] == "updated"]
    assert whole == [(1, 1), (3, 2), (5, 3), (7, 4)]
    content = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    place = next(
        index
        for index, line in enumerate(content)
        if b'"updated"' in line and b'"number":5' in line
    )
    (tmp_path / "events.jsonl").write_bytes(b"".join(content[:place]))
    with Study(tmp_path, Updating(genotypes), budget=of_trials(8)) as study:
        run_all(study, Judge(TINY))
    assert [(e["number"], e["update"]) for e in lines(tmp_path) if e["event"] == "updated"] == whole


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            {"event": "told", "number": 9, "score": 1.0, "metrics": {}, "seconds": 0.0},
            "the log holds a line that no study wrote: ",
        ),
        (
            {"event": "told", "number": 0, "metrics": {}, "seconds": 0.0},
            "line 4 is 'told' without 'score'",
        ),
        ({"event": "asked", "number": 1}, "line 4 is 'asked' without 'key'"),
        (
            {
                "event": "asked",
                "number": 1,
                "key": "k",
                "genotype": {"schema": "?"},
                "seed": 1,
                "notes": {},
            },
            "the log holds a line that no study wrote: ",
        ),
        ({"event": "extended", "budget": {"trials": -4}}, "as 'budget', expected a budget of"),
        ({"event": "extended", "budget": {"years": 4}}, "as 'budget', expected a budget of"),
        ({"event": "attempted"}, "line 4 is 'attempted' without 'number'"),
    ],
)
def test_a_line_that_no_study_wrote_is_an_error(
    tmp_path: Path, line: dict[str, Any], sentence: str
) -> None:
    with study_of(tmp_path, [A, B]) as study:
        asked(study)
    write_log(tmp_path, [*lines(tmp_path), line])
    before = (tmp_path / "events.jsonl").read_bytes()
    with pytest.raises(StoreError, match=sentence):
        study_of(tmp_path, [A, B])
    assert (tmp_path / "events.jsonl").read_bytes() == before


@pytest.mark.parametrize("found", [0, 3, "1", None])
def test_another_format_is_refused(tmp_path: Path, found: Any) -> None:
    with study_of(tmp_path, [A]):
        pass
    log = tmp_path / "events.jsonl"
    log.write_text(json.dumps({**lines(tmp_path)[0], "format": found}) + "\n")
    with pytest.raises(
        StoreError,
        match=r"the log has format .*, but this version reads formats 1 and 2: use the version",
    ):
        study_of(tmp_path, [A])


def test_stopping_starts_nothing_new(tmp_path: Path) -> None:
    with study_of(tmp_path, [A, B]) as study:
        trial = asked(study)
        study.stop()
        assert study.ask() is None
        told(study, trial)
        assert study.finish() is None
    with study_of(tmp_path, [A, B]) as study:
        assert asked(study).number == 1


@pytest.mark.parametrize("spoken", ["random-search", "evolution", "local-search"])
def test_settings_and_seed_fix_the_proposals(tmp_path: Path, spoken: str) -> None:
    told_apart = []
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        (tmp_path / name).mkdir()
        with Study(
            tmp_path / name, fresh_strategy(spoken, seed=seed), seed=seed, budget=of_trials(11)
        ) as study:
            run_all(study, Judge(TINY))
        told_apart.append(story(lines(tmp_path / name)))
    assert told_apart[0] == told_apart[1] != told_apart[2]
