"""Searches on a real Ray of several nodes, and everything that can be killed under them.

The long form with hundreds of kills is `make soak-ray`.
"""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parts.clusters import (
    busy_workers,
    cluster,
    count,
    ended,
    kill,
    raylets,
    run,
    running,
    search,
    start_node,
    stop_ray,
    strike,
    wait_for,
    wait_to_hear,
)
from parts.command_line import nas
from parts.studies import lines, story

pytestmark = pytest.mark.ray

RAY = ("--runner", "ray", "--address", "auto")
# What was imported, and the most results of one worker that Tune held when it heard of one more.
_WATCHED = """
import json, sys, pathlib
from ray.air.execution._internal import RayActorManager
from nas.cli import main
hear, held = RayActorManager._actor_task_resolved, []
def heard(manager, *arguments, **about):
    held.append(max(map(len, manager._tracked_actors_to_task_futures.values())))
    hear(manager, *arguments, **about)
RayActorManager._actor_task_resolved = heard
try:
    main()
finally:
    seen = dict(imported=list(sys.modules), results=len(held), held=max(held))
    pathlib.Path({!r}).write_text(json.dumps(seen))
"""
SLOWLY = ("--set", "evaluator.epoch_seconds=0.4")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the nodes remember latencies."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def nodes(cache: Path) -> Iterator[list[int]]:
    """A head and a second node, of one processor each."""
    with cluster(1, 1, XDG_CACHE_HOME=str(cache)) as started:
        yield started


def finished(folder: Path, done: subprocess.CompletedProcess[str]) -> list[tuple[Any, ...]]:
    """The story of a study that ended well."""
    assert done.returncode == 0, done.stdout + done.stderr
    return sound(folder)


def sound(folder: Path) -> list[tuple[Any, ...]]:
    """The story of a study of which every trial ended exactly once, and replay agrees."""
    assert nas("status", folder, "--check", "--json").json["check"]["sound"]
    return story(lines(folder))


def lost(folder: Path) -> list[str]:
    """Why attempts came to nothing, retried or not."""
    reasons = [
        event.get("after") or event
        for event in lines(folder)
        if event["event"] in ("attempted", "failed")
    ]
    return [reason["kind"] for reason in reasons if "kind" in reason]


def test_a_search_on_several_nodes(tmp_path: Path, nodes: list[int]) -> None:
    """Early stopping, files that travel back, and nothing on the terminal but our own words."""
    folder = tmp_path / "study"
    options = (
        "--early-stop",
        "asha",
        "--set",
        "evaluator.epochs=4",
        "--set",
        "study.keep=2",
        "--json",
    )
    command, watched = search(folder, *RAY, *options, trials=20), tmp_path / "watched"
    command[1:3] = ["-c", _WATCHED.format(str(watched))]
    done = run(command)
    ends = [row[5] for row in finished(folder, done)]
    assert ends.count("stopped") >= 3
    assert ends.count("told") + ends.count("stopped") == 20
    assert json.loads(done.stdout)["trials"] == 20, "one JSON object and nothing else"
    assert done.stderr == ""
    best = json.loads(done.stdout)["best"]["number"]
    told = sorted(
        (event["score"], event["number"]) for event in lines(folder) if event["event"] == "told"
    )
    assert {int(path.name) for path in (folder / "checkpoints").iterdir()} == {
        number for _, number in told[-2:]
    }
    seed = next(
        event["seed"]
        for event in lines(folder)
        if event["event"] == "asked" and event["number"] == best
    )
    assert (folder / "checkpoints" / str(best) / "deep" / "weights").read_text() == str(seed)
    stops = [event for event in lines(folder) if event["event"] == "stopped"]
    assert all(event["metrics"] == {"epochs": event["step"]} for event in stops), (
        "before its next epoch"
    )
    seen = json.loads(watched.read_text())
    assert not {"mlflow", "wandb", "comet_ml", "torch"} & set(seen["imported"]), (
        "Tune imports all trackers to count whose callbacks are used, which takes seconds"
    )
    assert seen["results"] > 40
    assert seen["held"] <= 2, "Tune holds every result of a worker until the worker ends"


