"""`nas describe`: what a part is and which options it has."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Container
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

    registry.allow(name)
    part = registry.load(kind, name)
    is_described = inspect.isclass(part) or inspect.isfunction(part)
    known = options_of(part) if is_described else {}
    text, words = _text_and_words(inspect.getdoc(part if is_described else type(part)) or "", known)
    options = [
        {
            "name": option.name,
            "type": option.spelled,
            **({} if option.required else {"default": option.default}),
            "text": words.get(option.name, ""),
        }
        for option in known.values()
    ]
    if as_json:
        print(
            json.dumps({"kind": kind, "name": name, "text": text, "options": options}, default=str)
        )
        return
    print(text)
    if options:
        print(f"\noptions (--set {kind}.OPTION=VALUE):")
    for option in options:
        print(
            f"  {option['name']}: {option['type']}"
            + (f" = {option['default']!r}" if "default" in option else "")
        )
        for line in wrap(option["text"], 110):
            print(" " * 6 + line)


def _text_and_words(doc: str, options: Container[str]) -> tuple[str, dict[str, str]]:
    """A docstring apart from what it says of each option, under `Args:` or in lines of their
    own."""
    text: list[str] = []
    words: dict[str, str] = {}
    for line in doc.splitlines():
        match = re.match(r"\s*(\w+): (.*)", line)
        if match and match[1] in options:
            words[match[1]] = match[2]
        elif words and line.startswith("    "):
            words[next(reversed(words))] += " " + line.strip()
        elif line != "Args:":
            text.append(line)
    return "\n".join(text).strip(), words
