"""The report as one page: no script, nothing fetched, light and dark, on a phone and in print."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from nas.reports import tables
from nas.reports.inline import FONT, palette
from nas.reports.page_style import CSS
from nas.reports.tables import Table

Json = Mapping[str, Any]


def page(result: Json, pictures: Mapping[str, str], drawings: Mapping[str, str]) -> str:
    """The page.

    Args:
        pictures: inline SVG by name, in the order in which they are shown.
        drawings: inline SVG of winners' cells by arm.
    """
    body = "\n".join(_sections(result, pictures, drawings))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(result['title'])}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n<main>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _sections(
    result: Json, pictures: Mapping[str, str], drawings: Mapping[str, str]
) -> Iterator[str]:
    yield _header(result)
    yield _figures(pictures, ("differences", "outcomes"))
    yield _section("Arms", _table(tables.arms(result)), tables.arms_note(result))
    if result["comparisons"]:
        yield _section(
            "Against random search",
            _table(tables.comparisons(result)),
            tables.comparisons_note(result),
        )
    yield _heading("While they searched", tables.curves_note(result))
    yield _figures(pictures, [name for name in pictures if name.startswith("incumbent")])
    yield _section("Speed and areas", _table(tables.speed(result)), tables.speed_note(result))
    yield _heading("What they proposed", tables.tops_note())
    yield _figures(
        pictures, [name for name in pictures if name.startswith(("top-", "distribution", "front-"))]
    )
    yield _section("What it cost", _table(tables.costs(result)), tables.costs_note(result))
    if curse := tables.curse(result):
        yield _section("The winner's curse", _table(curse), tables.curse_note())
    controllers = [name for name in pictures if name.startswith("controller-")]
    if controllers:
        yield _heading("Inside the controller", tables.controllers_note(result))
        yield _figures(pictures, controllers)
    yield _winners(result, drawings)
    yield _section("Where the numbers come from", _table(tables.facts(result)), None)
    yield _checklist(result)
    yield _seeds(result)


def _header(result: Json) -> str:
    sentences = "".join(f"<li>{escape(row['sentence'])}</li>" for row in result["comparisons"])
    task = escape(tables.task(result))
    return (
        f'<header>\n<p class="task">{task}</p>\n<h1>{escape(result["verdict"])}</h1>\n'
        + (f'<ul class="sentences">{sentences}</ul>\n' if sentences else "")
        + "</header>"
    )


def _heading(title: str, note: str | None) -> str:
    return f"<h2>{escape(title)}</h2>" + (f'\n<p class="note">{escape(note)}</p>' if note else "")


def _section(title: str, content: str, note: str | None) -> str:
    return f"<section>\n{_heading(title, note)}\n{content}\n</section>"


def _figures(pictures: Mapping[str, str], names: Sequence[str]) -> str:
    there = "".join(f"<figure>{pictures[name]}</figure>\n" for name in names if name in pictures)
    return f'<div class="figures">\n{there}</div>' if there else ""


def _table(table: Table) -> str:
    head = "".join(
        f'<th scope="col"{_side(index)}>{escape(name)}</th>'
        for index, name in enumerate(table.columns)
    )
    rows = "".join(f"<tr>{_cells(row)}</tr>\n" for row in table.rows)
    kind = ' class="words"' if table.words else ""
    return (
        f'<div class="scroll"><table{kind}><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></div>"
    )


def _cells(row: Sequence[str]) -> str:
    first = f'<th scope="row">{escape(row[0])}</th>'
    return first + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])


def _side(index: int) -> str:
    return ' class="first"' if index == 0 else ""


def _winners(result: Json, drawings: Mapping[str, str]) -> str:
    parts = [_heading("The winners", tables.winners_note(result))]
    for arm in result["arms"]:
        winner = arm["winner"]
        if winner is None:
            continue
        facts = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
            for name, value in tables.winner(result, arm)
        )
        commands = escape("\n".join(tables.winner_commands(winner)))
        drawing = drawings.get(arm["label"], "")
        parts.append(
            f'<article class="winner"><h3>{escape(arm["label"])}</h3><div '
            f'class="drawing">{drawing}</div>'
            f'<div class="known"><dl>{facts}</dl><pre>{commands}</pre></div></article>'
        )
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _checklist(result: Json) -> str:
    marks = {"kept": "✓", "open": "○", "broken": "✗"}
    rows = "".join(
        f'<tr class="{row["state"]}"><td class="mark" '
        f'title="{row["state"]}">{marks[row["state"]]}<span class="state"> '
        f"{row['state']}</span></td><td>{escape(row['item'])}</td><td>{escape(row['note'])}</td></tr>\n"
        for row in result["checklist"]
    )
    note = (
        "After Lindauer and Hutter, Best Practices for Scientific Research on Neural Architecture "
        "Search (2020), in "
        "our words. The tool fills in what it knows; open items are for the authors of a paper to "
        "answer."
    )
    table = (
        f'<div class="scroll"><table class="words checklist"><tbody>\n{rows}</tbody></table></div>'
    )
    return _section("Best practices", table, note)


def _seeds(result: Json) -> str:
    many = sum(len(arm["per_seed"]) for arm in result["arms"])
    summary = f"Every study ({many:,})"
    return f"<details><summary>{summary}</summary>\n{_table(tables.per_seed(result))}\n</details>"


def _style() -> str:
    def variables(dark: bool) -> str:
        return "".join(f"--{name}:{value};" for name, value in palette(dark).items())

    return (
        f":root{{--font:{FONT};{variables(dark=False)}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{variables(dark=True)}}}}}\n"
        f"@media print{{:root{{{variables(dark=False)}}}}}\n{CSS}"
    )


def as_json(result: Json) -> str:
    """The same tree for machines."""
    return json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
