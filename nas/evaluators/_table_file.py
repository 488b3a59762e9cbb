"""A table as it lies on disk: columns of texts and of checked numbers, read on demand and never
changed."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, final

from nas.errors import TableError, known_names, shortened

LARGEST_UNPACKED: Final = 1 << 29  # bytes: a few compressed ones may hold more than memory does
_PIECE: Final = 1 << 24
_ROWS: Final = 1 << 13  # of a Parquet file at a time
_CELL: Final = 16  # bytes that any cell counts, so that repeated and empty ones count too
_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"


@final
@dataclass(frozen=True, slots=True)
class TableFile:
    """The bytes of one table and the names of its columns; `digest` is their sha256."""

    path: Path
    digest: str
    header: tuple[str, ...]
    _text: str
    _parquet: Any

    @property
    def name(self) -> str:
        return f"table {str(self.path)!r}"

    def require(self, column: str) -> None:
        """Refuse a column that is not there."""
        if column not in self.header:
            raise TableError(f"{self.name}: {known_names(column, self.header, 'column')}")

    def texts(self, columns: Iterable[str]) -> dict[str, Sequence[str]]:
        """These columns as texts, one per row."""
        wanted = list(dict.fromkeys(columns))
        for column in wanted:
            self.require(column)
        read = self._csv_texts(wanted) if self._parquet is None else self._parquet_texts(wanted)
        if not next(iter(read.values()), ()):
            raise TableError(
                f"{self.name} has column names but no rows; expected one row per architecture"
            )
        return read

    def numbers(
        self, column: str, texts: Sequence[str], *, may_be_empty: bool = False
    ) -> list[float]:
        """The column's texts as finite numbers; an empty one is refused, or NaN where it
        `may_be_empty`."""
        try:
            values = list(map(float, texts))
        except ValueError:
            values = [
                cell_number(self.name, column, row, text, gap=may_be_empty)
                for row, text in enumerate(texts, 1)
            ]
        if not math.isfinite(sum(values)):
            for row, (value, text) in enumerate(zip(values, texts, strict=True), 1):
                if not math.isfinite(value) and text:
                    raise TableError(
                        f"{self.name}, row {row}: column {column!r} holds {value}; expected a "
                        "finite number"
                    )
        return values

    def _csv_texts(self, wanted: Sequence[str]) -> dict[str, Sequence[str]]:
        reader = csv.reader(io.StringIO(self._text, newline=""), strict=True)
        pick = itemgetter(*map(self.header.index, wanted))
        picked, width = [], len(self.header)
        try:
            next(reader)
            for row in reader:
                if len(row) == width:
                    picked.append(pick(row))
                elif row:
                    found = f"has {len(row)} cells, but the first line names {width} columns"
                    raise TableError(f"{self.name}, row {len(picked) + 1}: {found}")
        except csv.Error as problem:
            raise TableError(
                f"{self.name}, row {len(picked) + 1}: no valid CSV ({problem})"
            ) from problem
        columns = [picked] if len(wanted) == 1 else list(zip(*picked, strict=True))
        return dict(zip(wanted, columns or [()] * len(wanted), strict=True))

    def _parquet_texts(self, wanted: Sequence[str]) -> dict[str, Sequence[str]]:
        read: dict[str, list[str]] = {column: [] for column in wanted}
        size = 0
        try:
            for batch in self._parquet.iter_batches(batch_size=_ROWS, columns=list(wanted)):
                size += sum(map(_most_bytes, batch.columns))
                _refuse_larger(self.path, size)
                cells: Mapping[str, list[object]] = batch.to_pydict()
                for column, texts in read.items():
                    texts += ["" if _is_gap(value) else str(value) for value in cells[column]]
        except _parquet_errors() as problem:
            raise _damaged(self.path, "Parquet", problem) from problem
        return dict(read)


def open_table(path: Path) -> TableFile:
    """Read a CSV, gzipped CSV or Parquet file, told apart by its first bytes."""
    data = _bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    if data.startswith(_PARQUET):
        parquet = _parquet(path, data)
        return TableFile(
            path, digest, _checked_header(path, parquet.schema_arrow.names), "", parquet
        )
    text = _text(path, data)
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), strict=True), [])
    except csv.Error as problem:
        raise TableError(
            f"table {str(path)!r} does not begin with a line of column names ({problem})"
        ) from problem
    return TableFile(path, digest, _checked_header(path, header), text, None)


def digest_of(path: Path) -> str:
    """The sha256 of a table's bytes."""
    return hashlib.sha256(_bytes(path)).hexdigest()


