"""Files that are there whole or not at all, also after a crash."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from nas.errors import StudyError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8: a draft first, synced, then renamed into place."""
    draft = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as problem:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StudyError(f"{path} cannot be written: {problem.strerror}") from problem
