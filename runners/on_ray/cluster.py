"""The cluster: joined or started, counted, and asked whether it can do what is wanted."""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import ray

from nas.errors import StudyError
from runners.on_ray.node_faults import NodeFaults
from runners.on_ray.watchdog import answers, host_and_port

_SECONDS_BETWEEN_COUNTS = 2.0
# Tune reads these when a run begins. Its own records are thrown away, so they are written as seldom
# as can be.
_TUNE = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    # the first Ctrl-C lets the open trials finish, as everywhere
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_MAX_PENDING_TRIALS_PG": "10000",  # we hand out no more than there is room for
    "TUNE_FORCE_TRIAL_CLEANUP_S": "10",
    "RAY_AIR_NEW_OUTPUT": "0",  # the old one can be silenced
    "RAY_USAGE_STATS_ENABLED": "0",  # a Ray started here tells nobody
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


@dataclass(frozen=True, slots=True)
class Need:
    """What one child takes of a node."""

    cpus: float
    gpus: float

    def fit(self, resources: Mapping[str, float]) -> int:
        """How many children fit on a node with these resources at once."""
        counts = []
        if self.cpus:
            counts.append(resources.get("CPU", 0.0) / self.cpus)
        if self.gpus >= 1:
            counts.append(resources.get("GPU", 0.0) / self.gpus)
        elif self.gpus:
            counts.append(
                resources.get("GPU", 0.0) * math.floor(1 / self.gpus + 1e-9)
            )  # none spans two devices
        return math.floor(min(counts) + 1e-9)

    def __str__(self) -> str:
        words = [f"{self.cpus:g} CPU" + ("" if self.cpus == 1 else "s")]
        if self.gpus:
            words.append(f"{self.gpus:g} GPU" + ("" if self.gpus == 1 else "s"))
        return " and ".join(words)


@dataclass(frozen=True, slots=True)
class RayNode:
    """A node that is alive."""

    id: str
    address: str
    resources: Mapping[str, float]


@final
class Cluster:
    """The nodes there are just now; they come and go, and some are left out."""

    def __init__(self, need: Need, most: int | None) -> None:
        self.need, self._most = need, most
        self.faults = NodeFaults(self.usable)
        self._looked_at = -math.inf
        self._members: list[RayNode] = []

    def limit(self) -> int:
        """How many children may run at once: as many as fit, or the number that was asked for."""
        return (
            self.room() if self._most is None else self._most
        )  # what waits tells an autoscaler that more is wanted

    def room(self) -> int:
        """How many children fit on the nodes there are."""
        left_out = self.faults.left_out
        return max(1, self._fit(one for one in self._alive() if one.id not in left_out))

    def usable(self) -> dict[str, str]:
        """The address of each node on which a child fits."""
        return {one.id: one.address for one in self._alive() if self.need.fit(one.resources)}

    def check(self) -> None:
        """Refuse what no node can ever give."""
        nodes = alive_nodes()
        if self._fit(nodes) == 0:
            raise StudyError(
                f"a child needs {self.need} on one node, but {describe(nodes)}: ask for less "
                "with --cpus-per-trial "
                "and --gpus-per-trial, or add a node"
            )

    def check_device(self, device: str | None) -> None:
        """Refuse GPUs that would be reserved and not used, and GPUs that all children would crowd
        on, where the device that was asked for says so.

        Args:
            device: `auto` is settled by a process on each node.
        """
        if device == "cpu" and self.need.gpus:
            raise StudyError(
                f"--gpus-per-trial {self.need.gpus:g} reserves GPUs, but the device is cpu: leave "
                "one of the two out"
            )
        gpus = sum(one.resources.get("GPU", 0.0) for one in alive_nodes())
        if str(device).startswith("cuda") and not self.need.gpus and gpus:
            raise StudyError(
                f"children train on {device}, and the cluster has {gpus:g} GPUs, but "
                "--gpus-per-trial is 0, so that all would crowd on the first GPU of their node: "
                "add --gpus-per-trial 1 (0.25: four children on each)"
            )

    def plan(self) -> Iterator[str]:
        """What is about to happen, in words."""
        nodes = alive_nodes()
        room = self._fit(nodes)
        at_once = room if self._most is None else min(room, self._most)
        yield describe(nodes)
        packed = math.floor(1 / self.need.gpus + 1e-9) if 0 < self.need.gpus < 1 else 0
        yield f"{self.need} per child, {at_once} at once" + (
            f", {packed} on a GPU" if packed else ""
        )
        if self._most is not None and self._most > room:
            yield f"{self._most} at once were asked for: the others wait until nodes join"

    def _alive(self) -> list[RayNode]:
        if time.monotonic() - self._looked_at > _SECONDS_BETWEEN_COUNTS:
            self._members, self._looked_at = alive_nodes(), time.monotonic()
        return self._members

    def _fit(self, nodes: Iterable[RayNode]) -> int:
        return sum(self.need.fit(one.resources) for one in nodes)


