"""The folder `best/` of a study: its winner, judged once, and nothing of an earlier one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nas.contracts import Evaluator, Trial
from nas.errors import NotJudged
from nas.study.files import checkpoint_of, write_whole
from nas.study.study import Study

FRONT: Final = "front"  # below `best/`, where there are several objectives


def open_finals(study: Study, evaluator: Evaluator) -> None:
    """Read what winners are judged by: only of a finished study, only for its incumbents; each
    reading is logged."""
    assert study.ledger.finished is not None
    judged = {trial.number: trial for trial in _winners(study)}
    for number, trial in judged.items():
        if number in study.ledger.opened:
            continue
        kept = checkpoint_of(study.folder, number)
        try:
            final = evaluator.final(trial.genotype, kept=kept if kept.is_dir() else None)
        except NotJudged as problem:
            study.notice(
                f"trial {number} is not judged until this command is given again: {problem}",
                "winner",
            )
            continue
        if final:
            study.record_final(number, final)


def write_best(study: Study, evaluator: Evaluator) -> None:
    """Leave the winner in `best/`: its genotype, and drawings where real networks were trained."""
    best = study.ledger.best
    if best is None:
        return
    folder = study.folder / "best"
    genotype = best.trial.genotype
    _clear_other_export(folder, genotype.key, best.trial.number)
    write_whole(folder / "genotype.json", genotype.to_json() + "\n")
    if not evaluator.cheap and genotype.cells:
        from nas.drawings.svg import cells_svg

        write_whole(folder / "cells.svg", cells_svg(genotype))
    if study.ledger.front.members:
        _write_front(folder / FRONT, study)


def _winners(study: Study) -> Iterator[Trial]:
    """The incumbents by the score, and all on the front."""
    yield from (incumbent.trial for incumbent in study.ledger.incumbents)
    yield from (owner.trial for _, owner in study.ledger.front.members)


def _write_front(folder: Path, study: Study) -> None:
    """A folder for each trial on the front; those that left it leave the folder."""
    wanted = {f"trial-{owner.trial.number}": owner for _, owner in study.ledger.front.members}
    for old in folder.glob("trial-*"):
        if old.name not in wanted:
            shutil.rmtree(old)
    for name, owner in wanted.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "genotype.json", owner.trial.genotype.to_json() + "\n")


def _clear_other_export(folder: Path, key: str, number: int) -> None:
    """Files of an earlier winner would be taken for those of this one."""
    if not folder.exists():
        return
    from nas.search.record import clear, read_record

    record = read_record(folder)
    if record is not None and (record.subject.get("key"), record.subject.get("trial")) != (
        key,
        number,
    ):
        clear(folder, record, but=("genotype.json",))
