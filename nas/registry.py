"""The file name is the registration: parts are found by name, without importing the others.

What lies outside this package and its entry points (`my_pkg.my_file:MyPart`) is imported only when
its name was typed by the user, or trusted in so many words: a file from a stranger runs no code.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from nas.errors import NasError, SettingsError, known_names, shortened

_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of part: the package its files live in, and the class each file holds one of."""

    package: str
    # Module and name of the class; None: the part is the one function or record of its file.
    contract: tuple[str, str] | None = None
    skip: frozenset[str] = frozenset()

    @property
    def folder(self) -> Path:
        """Where the files of this kind lie."""
        return _ROOT.joinpath(*self.package.split("."))


KINDS: Mapping[str, Kind] = {
    "strategy": Kind("nas.strategies", ("nas.contracts", "Strategy")),
    "evaluator": Kind("nas.evaluators", ("nas.contracts", "Evaluator")),
    "proxy": Kind("nas.evaluators.proxies"),
    "space": Kind(
        "search_spaces", ("search_spaces.cells.space", "SearchSpace"), frozenset({"errors"})
    ),
    "runner": Kind("runners", ("nas.contracts", "Runner")),
    "place": Kind("runners.places", ("nas.full_size.trainings", "Place")),
    "dataset": Kind("nas.training.datasets"),
    "exporter": Kind("nas.exporting.formats"),
    "tracker": Kind("nas.search.trackers", ("nas.search.tracking.runs", "Tracker")),
}

_FILE_NAMES = {  # no file of ours shadows the package that it is about
    ("strategy", "optuna"): "optuna_sampler",
    ("exporter", "onnx"): "onnx_model",
    ("tracker", "mlflow"): "mlflow_runs",
    ("tracker", "tensorboard"): "tensorboard_events",
    ("tracker", "wandb"): "wandb_runs",
}
_SPOKEN = {file: spoken for (_, spoken), file in _FILE_NAMES.items()}

# Ours, though no list shows them: reached by name from rooms below.
_UNLISTED = frozenset(
    {
        "nas.search.own_loop:OwnLoop",
        "nas.exporting.verified_onnx:verified_onnx",
        "nas.search.tabulation:Enumeration",
        "nas.search.tabulation:Sample",
    }
)
_allowed: set[str] = set(_UNLISTED)
_allowed_commands: set[str] = set()
COMMAND = "latency_command"  # the option of a part that is a command of the user's


def names(kind: str) -> list[str]:
    """The names of all parts of a kind, in order, from file names and entry points; nothing is
    imported."""
    return sorted({*_own_names(kind), *_entry_points(kind)})


def resolve(kind: str, name: str) -> str:
    """The full name of a part: itself, or the only one that begins so."""
    if is_outside(kind, name):
        return spelled(name)
    word, known = name.replace("_", "-"), names(kind)
    if word in known:
        return word
    beginnings = [full for full in known if full.startswith(word)] if word else []
    if len(beginnings) == 1:
        return beginnings[0]
    if beginnings:
        raise NasError(f"{kind} {shortened(name)} is ambiguous: it begins {', '.join(beginnings)}")
    raise NasError(known_names(name, known, kind))


def spelled(name: str) -> str:
    """A name as it is recorded: `./my_folder/my_file.py:MyPart` is `my_folder.my_file:MyPart`."""
    file, colon, attribute = name.partition(":")
    if not colon or not file.endswith(".py"):
        return name
    path = Path(file).expanduser().absolute()
    if not path.is_file():
        raise NasError(f"there is no file {shortened(file)}: expected my_file.py:MyPart")
    if not path.resolve().is_relative_to(Path.cwd()):
        raise NasError(
            f"{shortened(file)} lies outside this folder: go to the folder that holds "
            f"{path.name}, and say {path.name}:{attribute or 'MyPart'}"
        )
    below = path.resolve().relative_to(Path.cwd()).with_suffix("")
    return f"{'.'.join(below.parts)}:{attribute}"


def allow(*words: object) -> None:
    """Let these names be imported, because the user typed them; words that are no names of parts
    do not matter."""
    typed = [word for word in words if isinstance(word, str) and ":" in word]
    _allowed.update(typed, map(spelled, typed))


def allow_command(options: Mapping[str, object]) -> None:
    """Let the command that these options name be run, because the user typed it."""
    if isinstance(command := options.get(COMMAND), str):
        _allowed_commands.add(str(command))


def is_command_allowed(options: Mapping[str, object]) -> bool:
    """Whether these options name no command, or one that was typed in this process."""
    return options.get(COMMAND) is None or options[COMMAND] in _allowed_commands


def refuse_command_unless_allowed(command: str) -> None:
    """Refuse a command that was read from a file and not typed."""
    if command not in _allowed_commands:
        raise SettingsError(
            f"the latency command {shortened(command)} is named by a file, so it is not run: if "
            "you trust its author, give it in the command itself with --latency-command or, where "
            "a command has it, --trust"
        )


def is_outside(kind: str, name: str) -> bool:
    """Whether a name means a file of the user's own: `my_pkg.my_file:MyPart`."""
    head, colon, _ = name.partition(":")
    return bool(colon) and head.replace("_", "-") not in names(kind)


