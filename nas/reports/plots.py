"""The pictures of a report, each from the records the report is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.reports.findings import (
    Attainment,
    Axis,
    Band,
    ControllerCurves,
    Findings,
    Fronts,
    Numbers,
    Sampling,
)
from nas.reports.frame import Floats
from nas.reports.panels import (
    FAINT,
    INK,
    PAGE,
    RULE,
    SAMPLING,
    colours,
    dashes,
    name_beside,
    name_lines,
    panel,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_DOTS = 60  # per arm, in the picture of outcomes
_MANY = 20  # points of a front, from which on its foot may be cut


def pictures(
    found: Findings, band: str = "quartiles"
) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """File name, what can be seen (for those who cannot), and how to draw it.

    Args:
        band: `quartiles` around medians, or the 95 % `interval` around means.
    """
    if found.comparisons:
        yield "differences", _alt_differences(found), partial(_differences, found)
    if any(arm.outcome.n for arm in found.arms):
        yield (
            "outcomes",
            f"{found.outcome.name} of every study, by arm",
            partial(_outcomes, found),
        )
    for axis, called in _AXES.items():
        if axis in found.curves:
            yield from _of_incumbents(found, axis, called, band)
    if found.objectives is not None:
        yield from _of_fronts(found, found.objectives)
    yield from _of_proposals(found)
    for label, records in found.controllers.items():
        for what, (called, _) in _DIAGNOSTICS.items():
            if what not in records.curves:
                continue
            alt = f"{called} of the controller of {label} over told trials"
            draw = partial(_controller, records, what, label, _colours(found)[label])
            yield f"controller-{_plain(label)}-{what}", alt, draw


def _of_fronts(found: Findings, several: Fronts) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    first = several.formulas[0]
    for place, attained in enumerate(several.attained, start=1):
        alt = f"{first} that half of the fronts attain for each {attained.objective}, by arm"
        yield f"attained-{place}", alt, partial(_attained, found, first, attained)
    for place, formula in enumerate(several.formulas[1:], start=1):
        if several.union:
            alt = f"{first} against {formula}: the front of all studies, by who found it"
            yield f"union-{place}", alt, partial(_union, found, several, place)


def _of_proposals(found: Findings) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    if not any(data.score for data in found.distributions.values()):
        return
    for top, arms in found.tops.tops.items():
        if not any(value is not None for arm in arms.values() for value in arm.mean):
            continue
        yield (
            f"top-{top}",
            f"mean of the best {top} so far against trials",
            partial(_top, found, top),
        )
    yield (
        "distribution",
        "share of trials that score at most so much, by arm",
        partial(_distribution, found),
    )
    for name in found.fronts:
        yield f"front-{name}", f"best score for {name}, by arm", partial(_front, found, name)
    if found.judged_often:
        alt = "the best trials of each arm's best study, with the standard error of their seeds"
        yield "seeds", alt, partial(_seeds, found)


def _of_incumbents(
    found: Findings, axis: Axis, called: str, band: str
) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    data = found.curves[axis]
    for what, arms in (("final", data.final), ("score", data.score)):
        if arms is not None:
            name = _called(found, what)
            draw = partial(_incumbent, found, data.x, arms, called, name, band)
            alt = f"{name} of the {_holder(found)} against {called}"
            yield f"incumbent-{what}-{axis}", alt, draw


_AXES: Mapping[Axis, str] = {"cost": "seconds of evaluation", "trials": "trials"}
_DIAGNOSTICS = {
    "entropy_share": ("entropy", "share of its maximum"),
    "reward_mean": ("mean reward per update", "score"),
    "kl": ("change per update", "KL divergence, nats"),
    "distinct_share": ("distinct proposals", "share of the last 100"),
    "critic_correlation": ("foresight of the critic", "rank correlation with the next score"),
}


def _differences(found: Findings) -> Figure:
    rows = list(reversed(found.comparisons))
    baseline, margin = found.baseline, found.margin.value
    longest = max(len(row.arm) for row in rows)
    figure, axes = panel(
        f"Difference from {baseline}", f"difference in {found.outcome.name}", "",
        room=0.04, left=min(0.12 + 0.017 * longest, 0.42), bottom=0.18,
    )  # fmt: skip
    colour = _colours(found)
    axes.axvspan(-margin, margin, color=RULE, alpha=0.6, lw=0)
    axes.axvline(0, color=INK, lw=1)
    for place, row in enumerate(rows):
        if row.interval is not None:
            axes.plot(
                row.interval,
                (place, place),
                color=colour[row.arm],
                lw=3,
                solid_capstyle="butt",
            )
        if row.mean_difference is not None:
            axes.plot(row.mean_difference, place, "o", color=colour[row.arm], ms=7)
            axes.annotate(
                row.verdict,
                (row.mean_difference, place),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
                color=FAINT,
            )
    axes.set_yticks(range(len(rows)), [row.arm for row in rows])
    axes.locator_params(axis="x", nbins=5)  # more would touch each other
    axes.set_ylim(-0.6, len(rows) - 0.35)
    axes.grid(axis="y", visible=False)
    axes.annotate(
        ("dot: mean · bar: 95 % interval · shaded: within "
        f"±{margin:g}"), (0, -0.19), xycoords="axes fraction",
        fontsize=7.5, color=FAINT, va="top",
    )  # fmt: skip
    axes.xaxis.set_label_coords(0.5, -0.1)
    return figure


def _outcomes(found: Findings) -> Figure:
    arms = [arm for arm in found.arms if arm.outcome.n]
    groups = [
        (arm.label, [row.outcome for row in arm.per_seed if row.outcome is not None])
        for arm in arms
    ]
    colour = _colours(found)
    longest = max(len(label) for label, _ in groups)
    figure, axes = panel(
        "Every study",
        f"{found.outcome.name}",
        "",
        room=0.04,
        left=min(0.12 + 0.017 * longest, 0.42),
    )
    for place, (label, values) in enumerate(reversed(groups)):
        _box(axes, place, values, colour[label])
    _mark_sampling(axes, found.sampling, [value for _, values in groups for value in values])
    axes.set_yticks(range(len(groups)), [label for label, _ in reversed(groups)])
    axes.set_ylim(-0.6, len(groups) - 0.3)
    axes.grid(axis="y", visible=False)
    return figure


def _mark_sampling(axes: Axes, sampling: Sampling | None, values: Sequence[float]) -> None:
    """A line at what random sampling reaches; an arrow towards it where the line would squash all
    else."""
    place = sampling.outcome.mean if sampling else None
    if place is None:
        return
    low, high = min(values), max(values)
    words: dict[str, Any] = {
        "textcoords": "offset points",
        "fontsize": 8,
        "color": FAINT,
        "va": "top",
    }
    if place >= low - 0.6 * (high - low):
        axes.axvline(place, color=SAMPLING, lw=1.2, ls=":")
        axes.annotate(
            "random sampling",
            (place, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(4, -3),
            **words,
        )
    else:
        axes.annotate(
            f"← random sampling: {place:.4g}",
            (0, 1.0),
            xycoords="axes fraction",
            xytext=(4, -3),
            **words,
        )


def _box(axes: Axes, place: int, values: Sequence[float], colour: str) -> None:
    """Dots over median and quartiles, spread and rimmed so that each can be seen."""
    ordered = np.sort(values)
    shown = ordered[np.unique(np.linspace(0, len(ordered) - 1, MOST_DOTS).astype(int))]
    spread = ((np.arange(len(shown)) * 0.6180339887) % 1 - 0.5) * 0.5
    low, middle, high = np.quantile(ordered, [0.25, 0.5, 0.75])
    axes.fill_betweenx((place - 0.3, place + 0.3), low, high, color=colour, alpha=0.16, lw=0)
    axes.plot((middle, middle), (place - 0.3, place + 0.3), color=colour, lw=2.5)
    axes.plot(shown, place + spread, "o", ms=4.5, color=colour, mec=PAGE, mew=0.6)


def _incumbent(
    found: Findings, x: Numbers, arms: Mapping[str, Band], axis: str, name: str, band: str
) -> Figure:
    figure, axes = panel(f"{name} of the {_holder(found)}", axis, name)
    _bands(axes, x, arms, found, band)
    return figure


def _top(found: Findings, top: int) -> Figure:
    title = "Best so far" if top == 1 else f"Mean of the best {top} so far"
    figure, axes = panel(title, "trials", found.score)
    _bands(axes, found.tops.x, found.tops.tops[top], found, "interval")
    return figure


def _bands(axes: Axes, x: Numbers, arms: Mapping[str, Band], found: Findings, band: str) -> None:
    """A line and its band for every arm, cut so that the late part, which decides, is seen."""
    places = _floats(x)
    colour, dash = _colours(found), _dashes(found)
    ends: dict[str, float] = {}
    lowest, highest = [], []
    for label, values in arms.items():
        if band == "quartiles":
            line, edges = values.median, (values.low, values.high)
        else:
            line, edges = values.mean, (values.mean_low, values.mean_high)
        y, (below, above) = _floats(line), map(_floats, edges)
        known = ~np.isnan(y)
        if not known.any():
            continue
        axes.fill_between(places, below, above, color=colour[label], alpha=0.11, lw=0)
        axes.plot(places, y, color=colour[label], ls=dash[label], lw=1.9)
        ends[label] = float(y[known][-1])
        late = slice(int(len(y) * 0.06), None)
        heights = np.concatenate([y[late], below[late], above[late]])
        seen = heights[~np.isnan(heights)] if not np.isnan(y[late]).all() else y[known]
        lowest.append(float(seen.min()))
        highest.append(float(seen.max()))
    if ends:
        bottom, top = min(lowest), max(highest)
        room = max(top - bottom, _least(top)) * 0.05
        axes.set_ylim(bottom - room, top + room)
        axes.set_xlim(0, places.max())
        if places.max() >= 10_000:
            axes.xaxis.set_major_formatter(_amount)
        name_lines(axes, ends, colour)


def _distribution(found: Findings) -> Figure:
    figure, axes = panel("All scores", found.score, "share of trials at or below")
    colour, dash = _colours(found), _dashes(found)
    lows, highs = [], []
    for label, data in found.distributions.items():
        if not data.score:
            continue
        scores = _floats(data.score)
        axes.plot(
            scores, _floats(data.share), color=colour[label], ls=dash[label], lw=1.9, label=label
        )
        lows.append(float(scores[10]))
        highs.append(float(scores[-1]))
    if lows:
        span = max(highs) - min(lows)
        axes.set_xlim(min(lows) - 0.02 * span, max(highs) + 0.02 * span)
    axes.set_ylim(0, 1.01)
    name_beside(axes, colour)
    return figure


def _front(found: Findings, name: str) -> Figure:
    unit = {"params": "parameters", "macs": "multiply-adds"}.get(name, name.replace("_", " "))
    figure, axes = panel(f"Best score for {unit}", unit, _called(found, "score"))
    colour, dash = _colours(found), _dashes(found)
    ends = {}
    lows = []
    largest = max(
        (point[0] for points in found.fronts[name].values() for point in points), default=1.0
    )
    for label, points in found.fronts[name].items():
        if not points:
            continue
        x, y = (list(column) for column in zip(*points, strict=True))
        axes.step(
            [*x, largest], [*y, y[-1]], where="post", color=colour[label], ls=dash[label], lw=1.6
        )
        axes.plot(x, y, "o", ms=3.5, color=colour[label])
        ends[label] = y[-1]
        lows.append(y[min(len(y) - 1, len(y) // 4)])
    if ends:
        span = max(max(ends.values()) - min(lows), _least(max(ends.values())))
        axes.set_ylim(min(lows) - 0.15 * span, max(ends.values()) + 0.06 * span)
        name_lines(axes, ends, colour)
    axes.xaxis.set_major_formatter(_amount)
    return figure


def _seeds(found: Findings) -> Figure:
    """Scores of the best trials with bars: where bars overlap, the order may be luck."""
    figure, axes = panel("The best, judged with several seeds", "rank", _called(found, "score"))
    colour, ends = _colours(found), {}
    for index, (label, best) in enumerate(found.judged_often.items()):
        places = [rank + 0.12 * index for rank in range(1, len(best) + 1)]
        scores, errors = [one.score for one in best], [one.error for one in best]
        axes.errorbar(
            places, scores, errors, fmt="o", ms=4.5, lw=1.6, capsize=3, color=colour[label]
        )
        ends[label] = scores[-1]
    axes.locator_params(axis="x", integer=True)
    name_lines(axes, ends, colour)
    return figure


def _attained(found: Findings, first: str, attained: Attainment) -> Figure:
    """Lines at what half of the fronts attain, bands between a quarter and three quarters."""
    sign, unit = _turned(attained.objective)
    figure, axes = panel(f"{first} that fronts attain", unit, first)
    colour, dash = _colours(found), _dashes(found)
    places = sign * _floats(attained.x)
    ends, lines = {}, []
    for label, surface in attained.surfaces.items():
        many, middle, few = map(_floats, (surface.three_quarters, surface.half, surface.quarter))
        axes.fill_between(places, many, few, color=colour[label], alpha=0.11, lw=0)
        axes.plot(places, middle, color=colour[label], ls=dash[label], lw=1.9)
        known = middle[~np.isnan(middle)]
        if len(known):
            ends[label] = float(known.max() if sign < 0 else known[-1])
            lines.append(known)
    if lines:
        _cut(axes, np.concatenate(lines))
        name_lines(axes, ends, colour)
    axes.xaxis.set_major_formatter(_amount)
    return figure


def _union(found: Findings, several: Fronts, place: int) -> Figure:
    """Every member in the colour of who found it; the three that are drawn below are ringed."""
    sign, unit = _turned(several.formulas[place])
    figure, axes = panel("The front of all studies", unit, several.formulas[0])
    colour = _colours(found)
    x = [sign * member.point[place] for member in several.union]
    y = [member.point[0] for member in several.union]
    for label in dict.fromkeys(member.arm for member in several.union):
        mine = [index for index, member in enumerate(several.union) if member.arm == label]
        axes.plot(
            [x[index] for index in mine],
            [y[index] for index in mine],
            "o",
            ms=4.5,
            color=colour[label],
            label=label,
        )
    for index in several.shown.values():
        axes.plot(x[index], y[index], "o", ms=11, mfc="none", mec=INK, mew=1.2)
    _cut(axes, np.array(y))
    name_beside(axes, colour)
    axes.xaxis.set_major_formatter(_amount)
    return figure


def _turned(formula: str) -> tuple[float, str]:
    """`-macs` as multiply-adds from left to right; other formulas as they are."""
    name = formula.removeprefix("-").strip()
    if formula.startswith("-") and name.replace("_", "").isalnum():
        return -1.0, {"params": "parameters", "macs": "multiply-adds"}.get(name, name)
    return 1.0, formula


def _cut(axes: Axes, heights: Floats) -> None:
    """Leave out the steep foot of a front, or nothing is seen of the rest."""
    foot = 0.1 if len(heights) >= _MANY else 0.0
    low, high = float(np.quantile(heights, foot)), float(heights.max())
    room = max(high - low, _least(high)) * 0.06
    axes.set_ylim(low - room, high + room)


def _controller(records: ControllerCurves, what: str, label: str, colour: str) -> Figure:
    title, unit = _DIAGNOSTICS[what]
    room = 0.2 if what == "reward_mean" else 0.05
    figure, axes = panel(f"{label}: {title}", "trials told", unit, room=room, left=0.14)
    values = records.curves[what]
    low, middle, high = map(_floats, (values.low, values.median, values.high))
    axes.fill_between(records.told, low, high, color=colour, alpha=0.18, lw=0)
    dot = "o" if len(records.told) == 1 else None  # of a single update there is no line
    if dot:
        axes.vlines(records.told, low, high, color=colour, alpha=0.3, lw=4)
    axes.plot(records.told, middle, color=colour, lw=1.9, marker=dot)
    if what.endswith("share"):
        axes.set_ylim(0, 1.03)
    if what == "entropy_share":
        axes.axhline(0.1, color=FAINT, lw=1, ls=":")
        axes.annotate(
            "alarm",
            (1, 0.1),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=FAINT,
        )
    if what == "reward_mean":
        _add_baseline(axes, records, middle, colour)
    return figure


def _add_baseline(axes: Axes, records: ControllerCurves, rewards: Floats, colour: str) -> None:
    """What rewards are held against, where a controller has such a thing, with names at both."""
    baseline = records.curves.get("baseline")
    lines = {"reward": rewards}
    if baseline is not None:
        lines["baseline"] = _floats(baseline.median)
        dot = "o" if len(records.told) == 1 else None
        axes.plot(
            records.told, lines["baseline"], color=FAINT, lw=1.3, ls=(0, (3, 1.4)), marker=dot
        )
    ends = {
        name: float(values[~np.isnan(values)][-1])
        for name, values in lines.items()
        if not np.isnan(values).all()
    }
    name_lines(axes, ends, {"reward": colour, "baseline": FAINT})


def _colours(found: Findings) -> dict[str, str]:
    return colours([arm.label for arm in found.arms], found.baseline)


def _dashes(found: Findings) -> dict[str, Any]:
    return dashes([arm.label for arm in found.arms], found.baseline)


def _called(found: Findings, what: str) -> str:
    return str(found.outcome.name if what == "final" else found.score)


def _holder(found: Findings) -> str:
    """Whose score a curve over a search shows."""
    return "incumbent" if found.objectives is None else "front"


def _alt_differences(found: Findings) -> str:
    rows = ", ".join(f"{row.arm}: {row.verdict}" for row in found.comparisons)
    return f"mean difference from {found.baseline} with 95 % interval ({rows})"


def _least(value: float) -> float:
    """The least height of a panel, so that a flat line is drawn flat."""
    return max(abs(value), 1.0) * 0.02


def _floats(values: Numbers) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _amount(value: float, place: object = None) -> str:
    """1,500,000 as 1.5M."""
    del place
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:g}"


def _plain(label: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in label)
