"""Write a report: the page, its numbers, its pictures, and all trials as a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.errors import StudyError
from nas.reports.as_json import as_json
from nas.reports.compare import analysed
from nas.reports.experiment import Experiment, read_experiment
from nas.reports.extras import is_there
from nas.reports.findings import Findings
from nas.study.store import write_pieces, write_whole

if TYPE_CHECKING:
    import pandas

_FORMULA = tuple("=+-@\t\r")
_AT_ONCE = 5_000
FILES = ("report.html", "report.json", "report.md", "trials.csv")


def write_report(
    folders: Sequence[Path],
    out: Path | None = None,
    margin: float | None = None,
    target: float | None = None,
    band: str = "quartiles",
) -> tuple[Path, Findings]:
    """Report on these studies; returns the folder of the report and what stands in it.

    Without matplotlib it has no figures, and without scipy no tests: `extras.lacking` says so.

    Args:
        out: where to; None: into the one folder that is reported on, or `report`.
    """
    experiment = read_experiment(folders)
    found = analysed(experiment, margin, target)
    out = out or (folders[0] if len(folders) == 1 else Path("report"))
    try:
        _write(out, experiment, found, band)
    except OSError as problem:
        raise StudyError(
            f"{out} cannot be written: {problem.strerror}; choose another folder with --out"
        ) from problem
    return out, found


def _write(out: Path, experiment: Experiment, found: Findings, band: str) -> None:
    from nas.reports.html import page
    from nas.reports.markdown import markdown

    out.mkdir(parents=True, exist_ok=True)
    drawn = _draw(out, found, band) if is_there("matplotlib") else []
    write_whole(out / "report.json", as_json(found))
    write_whole(out / "report.md", markdown(found, [(each.name, each.alt) for each in drawn]))
    write_pieces(out / "trials.csv", _trials(experiment))
    inside = {each.name: each.svg for each in drawn}
    write_whole(out / "report.html", page(found, inside, dict(_drawings(found))))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A picture as it stands in the page."""

    name: str
    alt: str
    svg: str


def _draw(out: Path, found: Findings, band: str) -> list[_Drawn]:
    from nas.reports.inline import inlined, save
    from nas.reports.panels import style
    from nas.reports.plots import pictures

    figures = out / "figures"
    figures.mkdir(exist_ok=True)
    drawn = []
    with style():
        for index, (name, alt, draw) in enumerate(pictures(found, band)):
            svg = inlined(save(draw(), figures, name), f"f{index}", alt)
            drawn.append(_Drawn(name, alt, svg))
    return drawn


def _drawings(found: Findings) -> Iterator[tuple[str, str]]:
    """The cells of every winner, or of three of a front, where there are cells to draw."""
    from nas.drawings.svg import cells_svg
    from search_spaces.cells.genotype import Genotype

    drawn = {arm.label: arm.winner.genotype for arm in found.arms if arm.winner is not None}
    if (several := found.objectives) is not None:
        drawn = {label: several.union[place].genotype for label, place in several.shown.items()}
    for label, recorded in drawn.items():
        genotype = Genotype.from_dict(recorded)
        if genotype.cells:
            yield label, cells_svg(genotype)


def _trials(experiment: Experiment) -> Iterator[str]:
    """All trials that were told a score, a line each, some thousands at a time."""
    metrics = sorted({name for frame in experiment.frames for name in frame.metrics})
    header = True
    for arm in experiment.arms:
        for seed, frame in arm.studies.items():
            for start in range(0, max(1, len(frame.told)), _AT_ONCE):
                told = frame.told.iloc[start : start + _AT_ONCE]
                rows = _rows(arm.label, seed, told, metrics)
                yield rows.to_csv(index=False, lineterminator="\n", header=header)
                header = False


def _rows(arm: str, seed: int, told: pandas.DataFrame, metrics: Sequence[str]) -> pandas.DataFrame:
    """Some lines of one study; a metric is written as it was logged, whole or not."""
    known = told.assign(
        arm=_name(arm), seed=seed, cost=told["cost"].round(6), repeat=told["reused"].astype(int)
    )
    rows = known[["arm", "seed", "number", "key", "score", "seconds", "cost", "repeat"]]
    columns = {
        name: told[name].map(_cell).astype(object) if name in told else "" for name in metrics
    }
    return rows.assign(**columns)


def _name(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name[:1] in _FORMULA else name


def _cell(value: float) -> int | float | str:
    """A metric as it is written: `12` for 12.0, and `nan` where one trial of a study lacks it."""
    if math.isnan(value):
        return "nan"
    return int(value) if math.isfinite(value) and value == int(value) else value
