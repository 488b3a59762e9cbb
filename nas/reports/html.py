"""The report as one page: no script, nothing fetched, light and dark, on a phone and in print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from nas.reports import tables
from nas.reports.findings import Findings, Fronts
from nas.reports.inline import FONT, palette
from nas.reports.page_style import CSS
from nas.reports.sentences import in_plain_words
from nas.reports.tables import Table


def page(found: Findings, pictures: Mapping[str, str], drawings: Mapping[str, str]) -> str:
    """The page.

    Args:
        pictures: inline SVG by name, in the order in which they are shown.
        drawings: inline SVG of winners' cells by arm.
    """
    body = "\n".join(_sections(found, pictures, drawings))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(found.title)}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n<main>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _sections(
    found: Findings, pictures: Mapping[str, str], drawings: Mapping[str, str]
) -> Iterator[str]:
    yield _header(found)
    yield _figures(pictures, ("differences", "outcomes"))
    yield _section("Arms", _table(tables.arms(found)), tables.arms_note(found))
    if found.comparisons:
        yield _section(
            "Against random search",
            _table(tables.comparisons(found)),
            tables.comparisons_note(found),
        )
    yield _heading("While they searched", tables.curves_note(found))
    yield _figures(pictures, [name for name in pictures if name.startswith("incumbent")])
    yield _section("Speed and areas", _table(tables.speed(found)), tables.speed_note(found))
    if found.objectives is not None:
        yield _heading("What their fronts attain", tables.fronts_note(found.objectives))
        yield _figures(
            pictures, [name for name in pictures if name.startswith(("attained-", "union-"))]
        )
    else:
        yield _heading("What they proposed", tables.tops_note(found))
        proposed = ("top-", "distribution", "front-", "seeds")
        yield _figures(pictures, [name for name in pictures if name.startswith(proposed)])
    yield _section("What it cost", _table(tables.costs(found)), tables.costs_note(found))
    if curse := tables.curse(found):
        yield _section("The winner's curse", _table(curse), tables.curse_note())
    controllers = [name for name in pictures if name.startswith("controller-")]
    if controllers:
        yield _heading("Inside the controller", tables.controllers_note(found))
        yield _figures(pictures, controllers)
    if found.objectives is None:
        yield _winners(found, drawings)
    else:
        yield _members(found.objectives, drawings)
    yield _section("Where the numbers come from", _table(tables.facts(found)), None)
    yield _checklist(found)
    yield _seeds(found)


def _header(found: Findings) -> str:
    sentences = "".join(f"<li>{escape(row.sentence)}</li>" for row in found.comparisons)
    task = escape(tables.task(found))
    return (
        f'<header>\n<p class="task">{task}</p>\n<h1>{escape(found.verdict)}</h1>\n'
        f'<p class="plain">{escape(in_plain_words(found))}</p>\n'
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
    rows = "".join(f"<tr>{_cells(row, table.columns)}</tr>\n" for row in table.rows)
    kind = ' class="words"' if table.words else ""
    return (
        f'<div class="scroll"><table{kind}><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></div>"
    )


def _cells(row: Sequence[str], columns: Sequence[str]) -> str:
    """The cells of a row; each knows its column, as on a phone a row is a list."""
    first = f'<th scope="row">{escape(row[0])}</th>'
    named = zip(columns[1:], row[1:], strict=True)
    return first + "".join(
        f'<td data-column="{escape(name)}">{escape(cell)}</td>' for name, cell in named
    )


def _side(index: int) -> str:
    return ' class="first"' if index == 0 else ""


def _winners(found: Findings, drawings: Mapping[str, str]) -> str:
    parts = [_heading("The winners", tables.winners_note(found))]
    for arm in found.arms:
        best = arm.winner
        if best is None:
            continue
        facts, commands = tables.winner(found, best), tables.winner_commands(best)
        parts.append(_portrait(arm.label, drawings.get(arm.label, ""), facts, commands))
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _members(several: Fronts, drawings: Mapping[str, str]) -> str:
    """Three of the front of all studies, drawn, and all of it as a table."""
    parts = [_heading("The front of all studies", tables.union_note(several))]
    for label, place in several.shown.items():
        member = several.union[place]
        facts, commands = tables.member(several, member), tables.member_commands(member)
        parts.append(_portrait(label, drawings.get(label, ""), facts, commands))
    summary = f"All {len(several.union):,} on it"
    table = _table(tables.union(several))
    parts.append(f"<details><summary>{summary}</summary>\n{table}\n</details>")
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _portrait(
    title: str, drawing: str, facts: Iterable[tuple[str, str]], commands: Iterable[str]
) -> str:
    """One genotype: its cells, what is known of it, and what to type to have it."""
    known = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    typed = escape("\n".join(commands))
    return (
        f'<article class="winner"><h3>{escape(title)}</h3><div '
        f'class="drawing">{drawing}</div>'
        f'<div class="known"><dl>{known}</dl><pre>{typed}</pre></div></article>'
    )


def _checklist(found: Findings) -> str:
    marks = {"kept": "✓", "open": "○", "broken": "✗"}
    rows = "".join(
        f'<tr class="{row.state}"><td class="mark" '
        f'title="{row.state}">{marks[row.state]}<span class="state"> '
        f"{row.state}</span></td><td>{escape(row.item)}</td><td>{escape(row.note)}</td></tr>\n"
        for row in found.checklist
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


def _seeds(found: Findings) -> str:
    many = sum(len(arm.per_seed) for arm in found.arms)
    summary = f"Every study ({many:,})"
    return f"<details><summary>{summary}</summary>\n{_table(tables.per_seed(found))}\n</details>"


def _style() -> str:
    def variables(dark: bool) -> str:
        return "".join(f"--{name}:{value};" for name, value in palette(dark).items())

    return (
        f":root{{--font:{FONT};{variables(dark=False)}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{variables(dark=True)}}}}}\n"
        f"@media print{{:root{{{variables(dark=False)}}}}}\n{CSS}"
    )
