"""Several tables read as one: a row of the first with what the others say of the same
architecture."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from nas.errors import TableError, shortened
from nas.evaluators._table_file import TableFile, digest_of, open_table


def open_tables(paths: Sequence[Path]) -> TableFile:
    """One table, or the first with the columns of the others beside its own.

    Rows belong together where they agree in every column that both tables have (decisions, or the
    index of a benchmark). Cells of a row without a partner are empty.
    """
    first, *others = [open_table(path) for path in paths]
    for other in others:
        first = _joined(first, other)
    return first


def digest_of_all(paths: Sequence[Path]) -> str:
    """The sha256 of one table, or that of the digests of several."""
    digests = [digest_of(path) for path in paths]
    return digests[0] if len(digests) == 1 else _of_digests(digests)


def _of_digests(digests: Sequence[str]) -> str:
    together = digests[0]
    for digest in digests[1:]:
        together = hashlib.sha256(f"{together} {digest}".encode()).hexdigest()
    return together


def _joined(one: TableFile, other: TableFile) -> TableFile:
    shared = [name for name in one.header if name in other.header]
    if not shared:
        raise TableError(
            f"{one.name} and {other.name} have no column in common: to be read as one, both need "
            "the decisions, or an index, under the same names"
        )
    added = [name for name in other.header if name not in shared]
    ours, theirs = one.texts(one.header), other.texts(other.header)
    partners = _rows_by_key(other, shared, theirs)

    gap = [""] * len(added)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*one.header, *added])
    matched = False
    for row, key in enumerate(zip(*(ours[name] for name in shared), strict=True)):
        place = partners.get(key)
        matched |= place is not None
        found = gap if place is None else [theirs[name][place] for name in added]
        writer.writerow([*(ours[name][row] for name in one.header), *found])
    if not matched:
        raise TableError(
            f"no row of {one.name} agrees with one of {other.name} in {', '.join(shared)}, the "
            "columns that both have: rename those that mean something else"
        )
    path = one.path.with_name(f"{one.path.name} + {other.path.name}")
    header, digest = (*one.header, *added), _of_digests([one.digest, other.digest])
    return TableFile(path, digest, header, text.getvalue(), None)


def _rows_by_key(
    file: TableFile, shared: Sequence[str], texts: Mapping[str, Sequence[str]]
) -> dict[tuple[str, ...], int]:
    """Where each architecture stands; one that stands twice is refused."""
    rows: dict[tuple[str, ...], int] = {}
    for row, key in enumerate(zip(*(texts[name] for name in shared), strict=True)):
        if rows.setdefault(key, row) != row:
            raise TableError(
                f"{file.name}, rows {rows[key] + 1} and {row + 1} agree in {', '.join(shared)} "
                f"({shortened(', '.join(key))}), so it cannot be joined by them: leave one out"
            )
    return rows
