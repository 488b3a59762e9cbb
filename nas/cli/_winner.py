"""What follows a search: the winner's files, and how to run them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nas.cli._exporting import onnx_command

if TYPE_CHECKING:
    from nas.exporting.winner import Winner
    from nas.search.plan import Plan
    from nas.search.run import OpenSearch


def refuse_without_weights(plan: Plan, formats: list[str]) -> None:
    """Formats were asked for of a search that trains nothing: said before it begins."""
    from nas.errors import SettingsError

    if getattr(plan.evaluator.factory, "cheap", False):
        raise SettingsError(
            f"--to {','.join(formats)} exports trained weights, and evaluator "
            f"{plan.evaluator.name!r} trains none: "
            "leave it out, and export the winner untrained with `nas export`"
        )


def winner_of(search: OpenSearch, formats: list[str] | None, *, quiet: bool) -> Winner | None:
    """Export the winner of a finished search where its network was trained and its weights were
    kept."""
    best = search.study.ledger.best
    if best is None or formats == [] or search.evaluator.cheap or not best.trial.genotype.cells:
        return None
    from nas.exporting.winner import export_winner, kept_weights, quick_formats

    if not kept_weights(search.study.folder, best.trial.number):
        if formats and not quiet:
            print("the winner is not exported: its weights were not kept", file=sys.stderr)
        return None
    formats = formats or list(quick_formats())
    if not quiet:
        sys.stdout.flush()
        print(f"exporting the winner: {', '.join(formats)}", file=sys.stderr)
    return export_winner(search.study.folder, formats)


def winner_told(winner: Winner | None) -> Iterator[str]:
    """Where the files lie and how they are run; what failed, in a line with the command to try
    again."""
    if winner is None:
        return
    if winner.files:
        names = ", ".join(file.name for file in winner.files)
        yield f"exported and verified: {winner.folder} ({names})"
        if winner.folder / "model.py" in winner.files:
            yield (
                f"run it anywhere with torch: python {shlex.quote(str(winner.folder / 'model.py'))}"
            )
        if winner.folder / "model.onnx" in winner.files:
            yield f"run it anywhere with onnxruntime: {onnx_command(winner.folder / 'model.onnx')}"
    if winner.problem is not None:
        what = "not every format could be" if winner.files else "the winner could not be"
        yield f"{what} exported ({winner.problem}); try again: {winner.again}"
