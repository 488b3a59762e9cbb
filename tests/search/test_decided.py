"""Settings with several values are decisions of a search, from words to `best/`."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

import nas
from nas.errors import NasError
from nas.registry import load
from nas.search.plan import Plan
from parts.command_line import nas as command
from parts.command_line import started
from parts.studies import lines, story
from search_spaces.cells.genotype import Genotype

SIZES = ("--set", "skeleton.filters=16,24,32", "--set", "recipe.learning_rate=0.01,0.05")
TASK = ("--space", "nasbench201", "--evaluator", "landscape", "--strategy", "evolution", *SIZES)
TASK += ("--set", "strategy.population=10", "--set", "strategy.sample=4")


def genotypes(folder: Path) -> list[Genotype]:
    asked = [event for event in lines(folder) if event["event"] == "asked"]
    return [Genotype.from_dict(event["genotype"]) for event in asked]


def best(folder: Path) -> Genotype:
    return Genotype.from_json((folder / "best" / "genotype.json").read_text())


def test_genotypes_carry_what_they_chose_and_the_study_says_from_what(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    assert command("search", *TASK, "--trials", "60", "--out", folder).code == 0
    recorded = json.loads((folder / "study.json").read_text())["space"]
    assert recorded["settings"] == {
        "skeleton.filters": [16, 24, 32],
        "recipe.learning_rate": [0.01, 0.05],
    }
    drawn = genotypes(folder)
    assert {each.settings["skeleton.filters"] for each in drawn} == {16, 24, 32}
    assert {each.settings["recipe.learning_rate"] for each in drawn} == {0.01, 0.05}
    assert set(best(folder).settings) == set(recorded["settings"])

    space = Plan.read(folder).make_space()
    assert space.fingerprint == recorded["fingerprint"]
    assert space.size == 6 * 15_625
    found = nas.search(
        space="nasbench201",
        evaluator="landscape",
        strategy="random-search",
        trials=5,
        set={"skeleton.filters": [16, 24, 32], "recipe.learning_rate": [0.01, 0.05]},
        out=tmp_path / "python",
    )
    assert {"skeleton.filters", "recipe.learning_rate"} <= set(found.trials().columns)
    assert Plan.read(tmp_path / "python").make_space().fingerprint == space.fingerprint


def test_the_same_command_goes_on_and_other_values_are_another_study(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    words = ("search", *TASK, "--out", folder)
    assert command(*words, "--trials", "10").code == 0
    assert command("resume", folder, "--trials", "20").code == 0
    assert command(*words, "--trials", "30").code == 0
    assert command("search", *TASK, "--out", tmp_path / "b", "--trials", "30").code == 0
    assert story(lines(folder)) == story(lines(tmp_path / "b"))

    refused = command(*words, "--set", "skeleton.filters=16,24")
    assert refused.code == 2
    assert "space.settings.skeleton.filters" in refused.sentence
    status = command("status", folder, "--check")
    assert status.code == 0


def test_kill_9_and_workers_change_nothing(tmp_path: Path) -> None:
    slow = (*TASK, "--deterministic", "--set", "evaluator.delay_seconds=0.01", "--trials", "80")
    assert command("search", *slow, "--out", tmp_path / "whole").code == 0
    whole = [entry[:3] for entry in story(lines(tmp_path / "whole"))]

    log = tmp_path / "cut" / "events.jsonl"
    for count in (40, 120):
        process = started("search", *slow, "--workers", "2", "--out", tmp_path / "cut")
        deadline = time.monotonic() + 60
        while not log.exists() or log.read_bytes().count(b"\n") < count:
            assert time.monotonic() < deadline, "nothing is written"
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert command("search", *slow, "--workers", "2", "--out", tmp_path / "cut").code == 0
    ends = [entry[:3] for entry in story(lines(tmp_path / "cut"))]
    assert ends == whole


def test_arms_are_compared_over_it(tmp_path: Path) -> None:
    words = ("--space", "ladder", "--evaluator", "landscape", *SIZES)
    arms = "evolution,local-search,critic,optuna:nsgaii"
    done = command(
        "compare",
        *words,
        "--strategies",
        arms,
        "--seeds",
        "2",
        "--trials",
        "12",
        "--out",
        tmp_path / "duel",
    )
    assert done.code == 0, done.err
    folders = sorted((tmp_path / "duel").glob("*/seed-1"))
    assert len(folders) == 5
    assert all(best(folder).settings for folder in folders)


def test_what_older_studies_judged_is_theirs_only_with_the_same_values(tmp_path: Path) -> None:
    assert command("search", *TASK, "--trials", "20", "--out", tmp_path / "old").code == 0
    again = ("search", *TASK, "--learn-from", tmp_path / "old", "--trials", "5")
    assert command(*again, "--out", tmp_path / "new").code == 0
    known = {each.key for each in genotypes(tmp_path / "old")}
    assert known <= {each.key for each in genotypes(tmp_path / "new")}

    other = command(*again, "--set", "skeleton.filters=16,24", "--out", tmp_path / "other")
    assert other.code == 2
    assert "that study was judged otherwise (space.fingerprint" in other.sentence


def test_limits_hold_for_what_was_chosen(tmp_path: Path) -> None:
    folder = tmp_path / "limited"
    done = command(
        "search",
        "--space",
        "nasbench201",
        "--evaluator",
        "proxy:params",
        "--strategy",
        "random-search",
        "--set",
        "skeleton.filters=4,8,32",
        "--max-params",
        "60K",
        "--trials",
        "12",
        "--out",
        folder,
    )
    assert done.code == 0, done.err
    told = {event["number"]: event for event in lines(folder) if event["event"] == "told"}
    assert max(event["metrics"]["params"] for event in told.values()) <= 60_000
    skipped = [event for event in lines(folder) if event["event"] == "skipped"]
    assert any("params" in event["reason"] for event in skipped)
    chosen = [each.settings["skeleton.filters"] for each in genotypes(folder)]
    assert 32 in chosen or skipped


def test_a_cell_to_start_from_begins_with_the_first_values(tmp_path: Path) -> None:
    words = ("search", "--evaluator", "landscape", *SIZES, "--strategy", "random-search")
    plain = load("space", "nasnet")().decode([0] * 50).to_json()
    done = command(*words, "--start-from", plain, "--trials", "1", "--out", tmp_path / "a")
    assert done.code == 0, done.err
    assert genotypes(tmp_path / "a")[0].settings == {
        "skeleton.filters": 16,
        "recipe.learning_rate": 0.01,
    }
    own = json.dumps(
        {
            **json.loads(plain),
            "schema": 2,
            "settings": {"skeleton.filters": 20},
        }
    )
    refused = command(*words, "--start-from", own, "--trials", "1", "--out", tmp_path / "b")
    assert refused.code == 2
    assert "the genotype chose skeleton.filters; this search decides skeleton.filters, " in (
        refused.sentence
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--set", "space.filters=16,24"),
            "filters is a setting of the skeleton, not of the space: say --set "
            "skeleton.filters=16,24",
        ),
        (
            ("--set", "space.learning_rate=0.1"),
            "learning_rate is a setting of the recipe, not of the space: say --set "
            "recipe.learning_rate=0.1",
        ),
        (("--set", "skeleton.filters=16,16"), "skeleton.filters is '16,16': expected different"),
        (("--set", "skeleton.filters=16,x"), "skeleton.filters is 'x': input should be a valid"),
        (("--set", "skeleton.width=16,24"), "no setting of the skeleton is called 'width'"),
        (("--set", "recipe.epochs=1,2"), "recipe.epochs is no decision of a search"),
        (("--set", "skeleton.stem_filters=none,8"), "None cannot be one of several values"),
        (
            ("--table", "nasbench201-digits", "--space", "nasbench201", *SIZES),
            "evaluator 'table' does not heed what genotypes choose of it: give one value, or take",
        ),
        (
            ("--evaluator", "proxy:grasp", *SIZES),
            "recipe.learning_rate has several values, so each genotype would choose one, but",
        ),
        (("--evaluator", "shared", *SIZES), "evaluator 'shared' does not heed what genotypes"),
        (
            ("--evaluator", "train", "--latency-table", "t.json", *SIZES),
            "but a table of latencies is of one skeleton: give one, or ask a --latency-command",
        ),
        (
            ("--evaluator", "train", "--screen", "shared:4", "--set", "skeleton.filters=4,8"),
            "evaluator 'shared' does not heed what genotypes choose of it",
        ),
    ],
)
def test_what_cannot_be_decided_gets_one_sentence(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    refused = command("search", *words, "--trials", "1", "--out", tmp_path / "a")
    assert refused.code == 2
    assert sentence in refused.sentence
    assert not (tmp_path / "a").exists()


def test_a_list_of_one_value_is_that_value(tmp_path: Path) -> None:
    """As it stands in a file, or in Python."""
    from nas.search.words import assignment

    tree = {
        "evaluator": {"name": "train"},
        "skeleton": {"filters": [8]},
        "recipe": {"epochs": 3, "learning_rate": (0.1,)},
    }
    plan = assignment(tree).plan
    assert plan.decided == {}
    assert plan.evaluator.options["skeleton"] == {"filters": 8}
    assert plan.evaluator.options["recipe"] == {"epochs": 3, "learning_rate": 0.1}


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    assert command("search", *TASK, "--trials", "2", "--out", tmp_path / "a").code == 0
    file = tmp_path / "a" / "study.json"
    content = json.loads(file.read_text())
    for settings in (["skeleton.filters"], {"skeleton.filters": 8}, {"skeleton.filters": [[8]]}):
        content["space"]["settings"] = settings
        file.write_text(json.dumps(content))
        with pytest.raises(NasError, match=r"study.json has .* as 'space', expected a part"):
            Plan.read(tmp_path / "a")
    content["space"]["settings"] = {"skeleton.width": [8, 9]}
    file.write_text(json.dumps(content))
    with pytest.raises(NasError, match="no setting of the skeleton is called 'width'"):
        Plan.read(tmp_path / "a").make_space()


def test_a_loop_of_ones_own_decides_them_too(tmp_path: Path) -> None:
    widths = {"skeleton.filters": [4, 8], "recipe.learning_rate": [0.1, 0.2]}
    with nas.open_study(
        tmp_path / "own", space="ladder", strategy="evolution", trials=6, set=widths
    ) as study:
        for trial in study.todo():
            assert trial.choices["skeleton.filters"] in (4, 8)
            study.tell(trial, float(trial.genotype.settings["recipe.learning_rate"]))
    assert {each.settings["skeleton.filters"] for each in genotypes(tmp_path / "own")} == {4, 8}

    fixed = {"skeleton.filters": 4}
    with (
        pytest.raises(NasError, match="there is no skeleton to set: leave out filters"),
        nas.open_study(tmp_path / "fixed", space="ladder", trials=6, set=fixed),
    ):
        pass


def test_weights_are_not_shared_across_skeletons(tmp_path: Path) -> None:
    words = ("supernet", "--dataset", "digits", "--set", "skeleton.filters=4,8", "--steps", "1")
    refused = command(*words, "--out", tmp_path / "weights")
    assert "skeleton.filters: weights are shared by children of one" in refused.sentence


def test_the_command_line_says_what_is_decided_and_what_was_chosen(tmp_path: Path) -> None:
    done = command("search", *TASK, "--trials", "3", "--out", tmp_path / "a")
    assert "decides: skeleton.filters 16, 24, 32; recipe.learning_rate 0.01, 0.05" in done.err
    chosen = ", ".join(f"{name} {value}" for name, value in best(tmp_path / "a").settings.items())
    assert f"chose {chosen}" in done.out
    assert chosen in command("best", tmp_path / "a").out
    number = command("best", tmp_path / "a", "--json").json["best"][0]["number"]
    for name, value in best(tmp_path / "a").settings.items():
        assert f"{name} = {value}" in command("trial", tmp_path / "a", str(number)).out
    assert command("report", tmp_path / "a").code == 0
    assert "<dt>skeleton.filters</dt>" in (tmp_path / "a" / "report.html").read_text()


def test_samples_are_drawn_of_them_too() -> None:
    words = ("sample", "nasnet", "-n", "20", "--set", "skeleton.filters=16,24")
    drawn = [Genotype.from_json(line) for line in command(*words).out.splitlines()]
    assert {each.settings["skeleton.filters"] for each in drawn} == {16, 24}
    one = command("sample", "nasnet", "--set", "skeleton.filters=16")
    assert "skeleton.filters has one value, so there is nothing to draw: give" in one.sentence
