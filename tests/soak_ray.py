"""`make soak-ray`: workers, a node and the driver are killed hundreds of times, Ray's memory
monitor ends children, processes break under them, and two days pass in minutes; JSON lines.

Every trial must end exactly once, nothing that was told may be lost, and at most what was running,
or on its way to the driver, may run again.
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
from itertools import pairwise
from pathlib import Path
from typing import Any

from nas.seeding import derive, numpy_rng
from parts.clusters import (
    busy_workers,
    cluster,
    count,
    ended,
    free_megabytes,
    kill,
    memory_monitor,
    run,
    running,
    search,
    start_node,
    wait_for,
    why_not_here,
)
from parts.studies import lines, story

CPUS_PER_NODE = 2
EPOCHS = 2  # of a child of Keeper
# Quietly, for nobody empties the pipe of a driver that is watched.
RAY = ("--runner", "ray", "--address", "auto", "--retries", "50", "--json")
HANG_SECONDS = 30
GREED, ROOM = 5_000, 2_500  # megabytes of a child, and what the machine may hold more than now
SICKENS = 5  # every fifth child leaves its process broken
PARTS = ("workers", "drivers", "memory", "poison", "long")
DAYS, CHILD_SECONDS = 2, 10  # of the part `long`, whose children take a thousandth of that
PLACES = 3 * CPUS_PER_NODE
MORE_MEBIBYTES, MORE_HANDLES = 32, 8  # that a driver may have at the end, and what it knows of each


def main() -> None:
    """Kill, resume, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--trials", type=int, default=1_000, help="of the part `workers`")
    parser.add_argument("--worker-kills", type=int, default=210, help="with those that only hang")
    parser.add_argument("--hangs", type=int, default=5, help="workers that are stopped for ever")
    parser.add_argument("--studies", type=int, default=5, help="of the part `drivers`")
    parser.add_argument("--driver-kills", type=int, default=50)
    parser.add_argument("--memory-kills", type=int, default=20, help="by Ray's memory monitor")
    parser.add_argument("--poisons", type=int, default=20, help="processes that break")
    long = DAYS * 86_400 * PLACES // CHILD_SECONDS
    parser.add_argument("--long-trials", type=int, default=long, help="of two days of children")
    asked = parser.parse_args()
    if reason := why_not_here():
        sys.exit(reason)
    base = Path(tempfile.mkdtemp(prefix="soak-ray-"))
    say({"folder": str(base), **vars(asked)})
    failed = [part for part in asked.parts if not is_withstood(part, base, asked)]
    sys.exit(1 if failed else 0)


def is_withstood(part: str, base: Path, asked: argparse.Namespace) -> bool:
    """One part, on a cluster of its own; whether nothing was lost in it."""
    began = time.monotonic()
    room = memory_monitor(ROOM) if part == "memory" else {}
    os.environ.update(room)  # Ray reads them when it starts
    try:
        with cluster(CPUS_PER_NODE, CPUS_PER_NODE, CPUS_PER_NODE) as nodes:
            match part:
                case "workers":
                    say(
                        under_worker_kills(
                            base / part, nodes, asked.trials, asked.worker_kills, asked.hangs
                        )
                    )
                case "drivers":
                    all_driver_kills(base, asked.studies, asked.driver_kills)
                case "memory":
                    say(under_the_memory_monitor(base / part, asked.memory_kills))
                case "poison":
                    say(under_poison(base / part, asked.poisons))
                case "long":
                    say(through_two_days(base / part, asked.long_trials))
    except AssertionError as problem:
        say({"part": part, "failed": str(problem)[-2_000:]})
        return False
    finally:
        for name in room:
            del os.environ[name]
    say({"part": part, "withstood": True, "seconds": round(time.monotonic() - began)})
    return True


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
    again: list[tuple[int, int]] = []
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
    assert max(working for _, working in again) <= most, again
    seconds = {"median_restart_seconds": statistics.median(restarts[-kills:])}
    facts = {
        "driver_kills": kills,
        "run_again": sum(count for count, _ in again),
        "most_in_flight": most,
        **seconds,
    }
    return {"study": folder.name, **facts, **checked(folder, trials)}


