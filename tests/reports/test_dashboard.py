"""The dashboard shows what the log says, for every strategy and every end of a trial, also while it
grows."""

from __future__ import annotations

import json
import signal
import socket
import sys
import urllib.request
from pathlib import Path

import pytest
from optuna.study import load_study
from optuna.trial import TrialState

import nas as nas_toolkit
from nas.contracts import Evaluation, Failure, Stopped
from nas.reports.dashboard import Mirror
from nas.search.plan import Plan
from nas.study import Rules
from nas.study.study import Study
from parts.command_line import SMALL, ended, nas, started
from parts.studies import STRATEGIES, lines, of_trials

pytest.importorskip("optuna_dashboard")


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def asked(folder: Path) -> int:
    """How many trials a study has, the free repeats among them."""
    return sum(event["event"] == "asked" for event in lines(folder))


@pytest.mark.parametrize("spoken", STRATEGIES)
def test_every_strategy_is_mirrored(tmp_path: Path, spoken: str) -> None:
    words = (
        "--space",
        "ladder",
        "--strategy",
        spoken,
        "--evaluator",
        "landscape",
        "--trials",
        "12",
    )
    assert nas("search", *words, "--out", tmp_path / "s").code == 0
    mirror = Mirror(tmp_path / "s")
    mirror.update()
    trials = mirror.storage.get_all_trials(0)
    assert len(trials) == asked(tmp_path / "s") >= 12
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    best = nas("best", tmp_path / "s", "--json").json["best"][0]
    assert max(trial.value for trial in trials if trial.value is not None) == best["score"]
    assert [trial.user_attrs["trial"] for trial in trials] == list(range(len(trials)))
    assert all(trial.params for trial in trials)


def test_several_objectives_have_names_and_a_front(tmp_path: Path) -> None:
    words = ("--space", "nasbench201", "--table", "nasbench201-digits", "--strategy", "evolution")
    objectives = ("--objectives", "score, -macs, -params")
    folder = tmp_path / "s"
    assert nas("search", *words, *objectives, "--trials", "30", "--out", folder).code == 0
    mirror = Mirror(folder)
    mirror.update()
    shown = load_study(study_name="s", storage=mirror.storage)
    assert shown.metric_names == ["score", "-macs", "-params"]
    points = {tuple(trial.values) for trial in shown.best_trials}
    front = nas("best", folder, "--json").json["front"]
    assert points == {tuple(member["objectives"].values()) for member in front}


def test_a_stopped_trial_says_nothing_of_other_objectives(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    settings = {"strategy": "random-search", "trials": 2, "objectives": ["score", "-cost"]}
    with nas_toolkit.open_study(folder, space="ladder", scales="0:1, -1:0", **settings) as study:
        for trial in study.todo():
            study.tell(trial, Stopped(3, 0.2, {}, 1.0))
    mirror = Mirror(folder)
    mirror.update()
    (stopped, _) = mirror.storage.get_all_trials(0)
    assert (stopped.state, stopped.values) == (TrialState.PRUNED, None)
    assert stopped.intermediate_values == {3: 0.2}


def test_ends_become_states_and_the_log_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    words = (
        "--space",
        "ladder",
        "--strategy",
        "random",
        "--evaluator",
        "landscape",
        "--set",
        "study.retries=0",
    )
    assert nas("search", *words, "--trials", "1", "--out", folder).code == 0
    mirror = Mirror(folder)
    mirror.update()
    plan = Plan.read(folder)
    strategy = plan.make_strategy(plan.make_space())
    with Study(
        folder, strategy, rules=Rules(duplicates="retrain", retries=0), budget=of_trials(5)
    ) as study:
        for outcome in (
            Evaluation(0.5, {"loss": 1.0}, 2.0),
            Stopped(3, 0.2, {}, 1.0),
            Failure("timeout", "too late\ntrace"),
        ):
            trial = study.ask()
            assert trial is not None
            study.progress(trial.number, 1, {"score": 0.1})
            if outcome.__class__ is Stopped:
                mirror.update()  # seen while it ran
                assert mirror.storage.get_all_trials(0)[-1].state == TrialState.RUNNING
            study.tell(trial.number, outcome)
        study.ask()
        mirror.update()
    states = [trial.state for trial in mirror.storage.get_all_trials(0)]
    assert states == [
        TrialState.COMPLETE,
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.FAIL,
        TrialState.RUNNING,
    ]
    told, stopped, failed = mirror.storage.get_all_trials(0)[1:4]
    assert told.user_attrs | {"loss": 1.0, "seconds": 2.0} == told.user_attrs
    assert told.intermediate_values == {1: 0.1}
    assert (stopped.intermediate_values, stopped.value) == ({1: 0.1, 3: 0.2}, 0.2)
    assert failed.user_attrs["failure"] == "timeout: too late"


def test_the_page_and_its_data_are_served_on_loopback(tmp_path: Path) -> None:
    assert nas("search", *SMALL, "--trials", "20", "--out", tmp_path / "s").code == 0
    process = started("dashboard", tmp_path / "s", "--port", "0")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        assert "<html" in fetched(url).lower()
        api = url.removesuffix("/dashboard") + "/api/studies"
        studies = json.loads(fetched(api))["study_summaries"]
        assert [study["study_name"] for study in studies] == ["s"]
        trials = json.loads(fetched(f"{api}/{studies[0]['study_id']}"))["trials"]
        assert [trial["state"] for trial in trials] == ["Complete"] * asked(tmp_path / "s")
        process.send_signal(signal.SIGINT)
        answer = ended(process)
    finally:
        process.kill()
    assert (answer.code, answer.err) == (0, "")


def test_a_port_in_use(tmp_path: Path) -> None:
    assert nas("search", *SMALL, "--trials", "1", "--out", tmp_path / "s").code == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        expected = f"port {port} is in use: choose another with --port, or 0 for any free one"
        assert nas("dashboard", tmp_path / "s", "--port", str(port)).sentence == expected


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nas("search", *SMALL, "--trials", "1", "--out", tmp_path / "s").code == 0
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    expected = "the dashboard needs optuna-dashboard: pip install 'nas-toolkit[dashboard]'"
    assert nas("dashboard", tmp_path / "s").sentence == expected
