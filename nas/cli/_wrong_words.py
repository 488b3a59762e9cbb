"""What is wrong with the words of a command, in one sentence of ours."""

from __future__ import annotations

from typing import Any, Final

import typer

from nas.errors import shortened

# Of typer's own click, or of click, whichever this version of typer uses.
UsageError: Final[type[Exception]] = typer.BadParameter.__mro__[1]

_EXPECTED = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
}


def sentence_of(problem: Any) -> str:
    """The sentence for a usage error."""
    if type(problem).__name__ == "NoSuchOption":
        return _unknown(problem)
    if type(problem).__name__ == "MissingParameter":
        return (
            f"{_command(problem)} needs {_name(problem.param)}: `{_command(problem)} -h` says more"
        )
    if isinstance(problem, typer.BadParameter) and problem.param is not None:
        return f"{_name(problem.param)} {_refused(problem)}"
    text = " ".join(str(problem.format_message()).split()).rstrip(".")
    return text[:1].lower() + text[1:]


def _unknown(problem: Any) -> str:
    close = sorted(problem.possibilities or ())
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"{_command(problem)} has no option {shortened(problem.option_name)}{hint}"


def _refused(problem: Any) -> str:
    """The value and the expectation, as far as the reader of options says them."""
    errors: Any = getattr(problem.__cause__, "errors", list)()
    if not errors:
        return f"is refused: {str(problem.message).rstrip('.')}"
    value, expected = errors[0]["input"], _EXPECTED.get(errors[0]["type"])
    if expected is not None:
        return f"is {shortened(value)}: expected {expected.format(**errors[0].get('ctx', {}))}"
    reason = str(errors[0]["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"is {shortened(value)}: {reason[:1].lower()}{reason[1:]}"


def _name(param: Any) -> str:
    """How the user spells an option or argument."""
    if param.param_type_name == "argument":
        return str(param.metavar or param.name.upper())
    return str(max(param.opts, key=len))


def _command(problem: Any) -> str:
    return str(problem.ctx.command_path) if problem.ctx is not None else "nas"