def all_allowed(words: Iterable[object]) -> bool:
    """Whether each of these words that could name a part was typed in this process."""
    return all(word in _allowed for word in words if isinstance(word, str) and ":" in word)


def refuse_unless_allowed(kind: str, name: str) -> None:
    """Refuse a name outside the package that was read from a file and not typed."""
    if is_outside(kind, name) and name not in _allowed | _UNLISTED:
        raise SettingsError(
            f"{kind} {shortened(name)} is named by a file and lies outside this package, so it is "
            "not imported: if you trust its author, give --trust, or name it in the command "
            f"itself with --{kind}"
        )


def load(kind: str, name: str) -> Any:
    """The class (or function, or record) of a part: one of ours, an entry point's, or
    `my_pkg.my_file:MyPart`.

    An argument behind the name of a part we know (`optuna:tpe`, `image-folder:DIR`) is left to the
    caller.
    """
    name = spelled(name)
    if is_outside(kind, name):
        refuse_unless_allowed(kind, name)
        return _load_path(kind, name)
    name = resolve(kind, name.partition(":")[0])
    if name in _own_names(kind):
        _refuse_foreign(_kind(kind).package)
        module = importlib.import_module(f"{_kind(kind).package}.{_own_names(kind)[name]}")
        return _the_part(kind, module)
    return _entry_points(kind)[name].load()


def _refuse_foreign(package: str) -> None:
    """Refuse a package of somebody else that has the name of one of ours."""
    head = package.partition(".")[0]
    module = importlib.import_module(head)
    place = next(iter(getattr(module, "__path__", [module.__file__])))
    if Path(place).resolve() != (_ROOT / head).resolve():
        raise NasError(
            f"Python finds {head!r} in {place}, which is another package than ours in {_ROOT}: "
            "rename or uninstall that one, or work in another folder"
        )


def name_of(kind: str, part: Any) -> str:
    """The name by which `load` finds this class or function again; refuses one it would not
    find."""
    for name, stem in _own_names(kind).items():
        if part.__module__ == f"{_kind(kind).package}.{stem}":
            return name
    path = f"{part.__module__}:{part.__qualname__}"
    if "." in part.__qualname__ or _load_path(kind, path) is not part:
        raise NasError(
            f"{kind} {shortened(path)} cannot be recorded: put it at the top of a file, so that "
            "it is found again by file and name"
        )
    return path


def _kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise NasError(known_names(kind, KINDS, "kind of part"))
    return KINDS[kind]


def _own_names(kind: str) -> dict[str, str]:
    place = _kind(kind)
    if not place.folder.is_dir():
        return {}
    files = (file.stem for file in place.folder.glob("*.py") if not file.stem.startswith("_"))
    return {
        _SPOKEN.get(stem, stem).replace("_", "-"): stem for stem in files if stem not in place.skip
    }


@cache
def _entry_points(kind: str) -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=f"nas.{kind}")}


def _load_path(kind: str, path: str) -> Any:
    module_name, _, attribute = path.partition(":")
    if not all(word.isidentifier() for word in (*module_name.split("."), attribute)):
        raise NasError(
            f"{shortened(path)} names no {kind}: expected a name, or my_package.my_file:MyPart"
        )
    module = _imported(module_name, f"{kind} {shortened(path)}")
    if not hasattr(module, attribute):
        raise NasError(
            f"{kind} {shortened(path)} cannot be loaded: module {module_name!r} has no attribute "
            f"{attribute!r}"
        )
    part = getattr(module, attribute)
    contract = _contract(kind)
    if contract is not None and not (inspect.isclass(part) and issubclass(part, contract)):
        raise NasError(
            f"{shortened(path)} is no {kind}: expected a class that extends {contract.__name__}"
        )
    return part


def import_file(file: str) -> None:
    """Import a file of the user's own for what it adds, say an operation."""
    module = spelled(f"{file}:it").partition(":")[0]
    if not all(word.isidentifier() for word in module.split(".")):
        raise NasError(f"{shortened(file)} cannot be imported: expected my_file.py, or my_file")
    _imported(module, f"{shortened(file)}")


def _imported(module: str, what: str) -> ModuleType:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(module)
    except (ImportError, SyntaxError) as problem:
        raise NasError(f"{what} cannot be loaded: {problem}") from problem
    except NasError:
        raise
    except Exception as problem:  # whatever goes wrong in a file of the user's own
        where = traceback.extract_tb(problem.__traceback__)[-1]
        raise NasError(
            f"{what} cannot be loaded: {type(problem).__name__} in line {where.lineno} of "
            f"{Path(where.filename).name}: {problem}"
        ) from problem


def _contract(kind: str) -> type | None:
    where = _kind(kind).contract
    return None if where is None else getattr(importlib.import_module(where[0]), where[1])


def _the_part(kind: str, module: ModuleType) -> Any:
    contract = _contract(kind)
    if contract is None:
        return getattr(module, module.__name__.rpartition(".")[2])
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, contract)
        and value.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise NasError(
            f"{module.__name__} should hold one class that extends {contract.__name__}, but has "
            f"{len(own)}"
        )
    return own[0]
