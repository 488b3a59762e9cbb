"""Which row of a table belongs to which architecture: how rows name architectures, and how a
genotype finds its row."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from operator import mul
from typing import Any, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from nas.errors import NasError, TableError, known_names, shortened
from nas.evaluators._table_file import TableFile
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

LARGEST_ENUMERATION: Final = (
    100_000  # architectures whose keys are computed ahead (about 5 s at the most)
)

_NASBENCH201_OPS: Final = (
    "none",
    "skip_connect",
    "nor_conv_1x1",
    "nor_conv_3x3",
    "avg_pool_3x3",
)  # as our options
_NASBENCH201_TEXT: Final = re.compile(
    r"\|OP~0\|\+\|OP~0\|OP~1\|\+\|OP~0\|OP~1\|OP~2\|".replace(
        "OP", f"({'|'.join(_NASBENCH201_OPS)})"
    )
)


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """How rows name their architecture: a column per decision, a character per decision, or one
    telling text."""

    kind: Literal["columns", "characters", "nasbench201 text", "genotype", "key"]
    columns: tuple[str, ...]


@final
class RowIndex:
    """Finds the row of a genotype: by its choices read as one number, or (spaces too large to list)
    by its key."""

    def __init__(self, space: SearchSpace, codes: NDArray[Any], rows: NDArray[np.int32]) -> None:
        self._space = space
        self._strides = strides(space)
        self._rows = rows
        self._codes = (
            None if len(codes) == space.size else codes
        )  # None: complete, so the code is the position

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, genotype: Genotype) -> int | None:
        """The row, counted from 0; None where the table has none."""
        code = sum(map(mul, self._space.encode(genotype), self._strides))
        if self._codes is None:
            return int(self._rows[code])
        position = int(self._codes.searchsorted(code))
        found = position < len(self._codes) and self._codes[position] == code
        return int(self._rows[position]) if found else None


@final
class KeyIndex:
    """Finds the row of a genotype by its canonical key."""

    def __init__(self, rows: Mapping[str, int]) -> None:
        self._rows = dict(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, genotype: Genotype) -> int | None:
        """The row, counted from 0; None where the table has none."""
        return self._rows.get(genotype.key)


def strides(space: SearchSpace) -> tuple[int, ...]:
    """What each choice is worth in the number that stands for all choices; the last decision counts
    1."""
    counts = space.counts
    return tuple(math.prod(counts[position + 1 :]) for position in range(len(counts)))


def possible_layouts(space: SearchSpace, file: TableFile, decisions: str | None) -> list[Layout]:
    """The plainest way in which this table names the architectures of this space, and by key if it
    has keys too."""
    if decisions is not None:
        asked = asked_layout(file, decisions)
        return [_as_text(file, asked) if space.name == "nasbench201" else asked]
    names = tuple(decision.name for decision in space.decisions)
    layouts = [Layout("columns", names)]
    if space.name == "nasbench201":
        layouts += [Layout("nasbench201 text", ("arch_str",)), Layout("characters", ("ops",))]
    layouts += [Layout("genotype", ("genotype",)), Layout("key", ("key",))]
    if space.name == "nasbench101":
        layouts.append(Layout("key", ("hash",)))
    there = [layout for layout in layouts if set(layout.columns) <= set(file.header)]
    if not there and space.name == "nasbench201":
        there = _text_columns(file)
    if not there:
        known = ", ".join(file.header[:20]) + (", ..." if len(file.header) > 20 else "")
        raise TableError(
            f"{file.name} does not say which architecture of space {space.name!r} a row is; name "
            "its decision columns, "
            f"for example --decisions 'd_*' (it has {known})"
        )
    return [layout for layout in there if layout is there[0] or layout.kind == "key"]


def _text_columns(file: TableFile) -> list[Layout]:
    """The first column, whatever it is called, that begins with an official text."""
    texts = file.texts(file.header)
    names = [name for name in file.header if _NASBENCH201_TEXT.fullmatch(texts[name][0])]
    return [Layout("nasbench201 text", (name,)) for name in names[:1]]


def _as_text(file: TableFile, asked: Layout) -> Layout:
    """A column that was named and holds official texts is read as such."""
    if asked.kind != "characters":
        return asked
    first = file.texts(asked.columns)[asked.columns[0]][0]
    is_text = _NASBENCH201_TEXT.fullmatch(first) is not None
    return Layout("nasbench201 text", asked.columns) if is_text else asked


def chosen_layout(space: SearchSpace, layouts: Sequence[Layout], rows: int) -> Layout:
    """The plainest layout; but the key where rows are fewer than architectures, for those with one
    key share a row."""
    shared = [layout for layout in layouts if layout.kind == "key" and rows < space.size]
    return (shared or layouts)[0]


def asked_layout(file: TableFile, decisions: str) -> Layout:
    """One column named outright holds a character per decision; patterns or several names are a
    column per decision."""
    parts = [part.strip() for part in decisions.split(",") if part.strip()]
    if len(parts) == 1 and parts[0] in file.header:
        return Layout("characters", (parts[0],))
    for part in parts or [decisions]:
        if not any(_matches(name, part) for name in file.header):
            raise TableError(f"{file.name}: {known_names(part, file.header, 'decision column')}")
    return Layout(
        "columns",
        tuple(name for name in file.header if any(_matches(name, part) for part in parts)),
    )


def option_columns(
    file: TableFile, layout: Layout, texts: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    """For each decision of a table with a column or a character per decision: its name, and an
    option per row."""
    if layout.kind == "columns":
        return {name: texts[name] for name in layout.columns}
    column = layout.columns[0]
    length = len(texts[column][0])
    for row, text in enumerate(texts[column], 1):
        if len(text) != length or not text:
            raise TableError(
                f"{file.name}, row {row}: column {column!r} has {len(text)} characters and row 1 "
                f"has {length}, but "
                "with one decision per character all must be as long; or choose columns by a "
                "pattern such as 'd_*'"
            )
    return {
        f"{column}.{position}": options
        for position, options in enumerate(zip(*texts[column], strict=True))
    }


def index_rows(
    space: SearchSpace,
    file: TableFile,
    layout: Layout,
    texts: Mapping[str, Sequence[str]],
    use: NDArray[np.bool_],
) -> RowIndex | KeyIndex:
    """The index of the rows that `use` marks; two of them for one architecture are refused."""
    if layout.kind == "key":
        return _index_by_key(space, file, texts[layout.columns[0]], use)
    codes = _codes(space, file, layout, texts)
    rows = np.flatnonzero(use)
    return _index_by_code(space, file, codes[rows], rows)


def described(space: SearchSpace, genotype: Genotype) -> str:
    """An architecture in words, for an error: its choices by name."""
    pairs = zip(space.decisions, space.encode(genotype), strict=True)
    words = [f"{decision.name}={decision.options[choice]}" for decision, choice in pairs]
    return ", ".join(words[:12]) + (", ..." if len(words) > 12 else "")


def _matches(name: str, part: str) -> bool:
    return name == part or fnmatchcase(name, part)


def _codes(
    space: SearchSpace, file: TableFile, layout: Layout, texts: Mapping[str, Sequence[str]]
) -> NDArray[Any]:
    kind = np.int64 if space.size < 2**63 else object
    if layout.kind == "genotype":
        choices = [
            _read_genotype(space, file, row, text)
            for row, text in enumerate(texts[layout.columns[0]], 1)
        ]
    else:
        choices = list(zip(*_choice_columns(space, file, layout, texts), strict=True))
    codes: NDArray[Any] = np.array(choices, dtype=kind) @ np.array(strides(space), dtype=kind)
    return codes


def _choice_columns(
    space: SearchSpace, file: TableFile, layout: Layout, texts: Mapping[str, Sequence[str]]
) -> list[list[int]]:
    if layout.kind == "nasbench201 text":
        columns = _nasbench201_columns(file, layout.columns[0], texts[layout.columns[0]])
    else:
        columns = option_columns(file, layout, texts)
    if len(columns) != len(space.decisions):
        raise TableError(
            f"{file.name} has {len(columns)} decisions in {', '.join(layout.columns)}, but space "
            f"{space.name!r} has "
            f"{len(space.decisions)}; choose its decision columns with --decisions"
        )
    names = [decision.name for decision in space.decisions]
    ordered = (
        [columns[name] for name in names] if set(names) == set(columns) else list(columns.values())
    )
    return [
        _choices(file, name, options, labels)
        for name, options, labels in zip(names, ordered, _labels(space, layout), strict=True)
    ]


def _labels(space: SearchSpace, layout: Layout) -> list[tuple[str, ...]]:
    """What each option of each decision is called in the table: its name, or a digit where names do
    not fit."""
    if layout.kind == "nasbench201 text":
        return [_NASBENCH201_OPS] * len(space.decisions)
    names = [tuple(map(str, decision.options)) for decision in space.decisions]
    if layout.kind != "characters" or all(len(name) == 1 for labels in names for name in labels):
        return names
    return [tuple(map(str, range(len(labels)))) for labels in names]


def _choices(
    file: TableFile, name: str, options: Sequence[str], labels: Sequence[str]
) -> list[int]:
    index = {label: choice for choice, label in enumerate(labels)}
    try:
        return [index[option] for option in options]
    except KeyError:
        row = next(row for row, option in enumerate(options, 1) if option not in index)
        raise TableError(
            f"{file.name}, row {row}: "
            f"{known_names(options[row - 1], labels, f'option of decision {name!r}')}"
        ) from None


def _nasbench201_columns(
    file: TableFile, column: str, texts: Sequence[str]
) -> dict[str, Sequence[str]]:
    found = [_NASBENCH201_TEXT.fullmatch(text) for text in texts]
    if None in found:
        row = found.index(None)
        example = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
        raise TableError(
            f"{file.name}, row {row + 1}: column {column!r} holds {shortened(texts[row])}; "
            "expected a text "
            f"like {example}"
        )
    columns = zip(*(match.groups() for match in found if match), strict=True)
    return {str(edge): options for edge, options in enumerate(columns)}


def _read_genotype(space: SearchSpace, file: TableFile, row: int, text: str) -> tuple[int, ...]:
    try:
        return space.encode(Genotype.from_json(text))
    except NasError as problem:
        raise TableError(f"{file.name}, row {row}: {problem}") from problem


def _index_by_code(
    space: SearchSpace, file: TableFile, codes: NDArray[Any], rows: NDArray[np.intp]
) -> RowIndex:
    order = np.argsort(codes, kind="stable")
    codes, rows = codes[order], rows[order]
    twins = np.flatnonzero(codes[1:] == codes[:-1])
    if len(twins):
        _refuse_twins(file, int(rows[twins[0]]), int(rows[twins[0] + 1]))
    return RowIndex(space, codes, rows.astype(np.int32))


def _index_by_key(
    space: SearchSpace, file: TableFile, keys: Sequence[str], use: NDArray[np.bool_]
) -> RowIndex | KeyIndex:
    by_key: dict[str, int] = {}
    for row in np.flatnonzero(use).tolist():
        first = by_key.setdefault(keys[row], row)
        if first != row:
            _refuse_twins(file, first, row)
    if space.size > LARGEST_ENUMERATION:
        return KeyIndex(by_key)
    found = [by_key.get(key, -1) for key in _every_key(space)]
    rows = np.array(found, dtype=np.int32)
    codes = np.flatnonzero(rows >= 0)
    return RowIndex(space, codes, rows[codes])


def _every_key(space: SearchSpace) -> Iterable[str]:
    return (space.decode(choices).key for choices in product(*map(range, space.counts)))


def _refuse_twins(file: TableFile, first: int, second: int) -> None:
    raise TableError(
        f"{file.name}: rows {first + 1} and {second + 1} are the same architecture; keep one of "
        "them"
    )
