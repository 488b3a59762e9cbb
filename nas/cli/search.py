"""`nas search`: launch a search, or continue the same one; its options are those of every verb that
begins searches."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nas.cli._options import Json, Set, To
from nas.cli._tracking import Track

if TYPE_CHECKING:
    from nas.search.confirming import Believer

_SEARCH, _BUDGET, _TABLE, _TRAIN, _RULES = (
    "What to search",
    "How far",
    "Table of results",
    "Training",
    "Rules",
)
_RUNNER = "Where it runs"
_CONFIRMED = "The end of a cheap search"

ConfirmBy = Literal["score", "belief"]


def takes_search_options(
    *, without: Container[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb the options of a search; its function receives them first, as a tree of settings.

    Args:
        without: options that make no sense for this verb.
    """

    def extend(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        shared = [option for option in _parameters() if option.name not in without]
        names = [option.name for option in shared]

        @wraps(command)
        def run(**words: Any) -> None:
            from nas.search.words import tree_of_words

            command(tree_of_words({name: words.pop(name) for name in names}), **words)

        run.__signature__ = inspect.Signature(shared + own)  # type: ignore[attr-defined]
        return run

    return extend


def _parameters() -> list[inspect.Parameter]:
    return list(inspect.signature(_options, eval_str=True).parameters.values())


def _options(
    space: Annotated[
        str | None,
        typer.Option(help="What can be drawn (default nasnet).", rich_help_panel=_SEARCH),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="Who draws (default policy-gradient).", rich_help_panel=_SEARCH),
    ] = None,
    evaluator: Annotated[
        str | None, typer.Option(help="Who judges (default train).", rich_help_panel=_SEARCH)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="The seed of everything (default 0).", rich_help_panel=_SEARCH),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(help="The study's folder (default under results/).", rich_help_panel=_SEARCH),
    ] = None,
    start_from: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GENOTYPE",
            help="Genotypes for the first trials: a file, a text, a zoo name, or a study's folder.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    learn_from: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STUDY",
            help="Know from the start, at no cost, what older studies judged in the same way.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A TOML file of settings; flags win.", rich_help_panel=_SEARCH),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(help="Evaluate so many; repeats are free.", rich_help_panel=_BUDGET),
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option(
            help="Two or three formulas to raise, say 'val_accuracy, -macs', in place of --score.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    scales: Annotated[
        str | None,
        typer.Option(
            metavar="WORST:BEST,...",
            help="What a front is measured by (default: a pilot of random draws).",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    budget_seconds: Annotated[
        float | None,
        typer.Option(
            help="End after so many summed seconds of evaluation.", rich_help_panel=_BUDGET
        ),
    ] = None,
    max_hours: Annotated[
        float | None,
        typer.Option(help="End after so many hours of wall clock.", rich_help_panel=_BUDGET),
    ] = None,
    runner: Annotated[
        str | None, typer.Option(help="local (the default) or ray.", rich_help_panel=_RUNNER)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="local: how many processes (default 1: this one).", rich_help_panel=_RUNNER
        ),
    ] = None,
    trial_timeout: Annotated[
        float | None, typer.Option(help="Seconds a trial may take.", rich_help_panel=_RUNNER)
    ] = None,
    gpus_per_trial: Annotated[
        float | None,
        typer.Option(help="ray: GPUs of one child, say 0.25 (default 0).", rich_help_panel=_RUNNER),
    ] = None,
    cpus_per_trial: Annotated[
        float | None,
        typer.Option(help="ray: processors of one child (default 1).", rich_help_panel=_RUNNER),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(help="ray: children at once (default: what fits).", rich_help_panel=_RUNNER),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="ray: auto or HOST:PORT (default: what runs here, else start one).",
            rich_help_panel=_RUNNER,
        ),
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="CSV, CSV.GZ or Parquet file, a row per architecture; several are joined.",
            rich_help_panel=_TABLE,
        ),
    ] = None,
    score: Annotated[
        str | None, typer.Option(help="Expression over columns or metrics.", rich_help_panel=_TABLE)
    ] = None,
    cost: Annotated[
        str | None, typer.Option(help="Expression over columns: seconds.", rich_help_panel=_TABLE)
    ] = None,
    final: Annotated[
        str | None,
        typer.Option(
            help="Expression winners are judged by; train: test_accuracy, none.",
            rich_help_panel=_TABLE,
        ),
    ] = None,
    decisions: Annotated[
        str | None,
        typer.Option(help="Pattern of decision columns, or one column.", rich_help_panel=_TABLE),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="What children are trained on.", rich_help_panel=_TRAIN)
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="How they are trained.", rich_help_panel=_TRAIN)
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Where data sets lie.", rich_help_panel=_TRAIN)
    ] = None,
    skip_corrupt: Annotated[
        bool,
        typer.Option(
            "--skip-corrupt",
            help="Leave out pictures that cannot be decoded.",
            rich_help_panel=_TRAIN,
        ),
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1 or mps.", rich_help_panel=_TRAIN)
    ] = None,
    duplicates: Annotated[
        str | None, typer.Option(help="reuse, retrain or resample.", rich_help_panel=_RULES)
    ] = None,
    evaluations_per_trial: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000,
            help="Judge each genotype with so many seeds; the mean is its score (default 1).",
            rich_help_panel=_RULES,
        ),
    ] = None,
    retries: Annotated[
        int | None, typer.Option(help="Tries after a failure (default 1).", rich_help_panel=_RULES)
    ] = None,
    failure_score: Annotated[
        float | None,
        typer.Option(help="What a strategy hears of a failure.", rich_help_panel=_RULES),
    ] = None,
    stopped_as: Annotated[
        str | None, typer.Option(help="worst or ignore.", rich_help_panel=_RULES)
    ] = None,
    early_stop: Annotated[
        str | None, typer.Option(help="asha, median or none (the default).", rich_help_panel=_RULES)
    ] = None,
    screen: Annotated[
        str | None,
        typer.Option(
            metavar="JUDGE:K",
            help="Try the best of K proposals by a cheap judge, say proxy.grasp:4.",
            rich_help_panel=_RULES,
        ),
    ] = None,
    fidelity: Annotated[
        str | None,
        typer.Option(
            metavar="SHARES",
            help="Train short first, and of three the best in full: 1/4,1.",
            rich_help_panel=_RULES,
        ),
    ] = None,
    deterministic: Annotated[
        bool | None,
        typer.Option(
            "--deterministic",
            help="The same study on any number of workers.",
            rich_help_panel=_RULES,
        ),
    ] = None,
    lag: Annotated[
        int | None,
        typer.Option(
            help="How far results may lag behind proposals, if deterministic (default 8).",
            rich_help_panel=_RULES,
        ),
    ] = None,
    max_params: Annotated[
        str | None, typer.Option(help="Skip larger networks, say 3.3M.", rich_help_panel=_RULES)
    ] = None,
    max_macs: Annotated[
        str | None, typer.Option(help="Skip costlier networks, say 600M.", rich_help_panel=_RULES)
    ] = None,
    max_latency_ms: Annotated[
        str | None,
        typer.Option(
            help="Skip slower networks, where the evaluator knows latency_ms.",
            rich_help_panel=_RULES,
        ),
    ] = None,
    latency_command: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS",
            help="A command that gets an ONNX file, as {onnx} or on its input, and prints "
            "milliseconds: latency_ms.",
            rich_help_panel=_TRAIN,
        ),
    ] = None,
    latency_table: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A table of `nas profile --table`, which predicts latency_ms.",
            rich_help_panel=_TRAIN,
        ),
    ] = None,
    settings: Set = None,
) -> None:
    """The signature is the list of options."""


