"""`nas profile`: how long a network takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli._options import Json, Set

_TABLE = "A table of latencies"


def command(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="GENOTYPE|STUDY|WEIGHTS", help="A study's folder, weights, or a genotype."
        ),
    ] = None,
    skeleton: Annotated[
        str | None, typer.Option(help="cifar, imagenet-mobile, imagenet-large, nasbench201.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 or mps.")] = "cpu",
    batch: Annotated[
        str | None, typer.Option(help="Sizes of batch (default 1,32; of a table 1).")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="torch, onnxruntime, or both (the default; of a table torch)."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.01, help="How long each is measured.")] = 2.0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads (default: torch's).")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Weights as safetensors; they do not change the latency.")
    ] = None,
    table_file: Annotated[
        Path | None,
        typer.Option(
            "--table",
            metavar="FILE",
            help="Measure random networks, and write what each operation takes at its place.",
            rich_help_panel=_TABLE,
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(help="What is drawn (default nasnet).", rich_help_panel=_TABLE),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="What children see.", rich_help_panel=_TABLE)
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Whose skeleton they have.", rich_help_panel=_TABLE)
    ] = None,
    networks: Annotated[
        int, typer.Option(min=10, help="Fit to so many.", rich_help_panel=_TABLE)
    ] = 100,
    latency_command: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="Ask this command instead.", rich_help_panel=_TABLE),
    ] = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Measure the latency of a network, or a table of latencies: the median of many passes, warm,
    in torch and in ONNX Runtime."""
    import json
    from dataclasses import asdict

    import torch

    from nas.cli._genotypes import parts_of
    from nas.cli._portraits import table
    from nas.errors import SettingsError
    from nas.exporting.choosing import choices, subject_of
    from nas.exporting.latencies import latencies
    from nas.search.plan import hardware
    from search_spaces.cells.cost import cost

    if threads is not None:
        torch.set_num_threads(threads)
    if (source is None) == (table_file is None):
        raise SettingsError("give a network to measure, or --table FILE to measure a space")
    if table_file is not None:
        from nas.cli._latency_table import write_table

        words = {"space": space, "dataset": dataset, "preset": preset}
        write_table(
            *(table_file, words, settings),
            engine=engine,
            batch=batch or "1",
            device=device,
            seconds=seconds,
            command=latency_command,
            networks=networks,
            as_json=as_json,
        )
        return
    assert source is not None
    given = parts_of(settings, ("skeleton",)).get("skeleton", {})
    subject = subject_of(choices(source, weights=weights)[0], skeleton, given)
    sizes = [_size(word) for word in (batch or "1,32").split(",")]
    engines = (engine or "torch,onnxruntime").split(",")
    found = latencies(subject, sizes, engines=engines, device=device, seconds=seconds)
    rows = [{**asdict(speed), "images_per_second": speed.images_per_second} for speed in found]
    spent = cost(subject.genotype, subject.skeleton)
    if as_json:
        facts = {
            "key": subject.genotype.key,
            "params": spent.params,
            "macs": spent.macs,
            "hardware": hardware(),
        }
        print(json.dumps({**facts, "latency": rows}))
        return
    print(
        f"{subject.title}: {spent.params:,} parameters, {spent.macs:,} multiply-adds; "
        f"{hardware()['cpu']}"
    )
    shown = [
        {name: f"{v:.2f}" if isinstance(v, float) else v for name, v in row.items()} for row in rows
    ]
    print("\n".join(table(shown)))


def _size(word: str) -> int:
    from nas.errors import SettingsError

    if not word.strip().isdecimal():
        raise SettingsError(
            f"--batch {word!r} is no size of batch; expected whole numbers, say 1,32"
        )
    return int(word)
