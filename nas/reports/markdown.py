"""The report as Markdown: the same sentences and tables, for repositories and mails."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nas.reports import tables
from nas.reports.findings import Findings, Fronts
from nas.reports.sentences import in_plain_words
from nas.reports.tables import Table


def markdown(found: Findings, pictures: Sequence[tuple[str, str]]) -> str:
    """The whole report.

    Args:
        pictures: file name and description of each.
    """
    return "\n".join(_lines(found, dict(pictures))).rstrip() + "\n"


def _lines(found: Findings, pictures: Mapping[str, str]) -> Iterator[str]:
    yield f"# {_safe(found.verdict)}\n"
    yield f"{_safe(in_plain_words(found))}\n"
    yield f"{_safe(tables.task(found))}\n"
    yield from (f"- {_safe(row.sentence)}" for row in found.comparisons)
    yield ""
    yield from _images(pictures, ("differences", "outcomes"))
    yield from _part("Arms", tables.arms_note(found), tables.arms(found))
    if found.comparisons:
        yield from _part(
            "Against random search", tables.comparisons_note(found), tables.comparisons(found)
        )
    yield from _part("While they searched", tables.curves_note(found), None)
    yield from _images(pictures, [name for name in pictures if name.startswith("incumbent")])
    yield from _part("Speed and areas", tables.speed_note(found), tables.speed(found))
    if found.objectives is not None:
        yield from _part("What their fronts attain", tables.fronts_note(found.objectives), None)
        shown: tuple[str, ...] = ("attained-", "union-")
    else:
        yield from _part("What they proposed", tables.tops_note(found), None)
        shown = ("top-", "distribution", "front-", "seeds")
    yield from _images(pictures, [name for name in pictures if name.startswith(shown)])
    yield from _part("What it cost", tables.costs_note(found), tables.costs(found))
    if curse := tables.curse(found):
        yield from _part("The winner's curse", tables.curse_note(), curse)
    if found.controllers:
        yield from _part("Inside the controller", tables.controllers_note(found), None)
        yield from _images(pictures, [name for name in pictures if name.startswith("controller-")])
    if found.objectives is not None:
        yield from _members(found.objectives)
    else:
        yield from _part("The winners", tables.winners_note(found), None)
        for arm in found.arms:
            if arm.winner is not None:
                facts, commands = (
                    tables.winner(found, arm.winner),
                    tables.winner_commands(arm.winner),
                )
                yield from _portrait(arm.label, facts, commands)
    yield from _part("Where the numbers come from", None, tables.facts(found))
    yield "## Best practices\n"
    marks = {"kept": "[x]", "open": "[ ] (open)", "broken": "[ ] (broken)"}
    yield from (f"- {marks[row.state]} {row.item}: {_safe(row.note)}" for row in found.checklist)


def _part(title: str, note: str | None, table: Table | None) -> Iterator[str]:
    yield f"\n## {title}\n"
    if note:
        yield f"{_safe(note)}\n"
    if table is not None:
        yield from _table(table)
        yield ""


def _table(table: Table) -> Iterator[str]:
    yield _row(table.columns)
    side = "---" if table.words else "---:"
    yield _row(["---", *[side] * (len(table.columns) - 1)])
    yield from (_row(row) for row in table.rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_safe(cell) for cell in cells) + " |"


def _safe(text: str) -> str:
    """Any name as plain text of one line: nothing in it is markup, a table's end, or a link."""
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", " ".join(text.split())).replace("<", "&lt;")


def _images(pictures: Mapping[str, str], names: Sequence[str]) -> Iterator[str]:
    yield from (
        f"![{_safe(pictures[name])}](figures/{name}.svg)" for name in names if name in pictures
    )


def _members(several: Fronts) -> Iterator[str]:
    """All of the front of all studies, then three of it."""
    yield from _part("The front of all studies", tables.union_note(several), tables.union(several))
    for label, place in several.shown.items():
        member = several.union[place]
        yield from _portrait(label, tables.member(several, member), tables.member_commands(member))


def _portrait(
    label: str, facts: Iterable[tuple[str, str]], commands: Iterable[str]
) -> Iterator[str]:
    yield f"\n### {_safe(label)}\n"
    yield from (f"- {_safe(name)}: {_safe(value)}" for name, value in facts)
    typed = "\n".join(commands)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", typed)), default=0))
    yield f"\n{fence}\n{typed}\n{fence}"
