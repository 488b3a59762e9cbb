"""Cheap studies on all cores: each runs whole in one of several processes that share nothing but
the plan."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from nas.errors import StudyError
from nas.search.comparing.lanes import Judges, Lane, searches
from nas.settings import Part

_SECONDS_BETWEEN_LOOKS = 0.1

_judges: Judges | None = None  # of this worker process


def run_here(lanes: Sequence[Lane], judges: Judges, ended: Callable[[Lane], bool]) -> None:
    """Run studies one after another in this process; `ended` answers whether to go on."""
    for lane in lanes:
        _run(lane, judges)
        if not ended(lane):
            return


def run_in_processes(
    lanes: Sequence[Lane], judges: Judges, count: int, ended: Callable[[Lane], bool]
) -> None:
    """The same in so many processes, in the same order."""
    pool = ProcessPoolExecutor(
        count,
        multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(judges, os.getpid()),
    )
    others = multiprocessing.active_children()
    with pool:
        try:
            _feed(pool, iter(lanes), count + 1, ended)
        except KeyboardInterrupt:  # else the pool would wait for the studies that run
            for process in multiprocessing.active_children():
                if process not in others:
                    process.kill()
            raise
        except BrokenProcessPool as problem:
            raise StudyError(
                "a process of the comparison was killed from outside (out of memory?): give the "
                "same command again to "
                "continue, perhaps with fewer --processes"
            ) from problem


def _feed(
    pool: ProcessPoolExecutor, lanes: Iterator[Lane], most: int, ended: Callable[[Lane], bool]
) -> None:
    """Keep so many studies under way, and no more, so that a wish to stop takes effect at once."""
    running: dict[Future[None], Lane] = {}
    going = True
    while True:
        while going and len(running) < most and (lane := next(lanes, None)) is not None:
            running[pool.submit(_run_there, lane)] = lane
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            lane = running.pop(future)
            future.result()
            going = ended(lane) and going


def _run(lane: Lane, judges: Judges) -> None:
    runner = Part.named("runner", "local", {}).factory()
    for search in searches(lane, judges):
        runner.run(search.study, search.evaluator)


def _run_there(lane: Lane) -> None:
    assert _judges is not None
    _run(lane, _judges)


def _begin(judges: Judges, driver: int) -> None:
    global _judges
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # the driver decides what may finish
    os.environ["OMP_NUM_THREADS"] = (
        "1"  # one core each: torch reads it when a controller imports it
    )
    threading.Thread(target=_die_with, args=(driver,), daemon=True).start()
    _judges = judges


def _die_with(driver: int) -> None:
    while os.getppid() == driver:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)
