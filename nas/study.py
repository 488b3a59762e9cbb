"""The study makes strategy and evaluator take turns and remembers: the only place that orders things."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, final

from nas.contracts import Evaluation, Failure, Outcome, Proposal, Stopped, Strategy, Trial
from nas.errors import StoreError, StudyError
from nas.ledger import Ledger, OpenTrial
from nas.rules import Budget, Rules
from nas.seeding import derive
from nas.store import FORMAT, Store, Sync, read_events
from search_spaces.cells.genotype import Genotype

NUMBERS_WITHOUT_COST = 1_000

Constraint = Callable[[Genotype], str | None]
Watch = Callable[[Mapping[str, Any]], None]


@final
class Study:
    """All trials of one search, in one folder, from first to last: every change is an event, written before it acts.

    A study that is opened again replays its log: every result is told to the strategy in the order in which it arrived,
    and what was asked but never ended runs again with the same genotype and seed.
    """

    def __init__(
        self,
        folder: Path,
        strategy: Strategy,
        *,
        seed: int = 0,
        rules: Rules | None = None,
        budget: Budget | None = None,
        sync: Sync = "each",
        constraint: Constraint | None = None,
        start_from: Sequence[Genotype] = (),
        watch: Watch | None = None,
        store: Store | None = None,
    ) -> None:
        self.folder = folder
        self.strategy = strategy
        self.seed = seed
        self.rules = rules or Rules()
        self.ledger = Ledger(self.rules)
        self._constraint = constraint
        self._start_from = tuple(start_from)
        self._watch = watch
        self._waiting: deque[int] = deque()
        self._announced: set[int] = set()  # their next attempt is in the log already
        self._twins: dict[int, list[int]] = {}
        self._exhausted = False
        self._lost_updates: list[dict[str, Any]] = []
        self._began = time.monotonic()
        self._strategy_seconds = 0.0  # its own, since they were last written down
        self.stopping = False
        self.store = store or Store(folder / "events.jsonl", sync=sync)
        try:
            self._replay()
            self._begin(budget)
        except BaseException:
            self.store.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the log back; the study can be opened again."""
        self.store.close()

    # ------------------------------------------------------------------ the turns

    def ask(self) -> Trial | None:
        """The next trial to run now: an open one first, else a new one; None when there is nothing to start."""
        if self.stopping:
            return None
        if self._waiting:
            return self._start(self._waiting.popleft())
        while self.end_reason is None:
            number = self._propose()
            if number is not None:
                return self._start(number)
        return None

    def todo(self, trials: int | None = None) -> Iterator[Trial]:
        """Trials to run one after another, each told before the next is asked; at most so many of them."""
        while (trials is None or trials > 0) and (trial := self.ask()) is not None:
            yield trial
            trials = None if trials is None else trials - 1

    def tell(self, number: int, outcome: Outcome) -> None:
        """End a trial (or, after a failure with retries left, put it back in the queue)."""
        entry = self.ledger.open.get(number)
        if entry is None:
            raise StudyError(f"trial {number} is not open: it was never asked, or has ended already")
        if isinstance(outcome, Failure) and entry.failures < self.rules.retries:
            self._retry(entry, outcome)
            return
        self._record(_end_event(number, outcome))
        self._keep_files(number)
        for twin in self._twins.pop(number, ()):
            self._end_like(twin, number)

    def progress(self, number: int, step: int, metrics: Mapping[str, Any]) -> bool:
        """Write down one step of a learning curve; False asks the trial to stop."""
        attempt = self.ledger.open[number].attempts
        event = {"event": "progressed", "number": number, "attempt": attempt, "step": step, "metrics": dict(metrics)}
        self._record(event)
        return True

    def stop(self) -> None:
        """Start nothing new; what runs may finish."""
        self.stopping = True

    # ------------------------------------------------------------------ the end

    @property
    def end_reason(self) -> str | None:
        """Why no new trial may start, or None while one may."""
        ledger, budget = self.ledger, self.ledger.budget
        if self._exhausted:
            return "every architecture of the space has been proposed"
        if budget.trials is not None and ledger.counts["asked"] >= budget.trials:
            return f"all {budget.trials} trials are done"
        if budget.seconds is not None and ledger.cost >= budget.seconds:
            return f"the budget of {budget.seconds:g} s of evaluation is spent"
        if budget.hours is not None and self.wall_seconds() >= budget.hours * 3600:
            return f"the {budget.hours:g} h of wall clock are over"
        if ledger.idle >= NUMBERS_WITHOUT_COST:
            return f"{NUMBERS_WITHOUT_COST:,} proposals in a row brought no new evaluation"
        return None

    def finish(self) -> str | None:
        """Write down that the study has ended, if it has; returns why."""
        reason = self.end_reason
        if reason is not None and not self.ledger.open and self.ledger.finished is None:
            self._record({"event": "finished", "reason": reason, "strategy_seconds": self._strategy_time()})
        return self.ledger.finished

    def extend(self, budget: Budget) -> None:
        """Go on with another budget."""
        if budget != self.ledger.budget:
            self._record({"event": "extended", "budget": budget.to_dict()})

    def record_final(self, number: int, final: Mapping[str, float]) -> None:
        """Write down what a winner was judged by, after the study."""
        self._record({"event": "opened", "number": number, "final": dict(final)})

    def wall_seconds(self) -> float:
        """Wall-clock seconds of all sessions up to now."""
        return self.ledger.wall_before + time.monotonic() - self._began

    def workdir(self, number: int) -> Path:
        """The folder in which a trial may write; what it leaves in `keep/` stays if the trial is among the best."""
        return self.folder / "work" / str(number)

    # ------------------------------------------------------------------ one proposal

    def _propose(self) -> int | None:
        """Ask the strategy once and write it down; the number of a trial to run, or None."""
        number = self.ledger.next_number
        proposal = self._proposal(number)
        if proposal is None:
            self._exhausted = True
            return None
        genotype = proposal.genotype
        key = genotype.key
        original = None if self.rules.duplicates == "retrain" else self.ledger.known.get(key)
        if original is not None and self.rules.duplicates == "resample":
            self._skip(number, genotype, key, f"duplicate of trial {original}")
            return None
        if key not in self.ledger.known and self._constraint and (reason := self._constraint(genotype)):
            self._skip(number, genotype, key, reason)
            return None
        self._ask_event(number, proposal, key, original)
        if original is None:
            return number
        if original in self.ledger.open:
            self._twins.setdefault(original, []).append(number)
        else:
            self._end_like(number, original)
        return None

    def _proposal(self, number: int) -> Proposal | None:
        if number < len(self._start_from):
            return Proposal(self._start_from[number])
        with self._timed():
            return self.strategy.ask(number)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Charge the strategy for its own thinking."""
        began = time.perf_counter()
        yield
        self._strategy_seconds += time.perf_counter() - began

    def _strategy_time(self) -> float:
        """What was charged since the last call."""
        seconds, self._strategy_seconds = self._strategy_seconds, 0.0
        return round(seconds, 6)

    def _ask_event(self, number: int, proposal: Proposal, key: str, original: int | None) -> None:
        trial = Trial(number, proposal.genotype, derive(self.seed, "trial", number), proposal.notes)
        event = {
            "event": "asked",
            "number": number,
            "key": key,
            "genotype": trial.genotype.to_dict(),
            "seed": trial.seed,
            "notes": trial.notes,
            "strategy_seconds": self._strategy_time(),
        }
        if original is not None:
            event["duplicate_of"] = original
        self._record(event, trial)

    def _skip(self, number: int, genotype: Genotype, key: str, reason: str) -> None:
        event = {"event": "skipped", "number": number, "key": key, "genotype": genotype.to_dict(), "reason": reason}
        self._record({**event, "strategy_seconds": self._strategy_time()})

    def _start(self, number: int) -> Trial:
        entry = self.ledger.open[number]
        if number in self._announced:
            self._announced.remove(number)
        else:
            self._record({"event": "attempted", "number": number, "attempt": entry.attempts + 1})
        return entry.trial

    def _retry(self, entry: OpenTrial, failure: Failure) -> None:
        after = {"kind": failure.kind, "message": failure.message, "seconds": failure.seconds}
        number = entry.trial.number
        self._record({"event": "attempted", "number": number, "attempt": entry.attempts + 1, "after": after})
        self._announced.add(number)
        self._waiting.append(number)

    def _end_like(self, number: int, original: int) -> None:
        """End a duplicate with what is known of the original, at no cost."""
        event = self.store.event_at(self.ledger.ended_at[original])
        self._record({**event, "number": number, "seconds": 0.0, "reused": original})

    def _keep_files(self, number: int) -> None:
        """Move what a trial left in `keep/` to `checkpoints/` if it is among the best, and drop what no longer is."""
        work = self.workdir(number)
        if not work.is_dir():
            return
        kept = self.folder / "checkpoints" / str(number)
        try:
            if number in self._best_numbers() and (work / "keep").is_dir() and not kept.exists():
                kept.parent.mkdir(exist_ok=True)
                (work / "keep").rename(kept)
        except OSError as problem:
            raise StoreError(f"{kept} cannot be written: {problem.strerror}; make room and resume") from problem
        shutil.rmtree(work, ignore_errors=True)
        self._drop_files()

    def _drop_files(self) -> None:
        best = {str(number) for number in self._best_numbers()}
        for old in (self.folder / "checkpoints").glob("*"):
            if old.name.isdecimal() and old.name not in best:
                shutil.rmtree(old, ignore_errors=True)

    def _best_numbers(self) -> set[int]:
        return {number for _, number in self.ledger.top}

    # ------------------------------------------------------------------ the log

    def _record(self, event: dict[str, Any], trial: Trial | None = None) -> None:
        """Write one event, then act on it: the log first, the strategy last."""
        event["time"] = round(time.time(), 3)
        offset = self.store.append(event)
        heard = self.ledger.apply(event, offset, trial)
        if self._watch is not None:
            self._watch(event)
        if heard is not None:
            with self._timed():
                self.strategy.tell(*heard)
            for update in self.strategy.diagnostics():
                self._record({"event": "updated", "number": heard[0].number, **update})

    def _replay(self) -> None:
        """Tell the strategy its past, in the order in which it happened."""
        updates: list[dict[str, Any]] = []
        for offset, event in read_events(self.store.path):
            heard = self.ledger.apply(event, offset)
            if heard is not None:
                self.strategy.tell(*heard)
                updates += [{"event": "updated", "number": heard[0].number, **u} for u in self.strategy.diagnostics()]
        self._lost_updates = updates[self.ledger.updates :]

    def _begin(self, budget: Budget | None) -> None:
        """Write the first line of this session, then settle what the last one could not."""
        first = self.ledger.sessions == 0
        if first and (budget is None or not budget.to_dict()):
            raise StudyError("a study needs a budget: trials, seconds of evaluation or hours")
        if self.ledger.finished is not None and budget in (None, self.ledger.budget):
            return  # nothing begins
        opening: dict[str, Any] = {"event": "started", "format": FORMAT}
        if first and budget is not None:
            opening["budget"] = budget.to_dict()
        self._record(opening)
        if not first and budget is not None:
            self.extend(budget)
        for update in self._lost_updates:
            self._record(update)
        for number, entry in sorted(self.ledger.open.items()):
            self._settle(number, entry)
        for folder in (self.folder / "work").glob("*"):
            if folder.name.isdecimal() and int(folder.name) not in self.ledger.open:
                self._keep_files(int(folder.name))
        self._drop_files()

    def _settle(self, number: int, entry: OpenTrial) -> None:
        original = entry.duplicate_of
        if original is None:
            self._waiting.append(number)
        elif original in self.ledger.open:
            self._twins.setdefault(original, []).append(number)
        else:
            self._end_like(number, original)


def _end_event(number: int, outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Evaluation(score, metrics, seconds):
            return {"event": "told", "number": number, "score": score, "metrics": metrics, "seconds": seconds}
        case Stopped(step, score, metrics, seconds):
            event = {"event": "stopped", "number": number, "step": step, "score": score}
            return {**event, "metrics": metrics, "seconds": seconds}
        case Failure(kind, message, seconds):
            return {"event": "failed", "number": number, "kind": kind, "message": message, "seconds": seconds}
