"""The pages of the reference, made from the code whenever the site is built: they cannot drift."""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEYS = HERE.parent / "json-keys.json"
_MADE = "*Made from the code when this site was built.*\n"

_JSON = """\
What `--json` prints, and what `report.json` holds. These keys are a promise: within format {format}
none is renamed, removed or given another type; new ones may join. A test runs every verb and
compares. `a.b` is `b` within `a`; `a[].b` is `b` of each item of the list `a`."""

EVENTS = {
    "started": "A session begins; the first one states the format and the budget.",
    "asked": "A trial: what was proposed, its seed, and what the strategy wants to be reminded of; "
    "`learnt`: from which older study it was taken over.",
    "skipped": "A proposal that became no trial, because of a limit.",
    "attempted": "The evaluation begins, or begins again.",
    "progressed": "An evaluation reports after an epoch; lines of earlier attempts are void.",
    "told": "The trial ended with a score; `learnt`: as an older study judged it.",
    "stopped": "The trial was ended early by the stopping rule.",
    "failed": "The trial ended without a score.",
    "updated": "What the strategy says of itself, such as the controller's metrics.",
    "opened": "A winner was judged by what no search may see.",
    "extended": "The budget changed.",
    "finished": "The study ended, and why.",
}


def reference() -> dict[str, str]:
    """Each page by its place on the site."""
    pages = {
        "verbs": verbs(),
        "parts": parts(),
        "presets": presets(),
        "events": events(),
        "json": json_keys(),
        "python": python(),
    }
    return {f"reference/{name}.md": text for name, text in pages.items()}