def alive_nodes() -> list[RayNode]:
    """Every node."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [
        RayNode(node["NodeID"], node["NodeManagerAddress"], node["Resources"])
        for node in nodes
        if node["Alive"]
    ]


def describe(nodes: list[RayNode]) -> str:
    """The cluster in words."""
    cpus, gpus = (sum(one.resources.get(name, 0.0) for one in nodes) for name in ("CPU", "GPU"))
    largest = max((one.resources.get("CPU", 0.0) for one in nodes), default=0.0)
    words = (
        f"the cluster has {len(nodes)} node{'' if len(nodes) == 1 else 's'} with {cpus:g} "
        f"CPUs and {gpus:g} GPUs"
    )
    return words + (f" (at most {largest:g} CPUs on one)" if len(nodes) > 1 else "")


@contextmanager
def connect(address: str | None, log: Path) -> Iterator[None]:
    """Join the cluster at this address, or the one of this machine, or start one here.

    Args:
        log: where Ray's driver writes what it has to say, so that what we print stays readable.
    """
    if ray.is_initialized():
        yield  # whoever did that will end it
        return
    refuse_silent(address)
    try:
        with _own_signals(), _output_in(log):
            ray.init(
                address=address,
                log_to_driver=False,
                configure_logging=False,
                include_dashboard=None if address else False,
            )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as problem:
        raise StudyError(_cannot_connect(address, problem)) from problem
    try:
        yield
    finally:
        with _output_in(log):
            ray.shutdown()


@contextmanager
def quietly(log: Path) -> Iterator[None]:
    """While Tune runs, it prints what nodes say: that goes to a file."""
    with log.open("a") as file, redirect_stdout(file), _loggers_in(log):
        yield


@contextmanager
def _output_in(log: Path) -> Iterator[None]:
    """While Ray starts and ends it writes to the terminal by several ways at once: all go to a
    file."""
    with log.open("a") as file, redirect_stdout(file), redirect_stderr(file):
        terminal = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


@contextmanager
def _loggers_in(log: Path) -> Iterator[None]:
    handler = logging.FileHandler(log)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("ray")
    before = (logger.level, logger.propagate, logger.handlers[:])
    logger.handlers[:], logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    logging.getLogger("ray.tune.analysis").setLevel(
        logging.ERROR
    )  # it looks for files that we do not write
    try:
        yield
    finally:
        logger.level, logger.propagate, logger.handlers[:] = before
        handler.close()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself; here the first one lets the open trials finish."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def refuse_silent(address: str | None) -> None:
    """Refuse an address that is none, or where nobody listens: Ray would wait for minutes."""
    if ray.is_initialized() or address == "local":
        return
    if address in (None, "auto") and not (address := os.environ.get("RAY_ADDRESS")):
        _refuse_left_over()
    if address is None or address in ("", "auto", "local"):
        return
    if address.startswith("ray://"):
        raise StudyError(
            f"{address} is for Ray Client, through which Tune would run on the cluster, away from "
            "this study: join the "
            "cluster with `ray start --address=HOST:6379 --num-cpus=0` and use --address auto, or "
            "submit the search "
            "as a job (see docs/cluster.md)"
        )
    try:
        host, port = host_and_port(address)
    except ValueError as problem:
        raise StudyError(f"{address!r} is no address: expected auto or HOST:PORT") from problem
    if not answers(host, port):
        raise StudyError(
            f"nobody listens at {address}: check the address, and that the head runs (`ray status`)"
        )


def _refuse_left_over() -> None:
    """Refuse what Ray's own file says of a cluster that has died without a word."""
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - where Ray looks, too
    file = Path(folder) / "ray" / "ray_current_cluster"
    try:
        host, port = host_and_port(left := file.read_text().strip())
    except (OSError, ValueError):
        return
    if not answers(host, port):
        raise StudyError(
            f"the last Ray of this machine was at {left}, where nobody listens any more: clear it "
            "away with `ray stop` and start Ray again, or use one of the search's own with "
            "--address local"
        )


def _cannot_connect(address: str | None, problem: Exception) -> str:
    where = f"the Ray cluster at {address or os.environ.get('RAY_ADDRESS') or 'this machine'}"
    reason = (
        str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
    )
    return (
        f"{where} cannot be joined: {reason}; check that its head runs (`ray status`), that its "
        "version of Ray and "
        "Python is the same as here, and that its token is known here (RAY_AUTH_MODE, "
        "RAY_AUTH_TOKEN, "
        "RAY_AUTH_TOKEN_PATH)"
    )


@contextmanager
def tune_settings() -> Iterator[None]:
    """Tune as we need it: its settings are variables of the environment; what the user has set
    stays."""
    missing = {name: value for name, value in _TUNE.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)
