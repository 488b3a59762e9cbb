"""`make soak`: local studies under load and faults; JSON lines, exit code 1 if something was lost.

The quick form (scale 1) is one study of 100,000 trials, one comparison of 100 studies, 200 kills
and 100 changed logs; scale 10 is the full one. What a machine cannot do is said, not skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nas.seeding import numpy_rng
from parts.command_line import ROOT, SMALL, ended, ran, started
from parts.studies import lines, story

_LEARNING = ("--space", "nasbench201", "--strategy", "evolution", "--evaluator", "landscape")
# Small spaces are used up after some 10,000 trials, and repeats are free.
_LARGE = ("--space", "nasnet", "--strategy", "evolution", "--evaluator", "landscape")
_SLOW = ("--set", "evaluator.delay_seconds=0.004")
_ALONE = ("unshare", "--map-root-user", "--mount", "sh", "-ec")
_SEARCH = f"{sys.executable} -m nas search {' '.join(_LEARNING)} --trials 3000 --to none --out"

Facts = dict[str, Any]


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    asked = parser.parse_args()

    failed = False
    for part in asked.parts:
        base, began = Path(tempfile.mkdtemp(prefix="nas-soak-")), time.monotonic()
        try:
            facts = PARTS[part](base, asked.scale, asked.seed)
        except AssertionError as problem:
            facts, failed = {"failed": str(problem)[-2_000:]}, True
        shutil.rmtree(base, ignore_errors=True)
        seconds = round(time.monotonic() - began, 1)
        print(json.dumps({"part": part, "seconds": seconds, **facts}), flush=True)
    sys.exit(1 if failed else 0)


def measured(*words: str | Path) -> Facts:
    """What a command costs: seconds of clock and processor, MiB at its largest."""
    code = (
        "import json,resource,subprocess,sys;"
        "code=subprocess.run([sys.executable,'-m','nas',*sys.argv[1:]],stdout=-3).returncode;"
        "use=resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(json.dumps([code,use.ru_utime+use.ru_stime,use.ru_maxrss>>10]))"
    )
    began = time.monotonic()
    command = [sys.executable, "-c", code, *map(str, words)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, env=environment(), text=True)
    status, processor, memory = json.loads(answer.stdout)
    assert status == 0, f"{words} ended with {status}"
    seconds = round(time.monotonic() - began, 1)
    return {"seconds": seconds, "cpu_seconds": round(processor, 1), "mib": memory}


def environment() -> dict[str, str]:
    """That of a command that is started from anywhere."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def load(base: Path, scale: float, seed: int) -> Facts:
    """One long study, and the verbs that read it."""
    del seed
    trials, folder = int(100_000 * scale), base / "long"
    budget = ("--trials", str(trials), "--to", "none", "--out", folder)
    facts = {"trials": trials, "search": measured("search", *_LARGE, *budget, "--json")}
    counts = ran(("status", folder, "--json")).json["counts"]
    assert counts["evaluated"] == trials, counts
    facts["status"] = measured("status", folder)
    facts["status --check"] = measured("status", folder, "--check")
    facts["best"] = measured("best", folder)
    facts["report"] = measured("report", folder, "--json")
    facts["resume"] = measured("resume", folder, "--trials", "+1", "--to", "none", "--json")
    return facts


def comparison(base: Path, scale: float, seed: int) -> Facts:
    """Two arms with many seeds each."""
    del seed
    seeds = int(50 * scale)
    words = ("--strategies", "evolution,random-search", "--seeds", str(seeds), "--trials", "50")
    space = (*SMALL[:2], *SMALL[4:], "--processes", "2")
    facts = measured("compare", *words, *space, "--out", base / "many", "--json")
    return {"studies": 2 * seeds, "trials": 50, **facts}