def verbs() -> str:
    """Every verb with its words and options."""
    import typer.main

    from nas.cli import app

    commands: Mapping[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    lines = ["# Verbs", "", _MADE]
    lines += [
        "`nas VERB --help` says the same in a terminal. Exit codes: 0 done, 2 something to mend,"
    ]
    lines += ["3 interrupted (the same command continues), 1 a bug.", ""]
    for name, command in commands.items():
        lines += [f"## nas {name}", "", _paragraphs(command.help), ""]
        options = [option for option in command.params if not getattr(option, "hidden", False)]
        rows = [_option_row(option) for option in options]
        lines += _table(("word", "what it means", "default"), rows)
    return "\n".join(lines)


def _option_row(option: Any) -> tuple[str, str, str]:
    is_word = not option.opts[0].startswith("-")
    names = [option.metavar or option.name.upper()] if is_word else option.opts
    spelled = ", ".join(f"`{name}`" for name in names)
    given = option.default is not None and option.default is not False and option.default != []
    default = f"`{option.default}`" if given and not callable(option.default) else ""
    return (
        spelled,
        _cell(getattr(option, "help", "") or ""),
        "*needed*" if option.required else default,
    )


def parts() -> str:
    """Every part of every kind with its options."""
    from nas import registry
    from nas.settings import options_of

    lines = ["# Parts", "", _MADE, "`nas describe KIND NAME` says the same in a terminal.", ""]
    for kind in registry.KINDS:
        lines += [f"## {kind.capitalize()}", ""]
        for name in registry.names(kind):
            part = registry.load(kind, name)
            described = part if inspect.isclass(part) or inspect.isfunction(part) else type(part)
            lines += [f"### `{name}` {{#{kind}-{name}}}", ""]
            text, words = _split(inspect.getdoc(described) or "")
            lines += [text, ""] if described is part else ["A dataset.", ""]
            options = options_of(part) if described is part else {}
            rows = [
                (
                    f"`{option.name}`",
                    f"`{_cell(option.spelled)}`",
                    _default(option),
                    words.get(option.name, ""),
                )
                for option in options.values()
            ]
            lines += _table((f"`--set {kind}.`", "type", "default", ""), rows)
    return "\n".join(lines)


def _default(option: Any) -> str:
    return "*needed*" if option.required else f"`{_cell(str(option.default))}`"


def presets() -> str:
    """Every preset with what it sets."""
    from nas.full_size.presets import PRESETS as LARGE
    from nas.strategies.controller.settings import PRESETS as CONTROLLERS
    from nas.training.datasets import presets as known_presets
    from nas.training.recipe import Recipe
    from search_spaces.cells.skeleton import SKELETONS, Skeleton

    recipes = {name: preset for name, (_, preset) in known_presets().items()}
    usual, plain = asdict(Recipe()), asdict(Skeleton())
    lines = ["# Presets", "", _MADE, "## Of a training (`--preset`)", ""]
    lines += [
        "Recipe and skeleton of children, and of `nas retrain`; what is not listed is as in",
        "[Recipe](#recipe).",
        "",
    ]
    rows = [
        (
            f"`{name}`",
            _set(asdict(each.recipe), usual),
            _set(each.skeleton, {}),
        )
        for name, each in recipes.items()
    ]
    lines += _table(("preset", "recipe", "skeleton"), rows)
    lines += ["## Of a transfer (`nas transfer --preset`)", ""]
    rows = [
        (
            f"`{name}`",
            _set(asdict(each.recipe), usual),
            _set(each.skeleton, plain),
        )
        for name, each in LARGE.items()
    ]
    lines += _table(
        ("preset", "recipe", "skeleton"),
        [*rows, ("`fit`", "scaled to the pictures' number", "scaled to their size")],
    )
    lines += ["## Of the controller (`--set strategy.preset=`)", ""]
    rows = [(f"`{name}`", _set(asdict(each), {}), "") for name, each in CONTROLLERS.items()]
    lines += _table(("preset", "options", ""), rows)
    lines += ["## Skeletons (`--skeleton`)", ""]
    rows = [(f"`{name}`", _set(asdict(each), plain), "") for name, each in SKELETONS.items()]
    lines += _table(("skeleton", "differs from the defaults in", ""), rows)
    for title, part in (("Recipe", Recipe), ("Skeleton", Skeleton)):
        lines += [f"## {title}", "", f"`--set {title.lower()}.OPTION=VALUE`", ""]
        fields = inspect.signature(part).parameters.values()
        lines += _table(
            ("option", "type", "default"),
            [
                (f"`{one.name}`", f"`{_cell(str(one.annotation))}`", f"`{one.default}`")
                for one in fields
            ],
        )
    return "\n".join(lines)


def _set(values: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    missing = object()
    return ", ".join(
        f"`{name}={value}`" for name, value in values.items() if usual.get(name, missing) != value
    )


def events() -> str:
    """Every event with its keys."""
    found = keys_of_events()
    lines = ["# Events", "", _MADE]
    lines += [
        "A study's truth is `events.jsonl`: one JSON object a line, each with `event` and `time`."
    ]
    lines += ["`nas events STUDY --follow` shows them. Every format ever released can be read.", ""]
    for name, text in EVENTS.items():
        keys = ", ".join(f"`{key}`" for key in sorted(found[name]))
        lines += [f"## {name}", "", text, "", f"Keys: {keys}.", ""]
    return "\n".join(lines)


def keys_of_events() -> dict[str, set[str]]:
    """The keys of each event: those the code writes, and those of the studies kept as examples."""
    found: dict[str, set[str]] = {}
    for file in sorted((ROOT / "nas" / "study").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Dict):
                literal = {
                    key.value: value
                    for key, value in zip(node.keys, node.values, strict=True)
                    if isinstance(key, ast.Constant)
                }
                kind = literal.get("event")
                if isinstance(kind, ast.Constant) and kind.value != "notice":
                    found.setdefault(kind.value, set()).update(literal)
    for log in sorted((ROOT / "tests" / "corpus").rglob("events.jsonl")):
        for line in log.read_bytes().splitlines():
            with contextlib.suppress(ValueError):  # the last line of one of them is torn
                event = json.loads(line)
                found.setdefault(event["event"], set()).update(event)
    return {name: keys - {"event", "time"} for name, keys in found.items()}


def json_keys() -> str:
    """The keys of everything that is written as JSON."""
    content = json.loads(KEYS.read_text())
    lines = ["# JSON", "", _JSON.format(**content), ""]
    report = content["verbs"]["report.json"]
    for name, keys in sorted(content["verbs"].items()):
        lines += [f"## {name if name.endswith('.json') else f'nas {name} --json'}", ""]
        if keys == report and name != "report.json":
            lines += ["What `report.json` holds, see below.", ""]
        else:
            lines += _table(("key", "value"), [(f"`{key}`", kind) for key, kind in keys.items()])
    return "\n".join(lines)


def python() -> str:
    """Every public name with its signature and docstring."""
    import nas

    lines = [
        "# Python",
        "",
        _MADE,
        "`import nas` is the public door; [Use it from Python](../python.md) is the way in.",
        "",
    ]
    for name in nas.__all__:
        thing = getattr(nas, name)
        lines += [f"## `nas.{name}` {{#{name.strip('_')}}}", ""]
        if not callable(thing):
            lines += [f"`{thing}`, as text.", ""]
            continue
        lines += [
            "```text",
            f"nas.{name}{_signature(thing)}",
            "```",
            "",
            _docstring(inspect.getdoc(thing) or ""),
            "",
        ]
        if inspect.isclass(thing):
            lines += _members(thing)
    return "\n".join(lines)


def _signature(thing: Any) -> str:
    try:
        parameters = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    short = str(parameters)
    if len(short) < 90:
        return short
    inside = ",\n    ".join(str(one) for one in parameters.parameters.values())
    back = (
        ""
        if parameters.return_annotation is inspect.Signature.empty
        else f" -> {parameters.return_annotation}"
    )
    return f"(\n    {inside},\n){back}"


def _members(thing: type) -> list[str]:
    rows = []
    for name, member in vars(thing).items():
        text = inspect.getdoc(member) if not name.startswith("_") else None
        if text and (inspect.isfunction(member) or isinstance(member, property)):
            call = "()" if inspect.isfunction(member) else ""
            rows.append((f"`.{name}{call}`", _cell(text.partition("\n\n")[0])))
    return _table(("member", "what it is"), rows)


def _docstring(text: str) -> str:
    """A docstring as Markdown: its arguments as a list, its example as a block."""
    lines: list[str] = []
    in_args = in_example = False
    for line in text.splitlines():
        if line.startswith((">>> ", "... ")) and not in_example:
            lines += ["", "```pycon"]
            in_example = True
        if line.strip() == "Args:":
            in_args = True
            lines.append("")
        elif in_example or not in_args:
            lines.append(line)
        elif line.startswith("    ") and not line.startswith("     "):
            name, _, words = line.strip().partition(": ")
            lines.append(f"- `{name}`: {words}")
        elif line.strip():
            lines.append(f"    {line.strip()}")
        else:
            in_args = False
            lines.append("")
    return "\n".join([*lines, "```"] if in_example else lines)


def _split(text: str) -> tuple[str, dict[str, str]]:
    """A docstring apart from what it says of each option."""
    before, _, after = text.partition("Args:\n")
    words: dict[str, str] = {}
    for line in after.splitlines():
        name, colon, rest = line.strip().partition(": ")
        if (
            colon
            and line.startswith("    ")
            and not line.startswith("     ")
            and name.isidentifier()
        ):
            words[name] = rest
        elif words and line.strip():
            words[next(reversed(words))] += f" {line.strip()}"
    return before.strip(), {name: _cell(rest) for name, rest in words.items()}


def _paragraphs(text: str | None) -> str:
    return inspect.cleandoc(text or "")


def _cell(text: str) -> str:
    """Words as they may stand in a row of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    kept = [number for number, word in enumerate(head) if word or any(row[number] for row in rows)]
    shown: Iterator[Sequence[str]] = iter([head, ["---"] * len(head), *rows])
    return ["| " + " | ".join(row[number] for number in kept) + " |" for row in shown] + [""]
