"""The controller's diagnostics as pictures (matplotlib) and as event files for TensorBoard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import NasError
from nas.strategies.controller.history import SCALARS, histograms

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from search_spaces.cells.space import SearchSpace

Records = Sequence[Mapping[str, Any]]


def draw(records: Records, space: SearchSpace, folder: Path) -> list[Path]:
    """Curves over told trials and, where there is a policy, how likely each option is over time."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pictures = [_saved(_curves(records), folder / "controller-curves.png")]
        stepped = [record for record in records if "policy" in record]
        if stepped:
            pictures.append(_saved(_policy(stepped, space), folder / "controller-policy.png"))
        return pictures
    except OSError as problem:
        raise NasError(f"{folder} cannot be written: {problem.strerror or problem}") from problem


def write_tensorboard(records: Records, space: SearchSpace, folder: Path) -> None:
    """Every number of every update under `controller/`, every option's probability under
    `policy/`."""
    try:
        from tensorboardX import SummaryWriter  # type: ignore[import-untyped]
    except ImportError as problem:
        raise NasError(
            "TensorBoard files need tensorboardX, which is not installed: run `pip install "
            "'nas-toolkit[tensorboard]'`"
        ) from problem
    with SummaryWriter(logdir=str(folder)) as writer:
        for record in records:
            when = record.get("time")
            for name in (name for name in SCALARS if name in record):
                writer.add_scalar(f"controller/{name}", record[name], record["told"], walltime=when)
            for title, options, means in histograms(record, space):
                for option, mean in zip(options, means, strict=True):
                    writer.add_scalar(
                        f"policy/{title}/{option}", mean, record["told"], walltime=when
                    )


def _curves(records: Records) -> Figure:
    figure = _figure(3, 2, height=8)
    told = [record["told"] for record in records]
    reward, entropy, decisions, change, gradient, distinct = figure.axes
    reward.fill_between(
        told, _column(records, "reward_min"), _column(records, "reward_max"), alpha=0.2
    )
    for axes, names in (
        (reward, ("reward_mean", "baseline")),
        (entropy, ("entropy_share",)),
        (change, ("kl", "clip_fraction", "critic_correlation", "known_share")),
        (gradient, ("gradient_norm", "advantage_spread")),
        (distinct, ("distinct",)),
    ):
        for name in (name for name in names if any(name in record for record in records)):
            dot = "o" if len(told) == 1 else None  # of a single update there is no line
            axes.plot(told, _column(records, name), label=name.replace("_", " "), marker=dot)
    entropies = [record["entropies"] for record in records if "entropies" in record]
    if entropies:
        _heat(decisions, [list(values) for values in zip(*entropies, strict=True)], told)
    decisions.set_title("entropy of each decision, in nats")
    decisions.set_ylabel("decision")
    for axes in (reward, entropy, change, gradient, distinct):
        if axes.lines:
            # above the panel, where no curve can run through it
            axes.legend(
                frameon=False,
                loc="lower left",
                bbox_to_anchor=(0, 1),
                borderaxespad=0.2,
                ncols=2,
                fontsize=9,
            )
    _mark_alarms([reward, entropy, distinct], records)
    return figure


def _policy(records: Records, space: SearchSpace) -> Figure:
    over_time = [list(histograms(record, space)) for record in records]
    told = [record["told"] for record in records]
    groups = over_time[0]
    figure = _figure(
        len(groups), 1, height=1 + sum(0.9 + 0.22 * len(options) for _, options, _ in groups)
    )
    for index, (axes, (title, options, _)) in enumerate(zip(figure.axes, groups, strict=True)):
        _heat(
            axes,
            [[moment[index][2][row] for moment in over_time] for row in range(len(options))],
            told,
        )
        axes.set_yticks(range(len(options)), [str(option) for option in options], fontsize=7)
        axes.set_title(title, fontsize=9)
    return figure


def _figure(rows: int, columns: int, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.subplots(rows, columns)
    for axes in figure.axes[-columns:]:
        axes.set_xlabel("told trials")
    return figure


def _heat(axes: Axes, rows: Sequence[Sequence[float]], told: Sequence[int]) -> None:
    image = axes.imshow(
        rows,
        aspect="auto",
        interpolation="nearest",
        vmin=0,
        extent=(0, told[-1], len(rows) - 0.5, -0.5),
    )
    axes.figure.colorbar(image, ax=axes)


def _mark_alarms(every: Sequence[Axes], records: Records) -> None:
    first = next((record["told"] for record in records if "alarm" in record), None)
    if first is not None:
        for axes in every:
            axes.axvline(first, color="tab:red", linestyle="--", linewidth=1)


def _column(records: Records, name: str) -> list[Any]:
    return [record.get(name, math.nan) for record in records]


def _saved(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=130)
    return path
