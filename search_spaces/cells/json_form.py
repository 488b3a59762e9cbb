"""The JSON form of a genotype, read with every field checked."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from search_spaces.cells import (
    COMBINES,
    OP_NAMES,
    SCHEMA,
    SCHEMA_WITH_SETTINGS,
    Combine,
    Pairs,
    Setting,
    check_op,
)
from search_spaces.errors import GenotypeError, shortened

MAX_BYTES = 1_000_000
MAX_NODES = 64
MAX_EDGES = 512  # of one cell
MAX_CHOICES = 10_000
MAX_NAME = 200
MAX_SETTINGS = 100
_SAFE_INTEGER = 2**53  # what every JSON reader can hold


class ReadCell(NamedTuple):
    """What a record says of a cell: (source, op) edges and combination of each node, and so on."""

    nodes: tuple[tuple[Pairs, Combine], ...]
    outputs: tuple[int, ...] | None
    inputs: int


class Drawn(NamedTuple):
    """What a record says."""

    space: str
    cells: Mapping[str, ReadCell]
    choices: Mapping[str, int | str] | None
    settings: Mapping[str, Setting]


def decoded(text: str | bytes) -> str:
    """Text of bounded size, from UTF-8 where it is bytes."""
    if len(text) > MAX_BYTES:
        raise GenotypeError(
            f"a genotype is at most {MAX_BYTES:,} bytes long, but this text has {len(text):,}"
        )
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise GenotypeError(
            f"byte {problem.start} of the genotype is {text[problem.start]:#04x}, which is not "
            "UTF-8; save it as UTF-8"
        ) from None


def parsed(text: str | bytes) -> Any:
    """The value of a JSON text, without duplicate keys, NaN or depth that no genotype has."""
    text = decoded(text)
    if not text.strip():
        raise GenotypeError("the genotype is empty; expected a JSON object")
    try:
        return json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as problem:
        raise GenotypeError(
            f"the genotype is not JSON: {problem.msg} at line {problem.lineno}, column "
            f"{problem.colno}"
        ) from None
    except RecursionError:
        raise GenotypeError(
            "the genotype is nested too deeply; a genotype has six levels"
        ) from None
    except ValueError:  # Python's own limit on the digits of an integer
        raise GenotypeError(
            "the genotype has a number of thousands of digits; states are small integers"
        ) from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise GenotypeError(
            f"the genotype has the key {shortened(twice)} twice in one object; keep one"
        )
    return record


def _refuse_constant(name: str) -> NoReturn:
    raise GenotypeError(f"the genotype holds {name}, which is not JSON; states are small integers")


def from_record(record: object) -> Drawn:
    """What a plain record says; refused in one sentence where it is no genotype's."""
    if isinstance(record, dict) and "schema" in record:
        # First, for a newer version may have fields that this one does not know.
        _check_schema(record["schema"])
    fields = _object(record, "the genotype", ("schema", "space"), ("cells", "choices", "settings"))
    space = _name(fields["space"], "space")
    if ("cells" in fields) == ("choices" in fields):
        raise GenotypeError(
            "a genotype has either 'cells' or 'choices' (space 'table'): give exactly one of them"
        )
    if ("settings" in fields) != (fields["schema"] == SCHEMA_WITH_SETTINGS):
        raise GenotypeError(
            f"a genotype has 'settings' exactly if its schema is {SCHEMA_WITH_SETTINGS}, but its "
            f"schema is {fields['schema']}"
        )
    if "choices" in fields:
        if "settings" in fields:
            raise GenotypeError(
                "a genotype of 'choices' makes no network, so it has no 'settings': leave them out"
            )
        return Drawn(space, {}, _choices(fields["choices"]), {})
    settings = _settings(fields["settings"]) if "settings" in fields else {}
    return Drawn(space, _cells(fields["cells"]), None, settings)


def _check_schema(schema: object) -> None:
    if type(schema) is not int or schema < 1:
        raise GenotypeError(
            f"schema is {_brief(schema)}; expected {SCHEMA}, or {SCHEMA_WITH_SETTINGS} for a "
            "genotype with settings"
        )
    if schema > SCHEMA_WITH_SETTINGS:
        raise GenotypeError(
            f"schema {_brief(schema)} is newer than {SCHEMA_WITH_SETTINGS}, the newest this "
            "version reads: update the toolkit"
        )


def _cells(record: object) -> dict[str, ReadCell]:
    fields = _object(record, "cells", ("normal",), ("reduction",))
    cells = {role: _cell(cell, role) for role, cell in fields.items()}
    if len({cell.inputs for cell in cells.values()}) > 1:
        raise GenotypeError(
            "the cells of a genotype have equally many inputs, but these have one and two"
        )
    return cells


def _cell(record: object, role: str) -> ReadCell:
    fields = _object(record, f"the {role} cell", ("nodes",), ("outputs", "inputs"))
    inputs = fields.get("inputs", 2)
    if type(inputs) is not int or not 1 <= inputs <= 2:
        raise GenotypeError(f"inputs of the {role} cell is {_brief(inputs)}; expected 1 or 2")
    nodes = fields["nodes"]
    if not isinstance(nodes, list) or not 1 <= len(nodes) <= MAX_NODES:
        raise GenotypeError(
            f"nodes of the {role} cell: expected a list of 1 to {MAX_NODES}, but it is "
            f"{_brief(nodes)}"
        )
    read = tuple([_node(node, role, index, inputs + index) for index, node in enumerate(nodes)])
    if (edges := sum([len(pairs) for pairs, _ in read])) > MAX_EDGES:
        raise GenotypeError(f"the {role} cell has {edges:,} edges; a cell has at most {MAX_EDGES}")
    outputs = _outputs(fields["outputs"], role, inputs + len(read)) if "outputs" in fields else None
    return ReadCell(read, outputs, inputs)