def cell_number(table: str, column: str, row: int, text: str, *, gap: bool = False) -> float:
    """One cell as a number; with `gap`, NaN where it is empty."""
    if gap and not text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        found = f"holds {shortened(text)}" if text else "is empty"
        raise TableError(
            f"{table}, row {row}: column {column!r} {found}; expected a number"
        ) from None


def finite_number(table: str, column: str, row: int, text: str) -> float:
    """One cell as a finite number."""
    value = cell_number(table, column, row, text)
    if not math.isfinite(value):
        raise TableError(
            f"{table}, row {row}: column {column!r} holds {value}; expected a finite number"
        )
    return value


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        close = get_close_matches(path.name, siblings, n=1)
        hint = (
            f"; did you mean {str(path.with_name(close[0]))!r}?"
            if close
            else "; expected a CSV or Parquet file"
        )
        raise TableError(f"there is no table {str(path)!r}{hint}") from None
    except IsADirectoryError:
        raise TableError(
            f"table {str(path)!r} is a folder; expected a CSV or Parquet file"
        ) from None
    except (OSError, ValueError) as problem:
        raise TableError(f"table {str(path)!r} cannot be read: {problem}") from problem


def _text(path: Path, data: bytes) -> str:
    try:
        plain = _unpacked(path, data) if data.startswith(_GZIP) else data
    except (EOFError, OSError, zlib.error) as problem:
        raise TableError(
            f"table {str(path)!r} is a damaged or truncated gzip file; fetch it again ({problem})"
        ) from problem
    try:
        return plain.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = plain.count(b"\n", 0, problem.start) + 1
        raise TableError(
            f"table {str(path)!r}, line {line}: not UTF-8 text; save it as CSV in UTF-8"
        ) from problem


def _unpacked(path: Path, data: bytes) -> bytes:
    """What a gzip file holds, unpacked no further than a compressed table may be large."""
    pieces, size = [], 0
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        while piece := stream.read(_PIECE):
            size += len(piece)
            _refuse_larger(path, size)
            pieces.append(piece)
    return b"".join(pieces)


def _refuse_larger(path: Path, size: int) -> None:
    """Refuse a compressed table that holds more than this before it is all in memory."""
    if size > LARGEST_UNPACKED:
        raise TableError(
            f"table {str(path)!r} unpacks to more than {LARGEST_UNPACKED:,} bytes; expected a "
            "smaller table: keep only the columns and rows that a search needs"
        )


def _checked_header(path: Path, header: Sequence[str]) -> tuple[str, ...]:
    if not any(header):
        raise TableError(f"table {str(path)!r} is empty; expected a first line of column names")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise TableError(
            f"table {str(path)!r} names column {repeated[0]!r} more than once; rename one of them"
        )
    return tuple(header)


def _parquet(path: Path, data: bytes) -> Any:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as problem:
        remedy = "install it with `pip install pyarrow`, or save the table as CSV"
        raise TableError(
            f"table {str(path)!r} is a Parquet file, which needs pyarrow; {remedy}"
        ) from problem
    try:
        return parquet.ParquetFile(io.BytesIO(data))
    except _parquet_errors() as problem:
        raise _damaged(path, "Parquet", problem) from problem


def _parquet_errors() -> tuple[type[Exception], ...]:
    return (import_module("pyarrow").ArrowException, OSError, ValueError)


def _most_bytes(column: Any) -> int:
    """What the texts of a column take at most; one text may be named by each of its rows."""
    said = column.nbytes
    if texts := getattr(column, "dictionary", None):
        said += len(column) * max((len(str(text)) for text in texts.to_pylist()), default=0)
    return int(said + _CELL * len(column))


def _is_gap(value: object) -> bool:
    return value is None or value != value


def _damaged(path: Path, form: str, problem: Exception) -> TableError:
    reason = " ".join(str(problem).split())
    return TableError(
        f"table {str(path)!r} is a damaged or truncated {form} file; fetch it again ({reason})"
    )
