"""The command line: one file per verb, words in, calls out, no logic."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from nas import __version__
from nas.cli._completion import completed
from nas.cli._verb import Verb, harmless
from nas.cli._wrong_words import UsageError, sentence_of
from nas.errors import NasError

app = typer.Typer(
    name="nas",
    help="Search for neural architectures, compare the searches, take the winner home.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_ABORTED = 130  # what typer makes of Ctrl-C

# A verb is a file here with a function `command`; the file name is the verb. The order is the order
# of the help page.
VERBS = tuple(
    sorted(
        file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_")
    )
)
for _verb in VERBS:
    app.command(_verb.rstrip("_").replace("_", "-"), cls=Verb)(
        completed(importlib.import_module(f"nas.cli.{_verb}").command)
    )


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"nas {__version__}")
        raise typer.Exit


@app.callback()
def _begin(
    file: Annotated[
        str | None,
        typer.Option(
            "--import",
            metavar="FILE",
            help="Import a file of your own first, for the operations it adds.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Options before the verb."""
    del version
    if file is not None:
        from nas.registry import import_file

        import_file(file)


def main() -> None:
    """Run the command line; what is wrong becomes one sentence and exit code 2, Ctrl-C exit code
    3."""
    try:
        code = app(prog_name="nas", standalone_mode=False)  # also as `python -m nas`
    except NasError as problem:
        _refuse(str(problem))
    except UsageError as problem:
        if type(problem).__name__ == "NoArgsIsHelpError":  # the help is on the screen
            sys.exit(2)
        _refuse(sentence_of(problem))
    except typer.Abort:
        sys.exit(3)
    sys.exit(3 if code == _ABORTED else code or 0)


def _refuse(sentence: str) -> NoReturn:
    print(f"error: {harmless(sentence)}", file=sys.stderr)
    sys.exit(2)
