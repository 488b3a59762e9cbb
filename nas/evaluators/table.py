"""Judging by looking up: a table of architectures that somebody has trained before is the
evaluator."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
from numpy.typing import NDArray

from nas.contracts import Evaluation, Evaluator, Json, Report
from nas.errors import NasError, SpaceError, TableError, shell_word, shortened
from nas.evaluators._expressions import Expression
from nas.evaluators._joined_tables import digest_of_all, open_tables
from nas.evaluators._row_index import (
    Layout,
    asked_layout,
    chosen_layout,
    described,
    index_rows,
    option_columns,
    possible_layouts,
)
from nas.evaluators._table_file import TableFile, cell_number
from nas.seeding import derive

if TYPE_CHECKING:
    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import SearchSpace

SHIPPED: Final = Path(__file__).parent.parent / "tables"

Texts = Mapping[str, Sequence[str]]

_ENUMERABLE: Final = 10**9  # architectures that somebody may want to complete a table of
_OF_A_SEED: Final = re.compile(r"score_seed\d+")  # as `nas tabulate` names them


@final
class Table(Evaluator):
    """Scores are read from a CSV, CSV.GZ or Parquet file with one row per architecture.

    What `final` reads is not loaded: it is read from the file again, after a study, for its
    incumbents only.

    Args:
        table: path of the file, or the name of one that comes with the package; default: the one of
            this space. Several are read as one, joined by the columns that they have in common.
        score: expression over columns, higher is better; default: the column `score`. With
            `one_of(a, b, c)` the seed of a trial picks the column, as if it had been trained with
            that seed.
        cost: expression over columns, in seconds; default: the column `cost`, else no cost.
        steps: expressions by the step at which they were measured (`{"12": "val_12", "200":
            "val_200"}`), reported one after another, so that early stopping sees them; the last one
            is the score where nothing else is said. A trial that is stopped costs its share of
            steps.
        final: expression over columns by which winners are judged; default: the column `final`, if
            there is one.
        decisions: a pattern of decision columns (`d_*`), or one column that holds a character per
            decision; default: columns called like the decisions, the official texts of nasbench201,
            or a column `genotype` or `key`.
        metrics: columns that come along with a score, or `NAME=COLUMN` for one under another name
            (`latency_ms=pixel2_ms`); default: `params` and `macs`, where they are.
        allow_missing: accept a table that lacks architectures or scores; evaluating such a one is a
            failure.
    """

    cheap = True

    def __init__(
        self,
        space: SearchSpace,
        *,
        table: str | list[str] | None = None,
        score: str | None = None,
        cost: str | None = None,
        steps: dict[str, Any] | None = None,
        final: str | None = None,
        decisions: str | None = None,
        metrics: list[str] | None = None,
        allow_missing: bool = False,
    ) -> None:
        super().__init__(space)
        self._paths = tuple(path.absolute() for path in find_tables(table, space.name))
        file = open_tables(find_tables(table, space.name))
        self._name, self._file, self._digest = file.name, file.path.name, file.digest
        self._final = _expression(file, "final", final, pick=None)
        curve = _curve(file, steps)
        last = curve[max(curve)] if curve else None
        named = _expression(file, "score", score) if score or last is None else last
        formulas = [
            named or _refuse_no_score(file),
            _expression(file, "cost", cost),
            *curve.values(),
        ]
        self._steps = tuple(curve)
        self.last_step = max(curve) if curve else None
        self._alternatives = _alternatives(file, formulas)
        layouts = possible_layouts(space, file, decisions)
        kept = _metric_columns(file, metrics, self._final)
        needed = {name for formula in formulas if formula for name in formula.names}
        needed |= {*kept.values(), *(column for layout in layouts for column in layout.columns)}
        self._refuse_leak(needed)
        self._columns = sorted(needed)
        self._load(file, formulas, layouts, kept, gaps=allow_missing)

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """Look the genotype up; the seed changes nothing, but for `one_of`."""
        del workdir
        row = self._row(genotype)
        pick = derive(seed, "column") % self._alternatives if self._alternatives > 1 else 0
        score, cost, *curve = (_picked(values, pick).item(row) for values in self._values)
        for step, reached in zip(self._steps, curve, strict=True):
            if not report(step, {"score": reached}) and step < self._steps[-1]:
                return Evaluation(reached, {}, cost * step / self._steps[-1])
        metrics = {name: values.item(row) for name, values in self._metrics.items()}
        known = {name: value for name, value in metrics.items() if value == value}
        return Evaluation(score, known, cost)

    def final(self, genotype: Genotype, *, kept: Path | None = None) -> Mapping[str, float]:
        """The final expression for this genotype, from the file as it was when the study began."""
        del kept
        if self._final is None:
            return {}
        row = self._row(genotype)
        if digest_of_all(self._paths) != self._digest:
            raise TableError(
                f"{self._name} has changed since it was loaded; bring the old file back to judge "
                "by it"
            )
        texts = _final_texts(self._paths, self._digest, self._final.names)
        numbers = {
            name: cell_number(self._name, name, row + 1, texts[name][row])
            for name in self._final.names
        }
        return {self._final.text: _computed(self._name, self._final, numbers)}

    def costs(self, genotype: Genotype) -> Mapping[str, float]:
        """The metrics of its row; NaN, which no limit forbids, where the table does not say."""
        row = self._index.row(genotype)
        return {
            name: math.nan if row is None else float(values[row])
            for name, values in self._metrics.items()
        }

    @property
    def measures(self) -> Collection[str]:
        """The columns that come along."""
        return self._metrics

    def measured(self) -> Mapping[str, Json]:
        """What the scores were read from."""
        return {
            "file": self._file,
            "sha256": self._digest,
            "rows": self._rows,
            "columns": self._columns,
        }

    def _load(
        self,
        file: TableFile,
        formulas: Sequence[Expression | None],
        layouts: Sequence[Layout],
        kept: Mapping[str, str],
        *,
        gaps: bool,
    ) -> None:
        texts = file.texts(self._columns)
        rows = len(texts[self._columns[0]])
        self._rows = rows
        self._values = [
            [_values(file, each, texts, rows, gaps) for each in formula.picking()]
            if formula
            else [np.zeros(rows)]
            for formula in formulas
        ]
        for costs in self._values[1]:
            if len(negative := np.flatnonzero(costs < 0)):
                row = int(negative[0])
                raise TableError(
                    f"{file.name}, row {row + 1}: the cost is {costs[row]:g}; expected 0 or "
                    "more seconds"
                )
        self._metrics = {
            name: _metric(file, column, texts[column]) for name, column in kept.items()
        }
        usable = np.logical_and.reduce(
            [np.isfinite(column) for columns in self._values for column in columns]
        )
        self._index = index_rows(
            self.space, file, chosen_layout(self.space, layouts, rows), texts, usable
        )
        if len(self._index) < self.space.architectures and not gaps:
            self._refuse_gaps(len(self._index))

    def _row(self, genotype: Genotype) -> int:
        row = self._index.row(genotype)
        if row is None:
            words = described(self.space, genotype)
            raise SpaceError(f"{self._name} has no score for {words}; add a row for it")
        return row

    def _refuse_leak(self, needed: set[str]) -> None:
        hidden = sorted(needed.intersection(self._final.names if self._final else ()))
        if hidden:
            raise TableError(
                f"column {hidden[0]!r} of {self._name} is to judge winners (final), so a search "
                "may not read it; "
                f"take another column for score, cost, metrics and decisions, or none for final"
            )

    def _refuse_gaps(self, known: int) -> None:
        size = self.space.architectures
        if size > _ENUMERABLE:
            records = shell_word(str(self._paths[0]))
            raise TableError(
                f"{self._name} holds {known:,} of the {size:.2g} architectures of space "
                f"{self.space.name!r}, a sample; `--evaluator surrogate --set "
                f"evaluator.records={records}` predicts the others from these"
            )
        raise TableError(
            f"{self._name} lacks {size - known:,} of the {size:,} architectures of space "
            f"{self.space.name!r}; complete "
            f"it, or let evaluations of them fail with --set evaluator.allow_missing=true"
        )


def find_tables(table: str | Path | Sequence[str] | None, space: str) -> list[Path]:
    """The files that are meant, one or several."""
    names = [table] if table is None or isinstance(table, str | Path) else table
    return [find_table(name if name is None else str(name), space) for name in names or [None]]


def find_table(table: str | None, space: str) -> Path:
    """The file that is meant: a path, the name of a table that comes with the package, or the one
    for this space."""
    if table is not None:
        shipped = shipped_tables()
        return Path(table) if table not in shipped or Path(table).exists() else shipped[table]
    fitting = shipped_tables(space)
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    found = (
        f"several tables of space {space!r} come"
        if fitting
        else f"no table of space {space!r} comes"
    )
    choice = f" ({', '.join(fitting)})" if fitting else ""
    raise TableError(f"{found} with the package{choice}; say which one to read with --table FILE")


def shipped_tables(space: str | None = None) -> dict[str, Path]:
    """The tables that come with the package by their names, all of them or those of a space."""
    found = {path.name.removesuffix(".csv.gz"): path for path in sorted(SHIPPED.glob("*.csv.gz"))}
    if space is None:
        return found
    return {
        name: path for name, path in found.items() if name == space or name.startswith(f"{space}-")
    }


def expressions_by_seed(table: str | Sequence[str] | None, space: str) -> dict[str, str]:
    """Expressions for score and final that read no seed twice: the first seed to search by, the
    mean of the others to judge by; none where the table does not have both, or a final itself."""
    header = open_tables(find_tables(table, space)).header
    seeds = [name for name in header if _OF_A_SEED.fullmatch(name)]
    if len(seeds) < 2 or "final" in header:
        return {}
    first, *others = seeds
    mean = f"({' + '.join(others)}) / {len(others)}" if len(others) > 1 else others[0]
    return {"score": first, "final": mean}


def table_decisions(
    table: str | Path | Sequence[str], decisions: str | None
) -> dict[str, tuple[str, ...]]:
    """Name and options of each decision that a table's columns hold, for space `table`.

    Options are the texts that occur, in numerical order where all are numbers, else in alphabetical
    order. Decisions of one text column are called `ops.0`, `ops.1`, ...
    """
    names = str(table) if isinstance(table, str | Path) else table
    file = open_tables(find_tables(names, "table"))
    if decisions is None:
        raise TableError(
            f"which columns of {file.name} are decisions? name them, for example --decisions 'd_*'"
        )
    layout = asked_layout(file, decisions)
    columns = option_columns(file, layout, file.texts(layout.columns))
    return {name: _in_order(set(options)) for name, options in columns.items()}


def _in_order(options: set[str]) -> tuple[str, ...]:
    try:
        return tuple(sorted(options, key=lambda option: (float(option), option)))
    except ValueError:
        return tuple(sorted(options))


def _picked(values: Sequence[NDArray[np.float64]], pick: int) -> NDArray[np.float64]:
    """The column that counts for a trial; a formula without `one_of` has one."""
    return values[pick] if len(values) > 1 else values[0]


def _curve(file: TableFile, steps: Mapping[str, Any] | None) -> dict[int, Expression]:
    """Formulas by their steps, in order."""
    try:
        texts = {int(step): str(text) for step, text in (steps or {}).items()}
    except (ValueError, AttributeError):
        texts = {0: ""}
    if any(step < 1 for step in texts):
        raise TableError(
            f"steps is {shortened(steps)}: expected an expression for each step, as in "
            '{"12": "val_12", "200": "val_200"}'
        )
    return {step: _needed(file, "steps", texts[step]) for step in sorted(texts)}


def _needed(file: TableFile, purpose: str, text: str) -> Expression:
    formula = _expression(file, purpose, text)
    assert formula is not None
    return formula


def _alternatives(file: TableFile, formulas: Sequence[Expression | None]) -> int:
    """From how many columns the seed of a trial picks; the same number wherever it does."""
    counts = {formula.alternatives for formula in formulas if formula} - {1}
    if len(counts) > 1:
        found = " and ".join(map(str, sorted(counts)))
        raise TableError(
            f"one_of has {found} arguments in expressions over {file.name}: the seed of a trial "
            "picks one place in all of them, so give each as many"
        )
    return counts.pop() if counts else 1


def _expression(
    file: TableFile, purpose: str, text: str | None, pick: int | None = 0
) -> Expression | None:
    if text is None:
        return Expression(purpose, file.header) if purpose in file.header else None
    try:
        formula = Expression(text, file.header, pick)
    except NasError as problem:
        raise TableError(f"{purpose} of {file.name}: {problem}") from problem
    if not formula.names and purpose != "cost":
        raise TableError(
            f"{purpose} {text!r} of {file.name} reads no column; name one of "
            f"{', '.join(file.header)}"
        )
    return formula


def _refuse_no_score(file: TableFile) -> Expression:
    raise TableError(
        f"{file.name} has no column 'score'; name another one of {', '.join(file.header)} with "
        "--score"
    )


def _metric_columns(
    file: TableFile, metrics: Sequence[str] | None, final: Expression | None
) -> dict[str, str]:
    """The column of each metric, by the name of the metric."""
    if metrics is None:
        hidden = final.names if final else ()
        usual = [name for name in ("params", "macs") if name in file.header]
        return {name: name for name in usual if name not in hidden}
    named: dict[str, str] = {}
    for metric in metrics:
        name, equals, column = metric.partition("=")
        is_renamed = equals and metric not in file.header
        file.require(column if is_renamed else metric)
        named[name if is_renamed else metric] = column if is_renamed else metric
    return named


def _values(
    file: TableFile, formula: Expression, texts: Texts, rows: int, gaps: bool
) -> NDArray[np.float64]:
    columns = {name: file.numbers(name, texts[name], may_be_empty=gaps) for name in formula.names}
    try:
        return np.array(formula.over(columns, rows))
    except NasError as problem:
        raise TableError(f"{file.name}, {problem}") from problem


def _metric(file: TableFile, name: str, texts: Sequence[str]) -> NDArray[Any]:
    values = np.array(file.numbers(name, texts, may_be_empty=True))
    whole = bool(np.all(values == np.floor(values)) and np.all(np.abs(values) < 2**53))
    return values.astype(np.int64) if whole else values


def _computed(table: str, formula: Expression, numbers: Mapping[str, float]) -> float:
    try:
        return formula(numbers)
    except NasError as problem:
        raise TableError(f"{table}: {problem}") from problem


@lru_cache(maxsize=1)
def _final_texts(paths: tuple[Path, ...], digest: str, columns: tuple[str, ...]) -> Texts:
    """What winners are judged by, kept beside the evaluators and never in one, where a search could
    see it."""
    del digest  # part of what is remembered: another content is read anew
    return open_tables(paths).texts(columns)
