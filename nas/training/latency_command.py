"""A command of the user's that is given an ONNX file and prints milliseconds: latency where a
network will run."""

from __future__ import annotations

import math
import os
import shlex
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Self, final

from nas.errors import LatencyError, SettingsError, shortened
from nas.registry import refuse_command_unless_allowed

FILE: Final = "{onnx}"  # the word, or part of a word, that stands for the file
TIMEOUT: Final = 60.0
_LONGEST_OUTPUT = 64_000  # of its end that is read
_LONGEST_SAID = 200


@final
@dataclass(frozen=True, slots=True)
class LatencyCommand:
    """Words, started without a shell in the folder in which they were typed.

    `{onnx}` in a word becomes the path of the file; where no word has it, the file comes on
    standard input. The last line that the command prints is a number, in milliseconds.

    Args:
        seconds: how long it may take.
    """

    words: tuple[str, ...]
    folder: str
    seconds: float

    @classmethod
    def of(cls, text: str, seconds: float | None) -> Self:
        """The command that a user typed; one that a file names is refused."""
        limit = TIMEOUT if seconds is None else seconds
        if not (math.isfinite(limit) and limit > 0):
            raise SettingsError(f"latency_timeout is {limit}: expected seconds above 0")
        try:
            words = tuple(shlex.split(text))
        except ValueError as problem:
            raise SettingsError(
                f"latency_command is {shortened(text)}: {str(problem).lower()}; quote it as in a "
                "shell"
            ) from problem
        if not words:
            raise SettingsError("latency_command is empty: expected words such as './bench {onnx}'")
        refuse_command_unless_allowed(text)
        return cls(words, str(Path.cwd()), limit)

    def milliseconds(self, file: Path) -> float:
        """What the command prints for this file."""
        words = [word.replace(FILE, str(file)) for word in self.words]
        reads_file = words != list(self.words)
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            Path(os.devnull if reads_file else file).open("rb") as stdin,
        ):
            code = self._ended(words, stdin, out, err)
            if code:
                why = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
                raise LatencyError(f"{self._told} {why}{_said(err)}")
            return self._number(_end_of(out))

    def _ended(self, words: list[str], stdin: IO[bytes], out: IO[bytes], err: IO[bytes]) -> int:
        """The exit code; it and what it started are killed when the time is over."""
        place = self.folder if Path(self.folder).is_dir() else None
        try:
            process = subprocess.Popen(  # the user's own command, and no shell
                words, stdin=stdin, stdout=out, stderr=err, cwd=place, start_new_session=True
            )
        except OSError as problem:
            raise LatencyError(
                f"{self._told} cannot be started: {problem.strerror or problem}"
            ) from problem
        try:
            return process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            raise LatencyError(
                f"{self._told} took longer than {self.seconds:g} s: make it quicker, or give it "
                "longer with evaluator.latency_timeout",
                "timeout",
            ) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _number(self, text: str) -> float:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        last = lines[-1] if lines else ""
        try:
            found = float(last.removesuffix("ms"))
        except ValueError:
            found = math.nan
        if not (math.isfinite(found) and found > 0):
            raise LatencyError(
                f"{self._told} printed {shortened(last)} last: expected milliseconds above 0, "
                "say 12.5"
            )
        return found

    @property
    def _told(self) -> str:
        return f"the latency command {shortened(shlex.join(self.words))}"


def _end_of(stream: IO[bytes]) -> str:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _LONGEST_OUTPUT))
    return stream.read().decode(errors="replace")


def _said(stream: IO[bytes]) -> str:
    """The last line of what it complained about."""
    lines = [line.strip() for line in _end_of(stream).splitlines() if line.strip()]
    return f": {shortened(lines[-1][:_LONGEST_SAID])}" if lines else " and said nothing"
