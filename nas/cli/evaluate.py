"""`nas evaluate`: judge one genotype, without a search."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from nas.cli._options import DataDir, ImageSize, Json, Set, SkipCorrupt
from nas.registry import allow, is_outside, load


def command(
    genotype: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE|STUDY",
            help="A file, a text, a zoo name, a folder, or - for standard input.",
        ),
    ],
    evaluator: Annotated[str | None, typer.Option(help="Who judges (default train).")] = None,
    space: Annotated[
        str | None, typer.Option(help="The space it belongs to (default: the one it names).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the evaluation.")] = 0,
    table: Annotated[str | None, typer.Option(help="For the evaluator table.")] = None,
    score: Annotated[str | None, typer.Option(help="Expression over columns or metrics.")] = None,
    dataset: Annotated[str | None, typer.Option(help="What it is trained on.")] = None,
    preset: Annotated[str | None, typer.Option(help="How it is trained.")] = None,
    data_dir: DataDir = None,
    image_size: ImageSize = None,
    skip_corrupt: SkipCorrupt = False,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 or mps.")] = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Judge one genotype by any evaluator: one child, no search."""
    from nas.search.one_evaluation import evaluate_once
    from nas.search.winners import genotype_at
    from nas.settings import assignments, merged
    from nas.study.attempt import never_stop
    from nas.study.seed_spread import spread_told
    from search_spaces.cells.reading import parse_genotype

    if space is not None and is_outside("space", space):
        allow(space)
        load("space", space)  # its operations are known from now on
    drawn = parse_genotype(sys.stdin.read()) if genotype == "-" else genotype_at(genotype)
    words = {
        "name": evaluator, "table": table, "score": score, "dataset": dataset, "preset": preset,
        "data_dir": None if data_dir is None else str(data_dir), "device": device,
        "image_size": image_size, "skip_corrupt": skip_corrupt or None,
    }  # fmt: skip
    given = {"evaluator": {name: value for name, value in words.items() if value is not None}}
    tree = merged(assignments(settings or []), given)
    learned = {} if evaluator or table or dataset or preset else _learned_from(genotype)
    tree = merged({"evaluator": learned}, tree)
    judged = evaluate_once(drawn, tree, space, seed, never_stop if as_json else _tell_step)
    if as_json:
        facts = {"score": judged.score, "metrics": judged.metrics, "seconds": judged.seconds}
        print(json.dumps({"key": drawn.key, **facts}))
        return
    spread = spread_told(judged.metrics)
    on = f" on {learned['dataset']}" if learned else ""
    print(f"score {judged.score:.6g}{spread}{on} ({judged.seconds:.1f} s), key {drawn.key}")
    for name, value in judged.metrics.items():
        print(f"  {name}: {value}")


def _learned_from(source: str) -> dict[str, Any]:
    """What the children of this study or comparison learned from; nothing where it is none, where
    they learned nothing, and where code of somebody else's would read it."""
    from nas.full_size.data import learned_from

    data = learned_from(source)
    if data is None or is_outside("dataset", data.dataset or ""):
        return {}
    found = {
        "dataset": data.dataset, "data_dir": data.data_dir and str(data.data_dir),
        "image_size": data.image_size, "skip_corrupt": data.skip_corrupt,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def _tell_step(step: int, metrics: Mapping[str, Any]) -> bool:
    numbers = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
    shown = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    print(f"step {step}: {shown}", file=sys.stderr)
    return True
