"""`nas describe`: what a part is and which options it has."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Container
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli._options import Json

if TYPE_CHECKING:
    from nas.settings import Option


def command(
    kind: Annotated[
        str | None,
        typer.Argument(help="strategy, evaluator, space, preset, recipe, ..."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(help="The part, say evolution."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Describe a part: what it promises, and its options with types and defaults.

    Without a name, what there is to describe.
    """
    from nas.cli._kinds import described_kinds
    from nas.errors import NasError, known_names

    kinds = described_kinds()
    if kind is not None and kind not in kinds:
        raise NasError(known_names(kind, kinds, "kind of part"))
    if kind is None or (name is None and kind not in ("recipe", "skeleton")):
        _print_names({each: kinds[each]() for each in ([kind] if kind else kinds)}, as_json)
        return
    facts = _facts(kind, name)
    if as_json:
        print(json.dumps(facts, default=str))
        return
    print("\n".join(wrap(facts["text"], 110)) if kind == "preset" else facts["text"])
    if facts["options"]:
        print(f"\noptions (--set {'' if kind == 'preset' else f'{kind}.'}OPTION=VALUE):")
    for option in facts["options"]:
        default = f" = {option['default']!r}" if "default" in option else ""
        print(f"  {option['name']}: {option['type']}{default}")
        for line in wrap(option["text"], 110):
            print(" " * 6 + line)


def _print_names(found: dict[str, list[str]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
        return
    for kind, names in found.items():
        print(f"{kind}: {', '.join(names) or 'none'}")


def _facts(kind: str, name: str | None) -> dict[str, Any]:
    if kind in ("preset", "recipe", "skeleton"):
        text, options = _of_settings(kind, name)
    else:
        assert name is not None
        text, options = _of_part("exporter" if kind == "format" else kind, name)
    return {"kind": kind, "name": name or kind, "text": text, "options": options}


def _of_settings(kind: str, name: str | None) -> tuple[str, list[dict[str, Any]]]:
    """A recipe or skeleton with its defaults, or what one of this name sets."""
    from nas.cli._kinds import documented, options_by_default, settings_called

    text = ""
    words: dict[str, str] = {}
    known: dict[str, Option] = {}
    for part in ("recipe", "skeleton") if kind == "preset" else (kind,):
        prefix = f"{part}." if kind == "preset" else ""
        options = options_by_default(part)
        text, said = _text_and_words(documented(part), options)
        known |= {f"{prefix}{each}": option for each, option in options.items()}
        words |= {f"{prefix}{each}": word for each, word in said.items()}

    values = {each: option.default for each, option in known.items()}
    if name is not None:
        text, values = settings_called(kind, name)
    rows = [
        {
            "name": each,
            "type": known[each].spelled,
            "default": value,
            "text": words.get(each, ""),
        }
        for each, value in values.items()
    ]
    return text, rows


def _of_part(kind: str, name: str) -> tuple[str, list[dict[str, Any]]]:
    from nas import registry
    from nas.settings import options_of

    registry.allow(name)
    part = registry.load(kind, name)
    if not (inspect.isclass(part) or inspect.isfunction(part)):
        return _of_record(part), []
    known = options_of(part)
    text, words = _text_and_words(inspect.getdoc(part) or "", known)
    if kind == "strategy":
        heard = "all" if getattr(part, "takes_several", False) else "the first alone"
        text += f"\n\nOf several objectives it learns from {heard}."
    options = [
        {
            "name": option.name,
            "type": option.spelled,
            **({} if option.required else {"default": option.default}),
            "text": words.get(option.name, ""),
        }
        for option in known.values()
    ]
    return text, options


def _of_record(dataset: Any) -> str:
    """A dataset that is a record, in sentences."""
    size = f"{dataset.image_size}x{dataset.image_size}"
    lines = [
        f"Dataset {dataset.name}: {dataset.classes} classes, images of {size} pixels in "
        f"{dataset.channels} channel{'s' * (dataset.channels > 1)}.",
        f"Children are trained by preset {dataset.preset}, winners by {dataset.final}.",
    ]
    if dataset.class_names:
        names = ", ".join(dataset.class_names)
        lines.append(f"Classes: {names}.")
    return "\n".join(line for each in lines for line in wrap(each, 110))


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
