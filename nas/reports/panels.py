"""How every picture of a report looks: one panel, colours that survive colour-blindness, names at
the lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nas.errors import NasError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, RULE, PAGE = "#1a1c20", "#5f6670", "#d8dce2", "#ffffff"
DARK = {INK: "#e8eaee", FAINT: "#a3abb6", RULE: "#3a4048", PAGE: "#16181c"}
BASELINE, SAMPLING = "#6f757e", "#9aa0a9"
# After Okabe and Ito, darkened until text in these colours can be read on white; their twins for
# dark pages.
ARMS = ("#0b6bab", "#c24a00", "#00806a", "#a8418f", "#8a6d00", "#4b4fc4", "#b01e3c", "#3b7a1e")
_DARK_ARMS = (
    "#5ab4f0",
    "#ff9350",
    "#35c9a6",
    "#e592d2",
    "#e0bd3f",
    "#a2a5ff",
    "#ff8095",
    "#8fd06a",
)
DARK |= {BASELINE: "#b3b9c2", SAMPLING: "#868d97", **dict(zip(ARMS, _DARK_ARMS, strict=True))}
LINES = ("-", (0, (6, 1.6)), (0, (3, 1.4)), (0, (7, 1.5, 1.5, 1.5)), (0, (1.5, 1.3)))

SIZE = (5.3, 3.7)
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "nas",
    "pdf.fonttype": 3,  # ten times faster to write than 42
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": PAGE,
    "axes.facecolor": "none",
    "axes.unicode_minus": True,
}


@contextmanager
def style() -> Iterator[None]:
    """The settings of all pictures; outside nothing of matplotlib is changed."""
    try:
        import matplotlib
    except ImportError as problem:
        raise NasError(
            "reports need matplotlib, which is not installed: run pip install 'nas-toolkit[plots]'"
        ) from problem
    with matplotlib.rc_context(_STYLE):  # type: ignore[arg-type]
        yield


def colours(arms: Sequence[str], baseline: str | None) -> dict[str, str]:
    """A colour for every arm; random search is grey, so that colours are for what is to be
    judged."""
    others = [arm for arm in arms if arm != baseline]
    found = {arm: ARMS[index % len(ARMS)] for index, arm in enumerate(others)}
    return {arm: found.get(arm, BASELINE) for arm in arms}


def dashes(arms: Sequence[str], baseline: str | None) -> dict[str, Any]:
    """A kind of line for every arm, so that nothing is told by colour alone."""
    others = [arm for arm in arms if arm != baseline]
    found = {arm: LINES[index % len(LINES)] for index, arm in enumerate(others)}
    return {arm: found.get(arm, (0, (1, 1))) for arm in arms}


def panel(
    title: str, x: str, y: str, *, room: float = 0.24, left: float = 0.125, bottom: float = 0.14
) -> tuple[Figure, Axes]:
    """An empty picture; `room` is the share at the right that is kept for names."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((left, bottom, 1 - room - left, 0.9 - bottom))
    axes.set_title(title, pad=9)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def name_lines(axes: Axes, ends: Mapping[str, float], colour: Mapping[str, str]) -> None:
    """Write each name at the right of where its line ends, pushed apart where they would touch."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.062
    places = _apart({name: min(max(end, low), high) for name, end in ends.items()}, gap, high)
    for name, place in places.items():
        axes.annotate(
            name,
            (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=colour[name],
            fontsize=9,
            annotation_clip=False,
            fontweight="bold",
        )


def name_beside(axes: Axes, colour: Mapping[str, str]) -> None:
    """Name every line beside the panel, where no line can run through its name."""
    legend = axes.legend(
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.02),
        borderaxespad=0,
        fontsize=8.5,
        handlelength=1.4,
        handletextpad=0.5,
    )
    for text in legend.get_texts():
        text.set_color(colour[text.get_text()])


def _apart(ends: Mapping[str, float], gap: float, high: float) -> dict[str, float]:
    """The same places, in the same order, at least so far apart, none above the panel."""
    order = sorted(ends, key=lambda name: ends[name])
    places = [ends[name] for name in order]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + gap)
    over = max(0.0, places[-1] - high) if places else 0.0
    places = [place - over for place in places]
    for index in range(len(places) - 2, -1, -1):
        places[index] = min(places[index], places[index + 1] - gap)
    return dict(zip(order, places, strict=True))