def _node(record: object, role: str, index: int, states: int) -> tuple[Pairs, Combine]:
    if (
        not isinstance(record, dict)
        or len(record) != 2
        or "edges" not in record
        or "combine" not in record
    ):
        _object(record, f"node {index} of the {role} cell", ("edges", "combine"), ())
        raise AssertionError("the fields were checked")
    combine, edges = record["combine"], record["edges"]
    if combine not in COMBINES:
        raise GenotypeError(
            f"node {index} of the {role} cell combines by {_brief(combine)}; expected 'add' or "
            "'concat'"
        )
    if not isinstance(edges, list) or not 1 <= len(edges) <= MAX_EDGES:
        raise GenotypeError(
            f"edges of node {index} of the {role} cell: expected a list of 1 to {MAX_EDGES}, but "
            f"it is {_brief(edges)}"
        )
    for edge in edges:
        _check_edge(edge, role, index, states)
    return tuple([(edge[0], edge[1]) for edge in edges]), combine


def _check_edge(edge: object, role: str, index: int, states: int) -> None:
    if not isinstance(edge, list) or len(edge) != 2:
        raise GenotypeError(
            f"an edge of node {index} of the {role} cell is {_brief(edge)}; expected [state, op], "
            "as in [0, 'sep_3x3']"
        )
    source, op = edge
    if type(source) is not int or not 0 <= source < states:
        raise GenotypeError(
            f"node {index} of the {role} cell reads state {_brief(source)}; it can read only "
            f"states 0 to {states - 1}, which come before it"
        )
    if not isinstance(op, str):
        raise GenotypeError(
            f"node {index} of the {role} cell has the op {_brief(op)}; expected a name, as "
            "'sep_3x3'"
        )
    if op not in OP_NAMES:
        check_op(op, f"node {index} of the {role} cell: ")


def _outputs(record: object, role: str, states: int) -> tuple[int, ...]:
    if not isinstance(record, list) or not 1 <= len(record) <= states:
        raise GenotypeError(
            f"outputs of the {role} cell: expected a list of 1 to {states} states, but it is "
            f"{_brief(record)}; "
            "leave it out for all loose ends"
        )
    for state in record:
        if type(state) is not int or not 0 <= state < states:
            raise GenotypeError(
                f"outputs of the {role} cell name state {_brief(state)}; there are states 0 to "
                f"{states - 1}"
            )
    if len(set(record)) < len(record):
        raise GenotypeError(
            f"outputs of the {role} cell are {shortened(record)}; name each state once"
        )
    return tuple(record)


def _choices(record: object) -> dict[str, int | str]:
    if not isinstance(record, dict) or not 1 <= len(record) <= MAX_CHOICES:
        raise GenotypeError(
            f"choices: expected an object of 1 to {MAX_CHOICES:,} decisions and answers, but it "
            f"is {_brief(record)}"
        )
    for name, choice in record.items():
        _name(name, "a decision of choices")
        if type(choice) is str:
            _name(choice, f"the choice of {shortened(name)}")
        elif type(choice) is not int or abs(choice) > _SAFE_INTEGER:
            raise GenotypeError(
                f"the choice of {shortened(name)} is {_brief(choice)}; expected an integer or a "
                "text"
            )
    return dict(record)


def _settings(record: object) -> dict[str, Setting]:
    from search_spaces.cells.skeleton import check_setting  # few genotypes have any

    if not isinstance(record, dict) or not 1 <= len(record) <= MAX_SETTINGS:
        raise GenotypeError(
            f"settings: expected an object of 1 to {MAX_SETTINGS} settings, but it is "
            f"{_brief(record)}"
        )
    for name, value in record.items():
        check_setting(name)
        if isinstance(value, str):
            _name(value, f"setting {name}")
        elif not isinstance(value, (int, float)) or not abs(value) <= _SAFE_INTEGER:
            raise GenotypeError(
                f"setting {name} is {_brief(value)}; expected a number, a text, true or false"
            )
    return dict(record)


def _object(
    record: object, what: str, needed: Collection[str], allowed: Collection[str]
) -> dict[str, Any]:
    """The record as an object that has the needed fields and no unknown ones."""
    if not isinstance(record, dict):
        raise GenotypeError(
            f"{what} is {_brief(record)}; expected an object with {_listed(needed)}"
        )
    missing = [name for name in needed if name not in record]
    strange = [name for name in record if name not in needed and name not in allowed]
    if strange:
        close = get_close_matches(str(strange[0])[:100], [*needed, *allowed], n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise GenotypeError(
            f"{what} has an unknown field {shortened(strange[0])}; there are "
            f"{_listed([*needed, *allowed])}{hint}"
        )
    if missing:
        raise GenotypeError(
            f"{what} has no {missing[0]!r}; expected an object with {_listed(needed)}"
        )
    return record


@lru_cache(maxsize=256)
def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME and text.isprintable()


def _name(value: object, what: str) -> str:
    if not isinstance(value, str) or not _is_name(value):
        raise GenotypeError(
            f"{what} is {_brief(value)}; expected a printable text of 1 to {MAX_NAME} characters"
        )
    return value


def _listed(names: Collection[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _brief(value: object) -> str:
    """How a value of any size and depth is quoted."""
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case list():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {len(value)}"
        case "":
            return "an empty text"
        case str():
            return shortened(value[:100])
        case int() if abs(value) > _SAFE_INTEGER:
            return f"a number of {value.bit_length()} bits"
    return shortened(value)
