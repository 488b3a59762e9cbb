"""How a running comparison looks: a line of progress, signals that stop it gently, and the verdict
at the end."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from nas.cli._tracking import tracked
from nas.cli._verb import INTERRUPTED, drawn, harmless, same_command, stopped_now
from nas.errors import shell_word
from nas.search.comparing.plan import Asked, read_comparison
from nas.search.comparing.request import default_folder
from nas.search.comparing.run import Progress, compare
from nas.study import Budget
from nas.study.events import ENDS

if TYPE_CHECKING:
    from nas.search.confirming import Believer


def compare_and_report(
    asked: Asked,
    budget: Budget | None,
    out: str | None,
    processes: int | None,
    believer: Believer | None,
    *,
    report: bool,
    track: str | None,
    as_json: bool,
    again: Callable[[], str] = same_command,
) -> None:
    """Run a comparison to its end and say what came out; exit code 3 when it was interrupted.

    Args:
        again: says with which command it goes on.
    """
    if report:
        from nas.reports.extras import require_tests

        require_tests()
    folder = Path(out) if out else default_folder(asked)
    shown = _Shown(folder, quiet=as_json)
    progress = Progress(changed=shown.see, trial_ended=shown.see_trial, notice=shown.note)
    trust = asked.arms[0].plan.needs_trust
    with tracked(folder, track, trust=trust), _stopping_gently(progress, again):
        complete = compare(folder, asked, budget, processes, progress, believer)
    shown.end()
    if not complete:
        print(
            f"interrupted: {progress.ended} of {progress.total} studies are done; continue with "
            f"`{again()}`",
            file=sys.stderr,
        )
        if as_json:
            how_far = {"studies": progress.total, "done": progress.ended}
            print(json.dumps({"folder": str(folder), **how_far, "interrupted": True}))
        raise typer.Exit(INTERRUPTED)
    if report:
        from nas.cli.report import report_and_print

        report_and_print([folder], as_json=as_json)
    elif as_json:
        print(json.dumps({"folder": str(folder), "studies": progress.total}))
    else:
        print(f"finished: {progress.total} studies")
    if not as_json:
        lines = [f"  {line}" for line in _next(folder, asked, reported=report)]
        if lines:
            print("next:", *lines, sep="\n")


def _next(folder: Path, asked: Asked, *, reported: bool) -> Iterator[str]:
    """The commands that go on from here: what was found, and the best of it at full size."""
    plan, judge = asked.arms[0].plan, asked.judge
    word, trust = shell_word(str(folder)), " --trust" * judge.needs_trust
    if not reported:
        yield f"nas report {word}"
    if plan.objectives is None:
        yield f"nas best {word} --top 5"
        if not getattr(judge.factory, "cheap", False):
            yield f"nas retrain {word}{trust}"


def continue_and_report(
    folder: Path,
    asked: Mapping[str, Any],
    runner_words: Sequence[str],
    *,
    trust: bool,
    track: str | None,
    as_json: bool,
) -> None:
    """Go on with a comparison as its files say, and say what came out.

    Args:
        runner_words: with which the user named the runner, and whoever follows.
    """
    from nas.cli.search import believer_by
    from nas.search.comparing.resuming import asked_again
    from nas.search.winners import resume_command

    wanted = asked_again(folder, **asked, trust=trust)
    believer = believer_by("score" if wanted.confirm is None else wanted.confirm.by)

    def again() -> str:
        """Without the new limits, once they are written down: `+50` would be added once more."""
        known = (read_comparison(folder) or {}).get("budget") == wanted.budget.to_dict()
        words = [resume_command(folder), *map(shell_word, runner_words)]
        return " ".join(words) if known else same_command()

    compare_and_report(
        wanted,
        wanted.budget,
        str(folder),
        None,
        believer,
        report=True,
        track=track,
        as_json=as_json,
        again=again,
    )


class _Shown:
    """One line on a terminal, rewritten; elsewhere a line now and then."""

    def __init__(self, folder: Path, *, quiet: bool) -> None:
        self._folder = folder
        self._quiet = quiet
        self._live = not quiet and sys.stderr.isatty()
        self._every = 0.2 if self._live else 10.0
        self._began = time.monotonic()
        self._first: int | None = None
        self._shown_at = -self._every
        self._trials = 0
        self._words = ""

    def see(self, progress: Progress) -> None:
        """A study has ended."""
        if self._first is None:
            self._first = progress.ended
        self._words = self._state(progress)
        self._show(last=progress.ended == progress.total)

    def see_trial(self, event: Mapping[str, Any]) -> None:
        """A trial of one of the studies has ended, or a winner cannot be judged."""
        if event["event"] == "notice" and event["about"] == "winner":
            self.note(event["text"])
        if event["event"] in ENDS:
            self._trials += 1
            self._show(last=False)

    def note(self, text: str) -> None:
        """Something to know, on a line of its own."""
        if not self._quiet:
            self._write(text, "\n")

    def end(self) -> None:
        """Leave the line."""
        if self._live:
            print(file=sys.stderr)

    def _state(self, progress: Progress) -> str:
        words = f"{progress.ended:,} of {progress.total:,} studies in {self._folder}"
        new = progress.ended - (self._first or 0)
        if new and progress.ended < progress.total:
            left = (time.monotonic() - self._began) / new * (progress.total - progress.ended)
            words += (
                f" · about {left:,.0f} s left"
                if left < 120
                else f" · about {left / 60:,.0f} min left"
            )
        return words

    def _show(self, *, last: bool) -> None:
        now = time.monotonic()
        if self._quiet or not (last or now - self._shown_at >= self._every):
            return
        self._shown_at = now
        words = self._words + (f" · {self._trials:,} trials" if self._trials else "")
        self._write(words, "" if self._live else "\n")

    def _write(self, words: str, end: str) -> None:
        over = "\r\033[K" if self._live else ""
        print(over + harmless(words), end=end, file=drawn(sys.stderr), flush=True)


@contextmanager
def _stopping_gently(progress: Progress, again: Callable[[], str]) -> Iterator[None]:
    """Ctrl-C or SIGTERM once: end what runs and stop; twice: stop now. Both can be continued."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        if progress.stopping:
            raise KeyboardInterrupt
        progress.stop()
        print("\nstopping after what is running; once more to stop now", file=sys.stderr)

    old = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        raise stopped_now(again()) from None
    finally:
        for name, handler in old.items():
            signal.signal(name, handler)