@takes_search_options()
def command(
    tree: Mapping[str, Any],
    to: To = None,
    track: Track = None,
    confirm: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Let another judge choose the winner among so many of the best.",
            rich_help_panel=_CONFIRMED,
        ),
    ] = None,
    confirm_evaluator: Annotated[
        str,
        typer.Option(
            help="Who that is; its own options are set as confirm.OPTION.",
            rich_help_panel=_CONFIRMED,
        ),
    ] = "train",
    confirm_by: Annotated[
        ConfirmBy,
        typer.Option(
            help="Which are the best: those with the highest scores, or those that a critic of all "
            "scores believes in.",
            rich_help_panel=_CONFIRMED,
        ),
    ] = "score",
    as_json: Json = False,
) -> None:
    """Search: draw, judge, remember; ends by naming and exporting the winner. The same command
    again continues it."""
    from nas.cli._running import run_and_report
    from nas.search.words import assignment

    if confirm is None:
        run_and_report(assignment(tree), as_json=as_json, to=to, track=track)
        return

    from nas.search.confirming import came_to, confirmation
    from nas.search.words import between_judges

    tree = between_judges(tree, confirm_evaluator)
    todo = assignment({name: table for name, table in tree.items() if name != "confirm"})
    run_and_report(todo, as_json=as_json, track=track, whole=False)
    searched = came_to(todo)
    if not as_json:
        which = f"{'best' if confirm_by == 'score' else 'most promising'} {confirm}"
        print(*_searched(todo.plan.evaluator.name, searched, which, confirm_evaluator), sep="\n")
    again = confirmation(todo, tree, confirm, confirm_evaluator, believer_by(confirm_by))
    run_and_report(again, as_json=as_json, to=to, beside={"searched": searched})


def believer_by(by: ConfirmBy) -> Believer | None:
    """Who says what is confirmed; None: the scores do."""
    if by == "score":
        return None
    from nas.strategies.controller.belief import expected

    return expected


def _searched(judge: str, searched: Mapping[str, Any], which: str, other: str) -> list[str]:
    return [
        f"searched: {searched['trials']:,} trials judged by {judge} in "
        f"{searched['cost_seconds']:.3g} s, in {searched['folder']}",
        *([f"audit: {searched['audit']}"] if searched["audit"] else []),
        f"confirmed: the {which} are judged by {other}, which chooses",
    ]
