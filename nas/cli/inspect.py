"""`nas inspect`: what the controller of a study has learned, and whether it is well."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli._options import Folder, Json, Trust

if TYPE_CHECKING:
    from search_spaces.cells.space import SearchSpace

_ROWS = 12
_COLUMNS = (
    "told",
    "reward_mean",
    "reward_max",
    "entropy_share",
    "kl",
    "clip_fraction",
    "gradient_norm",
    "distinct",
    "critic_correlation",
    "known_share",
)


def command(
    folder: Folder,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw the diagnostics as PNG here.")
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write them for TensorBoard here.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write the controller's weights here, for strategy.warm_start."
        ),
    ] = None,
    trust: Trust = False,
    as_json: Json = False,
) -> None:
    """Show the controller's updates: rewards, entropy, KL, gradients, what the policy prefers."""
    from nas.search.plan import Plan
    from nas.search.reading import updates_of

    plan = Plan.read(folder, trust=trust)
    space = plan.make_space()
    records = updates_of(folder)
    for target in (pictures, tensorboard, export):
        _make_folder(target)
    if as_json:
        print(json.dumps({"updates": records}))
    else:
        _print(records, space)
    if pictures is not None:
        from nas.reports.controller import draw

        _say(as_json, f"pictures: {', '.join(map(str, draw(records, space, pictures)))}")
    if tensorboard is not None:
        from nas.reports.controller import write_tensorboard

        write_tensorboard(records, space, tensorboard)
        _say(as_json, f"TensorBoard: tensorboard --logdir {tensorboard}")
    if export is not None:
        from nas.search.reading import heard_of
        from nas.search.screening import as_inside
        from nas.strategies.controller.learned_weights import export_weights

        strategy, past = as_inside(plan.make_strategy(space), heard_of(folder, plan.rules))
        weights = export_weights(strategy, past, export)
        _say(as_json, f"weights: {weights}")


def _make_folder(target: Path | None) -> None:
    """Refuse, before anything is printed or computed, a folder that cannot be made."""
    from nas.errors import NasError

    try:
        if target is not None:
            target.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise NasError(
            f"folder {str(target)!r} cannot be made: {problem.strerror}; give another one"
        ) from problem


def _say(as_json: bool, text: str) -> None:
    if not as_json:
        print(text)


def _print(records: Sequence[Mapping[str, Any]], space: SearchSpace) -> None:
    from nas.strategies.controller.history import histograms

    shown = (
        records
        if len(records) <= _ROWS
        else [records[i * (len(records) - 1) // (_ROWS - 1)] for i in range(_ROWS)]
    )
    columns = ["update", *(name for name in _COLUMNS if name in records[-1])]
    print("  ".join(f"{name:>{_width(name)}}" for name in columns))
    for record in shown:
        values = (_short(record[name]) if name in record else "" for name in columns)
        print(
            "  ".join(
                f"{value:>{_width(name)}}" for name, value in zip(columns, values, strict=True)
            )
        )
    if "policy" in records[-1]:
        print("\nwhat the policy prefers now:")
    for title, options, means in histograms(records[-1], space):
        print(f"  {title}")
        for option, mean in sorted(zip(options, means, strict=True), key=lambda pair: -pair[1]):
            print(f"    {option!s:>18}  {mean:6.1%}  {'█' * round(40 * mean)}")
    alarms = [record for record in records if "alarm" in record]
    if alarms:
        print(f"\nalarm since update {alarms[0]['update']}: {alarms[-1]['alarm']}")


def _width(name: str) -> int:
    return max(13, len(name))


def _short(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
