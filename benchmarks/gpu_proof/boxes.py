"""A section in a process of its own: what breaks there, a CUDA context too, breaks nothing else,
and what takes too long is ended."""

from __future__ import annotations

import importlib
import multiprocessing
import multiprocessing.context
import os
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection

from benchmarks.gpu_proof.asked import Asked, Line


def context_of(asked: Asked) -> multiprocessing.context.BaseContext:
    """How processes begin: anew where they open a GPU, as copies where that is faster and safe."""
    if asked.on_gpu:
        return multiprocessing.get_context("spawn")
    importlib.import_module("torch._dynamo")  # optimizers load it: once is enough
    return multiprocessing.get_context("fork")


def run_in_a_box(name: str, asked: Asked, seconds: float) -> Iterator[Line]:
    """The lines of a section as they come; the last one says how it ended where it did not end
    well."""
    context = context_of(asked)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(  # type: ignore[attr-defined]
        target=_run, args=(name, asked, theirs)
    )
    process.start()
    theirs.close()
    until = time.monotonic() + seconds
    try:
        with suppress(EOFError):
            while ours.poll(max(0.0, until - time.monotonic())):
                yield ours.recv()
        if time.monotonic() >= until:
            yield {"name": name, "failed": f"it took more than {seconds:g} s and was ended"}
        else:
            process.join(seconds)
            if process.exitcode:
                yield {"name": name, "failed": f"its process ended with {process.exitcode}"}
    finally:
        _end(process.pid)
        process.join()


def _run(name: str, asked: Asked, to: Connection) -> None:
    os.setpgid(0, 0)  # so that its own processes end with it
    try:
        for line in importlib.import_module(f"benchmarks.gpu_proof.{name}").lines(asked):
            to.send(line)
    except Exception as problem:
        last = traceback.format_exc().strip().splitlines()
        to.send({"name": name, "failed": f"{problem!r}"[:500], "where": last[-12:]})
    to.close()


def _end(group: int | None) -> None:
    if group is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
