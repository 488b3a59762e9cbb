"""The space in which AmoebaNet was evolved (Real et al. 2019): as NASNet's, blocks that add, eight
operations."""

from __future__ import annotations

from typing import ClassVar, final

from search_spaces.cells.blocks import BlockSpace


@final
class AmoebanetSpace(BlockSpace):
    """Two cells of blocks that add, over eight operations.

    The published AmoebaNet cells list outputs by hand (an input among them), as their code has it;
    they are no members.

    Args:
        blocks: how many blocks a cell has.
    """

    name: ClassVar[str] = "amoebanet"

    def __init__(self, *, blocks: int = 5) -> None:
        ops = (
            *("identity", "sep_3x3", "sep_5x5", "sep_7x7"),
            *("avg_3x3", "max_3x3", "dil_3x3", "conv_1x7_7x1"),
        )
        super().__init__(blocks=blocks, ops=ops, combines=("add",))
