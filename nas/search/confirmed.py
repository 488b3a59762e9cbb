"""A search whose best were judged again: which study chose its winner, and whether it still counts.

The studies that confirm lie in the folder of their search: `confirm-...` of a search of its own,
`confirm` of one in a comparison, and `confirm-...` too where it went on and had other best ones.
"""

from __future__ import annotations

import math
from pathlib import Path

from nas.search.reading import Ranked, ending_of, events_of, ranked
from nas.study.events import ENDS
from nas.study.store import CONFIRM, LOG
from search_spaces.cells.genotype import Genotype


def confirmation_of(folder: Path) -> Path | None:
    """The study that chose the winner of this search; None where its best were not judged again, or
    not all of them, or others would be the best by now, or none was told a score."""
    newest = confirmation_begun(folder)
    if newest is None:
        return None
    ending = ending_of(newest)
    return newest if ending.finished and ending.winner is not None else None


def confirmation_begun(folder: Path) -> Path | None:
    """The study that judges the best of this search again, done or not; None where there is none,
    or the search found a better one than one of these since."""
    begun = [(_began(path), path) for path in confirmations_in(folder)]
    if not begun:
        return None
    began, newest = max(begun)
    return None if _found_since(folder, began, newest) else newest


def _found_since(folder: Path, began: float, confirmation: Path) -> bool:
    """Whether a trial that ended after that was told a higher score than one that is confirmed."""
    asked = (event for _, event in events_of(confirmation) if event["event"] == "asked")
    confirmed = {event["key"] for event in asked}
    keys: dict[int, str] = {}
    before: dict[str, float] = {}
    since: dict[str, float] = {}
    for _, event in events_of(folder):
        if event["event"] == "asked":
            keys[event["number"]] = event["key"]
        elif event["event"] in ENDS:
            key = keys.pop(event["number"], "")
            if event["event"] == "told":
                told = before if event.get("time", 0.0) <= began else since
                told[key] = max(event["score"], told.get(key, -math.inf))
    lowest = min((before[key] for key in confirmed & before.keys()), default=-math.inf)
    return any(score > lowest for key, score in since.items() if key not in confirmed)


def best_of(folder: Path, top: int) -> list[tuple[Path, Ranked]]:
    """The best of a study, each with the study that judged it: those first that were judged
    again."""
    again = confirmation_of(folder)
    first = [(again, one) for one in ranked(again, top)] if again else []
    if len(first) == top:
        return first
    known = {one.asked["key"] for _, one in first}
    others = (one for one in ranked(folder, top + len(known)) if one.asked["key"] not in known)
    return [*first, *((folder, one) for one in others)][:top]


def chosen_for(folder: Path) -> tuple[int, Genotype] | None:
    """The winner of a search that was confirmed: its number in the study that chose it, and its
    genotype."""
    confirmation = confirmation_of(folder)
    if confirmation is None:
        return None
    (best,) = ranked(confirmation, 1)
    return best.asked["number"], Genotype.from_dict(best.asked["genotype"])


def confirmations_in(folder: Path) -> list[Path]:
    """Every study that judged the best of this search again, also one that counts no more."""
    found = (log.parent for log in folder.glob(f"{CONFIRM}*/{LOG}"))
    return sorted(path for path in found if (path / "study.json").is_file() and _began(path))


def search_of(folder: Path) -> Path | None:
    """The search that this study confirms; None of any other study."""
    above = folder.resolve().parent
    ours = folder.resolve().name.partition("-")[0] == CONFIRM and (above / "study.json").is_file()
    return above if ours else None


def _began(folder: Path) -> float:
    first = next(events_of(folder), None)
    return 0.0 if first is None else float(first[1].get("time", 1.0))
