"""Parts given as objects: the name and the options under which `study.json` records them."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Mapping
from typing import Any

from nas import registry
from nas.errors import SettingsError, shortened
from nas.search.plan import Plan
from nas.settings import options_of
from search_spaces.cells.space import SearchSpace


def table_of(kind: str, part: Any) -> dict[str, Any]:
    """A part as a table of settings: its name, and the options that can be read off an object.

    Args:
        part: a name, a table with a name and options, a class or function, or an object.
    """
    if isinstance(part, str):
        return {"name": part}
    if isinstance(part, Mapping):
        return {**part, **({} if "name" not in part else table_of(kind, part["name"]))}
    if inspect.isclass(part) or inspect.isfunction(part):
        return {"name": registry.name_of(kind, part)}
    if kind == "dataset":
        return {"name": _name_of_record(part)}
    if kind == "strategy":
        raise SettingsError(
            f"strategy is an object of {type(part).__name__}, but each study makes its own: give "
            "the class"
        )
    return {"name": registry.name_of(kind, type(part)), **_options(kind, part)}


def refuse_unrecorded(plan: Plan, given: Mapping[str, Any]) -> None:
    """Refuse objects that would not be the same when they are made again from `study.json`."""
    space, evaluator = given.get("space"), given.get("evaluator")
    made = plan.make_space()
    if isinstance(space, SearchSpace) and space.fingerprint != made.fingerprint:
        raise SettingsError(_differs("space", space))
    if evaluator is None or isinstance(evaluator, str | Mapping) or inspect.isclass(evaluator):
        return
    if _state(plan.make_judge(made)) != _state(evaluator):
        raise SettingsError(_differs("evaluator", evaluator))


def _options(kind: str, part: Any) -> dict[str, Any]:
    """What its constructor was given, as its attributes of these names hold it."""
    found = {}
    for name in options_of(type(part)):
        places = [place for place in (name, f"_{name}") if hasattr(part, place)]
        if not places:
            raise SettingsError(
                f"{kind} {type(part).__name__} cannot be recorded: no attribute holds its option "
                f"{name!r}; keep it as self.{name}, or give the class and set={{...}}"
            )
        found[name] = getattr(part, places[0])
    return found


def _name_of_record(record: Any) -> str:
    name = getattr(record, "name", None)
    if name in registry.names("dataset") and registry.load("dataset", name) == record:
        return str(name)
    raise SettingsError(
        f"dataset {shortened(name)} cannot be recorded: a record does not say in which file it "
        "lies; give its path as text, as in dataset='my_data:my_dataset'"
    )


def _state(part: Any) -> dict[str, bytes]:
    return {name: pickle.dumps(value) for name, value in vars(part).items() if name != "space"}


def _differs(kind: str, part: Any) -> str:
    return (
        f"{kind} {type(part).__name__} cannot be recorded: made again from its options it would "
        "be another; let keyword options of its constructor say all that it is"
    )
