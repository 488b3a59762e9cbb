"""Words from the command line and from TOML files become typed options, checked against the
signature of each part."""

from __future__ import annotations

import inspect
import json
import sys
import tomllib
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, final

from nas import registry
from nas.errors import SettingsError, known_names, shortened

_LARGEST_FILE = 1_000_000
_BY_POSITION = {"strategy": ("space", "seed"), "evaluator": ("space",)}


@dataclass(frozen=True, slots=True)
class Option:
    """One keyword argument of a part's constructor."""

    name: str
    annotation: Any
    default: Any
    spelled: str  # the annotation as its author wrote it

    @property
    def required(self) -> bool:
        """Whether the part cannot do without it."""
        return self.default is inspect.Parameter.empty


def options_of(part: Callable[..., Any]) -> dict[str, Option]:
    """The options of a part: the keyword-only arguments of its constructor, with types and
    defaults."""
    parameters = inspect.signature(part).parameters.values()
    scope = _scope(part)
    return {
        parameter.name: Option(
            parameter.name,
            _resolved(parameter.annotation, scope),
            parameter.default,
            _spelled(parameter),
        )
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def refuse_positional(part: Callable[..., Any], given: Container[str], where: str) -> None:
    """Refuse a constructor with an option that no user could set, for it stands before the `*`.

    Args:
        given: what the caller hands over by position (`space`, `seed`).
    """
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    for parameter in inspect.signature(part).parameters.values():
        if parameter.kind in kinds and parameter.name not in given:
            raise SettingsError(
                f"{where} takes {parameter.name!r} by position, so nobody can set it: put a * "
                f"before it in the constructor of {part.__name__}, as in "
                f"(self, *, {parameter.name}=...)"
            )


def complete(part: Callable[..., Any], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """All options of a part: the given ones checked and typed, the others with their defaults.

    Args:
        where: how the user calls the part in `where.option=value`, for errors.
    """
    known = options_of(part)
    for name in given:
        if name not in known:
            raise SettingsError(known_names(name, known, f"option of {where}"))
    missing = [name for name, option in known.items() if option.required and name not in given]
    if missing:
        raise SettingsError(
            f"{where} needs {', '.join(missing)}: give it with --set {where}.{missing[0]}=..."
        )
    return {
        name: _typed(option, given[name], f"{where}.{name}") if name in given else option.default
        for name, option in known.items()
    }


@final
@dataclass(frozen=True, slots=True)
class Part:
    """A named part with all its options."""

    kind: str
    name: str
    options: Mapping[str, Any]
    # Whether a user chose it, here or in the process that sent it: only then is code outside the
    # package imported for it. A part read from a file was not.
    typed: bool = field(default=False, compare=False)

    @classmethod
    def named(cls, kind: str, name: str, given: Mapping[str, Any], *, typed: bool = True) -> Self:
        """The part of this name; what stands behind a colon (`optuna:tpe`) is its first option.

        Args:
            typed: the words are the user's own; False where a file says them.
        """
        name = registry.spelled(name)
        if typed:
            registry.allow(name, *given.values())
            registry.allow_command(given)
        factory = registry.load(kind, name)
        refuse_positional(factory, _BY_POSITION.get(kind, ()), f"{kind} {name}")
        head, colon, argument = name.partition(":")
        if registry.is_outside(kind, name):
            return cls(kind, name, complete(factory, given, kind), typed)
        head = registry.resolve(kind, head)
        if argument:
            given = {next(iter(options_of(factory))): argument, **given}
        return cls(kind, head + colon + argument, complete(factory, given, kind), typed)

    @classmethod
    def read(cls, kind: str, content: Mapping[str, Any], *, trust: bool) -> Self:
        """A part as a file names it: typed only if the user typed the same words."""
        name, options = content["name"], content["options"]
        if not isinstance(name, str):
            raise ValueError(f"{kind}.name: {shortened(name)} is no text")
        if not isinstance(options, dict):
            raise ValueError(f"{kind}.options: {shortened(options)} is no object")
        if trust:
            registry.allow(name, *options.values())
            registry.allow_command(options)
        typed = registry.all_allowed((name, *options.values()))
        typed = typed and registry.is_command_allowed(options)
        return cls(kind, name, options, typed)

    def allow(self) -> None:
        """Let this process import it, if the user chose it; the one that was told so may be
        another."""
        if self.typed:
            registry.allow(self.name, *self.options.values())
            registry.allow_command(self.options)

    @property
    def factory(self) -> Callable[..., Any]:
        """The part's class."""
        self.allow()
        part: Callable[..., Any] = registry.load(self.kind, self.name)
        return part

    @property
    def needs_trust(self) -> bool:
        """Whether its code, or that of its dataset, is the user's own."""
        dataset = self.options.get("dataset")
        return registry.is_outside(self.kind, self.name) or (
            isinstance(dataset, str) and registry.is_outside("dataset", dataset)
        )

    @property
    def runs_command(self) -> bool:
        """Whether it runs a command of the user's own."""
        return self.options.get(registry.COMMAND) is not None

    def defaults(self) -> dict[str, Any]:
        """What its options are where nothing is said."""
        return {name: option.default for name, option in options_of(self.factory).items()}

    def checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options, those that are no defaults typed again: a file may say anything."""
        part, defaults = self.factory, self.defaults()
        given = {
            name: value
            for name, value in options.items()
            if name not in defaults or repr(value) != repr(defaults[name])
        }
        typed = complete(part, given, self.kind)
        return {name: typed[name] if name in given else options[name] for name in options}

    def to_dict(self) -> dict[str, Any]:
        """Name and options as JSON."""
        return {"name": self.name, "options": dict(self.options)}


def assignments(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`["strategy.population=50"]` as `{"strategy": {"population": Word("50")}}`; deeper dots
    nest."""
    tree: dict[str, dict[str, Any]] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        names = path.strip().split(".")
        if not equals or len(names) < 2 or not all(names):
            raise SettingsError(
                f"{shortened(text)} is no setting: expected part.option=value, as in "
                "strategy.population=50"
            )
        place: dict[str, Any] = tree
        for name in names[:-1]:
            place = place.setdefault(name.replace("-", "_"), {})
            if not isinstance(place, dict):
                raise SettingsError(
                    f"{shortened(text)} sets a part of {name!r}, which already has a value"
                )
        place[names[-1].replace("-", "_")] = Word(value)
    return tree


class Word(str):
    """A value as typed on the command line: it takes the type its option asks for."""

    __slots__ = ()


def read_config(path: Path) -> dict[str, Any]:
    """The tables of a TOML file."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise SettingsError(
                f"{path} is larger than {_LARGEST_FILE:,} bytes: that is no configuration"
            )
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SettingsError(f"{path} cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise SettingsError(f"{path} is not UTF-8 text: expected a TOML file") from problem
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise SettingsError(f"{path} is not TOML: {problem}") from problem
    for name, table in tree.items():
        if not isinstance(table, dict):
            raise SettingsError(
                f"{path}: {name} is {shortened(table)}: expected a table, as in [study] trials = 50"
            )
    return tree


def merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Two trees of settings as one; where both speak, `high` wins."""
    tree = dict(low)
    for name, value in high.items():
        below = tree.get(name)
        tree[name] = (
            merged(below, value)
            if isinstance(below, Mapping) and isinstance(value, Mapping)
            else value
        )
    return tree


def _scope(part: Callable[..., Any]) -> dict[str, Any]:
    """The names its annotations are written in: those of the file that holds its constructor."""
    maker = part.__init__ if inspect.isclass(part) else part
    scope: dict[str, Any] = getattr(
        inspect.unwrap(maker), "__globals__", vars(sys.modules[part.__module__])
    )
    return scope


class _Unknown:
    """The type of an option whose annotation is imported for type checkers only."""


def _resolved(annotation: Any, scope: dict[str, Any]) -> Any:
    if annotation is inspect.Parameter.empty:
        return Any
    if not isinstance(annotation, str):
        return annotation
    try:
        # our own source, or that of a part the user chose to import; no file's word comes here
        return eval(annotation, scope)  # noqa: S307
    except NameError:
        return _Unknown


def _spelled(parameter: inspect.Parameter) -> str:
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        return "Any"
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _typed(option: Option, value: Any, where: str) -> Any:
    from pydantic import PydanticUserError, TypeAdapter, ValidationError

    try:
        adapter = TypeAdapter(option.annotation)
    except PydanticUserError as error:
        raise SettingsError(
            f"{where} cannot be set: its type, {option.spelled}, is not one of plain values; "
            "bool, int, float, str, lists and tables can be"
        ) from error
    problem: ValidationError | None = None
    for reading in _readings(value):
        try:
            return adapter.validate_json(json.dumps(reading, default=str), strict=True)
        except ValidationError as error:
            problem = problem or error
    assert problem is not None
    reason = problem.errors()[0]["msg"]
    raise SettingsError(
        f"{where} is {shortened(_unworded(value))}: {reason[0].lower()}{reason[1:]} (its type is "
        f"{option.spelled})"
    )


def _readings(value: Any) -> list[Any]:
    """What a value may mean: a word is first read as TOML would (50, 0.1, true, [1, 2]), then as
    JSON, text or list."""
    if isinstance(value, Word):
        readings: list[Any] = [str(value)]
        if str(value) in ("none", "None", "null"):
            readings.insert(0, None)
        try:
            readings.insert(0, tomllib.loads(f"x = {value}")["x"])
        except (tomllib.TOMLDecodeError, RecursionError):
            if value.lstrip().startswith("{"):
                readings[:0] = _json_objects(value)
            elif value.strip():
                readings.append([word.strip() for word in value.split(",")])
        return readings
    return [_unworded(value)]


def _json_objects(text: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return []


def _unworded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _unworded(item) for name, item in value.items()}
    return _readings(value)[0] if isinstance(value, Word) else value
