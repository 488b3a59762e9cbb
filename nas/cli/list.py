"""`nas list`: the parts there are."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from nas.cli._options import Json


def command(
    kind: Annotated[
        str | None,
        typer.Argument(help="strategies, datasets, ops, presets, formats, ..."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the parts of a kind, or of every kind."""
    from nas.cli._kinds import listed_kinds
    from nas.errors import NasError, known_names

    kinds = listed_kinds()
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
