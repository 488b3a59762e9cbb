"""What retrain and transfer share at the command line: words, and how results are told."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from nas.errors import counted, shell_word

if TYPE_CHECKING:
    from nas.full_size.retrain import Retrained
    from nas.full_size.transfer import Transferred

INTERRUPTED = 3


def notices(as_json: bool) -> Callable[[str], None]:
    """Where a place says what is about to happen."""
    return lambda text: None if as_json else print(f"trainings: {text}", file=sys.stderr)


def percent(values: Sequence[float]) -> str:
    """Mean and deviation of shares, as per cent."""
    from nas.full_size.retrain import spread

    found = spread("x", values)
    deviation = found["x_sd"]
    return f"{100 * (found['x_mean'] or 0):.2f} %" + (
        f" ± {100 * deviation:.2f}" if deviation is not None else ""
    )


def results_told(result: Retrained, folder: Path) -> Iterator[str]:
    """The ranking, the test accuracy of the first, and where everything lies."""
    for rank, entrant in enumerate(result.entrants, start=1):
        shares = [run.val_accuracy for run in entrant.runs]
        seeds = counted(len(shares), "seed")
        yield f"{rank:>3}. {entrant.choice.title}: validation {percent(shares)} ({seeds})"
    first = result.entrants[0].choice.title
    yield (
        f"test split, read once, for {first}: top-1 "
        f"{percent([test.top_1 for test in result.tests])}"
    )
    yield f"learning curves: {result.entrants[0].folder / 'curves.svg'}"
    yield f"weights: {result.entrants[0].best.file}"
    if result.exported is not None:
        yield f"exported and verified: {result.exported.folder}"
        network = shell_word(str(result.exported.folder))
        yield f"take it to larger data: nas transfer {network} --dataset image-folder:DIR"
    yield f"everything: {folder}"


def print_transferred(result: Transferred, folder: Path, mode: str, *, as_json: bool) -> None:
    """What came of a transfer."""
    if not as_json:
        print("\n".join(transfer_told(result, folder)))
        return
    facts = {
        "folder": str(folder),
        "mode": mode,
        "arms": [row.to_dict() for row in result.rows],
        "weights": str(result.weights),
    }
    print(json.dumps(facts))


def shown_epoch(
    name: str, seed: int, epoch: int, metrics: Mapping[str, float], *, quiet: bool
) -> None:
    """A line an epoch, on the error stream."""
    if not quiet:
        shown = f"loss {metrics['train_loss']:.4f}, validation {metrics['val_accuracy']:.4f}"
        print(f"{name}, seed {seed}, epoch {epoch}: {shown}", file=sys.stderr)


@contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C and SIGTERM end a training at once, with a line that says how it goes on; exit code
    3."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        print("stopped; the same command continues from the last checkpoint", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, old)


def transfer_told(result: Transferred, folder: Path) -> Iterator[str]:
    """A row per arm, and where everything lies."""
    from nas.cli._portraits import table

    shown = {"params": "params", "macs": "macs"}
    yield from table(
        [
            {
                "arm": row.name,
                **{name: getattr(row, field) for name, field in shown.items()},
                "validation %": row.percent("validation"),
                "test top-1 %": row.percent("top_1"),
                "test top-5 %": row.percent("top_5"),
            }
            for row in result.rows
        ]
    )
    yield f"report: {result.report}"
    yield f"weights, for --weights of every command: {result.weights}"
    if result.exported is not None:
        yield f"exported and verified: {result.exported.folder}"
        yield f"try it: nas predict {shell_word(str(result.exported.folder))} PICTURE"
    yield f"everything: {folder}"
