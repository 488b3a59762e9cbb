"""Comparisons: ordinary studies in turn, paired by seed, the same however they are run and wherever
they are killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nas.errors import NasError
from nas.search.comparing.arms import arms_of, baseline_of, seeds_of
from nas.search.comparing.plan import Confirm, read_comparison
from nas.search.comparing.run import Progress
from nas.search.plan import Plan
from nas.search.run import open_search, run
from nas.search.words import assignment
from nas.seeding import derive
from nas.study import Budget
from parts.comparisons import CHEAP, compared, costly, stories
from parts.studies import kinds, lines, story

# ------------------------------------------------------------------ words


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", [1, 2, 3]),
        ("5-8", [5, 6, 7, 8]),
        ("1,2,9", [1, 2, 9]),
        ("1-3, 7", [1, 2, 3, 7]),
        ("4-4", [4]),
    ],
)
def test_seeds_as_words(text: str, seeds: list[int]) -> None:
    assert seeds_of(text) == seeds


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ten", "--seeds is 'ten': expected a number of seeds, a range 1-50 or a list 1,2,5"),
        ("8-5", "--seeds is '8-5': expected between 1 and 100,000 of them, in order"),
        ("0", "--seeds is '0': expected between 1 and 100,000 of them, in order"),
        ("1,2,1", "--seeds is '1,2,1': it names a seed twice, but a seed counts once"),
        ("", "--seeds is '': expected a number of seeds, a range 1-50 or a list 1,2,5"),
    ],
)
def test_seeds_that_are_none(text: str, complaint: str) -> None:
    with pytest.raises(NasError) as problem:
        seeds_of(text)
    assert str(problem.value) == complaint


def test_random_search_always_takes_part() -> None:
    arms, budget = arms_of("evolution", CHEAP)
    assert [arm.label for arm in arms] == ["evolution", "random-search"]
    assert budget == Budget(trials=12)
    assert [
        arm.label for arm in arms_of("plain=random-search", {"space": {"name": "ladder"}})[0]
    ] == ["plain"]


def test_arms_have_options_of_their_own() -> None:
    tree = {**CHEAP, "evolution": {"population": 50}, "small": {"population": 5, "sample": 2}}
    arms, _ = arms_of(
        "evolution,small=evolution,optuna:tpe", {**tree, "optuna_tpe": {"n_startup_trials": 3}}
    )
    options = {arm.label: arm.plan.strategy.options for arm in arms}
    assert (options["evolution"]["population"], options["small"]["population"]) == (50, 5)
    assert options["optuna-tpe"]["n_startup_trials"] == 3


@pytest.mark.parametrize(
    ("strategies", "tree", "complaint"),
    [
        (
            "evolution,evolution",
            {},
            "two arms are called 'evolution': name one of them, as in small=evolution",
        ),
        ("evolution,", {}, "--strategies is 'evolution,': expected names with commas between them"),
        (
            "study=evolution",
            {},
            "an arm cannot be called 'study': that name is taken, choose another before the =",
        ),
        ("evolutoin", {}, "no strategy is called 'evolutoin'; there are critic, evolution,"),
        (
            "evolution",
            {"strategy": {"population": 3}},
            (
                "a setting of 'strategy' would be every arm's: name the arm, say --set "
                "evolution.OPTION=..."
            ),
        ),
        (
            "evolution",
            {"study": {"seed": 3}},
            "a comparison has many seeds: give them with --seeds",
        ),
        (
            "evolution",
            {"study": {"max_hours": 1.0}},
            "hours of wall clock depend on what else runs, so arms would not have the same: give "
            "--trials or "
            "--budget-seconds",
        ),
        (
            "evolution",
            {"annealing": {"population": 3}},
            "no part of the settings is called 'annealing'; there are",
        ),
    ],
)
def test_arms_that_are_none(strategies: str, tree: dict[str, Any], complaint: str) -> None:
    with pytest.raises(NasError) as problem:
        arms_of(strategies, tree)
    assert str(problem.value).startswith(complaint)


def test_the_baseline_is_random_search() -> None:
    assert baseline_of([("evolution", "evolution"), ("plain", "random-search")]) == "plain"
    assert (
        baseline_of([("again", "random-search"), ("random-search", "random-search")])
        == "random-search"
    )
    assert baseline_of([("evolution", "evolution")]) is None


# ------------------------------------------------------------------ the studies


def test_every_pair_is_an_ordinary_study(tmp_path: Path) -> None:
    assert compared(tmp_path / "all")
    for label in ("evolution", "random-search"):
        for seed in (1, 2, 3):
            folder = tmp_path / "all" / label / f"seed-{seed}"
            tree = {name: table for name, table in CHEAP.items() if name != "evolution"}
            own = CHEAP["evolution"] if label == "evolution" else {}
            alone = {
                **tree,
                "strategy": {"name": label, **own},
                "study": {"trials": 12, "seed": seed},
            }
            todo = assignment(alone)
            place = tmp_path / "alone" / label / str(seed)
            with open_search(todo.plan, place, todo.budget) as search:
                run(search)
            assert story(lines(folder)) == story(lines(search.study.folder))
            assert Plan.read(folder).identity() == todo.plan.identity()
            assert (folder / "best" / "genotype.json").exists()
            assert [path.name for path in sorted((folder / "best").iterdir())] == ["genotype.json"]


def test_a_seed_fixes_the_same_noise_for_every_arm(tmp_path: Path) -> None:
    compared(tmp_path)
    for seed in (1, 2, 3):
        seeds = [
            [
                event["seed"]
                for event in lines(tmp_path / label / f"seed-{seed}")
                if event["event"] == "asked"
            ]
            for label in ("evolution", "random-search")
        ]
        least = min(map(len, seeds))  # arms that repeat themselves ask oftener
        assert seeds[0][:least] == seeds[1][:least]
        assert least >= 12


def test_finals_are_read_after_the_end_and_for_incumbents_only(tmp_path: Path) -> None:
    compared(tmp_path)
    for folder in (path.parent for path in tmp_path.rglob("events.jsonl")):
        events = lines(folder)
        at = kinds(folder).index("finished")
        finals = [event["number"] for event in events if event["event"] == "opened"]
        assert "opened" not in kinds(folder)[:at]
        best, incumbents = float("-inf"), []
        for event in events:
            if event["event"] == "told" and event["score"] > best:
                best = event["score"]
                incumbents.append(event["number"])
        assert finals == incumbents


def test_processes_change_nothing(tmp_path: Path) -> None:
    compared(tmp_path / "one", processes=1)
    compared(tmp_path / "two", processes=2)
    assert stories(tmp_path / "one") == stories(tmp_path / "two")


def test_the_same_command_again_does_nothing(tmp_path: Path) -> None:
    compared(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert compared(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("processes", [1, 2])
def test_a_comparison_that_was_stopped_goes_on(tmp_path: Path, processes: int) -> None:
    compared(tmp_path / "whole")
    progress = Progress()
    progress.changed = lambda p: p.stop() if p.ended == 2 else None
    assert not compared(tmp_path / "parts", processes=processes, progress=progress)
    assert len(stories(tmp_path / "parts")) in range(2, 3 + processes)
    assert compared(tmp_path / "parts")
    assert stories(tmp_path / "parts") == stories(tmp_path / "whole")


def test_a_study_cut_short_anywhere_is_completed(tmp_path: Path) -> None:
    compared(tmp_path / "whole", seeds="1")
    compared(tmp_path / "cut", seeds="1")
    log = tmp_path / "cut" / "evolution" / "seed-1" / "events.jsonl"
    content = log.read_bytes()
    for keep in (0.05, 0.3, 0.55, 0.8, 0.97):
        log.write_bytes(content[: int(len(content) * keep)])
        (log.parent / "best" / "genotype.json").unlink()
        assert compared(tmp_path / "cut", seeds="1")
        assert stories(tmp_path / "cut") == stories(tmp_path / "whole")
        assert (log.parent / "best" / "genotype.json").exists()


def test_seeds_arms_and_budget_may_be_added_and_are_written_down(tmp_path: Path) -> None:
    compared(tmp_path, strategies="random-search", seeds="2")
    compared(tmp_path, strategies="evolution", seeds="3")
    longer = {**CHEAP, "study": {"trials": 15}}
    compared(tmp_path, seeds="3", tree=longer)
    plan = read_comparison(tmp_path)
    assert plan is not None
    assert plan["seeds"] == [1, 2, 3]
    assert list(plan["arms"]) == ["random-search", "evolution"]
    assert [request["seeds"] for request in plan["requests"]] == [2, 3, 3]
    assert plan["budget"] == {"trials": 15}
    for told in stories(tmp_path).values():
        assert sum(reused is None for *_, reused in told) == 15
    compared(tmp_path, seeds="3", tree={**CHEAP, "study": {}})  # no budget: as before
    assert len(read_comparison(tmp_path)["requests"]) == 3  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (
            {"evolution": {"population": 6, "sample": 2}},
            "evolution: strategy.options.population: 4 there, 6 asked for",
        ),
        (
            {"evaluator": {"name": "landscape", "noise": 0.1}},
            "evaluator.options.noise: 0.02 there, 0.1 asked for",
        ),
    ],
)
def test_other_settings_are_refused_and_shown(
    tmp_path: Path, change: dict[str, Any], shown: str
) -> None:
    compared(tmp_path)
    with pytest.raises(NasError) as problem:
        compared(tmp_path, tree={**CHEAP, **change})
    assert shown in str(problem.value)
    assert str(problem.value).startswith(f"{tmp_path} holds a comparison with other settings (")


def test_a_margin_cannot_be_changed_afterwards(tmp_path: Path) -> None:
    compared(tmp_path, margin=0.1)
    with pytest.raises(NasError, match=r"margin: 0\.1 there, 0\.5 asked for"):
        compared(tmp_path, margin=0.5)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(NasError, match=r"is a folder of something else \(thesis.tex is in it\)"):
        compared(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_comparisons_at_once_are_refused(tmp_path: Path) -> None:
    compared(tmp_path, seeds="1")
    from nas.search.comparing.plan import alone_in

    with alone_in(tmp_path), pytest.raises(NasError, match="another comparison is running in"):
        compared(tmp_path, seeds="2")


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 9}', '{"format": 1, "arms": {}}'])
def test_a_damaged_plan_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "compare.json").write_text(content)
    with pytest.raises(NasError, match=r"compare\.json (is not JSON|has format|lacks)"):
        compared(tmp_path)


# ------------------------------------------------------------------ one runner


def diary(path: Path) -> list[tuple[str, str]]:
    """Arm and seed of every evaluation, in order."""
    return [(line.split()[0], line.split()[1]) for line in path.read_text().splitlines()]


def test_trained_arms_take_turns(tmp_path: Path) -> None:
    compared(tmp_path / "all", seeds="2", tree=costly(tmp_path / "diary"))
    entries = diary(tmp_path / "diary")
    first = [arm for arm, seed in entries if seed == "seed-1"]
    assert entries[: len(first)] == [(arm, "seed-1") for arm in first]  # a seed after the other
    for n in range(
        2, len(first), 2
    ):  # and within it nobody runs ahead, but for duplicates that cost nothing
        assert abs(first[:n].count("evolution") - first[:n].count("random-search")) <= 1 + repeats(
            tmp_path / "all"
        )


def repeats(folder: Path) -> int:
    return sum(
        "duplicate_of" in event
        for path in folder.rglob("events.jsonl")
        for event in lines(path.parent)
    )


def test_one_runner_gives_what_single_searches_give_with_any_number_of_workers(
    tmp_path: Path,
) -> None:
    tree = costly(tmp_path / "diary")
    compared(tmp_path / "one", seeds="2", tree=tree)
    compared(tmp_path / "three", seeds="2", tree=costly(tmp_path / "diary", 0.01, workers=3))
    assert stories(tmp_path / "one") == stories(tmp_path / "three")
    alone = {name: table for name, table in tree.items() if name != "evolution"}
    for label, own in (("evolution", CHEAP["evolution"]), ("random-search", {})):
        todo = assignment(
            {**alone, "strategy": {"name": label, **own}, "study": {"trials": 6, "seed": 2}}
        )
        with open_search(todo.plan, tmp_path / "alone" / label / "seed-2", todo.budget) as search:
            run(search)
        assert stories(tmp_path / "one")[f"{label}/seed-2"] == story(lines(search.study.folder))


@pytest.mark.slow
@pytest.mark.ray
def test_ray_gives_what_one_process_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # workers import the judge
    tree = costly(tmp_path / "diary")
    compared(tmp_path / "here", seeds="2", tree=tree, confirm=Confirm(2))
    compared(
        tmp_path / "ray", seeds="2", tree={**tree, "runner": {"name": "ray"}}, confirm=Confirm(2)
    )
    assert stories(tmp_path / "here") == stories(tmp_path / "ray")


def test_trained_arms_that_were_stopped_go_on(tmp_path: Path) -> None:
    compared(tmp_path / "whole", seeds="2", tree=costly(tmp_path / "diary"))
    seen = 0

    def stop_soon(event: Any) -> None:
        nonlocal seen
        seen += event["event"] == "told"
        if seen == 5:
            progress.stop()

    progress = Progress(trial_ended=stop_soon)
    assert not compared(
        tmp_path / "parts", seeds="2", tree=costly(tmp_path / "diary"), progress=progress
    )
    assert compared(tmp_path / "parts", seeds="2", tree=costly(tmp_path / "diary"))
    assert stories(tmp_path / "parts") == stories(tmp_path / "whole")


# ------------------------------------------------------------------ confirmation


@pytest.mark.parametrize("kind", ["cheap", "costly"])
def test_the_best_are_evaluated_again_with_fresh_seeds(tmp_path: Path, kind: str) -> None:
    tree = CHEAP if kind == "cheap" else costly(tmp_path / "diary")
    progress = Progress()
    assert compared(tmp_path / "all", seeds="2", tree=tree, confirm=Confirm(3), progress=progress)
    assert (progress.ended, progress.total) == (4, 4)
    for seed in (1, 2):
        fresh = [derive(derive(seed, "confirm"), "trial", rank) for rank in range(3)]
        for label in ("evolution", "random-search"):
            search = tmp_path / "all" / label / f"seed-{seed}"
            again = [event for event in lines(search / "confirm") if event["event"] == "asked"]
            told = [
                event
                for event in lines(search)
                if event["event"] == "told" and "reused" not in event
            ]
            best = sorted(told, key=lambda event: (-event["score"], event["number"]))[:3]
            asked = {event["number"]: event for event in lines(search) if event["event"] == "asked"}
            assert [event["key"] for event in again] == [
                asked[event["number"]]["key"] for event in best
            ]
            assert [event["seed"] for event in again] == fresh
            assert not set(fresh) & {event["seed"] for event in asked.values()}


def test_a_table_is_confirmed_by_other_columns(tmp_path: Path) -> None:
    table = tmp_path / "small.csv"
    rows = [
        f"{first},{second},{first + second},{second - first},1,{10 * first + second}"
        for first in range(3)
        for second in range(4)
    ]
    table.write_text("\n".join(["d_one,d_two,score,again,cost,final", *rows]) + "\n")
    tree = {
        "space": {"name": "table"},
        "evaluator": {"name": "table", "table": str(table), "decisions": "d_*", "final": "final"},
        "study": {"trials": 5},
    }
    with pytest.raises(
        NasError, match="say by which other columns to confirm with --confirm-score"
    ):
        compared(tmp_path / "all", "random-search", tree=tree, confirm=Confirm(2))
    compared(tmp_path / "all", "random-search", tree=tree, confirm=Confirm(2, "again", "2*cost"))
    folder = tmp_path / "all" / "random-search" / "seed-1" / "confirm"
    told = [event for event in lines(folder) if event["event"] == "told"]
    asked = [event for event in lines(folder) if event["event"] == "asked"]
    for event, end in zip(asked, told, strict=True):
        first, second = (int(choice) for choice in event["genotype"]["choices"].values())
        assert (end["score"], end["seconds"]) == (second - first, 2)


def test_the_plan_holds_everything(tmp_path: Path) -> None:
    compared(tmp_path, confirm=Confirm(2), margin=0.2, pilot=7)
    content = json.loads((tmp_path / "compare.json").read_text())
    assert (content["pilot"], content["margin"], content["confirm"]["top"]) == (7, 0.2, 2)
    assert content["versions"]["python"]
    assert content["hardware"]["cores"]


@pytest.mark.parametrize(
    ("tree", "more", "complaint"),
    [
        (
            {**CHEAP, "evolution": {"population": 10}},
            {},
            "sample of evolution is 25, expected 1 to 10",
        ),
        (
            {**CHEAP, "runner": {"name": "ray"}},
            {"confirm": Confirm(2, score="x")},
            "--confirm-score and --confirm-cost",
        ),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(
    tmp_path: Path, tree: dict[str, Any], more: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(NasError, match=complaint):
        compared(tmp_path / "refused", tree=tree, **more)
    assert not (tmp_path / "refused").exists()
