"""`nas plan`: what a search would cost, before it is spent."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli._options import Json
from nas.cli.search import takes_search_options
from nas.errors import StudyError

if TYPE_CHECKING:
    from nas.search.forecasts import Forecast, Span


@takes_search_options()
def command(
    tree: Mapping[str, Any],
    samples: Annotated[
        int, typer.Option(min=2, max=64, help="How many random genotypes are tried.")
    ] = 5,
    as_json: Json = False,
) -> None:
    """Try a handful of genotypes for seconds, and say what the search would cost.

    Takes the options of `nas search`, and begins nothing. Ranges are such that four of five
    searches lie within.
    """
    from dataclasses import asdict

    from nas.search.forecasting import forecast_of
    from nas.search.words import assignment

    todo = assignment(tree)
    if todo.budget is None:
        raise StudyError(
            f"{todo.folder} holds this study already: say how far it is to go with --trials, or "
            "see how far it is with `nas status`"
        )
    forecast = forecast_of(todo.plan, todo.budget, samples)
    search = _search_command()
    if as_json:
        print(json.dumps({**asdict(forecast), "search": search}))
        return
    print(*_told(forecast), sep="\n")
    print(f"begin it with `{search}`")


def _told(forecast: Forecast) -> Iterator[str]:
    from nas.cli._verb import durations

    where = f" on {' and '.join(forecast.hardware)}" if forecast.hardware else ""
    failed = ", ".join(
        f"{count} failed: {kind.replace('_', ' ')}" for kind, count in forecast.failures.items()
    )
    yield _line("tried", f"{forecast.tried:,} trials{where}" + (f"; {failed}" if failed else ""))
    a_trial, wall = forecast.seconds_a_trial, forecast.wall_seconds
    if forecast.preparing_seconds is not None:
        first = forecast.preparing_seconds
        yield _line("first", f"{durations(first.low, first.high)}, for what all trials share")
    yield _line("a trial", f"{durations(a_trial.low, a_trial.high)}, on average")
    if forecast.memory_mib is not None:
        yield _line("memory", f"{_numbers(forecast.memory_mib)} MiB for the largest child")
    if forecast.at_once is not None:
        place = "the machine" if forecast.device == "cpu" else "one GPU"
        yield _line("fit", f"{forecast.at_once:,} such children in the memory of {place}")
    if forecast.too_large is not None:
        share = forecast.too_large
        yield _line("too large", f"{share:.0%} of the space" if share else "nothing of the space")
    yield _line("at once", f"{forecast.places:,}")
    yield _line("trials", _numbers(forecast.trials))
    yield _line("wall clock", durations(wall.low, wall.high))
    device = "core" if forecast.device == "cpu" else "GPU"
    yield _line(f"{device}-hours", _numbers(forecast.device_hours))
    yield _line("disk", f"{_numbers(forecast.disk_mib)} MiB")


def _line(name: str, text: str) -> str:
    return f"{name:>11}: {text}"


def _numbers(span: Span) -> str:
    from nas.search.forecasts import short

    low, high = short(span.low), short(span.high)
    return low if low == high else f"{low} to {high}"


def _search_command() -> str:
    """The same words, as a search."""
    words = list(sys.argv[1:])
    place = words.index("plan")
    words[place] = "search"
    for index in [place for place, word in enumerate(words) if word == "--samples"][::-1]:
        del words[index : index + 2]
    kept = [word for word in words if word != "--json" and not word.startswith("--samples=")]
    return f"nas {shlex.join(kept)}"
