"""The way NAS-Bench-201 writes an architecture:
`|nor_conv_3x3~0|+|none~0|skip_connect~1|+|...|`."""

from __future__ import annotations

import re

from search_spaces.cells import SCHEMA
from search_spaces.cells.genotype import Genotype
from search_spaces.errors import GenotypeError, known_names, shortened

OPS_BY_NASBENCH201_NAME = {
    "none": "none",
    "skip_connect": "identity",
    "nor_conv_1x1": "conv_1x1",
    "nor_conv_3x3": "conv_3x3",
    "avg_pool_3x3": "avg_3x3",
}

_NAMES = {ours: theirs for theirs, ours in OPS_BY_NASBENCH201_NAME.items()}
_NODES = 3
_EXAMPLE = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
_EDGE = re.compile(r"([A-Za-z0-9_]{1,40})~([0-9]{1,3})")
_MAX_CHARACTERS = 1_000


def is_nasbench201_text(text: str) -> bool:
    """Whether a text means to be an architecture of NAS-Bench-201."""
    return text.lstrip().startswith("|")


def from_nasbench201_text(text: str) -> Genotype:
    """The genotype of an architecture string."""
    if len(text) > _MAX_CHARACTERS:
        raise GenotypeError(
            f"a NAS-Bench-201 string has about 100 characters, as in {_EXAMPLE}; this has "
            f"{len(text):,}"
        )
    parts = text.strip().split("+")
    if len(parts) != _NODES:
        raise GenotypeError(
            f"{shortened(text)} has {len(parts)} nodes; a NAS-Bench-201 string has 3, as in "
            f"{_EXAMPLE}"
        )
    nodes = [{"edges": _edges(part, index), "combine": "add"} for index, part in enumerate(parts)]
    return Genotype.from_dict(
        {
            "schema": SCHEMA,
            "space": "nasbench201",
            "cells": {"normal": {"nodes": nodes, "inputs": 1}},
        }
    )


def _edges(part: str, index: int) -> list[list[int | str]]:
    found = [_EDGE.fullmatch(word) for word in part.strip("|").split("|")]
    if not (len(part) > 1 and part.startswith("|") and part.endswith("|")) or None in found:
        raise GenotypeError(
            f"{shortened(part)} is no node of a NAS-Bench-201 string; expected edges as in "
            f"{_EXAMPLE}"
        )
    edges = [(match[1], int(match[2])) for match in found if match]
    for op, _ in edges:
        if op not in OPS_BY_NASBENCH201_NAME:
            raise GenotypeError(f"NAS-Bench-201: {known_names(op, OPS_BY_NASBENCH201_NAME, 'op')}")
    if [source for _, source in edges] != list(range(index + 1)):
        raise GenotypeError(
            f"node {index} of the NAS-Bench-201 string reads states "
            f"{', '.join(str(source) for _, source in edges)}; "
            f"expected 0 to {index}, in this order"
        )
    return [[source, OPS_BY_NASBENCH201_NAME[op]] for op, source in edges]


def to_nasbench201_string(genotype: Genotype) -> str:
    """The architecture string; refuses in one sentence what it cannot say. A missing edge is
    written as `none`."""
    cell = genotype.cells.get("normal")
    if (
        cell is None
        or set(genotype.cells) != {"normal"}
        or cell.inputs != 1
        or len(cell.nodes) != _NODES
    ):
        raise GenotypeError(
            "a NAS-Bench-201 string is of one normal cell with one input and three nodes; this "
            "genotype is another"
        )
    if cell.outputs not in (None, (_NODES,)):
        raise GenotypeError(
            f"a NAS-Bench-201 cell puts out its last state, not {shortened(cell.outputs)}"
        )
    return "+".join(
        _node_text([(edge.source, edge.op) for edge in node.edges], index, node.combine)
        for index, node in enumerate(cell.nodes)
    )


def _node_text(edges: list[tuple[int, str]], index: int, combine: str) -> str:
    ops = dict(edges)
    if len(ops) < len(edges) or combine != "add":
        raise GenotypeError(
            f"in a NAS-Bench-201 string a node adds one edge from each state; node {index} "
            "concatenates or has several"
        )
    for op in ops.values():
        if op not in _NAMES:
            raise GenotypeError(f"NAS-Bench-201: {known_names(op, _NAMES, 'op')}")
    return "|" + "".join(
        f"{_NAMES[ops.get(source, 'none')]}~{source}|" for source in range(index + 1)
    )