def kills(base: Path, scale: float, seed: int) -> Facts:
    """kill -9 at random moments; what was written stays, and the end is the same."""
    rng, count = numpy_rng(seed, "soak kills"), int(200 * scale)
    hit, studies = 0, 0
    while hit < count:
        words = ("search", *_LEARNING, *_SLOW, "--trials", "150", "--to", "none")
        words += ("--seed", str(studies), "--out")
        folder, whole = base / f"killed{studies}", base / f"whole{studies}"
        studies += 1
        for _ in range(min(20, count - hit)):
            process = started(*words, folder, start_new_session=True)
            time.sleep(float(rng.uniform(0.2, 1.4)))
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            hit += 1
        assert ran((*words, folder)).code == 0, "it did not go on after its kills"
        assert ran((*words, whole)).code == 0
        assert said(folder) == said(whole), f"{folder.name} ended otherwise than without kills"
        assert ran(("status", folder, "--check")).code == 0
    return {"kills": hit, "studies": studies, "lost": 0, "ended_twice": 0}


def said(folder: Path) -> list[tuple[object, ...]]:
    """Proposals, seeds, ends and scores; each trial ended once."""
    return [entry[:3] + entry[5:7] for entry in story(lines(folder))]


def changed_logs(base: Path, scale: float, seed: int) -> Facts:
    """Logs with a digit changed, a line gone, doubled or swapped, and logs cut anywhere."""
    rng, count = numpy_rng(seed, "soak logs"), int(100 * scale)
    whole = base / "whole"
    words = ("search", *_LEARNING, "--trials", "60", "--to", "none", "--out")
    assert ran((*words, whole)).code == 0
    found = {"changed": 0, "cut": 0}
    for number in range(count):
        folder = base / f"log{number}"
        shutil.copytree(whole, folder)
        log = folder / "events.jsonl"
        content = log.read_bytes()
        if number % 2:
            log.write_bytes(content[: int(rng.integers(len(content)))])
            assert ran((*words, folder)).code == 0, f"cut {number} did not go on"
            assert said(folder) == said(whole), f"cut {number} ended otherwise"
            found["cut"] += 1
        else:
            log.write_bytes(forged(content, rng))
            assert ran(("status", folder, "--check")).code == 2, f"change {number} was not found"
            assert ran(("best", folder)).code == 2, f"change {number} named a winner"
            found["changed"] += 1
        shutil.rmtree(folder)
    return {**found, "silently_wrong": 0}


def forged(content: bytes, rng: Any) -> bytes:
    """The log with one change that leaves each line valid JSON."""
    rows = content.splitlines(keepends=True)
    at = int(rng.integers(1, len(rows) - 2))
    match int(rng.integers(4)):
        case 0:
            del rows[at]
        case 1:
            rows.insert(at, rows[at])
        case 2:
            rows[at], rows[at + 1] = rows[at + 1], rows[at]
        case _:
            places = [i for i, byte in enumerate(rows[at]) if chr(byte) in "12345678"]
            place = places[int(rng.integers(len(places)))]
            digit = b"%d" % (int(chr(rows[at][place])) + 1)
            rows[at] = rows[at][:place] + digit + rows[at][place + 1 :]
    return b"".join(rows)


def full_disk(base: Path, scale: float, seed: int) -> Facts:
    """A file system of 300 KiB fills up; with room again the study goes on."""
    del scale, seed
    script = (
        f"mkdir -p {base}/disk; mount -t tmpfs -o size=300k tmpfs {base}/disk;"
        f"code=0; {_SEARCH} {base}/disk/s >{base}/out 2>{base}/err || code=$?; echo $code;"
        f"mount -o remount,size=64m {base}/disk;"
        f"{_SEARCH} {base}/disk/s >/dev/null 2>&1; {sys.executable} -m nas status {base}/disk/s "
        f"--check >/dev/null; cp -r {base}/disk/s {base}/after"
    )
    return _in_a_namespace(base, script)


def read_only(base: Path, scale: float, seed: int) -> Facts:
    """A folder that nobody may write into."""
    del scale, seed
    script = (
        f"mkdir -p {base}/disk; mount -t tmpfs -o size=64m tmpfs {base}/disk;"
        f"mount -o remount,ro {base}/disk; code=0;"
        f"{_SEARCH} {base}/disk/s >{base}/out 2>{base}/err || code=$?; echo $code;"
        f"mount -o remount,rw {base}/disk; {_SEARCH} {base}/disk/s >/dev/null 2>&1;"
        f"cp -r {base}/disk/s {base}/after"
    )
    return _in_a_namespace(base, script)


