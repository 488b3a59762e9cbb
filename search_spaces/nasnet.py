"""The NASNet space: two cells of blocks that combine two operations on two earlier states (Zoph et
al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

from search_spaces.cells.blocks import BlockSpace
from search_spaces.cells.genotype import COMBINES, NASNET_OPS


@final
class NasnetSpace(BlockSpace):
    """Two cells x five blocks x (input, input, op, op, combine) = 50 decisions over the thirteen
    operations.

    Args:
        blocks: how many blocks a cell has.
        ops: the operations to choose from (the thirteen of the paper).
        combines: how a block may put its two halves together.
    """

    name: ClassVar[str] = "nasnet"

    def __init__(
        self,
        *,
        blocks: int = 5,
        ops: Sequence[str] = NASNET_OPS,
        combines: Sequence[str] = COMBINES,
    ) -> None:
        super().__init__(blocks=blocks, ops=ops, combines=combines)
