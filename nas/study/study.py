"""The study makes strategy and evaluator take turns and remembers: the only place that orders
things."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, final

from nas.contracts import Failure, Outcome, Proposal, Strategy, Trial
from nas.errors import StudyError
from nas.seeding import derive
from nas.study.clocks import Stopwatch
from nas.study.early_stopping import early_stopping
from nas.study.events import asked_event, end_event, skipped_event
from nas.study.ledger import Ledger, OpenTrial
from nas.study.order import InTurn, Steps
from nas.study.rules import Budget, Rules
from nas.study.snapshots import Snapshots
from nas.study.store import FORMAT, Store, Sync, read_events
from nas.study.trial_files import TrialFiles
from search_spaces.cells.genotype import Genotype

NUMBERS_WITHOUT_COST = 1_000
NEEDS_BUDGET = "a study needs a budget: trials, seconds of evaluation or hours"

Constraint = Callable[[Genotype], str | None]
Watch = Callable[[Mapping[str, Any]], None]


@final
class Study:
    """All trials of one search, in one folder, from first to last: every change is an event,
    written before it acts.

    A study that is opened again replays its log: every result is told to the strategy in the order
    in which it arrived, and what was asked but never ended runs again with the same genotype and
    seed.
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
        last_step: int | None = None,
    ) -> None:
        self.folder = folder
        self.strategy = strategy
        self.seed = seed
        self.rules = rules or Rules()
        self.ledger = Ledger(self.rules)
        self._stopping_rule = early_stopping(self.rules, last_step)
        self._files = TrialFiles(folder)
        self._order = self._order_of(self.rules)
        self._constraint = constraint
        self._start_from = tuple(start_from)
        self._watch = watch
        self._waiting: deque[int] = deque()
        self._announced: set[int] = set()  # their next attempt is in the log already
        self._twins: dict[int, list[int]] = {}
        self._exhausted = False
        self._lost_updates: list[dict[str, Any]] = []
        self._began = time.monotonic()
        self._thinking = (
            Stopwatch()
        )  # the strategy's own seconds, since they were last written down
        self.stopping = False
        self.store = store or Store(folder / "events.jsonl", sync=sync)
        self._snapshots = Snapshots(self.store.path, strategy)
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
        self._files.leave()
        self.store.close()

    # ------------------------------------------------------------------ the turns

    def ask(self) -> Trial | None:
        """The next trial to run now: an open one first, else a new one; None when there is nothing
        to start."""
        if self._order is not None:
            self._order.advance(stopping=self.stopping)
        if self.stopping:
            return None
        if self._waiting:
            return self._start(self._waiting.popleft())
        while self._order is None and self.end_reason is None:
            number = self._propose()
            if number is not None:
                return self._start(number)
        return None

    def todo(self, trials: int | None = None) -> Iterator[Trial]:
        """Trials to run one after another, each told before the next is asked; at most so many of
        them."""
        while (trials is None or trials > 0) and (trial := self.ask()) is not None:
            yield trial
            trials = None if trials is None else trials - 1

    def tell(self, number: int, outcome: Outcome) -> None:
        """End a trial (or, after a failure with retries left, put it back in the queue)."""
        entry = self.ledger.open.get(number)
        if entry is None:
            raise StudyError(
                f"trial {number} is not open: it was never asked, or has ended already"
            )
        if self._order is None:
            self._hear(entry, outcome)
        elif self._order.hear(entry, outcome):
            self._order.advance(stopping=self.stopping)
        else:
            self._again(number)

    def progress(self, number: int, step: int, metrics: Mapping[str, Any]) -> bool:
        """Write down one step of a learning curve; False asks the trial to stop."""
        if self._order is None:
            return self._progressed(number, step, metrics)
        self._order.progress(number, step, metrics)
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
        if spent := budget.spent(ledger.counts["asked"], ledger.cost, self.wall_seconds()):
            return spent
        if ledger.idle >= NUMBERS_WITHOUT_COST:
            return f"{NUMBERS_WITHOUT_COST:,} proposals in a row brought no new evaluation"
        return None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to start and nothing is open."""
        return self.end_reason is not None and not self.ledger.open

    @property
    def stops_early(self) -> bool:
        """Whether `progress` may ask a trial to stop."""
        return self.rules.early_stop != "none"

    def finish(self) -> str | None:
        """Write down that the study has ended, if it has; returns why."""
        reason = self.end_reason
        if reason is not None and not self.ledger.open and self.ledger.finished is None:
            self._record(
                {"event": "finished", "reason": reason, "strategy_seconds": self._thinking.taken()}
            )
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

    def notice(self, text: str, about: str = "runner") -> None:
        """Tell whoever watches something that is no part of the log."""
        if self._watch is not None:
            self._watch({"event": "notice", "about": about, "text": text})

    def would_keep(self, score: float) -> bool:
        """Whether the files of a trial with this score would stay with the study."""
        top = self.ledger.top
        return len(top) < self.rules.keep or bool(top and score > top[-1][0])

    def workdir(self, number: int) -> Path:
        """The folder in which a trial may write; what it leaves in `keep/` stays if the trial is
        among the best."""
        return self._files.workdir(number)

    def free(self, places: int) -> None:
        """Hear from the runner how many places are free from now on: what the order makes them wait
        is idle time."""
        if self._order is not None:
            self._order.free(places, stopping=self.stopping)

    @property
    def idle_seconds(self) -> float:
        """Seconds of free places that waited for the order of a deterministic study."""
        return 0.0 if self._order is None else self._order.idle_seconds

    # ------------------------------------------------------------------ in order

    def _order_of(self, rules: Rules) -> InTurn | None:
        """The order of a deterministic study; in others results are heard as they arrive."""
        if rules.lag is None:
            return None
        steps = Steps(
            may_begin=lambda: self.end_reason is None,
            propose=self._propose,
            announce=self._announce,
            progress=self._progressed,
            end=self._hear,
        )
        return InTurn(self.folder / "pending", rules.lag, rules.retries, self.ledger, steps)

    def _announce(self, number: int) -> None:
        """Write down the first attempt when it is proposed, so that its place in the log is
        fixed."""
        self._record({"event": "attempted", "number": number, "attempt": 1})
        self._again(number)

    def _again(self, number: int) -> None:
        self._announced.add(number)
        self._waiting.append(number)

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
        seconds = self._thinking.taken()
        if reason := self._objection(genotype, key):
            self._record(skipped_event(number, genotype, key, reason, seconds))
            return None
        original = None if self.rules.duplicates == "retrain" else self.ledger.known.get(key)
        trial = Trial(number, genotype, derive(self.seed, "trial", number), proposal.notes)
        self._record(asked_event(trial, key, original, seconds), trial)
        if original is None:
            return number
        self._follow(number, original)
        return None

    def _objection(self, genotype: Genotype, key: str) -> str | None:
        """Why this genotype becomes no trial; one that is known was within the limits."""
        original = self.ledger.known.get(key)
        if original is None:
            return self._constraint(genotype) if self._constraint else None
        return f"duplicate of trial {original}" if self.rules.duplicates == "resample" else None

    def _follow(self, number: int, original: int) -> None:
        """A duplicate ends as its original did, or will."""
        if original in self.ledger.open:
            self._twins.setdefault(original, []).append(number)
        else:
            self._end_like(number, original)

    def _proposal(self, number: int) -> Proposal | None:
        if number < len(self._start_from):
            return Proposal(self._start_from[number])
        with self._thinking.running():
            return self.strategy.ask(number)

    def _start(self, number: int) -> Trial:
        entry = self.ledger.open[number]
        if number in self._announced:
            self._announced.remove(number)
        else:
            self._record({"event": "attempted", "number": number, "attempt": entry.attempts + 1})
        return entry.trial

    def _hear(self, entry: OpenTrial, outcome: Outcome) -> None:
        number = entry.trial.number
        if isinstance(outcome, Failure) and entry.failures < self.rules.retries:
            self._retry(entry, outcome)
            return
        self._record(end_event(number, outcome))
        self._keep_files(number)
        for twin in self._twins.pop(number, ()):
            self._end_like(twin, number)

    def _progressed(self, number: int, step: int, metrics: Mapping[str, Any]) -> bool:
        attempt = self.ledger.open[number].attempts
        return self._record(
            {
                "event": "progressed",
                "number": number,
                "attempt": attempt,
                "step": step,
                "metrics": dict(metrics),
            }
        )

    def _retry(self, entry: OpenTrial, failure: Failure) -> None:
        after = {"kind": failure.kind, "message": failure.message, "seconds": failure.seconds}
        number = entry.trial.number
        self._record(
            {"event": "attempted", "number": number, "attempt": entry.attempts + 1, "after": after}
        )
        if self._order is None:
            self._again(number)

    def _end_like(self, number: int, original: int) -> None:
        """End a duplicate with what is known of the original, at no cost."""
        event = self.store.event_at(self.ledger.ended_at[original])
        self._record({**event, "number": number, "seconds": 0.0, "reused": original})

    def _keep_files(self, number: int) -> None:
        self._files.keep(number, self._best)

    @property
    def _best(self) -> set[int]:
        """The numbers of the trials whose files stay."""
        return {number for _, number in self.ledger.top}

    # ------------------------------------------------------------------ the log

    def _record(self, event: dict[str, Any], trial: Trial | None = None) -> bool:
        """Write one event, then act on it: the log first, the strategy last; False if the trial had
        better stop."""
        event["time"] = round(time.time(), 3)
        offset = self.store.append(event)
        heard = self.ledger.apply(event, offset, trial)
        go_on = self._stopping_rule.hear(event)
        if self._watch is not None:
            self._watch(event)
        if heard is not None:
            with self._thinking.running():
                self.strategy.tell(*heard)
            for update in self.strategy.diagnostics():
                self._record({"event": "updated", "number": heard[0].number, **update})
            self._snapshots.told(self.store.size, self.ledger.updates)
        return go_on

    def _replay(self) -> None:
        """Tell the strategy its past, in the order in which it happened; a snapshot stands for the
        beginning."""
        updates: list[dict[str, Any]] = []
        self._snapshots.restore()
        for offset, event in read_events(self.store.path):
            heard = self.ledger.apply(event, offset)
            self._stopping_rule.hear(event)
            if heard is not None and offset >= self._snapshots.log_bytes:
                self.strategy.tell(*heard)
                updates += [
                    {"event": "updated", "number": heard[0].number, **u}
                    for u in self.strategy.diagnostics()
                ]
        self._lost_updates = updates[self.ledger.updates - self._snapshots.updates :]

    def _begin(self, budget: Budget | None) -> None:
        """Write the first line of this session, then settle what the last one could not."""
        first = self.ledger.sessions == 0
        if first and (budget is None or not budget.to_dict()):
            raise StudyError(NEEDS_BUDGET)
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
        self._files.tidy(self.ledger.open, self._best)

    def _settle(self, number: int, entry: OpenTrial) -> None:
        if entry.duplicate_of is not None:
            self._follow(number, entry.duplicate_of)
        elif self._order is None or not self._order.adopt(entry):
            self._waiting.append(number)
