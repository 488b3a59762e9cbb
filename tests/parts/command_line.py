"""The command line from tests: in this process where possible, in one of its own where signals are
the subject."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from nas.cli import main

ROOT = Path(__file__).parents[2]
SMALL = ("--space", "nasbench201", "--strategy", "random-search", "--evaluator", "landscape")


@dataclass(frozen=True)
class Answer:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on standard output."""
        assert self.code in (0, 2, 3), self.err
        assert self.out.count("\n") == 1, self.out
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def sentence(self) -> str:
        """The one sentence of an error: exit code 2, one line, nothing else."""
        assert self.code == 2, (self.code, self.err)
        assert self.err.startswith("error: "), self.err
        assert self.err.count("\n") == 1, self.err
        assert self.out == ""
        return self.err.removeprefix("error: ").strip()


def nas(*words: str | Path) -> Answer:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    argv = ["nas", *map(str, words)]
    with patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    return Answer(code, out.getvalue(), err.getvalue())


def started(*words: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "nas", *map(str, words)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        **{"preexec_fn": _hears_ctrl_c, **options},
    )


def _hears_ctrl_c() -> None:
    """As from a terminal; a shell's background jobs are deaf to it, and so would be their
    children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def ended(process: subprocess.Popen[str], seconds: float = 120.0) -> Answer:
    """Wait for a started command."""
    out, err = process.communicate(timeout=seconds)
    return Answer(process.returncode, out, err)


def ran(words: Sequence[str | Path], **options: Any) -> Answer:
    """Run a command in a process of its own."""
    return ended(started(*words, **options))
