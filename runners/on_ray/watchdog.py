"""Ends the search in an orderly way when Ray itself goes away: its calls hang then, until it kills
the process."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_WITHOUT_HEAD = 15.0  # Ray gives up after 60
_SECONDS_WITHOUT_OWN_NODE = 2.0  # a few seconds later Ray ends the process without a word
_SECONDS_TO_ANSWER = 5.0
_EXIT_CODE = 2
_SHOW_CURSOR = "\x1b[?25h"


@dataclass(slots=True)
class _Needed:
    """A process of Ray that this one cannot live without."""

    name: str
    host: str
    port: int
    patience: float
    answered_at: float

    def look(self) -> bool:
        """Whether it is there, or may be again."""
        now = time.monotonic()
        if answers(self.host, self.port):
            self.answered_at = now
        return now - self.answered_at < self.patience


@contextmanager
def watch_cluster(remedy: str) -> Iterator[None]:
    """While this lasts, the head of the cluster and our own node are looked at every second, from a
    thread.

    Args:
        remedy: what the user is to do once Ray runs again.
    """
    over = threading.Event()
    threading.Thread(target=_watch, args=(_what_we_need(), remedy, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _what_we_need() -> list[_Needed]:
    context, now = ray.get_runtime_context(), time.monotonic()
    needed = [_Needed("the head", *host_and_port(context.gcs_address), _SECONDS_WITHOUT_HEAD, now)]
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    for node in nodes:
        if node["NodeID"] == context.get_node_id():
            host, port = node["NodeManagerAddress"], node["NodeManagerPort"]
            needed.append(
                _Needed("this machine's node", host, port, _SECONDS_WITHOUT_OWN_NODE, now)
            )
    return needed


def _watch(needed: list[_Needed], remedy: str, over: threading.Event) -> None:
    while not over.wait(_SECONDS_BETWEEN_LOOKS):
        for each in needed:
            if not each.look() and not over.is_set():
                _end(each, remedy)


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of `HOST:PORT`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def answers(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection((host, port), timeout=_SECONDS_TO_ANSWER):
            return True
    except (OSError, ValueError, OverflowError):  # also of names and ports that cannot be
        return False


def _end(lost: _Needed, remedy: str) -> None:
    """Say so and leave: the main thread waits inside Ray and cannot be woken, and every line of the
    log is written."""
    words = (
        f"error: {lost.name} of the Ray cluster at {lost.host}:{lost.port} has gone away: nothing "
        "that was told is "
        f"lost; start Ray again and {remedy}\n"
    )
    os.write(2, ((_SHOW_CURSOR if sys.stderr.isatty() else "") + words).encode())
    os._exit(_EXIT_CODE)
