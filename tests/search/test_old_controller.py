"""Studies and comparisons begun before the controller had a critic go on as they were begun."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.cli import main
from parts.studies import without_proofs

SEARCH = (
    "search --space nasnet --evaluator landscape --set strategy.hidden=8 --set strategy.batch=5"
)
CRITIC = ("draws", "uniform", "mutants", "rounds", "every")


def nas(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["nas", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def made_old(options: dict[str, object]) -> None:
    """Take from a record what was not there before, and call the preset what it was called."""
    assert options["preset"] == "plain"
    options["preset"] = "default"
    for name in CRITIC:
        del options[name]


def asked(folder: Path) -> list[str]:
    events = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return [event["key"] for event in events if event["event"] == "asked"]


def test_an_old_study_resumes_as_it_was_begun_and_never_as_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = [*SEARCH.split(), "--set", "strategy.preset=plain", "--out"]
    assert nas(monkeypatch, *plain, tmp_path / "whole", "--trials", 30) == 0
    assert nas(monkeypatch, *plain, tmp_path / "old", "--trials", 12) == 0
    record = tmp_path / "old" / "study.json"
    content = json.loads(record.read_text())
    made_old(content["strategy"]["options"])
    record.write_text(json.dumps(content))
    without_proofs(tmp_path / "old" / "events.jsonl")
    default = (
        "search --space nasnet --evaluator landscape --set strategy.hidden=8 --trials 30 --out"
    )
    assert nas(monkeypatch, *default.split(), tmp_path / "old") == 2
    assert "strategy.options.preset: 'plain' there, 'default' asked for" in capsys.readouterr().err
    assert nas(monkeypatch, "resume", tmp_path / "old", "--trials", 30) == 0
    assert asked(tmp_path / "old") == asked(tmp_path / "whole")


def test_an_old_comparison_is_not_continued_by_another_algorithm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "compare --space nasnet --evaluator landscape --strategies policy-gradient --trials 6"
    compare = [*words.split(), "--processes", 1, "--out", tmp_path / "c", "--seeds"]
    plain = ["--set", "policy-gradient.preset=plain"]
    assert nas(monkeypatch, *compare, "1", *plain) == 0
    for record in [tmp_path / "c/compare.json", *tmp_path.glob("c/policy-gradient/*/study.json")]:
        content = json.loads(record.read_text())
        arm = content["arms"]["policy-gradient"] if "arms" in content else content
        made_old(arm["strategy"]["options"])
        record.write_text(json.dumps(content))
        if record.name == "study.json":
            without_proofs(record.with_name("events.jsonl"))
    assert nas(monkeypatch, *compare, "2") == 2
    assert "strategy.options.preset: 'plain' there, 'default' asked for" in capsys.readouterr().err
    assert nas(monkeypatch, *compare, "2", *plain) == 0


@pytest.mark.parametrize("strategy", ["policy-gradient", "critic"])
def test_a_study_of_another_critic_is_refused_in_a_sentence(
    strategy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its proposals would be others, so it does not go on; what it found is read as ever."""
    words = "search --space nasbench201 --evaluator landscape --trials 12 --strategy"
    place = f"nas.strategies.{strategy.replace('-', '_')}.CRITIC_VERSION"
    with monkeypatch.context() as before:
        before.setattr(place, 1)
        assert nas(before, *words.split(), strategy, "--out", tmp_path / "old") == 0
    capsys.readouterr()
    assert nas(monkeypatch, "resume", tmp_path / "old", "--trials", 15) == 2
    refusal = capsys.readouterr().err
    assert "critic_version: 1 there, 3 asked for), so it would not continue exactly" in refusal
    assert nas(monkeypatch, "best", tmp_path / "old") == 0
