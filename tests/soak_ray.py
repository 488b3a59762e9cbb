"""`make soak-ray`: a thousand trials while workers, a node and the driver are killed hundreds of
times; JSON lines.

Every trial must end exactly once, nothing that was told may be lost, and at most what was running
may run again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from nas.seeding import numpy_rng
from parts.clusters import (
    busy_workers,
    cluster,
    count,
    ended,
    kill,
    run,
    running,
    search,
    start_node,
    wait_for,
    why_not_here,
)
from parts.studies import lines, story

CPUS_PER_NODE = 2
# Quietly, for nobody empties the pipe of a driver that is watched.
RAY = ("--runner", "ray", "--address", "auto", "--retries", "50", "--json")
HANG_SECONDS = 30


def main() -> None:
    """Kill, resume, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("workers", "drivers", "all"), default="all")
    parser.add_argument("--trials", type=int, default=1_000, help="of the part `workers`")
    parser.add_argument("--worker-kills", type=int, default=210, help="with those that only hang")
    parser.add_argument("--hangs", type=int, default=5, help="workers that are stopped for ever")
    parser.add_argument("--studies", type=int, default=5, help="of the part `drivers`")
    parser.add_argument("--driver-kills", type=int, default=50)
    asked = parser.parse_args()
    if reason := why_not_here():
        sys.exit(reason)
    base = Path(tempfile.mkdtemp(prefix="soak-ray-"))
    say({"folder": str(base), **vars(asked)})
    with cluster(CPUS_PER_NODE, CPUS_PER_NODE, CPUS_PER_NODE) as nodes:
        if asked.part != "drivers":
            say(
                under_worker_kills(
                    base / "workers", nodes, asked.trials, asked.worker_kills, asked.hangs
                )
            )
        if asked.part != "workers":
            all_driver_kills(base, asked.studies, asked.driver_kills)


def say(facts: dict[str, Any]) -> None:
    """One line of figures, at once, with when and how busy the machine was."""
    now = {"time": time.strftime("%Y-%m-%d %H:%M:%S"), "load": round(os.getloadavg()[0], 1)}
    print(json.dumps({**now, **facts}), flush=True)


def under_worker_kills(
    folder: Path, nodes: list[int], trials: int, kills: int, hangs: int
) -> dict[str, Any]:
    """One study; a worker dies every few results, some hang, one node dies and another joins."""
    began = time.monotonic()
    command = search(
        folder,
        *RAY,
        "--trial-timeout",
        str(HANG_SECONDS),
        "--set",
        "evaluator.epoch_seconds=0.02",
        trials=trials,
    )
    with running(command) as driver:
        for number in range(kills):
            wait_for(
                lambda number=number: count(folder, "told") >= 10 + number * (trials - 40) // kills,
                driver,
            )  # type: ignore[misc]
            hit_one(
                driver, number, signal.SIGSTOP if number % (kills // hangs) == 1 else signal.SIGKILL
            )
            if number == kills // 3:
                kill(nodes.pop())
            if number == kills // 2:
                nodes.append(start_node(CPUS_PER_NODE))
            if number % 20 == 19:
                say({"study": folder.name, "hit": number + 1, "told": count(folder, "told")})
        done = ended(driver)
    assert done.returncode == 0, done.stdout + done.stderr
    facts = checked(folder, trials)
    killed = {"worker_kills": kills - hangs, "hangs": hangs, "node_kills": 1, "node_joins": 1}
    return {"study": folder.name, **killed, "seconds": round(time.monotonic() - began), **facts}


def hit_one(driver: subprocess.Popen[str], number: int, how: int) -> None:
    """Send a signal to any of the workers that run a child just now."""
    rng = numpy_rng(number, "soak")

    def is_hit() -> bool:
        alive = busy_workers()
        return bool(alive) and kill(alive[int(rng.integers(len(alive)))], how)

    wait_for(is_hit, driver)


def all_driver_kills(base: Path, studies: int, kills: int) -> None:
    """Several studies, and how long they took to go on."""
    restarts: list[float] = []
    for number in range(studies):
        say(under_driver_kills(base / f"drivers{number}", kills // studies, number, restarts))
    say(
        {
            "restarts": len(restarts),
            "median_seconds": statistics.median(restarts),
            "worst_seconds": max(restarts),
        }
    )


def under_driver_kills(
    folder: Path, kills: int, seed: int, restarts: list[float]
) -> dict[str, Any]:
    """One study whose driver dies again and again, soon after a session's first result."""
    trials = 8 * kills
    command = search(
        folder, *RAY, "--seed", str(seed), "--set", "evaluator.epoch_seconds=0.2", trials=trials
    )
    rng = numpy_rng(seed, "soak driver")
    again: list[int] = []
    for _ in range(kills):
        before = (folder / "events.jsonl").read_bytes() if folder.exists() else b""
        told, attempted, began = count(folder, "told"), count(folder, "attempted"), time.monotonic()
        with running(command) as driver:
            wait_for(lambda: count(folder, "attempted") > attempted, driver)  # noqa: B023
            restarts.append(round(time.monotonic() - began, 2))
            wait_for(lambda: count(folder, "told") > told, driver)  # noqa: B023
            time.sleep(float(rng.uniform(0, 1.0)))
            driver.kill()
            driver.wait()
        assert driver.returncode == -9, (
            f"the study ended before it could be killed: {driver.returncode}"
        )
        assert (folder / "events.jsonl").read_bytes().startswith(whole_lines(before)), (
            "what was written stays"
        )
        again.append(open_trials(folder))
    done = run(command)
    assert done.returncode == 0, done.stdout + done.stderr
    most = 3 * CPUS_PER_NODE
    assert max(again) <= most, again
    seconds = {"median_restart_seconds": statistics.median(restarts[-kills:])}
    facts = {"driver_kills": kills, "run_again": sum(again), "most_in_flight": most, **seconds}
    return {"study": folder.name, **facts, **checked(folder, trials)}


def checked(folder: Path, trials: int) -> dict[str, Any]:
    """Every trial ended exactly once, and `nas status --check` agrees."""
    events = lines(folder)
    rows = story(events)
    assert len(rows) == trials
    verdict = json.loads(run(["nas", "status", str(folder), "--check", "--json"]).stdout)["check"]
    assert verdict["sound"], verdict
    ends = Counter(row[5] for row in rows)
    lost = Counter(
        event["after"]["kind"]
        for event in events
        if event["event"] == "attempted" and "after" in event
    )
    return {
        "trials": trials,
        "ends": dict(ends),
        "retried": dict(lost),
        "sound": True,
        "events": len(events),
    }


def open_trials(folder: Path) -> int:
    """How many trials were running."""
    kinds = Counter(event["event"] for event in map(json.loads, whole_lines_of(folder)))
    return kinds["asked"] - kinds["told"] - kinds["failed"]


def whole_lines_of(folder: Path) -> list[bytes]:
    return whole_lines((folder / "events.jsonl").read_bytes()).splitlines()


def whole_lines(log: bytes) -> bytes:
    """A log without a line torn by a kill."""
    return log[: log.rfind(b"\n") + 1]


if __name__ == "__main__":
    main()
