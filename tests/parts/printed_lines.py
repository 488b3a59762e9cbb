"""The commands that a command prints, read as a reader copies them, and followed."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from parts.command_line import Answer, ended, nas, started

# After two blanks under `next:`, at the end of a line behind a colon, or between backticks.
_COMMANDS = (
    re.compile(r"^  ((?:nas|python) .+)$", re.M),
    re.compile(r": ((?:nas|python) [^`\n]+)$", re.M),
    re.compile(r"`(nas [^`\n]+)`"),
)


def commands_in(text: str) -> list[str]:
    """Every command that a text tells its reader to type."""
    return [found for pattern in _COMMANDS for found in pattern.findall(text)]


def the_command(text: str, beginning: str) -> str:
    """The one command in a text that begins so."""
    found = [command for command in commands_in(text) if command.startswith(beginning)]
    assert len(set(found)) == 1, (beginning, commands_in(text), text)
    return found[0]


def follow(
    command: str, *more: str | Path, at: Path, apart: bool = False, seconds: float = 3000.0
) -> Answer:
    """Type a command into a shell in this folder, with some words behind it.

    Args:
        apart: in a process of its own; else `nas` reads the same words in this one, which has
            loaded torch already.
    """
    program, *words = shlex.split(command)
    words = [*words, *map(str, more)]
    if program == "nas" and apart:
        return ended(started(*words, cwd=at), seconds)
    if program == "nas":
        with contextlib.chdir(at):
            return nas(*words)
    assert program == "python", command
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=at,
        env=bare,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def alone(file: Path, *words: str | Path) -> Answer:
    """Run a Python file far from here, in an interpreter that finds no package of ours."""
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(('nas', 'search_spaces', 'runners')));"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(file), *map(str, words)],
        cwd="/",
        capture_output=True,
        text=True,
    )
    return Answer(done.returncode, done.stdout, done.stderr)
