"""`nas evaluate`: judge one genotype, without a search."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from nas.cli._options import DataDir, ImageSize, Json, Set, SkipCorrupt


def command(
    genotype: Annotated[
        str, typer.Argument(help="A file, a text, a zoo name, or - for standard input.")
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
    import sys
    import tempfile
    from pathlib import Path

    from nas.contracts import Evaluation, Trial
    from nas.errors import NasError
    from nas.registry import refuse_unless_allowed
    from nas.search.words import assignment
    from nas.settings import assignments, merged
    from nas.study.attempt import attempt
    from search_spaces.cells.reading import parse_genotype, read_genotype

    drawn = parse_genotype(sys.stdin.read()) if genotype == "-" else read_genotype(genotype)
    if space is None:
        refuse_unless_allowed("space", drawn.space)  # a word of the file, not of the user
    flags: dict[str, dict[str, Any]] = {
        "space": {"name": space or drawn.space},
        "strategy": {"name": "random-search"},
        "evaluator": {
            "name": evaluator, "table": table, "score": score, "dataset": dataset, "preset": preset,
            "data_dir": None if data_dir is None else str(data_dir), "device": device,
            "image_size": image_size, "skip_corrupt": skip_corrupt or None,
        },
    }  # fmt: skip
    given = {
        part: {name: value for name, value in options.items() if value is not None}
        for part, options in flags.items()
    }
    plan = assignment(merged(assignments(settings or []), given)).plan
    judge = plan.make_evaluator(plan.make_space())

    def report(step: int, metrics: Any) -> bool:
        if not as_json:
            shown = ", ".join(
                f"{name} {value:.4g}"
                for name, value in metrics.items()
                if isinstance(value, int | float)
            )
            print(f"step {step}: {shown}", file=sys.stderr)
        return True

    with tempfile.TemporaryDirectory() as folder:
        outcome = attempt(judge, Trial(0, drawn, seed), Path(folder), report)
    if not isinstance(outcome, Evaluation):
        raise NasError(f"the evaluation failed: {getattr(outcome, 'message', outcome)}")
    facts = {
        "key": drawn.key,
        "score": outcome.score,
        "metrics": outcome.metrics,
        "seconds": outcome.seconds,
    }
    if as_json:
        print(json.dumps(facts))
        return
    print(f"score {outcome.score:.6g} ({outcome.seconds:.1f} s), key {drawn.key}")
    for name, value in outcome.metrics.items():
        print(f"  {name}: {value}")
