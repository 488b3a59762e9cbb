"""What every operation promises, whatever file line it stands on."""

from __future__ import annotations

import pytest

from nas.testing.op_promises import OP_PROMISES, SEMANTICS
from nas.testing.promises import Promise
from search_spaces.cells.genotype import NASNET_OPS, OP_NAMES
from search_spaces.cells.ops import op_names


def test_the_names_are_read_from_the_source_as_they_are_registered() -> None:
    assert op_names()[: len(OP_NAMES)] == OP_NAMES
    assert set(NASNET_OPS) < set(OP_NAMES)


@pytest.mark.parametrize("semantics", SEMANTICS)
@pytest.mark.parametrize("name", op_names())
@pytest.mark.parametrize("promise", OP_PROMISES, ids=lambda promise: promise.__name__)
def test_every_op(promise: Promise, name: str, semantics: str) -> None:
    promise((name, semantics))
