"""`make soak-ray`: a thousand trials while workers, a node and the driver are killed hundreds of times; JSON lines.

Every trial must end exactly once, nothing that was told may be lost, and at most what was in flight may run again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray_parts import cluster, count, kill, run, running, search, start_node, wait_for, why_not_here, workers
from study_parts import lines, story

from nas.seeding import numpy_rng

CPUS_PER_NODE = 2
RAY = ("--runner", "ray", "--address", "auto", "--retries", "50")


def main() -> None:
    """Kill, resume, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--worker-kills", type=int, default=200)
    parser.add_argument("--studies", type=int, default=5)
    parser.add_argument("--driver-kills", type=int, default=50)
    asked = parser.parse_args()
    if reason := why_not_here():
        sys.exit(reason)
    base = Path(tempfile.mkdtemp(prefix="soak-ray-"))
    print(json.dumps({"folder": str(base)}), flush=True)
    with cluster(CPUS_PER_NODE, CPUS_PER_NODE, CPUS_PER_NODE) as nodes:
        say(under_worker_kills(base / "workers", nodes, asked.trials, asked.worker_kills))
        restarts: list[float] = []
        for number in range(asked.studies):
            kills = asked.driver_kills // asked.studies
            say(under_driver_kills(base / f"driver{number}", kills, 8 * kills, number, restarts))
        say({"restarts": len(restarts), "median_seconds": statistics.median(restarts), "worst_seconds": max(restarts)})


def say(facts: dict[str, Any]) -> None:
    """One line of figures."""
    print(json.dumps(facts), flush=True)


def under_worker_kills(folder: Path, nodes: list[int], trials: int, kills: int) -> dict[str, Any]:
    """One study; a worker dies every few results, one node dies and another joins."""
    began = time.monotonic()
    killed, every = 0, max(1, (trials - 40) // kills)
    with running(search(folder, *RAY, "--set", "evaluator.epoch_seconds=0.02", trials=trials)) as driver:
        for told in range(10, trials, every):
            wait_until(lambda told=told: count(folder, "told") >= told or driver.poll() is not None)  # type: ignore[misc]
            rng = numpy_rng(told, "soak")
            alive = workers()
            killed += bool(alive) and kill(alive[int(rng.integers(len(alive)))])
            if abs(told - trials // 3) < every / 2:
                kill(nodes.pop())
            if abs(told - trials // 2) < every / 2:
                nodes.append(start_node(CPUS_PER_NODE))
        out, error = driver.communicate(timeout=600)
    assert driver.returncode == 0, out + error
    facts = checked(folder, trials)
    return {"study": "workers", "worker_kills": killed, "seconds": round(time.monotonic() - began), **facts}


def under_driver_kills(folder: Path, kills: int, trials: int, seed: int, restarts: list[float]) -> dict[str, Any]:
    """One study whose driver dies again and again, soon after a session's first result."""
    command = search(folder, *RAY, "--seed", str(seed), "--set", "evaluator.epoch_seconds=0.2", trials=trials)
    rng = numpy_rng(seed, "soak driver")
    again: list[int] = []
    for _ in range(kills):
        before = (folder / "events.jsonl").read_bytes() if folder.exists() else b""
        told, attempted, began = count(folder, "told"), count(folder, "attempted"), time.monotonic()
        with running(command) as driver:
            wait_until(lambda: count(folder, "attempted") > attempted or driver.poll() is not None)  # noqa: B023
            restarts.append(round(time.monotonic() - began, 2))
            wait_until(lambda: count(folder, "told") > told or driver.poll() is not None)  # noqa: B023
            time.sleep(float(rng.uniform(0, 1.0)))
            driver.kill()
            driver.wait()
        assert driver.returncode == -9, f"the study ended before it could be killed: {driver.returncode}"
        assert (folder / "events.jsonl").read_bytes().startswith(whole_lines(before)), "what was written stays"
        again.append(open_trials(folder))
    done = run(command, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    facts = checked(folder, trials)
    most = 3 * CPUS_PER_NODE
    assert max(again) <= most, again
    return {"study": folder.name, "driver_kills": kills, "run_again": sum(again), "most_in_flight": most, **facts}


def checked(folder: Path, trials: int) -> dict[str, Any]:
    """Every trial ended exactly once, and `nas status --check` agrees."""
    events = lines(folder)
    rows = story(events)
    assert len(rows) == trials
    verdict = json.loads(run(["nas", "status", str(folder), "--check", "--json"]).stdout)["check"]
    assert verdict["sound"], verdict
    ends = Counter(row[5] for row in rows)
    lost = Counter(event["after"]["kind"] for event in events if event["event"] == "attempted" and "after" in event)
    return {"trials": trials, "ends": dict(ends), "retried": dict(lost), "sound": True, "events": len(events)}


def open_trials(folder: Path) -> int:
    """How many trials were in flight."""
    kinds = Counter(event["event"] for event in map(json.loads, whole_lines_of(folder)))
    return kinds["asked"] - kinds["told"] - kinds["failed"]


def whole_lines_of(folder: Path) -> list[bytes]:
    return whole_lines((folder / "events.jsonl").read_bytes()).splitlines()


def whole_lines(log: bytes) -> bytes:
    """A log without a line torn by a kill."""
    return log[: log.rfind(b"\n") + 1]


def wait_until(happened: Callable[[], bool]) -> None:
    """Long enough for a busy machine."""
    wait_for(happened, 300)


if __name__ == "__main__":
    main()
