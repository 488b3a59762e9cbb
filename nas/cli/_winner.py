"""What follows a search: the winner's files, and how to run them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nas.cli._exporting import onnx_command
from nas.errors import shell_word

if TYPE_CHECKING:
    from nas.exporting.winner import Winner


def winner_told(winner: Winner) -> Iterator[str]:
    """Where the files lie and how they are run; what failed, in a line with the command to try
    again."""
    if winner.files:
        names = ", ".join(file.name for file in winner.files)
        yield f"exported and verified: {winner.folder} ({names})"
        if winner.folder / "model.py" in winner.files:
            yield (
                "run it anywhere with torch and Pillow: python "
                f"{shell_word(str(winner.folder / 'model.py'))} PICTURE"
            )
        if winner.folder / "model.onnx" in winner.files:
            yield f"run it anywhere with onnxruntime: {onnx_command(winner.folder / 'model.onnx')}"
    if winner.problem is not None:
        what = "not every format could be" if winner.files else "the winner could not be"
        yield f"{what} exported ({winner.problem}); try again: {winner.again}"
