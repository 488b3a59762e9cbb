"""How a running search looks: a progress line, signals that stop it gently, and the winner at the
end."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from nas.cli._verb import (
    INTERRUPTED,
    SignOfLife,
    drawn,
    duration,
    durations,
    same_command,
    stopped_now,
)
from nas.errors import counted
from nas.search.run import OpenSearch, Substitution, next_commands, open_search, run
from nas.search.words import Assignment
from nas.study.events import ENDS
from nas.study.study import Study

if TYPE_CHECKING:
    from nas.exporting.winner import Winner
    from nas.study.seed_spread import SeedSpread


def run_and_report(
    todo: Assignment,
    *,
    as_json: bool,
    to: str | None = None,
    track: str | None = None,
    whole: bool = True,
    beside: Mapping[str, Any] | None = None,
    around: Substitution | None = None,
) -> None:
    """Run a study to its end, name the winner and export it; exit code 3 when it was interrupted.

    Args:
        to: formats of the export; None is all that take seconds, `none` is no export.
        track: the tracker that shows it meanwhile.
        whole: False where it is a part of a command that tells by itself what is found.
        beside: what else belongs into the JSON, of the search that this one confirms.
        around: who judges in the evaluator's place.
    """
    formats = _formats_of(to, todo)
    progress = Progress(quiet=as_json)
    with (
        _tracked(todo, track),
        _signals(todo, whole=whole) as stop,
        open_search(todo.plan, todo.folder, todo.budget, progress.see, around=around) as search,
    ):
        stop.study = search.study
        progress.begin(search, exports=formats != [])
        with progress:
            reason = run(search)
        stop.study = None  # from here on a signal ends the export, not the search
        if not whole:
            _leave_part(reason)
            return
        if not as_json:
            _print_end(search, reason)
        winner = _winner_of(search, formats, quiet=as_json) if reason is not None else None
        if as_json:
            print(
                json.dumps(
                    {
                        **summary(search, reason),
                        "export": winner.to_dict() if winner else None,
                        **(beside or {}),
                    }
                )
            )
        else:
            exported = winner is not None and bool(winner.files)
            onwards = next_commands(
                search, exported=exported, interrupted=reason is None, last=beside is not None
            )
            lines = (f"  {command}" for command in onwards)
            print(*_winner_told(winner), "next:", *lines, sep="\n")
    if reason is None or (winner is not None and winner.interrupted):
        raise typer.Exit(INTERRUPTED)


def _tracked(todo: Assignment, track: str | None) -> AbstractContextManager[None]:
    if track is None:
        return nullcontext()
    from nas.cli._tracking import tracked

    return tracked(todo.folder, track, trust=todo.plan.needs_trust)


def _leave_part(reason: str | None) -> None:
    """Go on with the command that this study is a part of, or end it where it was stopped."""
    if reason is None:
        print(f"interrupted; continue with `{same_command()}`", file=sys.stderr)
        raise typer.Exit(INTERRUPTED)


def _formats_of(to: str | None, todo: Assignment) -> list[str] | None:
    """The formats of the winner's export, refused before the search where there can be none."""
    if to is None:
        return None
    from nas.exporting.known import formats_of
    from nas.exporting.winner import refuse_without_weights

    formats, evaluator = formats_of(to), todo.plan.evaluator
    if formats:
        cheap = getattr(evaluator.factory, "cheap", False)
        refuse_without_weights(evaluator.name, cheap=cheap, formats=formats)
    return formats


def _winner_told(winner: Winner | None) -> Iterator[str]:
    if winner is not None:  # else nothing of exports is loaded
        from nas.cli._exporting import winner_told

        yield from winner_told(winner)


def _winner_of(search: OpenSearch, formats: list[str] | None, *, quiet: bool) -> Winner | None:
    best = search.study.ledger.best
    if best is None or search.evaluator.cheap:  # then nothing of exports is loaded
        return None
    from nas.exporting.winner import finish

    def notice(text: str) -> None:
        if not quiet:
            sys.stdout.flush()
            print(text, file=sys.stderr)

    return finish(search.study.folder, best.trial, search.evaluator, formats, notice)


