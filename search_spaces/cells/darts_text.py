"""The way DARTS writes a genotype: `Genotype(normal=[('sep_conv_3x3', 1), ...],
normal_concat=range(2, 6), ...)`.

The text is parsed, never evaluated: only the shapes that such a text has are looked for in its
syntax tree.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

from search_spaces.cells import SCHEMA
from search_spaces.cells.genotype import Cell, Genotype, Node
from search_spaces.cells.json_form import MAX_NODES
from search_spaces.errors import GenotypeError, known_names, shortened

DARTS_OPS = ("none", "max_3x3", "avg_3x3", "identity", "sep_3x3", "sep_5x5", "dil_3x3", "dil_5x5")
OPS_BY_DARTS_NAME = {
    "none": "none",
    "skip_connect": "identity",
    "conv_3x1_1x3": "conv_1x3_3x1",
    "conv_7x1_1x7": "conv_1x7_7x1",
    "dil_conv_3x3": "dil_3x3",
    "dil_conv_5x5": "dil_5x5",
    "avg_pool_3x3": "avg_3x3",
    "max_pool_3x3": "max_3x3",
    "max_pool_5x5": "max_5x5",
    "max_pool_7x7": "max_7x7",
    "conv_1x1": "conv_1x1",
    "conv_3x3": "conv_3x3",
    "sep_conv_3x3": "sep_3x3",
    "sep_conv_5x5": "sep_5x5",
    "sep_conv_7x7": "sep_7x7",
}

_DARTS_NAMES = {ours: theirs for theirs, ours in OPS_BY_DARTS_NAME.items()}
_FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
_ROLES = {"normal": "normal", "reduce": "reduction"}
_MAX_CHARACTERS = 20_000
_CHARACTERS = re.compile(r"[A-Za-z0-9_\s()\[\],='\".]*")
_MAX_BEGINNING = 200
_BEGINNING = re.compile(r"(?:[A-Za-z_]\w*\s*=\s*)?(?:\w+\.)?Genotype\s*\(")


def is_darts_text(text: str) -> bool:
    """Whether a text means to be a DARTS genotype; `NAME = Genotype(...)` as in a Python file is
    one too."""
    return _BEGINNING.match(text.lstrip()[:_MAX_BEGINNING]) is not None


def from_darts_text(text: str) -> Genotype:
    """The genotype of a DARTS text: of space `darts` where its four nodes and operations fit, else
    of `nasnet`."""
    fields = _fields(_call(text))
    cells = {
        role: _cell(fields[name], fields[f"{name}_concat"], name) for name, role in _ROLES.items()
    }
    ops = {edge[1] for cell in cells.values() for node in cell["nodes"] for edge in node["edges"]}
    fits = ops <= set(DARTS_OPS) and all(
        len(cell["nodes"]) == 4 and sorted(cell["outputs"]) == [2, 3, 4, 5]
        for cell in cells.values()
    )
    return Genotype.from_dict(
        {"schema": SCHEMA, "space": "darts" if fits else "nasnet", "cells": cells}
    )


def to_darts_text(genotype: Genotype) -> str:
    """The genotype in the words of DARTS; refuses in one sentence what these cannot say."""
    if set(genotype.cells) != set(_ROLES.values()):
        found = ", ".join(genotype.cells) or "none"
        raise GenotypeError(
            f"DARTS text has a normal and a reduction cell; this genotype has {found}"
        )
    cells = {name: genotype.cells[role] for name, role in _ROLES.items()}
    parts = [
        f"{name}={_pairs_text(cell, name)}, {name}_concat={_concat_text(cell, name)}"
        for name, cell in cells.items()
    ]
    return f"Genotype({', '.join(parts)})"


def _call(text: str) -> ast.Call:
    if len(text) > _MAX_CHARACTERS:
        raise GenotypeError(
            f"a DARTS genotype has at most {_MAX_CHARACTERS:,} characters, but this has "
            f"{len(text):,}"
        )
    if _CHARACTERS.fullmatch(text) is None:
        position = _CHARACTERS.match(text).end()  # type: ignore[union-attr]
        raise GenotypeError(
            f"a DARTS genotype holds no {text[position]!r}, but this does at character "
            f"{position + 1}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise GenotypeError(
            f"{shortened(text)} is not a DARTS genotype: it is not balanced or not complete"
        ) from None
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr | ast.Assign) else None
    if not isinstance(call, ast.Call):
        raise GenotypeError(
            f"{shortened(text)} is not a DARTS genotype; expected one Genotype(normal=[...], ...)"
        )
    return call


def _fields(call: ast.Call) -> dict[str, ast.expr]:
    if len(call.args) > len(_FIELDS):
        raise GenotypeError(
            f"a DARTS genotype has four fields, {', '.join(_FIELDS)}; this one has {len(call.args)}"
        )
    fields = dict(zip(_FIELDS, call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg not in _FIELDS:
            raise GenotypeError(f"DARTS genotype: {known_names(keyword.arg, _FIELDS, 'field')}")
        if keyword.arg in fields:
            raise GenotypeError(f"the DARTS genotype gives {keyword.arg!r} twice; keep one")
        fields[keyword.arg] = keyword.value
    missing = [name for name in _FIELDS if name not in fields]
    if missing:
        raise GenotypeError(
            f"the DARTS genotype has no {missing[0]!r}; expected {', '.join(_FIELDS)}"
        )
    return fields


def _cell(edges: ast.expr, concat: ast.expr, name: str) -> dict[str, Any]:
    if not isinstance(edges, ast.List | ast.Tuple) or len(edges.elts) % 2 or not edges.elts:
        raise GenotypeError(
            f"{name} of a DARTS genotype: expected a list of (op, state) pairs, two for each node"
        )
    pairs = [_edge(edge, name) for edge in edges.elts]
    nodes = [
        {"edges": [one, two], "combine": "add"}
        for one, two in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    return {"nodes": nodes, "outputs": _states(concat, f"{name}_concat")}


def _edge(edge: ast.expr, name: str) -> list[int | str]:
    match edge:
        case ast.Tuple(elts=[ast.Constant(value=str(op)), ast.Constant(value=int(source))]):
            if op not in OPS_BY_DARTS_NAME:
                raise GenotypeError(
                    f"{name} of a DARTS genotype: {known_names(op, OPS_BY_DARTS_NAME, 'op')}"
                )
            return [source, OPS_BY_DARTS_NAME[op]]
    raise GenotypeError(f"{name} of a DARTS genotype: expected pairs such as ('sep_conv_3x3', 1)")


def _states(concat: ast.expr, name: str) -> list[int]:
    match concat:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_integer(element, name) for element in elements]
        case ast.Call(func=ast.Name(id="range"), args=[first, last], keywords=[]):
            return _counted(_integer(first, name), _integer(last, name), name)
        case ast.Call(func=ast.Name(id="range"), args=[last], keywords=[]):
            return _counted(0, _integer(last, name), name)
    raise GenotypeError(
        f"{name} of a DARTS genotype: expected range(2, 6) or a list of states such as [2, 3, 4, 5]"
    )


def _counted(first: int, last: int, name: str) -> list[int]:
    if not first < last <= MAX_NODES + 2:
        raise GenotypeError(
            f"{name} of a DARTS genotype is a range from {shortened(first)} to {shortened(last)}; "
            f"expected one within 0 to {MAX_NODES + 2} that is not empty"
        )
    return list(range(first, last))


def _integer(element: ast.expr, name: str) -> int:
    match element:
        case ast.Constant(value=int(state)) if type(state) is int:
            return state
    raise GenotypeError(f"{name} of a DARTS genotype: expected states, which are integers")


def _two_edges(node: Node, name: str) -> tuple[Any, ...]:
    if len(node.edges) != 2 or node.combine != "add":
        raise GenotypeError(
            "DARTS text has two edges to each node, which are added; a node of the "
            f"{_ROLES[name]} cell has "
            f"{len(node.edges)}, combined by {node.combine}"
        )
    return node.edges


def _pair(op: str, source: int) -> tuple[str, int]:
    if op not in _DARTS_NAMES:
        raise GenotypeError(f"DARTS text: {known_names(op, _DARTS_NAMES, 'op')}")
    return _DARTS_NAMES[op], source


def _pairs_text(cell: Cell, name: str) -> str:
    edges = (edge for node in cell.nodes for edge in _two_edges(node, name))
    return str([_pair(edge.op, edge.source) for edge in edges])


def _concat_text(cell: Cell, name: str) -> str:
    if cell.inputs != 2:
        raise GenotypeError(
            f"DARTS text has cells of two inputs; the {_ROLES[name]} cell has {cell.inputs}"
        )
    states = cell.output_states
    first, last = states[0], states[-1] + 1
    return f"range({first}, {last})" if states == tuple(range(first, last)) else str(list(states))
