"""A search from Python is the search of the command line: same log, same folder, same sentences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.errors import NasError, SettingsError
from nas.evaluators.landscape import Landscape
from nas.exporting.choosing import choices, subject_of
from nas.exporting.export import identity_of
from nas.search.record import read_record
from nas.strategies.evolution import Evolution
from parts.command_line import nas as command
from parts.own_parts import CountsOps, ForgetsOption, Guess, HoldsMore
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace
from search_spaces.nasbench201 import Nasbench201Space

CLOCKS = ("time", "strategy_seconds", "check")
SMALL: dict[str, Any] = {
    "space": "nasbench201",
    "strategy": "random-search",
    "evaluator": "landscape",
}
TINY: dict[str, Any] = {"space": "ladder", "strategy": "random-search"}


def log(folder: Path) -> list[str]:
    """The lines of a log without their clocks, as bytes would be compared."""
    lines = []
    for text in (folder / "events.jsonl").read_text().splitlines():
        event = json.loads(text)
        lines.append(json.dumps({name: event[name] for name in event if name not in CLOCKS}))
    return lines


def plan(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "study.json").read_text())
    return content


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {
                "strategy": "evolution",
                "seed": 3,
                "set": {"strategy.population": 5, "strategy.sample": 2},
            },
            [
                "--strategy",
                "evolution",
                "--seed",
                "3",
                "--set",
                "strategy.population=5",
                "--set",
                "strategy.sample=2",
            ],
        ),
        (
            {"strategy": "optuna:tpe", "duplicates": "resample"},
            ["--strategy", "optuna:tpe", "--duplicates", "resample"],
        ),
        (
            {"strategy": {"name": "policy-gradient", "preset": "plain"}, "deterministic": True},
            ["--strategy", "policy-gradient", "--set", "strategy.preset=plain", "--deterministic"],
        ),
    ],
)
def test_the_log_is_that_of_the_command_line(
    tmp_path: Path, settings: dict[str, Any], words: list[str]
) -> None:
    here, there = tmp_path / "python", tmp_path / "command"
    nas.search(**{**SMALL, **settings, "trials": 30, "out": here})
    base = ["--space", "nasbench201", "--evaluator", "landscape", "--trials", "30"]
    assert command("search", *base, *words, "--out", there).code == 0
    assert log(here) == log(there)
    assert plan(here) == plan(there)
    best = "best/genotype.json"
    assert (here / best).read_bytes() == (there / best).read_bytes()


def test_a_trained_search_leaves_the_best_that_the_command_line_leaves(tmp_path: Path) -> None:
    tiny: dict[str, Any] = {**TINY, "trials": 1, "dataset": "digits", "set": ["recipe.epochs=1"]}
    study = nas.search(**tiny, out=tmp_path / "python", to=["python", "json"])
    words = ["--space", "ladder", "--strategy", "random-search", "--trials", "1"]
    words += ["--dataset", "digits", "--set", "recipe.epochs=1", "--to", "python,json"]
    assert command("search", *words, "--out", tmp_path / "command").code == 0
    names = [
        sorted(file.name for file in (tmp_path / side / "best").iterdir())
        for side in ("python", "command")
    ]
    assert names[0] == names[1]
    assert {"model.py", "weights.safetensors", "genotype.json", "cells.svg"} <= set(names[0])
    assert study.best.final["test_accuracy"] > 0


def test_the_same_call_continues_and_a_larger_budget_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "s"
    nas.search(**SMALL, trials=10, out=out)
    before = (out / "events.jsonl").read_bytes()
    again = nas.search(**SMALL, trials=10, out=out)
    table = again.trials()
    assert again.status.trials == sum(table["state"] != "reused") == 10
    assert table["score"].max() == again.best.score
    assert (out / "events.jsonl").read_bytes() == before
    assert nas.search(**SMALL, trials=15, out=out).status.trials == 15
    assert command("resume", out, "--trials", "18").code == 0
    assert nas.search(**SMALL, out=out).status.finished == "all 18 trials are done"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"strategy": "evolutoin"}, ["--strategy", "evolutoin"]),
        ({"space": "nasnot"}, ["--space", "nasnot"]),
        ({"trials": -1}, ["--trials", "-1"]),
        ({"duplicates": "maybe"}, ["--duplicates", "maybe"]),
        ({"lag": 4}, ["--lag", "4"]),
        ({"max_params": "lots"}, ["--max-params", "lots"]),
        (
            {"set": {"strategy.population": 5, "strategy.sample": 2}},
            ["--set", "strategy.population=5"],
        ),
        ({"set": ["strategy"]}, ["--set", "strategy"]),
        ({"start_from": ["nowhere"]}, ["--start-from", "nowhere"]),
    ],
)
def test_what_is_refused_is_refused_with_the_same_sentence(
    tmp_path: Path, settings: dict[str, Any], words: list[str]
) -> None:
    out = tmp_path / "s"
    small = ["--space", "nasbench201", "--strategy", "random-search", "--evaluator", "landscape"]
    answer = command("search", *small, "--trials", "3", "--out", out, *words)
    with pytest.raises(NasError) as refused:
        nas.search(**{**SMALL, "trials": 3, "out": out, **settings})
    assert answer.sentence == str(refused.value)
    assert not out.exists()


def test_a_setting_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no setting of a search is called 'trails'.*trials"):
        nas.search(trails=3, out=tmp_path / "s")  # type: ignore[call-arg]
    with pytest.raises(SettingsError, match=r"'population' is no setting: expected part.option"):
        nas.search(set={"population": 3}, out=tmp_path / "s")
    with pytest.raises(SettingsError, match="expected a list of texts, or a table"):
        nas.search(set="strategy.population=3", out=tmp_path / "s")


def test_formats_are_refused_where_nothing_is_trained(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="evaluator 'landscape' trains none"):
        nas.search(**SMALL, trials=3, out=tmp_path / "s", to=["python"])
    assert not (tmp_path / "s").exists()


def test_our_own_classes_are_recorded_by_their_names(tmp_path: Path) -> None:
    """So the study is the one that names begin."""
    space = Nasbench201Space()
    nas.search(space="nasbench201", strategy="evolution", evaluator="landscape", trials=8,
               set={"evaluator.noise": 0.5}, out=tmp_path / "names")  # fmt: skip
    nas.search(space=space, strategy=Evolution, evaluator=Landscape, trials=8,
               set={"evaluator.noise": 0.5}, out=tmp_path / "objects")  # fmt: skip
    assert plan(tmp_path / "names") == plan(tmp_path / "objects")
    assert log(tmp_path / "names") == log(tmp_path / "objects")


def test_parts_of_others_are_recorded_by_file_and_name_and_continue_anywhere(
    tmp_path: Path,
) -> None:
    out = tmp_path / "s"
    own: dict[str, Any] = {"space": "nasbench201", "strategy": Guess, "out": out}
    nas.search(**own, evaluator=CountsOps(op="skip_connect"), trials=5)
    assert plan(out)["strategy"]["name"] == "parts.own_parts:Guess"
    assert plan(out)["evaluator"] == {
        "name": "parts.own_parts:CountsOps",
        "options": {"op": "skip_connect"},
    }
    assert command("resume", out, "--trials", "7").code == 0
    assert nas.search(**own, evaluator=CountsOps(op="skip_connect")).status.trials == 7
    with pytest.raises(NasError, match="op: 'skip_connect' there, 'none' asked for"):
        nas.search(**own, evaluator=CountsOps())


def test_what_cannot_be_recorded_is_refused(tmp_path: Path) -> None:
    class Local(Guess):  # type: ignore[misc]
        pass

    holding = HoldsMore()
    holding.bonus = 2.0
    base: dict[str, Any] = {**SMALL, "trials": 3, "out": tmp_path / "s"}
    for settings, sentence in (
        ({"strategy": Local}, "put it at the top of a file"),
        ({"strategy": CountsOps}, "is no strategy: expected a class that extends Strategy"),
        ({"strategy": Guess(Nasbench201Space(), 0)}, "each study makes its own: give the class"),
        ({"evaluator": holding}, "made again from its options it would be another"),
        ({"evaluator": ForgetsOption(weight=2.0)}, "no attribute holds its option 'weight'"),
        ({"evaluator": "train", "dataset": object()}, "a record does not say in which file"),
    ):
        with pytest.raises(NasError, match=sentence):
            nas.search(**{**base, **settings})
    assert not (tmp_path / "s").exists()


def test_a_space_of_ones_own_options(tmp_path: Path) -> None:
    from search_spaces.ladder import LadderSpace

    space: SearchSpace = LadderSpace()
    study = nas.search(**{**SMALL, "space": space}, trials=3, out=tmp_path / "s")
    assert space.encode(study.best.genotype)


def test_progress_is_shown_where_it_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nas.search(**SMALL, trials=20, out=tmp_path / "quiet")
    assert capsys.readouterr() == ("", "")
    nas.search(**SMALL, trials=20, out=tmp_path / "told", progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "\r20 of 20 trials · best 0." in err


def test_the_best_of_nothing(tmp_path: Path) -> None:
    with nas.open_study(tmp_path / "s", space="ladder", trials=3):
        pass
    from nas.exporting.searched import SearchedStudy

    with pytest.raises(NasError, match="has no evaluated trial yet"):
        SearchedStudy(tmp_path / "s").best  # noqa: B018


def test_the_winner_is_exported_where_it_is_said(tmp_path: Path) -> None:
    study = nas.search(**SMALL, trials=3, out=tmp_path / "s")
    exported = study.export(tmp_path / "winner", to=["json", "svg"])
    assert exported.folder == tmp_path / "winner"
    assert {"genotype.json", "cells.svg"} <= {file.name for file in exported.folder.iterdir()}


def test_a_study_is_found_by_its_name(tmp_path: Path) -> None:
    study = nas.search(**SMALL, trials=3, out=tmp_path / "s")
    again = nas.SearchedStudy(str(tmp_path / "s"))
    assert again == study
    assert again.best.key == study.best.key


def test_formats_are_those_of_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--to python,json exports trained weights"):
        nas.search(**SMALL, trials=3, out=tmp_path / "s", to="python, json")
    with pytest.raises(NasError, match="no exporter is called 'jsn'"):
        nas.search(**SMALL, trials=3, out=tmp_path / "s", to="jsn")
    assert nas.search(**SMALL, trials=3, out=tmp_path / "s", to="none").status.finished
    exported = nas.export("darts-v2", to="json,dot", out=tmp_path / "drawn")
    names = {file.name for file in exported.folder.iterdir()}
    assert {"genotype.json", "cells.dot"} == names - {"README.md", "export.json"}


@pytest.mark.parametrize(
    "given",
    [{"filters": 4}, {"skeleton.filters": 4}, {"skeleton": {"filters": 4}}, ["skeleton.filters=4"]],
)
def test_settings_of_an_export_have_the_names_of_the_command_line_too(
    tmp_path: Path, given: dict[str, Any] | list[str]
) -> None:
    exported = nas.export("darts-v2", to=["json"], out=tmp_path / "out", set=given)
    wanted = identity_of(subject_of(choices("darts-v2")[0], None, {"filters": 4}))
    record = read_record(exported.folder)
    assert record is not None
    assert record.subject == wanted


def test_settings_that_an_export_has_not(tmp_path: Path) -> None:
    with pytest.raises(NasError, match="no part to set here is called 'recipe'"):
        nas.export("darts-v2", to=["json"], out=tmp_path / "r", set={"recipe.epochs": 4})
    with pytest.raises(NasError, match="no option of skeleton is called 'fliters'"):
        nas.export("darts-v2", to=["json"], out=tmp_path / "r", set={"fliters": 4})


def test_what_python_gives_stands_for_its_winner(tmp_path: Path) -> None:
    study = nas.search(**SMALL, trials=3, out=tmp_path / "s")
    both: dict[str, Any] = {name: SMALL[name] for name in ("space", "evaluator")}
    verdict = nas.compare(["evolution"], seeds=1, **both, trials=3, out=tmp_path / "all")
    for source in (study, verdict, study.best):
        assert sum(weight.numel() for weight in nas.build(source).parameters())
    exported = nas.export(study, to="json")
    assert exported.folder == study.folder / "best"
    drawn = json.loads((exported.folder / "genotype.json").read_text())
    assert Genotype.from_dict(drawn).key == study.best.key
    with nas.open_study(tmp_path / "own", space="ladder", trials=1) as own:
        for trial in own.todo():
            own.tell(trial, 1.0)
    assert nas.build(own).skeleton == nas.build(trial).skeleton
    with pytest.raises(NasError, match="weights"):
        nas.predict(study, "photo.png")
    with pytest.raises(SettingsError, match=r"^3 stands for no network: give a study, a folder"):
        nas.build(3)  # type: ignore[arg-type]
