"""What a search will cost is said before, with a range, and compared with what came."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nas.contracts import Evaluation, Evaluator, Foreseen, Report
from nas.search.forecasting import (
    _Drawn,
    _fitted,
    _forecast,
    _paid,
    _short_seconds,
    _wall_of_cheap,
)
from nas.search.forecasts import FORECAST, Forecast, Span, compared
from nas.search.probing import Probed, Probing
from nas.search.words import assignment
from nas.study import Budget, Rules
from nas.study.ledger import Ledger
from parts.command_line import nas
from search_spaces.cells.genotype import Genotype

CHILDREN = ("--space", "ladder", "--strategy", "random-search", "--dataset", "digits")
CHILDREN += ("--set", "recipe.epochs=1", "--set", "recipe.train_images=200")
SMALL = ("--set", "skeleton.filters=4", "--set", "skeleton.cells_per_stage=1")
CHILDREN += ("--set", "evaluator.precision=fp32", "--set", "evaluator.layout=channels-last")
TABLE = ("--space", "nasbench201", "--strategy", "random-search", "--evaluator", "table")


def test_a_search_is_planned_run_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (*CHILDREN, *SMALL, "--trials", "3", "--out", "study")
    planned = nas("plan", *words, "--samples", "2", "--json")
    assert planned.code == 0, planned.err
    found = json.loads(planned.out)
    assert found["tried"] == 2
    assert found["trials"] == {"low": 3.0, "likely": 3.0, "high": 3.0}
    assert 0 < found["seconds_a_trial"]["low"] < found["seconds_a_trial"]["high"]
    assert found["wall_seconds"]["likely"] > 3 * found["seconds_a_trial"]["likely"]
    assert found["memory_mib"]["low"] > 50, "a process with torch in it"
    assert found["at_once"] > 0
    assert found["too_large"] == 0.0
    assert not list(tmp_path.iterdir()), "a plan begins nothing"

    _, *search = shlex.split(found["search"])
    searched = nas(*search)
    assert searched.code == 0, searched.err
    assert "estimate: a trial takes " in searched.err
    assert "GiB a child at most" in searched.err
    assert "cost: a trial " in searched.out

    kept = (tmp_path / "study" / FORECAST).read_text()
    status = json.loads(nas("status", "study", "--json").out)
    names = [one["name"] for one in status["forecast"]]
    assert names == ["seconds_a_trial", "wall_seconds", "memory_mib", "disk_mib"]
    for one in status["forecast"]:
        span, actual = one["foreseen"], one["actual"]
        assert one["within"] == (span["low"] <= actual <= span["high"])
    assert "cost: a trial " in nas("status", "study").out
    assert nas("report", "study").code == 0
    assert "cost, as foreseen" in (tmp_path / "study" / "report.md").read_text()

    bare = nas("search", *CHILDREN, *SMALL, "--trials", "3", "--to", "none", "--out", "bare")
    assert bare.code == 0, bare.err
    without = json.loads((tmp_path / "bare" / FORECAST).read_text())["disk_mib"]
    assert without["likely"] < 0.8 * json.loads(kept)["disk_mib"]["likely"], "nothing is exported"

    assert nas("resume", "study", "--trials", "+1").code == 0
    assert (tmp_path / "study" / FORECAST).read_text() == kept, "the first forecast stays"
    (tmp_path / "study" / FORECAST).write_text("{damaged")
    assert json.loads(nas("status", "study", "--json").out)["forecast"] == []


def test_a_search_of_a_table_is_tried_for_some_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = nas("plan", *TABLE, "--trials", "300")
    assert told.code == 0, told.err
    assert "tried: 200 trials" in told.out
    assert told.out.splitlines()[-1] == (
        "begin it with `nas search --space nasbench201 --strategy random-search --evaluator table "
        "--trials 300`"
    )
    assert nas("search", *TABLE, "--trials", "5", "--out", "study").code == 0
    assert not (tmp_path / "study" / FORECAST).exists(), "what costs nothing is not foreseen"


def test_a_study_that_is_there_is_not_planned_without_a_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert nas("search", *TABLE, "--trials", "5", "--out", "study").code == 0
    refused = nas("plan", *TABLE, "--out", "study")
    assert refused.code == 2
    assert "study holds this study already" in refused.err


def test_shared_weights_are_foreseen_with_a_judged_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--space", "ladder", "--evaluator", "shared", "--set", "evaluator.steps=50")
    words += ("--set", "recipe.train_images=200", "--trials", "3", "--out", "study", *SMALL)
    planned = nas("plan", *words, "--samples", "2", "--json")
    assert planned.code == 0, planned.err
    found = json.loads(planned.out)
    assert 0 < found["preparing_seconds"]["low"] < found["preparing_seconds"]["high"]
    assert found["seconds_a_trial"]["likely"] > 0
    assert not list(tmp_path.iterdir()), "a plan begins nothing"

    _, *search = shlex.split(found["search"])
    searched = nas(*search, "--to", "none")
    assert searched.code == 0, searched.err
    assert "estimate: a trial takes " in searched.err
    assert "cost: shared weights " in searched.out
    status = json.loads(nas("status", "study", "--json").out)["forecast"]
    first = status[0]
    record = json.loads((tmp_path / "study/supernet/supernet.json").read_text())
    assert (first["name"], first["actual"]) == ("preparing_seconds", record["seconds"])
    assert first["foreseen"]["likely"] == record["foreseen_seconds"]

    on_disk = status[-1]["actual"]
    (tmp_path / "study" / FORECAST).write_text(planned.out)  # with weights that are still to come
    again = json.loads(nas("status", "study", "--json").out)["forecast"]
    weights = (tmp_path / "study/supernet/weights.safetensors").stat().st_size / 2**20
    assert again[-1]["actual"] > on_disk + weights
    assert again[0]["foreseen"] == found["preparing_seconds"]

    named = nas("plan", *words[:4], "--set", "evaluator.supernet=study/supernet", "--trials", "3")
    assert named.code == 0, named.err
    assert "first:" not in named.out, "weights that are named are there"


class Prepares(Evaluator):
    """Makes something first, and cannot say what it costs."""

    def prepare(self, folder: Path, seed: int, notice: Callable[[str], None]) -> None:
        notice("made")

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        return Evaluation(0.5, {}, 0.1)


def test_what_is_made_first_and_not_foreseen_is_not_planned() -> None:
    refused = nas("plan", "--evaluator", "search.test_forecasts:Prepares", "--trials", "3")
    assert refused.code == 2
    assert "makes what all its trials share before the first, and has no foresee_" in refused.err


class Doomed(Evaluator):
    """Holds no child in memory."""

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        raise MemoryError("not one")

    def foresee(self, genotype: Genotype) -> Foreseen:
        raise MemoryError("not one")


def test_where_nothing_can_be_trained_one_sentence_says_why() -> None:
    told = nas("plan", "--evaluator", "search.test_forecasts:Doomed", "--trials", "3")
    assert told.code == 2
    assert (
        "none of 5 genotypes could be trained (out of memory: 'MemoryError: not one')" in told.err
    )


def test_ranges_follow_the_budget_and_the_memory() -> None:
    settings = {"space": {"name": "ladder"}, "strategy": {"name": "random-search"}}
    plan = assignment({**settings, "evaluator": {"name": "landscape"}}).plan
    space = plan.make_space()
    genotypes = [space.decode((0, 0, choice)) for choice in range(3)]
    sizes = {genotype.key: float(size) for size, genotype in enumerate(genotypes, start=1)}
    drawn = _Drawn(genotypes, sizes, idle=0.0)

    def found(budget: Budget, workers: int, starting: float = 0.0) -> Forecast:
        here = replace(plan.runner, options={**plan.runner.options, "workers": workers})
        tries = [
            Probed(one, Foreseen(sizes[one.key], 500 * sizes[one.key], 3_000.0), None)
            for one in genotypes
        ]
        begun = Probing(tries, workers, starting)
        made = _forecast(plan.with_runner(here), budget, drawn, begun, 1, 0.0)
        assert made is not None
        return made

    alone, two = found(Budget(trials=12), 1), found(Budget(trials=12), 2)
    assert alone.seconds_a_trial.likely == pytest.approx(2.0)
    assert alone.wall_seconds.likely == pytest.approx(24.6)
    assert two.wall_seconds.likely == pytest.approx(12.8125), "one of two may wait in the end"
    assert alone.device_hours.likely == pytest.approx(two.device_hours.likely)
    assert (alone.at_once, alone.too_large) == (1, 0.0)
    assert found(Budget(trials=12), 3).too_large == pytest.approx(1 / 3)
    assert found(Budget(trials=12), 7).too_large == 1.0

    late = found(Budget(trials=12), 1, starting=60.0)
    assert late.wall_seconds.likely == pytest.approx(84.6)
    assert late.wall_seconds.low < 84 - 24, "nobody knows how long the beginning takes"
    assert late.trials == alone.trials

    hours = found(Budget(hours=1), 2)
    assert hours.trials.likely == pytest.approx(3_600)
    assert hours.trials.low < hours.trials.likely < hours.trials.high
    assert hours.wall_seconds.likely == pytest.approx(1.025 * 3_600.5)


def test_a_line_never_falls_and_never_begins_below_nothing() -> None:
    rising, noise = _fitted([1, 2, 3], [3, 5, 7])
    assert rising(10) == pytest.approx(21)
    assert noise == pytest.approx(0, abs=1e-9)
    falling, noise = _fitted([1, 2, 3], [3, 2, 1])
    assert falling(1) == falling(100)
    assert noise > 0.3
    steep, _ = _fitted([1, 2, 3], [0.1, 2, 4])
    assert steep(0) >= 0
    assert _fitted([1, 1], [2, 8])[0](1) == pytest.approx(4)


def test_the_first_of_a_process_is_tried_longer_than_others() -> None:
    space = assignment({"space": {"name": "ladder"}, "evaluator": {"name": "landscape"}}).plan
    genotype = space.make_space().decode((0, 0, 0))
    tries = [Probed(genotype, None, None, seconds=seconds) for seconds in (6.0, 7.0, 1.0, 1.2, 1.1)]
    assert _short_seconds(Probing(tries, 1, 0.0)) == pytest.approx(6.0 + 1.15)
    assert _short_seconds(Probing(tries, 2, 0.0)) == pytest.approx(7.0 + 1.1)
    assert _short_seconds(Probing(tries[:1], 1, 0.0)) == pytest.approx(12.0)


def test_repeats_take_time_and_are_not_paid_for() -> None:
    heard: list[tuple[float, dict[str, object]]] = [(0.0, {"event": "started"})]
    now = 0.0
    for number in range(200):  # before each new one, more and more that are known
        for _ in range(number // 50):
            now += 1.0
            heard.append((now, {"event": "told", "seconds": 0.0, "reused": 1}))
        now += 1.0
        heard += [(now, {"event": "asked"}), (now, {"event": "told", "seconds": 5.0})]
    times, seconds = _paid(heard)
    assert (len(times), set(seconds)) == (200, {5.0})
    assert times[-1] == now == 500
    assert _wall_of_cheap([0.0, *times], 600) > 500 * 600 / 200, "it goes on like that"


def test_trials_that_become_slower_are_foreseen_as_such() -> None:
    steady = [0.1 * number for number in range(201)]
    assert _wall_of_cheap(steady, 1_000) == pytest.approx(100)
    slower = [0.0]
    for number in range(200):
        slower.append(slower[-1] + 0.001 * number)
    assert 300 < _wall_of_cheap(slower, 1_000) < 600, "it will be 500"


def test_a_span_holds_four_of_five() -> None:
    span = Span.around(100.0, 0.2)
    assert (round(span.low), round(span.high)) == (77, 129)
    both = span.plus(Span(5.0, 10.0, 20.0))
    assert (both.likely, round(both.low), round(both.high)) == (110.0, 87, 141)
    assert span.holds(80)
    assert not span.holds(130)
    assert compared(Path("nowhere"), Ledger(Rules())) == []