def summary(search: OpenSearch, reason: str | None) -> dict[str, Any]:
    """What a search came to, for machines."""
    ledger = search.study.ledger
    best = ledger.best
    return {
        "folder": str(search.study.folder),
        "finished": reason,
        "trials": ledger.bought_trials,
        "counts": dict(ledger.counts),
        "cost_seconds": ledger.cost,
        "idle_seconds": round(search.study.idle_seconds, 3),
        "best": None
        if best is None
        else {
            "number": best.trial.number,
            "score": best.score,
            **_spread(best.spread),
            "key": best.trial.genotype.key,
            "genotype": best.trial.genotype.to_dict(),
            "final": ledger.opened.get(best.trial.number, {}),
        },
    }


def _spread(spread: SeedSpread | None) -> dict[str, Any]:
    """For machines; nothing where a score is of one evaluation."""
    return {} if spread is None else {"score_sd": spread.sd, "evaluations": spread.evaluations}


class Progress:
    """A live bar on a terminal, now and then a line elsewhere; always on the error stream, so that
    pipes stay clean."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._live = not quiet and sys.stderr.isatty()
        self._shown_at = 0.0
        self._every = 0.1 if self._live else 2.0
        self._bar: Any = None
        self._search: OpenSearch | None = None
        self._open: dict[int, tuple[float, int]] = {}  # when each trial began, and its last step
        self._sign = SignOfLife(self._alive)
        self._alarmed = False

    def begin(self, search: OpenSearch, *, exports: bool) -> None:
        """Say what is about to happen."""
        self._search = search
        self._shown_at = time.monotonic()
        if not (self._live or search.evaluator.cheap):
            self._every = 0.0  # a child that took minutes deserves its line
        if not self._quiet:
            for line in _opening(search, exports):
                print(line, file=sys.stderr, flush=True)

    def __enter__(self) -> None:
        if not self._quiet:
            self._sign.__enter__()
        if self._live:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (
                BarColumn(bar_width=30),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
            )
            self._bar = Bar(*columns, console=Console(file=drawn(sys.stderr)), transient=True)
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()

    def __exit__(self, *_: object) -> None:
        if not self._quiet:
            self._sign.__exit__()
        if self._bar is not None:
            self._bar.stop()

    def see(self, event: Mapping[str, Any]) -> None:
        """Called with every event: show something if it is time."""
        now = time.monotonic()
        self._follow(event, now)
        if "alarm" in event and not (self._quiet or self._alarmed):
            self._alarmed = True  # once is enough: the study keeps what every update says
            print(f"{'alarm':>10}: {event['alarm']}", file=sys.stderr)
        if event["event"] == "notice" and not self._quiet:
            print(f"{event['about']:>10}: {event['text']}", file=sys.stderr)
        if (
            self._quiet
            or self._search is None
            or now - self._shown_at < self._every
            or event["event"] not in ENDS
        ):
            return
        self._shown_at = now
        self._sign.hear()
        done, words = self._state()
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=words)
        else:
            ended = f"{event['score']:.4f}" if "score" in event else event["kind"].replace("_", " ")
            print(f"trial {event['number']}: {ended} · {words}", file=sys.stderr)

    def _follow(self, event: Mapping[str, Any], now: float) -> None:
        """Remember which trials are running, and how far they are."""
        match event["event"]:
            case "attempted":
                self._open[event["number"]] = now, 0
            case "progressed" if event["number"] in self._open:
                self._open[event["number"]] = self._open[event["number"]][0], event["step"]
            case name if name in ENDS:
                self._open.pop(event["number"], None)

    def _alive(self, _: float) -> str | None:
        """What runs, where nothing has ended for a while; on a terminal the bar says it."""
        assert self._search is not None
        now, running = time.monotonic(), sorted(self._open.items())
        last = self._search.evaluator.last_step
        if last is not None:
            last *= self._search.plan.rules.evaluations_per_trial
        words = ", ".join(
            f"trial {number} has run for {duration(now - began)}"
            + (f", {step} of {last} epochs" if last else "")
            for number, (began, step) in running[:3]
        ) + (f" and {len(running) - 3} more" if len(running) > 3 else "")
        if self._bar is not None and words:
            self._bar.update(self._task, description=words)
        return words if words and self._bar is None else None

    def _state(self) -> tuple[float, str]:
        from nas.search.pace import clock_text, pace_of, pace_text

        assert self._search is not None
        ledger = self._search.study.ledger
        pace = pace_of(ledger, time.time())
        of = f" of {ledger.budget.trials:,}" if ledger.budget.trials else ""
        words = [f"{ledger.ended_trials:,}{of} trials"]
        if ledger.best is not None:
            spread = "" if ledger.best.spread is None else f" ± {ledger.best.spread.sd:.2g}"
            words.append(f"best {ledger.best.score:.4f}{spread} (trial {ledger.best.trial.number})")
        if covered := ledger.covered(self._search.plan.scales):
            words.append(covered)
        if pace.seconds_a_trial is not None:
            words.append(pace_text(pace.seconds_a_trial))
        if ledger.counts["failed"]:
            words.append(f"{ledger.counts['failed']} failed")
        if pace.seconds_left is not None:
            words.append(f"{clock_text(pace.seconds_left)} left")
        return pace.share, " · ".join(words)


def _opening(search: OpenSearch, exports: bool) -> Iterator[str]:
    plan, study = search.plan, search.study
    for kind, part in (
        ("space", plan.space),
        ("strategy", plan.strategy),
        ("evaluator", plan.evaluator),
    ):
        options = ", ".join(
            f"{name}={_brief(value)}" for name, value in part.options.items() if value is not None
        )
        yield f"{kind:>10}: {part.name}" + (f" ({options})" if options else "")
    if plan.decided:
        values = (f"{name} {', '.join(map(str, many))}" for name, many in plan.decided.items())
        yield f"{'decides':>10}: {'; '.join(values)}"
    if plan.screen is not None:
        judge, count = plan.screen.judge.name, plan.screen.proposals
        yield f"{'screen':>10}: of {count:,} proposals the best by {judge} is tried"
    if plan.fidelity is not None:
        shares = ", ".join(f"{share:.3g}" for share in plan.fidelity)
        yield f"{'fidelity':>10}: {shares} of a training; of three the best goes on"
    times = plan.rules.evaluations_per_trial
    each = f", each judged with {times} seeds" if times > 1 else ""
    yield f"{'budget':>10}: {study.ledger.budget}{each}, seed {plan.seed}"
    if count := study.ledger.counts["learnt"]:
        from nas.search.learning import learnt_told

        yield f"{'learnt':>10}: {learnt_told(plan, count)}"
    yield from _objectives(search)
    yield from _outlook(search, exports)
    yield f"{'folder':>10}: {study.folder}"
    if study.ledger.next_number > study.ledger.counts["learnt"]:
        yield f"{'resumed':>10}: after {counted(study.ledger.bought_trials, 'trial')}"
    if study.store.torn_bytes:
        yield (
            f"{'repaired':>10}: a last line torn by a crash ({study.store.torn_bytes} bytes) "
            "was cut off"
        )


def _objectives(search: OpenSearch) -> Iterator[str]:
    """What is raised, where that is more than a score, and who heeds the first one alone."""
    objectives = search.plan.objectives
    if objectives is None:
        return
    yield f"{'objectives':>10}: {', '.join(objectives.formulas)}"
    first = objectives.formulas[0]
    if not search.study.strategy.takes_several:
        yield f"{'note':>10}: {search.plan.strategy.name} learns from the first alone, {first}"
    if search.study.stops_early:
        yield f"{'note':>10}: early stopping looks at the first alone, {first}"


def _outlook(search: OpenSearch, exports: bool) -> Iterator[str]:
    """Data, network, and what it may cost; nothing where trials cost nothing."""
    if search.study.is_over:
        return
    outlook = search.evaluator.outlook()
    if outlook is None:
        if _foresees(search):
            yield from _foreseen(search, exports)
        return
    yield f"{'data':>10}: {outlook.data}"
    yield f"{'network':>10}: {outlook.network}"
    if outlook.seconds is None:
        yield from _foreseen(search, exports)
    else:
        yield from _estimated(search, outlook.seconds)


def _foresees(search: OpenSearch) -> bool:
    """Whether a trial is tried before the first."""
    from nas.contracts import Evaluator

    return type(search.evaluator).foresee is not Evaluator.foresee


def _foreseen(search: OpenSearch, exports: bool) -> Iterator[str]:
    """What the trials that are left may cost, from two of them; kept beside the log, for the end
    tells how it came."""
    from nas.search.forecasting import short_forecast
    from nas.search.forecasts import keep_forecast, short

    study, budget = search.study, search.study.ledger.budget
    left = budget if budget.trials is None else replace(budget, trials=_trials_left(search))
    began = study.ledger.session.began
    found = short_forecast(search.plan, left, search.evaluator, began, exports=exports)
    if found is None:
        return
    if study.ledger.next_number == 0:
        keep_forecast(study.folder, found)
    a_trial, wall = found.seconds_a_trial, found.wall_seconds
    words = [f"a trial takes {durations(a_trial.low, a_trial.high)} here"]
    if left.trials is not None and left.trials > 1:
        words.append(f"all {left.trials:,} that are left {durations(wall.low, wall.high)}")
    if found.memory_mib is not None:
        words.append(f"{short(found.memory_mib.high / 1024)} GiB a child at most")
    words.append(f"{short(found.disk_mib.high)} MiB on disk")
    yield f"{'estimate':>10}: {', '.join(words)}"
    if found.too_large:
        yield (
            f"{'note':>10}: {found.too_large:.0%} of the space does not fit into memory with so "
            "many at once; `nas plan` says more"
        )


def _trials_left(search: OpenSearch) -> int:
    ledger = search.study.ledger
    return max(1, (ledger.budget.trials or 0) - ledger.ended_trials)


def _estimated(search: OpenSearch, seconds: tuple[float, float]) -> Iterator[str]:
    """How long it may take, as the evaluator says."""
    least, most = seconds
    estimate = f"a trial takes {durations(least, most)} here"
    from nas.search.pace import rounds_left

    ledger, runner = search.study.ledger, search.plan.runner
    rounds = rounds_left(ledger, runner.options["workers"]) if runner.name == "local" else 0
    if rounds > 1 and ledger.budget.trials is not None:
        all_left = durations(least * rounds, most * rounds)
        estimate += f", all {_trials_left(search):,} that are left {all_left}"
    yield f"{'estimate':>10}: {estimate}"


def _brief(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, list | tuple | dict) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _print_end(search: OpenSearch, reason: str | None) -> None:
    study, ledger = search.study, search.study.ledger
    words = ("evaluated", "reused", "learnt", "stopped", "failed", "skipped", "retried")
    counts = ", ".join(f"{ledger.counts[word]:,} {word}" for word in words if ledger.counts[word])
    print(
        f"{'interrupted' if reason is None else 'finished: ' + reason} "
        f"({counts or 'nothing was evaluated'})"
    )
    if study.idle_seconds:
        print(f"the order of a deterministic study cost {study.idle_seconds:.1f} s of idle workers")
    if ledger.alarm is not None:
        print(f"alarm: {ledger.alarm}")
    if _foresees(search):
        from nas.search.forecasts import compared, sentence_of

        costs = [one for one in compared(study.folder, ledger) if one.name != "disk_mib"]
        if costs:  # the winner's export is still to come
            print(f"cost: {sentence_of(costs)}")
    if search.evaluator.stands_in or search.plan.screen is not None:
        from nas.search.auditing import judges_that_guess, outside_told, sentence_beside
        from nas.search.reading import ranked

        recorded = {**search.plan.identity(), "measured": search.plan.measured}
        for judge in judges_that_guess(recorded):
            print(f"audit: {sentence_beside(judge, recorded, study.folder)}")
        told = outside_told([one.told["metrics"] for one in ranked(study.folder, 1)])
        if told is not None:
            print(f"outside: {told}")
    best = ledger.best
    if best is not None:
        number = best.trial.number
        spread = best.spread or ""
        print(
            f"winner: trial {number}, score {best.score:.6g}{spread}, key {best.trial.genotype.key}"
        )
        if chosen := best.trial.genotype.settings:
            print(f"        chose {', '.join(f'{name} {value}' for name, value in chosen.items())}")
        for name, value in ledger.opened.get(number, {}).items():
            print(f"        {name} {value:.6g} (read after the search, for its incumbents only)")


@dataclass(slots=True)
class _Stop:
    """What a signal is to stop."""

    study: Study | None = None


@contextmanager
def _signals(todo: Assignment, *, whole: bool) -> Iterator[_Stop]:
    """Ctrl-C or SIGTERM once: finish the open trials and stop; twice: stop now. Both can be
    resumed."""
    stop = _Stop()

    def hear(number: int, frame: FrameType | None) -> None:
        del number, frame
        if stop.study is None or stop.study.stopping:
            raise KeyboardInterrupt
        stop.study.stop()
        os.write(
            2, b"\nstopping after the open trials; once more to stop now\n"
        )  # print is not for signal handlers

    old = {name: signal.signal(name, hear) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    except KeyboardInterrupt:
        begun = whole and (todo.folder / "study.json").is_file()
        again = todo.plan.resume_command(todo.folder) if begun else same_command()
        raise stopped_now(again) from None
    finally:
        for name, handler in old.items():
            signal.signal(name, handler)
