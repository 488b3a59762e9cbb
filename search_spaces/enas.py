"""The micro space of ENAS (Pham et al. 2018): two cells of blocks that add, five operations."""

from __future__ import annotations

from typing import ClassVar, final

from search_spaces.cells.blocks import BlockSpace


@final
class EnasSpace(BlockSpace):
    """As `nasnet`, with the five operations of ENAS, always added; the published cell `enas` is a
    member.

    Args:
        blocks: how many blocks a cell has.
    """

    name: ClassVar[str] = "enas"

    def __init__(self, *, blocks: int = 5) -> None:
        ops = ("identity", "sep_3x3", "sep_5x5", "avg_3x3", "max_3x3")
        super().__init__(blocks=blocks, ops=ops, combines=("add",))
