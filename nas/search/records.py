"""What an earlier `nas tabulate` wrote: where its studies are gone, it goes on from the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nas.contracts import Evaluation, Evaluator
from nas.errors import SettingsError, TableError
from nas.evaluators._record_rows import SETTINGS, TableRow, read_rows
from nas.evaluators._recorded import Recorded
from nas.evaluators._table_file import TableFile, open_table
from nas.search.plan import Plan, read_study_json
from nas.search.run import Substitution
from nas.search.tabulation import joined, told_keys, write_table
from nas.study.store import LOG
from search_spaces.cells.space import SearchSpace


@dataclass(frozen=True, slots=True)
class Records:
    """The rows of a table, by key, and the settings they came about under."""

    file: Path
    settings: str | None = None  # None: the file does not say
    rows: Mapping[str, TableRow] = field(default_factory=dict)

    def around(self, seed: int, folder: Path) -> Substitution:
        """Who judges for the study of this seed: its evaluator, but for what is recorded and not
        in its log."""

        def judge(plan: Plan, evaluator: Evaluator) -> Evaluator:
            if not self.rows or evaluator.per_seed:
                return evaluator
            self.refuse_others({**plan.identity(), "measured": plan.measured}, folder)
            known = {
                key: (Evaluation(score, row.metrics, row.seconds), row.curve if seed == 0 else ())
                for key, row in self.rows.items()
                if (score := row.score_of(seed)) is not None
            }
            for key in told_keys(folder):
                known.pop(key, None)
            return Recorded(evaluator, known) if known else evaluator

        return judge

    def refuse_others(self, study: Mapping[str, Any], folder: Path) -> None:
        """Refuse, before any work, to write over rows that this command would not make."""
        if self.settings is None:
            if not (folder / LOG).exists():
                raise SettingsError(
                    f"{self.file} does not say which settings its {len(self.rows):,} rows came "
                    f"about under, and {folder} holds no study to tell: choose another --out"
                )
        elif self.settings != (ours := settings_of(study)):
            raise SettingsError(
                f"{self.file} holds {len(self.rows):,} rows of other settings "
                f"({self.settings} there, {ours} here): choose another --out, or give those "
                "settings"
            )

    def with_rows(self, rows: Sequence[TableRow], seeds: int) -> list[TableRow]:
        """These rows and those of the file, in the order of their keys; a score of the file stays
        where no study was asked for it."""
        kept = {} if self.settings is None else self.rows
        both = {**kept, **{row.genotype.key: row for row in rows}}
        width = max((len(row.scores) for row in both.values()), default=0)
        width = max(width, seeds)
        return [_wide(both[key], self.rows.get(key), width) for key in sorted(both)]


def settings_of(study: Mapping[str, Any]) -> str:
    """A short name of all that decides what a row holds, from the content of study.json: where
    the data lie does not, as their fingerprint is among it."""
    evaluator = study["evaluator"]
    options = {
        name: value
        for name, value in evaluator["options"].items()
        if name != "data_dir" and value is not None  # what is not set is what did not exist yet
    }
    decides = {
        "space": study["space"],
        "strategy": study["strategy"],  # which architecture has which number, and so which seed
        "evaluator": {**evaluator, "options": options},
        "evaluations_per_trial": study["rules"].get("evaluations_per_trial", 1),
        "measured": study["measured"],
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:12]


def write_records(
    records: Records,
    space: SearchSpace,
    folders: Sequence[Path],
    *,
    repeated: int | None,
    partly: bool = False,
) -> int:
    """Write what the studies in these folders found, and what the file had; how many rows.

    Args:
        partly: they were stopped, and some may not have begun: nothing is written of nothing.
    """
    begun = [folder for folder in folders if (folder / LOG).exists()] if partly else folders
    whole = repeated is not None or len(begun) == len(folders)
    found = joined(begun, repeated=repeated) if begun and whole else []
    rows = records.with_rows(found, len(folders))
    if begun and (rows or not partly):
        write_table(records.file, space, rows, settings_of(read_study_json(folders[0])))
    return len(rows)


def read_records(file: Path, space: SearchSpace) -> Records:
    """The rows of a table that `nas tabulate` wrote; none where there is no file."""
    if not file.exists():
        return Records(file)
    table = open_table(file)
    try:
        rows = read_rows(table, space)
        settings = _settings(table)
    except TableError as problem:
        raise TableError(
            f"--out: {problem}; a new table would take its place: choose another --out"
        ) from problem
    return Records(file, settings, {row.genotype.key: row for row in rows})


def _settings(table: TableFile) -> str | None:
    """What all rows say; a file that was put together of several is nobody's to add to."""
    if SETTINGS not in table.header:
        return None
    texts = table.texts([SETTINGS])[SETTINGS]
    for number, text in enumerate(texts, 1):
        if text != texts[0]:
            raise TableError(
                f"{table.name}, row {number}: column {SETTINGS!r} differs from the first row, but "
                "a table has rows of one kind"
            )
    return texts[0]


def _wide(row: TableRow, before: TableRow | None, width: int) -> TableRow:
    """The row with a place for each seed, filled by the file where this command has nothing."""
    own, old = (
        [*each, *[None] * (width - len(each))]
        for each in (row.scores, before.scores if before else ())
    )
    scores = (old[place] if own[place] is None else own[place] for place in range(width))
    return replace(row, scores=tuple(scores))
