"""`nas export`: the winner in your hands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli._options import DataDir, Json, Set

if TYPE_CHECKING:
    from nas.exporting.choosing import Choice


def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE|STUDY|WEIGHTS", help="A study's folder, weights, or a genotype."
        ),
    ],
    to: Annotated[
        str | None,
        typer.Option(help="Formats of `nas list exporters`, with commas (default: all there are)."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="The best so many of a study.")] = 1,
    front: Annotated[
        bool, typer.Option("--front", help="All on the front of a study with --objectives.")
    ] = False,
    weights: Annotated[Path | None, typer.Option(help="Weights as safetensors.")] = None,
    skeleton: Annotated[
        str | None,
        typer.Option(
            help="cifar, imagenet-mobile, ... (default: the one the weights were trained in)."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write to.")] = None,
    latency: Annotated[
        bool, typer.Option("--latency", help="Measure the latency and write it into the card.")
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="onnx-int8, onnx-fp16: how much validation accuracy may be lost (default 0.01).",
        ),
    ] = None,
    data_dir: DataDir = None,
    runtime: Annotated[
        Path | None,
        typer.Option(help="web: the npm package onnxruntime-web (default: node_modules here)."),
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--license", help="hub: the licence that the card names.")
    ] = None,
    push: Annotated[
        str | None, typer.Option(metavar="USER/NAME", help="hub: send it there, afterwards.")
    ] = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Export a network as files that run without this toolkit, each verified before it is called
    exported."""
    import json
    import sys

    from nas.cli._exporting import refuse_beside_front, refuse_push, told, told_record
    from nas.cli._genotypes import parts_of
    from nas.exporting.choosing import choices, front_choices, subject_of
    from nas.exporting.export import export
    from nas.exporting.known import formats_of, usual_formats
    from nas.exporting.networks import front_folder
    from nas.exporting.pushing import push as send

    if push is not None:
        refuse_push(to, 2 if front else top)
    if front:
        refuse_beside_front(top, weights)
    given = parts_of(settings, ("skeleton",)).get("skeleton", {})
    formats = usual_formats() if to is None else formats_of(to) or ()
    records: list[dict[str, Any]] = []
    found = front_choices(source) if front else choices(source, top, weights)
    for rank, choice in enumerate(found, start=1):
        subject = subject_of(choice, skeleton, given)
        exported = export(
            subject,
            front_folder(source, choice, out)
            if front
            else _folder(source, choice, out, rank, len(found)),
            formats,
            latency=latency,
            licence=licence,
            options={
                "tolerance": tolerance,
                "data_dir": data_dir and str(data_dir),
                "runtime": runtime and str(runtime),
            },
        )
        if as_json:
            records.append(told_record(subject, exported))
        else:
            print("\n".join(told(subject, exported)))
    if push is not None:
        print(f"sent to {send(exported.folder, push)}", file=sys.stderr)
    if as_json:
        print(json.dumps({"exports": records}))


def _folder(source: str, choice: Choice, out: Path | None, rank: int, count: int) -> Path:
    """Where an export goes: `best/` of a study or a comparison, `exports/NAME` else; of several,
    each into a folder of its own."""
    from nas.study.places import is_searched, place_of

    searched = is_searched(place_of(source))
    base = out or (Path(source) / "best" if searched else Path("exports") / choice.name)
    return base / f"{rank}-trial-{choice.origin['trial']}" if count > 1 else base