def under_the_memory_monitor(folder: Path, kills: int) -> dict[str, Any]:
    """Children that ask for more than the machine may hold, each tried twice."""
    assert free_megabytes() > GREED + ROOM, "the machine has not enough memory for a greedy child"
    trials = trials_until(-(-kills // 2), every=2)
    greed = ("--set", f"evaluator.megabytes={GREED}", "--set", "evaluator.greedy=true")
    alone = ("--concurrency", "2")  # two greedy ones at once, and room for the third
    words = ("--runner", "ray", "--address", "auto", "--retries", "1", "--json")
    done = run(search(folder, *words, *greed, *alone, trials=trials))
    assert done.returncode == 0, done.stdout + done.stderr

    facts = checked(folder, trials)
    events = lines(folder)
    greedy = {event["number"] for event in events if event.get("seed", 1) % 2 == 0}
    failed = {event["number"] for event in events if event["event"] == "failed"}
    assert greedy <= failed, "a child lived that asked for too much"
    kinds = {event["kind"] for event in events if event["event"] == "failed"}
    assert kinds == {"out_of_memory"}, kinds
    ended_by_it = len(failed) + facts["retried"].get("out_of_memory", 0)
    assert ended_by_it >= kills
    return {"study": folder.name, "memory_kills": ended_by_it, "greedy": len(greedy), **facts}


def under_poison(folder: Path, poisons: int) -> dict[str, Any]:
    """Processes that break under a child: each may cost one attempt, and no trial."""
    trials = trials_until(poisons, every=SICKENS)
    done = run(search(folder, *RAY, "--set", f"evaluator.sicken={SICKENS}", trials=trials))
    assert done.returncode == 0, done.stdout + done.stderr

    facts = checked(folder, trials)
    assert facts["ends"] == {"told": trials}
    sick = [event for event in lines(folder) if event.get("seed", 1) % SICKENS == 0]
    lost = facts["retried"].get("error", 0)
    assert 0 < lost <= len(sick), "a broken process took more than one attempt"
    return {"study": folder.name, "poisoned": len(sick), "attempts_lost": lost, **facts}


def through_two_days(folder: Path, trials: int) -> dict[str, Any]:
    """Children that take a thousandth of their time: nothing of the driver grows with the trials,
    but for what it knows of each."""
    delay = ("--set", f"evaluator.delay_seconds={CHILD_SECONDS / 1_000}", "--to", "none")
    command = search(folder, *RAY, *delay, trials=trials, evaluator="landscape")
    samples: list[dict[str, float]] = []
    with running(command) as driver:
        for tenth in range(1, 11):
            while driver.poll() is None and count(folder, "told") < tenth * trials // 10 - PLACES:
                time.sleep(3.0)
            if driver.poll() is not None:
                break
            told = count(folder, "told")
            if not samples or told > samples[-1]["told"]:
                samples.append(sampled(driver.pid, told))
                say({"study": folder.name, **samples[-1]})
        done = ended(driver)
    assert done.returncode == 0, done.stdout + done.stderr
    facts = checked(folder, trials)
    assert len(samples) > 2, "it was over before anybody looked"
    first, last = samples[0], samples[-1]
    grown = {name: round(last[name] - first[name], 1) for name in ("mib", "handles", "threads")}
    assert grown["handles"] <= MORE_HANDLES, samples
    assert grown["threads"] <= MORE_HANDLES, samples
    assert grown["mib"] <= MORE_MEBIBYTES + trials / 4_000, samples
    paces = [
        1_000 * (after["seconds"] - before["seconds"]) / (after["told"] - before["told"])
        for before, after in pairwise(samples)
    ]
    pace = {"first": round(paces[0], 1), "last": round(paces[-1], 1)}
    return {"study": folder.name, "grown": grown, "ms_a_trial": pace, **facts}


def sampled(pid: int, told: int) -> dict[str, float]:
    """What a process has at this moment."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return {
        "told": told,
        "seconds": round(time.monotonic(), 1),
        "mib": round(int(status["VmRSS"].split()[0]) / 1024, 1),
        "handles": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "threads": int(status["Threads"]),
    }


def trials_until(count: int, *, every: int) -> int:
    """How many trials a study of seed 0 needs until so many have a seed that this divides."""
    number = found = 0
    while found < count:
        found += derive(0, "trial", number) % every == 0
        number += 1
    return number + 4  # of a broken process a later trial hears


def checked(folder: Path, trials: int) -> dict[str, Any]:
    """Every trial ended exactly once, and `nas status --check` agrees."""
    events = lines(folder)
    rows = story(events)
    assert len(rows) == trials
    check = run(["nas", "status", str(folder), "--check", "--json", "--trust"])
    verdict = json.loads(check.stdout)["check"]
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


def open_trials(folder: Path) -> tuple[int, int]:
    """How many trials were open, and how many of these a child was at work on: others had reported
    their last epoch, and what they left was on its way."""
    steps: dict[int, int] = {}
    for event in map(json.loads, whole_lines_of(folder)):
        match event["event"]:
            case "attempted":
                steps[event["number"]] = 0
            case "progressed":
                steps[event["number"]] = event["step"]
            case "told" | "failed":
                steps.pop(event["number"], None)
    return len(steps), sum(step < EPOCHS for step in steps.values())


def whole_lines_of(folder: Path) -> list[bytes]:
    return whole_lines((folder / "events.jsonl").read_bytes()).splitlines()


def whole_lines(log: bytes) -> bytes:
    """A log without a line torn by a kill."""
    return log[: log.rfind(b"\n") + 1]


if __name__ == "__main__":
    main()
