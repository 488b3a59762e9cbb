"""The study makes strategy and evaluator take turns and remembers: the only place that orders
things."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

from nas.contracts import Evaluation, Failure, Outcome, Proposal, Strategy, Trial
from nas.errors import StudyError
from nas.seeding import derive
from nas.study import Budget, Rules
from nas.study.events import asked_event, end_event, progressed_event, skipped_event
from nas.study.ledger import Ledger, OpenTrial, known_as
from nas.study.store import LOG, WORK, Store, Sync, keep_files, read_events, tidy_files
from search_spaces.cells.genotype import Genotype

if TYPE_CHECKING:  # what only some studies need is loaded by those
    from nas.study.early_stopping import EarlyStopping
    from nas.study.older_judgements import OlderJudgement
    from nas.study.order import InTurn
    from nas.study.snapshots import Snapshots

NUMBERS_WITHOUT_COST = 1_000
NEEDS_BUDGET = "a study needs a budget: trials, seconds of evaluation or hours"

Constraint = Callable[[Genotype], str | None]
Watch = Callable[[Mapping[str, Any]], None]
Weigh = Callable[[Evaluation], Evaluation | Failure]


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
        fingerprint: str | None = None,
        weigh: Weigh | None = None,
        learnt: Sequence[OlderJudgement] = (),
    ) -> None:
        self.folder = folder
        self.strategy = strategy
        self.seed = seed
        self.fingerprint = fingerprint  # of its settings, in the first line of its log
        self.rules = rules or Rules()
        self.ledger = Ledger(self.rules)
        self._early_stopping = _early_stopping_of(self.rules, last_step)
        self._order = self._order_of(self.rules)
        self._constraint = constraint
        self._weigh = weigh  # works out the objectives, where there are several
        self._start_from = tuple(start_from)
        self._watch = watch
        self._waiting: deque[int] = deque()
        self._announced: set[int] = set()  # their next attempt is in the log already
        self._twins: dict[int, list[int]] = {}
        self._exhausted = False
        self._lost_updates: list[dict[str, Any]] = []
        self._began = time.monotonic()
        self._strategy_seconds = 0.0  # since they were last written down
        self.stopping = False
        self.store = store or Store(folder / LOG, sync=sync)
        self._snapshots = _snapshots_of(strategy, self.store.path)
        try:
            self._replay()
            self._begin(budget, learnt)
        except BaseException:
            self.store.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the log back; the study can be opened again."""
        with suppress(OSError):  # the folder of all work goes if nothing is half done
            (self.folder / WORK).rmdir()
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
            if (trial := self._propose()) is not None:
                return trial
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
        if self._weigh is not None and isinstance(outcome, Evaluation):
            outcome = self._weigh(outcome)
        if self._order is None:
            self._hear(number, entry, outcome)
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
        if self._exhausted:
            return "every architecture of the space has been proposed"
        if spent := self.ledger.spent(self.wall_seconds()):
            return spent
        if self.ledger.idle >= NUMBERS_WITHOUT_COST:
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
            seconds = self._take_strategy_seconds()
            self._record({"event": "finished", "reason": reason, "strategy_seconds": seconds})
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
        if self._weigh is not None:  # what it is worth besides its score is not known yet
            return True
        return len(top) < self.rules.keep or bool(top and score > top[-1][0])

    def workdir(self, number: int) -> Path:
        """The folder in which a trial may write; what it leaves in `keep/` stays if the trial is
        among the best."""
        return self.folder / WORK / str(number)

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
        from nas.study.order import InTurn, Steps

        steps = Steps(
            may_begin=lambda: self.end_reason is None,
            propose=self._propose,
            announce=self._again,
            progress=self._progressed,
            end=self._hear,
        )
        return InTurn(self.folder / "pending", rules.lag, rules.retries, self.ledger, steps)

    def _again(self, number: int) -> None:
        """Put a trial in the queue whose next attempt is in the log already."""
        self._announced.add(number)
        self._waiting.append(number)

    # ------------------------------------------------------------------ one proposal

    def _propose(self) -> Trial | None:
        """Ask the strategy once and write it down; a trial to run, whose first attempt is written
        down too, or None."""
        number = self.ledger.next_number
        proposal = self._proposal(number)
        if proposal is None:
            self._exhausted = True
            return None

        genotype = proposal.genotype
        key = genotype.key
        known_by = known_as(key, proposal.fidelity)
        seconds = self._take_strategy_seconds()
        if reason := self._objection(genotype, known_by):
            self._record(skipped_event(number, genotype, key, reason, seconds))
            return None

        original = None if self.rules.duplicates == "retrain" else self.ledger.known.get(known_by)
        seed = derive(self.seed, "trial", number)
        trial = Trial(number, genotype, seed, proposal.notes, proposal.fidelity)
        asked = asked_event(trial, key, original, seconds)
        if judged := self.strategy.judged_seconds():
            asked["judged_seconds"] = round(judged, 6)
        if original is None:
            attempted = {"event": "attempted", "number": number, "attempt": 1}
            self._record(asked, attempted, trial=trial)
            return trial
        self._record(asked, trial=trial)
        self._follow(number, original)
        return None

    def _objection(self, genotype: Genotype, known_by: str) -> str | None:
        """Why this genotype becomes no trial; one that is known was within the limits."""
        original = self.ledger.known.get(known_by)
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
        place = number - self.ledger.counts["learnt"]
        if place < len(self._start_from):
            return Proposal(self._start_from[place])
        began = time.perf_counter()
        proposal = self.strategy.ask(number)
        self._strategy_seconds += time.perf_counter() - began
        return proposal

    def _take_strategy_seconds(self) -> float:
        """What was counted since the last call."""
        seconds, self._strategy_seconds = self._strategy_seconds, 0.0
        return round(seconds, 6)

    def _start(self, number: int) -> Trial:
        entry = self.ledger.open[number]
        if number in self._announced:
            self._announced.remove(number)
        else:
            self._record({"event": "attempted", "number": number, "attempt": entry.attempts + 1})
        return entry.trial

    def _hear(self, number: int, entry: OpenTrial, outcome: Outcome) -> None:
        if isinstance(outcome, Failure) and entry.failures < self.rules.retries:
            self._retry(number, entry, outcome)
            return
        self._record(end_event(number, outcome))
        self._keep_files(number)
        for twin in self._twins.pop(number, ()):
            self._end_like(twin, number)

    def _progressed(self, number: int, step: int, metrics: Mapping[str, Any]) -> bool:
        attempt = self.ledger.open[number].attempts
        return self._record(progressed_event(number, attempt, step, metrics))

    def _retry(self, number: int, entry: OpenTrial, failure: Failure) -> None:
        after = {"kind": failure.kind, "message": failure.message, "seconds": failure.seconds}
        self._record(
            {"event": "attempted", "number": number, "attempt": entry.attempts + 1, "after": after}
        )
        if self._order is None:
            self._again(number)

    def _end_like(self, number: int, original: int) -> None:
        """End a duplicate with what is known of the original, at no cost."""
        event = dict(self.store.event_at(self.ledger.ended_at[original]))
        event.pop("learnt", None)
        self._record({**event, "number": number, "seconds": 0.0, "reused": original})

    def _keep_files(self, number: int) -> None:
        if self.workdir(number).is_dir():
            keep_files(self.folder, number, self.ledger.kept)

    # ------------------------------------------------------------------ the log

    def _record(self, *events: dict[str, Any], trial: Trial | None = None) -> bool:
        """Write events, then act on them: the log first, the strategy last; False if the trial had
        better stop.

        Args:
            trial: what the first of them asks, so that it need not be parsed.
        """
        for event in events:
            event["time"] = round(time.time(), 3)
        go_on, all_heard = True, []
        for event, offset in zip(events, self.store.append_all(events), strict=True):
            all_heard.append(self.ledger.apply(event, offset, trial))
            if self._early_stopping is not None:
                go_on = self._early_stopping.hear(event)

        for event, heard in zip(events, all_heard, strict=True):
            if self._watch is not None:
                self._watch(event)
            if heard is not None:
                self._teach(*heard)
        return go_on

    def _teach(self, trial: Trial, evaluation: Evaluation) -> None:
        """Let the strategy hear a result, and write down what it says of itself."""
        began = time.perf_counter()
        self.strategy.tell(trial, evaluation)
        self._strategy_seconds += time.perf_counter() - began
        for update in self.strategy.diagnostics():
            self._record({"event": "updated", "number": trial.number, **update})
        if self._snapshots is not None:
            self._snapshots.told(self.store.size, self.ledger.updates)

    def _replay(self) -> None:
        """Tell the strategy its past, in the order in which it happened; a snapshot stands for the
        beginning."""
        updates: list[dict[str, Any]] = []
        known_bytes, known_updates = self._snapshots.restore() if self._snapshots else (0, 0)
        for offset, event in read_events(self.store.path):
            new = self.strategy.learns and offset >= known_bytes
            heard = self.ledger.apply(event, offset, heard=new)
            if self._early_stopping is not None:
                self._early_stopping.hear(event)
            if heard is not None and new:
                self.strategy.tell(*heard)
                updates += [
                    {"event": "updated", "number": heard[0].number, **u}
                    for u in self.strategy.diagnostics()
                ]
        self.ledger.parse_open()
        self._lost_updates = updates[self.ledger.updates - known_updates :]

    def _begin(self, budget: Budget | None, learnt: Sequence[OlderJudgement]) -> None:
        """Write the first line of this session, then settle what the last one could not."""
        first = self.ledger.sessions == 0
        if first and (budget is None or not budget.to_dict()):
            raise StudyError(NEEDS_BUDGET)
        if self.ledger.finished is not None and budget in (None, self.ledger.budget):
            return  # nothing begins
        opening: dict[str, Any] = {"event": "started", "format": self.store.format}
        if first and budget is not None:
            opening["budget"] = budget.to_dict()
        if first and self.fingerprint is not None:
            opening["study"] = self.fingerprint
        self._record(opening)
        if not first and budget is not None:
            self.extend(budget)
        for update in self._lost_updates:
            self._record(update)
        self._learn(learnt)
        for number, entry in sorted(self.ledger.open.items()):
            self._settle(number, entry)
        tidy_files(self.folder, self.ledger.open, self.ledger.kept)

    def _learn(self, judgements: Sequence[OlderJudgement]) -> None:
        """Write down what older studies judged, from where the log has it, and tell the
        strategy."""
        for judgement in judgements[self.ledger.counts["learnt"] :]:
            # Between its two lines a session may have been killed: then it stands open.
            begun = next((n for n, e in self.ledger.open.items() if "learnt" in e.asked), None)
            number = self.ledger.next_number if begun is None else begun
            asked, told, trial = judgement.events(number)
            if begun is None:
                self._record(asked, told, trial=trial)
            else:
                self._record(told)

    def _settle(self, number: int, entry: OpenTrial) -> None:
        if entry.duplicate_of is not None:
            self._follow(number, entry.duplicate_of)
        elif self._order is None or not self._order.adopt(entry):
            self._waiting.append(number)


def _early_stopping_of(rules: Rules, last_step: int | None) -> EarlyStopping | None:
    if rules.early_stop == "none":
        return None
    from nas.study.early_stopping import early_stopping

    return early_stopping(rules, last_step)


def _snapshots_of(strategy: Strategy, log: Path) -> Snapshots | None:
    """Only of a strategy that can begin from one; else a file of that name is somebody else's."""
    if not strategy.resumes_from_snapshots:
        return None
    from nas.study.snapshots import Snapshots

    return Snapshots(log, strategy)
