"""Following: what is new in a log goes to a tracker; what the tracker has is not sent again."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, final

from nas.search.tracking.runs import Followed, Point, Run, Tracker, Unreachable

SECONDS_BETWEEN_LOOKS: Final = 1.0
_SECONDS_AFTER_TROUBLE: Final = 15.0
_AT_ONCE = 500  # points


@dataclass(slots=True)
class Tally:
    """What following came to."""

    runs: int = 0  # that were new to the tracker
    studies: int = 0
    where: str = ""


@final
class Follower:
    """Follows everything below a folder with trackers of its own, one a study.

    Args:
        sources: what there is by now; asked at every look, for a comparison makes its studies
            one after another.
        say: hears a line for people, of trouble once.
    """

    def __init__(
        self,
        sources: Callable[[], Sequence[Followed]],
        tracker: Callable[[], Tracker],
        mark: str,
        say: Callable[[str], None],
    ) -> None:
        self.told = Tally()
        self.trouble: str | None = None
        self._sources, self._tracker, self._mark, self._say = sources, tracker, mark, say
        self._entries: dict[Path, _Entry] = {}
        self._wait_until = 0.0

    def follow(self, more: Callable[[], bool]) -> None:
        """Look again and again until there can be no more, and a last time then."""
        is_last = False
        while not is_last:
            is_last = not more()
            if is_last or time.monotonic() >= self._wait_until:
                self.look()
            if not is_last:
                time.sleep(SECONDS_BETWEEN_LOOKS)

    def look(self) -> None:
        """Tell all trackers what is new."""
        self.trouble = None
        try:
            for source in self._sources():
                if source.folder not in self._entries:
                    self._entries[source.folder] = _Entry(source, self._tracker())
                entry = self._entries[source.folder]
                entry.catch_up(self._mark, self.told)
                self.told.where = self.told.where or entry.tracker.where()
        except Unreachable as problem:
            self._give_up_for_now(str(problem))
        self.told.studies = len(self._entries)

    def close(self) -> None:
        """Let another process follow."""
        for entry in self._entries.values():
            entry.close()
        self._entries.clear()

    def _give_up_for_now(self, problem: str) -> None:
        """What was half said is asked of the tracker's own store the next time."""
        self.close()
        self.trouble = problem
        if not self._wait_until:
            self._say(f"{problem}; nothing is lost, it is caught up as soon as it answers")
        self._wait_until = time.monotonic() + _SECONDS_AFTER_TROUBLE


@final
class _Entry:
    """One study and its tracker; of two processes that follow a study to one tracker, only one
    tells it."""

    def __init__(self, source: Followed, tracker: Tracker) -> None:
        self.tracker = tracker
        self._source = source
        self._runs: set[str] = set()
        self._steps: dict[str, int] = {}
        self._shown: str | None = None
        self._lock: IO[str] | None = None
        self._is_open = False

    def catch_up(self, mark: str, told: Tally) -> None:
        if not self._is_open and not self._open(mark):
            return
        waiting: list[Point] = []
        for news in self._source.news():
            if isinstance(news, Run):
                if news.name not in self._runs:
                    self.tracker.add(news)
                    told.runs += 1
            elif news.step > self._steps.get(news.name, -1):
                waiting.append(news)
        for start in range(0, len(waiting), _AT_ONCE):
            self.tracker.extend(waiting[start : start + _AT_ONCE])
        self._end()

    def close(self) -> None:
        """Let another process follow."""
        if self._lock is not None:
            self._lock.close()

    def _open(self, mark: str) -> bool:
        whole = self._source.whole()
        if whole is None:
            return False
        self._lock = _alone(self._source.folder, mark)
        seen = self.tracker.open(whole)
        self._runs, self._steps, self._shown = set(seen.runs), dict(seen.steps), seen.mark
        self._is_open = True
        return True

    def _end(self) -> None:
        ending = self._source.ending()
        if ending is not None and ending.mark != self._shown:
            self.tracker.end(ending)
            self._shown = ending.mark


def _alone(folder: Path, mark: str) -> IO[str] | None:
    """The lock of this study and this tracker; None where a study may only be read."""
    try:
        stream = (folder / f".following-{mark}").open("a")
    except OSError:
        return None
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        stream.close()
        raise Unreachable(
            f"another process shows {folder} there just now: it tells what is new"
        ) from problem
    return stream
