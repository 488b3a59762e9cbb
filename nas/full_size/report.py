"""What a transfer found, as Markdown: a row per arm, and what may be concluded from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas.errors import counted
from nas.full_size.trainings import Setting
from nas.training.judging import TOP_5_NEEDS

_FEW = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One arm: what it costs, and mean and deviation of its accuracies over the seeds."""

    name: str
    key: str
    params: int
    macs: int
    seeds: int
    spreads: Mapping[str, float | None]
    score: float | None = None  # where it was searched

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def percent(self, kind: str) -> str:
        """Mean and deviation as per cent."""
        mean, deviation = self.spreads[f"{kind}_mean"], self.spreads[f"{kind}_sd"]
        shown = "" if deviation is None else f" ± {100 * deviation:.2f}"
        return f"{100 * (mean or 0):.2f}{shown}"


def report_text(
    mode: str,
    setting: Setting,
    seeds: Sequence[int],
    rows: Sequence[Row],
    together: Sequence[str] = (),
) -> str:
    """The whole report.

    Args:
        together: sentences about all of them.
    """
    data = setting.dataset
    recipe = ", ".join(f"{name} {value}" for name, value in setting.recipe.to_dict().items())
    lines = [
        f"# Transfer to {Path(data.name).name}: {mode}",
        "",
        f"{data.classes} classes, {data.image_size}x{data.image_size} pixels, data "
        f"{setting.fingerprint}; "
        f"seeds {', '.join(map(str, seeds))}. All arms share data, recipe and seeds.",
        "",
        *_table(rows, accuracies_shown(data.classes)),
        "",
        *_reading(rows),
        *together,
        "",
        f"Recipe: {recipe}.",
        "",
    ]
    return "\n".join(lines)


def accuracies_shown(classes: int) -> dict[str, str]:
    """What is shown of a row, by its name there; of five classes or fewer every top-5 is right."""
    shown = {"validation": "validation %", "top_1": "test top-1 %", "top_5": "test top-5 %"}
    return {kind: name for kind, name in shown.items() if kind != "top_5" or classes >= TOP_5_NEEDS}


def _table(rows: Sequence[Row], shown: Mapping[str, str]) -> Iterator[str]:
    scored = any(row.score is not None for row in rows)
    yield f"| arm |{' score there |' * scored} params | macs | {' | '.join(shown.values())} |"
    yield f"|---|{'---:|' * (scored + 2 + len(shown))}"
    for row in rows:
        accuracies = " | ".join(row.percent(kind) for kind in shown)
        score = f" {'' if row.score is None else format(row.score, '.4g')} |" * scored
        yield f"| {row.name} |{score} {row.params:,} | {row.macs:,} | {accuracies} |"


def _reading(rows: Sequence[Row]) -> Iterator[str]:
    """What the numbers say, and what they do not."""
    yield "The test split was read once, after all trainings; nothing was chosen by it."
    first = rows[0]
    for row in rows[1:]:
        difference = 100 * ((first.spreads["top_1_mean"] or 0) - (row.spreads["top_1_mean"] or 0))
        yield f"{first.name} minus {row.name}: {difference:+.2f} points of test top-1."
    if len(rows) > 1 and first.seeds < _FEW:
        yield (
            f"With {counted(first.seeds, 'seed')} such a difference is an observation, no "
            f"evidence; {_FEW} or more would be."
        )
