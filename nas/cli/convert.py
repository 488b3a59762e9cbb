"""`nas convert`: a genotype in another of the forms we know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli._options import Json, Set

if TYPE_CHECKING:
    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import SearchSpace

FORMS = ("choices", "darts", "json", "nasbench201")


def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE|STUDY",
            help="A text, a file, a zoo name, a folder, or - for lines of input.",
        ),
    ],
    to: Annotated[str, typer.Option(help="json, darts, nasbench201 or choices.")],
    written_as: Annotated[
        str,
        typer.Option(
            "--from", help="What the input must be: auto, json, darts, nasbench201 or choices."
        ),
    ] = "auto",
    space: Annotated[
        str | None, typer.Option(help="The space that choices belong to, say nasnet.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file instead of the terminal.")
    ] = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Convert a genotype: DARTS text, NAS-Bench-201 strings, choices and JSON into each other."""
    from nas.cli._genotypes import check_target, make_space, parts_of, read_genotypes, write_text
    from nas.errors import NasError

    to, written_as = _form(to, "--to"), _form(written_as, "--from", ("auto", *FORMS))
    given = parts_of(settings, ("space",)).get("space", {})
    if space is None and (given or "choices" in (to, written_as)):
        named = _space_named(source, written_as)
        raise NasError(
            f"choices mean something in a space only; name it with --space, say --space {named}"
        )
    if out is not None:
        check_target(out)
    known = None if space is None else make_space(space, given)
    genotypes = read_genotypes(source, known, written_as)
    texts = [_text(genotype, to, known) for genotype in genotypes]
    if as_json:
        lines = [
            json.dumps({"form": to, "key": g.key, "text": t})
            for g, t in zip(genotypes, texts, strict=True)
        ]
    else:
        lines = texts
    if out is None:
        print("\n".join(lines))
    else:
        write_text(out, "\n".join(lines) + "\n")


def _form(name: str, option: str, known: tuple[str, ...] = FORMS) -> str:
    from nas.errors import NasError, known_names

    beginnings = [form for form in known if name and form.startswith(name.lower())]
    if len(beginnings) != 1:
        raise NasError(known_names(name, known, f"form for {option}"))
    return beginnings[0]


def _space_named(source: str, written_as: str) -> str:
    """The space that a genotype names, where it can be read and its space is known here."""
    from nas.cli._genotypes import read_genotypes
    from nas.errors import NasError
    from nas.registry import names

    try:
        named = read_genotypes(source, None, written_as)[0].space
    except NasError:
        return "nasnet"
    return named if named in names("space") else "nasnet"


def _text(genotype: Genotype, to: str, space: SearchSpace | None) -> str:
    from nas.errors import NasError
    from search_spaces.cells.darts_text import to_darts_text
    from search_spaces.cells.nasbench201_text import to_nasbench201_string
    from search_spaces.cells.reading import choices_text

    if genotype.settings and to in ("darts", "nasbench201"):
        raise NasError(
            f"the genotype chose {', '.join(genotype.settings)}, which a text of {to} cannot say: "
            "convert it to json"
        )
    if to == "choices" and space is not None:
        return choices_text(genotype, space)
    return {"darts": to_darts_text, "nasbench201": to_nasbench201_string}.get(
        to, type(genotype).to_json
    )(genotype)
