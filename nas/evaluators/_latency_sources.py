"""Where the latency of a child comes from, when it is not measured here: a command of the user's,
asked once for each network, or a table of operations."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, final

from nas.contracts import Json
from nas.errors import SettingsError
from nas.registry import load
from nas.training.latency_command import LatencyCommand
from nas.training.latency_table import LatencyTable
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton

LATENCY = "latency_ms"
_WRITER = "nas.exporting.verified_onnx:verified_onnx"


class LatencySource(ABC):
    """Says how long the network of a genotype takes; pickled with its evaluator."""

    @abstractmethod
    def milliseconds(self, genotype: Genotype, skeleton: Skeleton) -> float:
        """The latency of one network; a LatencyError says why there is none."""

    @property
    @abstractmethod
    def told(self) -> str:
        """Where it comes from, in words for people."""

    def seconds(self) -> float:
        """How long it takes to learn of a network that nobody knows yet."""
        return 0.0

    def measured(self) -> Mapping[str, Json]:
        """What must not change while a study goes on."""
        return {}


def latency_source(
    command: str | None, seconds: float | None, table: str | None
) -> LatencySource | None:
    """What these options name; None where they name nothing."""
    if command is not None and table is not None:
        raise SettingsError("latency_command and latency_table both say latency_ms: take one")
    if command is not None:
        return Commanded(LatencyCommand.of(command, seconds))
    if seconds is not None:
        raise SettingsError("latency_timeout is that of latency_command: give both, or neither")
    return None if table is None else Tabled(table)


@final
class Tabled(LatencySource):
    """Adds up what a table says of each operation; nothing is measured."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._table = LatencyTable.read(Path(file).expanduser())

    def milliseconds(self, genotype: Genotype, skeleton: Skeleton) -> float:
        """What the table predicts."""
        return self._table.predicted(genotype, skeleton)

    @property
    def told(self) -> str:
        """The table, and how far it is off."""
        error, facts = self._table.error, self._table.facts
        off = f", {error['mean']:.0%} off on average" if "mean" in error else ""
        return f"{self._file} ({facts.get('engine', 'measured')} there{off})"

    def measured(self) -> Mapping[str, Json]:
        """The content of the file."""
        return {"latency_table_sha256": self._table.digest}


@final
class Commanded(LatencySource):
    """Asks a command, one network at a time on each machine, and never twice for the same: what it
    printed stands in a file of the user's cache, for all studies with this command."""

    def __init__(self, command: LatencyCommand) -> None:
        self._command = command
        self._known: dict[str, float] = {}
        self._seconds: list[float] = []

    def milliseconds(self, genotype: Genotype, skeleton: Skeleton) -> float:
        """What the command printed for this network, now or earlier."""
        network = _digest([genotype.key, dataclasses.asdict(skeleton)])
        if network not in self._known:
            with self._locked() as file:
                self._read(file)
                if network not in self._known:
                    self._measure(genotype, skeleton, network, file)
        return self._known[network]

    @property
    def told(self) -> str:
        """The command, and where its answers are kept."""
        return f"{' '.join(self._command.words)}, remembered in {self.file}"

    def seconds(self) -> float:
        """The median of what is remembered."""
        ordered = sorted(self._seconds)
        return ordered[len(ordered) // 2] if ordered else 0.0

    @property
    def file(self) -> Path:
        """Where its answers are kept: what was typed in another folder is another command."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        name = _digest([self._command.words, self._command.folder])
        return cache / "nas" / "latencies" / f"{name}.jsonl"

    def _measure(
        self, genotype: Genotype, skeleton: Skeleton, network: str, file: IO[bytes]
    ) -> None:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="nas-latency-") as folder:
            onnx: Path = load("exporter", _WRITER)(genotype, skeleton, Path(folder))
            found = self._command.milliseconds(onnx)
        seconds = time.perf_counter() - began
        self._known[network] = found
        self._seconds.append(seconds)
        _append(file, {"network": network, "key": genotype.key, "ms": found, "seconds": seconds})

    def _read(self, file: IO[bytes]) -> None:
        """Take up what is remembered; a line that was torn is cut off."""
        file.seek(0)
        content = file.read()
        whole = content.rfind(b"\n") + 1
        file.truncate(whole)
        self._seconds.clear()
        for line in content[:whole].splitlines():
            try:
                known = json.loads(line)
                if "network" in known:
                    self._known[str(known["network"])] = float(known["ms"])
                    self._seconds.append(float(known["seconds"]))
            except (ValueError, TypeError, KeyError) as problem:
                raise SettingsError(
                    f"{self.file} holds a line that is none of ours: remove the file, and what it "
                    "held is measured again"
                ) from problem

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        """The file, ours alone: two measurements at once would disturb each other."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            stream = self.file.open("a+b")
        except OSError as problem:
            raise SettingsError(
                f"{self.file} cannot be written: {problem.strerror}; name another place with "
                "XDG_CACHE_HOME"
            ) from problem
        with stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if not stream.seek(0, os.SEEK_END):
                words, folder = self._command.words, self._command.folder
                _append(stream, {"command": list(words), "folder": folder})
            yield stream


def _append(file: IO[bytes], line: Mapping[str, Any]) -> None:
    file.write(json.dumps(line).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())


def _digest(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]
