"""How tracking is asked for: `nas track`, and `--track` as a process beside a verb, so that nothing
it waits for is waited for here."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.errors import StudyError, shell_word

if TYPE_CHECKING:
    from nas.search.tracking.following import Follower, Tally
    from nas.search.tracking.runs import Followed, Tracker
    from nas.settings import Part

Track = Annotated[
    str | None,
    typer.Option(
        metavar="TRACKER",
        help="Show it meanwhile in tensorboard[:FOLDER], mlflow[:URI] or wandb[:PROJECT].",
    ),
]


@contextmanager
def tracked(folder: Path, to: str | None, *, trust: bool = False) -> Iterator[None]:
    """Follow what a verb writes into this folder, from a process of its own; it ends when all is
    told."""
    if to is None:
        yield
        return
    _tracker(to, None)()  # what is lacking is said before anything begins
    words = ["track", str(folder), "--to", to, "--until-told", *["--trust"] * trust]
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", *words],
        stdin=subprocess.PIPE,
        stdout=sys.stderr.fileno() if _is_a_file(sys.stderr) else subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the verb; then this tells what is left
    )
    try:
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        if process.wait() and folder.exists():
            again = f"nas track {shell_word(str(folder))} --to {shell_word(to)}"
            print(f"tracking: not all is shown; catch up with `{again}`", file=sys.stderr)


def follower_of(
    folder: Path, to: str, settings: Sequence[str] | None, *, trust: bool, must_exist: bool
) -> Follower:
    """Who tells this tracker what happens in this folder."""
    from nas.registry import load, name_of
    from nas.search.tracking.following import Follower

    make = _tracker(to, settings)
    if must_exist and not _sources(folder, trust=trust):
        raise StudyError(
            f"{folder} holds no study, comparison, retraining or transfer: give the folder of one"
        )
    mark = name_of("tracker", load("tracker", to)).replace(":", "-")

    def say(text: str) -> None:
        print(f"tracking: {text}", file=sys.stderr, flush=True)

    return Follower(lambda: _sources(folder, trust=trust), make, mark, say)


def more_until(*, follow: bool, until_told: bool) -> Callable[[], bool]:
    """Whether there may be more: for ever, until our input is closed, or no more than there is."""
    if until_told:
        return lambda: not select.select([sys.stdin], [], [], 0)[0]
    return lambda: follow


def shown(told: Tally) -> dict[str, Any]:
    """As JSON."""
    return asdict(told)


def _tracker(to: str, settings: Sequence[str] | None) -> Callable[[], Tracker]:
    from nas.settings import Part, assignments

    part = Part.named("tracker", to, assignments(settings or []).get("tracker", {}))
    return lambda: _made(part)


def _made(part: Part) -> Tracker:
    tracker: Tracker = part.factory(**part.checked(part.options))
    return tracker


def _sources(folder: Path, *, trust: bool) -> Sequence[Followed]:
    from nas.search.tracking.of_study import study_sources

    found = study_sources(folder, trust=trust)
    if found:
        return found
    is_training = any((folder / name).is_file() for name in ("retrain.json", "transfer.json"))
    if not is_training:  # then torch is not loaded
        return []
    from nas.full_size.trackable import training_sources

    return training_sources(folder)


def _is_a_file(stream: Any) -> bool:
    try:
        return isinstance(stream.fileno(), int)
    except (AttributeError, OSError, ValueError):
        return False
