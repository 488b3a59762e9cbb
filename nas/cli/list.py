"""`nas list`: the parts there are."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated

import typer

from nas.cli._options import Json


def command(
    kind: Annotated[
        str | None, typer.Argument(help="genotypes, ops, spaces, strategies, evaluators, ...")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the parts of a kind, or of every kind."""
    from nas.errors import NasError, known_names

    kinds = _kinds()
    if kind is None:
        found = {name: names() for name, names in kinds.items()}
    else:
        beginnings = (
            [kind] if kind in kinds else [name for name in kinds if kind and name.startswith(kind)]
        )
        if len(beginnings) > 1:
            raise NasError(f"kind {kind!r} is ambiguous: it begins {', '.join(beginnings)}")
        if not beginnings:
            raise NasError(known_names(kind, kinds, "kind of part"))
        (spelled,) = beginnings
        found = {spelled: kinds[spelled]()}
    if as_json:
        print(json.dumps(found))
        return
    for name, parts in found.items():
        if kind is None:
            print(f"{name}: {', '.join(parts) or 'none'}")
        else:
            print("\n".join(parts))


def _kinds() -> dict[str, Callable[[], list[str]]]:
    """What can be listed, each with the function that lists it; nothing is imported to do so."""
    from functools import partial

    from nas import registry
    from search_spaces import zoo
    from search_spaces.cells.json_form import known_ops

    plural = {"strategy": "strategies"}
    kinds: dict[str, Callable[[], list[str]]] = {
        plural.get(kind, f"{kind}s"): partial(registry.names, kind) for kind in registry.KINDS
    }
    return {**kinds, "genotypes": zoo.names, "ops": lambda: list(known_ops())}
