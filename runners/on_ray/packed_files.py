"""Files that travel from a worker to the driver through Ray, so that no file system need be
shared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from nas.errors import StoreError


def pack(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path in it; links are left out."""
    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def unpack(files: Mapping[str, bytes], folder: Path) -> None:
    """Write packed files below a folder, and nowhere else."""
    for name, content in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise StoreError(
                f"a worker sent a file called {name!r}: expected a path inside the trial's folder"
            )
        try:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        except OSError as problem:
            raise StoreError(
                f"{folder / path} cannot be written: {problem.strerror}; make room and resume"
            ) from problem