def _in_a_namespace(base: Path, script: str) -> Facts:
    answer = subprocess.run([*_ALONE, script], capture_output=True, text=True, env=environment())
    if "unshare" in answer.stderr or "mount:" in answer.stderr:
        return {"not_run": answer.stderr.strip()[-200:]}
    assert answer.returncode == 0, answer.stderr
    sentence = (base / "err").read_text()
    assert answer.stdout.split() == ["2"], (answer.stdout, sentence)
    assert "Traceback" not in sentence, sentence
    assert ran((*_SEARCH.split()[3:], base / "whole")).code == 0
    assert said(base / "after") == said(base / "whole"), "it ended otherwise"
    return {"exit_code": 2, "sentence": sentence.strip().splitlines()[-1][-160:], "lost": 0}


def clock_jumps(base: Path, scale: float, seed: int) -> Facts:
    """The wall clock jumps by up to a year, back and forth, all the time."""
    jumps = int(20 * scale)
    code = (
        "import random,sys,time; real=time.time; dice=random.Random(SEED);"
        "time.time=lambda: real()+dice.choice((0,-3e7,3e7,-5,5));"
        "from nas.cli import main; main()"
    )
    words = ("search", *_LEARNING, "--trials", "200", "--to", "none")
    for number in range(jumps):
        folder, whole = base / f"jumped{number}", base / f"whole{number}"
        each = (*words, "--seed", str(number), "--out")
        command = [sys.executable, "-c", code.replace("SEED", str(seed + number)), *each, folder]
        done = subprocess.run(command, capture_output=True, text=True, env=environment())
        assert done.returncode == 0, done.stderr
        assert ran((*each, whole)).code == 0
        assert said(folder) == said(whole), "a jump of the clock changed the study"
        assert ran(("status", folder, "--check")).code == 0
    return {"studies": jumps, "changed": 0}


def copied(base: Path, scale: float, seed: int) -> Facts:
    """A folder is copied while its study runs; the copy goes on by itself, to the same end."""
    rng, copies = numpy_rng(seed, "soak copies"), int(10 * scale)
    words = ("search", *_LEARNING, *_SLOW, "--trials", "300", "--to", "none")
    for number in range(copies):
        each, folder = (*words, "--seed", str(number), "--out"), base / f"first{number}"
        process = started(*each, folder)
        while not (folder / "events.jsonl").exists():
            time.sleep(0.01)
        time.sleep(float(rng.uniform(0.0, 1.0)))
        shutil.copytree(folder, base / f"copy{number}")
        assert ended(process).code == 0
        assert ran((*each, base / f"copy{number}")).code == 0, "the copy did not go on"
        assert said(base / f"copy{number}") == said(folder), "the copy ended otherwise"
    return {"copies": copies, "lost": 0}


def two_drivers(base: Path, scale: float, seed: int) -> Facts:
    """Two processes begin the same study at once: one runs, one is refused in a sentence."""
    del seed
    pairs, refused = int(10 * scale), 0
    words = ("search", *_LEARNING, *_SLOW, "--trials", "300", "--to", "none", "--out")
    for number in range(pairs):
        both = [started(*words, base / f"pair{number}") for _ in range(2)]
        answers = [ended(process) for process in both]
        codes = sorted(answer.code for answer in answers)
        assert codes in ([0, 2], [0, 0]), [answer.err for answer in answers]
        assert not any("Traceback" in answer.err for answer in answers)
        refused += codes == [0, 2]
        said(base / f"pair{number}")
        assert ran(("status", base / f"pair{number}", "--check")).code == 0
    return {"pairs": pairs, "refused": refused, "lost": 0, "ended_twice": 0}


PARTS: dict[str, Callable[[Path, float, int], Facts]] = {
    part.__name__.replace("_", "-"): part
    for part in (
        load,
        comparison,
        kills,
        changed_logs,
        full_disk,
        read_only,
        clock_jumps,
        copied,
        two_drivers,
    )
}

if __name__ == "__main__":
    main()