def test_a_latency_command_is_asked_by_the_workers_and_remembered_there(
    tmp_path: Path, nodes: list[int], cache: Path
) -> None:
    """Two networks; the second question fails."""
    asked = tmp_path / "asked"
    script = f"tr '\\0' ' ' < /proc/$PPID/cmdline >> {asked}; echo >> {asked}; "
    script += f"test $(wc -l < {asked}) -ne 2 || exit 7; echo 2.5"
    words = ["--latency-command", f"sh -c {shlex.quote(script)} sh {{onnx}}"]
    words += ["--objectives", "val_accuracy, -latency_ms", "--scales", "0:1, -9:0"]
    words += ["--space", "ladder", "--dataset", "digits", "--set", "skeleton.filters=4"]
    words += ["--set", "recipe.epochs=1", "--set", "recipe.train_images=64", "--to", "none"]
    words += ["--set", "study.retries=0"]

    folder = tmp_path / "study"
    done = run(search(folder, *RAY, *words, trials=2, evaluator="train"))
    assert sorted(row[5] for row in finished(folder, done)) == ["failed", "told"]
    ends = {event["event"]: event for event in lines(folder)}
    told, failed = ends["told"], ends["failed"]
    assert (told["metrics"]["latency_ms"], failed["kind"]) == (2.5, "error")
    assert "ended with code 7" in failed["message"]
    parents = asked.read_text().splitlines()
    assert [line.startswith("ray::") for line in parents] == [True, True], parents

    (file,) = (cache / "nas" / "latencies").iterdir()
    key = next(e["key"] for e in lines(folder) if e.get("number") == told["number"])
    entries = map(json.loads, file.read_text().splitlines()[1:])
    assert [entry["key"] for entry in entries] == [key]


def test_the_plan_is_printed_and_the_impossible_refused(tmp_path: Path, nodes: list[int]) -> None:
    done = run(search(tmp_path / "plan", *RAY, "--cpus-per-trial", "0.5", trials=4))
    assert "the cluster has 2 nodes with 2 CPUs and 0 GPUs (at most 1 CPUs on one)" in done.stderr
    assert "0.5 CPUs per child, 4 at once" in done.stderr
    refused = run(search(tmp_path / "refused", *RAY, "--cpus-per-trial", "2"))
    assert refused.returncode == 2
    assert (
        "a child needs 2 CPUs on one node, but the cluster has 2 nodes with 2 CPUs"
        in refused.stderr
    )
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:7", "nobody listens at 127.0.0.1:7: check the address"),
        ("somewhere", "'somewhere' is no address: expected auto or HOST:PORT"),
        (
            "ray://127.0.0.1:10001",
            "is for Ray Client, through which Tune would run on the cluster, away from this study",
        ),
    ],
)
def test_an_address_that_cannot_be(tmp_path: Path, address: str, words: str) -> None:
    done = run(search(tmp_path / "study", "--runner", "ray", "--address", address))
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_token_is_named_and_never_switched_off(tmp_path: Path, nodes: list[int]) -> None:
    done = run(
        search(tmp_path / "study", *RAY), RAY_AUTH_TOKEN="another", RAY_NUM_REDIS_GET_RETRIES="3"
    )
    assert done.returncode == 2
    assert (
        "its token is known here (RAY_AUTH_MODE, RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH)"
        in done.stderr
    )
    assert "Traceback" not in done.stderr


def test_workers_are_killed_and_one_hangs(tmp_path: Path, nodes: list[int]) -> None:
    folder = tmp_path / "study"
    options = (*RAY, *SLOWLY, "--trial-timeout", "4", "--retries", "50")
    with running(search(folder, *options, trials=12)) as driver:
        for already in (1, 4):
            wait_for(lambda already=already: count(folder, "told") >= already, driver)  # type: ignore[misc]
            strike(driver)
        wait_for(lambda: count(folder, "told") >= 6, driver)
        strike(driver, signal.SIGSTOP)
        done = ended(driver)
    assert len(finished(folder, done)) == 12
    assert sorted(set(lost(folder))) == ["timeout", "worker_lost"]
    assert count(folder, "failed") == 0, "all were tried again"


def test_children_that_cannot_succeed_fail_typed_and_are_not_tried_for_ever(
    tmp_path: Path, nodes: list[int]
) -> None:
    """Too much memory, a lost score, and a poison that kills each worker it meets."""
    folder = tmp_path / "study"
    faults = [("--set", f"evaluator.{name}=true") for name in ("out_of_memory", "poison", "nan")]
    words = [word for fault in faults for word in fault]
    rows = finished(
        folder,
        run(search(folder, *RAY, *words, "--retries", "1", "--early-stop", "median", trials=12)),
    )
    seeds = {event["number"]: event["seed"] for event in lines(folder) if event["event"] == "asked"}
    failures = {
        event["number"]: event["kind"] for event in lines(folder) if event["event"] == "failed"
    }
    expected = {number: fault for number, seed in seeds.items() if (fault := fate(seed))}
    assert failures == expected
    assert set(expected.values()) == {"out_of_memory", "worker_lost", "diverged"}
    assert {row[0] for row in rows if row[5] == "failed"} == set(expected)
    attempts = Counter(event["number"] for event in lines(folder) if event["event"] == "attempted")
    assert attempts == {number: 2 if number in expected else 1 for number in seeds}


