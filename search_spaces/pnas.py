"""The space of PNAS (Liu et al. 2018): one cell for both roles, blocks that add, eight
operations."""

from __future__ import annotations

from typing import ClassVar, final

from search_spaces.cells.blocks import BlockSpace


@final
class PnasSpace(BlockSpace):
    """One cell of blocks that add, over eight operations; with stride it is the reduction cell too.

    The published cell `pnasnet-5` lists a state among its outputs that another block reads, which
    the paper's own space cannot draw; it is no member.

    Args:
        blocks: how many blocks the cell has.
    """

    name: ClassVar[str] = "pnas"

    def __init__(self, *, blocks: int = 5) -> None:
        ops = (
            *("sep_3x3", "sep_5x5", "sep_7x7", "conv_1x7_7x1"),
            *("identity", "avg_3x3", "max_3x3", "dil_3x3"),
        )
        super().__init__(blocks=blocks, ops=ops, combines=("add",), drawn=("normal",))
