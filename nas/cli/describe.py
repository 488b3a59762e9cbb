"""`nas describe`: what a part is and which options it has."""

from __future__ import annotations

import inspect
import json
import re
from textwrap import wrap
from typing import Annotated

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
    is_described = inspect.isclass(part) or inspect.isfunction(part)
    text, words = _text_and_words(inspect.getdoc(part if is_described else type(part)) or "")
    options = [
        {
            "name": option.name,
            "type": option.spelled,
            **({} if option.required else {"default": option.default}),
            "text": words.get(option.name, ""),
        }
        for option in (options_of(part).values() if is_described else ())
    ]
    if as_json:
        print(json.dumps({"kind": kind, "name": name, "text": text, "options": options}, default=str))
        return
    print(text)
    if options:
        print(f"\noptions (--set {kind}.OPTION=VALUE):")
    for option in options:
        print(f"  {option['name']}: {option['type']}" + (f" = {option['default']!r}" if "default" in option else ""))
        print("\n".join(wrap(option["text"], 110, initial_indent=" " * 6, subsequent_indent=" " * 6)) or "")


def _text_and_words(doc: str) -> tuple[str, dict[str, str]]:
    """A docstring without its `Args:`, and what they say of each option."""
    text, _, args = doc.partition("\nArgs:\n")
    words: dict[str, str] = {}
    for line in args.splitlines():
        if match := re.match(r" {4}(\w+): (.*)", line):
            words[match[1]] = match[2]
        elif words:
            words[next(reversed(words))] += " " + line.strip()
    return text.strip(), {name: told.strip() for name, told in words.items()}
