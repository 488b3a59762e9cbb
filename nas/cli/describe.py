"""`nas describe`: what a part is and which options it has."""

from __future__ import annotations

import inspect
import json
from typing import Annotated, Any

import typer

from nas.cli._options import Json


def command(
    kind: Annotated[str, typer.Argument(help="strategy, evaluator, space, runner, ...")],
    name: Annotated[str, typer.Argument(help="The part, say evolution.")],
    as_json: Json = False,
) -> None:
    """Describe a part: what it promises, and its options with types and defaults."""
    from nas import registry
    from nas.settings import options_of

    part = registry.load(kind, name)
    text = inspect.getdoc(part if inspect.isclass(part) or inspect.isfunction(part) else type(part)) or ""
    options = options_of(part) if inspect.isclass(part) or inspect.isfunction(part) else {}
    facts: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "text": text,
        "options": [
            {"name": option.name, "type": option.spelled, **({} if option.required else {"default": option.default})}
            for option in options.values()
        ],
    }
    if as_json:
        print(json.dumps(facts, default=str))
        return
    print(text)
    if options:
        print(f"\noptions (--set {kind}.OPTION=VALUE):")
    for option in options.values():
        print(f"  {option.name}: {option.spelled}" + ("" if option.required else f" = {option.default!r}"))
