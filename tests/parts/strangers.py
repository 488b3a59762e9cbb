"""Interpreters for exported files that have loaded torch already: one is started, without our
packages, and forks whenever a file is to be run. It saves each export of the tests two seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SERVER = """
import json, os, sys, traceback
import torch
for line in sys.stdin:
    code, folder, errors = json.loads(line)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.chdir(folder)
            os.dup2(os.open(errors, os.O_CREAT | os.O_WRONLY), 2)
            exec(code, {"__name__": "__main__"})
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Strangers:
    """Stands in for `subprocess` where exported files are run."""

    CalledProcessError = subprocess.CalledProcessError
    TimeoutExpired = subprocess.TimeoutExpired

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None

    def run(self, words: Sequence[str], *, cwd: str, **_: Any) -> None:
        """Run the code that `python -I -c` would run."""
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-I", "-c", _SERVER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        assert list(words[:3]) == [sys.executable, "-I", "-c"]
        errors = Path(cwd) / "errors.txt"
        self._server.stdin.write(json.dumps([words[3], cwd, str(errors)]) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        if code:
            raise subprocess.CalledProcessError(code, list(words), stderr=errors.read_text())

    def end(self) -> None:
        """End the one that forks."""
        if self._server is not None:
            self._server.communicate()
