"""The command line: one file per verb, words in, calls out, no logic."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from nas import __version__
from nas.cli._verb import Verb
from nas.errors import NasError

app = typer.Typer(
    name="nas",
    help="Search for neural architectures, compare the searches, take the winner home.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_ABORTED = 130  # how typer ends on Ctrl-C

# A verb is a file here with a function `command`; the file name is the verb. The order is the order
# of the help page.
VERBS = tuple(
    sorted(
        file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_")
    )
)
for _verb in VERBS:
    app.command(_verb.rstrip("_").replace("_", "-"), cls=Verb)(
        importlib.import_module(f"nas.cli.{_verb}").command
    )


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"nas {__version__}")
        raise typer.Exit


@app.callback()
def _begin(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Options before the verb."""
    del version


def main() -> None:
    """Run the command line; a `NasError` becomes one sentence and exit code 2, Ctrl-C exit code
    3."""
    try:
        app(prog_name="nas")  # also as `python -m nas`
    except NasError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as end:
        sys.exit(3 if end.code == _ABORTED else end.code)