def test_a_child_that_leaves_or_breaks_its_process_is_a_failure_of_its_trial(
    tmp_path: Path, nodes: list[int]
) -> None:
    """SystemExit, KeyboardInterrupt, and what raises when the trial has ended."""
    folder = tmp_path / "study"
    faults = ("--set", "evaluator.leave=true", "--retries", "1")
    finished(folder, run(search(folder, *RAY, *faults, trials=6)))
    fates = {event["number"]: event["seed"] % 3 < 2 for event in lines(folder) if "seed" in event}
    assert {e["number"] for e in lines(folder) if e["event"] == "failed"} == {
        number for number, fails in fates.items() if fails
    }
    assert set(lost(folder)) == {"error"}
    messages = [e["message"] for e in lines(folder) if e["event"] == "failed"]
    assert {message.split(":")[0] for message in messages} == {"SystemExit", "KeyboardInterrupt"}

    folder = tmp_path / "spoiled"
    faults = ("--set", "evaluator.spoil=true", "--retries", "0")
    finished(folder, run(search(folder, *RAY, *faults, trials=6)))
    fates = {event["number"]: event["seed"] % 3 == 0 for event in lines(folder) if "seed" in event}
    failed = {e["number"]: e["message"] for e in lines(folder) if e["event"] == "failed"}
    assert set(failed) == {number for number, fails in fates.items() if fails}
    assert all("nothing works in this process any more" in each for each in failed.values())


def fate(seed: int) -> str | None:
    """How a child of this seed must fail."""
    if seed % 2 == 0:
        return "out_of_memory"
    if seed % 7 == 0:
        return "worker_lost"
    return "diverged" if seed % 3 == 0 else None


def test_the_driver_is_killed_and_resumes(tmp_path: Path, nodes: list[int]) -> None:
    folder = tmp_path / "study"
    for already in (2, 5):
        with running(search(folder, *RAY, *SLOWLY, trials=9)) as driver:
            wait_for(lambda already=already: count(folder, "told") >= already, driver)  # type: ignore[misc]
            driver.kill()
            driver.wait()
    before = [event for event in lines(folder) if event["event"] == "told"]
    assert len(before) < 9, "it was killed before its end"
    rows = finished(folder, run(search(folder, *RAY, *SLOWLY, trials=9)))
    assert len(rows) == 9
    attempts = [event["number"] for event in lines(folder) if event["event"] == "attempted"]
    assert len(attempts) <= 9 + 2 * 2, "again at most what ran"
    assert [event for event in lines(folder) if event["event"] == "told"][
        : len(before)
    ] == before, "it stays told"


def test_ctrl_c_once_lets_the_open_trials_finish(tmp_path: Path, nodes: list[int]) -> None:
    folder = tmp_path / "study"
    with running(search(folder, *RAY, *SLOWLY, trials=50)) as driver:
        wait_for(lambda: count(folder, "told") >= 2, driver)
        driver.send_signal(signal.SIGTERM)
        done = ended(driver)
    assert done.returncode == 3
    assert count(folder, "asked") == count(folder, "told") < 50
    assert f"nas resume {folder}" in done.stdout


def test_a_node_is_killed_and_another_joins(tmp_path: Path, nodes: list[int]) -> None:
    folder = tmp_path / "study"
    with running(search(folder, *RAY, *SLOWLY, trials=1_000)) as driver:
        wait_for(lambda: count(folder, "told") >= 2 and len(busy_workers()) == 2, driver)
        kill(nodes.pop())
        wait_for(lambda: "worker_lost" in lost(folder) and len(busy_workers()) == 1, driver)
        nodes.append(start_node(1))
        wait_for(lambda: len(busy_workers()) == 2, driver)  # the place of the dead one is taken up
        driver.send_signal(signal.SIGTERM)
        assert ended(driver).returncode == 3
    assert len(sound(folder)) == count(folder, "told") < 1_000
    assert set(lost(folder)) == {"worker_lost"}


