"""What retrain and transfer share at the command line: words, and how results are told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self, final

from nas.cli._verb import SignOfLife, duration, durations, nas_here
from nas.errors import counted, shell_word

if TYPE_CHECKING:
    from nas.exporting.export import Exported
    from nas.full_size.outlook import Leg
    from nas.full_size.retrain import Retrained
    from nas.full_size.transfer import Transferred


_TAKE_WEIGHTS = "nas export, predict, profile and transfer"
_RECENT = 20  # epochs whose mean says how long others take


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
    if result.front:
        yield from _front_told(result, folder)
        return
    first = result.entrants[0].choice.title
    yield (
        f"test split, read once, for {first}: top-1 "
        f"{percent([test.top_1 for test in result.tests])}"
    )
    yield f"learning curves: {result.entrants[0].folder / 'curves.svg'}"
    yield f"weights: {result.entrants[0].best.file}"
    if result.exported is not None:
        yield from _exported_told(result.exported)
        network = shell_word(str(result.exported.folder))
        yield f"take it to larger data: {nas_here()} transfer {network} --dataset image-folder:DIR"
    yield f"everything: {folder}"


def _front_told(result: Retrained, folder: Path) -> Iterator[str]:
    """What the test split says of each, and which of them are a front of it."""
    for row in result.front:
        shares = percent([test.top_1 for test in row.tests])
        mark = "on the front of it" if row.on_front else "another is better for no more"
        title, macs = row.entrant.choice.title, f"{row.macs:,} multiply-adds"
        yield f"  {title}: test top-1 {shares}, {macs}, {mark}"
    yield "the test split was read once for each; nothing was chosen by it"
    yield f"the front of test accuracy: {folder / 'front.svg'}"
    yield f"everything: {folder}"


def _exported_told(exported: Exported) -> Iterator[str]:
    from nas.cli._exporting import how_to_run

    yield f"exported and verified: {exported.folder}"
    yield from how_to_run([file for part in exported.files.values() for file in part])


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


@final
class Epochs:
    """What is said before a training and while it runs, on the error stream: data, network,
    estimate; a line an epoch; a sign of life within long ones."""

    def __init__(self, legs: Sequence[Leg], *, quiet: bool) -> None:
        self._legs = legs
        self._quiet = quiet
        self._left = sum(leg.epochs for leg in legs)
        self._seconds: list[float] = []
        self._now = "the first epoch"
        self._sign = SignOfLife(lambda seconds: f"{self._now} has run for {duration(seconds)}")

    def __enter__(self) -> Self:
        if not self._quiet:
            self._begin()
            self._sign.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._quiet:
            self._sign.__exit__()

    def show(self, name: str, seed: int, epoch: int, metrics: Mapping[str, float]) -> None:
        """An epoch has ended."""
        self._left -= 1
        self._seconds = [*self._seconds, metrics.get("seconds", 0.0)][-_RECENT:]
        self._now = f"{name}, seed {seed}, the epoch after {epoch}"
        if not self._left:
            self._now = "what follows the last epoch: judging on the test split, and the export,"
        self._sign.hear()
        if self._quiet:
            return
        shown = f"loss {metrics['train_loss']:.4f}, validation {metrics['val_accuracy']:.4f}"
        left = self._left * sum(self._seconds) / len(self._seconds)
        remaining = f", {duration(left)} left" if left and self._here else ""
        print(f"{name}, seed {seed}, epoch {epoch}: {shown}{remaining}", file=sys.stderr)

    @property
    def _here(self) -> bool:
        from nas.full_size.trainings import Here

        return all(isinstance(leg.setting.place, Here) for leg in self._legs)

    def _begin(self) -> None:
        from nas.full_size.outlook import outlook_of, seconds_of

        for word, text in outlook_of(self._legs):
            print(f"{word:>8}: {text}", file=sys.stderr, flush=True)
        seconds = seconds_of(self._legs)
        if seconds is None:
            return
        epochs = sum(leg.left for leg in self._legs)
        each = durations(seconds[0] / epochs, seconds[1] / epochs)
        every = f", all {epochs:,} that are left {durations(*seconds)}" if epochs > 1 else ""
        print(f"estimate: an epoch takes {each}{every}", file=sys.stderr, flush=True)


def transfer_told(result: Transferred, folder: Path) -> Iterator[str]:
    """A row per arm, and where everything lies."""
    from nas.cli._portraits import table
    from nas.full_size.report import accuracies_shown

    shown = {"params": "params", "macs": "macs"}
    accuracies = accuracies_shown(result.classes)
    yield from table(
        [
            {
                "arm": row.name,
                **{name: getattr(row, field) for name, field in shown.items()},
                **{name: row.percent(kind) for kind, name in accuracies.items()},
            }
            for row in result.rows
        ]
    )
    yield f"report: {result.report}"
    yield f"weights, for --weights of {_TAKE_WEIGHTS}: {result.weights}"
    if result.exported is not None:
        yield from _exported_told(result.exported)
        yield f"try it: {nas_here()} predict {shell_word(str(result.exported.folder))} PICTURE"
    yield f"everything: {folder}"
