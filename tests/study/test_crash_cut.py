"""Wherever the log of a study is cut, the study goes on as if nothing had happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nas.study import Budget, Rules
from nas.study.store import read_events
from nas.study.study import Study
from parts.studies import STRATEGIES, TINY, Judge, fresh_strategy, run_all, story, tiny
from search_spaces.cells.genotype import Genotype


def first_is_three(genotype: Genotype) -> str | None:
    """A constraint that forbids four of the sixteen architectures."""
    assert genotype.choices is not None
    return "first is 3" if genotype.choices["first"] == 3 else None


@dataclass(frozen=True)
class Case:
    """Policies under which the log is cut."""

    rules: Rules = field(default_factory=Rules)
    judge: dict[str, Any] = field(default_factory=dict)
    study: dict[str, Any] = field(default_factory=dict)
    budget: Budget = field(default_factory=lambda: Budget(trials=30))


MOST = Budget(trials=11)  # of sixteen architectures; more would be found by chance only


CASES = {
    "reuse": Case(budget=MOST),
    "charged": Case(Rules(repeats="charged")),
    "retrain": Case(Rules(duplicates="retrain"), {"steps": 2}),
    "resample": Case(Rules(duplicates="resample"), budget=Budget(trials=9)),
    "failures": Case(Rules(duplicates="retrain", retries=2), {"fails": 4}),
    "failures told": Case(Rules(failure_score=-1.0), {"fails": 3}, budget=MOST),
    "guests and limits": Case(
        study={"start_from": (tiny(1, 1), tiny(0, 2), tiny(1, 1)), "constraint": first_is_three},
        budget=Budget(trials=9),
    ),
    "in order": Case(Rules(lag=3, failure_score=-1.0), {"fails": 5}, budget=MOST),
    "asha": Case(Rules(early_stop="asha", duplicates="retrain"), {"steps": 4}, {"last_step": 4}),
    "median": Case(
        Rules(early_stop="median", stopped_as="ignore", repeats="charged"),
        {"steps": 3},
        {"last_step": 3},
    ),
    "seconds": Case(Rules(duplicates="retrain"), budget=Budget(seconds=29.5)),
}


SHOWS = {
    "reuse": "told",
    "failures": "failed",
    "in order": "failed",
    "asha": "stopped",
    "median": "stopped",
}


def run(folder: Path, spoken: str, case: Case) -> list[tuple[Any, ...]]:
    """Run a study to its end, from wherever its log ends."""
    options = {
        "seed": 7,
        "rules": case.rules,
        "budget": case.budget,
        "sync": "grouped",
        **case.study,
    }
    with Study(folder, fresh_strategy(spoken), **options) as study:
        run_all(study, Judge(TINY, **case.judge))
        assert study.ledger.finished is not None
    return story([event for _, event in read_events(folder / "events.jsonl")])


def cuts_at_events(log: bytes) -> list[int]:
    return [0] + [place + 1 for place, byte in enumerate(log) if byte == ord("\n")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "again").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("spoken", STRATEGIES)
def test_cut_at_every_event(folder: Path, spoken: str, name: str) -> None:
    case = CASES[name]
    whole = run(folder, spoken, case)
    assert len(whole) >= 9
    assert SHOWS.get(name, "told") in {entry[5] for entry in whole}
    log = (folder / "events.jsonl").read_bytes()
    for cut in cuts_at_events(log)[:: 1 if name == "reuse" else 16]:
        (folder / "again" / "events.jsonl").write_bytes(log[:cut])
        assert run(folder / "again", spoken, case) == whole, cut


@pytest.mark.parametrize("spoken", STRATEGIES)
def test_cut_at_every_byte_of_the_last_records(folder: Path, spoken: str) -> None:
    case = Case(Rules(duplicates="retrain"), budget=Budget(trials=28))
    whole = run(folder, spoken, case)
    log = (folder / "events.jsonl").read_bytes()
    every = 1 if spoken == "evolution" else 40  # the same reader cuts off what is torn, for all
    for cut in range(cuts_at_events(log)[-3], len(log), every):  # told, finished
        (folder / "again" / "events.jsonl").write_bytes(log[:cut])
        assert run(folder / "again", spoken, case) == whole, cut


@pytest.mark.parametrize(
    "tail", [b"\0" * 700, b'{"event":"told","num', b"\xff\xfe garbage", b"[1]\n", b"{}\n", b"\0\n"]
)
@pytest.mark.parametrize("event", [0, 1, 7, 40])
def test_a_spoiled_tail_is_cut_off(folder: Path, tail: bytes, event: int) -> None:
    whole = run(folder, "evolution", CASES["reuse"])
    log = (folder / "events.jsonl").read_bytes()
    (folder / "again" / "events.jsonl").write_bytes(log[: cuts_at_events(log)[event]] + tail)
    assert run(folder / "again", "evolution", CASES["reuse"]) == whole


def test_cut_again_and_again(folder: Path) -> None:
    """A study that is killed after every few events it writes still ends as it would have."""
    case = CASES["failures told"]
    whole = run(folder, "evolution", case)
    log = folder / "again" / "events.jsonl"
    log.write_bytes(b"")
    for lives in range(100):
        before = log.stat().st_size
        if run(log.parent, "evolution", case) == whole and lives > 60:
            break
        content = log.read_bytes()
        kept = [end for end in cuts_at_events(content) if end > before][:4]
        log.write_bytes(content[: kept[-1] if kept else None])
    assert [event for _, event in read_events(log)][-1]["event"] == "finished"
    assert sum(event["event"] == "started" for _, event in read_events(log)) > 10
