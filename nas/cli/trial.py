"""`nas trial`: everything about one trial."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli._options import Folder, Json
from nas.cli._verb import drawn

if TYPE_CHECKING:
    from search_spaces.cells.genotype import Genotype


def command(
    folder: Folder,
    number: Annotated[int, typer.Argument(min=0, help="The trial's number.")],
    as_json: Json = False,
) -> None:
    """Show one trial: its drawing, its learning curve, its events and, if it failed, the
    traceback."""
    from nas.cli._words import described
    from nas.errors import StudyError
    from nas.search.plan import Plan
    from nas.search.reading import ledger_of, trial_events
    from search_spaces.cells.genotype import Genotype

    plan = Plan.read(folder)
    events = [event for event in trial_events(folder, number) if event["event"] != "updated"]
    if not events:
        count = ledger_of(folder, plan.rules).next_number
        raise StudyError(
            f"{folder} has no trial {number}: "
            + (f"its trials are 0 to {count - 1}" if count else "it has none yet")
        )
    if as_json:
        print(json.dumps({"number": number, "events": events}))
        return
    genotype = Genotype.from_dict(events[0]["genotype"])
    if genotype.cells:
        print(_drawing(genotype) + "\n", file=drawn(sys.stdout))
        for name, value in genotype.settings.items():
            print(f"{name} = {value}")
    else:
        print(", ".join(f"{name}={value}" for name, value in (genotype.choices or {}).items()))
    for event in events:
        if event["event"] != "progressed":
            print(described(event))
    for line in _curve([event for event in events if event["event"] == "progressed"]):
        print(line)
    for message in dict.fromkeys(
        str(event.get("after", event).get("message", "")) for event in events
    ):
        if "\n" in message:
            print("\n" + message.partition("\n")[2].rstrip())


def _drawing(genotype: Genotype) -> str:
    from nas.drawings.terminal import cells_text, draws_boxes

    width = shutil.get_terminal_size((100, 24)).columns
    plain = not draws_boxes(sys.stdout.encoding)
    return cells_text(genotype, width, color=sys.stdout.isatty(), plain=plain)


def _curve(steps: Sequence[Mapping[str, Any]], width: int = 40) -> list[str]:
    """The learning curve as bars of the first metric that looks like an accuracy or a score."""
    last_attempt = max((event["attempt"] for event in steps), default=0)
    steps = [event for event in steps if event["attempt"] == last_attempt]
    names = [name for name in ("val_accuracy", "score") if steps and name in steps[-1]["metrics"]]
    if not names:
        return []
    lines = [f"{names[0]} by step"]
    for event in steps:
        value = event["metrics"].get(names[0])
        if isinstance(value, int | float):
            bar = "█" * round(max(0.0, min(1.0, value)) * width)
            lines.append(f"{event['step']:>6} {bar:<{width}} {value:.4f}")
    return lines
