"""`nas best`: the winners of a study, or of a comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli._options import Folder, Json
from nas.errors import counted

if TYPE_CHECKING:
    from nas.search.fronts import Member


def command(
    folder: Folder,
    top: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    as_json: Json = False,
) -> None:
    """Name the best distinct genotypes of a study, those first that were judged again; with several
    objectives, its front. Of a comparison, the best winners of its studies."""
    from nas.search.plan import Plan
    from nas.search.winners import winners_of
    from nas.study.places import is_comparison
    from nas.study.seed_spread import spread_told

    of_many = is_comparison(folder)
    # A study is read first: that says what is wrong where there is none.
    if not of_many and Plan.read(folder).objectives is not None:
        _list_front(folder, as_json=as_json)
        return
    winners = [
        {
            "number": asked["number"],
            "score": score,
            "key": asked["key"],
            "metrics": told["metrics"],
            "seconds": told["seconds"],
            "final": final,
            "genotype": asked["genotype"],
            **({"study": str(place.relative_to(folder))} if of_many else {}),
            **({} if of_many or place == folder else {"confirmed_in": place.name}),
        }
        for place, (score, asked, told, final) in winners_of(folder, top)
    ]
    if as_json:
        print(json.dumps({"folder": str(folder), "best": winners}))
        return
    for rank, winner in enumerate(winners, start=1):
        final = "".join(f", {name} {value:.6g}" for name, value in winner["final"].items())
        print(
            f"{rank:>3}. {_judged_in(winner)}trial {winner['number']}, score {winner['score']:.6g}"
            f"{spread_told(winner['metrics'])}{final}, key "
            f"{winner['key']}{_chosen(winner['genotype'])}"
        )
        if top == 1:
            print(json.dumps(winner["genotype"]))


def _judged_in(winner: Mapping[str, Any]) -> str:
    """Where a winner was judged, if not in the study that was asked for."""
    if "study" in winner:
        return f"{winner['study']}, "
    return f"confirmed, {winner['confirmed_in']}: " if "confirmed_in" in winner else ""


def _chosen(genotype: Mapping[str, Any]) -> str:
    """The settings that a genotype chose."""
    settings: Mapping[str, Any] = genotype.get("settings", {})
    return "".join(f", {name} {value}" for name, value in settings.items())


def _list_front(folder: Path, *, as_json: bool) -> None:
    """The knee first, then all that no other trial dominates."""
    from nas.search.fronts import front_of

    found = front_of(folder)
    if as_json:
        members = [asdict(member) for member in found.members]
        facts = {"front": members, "knee": found.knee.number, "hypervolume": found.hypervolume}
        print(json.dumps({"folder": str(folder), **facts}))
        return
    covered = "" if found.hypervolume is None else f", hypervolume {found.hypervolume:.4f}"
    print(
        f"the knee: trial {found.knee.number}, {_values(found.knee)}, of "
        f"{counted(len(found.members), 'trial')} on the front{covered}"
    )
    for rank, member in enumerate(found.members, start=1):
        final = "".join(f", {name} {value:.6g}" for name, value in member.final.items())
        print(
            f"{rank:>3}. trial {member.number}, {_values(member)}{final}, key {member.key}"
            f"{_chosen(member.genotype)}"
        )


def _values(member: Member) -> str:
    return ", ".join(f"{name} = {value:.6g}" for name, value in member.objectives.items())
