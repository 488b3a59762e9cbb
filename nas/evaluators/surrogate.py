"""Judging by what records of real trainings foretell; nothing is trained."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

from nas.contracts import Evaluation, Evaluator, Json, Outlook, Report
from nas.errors import TableError, counted
from nas.evaluators._record_rows import TableRow, read_rows
from nas.evaluators._table_file import TableFile, open_table
from nas.evaluators.table import find_table, shipped_tables
from nas.seeding import numpy_rng

if TYPE_CHECKING:
    from nas.evaluators._surrogate_model import Model
    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import SearchSpace

OUTSIDE: Final = "outside"
PREDICTED: Final = "predicted_score"

_FEWEST: Final = 20  # records, below which nothing is learnt
_MOST: Final = 1_500  # records that are learnt from, so that it takes seconds
_KEPT: Final = 4  # what was learnt from so many files stays in memory

Value = TypeVar("Value")
Prediction = tuple[float, float, bool]  # score, seconds, whether it lies outside
_rows: dict[tuple[str, str], list[TableRow]] = {}
_models: dict[tuple[str, str], Model] = {}


@final
class Surrogate(Evaluator):
    """Predicts what a training would have scored, from records of real trainings (`nas tabulate
    --sample N` makes them), and what it would have cost. The seed of a trial adds noise, as records
    with several seeds show it; winners are judged by the prediction without. What it is worth, it
    says itself: the tau of its predictions with records that it had not seen.

    Args:
        records: path of the file, or the name of one that comes with the package; default: the one
            of this space.
    """

    cheap = True
    stands_in = True

    def __init__(self, space: SearchSpace, *, records: str | None = None) -> None:
        super().__init__(space)
        table = open_table(_records_file(records, space.name))
        self._file, self._digest = table.path.name, table.digest
        self._rows = _remembered(
            _rows, self._name, lambda: _checked(table, read_rows(table, space, _picked))
        )
        self._model: Model | None = None
        self._predicted: dict[str, Prediction] = {}

    @property
    def _name(self) -> tuple[str, str]:
        return self._digest, self.space.fingerprint

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """The prediction, and how far one training with this seed would lie from it."""
        del workdir, report
        score, seconds, outside = self._prediction(genotype)
        if len(residuals := self._learnt().residuals):
            rng = numpy_rng(seed, "surrogate", self._digest, genotype.key)
            score = _rounded(score + float(residuals[int(rng.integers(len(residuals)))]))
        return Evaluation(score, {OUTSIDE: int(outside)}, seconds)

    def final(self, genotype: Genotype, *, kept: Path | None = None) -> Mapping[str, float]:
        """The prediction without noise."""
        del kept
        return {PREDICTED: self._prediction(genotype)[0]}

    def outlook(self) -> Outlook:
        """The records, and what predictions from them are worth."""
        worth = self._learnt().worth
        told = f"{self._file}: {counted(worth.rows, 'record')} of real trainings"
        return Outlook(told, f"none is trained; {worth.told}", None)

    @property
    def measures(self) -> Collection[str]:
        """Whether it lies outside of what the records know."""
        return (OUTSIDE,)

    def measured(self) -> Mapping[str, Json]:
        """The records, what was learnt from them, and what that is worth."""
        model = self._learnt()
        return {
            "file": self._file,
            "sha256": self._digest,
            "model": f"{model.kernel}, noise {model.noise:g}",
            **model.worth.to_dict(),
            "worth": model.worth.told,
        }

    def __getstate__(self) -> dict[str, Any]:
        """What was learnt travels along: nobody learns twice, or something else."""
        return {**self.__dict__, "_model": self._learnt(), "_rows": [], "_predicted": {}}

    def _prediction(self, genotype: Genotype) -> Prediction:
        found = self._predicted.get(genotype.key)
        if found is None:
            score, seconds, outside = self._learnt()(self.space, genotype)
            found = _rounded(score), _rounded(seconds), outside
            self._predicted[genotype.key] = found
        return found

    def _learnt(self) -> Model:
        from nas.evaluators._surrogate_model import Model

        if self._model is None:
            self._model = _remembered(_models, self._name, lambda: Model.of(self.space, self._rows))
        return self._model


def _records_file(records: str | None, space: str) -> Path:
    if records is not None or len(fitting := shipped_tables(space)) == 1:
        return find_table(records, space)
    if fitting:
        raise TableError(
            f"several tables of space {space!r} come with the package ({', '.join(fitting)}): say "
            "which one holds the records, with --set evaluator.records=NAME"
        )
    raise TableError(
        f"no records of space {space!r} come with the package: make some with `nas tabulate "
        f"--space {space} --sample 300 --repeated 40 --out records.csv.gz`, and name them with "
        "--set evaluator.records=records.csv.gz"
    )


def _picked(seeds: Sequence[int]) -> Sequence[int]:
    """Which rows are learnt from, where there are many: those with the most seeds, and of equal
    ones a random part."""
    if len(seeds) <= _MOST:
        return range(len(seeds))
    order = numpy_rng(0, "surrogate rows").permutation(len(seeds)).tolist()
    order.sort(key=lambda place: -seeds[place])
    return sorted(order[:_MOST])


def _checked(table: TableFile, rows: list[TableRow]) -> list[TableRow]:
    alone = len({row.genotype.key for row in rows if row.neighbour_of is None})
    if alone < _FEWEST:
        raise TableError(
            f"{table.name} has {counted(alone, 'record')} that {'is' if alone == 1 else 'are'} "
            f"no neighbour of another: expected {_FEWEST} or more, and 300 are better; "
            "`nas tabulate` with a larger --sample adds to it"
        )
    return rows


def _remembered(
    known: dict[tuple[str, str], Value], name: tuple[str, str], make: Callable[[], Value]
) -> Value:
    """What was made of this file before in this process; else it is made now."""
    if name not in known:
        made = make()
        while len(known) >= _KEPT:
            del known[next(iter(known))]
        known[name] = made
    return known[name]


def _rounded(value: float) -> float:
    """To six digits, as tables have them: the last bits are the processor's."""
    return float(f"{value:.6g}")
