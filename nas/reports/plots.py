"""The pictures of a report, each from the tree of numbers the report is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.reports.panels import FAINT, INK, RULE, SAMPLING, colours, dashes, name_lines, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Json = Mapping[str, Any]
MOST_DOTS = 60  # per arm, in the picture of outcomes


def pictures(
    result: Json, band: str = "quartiles"
) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """File name, what can be seen (for those who cannot), and how to draw it.

    Args:
        band: `quartiles` around medians, or the 95 % `interval` around means.
    """
    if result["comparisons"]:
        yield "differences", _alt_differences(result), partial(_differences, result)
    if any(arm["outcome"]["n"] for arm in result["arms"]):
        yield (
            "outcomes",
            f"{result['outcome']['name']} of every study, by arm",
            partial(_outcomes, result),
        )
    for axis in ("cost", "trials"):
        for what in ("final", "score"):
            if what in result["curves"].get(axis, {}):
                alt = f"{_called(result, what)} of the incumbent against {_AXES[axis]}"
                yield f"incumbent-{what}-{axis}", alt, partial(_incumbent, result, axis, what, band)
    if not any(data["score"] for data in result["distributions"].values()):
        return
    for top, arms in result["tops"]["tops"].items():
        if not any(value is not None for arm in arms.values() for value in arm["mean"]):
            continue
        yield (
            f"top-{top}",
            f"mean of the best {top} so far against trials",
            partial(_top, result, top),
        )
    yield (
        "distribution",
        "share of trials that score at most so much, by arm",
        partial(_distribution, result),
    )
    for name in result["fronts"]:
        yield f"front-{name}", f"best score for {name}, by arm", partial(_front, result, name)
    for label, records in result["controllers"].items():
        for what, (called, _) in _DIAGNOSTICS.items():
            if what not in records:
                continue
            alt = f"{called} of the controller of {label} over told trials"
            draw = partial(_controller, records, what, label, _colours(result)[label])
            yield f"controller-{_plain(label)}-{what}", alt, draw


_AXES = {"cost": "seconds of evaluation", "trials": "trials"}
_DIAGNOSTICS = {
    "entropy_share": ("entropy", "share of its maximum"),
    "reward_mean": ("mean reward per update", "score"),
    "kl": ("change per update", "KL divergence, nats"),
    "distinct_share": ("distinct proposals", "share of the last 100"),
    "critic_correlation": ("foresight of the critic", "rank correlation with the next score"),
}


def _differences(result: Json) -> Figure:
    rows = list(reversed(result["comparisons"]))
    baseline, margin = result["baseline"], result["margin"]["value"]
    longest = max(len(row["arm"]) for row in rows)
    figure, axes = panel(
        f"Difference from {baseline}", f"difference in {result['outcome']['name']}", "",
        room=0.04, left=min(0.12 + 0.017 * longest, 0.42), bottom=0.18,
    )  # fmt: skip
    colour = _colours(result)
    axes.axvspan(-margin, margin, color=RULE, alpha=0.6, lw=0)
    axes.axvline(0, color=INK, lw=1)
    for place, row in enumerate(rows):
        if row["interval"] is not None:
            axes.plot(
                row["interval"],
                (place, place),
                color=colour[row["arm"]],
                lw=3,
                solid_capstyle="butt",
            )
        if row["mean_difference"] is not None:
            axes.plot(row["mean_difference"], place, "o", color=colour[row["arm"]], ms=7)
            axes.annotate(
                row["verdict"],
                (row["mean_difference"], place),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
                color=FAINT,
            )
    axes.set_yticks(range(len(rows)), [row["arm"] for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.35)
    axes.grid(axis="y", visible=False)
    axes.annotate(
        ("dot: mean · bar: 95 % interval · shaded: within "
        f"±{margin:g}"), (0, -0.19), xycoords="axes fraction",
        fontsize=7.5, color=FAINT, va="top",
    )  # fmt: skip
    axes.xaxis.set_label_coords(0.5, -0.1)
    return figure


def _outcomes(result: Json) -> Figure:
    arms = [arm for arm in result["arms"] if arm["outcome"]["n"]]
    groups = [
        (arm["label"], [row["outcome"] for row in arm["per_seed"] if row["outcome"] is not None])
        for arm in arms
    ]
    colour = _colours(result)
    longest = max(len(label) for label, _ in groups)
    figure, axes = panel(
        "Every study",
        f"{result['outcome']['name']}",
        "",
        room=0.04,
        left=min(0.12 + 0.017 * longest, 0.42),
    )
    for place, (label, values) in enumerate(reversed(groups)):
        _box(axes, place, values, colour[label])
    _mark_sampling(axes, result["sampling"], [value for _, values in groups for value in values])
    axes.set_yticks(range(len(groups)), [label for label, _ in reversed(groups)])
    axes.set_ylim(-0.6, len(groups) - 0.3)
    axes.grid(axis="y", visible=False)
    return figure


def _mark_sampling(axes: Axes, sampling: Json | None, values: Sequence[float]) -> None:
    """A line at what random sampling reaches; an arrow towards it where the line would squash all
    else."""
    if sampling is None or "mean" not in sampling["outcome"]:
        return
    place = sampling["outcome"]["mean"]
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
    """Median and quartiles over dots, which are spread so that each can be seen."""
    ordered = np.sort(values)
    shown = ordered[np.unique(np.linspace(0, len(ordered) - 1, MOST_DOTS).astype(int))]
    spread = ((np.arange(len(shown)) * 0.6180339887) % 1 - 0.5) * 0.5
    axes.plot(shown, place + spread, "o", ms=3, color=colour, alpha=0.45, mew=0)
    low, middle, high = np.quantile(ordered, [0.25, 0.5, 0.75])
    axes.plot((low, high), (place, place), color=colour, lw=5, alpha=0.55, solid_capstyle="butt")
    axes.plot((middle, middle), (place - 0.27, place + 0.27), color=colour, lw=2.5)


def _incumbent(result: Json, axis: str, what: str, band: str) -> Figure:
    data = result["curves"][axis]
    figure, axes = panel(
        f"{_called(result, what)} of the incumbent", _AXES[axis], _called(result, what)
    )
    _bands(axes, data["x"], data[what], result, band)
    return figure


def _top(result: Json, top: int | str) -> Figure:
    data = result["tops"]
    title = "Best so far" if int(top) == 1 else f"Mean of the best {top} so far"
    figure, axes = panel(title, "trials", _called(result, "score"))
    _bands(axes, data["x"], data["tops"][top], result, "interval")
    return figure


def _bands(
    axes: Axes, x: Sequence[float], arms: Mapping[str, Json], result: Json, band: str
) -> None:
    """A line and its band for every arm, cut so that the late part, which decides, is seen."""
    line, low, high = (
        ("median", "low", "high") if band == "quartiles" else ("mean", "mean_low", "mean_high")
    )
    colour, dash = _colours(result), _dashes(result)
    ends, lowest = {}, []
    for label, values in arms.items():
        y = _floats(values[line])
        known = ~np.isnan(y)
        if not known.any():
            continue
        places = np.asarray(x)
        below, above = _floats(values[low]), _floats(values[high])
        axes.fill_between(places, below, above, color=colour[label], alpha=0.11, lw=0)
        axes.plot(places, y, color=colour[label], ls=dash[label], lw=1.9)
        ends[label] = float(y[known][-1])
        late = np.where(np.isnan(below), y, below)[int(len(y) * 0.06) :]
        lowest.append(float(np.nanmin(late)) if not np.isnan(late).all() else float(y[known][0]))
    if ends:
        highest = max(axes.dataLim.y1, max(ends.values()))
        bottom = min(lowest)
        room = max(highest - bottom, _least(highest)) * 0.05
        axes.set_ylim(bottom - room, highest + room)
        axes.set_xlim(0, max(x))
        if max(x) >= 10_000:
            axes.xaxis.set_major_formatter(_amount)
        name_lines(axes, ends, colour)


def _distribution(result: Json) -> Figure:
    figure, axes = panel(
        "All scores", _called(result, "score"), "share of trials at or below", room=0.05
    )
    colour, dash = _colours(result), _dashes(result)
    lows = []
    for label, data in result["distributions"].items():
        if not data["score"]:
            continue
        axes.plot(
            data["score"], data["share"], color=colour[label], ls=dash[label], lw=1.9, label=label
        )
        lows.append(data["score"][10])
    if lows:
        top = max(data["score"][-1] for data in result["distributions"].values() if data["score"])
        span = top - min(lows)
        axes.set_xlim(min(lows) - 0.02 * span, top + 0.02 * span)
    axes.set_ylim(0, 1.01)
    legend = axes.legend(frameon=False, loc="upper left", fontsize=9, handlelength=2.6)
    for text, label in zip(
        legend.get_texts(), [t.get_text() for t in legend.get_texts()], strict=True
    ):
        text.set_color(colour[label])
    return figure


def _front(result: Json, name: str) -> Figure:
    unit = {"params": "parameters", "macs": "multiply-adds"}.get(name, name.replace("_", " "))
    figure, axes = panel(f"Best score for {unit}", unit, _called(result, "score"))
    colour, dash = _colours(result), _dashes(result)
    ends = {}
    lows = []
    largest = max(
        (point[0] for points in result["fronts"][name].values() for point in points), default=1.0
    )
    for label, points in result["fronts"][name].items():
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


def _controller(records: Json, what: str, label: str, colour: str) -> Figure:
    title, unit = _DIAGNOSTICS[what]
    figure, axes = panel(f"{label}: {title}", "trials told", unit, room=0.05, left=0.14)
    values = records[what]
    axes.fill_between(
        records["told"],
        _floats(values["low"]),
        _floats(values["high"]),
        color=colour,
        alpha=0.18,
        lw=0,
    )
    axes.plot(records["told"], _floats(values["median"]), color=colour, lw=1.9)
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
        baseline = _floats(records.get("baseline", {}).get("median", []))
        if len(baseline):
            axes.plot(records["told"], baseline, color=FAINT, lw=1.3, ls=(0, (3, 1.4)))
        known = ~np.isnan(baseline)
        if known.any():
            axes.annotate(
                "baseline",
                (records["told"][-1], baseline[known][-1]),
                xytext=(-2, -13),
                ha="right",
                textcoords="offset points",
                fontsize=8,
                color=FAINT,
            )
    return figure


def _colours(result: Json) -> dict[str, str]:
    return colours([arm["label"] for arm in result["arms"]], result["baseline"])


def _dashes(result: Json) -> dict[str, Any]:
    return dashes([arm["label"] for arm in result["arms"]], result["baseline"])


def _called(result: Json, what: str) -> str:
    return str(result["outcome"]["name"] if what == "final" else result["score"])


def _alt_differences(result: Json) -> str:
    rows = ", ".join(f"{row['arm']}: {row['verdict']}" for row in result["comparisons"])
    return f"mean difference from {result['baseline']} with 95 % interval ({rows})"


def _least(value: float) -> float:
    """The least height of a panel, so that a flat line is drawn flat."""
    return max(abs(value), 1.0) * 0.02


def _floats(values: Sequence[float | None]) -> Any:
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
