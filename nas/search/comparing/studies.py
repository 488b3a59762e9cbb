"""The studies that lie in a comparison's folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nas.errors import StudyError
from nas.search.comparing.arms import study_folder
from nas.search.comparing.plan import FILE, read_comparison


def pairs_of(folder: Path) -> Iterator[tuple[str, int, Path]]:
    """Arm, seed and folder of every study that was asked for, seed by seed."""
    known = read_comparison(folder)
    if known is None:
        raise StudyError(f"{folder} holds no comparison: there is no {FILE} in it")
    for seed in known["seeds"]:
        for arm in known["arms"]:
            yield arm, seed, study_folder(folder, arm, seed)


def studies_in(folder: Path) -> Iterator[tuple[str, int, Path]]:
    """Arm, seed and folder of every study that was begun, seed by seed."""
    return (pair for pair in pairs_of(folder) if (pair[2] / "study.json").is_file())