def test_a_worker_that_cannot_begin_ends_the_search_with_the_reason(
    tmp_path: Path, nodes: list[int]
) -> None:
    """A problem of every worker is not a failure of every trial."""
    done = run(search(tmp_path / "study", *RAY, evaluator="parts.clusters:Homebound"))
    assert done.returncode == 2
    assert count(tmp_path / "study", "failed") == 0
    assert "error: no worker can begin: " in done.stderr
    assert "RuntimeError: it cannot travel" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "evaluator", "sentence"),
    [
        ((), "parts.clusters:Unsendable", "evaluator Unsendable cannot be sent to a worker"),
        (("--cpus-per-trial", "2"), "parts.clusters:Keeper", "a child needs 2 CPUs on one node"),
    ],
)
def test_what_cannot_run_there_is_refused_before_anything_is_written(
    tmp_path: Path, nodes: list[int], words: tuple[str, ...], evaluator: str, sentence: str
) -> None:
    done = run(search(tmp_path / "study", *RAY, *words, evaluator=evaluator))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {sentence}")
    assert not (tmp_path / "study").exists()


def test_a_worker_that_is_stopped_is_noticed_without_a_timeout(
    tmp_path: Path, nodes: list[int]
) -> None:
    """Epochs that take longer than the silence that is allowed are none."""
    folder = tmp_path / "study"
    options = ("--set", "runner.silence=4", "--set", "evaluator.epoch_seconds=5")
    with running(search(folder, *RAY, *options, trials=2)) as driver:
        wait_for(lambda: count(folder, "progressed") >= 1, driver)
        strike(driver, signal.SIGSTOP)
        done = ended(driver)
    assert len(finished(folder, done)) == 2
    assert lost(folder) == ["worker_lost"]
    (again,) = [event for event in lines(folder) if "after" in event]
    assert again["after"]["message"] == "the worker was alive and said nothing for 4 s"


def test_what_only_the_user_can_mend_ends_the_search_at_once(
    tmp_path: Path, nodes: list[int]
) -> None:
    folder = tmp_path / "study"
    done = run(search(folder, *RAY, "--seed", "3", "--set", "evaluator.mend=true", trials=8))
    assert done.returncode == 2
    assert "error: the data set is not where it should be" in done.stderr
    assert count(folder, "failed") == count(folder, "told") == 0, "its trials are still open"


def test_a_search_is_planned_on_the_places_where_it_would_run(
    tmp_path: Path, nodes: list[int]
) -> None:
    words = search(tmp_path / "study", *RAY, "--json", trials=8)
    words[words.index("search")] = "plan"
    done = run(words)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["places"] == 2
    assert found["tried"] >= 5
    assert found["device_hours"]["likely"] * 3600 == pytest.approx(8 * 0.1), (
        "no more than it sleeps"
    )
    assert not (tmp_path / "study").exists()


def test_ctrl_c_twice_stops_at_once(tmp_path: Path, nodes: list[int]) -> None:
    folder = tmp_path / "study"
    with running(search(folder, *RAY, "--set", "evaluator.epoch_seconds=600", trials=8)) as driver:
        wait_for(lambda: len(busy_workers()) == 2, driver)
        driver.send_signal(signal.SIGINT)
        wait_to_hear(driver, "once more to stop now")
        driver.send_signal(signal.SIGINT)
        done = ended(driver)
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"stopped now; continue with `nas resume {folder} --trust`" in done.stderr
    assert "Traceback" not in done.stderr


def deterministic(folder: Path, *words: str) -> list[dict[str, Any]]:
    done = run(search(folder, "--deterministic", "--lag", "4", *words, trials=16))
    assert done.returncode == 0, done.stderr
    clocks = ("time", "strategy_seconds", "metrics", "seconds", "check")
    return [
        {name: value for name, value in event.items() if name not in clocks}
        for event in lines(folder)
    ]


def test_a_deterministic_study_is_the_same_here_and_there(tmp_path: Path, nodes: list[int]) -> None:
    here = deterministic(tmp_path / "here")
    assert deterministic(tmp_path / "two", *RAY) == here
    assert deterministic(tmp_path / "four", *RAY, "--cpus-per-trial", "0.5") == here


def test_ray_goes_away_and_the_study_resumes_on_a_ray_of_its_own(
    tmp_path: Path, nodes: list[int]
) -> None:
    """The last test of this file: it ends the cluster."""
    folder = tmp_path / "study"
    with running(search(folder, *RAY, *SLOWLY, trials=8)) as driver:
        wait_for(lambda: count(folder, "told") >= 2, driver)
        for node in raylets():
            kill(node)
        done = ended(driver)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "of the Ray cluster at 127.0.0.1:" in done.stderr
    assert (
        "nothing that was told is lost; start Ray again and continue with the same command"
        in done.stderr
    )
    stop_ray()
    again = run(search(folder, "--runner", "ray", "--address", "local", *SLOWLY, trials=8))
    assert len(finished(folder, again)) == 8
