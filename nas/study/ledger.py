"""What a log amounts to: one fold over its events, the same while they are written and when they
are read again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, final

from nas.contracts import Evaluation, Trial
from nas.errors import GenotypeError, SettingsError, StoreError, UnknownOpError, shortened
from nas.study import Budget, Rules
from nas.study.store import FORMAT, WITHOUT_CHECKS, Event
from search_spaces.cells.genotype import Genotype

if TYPE_CHECKING:  # of several objectives; nothing is loaded where there is one score
    from nas.study.front import Front, Point, Scale
    from nas.study.seed_spread import SeedSpread


class Incumbent(NamedTuple):
    """A trial that was the best when it was told."""

    trial: Trial
    score: float
    cost: float  # summed evaluation cost of the study when it was told
    spread: SeedSpread | None = None  # of its evaluations, where there were several


class OnFront(NamedTuple):
    """A trial that no other dominates."""

    entry: OpenTrial
    score: float
    metrics: Mapping[str, Any]
    seconds: float

    @property
    def trial(self) -> Trial:
        """What was asked."""
        return self.entry.trial


class Session(NamedTuple):
    """Where a study stood when it was opened last."""

    began: float = 0.0  # by the wall clock
    ended: int = 0
    cost: float = 0.0


@dataclass(slots=True)
class OpenTrial:
    """Asked, never ended."""

    asked: Event
    key: str
    duplicate_of: int | None = None
    attempts: int = 0
    failures: int = 0
    steps: int = 0  # progress lines of the present attempt
    parsed: Trial | None = None

    @property
    def trial(self) -> Trial:
        """What was asked, parsed on demand: that costs more than reading its line."""
        if self.parsed is None:
            self.parsed = _trial(self.asked)
        return self.parsed


Heard = tuple[Trial, Evaluation]

# What a line raises that has the right fields, and no study wrote it
_OF_A_STRANGER = (
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    GenotypeError,
    SettingsError,
)


def _not_ours(event: Event) -> StoreError:
    return StoreError(f"the log holds a line that no study wrote: {shortened(event, 100)}")


@final
class Ledger:
    """Counts, costs, open trials and incumbents of a study: a pure function of its events.

    It holds a few hundred bytes for each distinct genotype and nothing for a repeated one.

    Args:
        listens: whether `apply` says what the strategy hears, and duplicates can be looked up; who
            only counts reads a log in half the time and memory.
    """

    def __init__(self, rules: Rules, *, listens: bool = True) -> None:
        self.rules = rules
        self._listens = listens
        self.counts: Counter[str] = (
            Counter()
        )  # asked, evaluated, reused, learnt, stopped, failed, skipped, retried
        self.failure_kinds: Counter[str] = Counter()
        self.next_number = 0
        self.cost = 0.0
        self.strategy_seconds = 0.0  # what proposing and learning took
        self.idle = 0
        self._free = 0  # trials that no budget is charged for
        self.open: dict[int, OpenTrial] = {}
        self.known: dict[str, int] = {}
        self.ended_at: dict[int, int] = {}
        self.incumbents: list[Incumbent] = []
        self.top: list[
            tuple[float, int]
        ] = []  # the `rules.keep` best evaluated trials: score and number
        self.worst: tuple[float, ...] | None = None  # so far, of each objective
        self._front: Front[OnFront] | None = None
        self.budget = Budget()
        self.finished: str | None = None
        self.sessions = 0
        self.updates = 0  # of a controller
        self.alarm: str | None = None  # what is wrong with it, as its last update says
        self.opened: dict[int, Mapping[str, float]] = {}
        self.wall_before = 0.0  # wall-clock seconds of earlier sessions
        self.session = Session()
        self._last_time = 0.0

    @property
    def best(self) -> Incumbent | None:
        """The trial with the highest score; of equals the one on the front, else the one told
        first."""
        return self.incumbents[-1] if self.incumbents else None

    @property
    def bought_trials(self) -> int:
        """How many of the trials that a budget buys have been asked for."""
        return self.counts["asked"] - self._free

    def spent(self, wall_seconds: float) -> str | None:
        """Which limit of the budget is reached by now, in words."""
        return self.budget.spent(self.bought_trials, self.cost, wall_seconds)

    @property
    def ended_trials(self) -> int:
        """How many of these have ended, however."""
        return self.bought_trials - sum(not self._is_free(entry) for entry in self.open.values())

    def _is_free(self, entry: OpenTrial) -> bool:
        """A repeat of what is known, or will be, and what an older study has judged: its score is
        told again, and costs nothing."""
        if "learnt" in entry.asked:
            return True
        return entry.duplicate_of is not None and self.rules.repeats == "free"

    @property
    def wall_seconds(self) -> float:
        """Wall-clock seconds of all sessions, up to the last event."""
        return self.wall_before + max(
            0.0, self._last_time - self.session.began
        )  # clocks are set back at times

    def apply(
        self, event: Event, offset: int, trial: Trial | None = None, *, heard: bool = True
    ) -> Heard | None:
        """Take in one event; returns what the strategy hears of it, where it is `heard`. `trial`
        saves parsing the one just asked."""
        try:
            return self._apply(event, offset, trial, self._listens and heard)
        except UnknownOpError:
            raise  # a sound line of a study with operations of its own
        except _OF_A_STRANGER as problem:
            raise _not_ours(event) from problem

    def parse_open(self) -> None:
        """Parse what was asked and never ended: what no study wrote is found before it goes on."""
        for entry in self.open.values():
            try:
                entry.trial  # noqa: B018 - parsed on demand
            except UnknownOpError:
                raise
            except _OF_A_STRANGER as problem:
                raise _not_ours(entry.asked) from problem

    def _apply(self, event: Event, offset: int, trial: Trial | None, heard: bool) -> Heard | None:
        self._clock(event)
        self.strategy_seconds += event.get("strategy_seconds", 0.0)
        match event["event"]:
            case "asked":
                self._asked(event, trial)
            case "attempted":
                self._attempted(event)
            case "progressed":
                self.open[event["number"]].steps += 1
            case "told":
                return self._told(event, offset, heard)
            case "stopped":
                return self._stopped(event, offset)
            case "failed":
                return self._failed(event, offset)
            case "skipped":
                self._skipped(event)
            case "started":
                self._started(event)
            case "extended":
                self.budget, self.finished, self.idle = Budget(**event["budget"]), None, 0
            case "finished":
                self.finished = event["reason"]
            case "updated":
                self.updates += 1
                self.alarm = event.get("alarm")
            case "opened":
                self.opened[event["number"]] = event["final"]
        return None

    def _started(self, event: Event) -> None:
        if event.get("format") not in (WITHOUT_CHECKS, FORMAT):
            raise StoreError(
                f"the log has format {event.get('format')!r}, but this version reads formats "
                f"{WITHOUT_CHECKS} and {FORMAT}: "
                "use the version of nas that wrote it (study.json names it)"
            )
        if self.sessions == 0:
            self.budget = Budget(**event["budget"])
        self.sessions += 1

    def _clock(self, event: Event) -> None:
        now = float(event.get("time", self._last_time))
        if event["event"] == "started":
            self.wall_before = self.wall_seconds
            self.session = Session(now, self.ended_trials, self.cost)
        if (
            event["event"] != "opened"
        ):  # reading what a winner is judged by is no part of the search
            self._last_time = now

    def _asked(self, event: Event, trial: Trial | None) -> None:
        number = event["number"]
        original = event.get("duplicate_of")
        self.open[number] = OpenTrial(event, event["key"], original, parsed=trial)
        self._free += self._is_free(self.open[number])
        self.cost += event.get("judged_seconds", 0.0)  # of a screen
        self.next_number = number + 1
        self.counts["asked"] += 1
        self.idle += "learnt" not in event
        if original is None and self._listens:
            self.known.setdefault(known_as(event["key"], event.get("fidelity", 1.0)), number)

    def _skipped(self, event: Event) -> None:
        self.next_number = event["number"] + 1
        self.counts["skipped"] += 1
        self.idle += 1

    def _attempted(self, event: Event) -> None:
        entry = self.open[event["number"]]
        entry.attempts += 1
        entry.steps = 0
        if after := event.get("after"):
            entry.failures += 1
            self.counts["retried"] += 1
            self._pay(after["seconds"])

    def _told(self, event: Event, offset: int, heard: bool) -> Heard | None:
        how = "reused" if "reused" in event else "learnt" if "learnt" in event else "evaluated"
        entry = self._ended(event, offset, how)
        score = event["score"]
        if "reused" not in event:
            self._rank(score, event["number"])
        objectives = tuple(event.get("objectives", ()))
        evaluation = Evaluation(score, event["metrics"], event["seconds"], objectives)
        self._remember(entry, evaluation)
        best = self.best
        if best is None or score > best.score or self._drove_out(best, score):
            spread = _spread_of(event["metrics"])
            self.incumbents.append(Incumbent(entry.trial, score, self.cost, spread))
        return (entry.trial, evaluation) if heard else None

    def _remember(self, entry: OpenTrial, told: Evaluation) -> None:
        """What is the worst so far, and the front."""
        point, worst = told.objectives or (told.score,), self.worst
        self.worst = point if worst is None else tuple(map(min, worst, point))
        if told.objectives:
            self._offer(point, OnFront(entry, told.score, told.metrics, told.seconds))

    def _offer(self, point: Point, owner: OnFront) -> None:
        if self._front is None:
            from nas.study.front import Front

            self._front = Front()
        self._front.offer(point, owner)

    def _drove_out(self, best: Incumbent, score: float) -> bool:
        """Whether the best so far has left the front for a trial with this score: an equal one."""
        if self._front is None or score < best.score:
            return False
        return all(owner.entry.asked["number"] != best.trial.number for _, owner in self.front)

    def _rank(self, score: float, number: int) -> None:
        if len(self.top) < self.rules.keep or (self.top and score > self.top[-1][0]):
            self.top.append((score, number))
            self.top.sort(key=lambda entry: -entry[0])  # stable: of equals the one told first
            del self.top[self.rules.keep :]

    def _stopped(self, event: Event, offset: int) -> Heard | None:
        entry = self._ended(event, offset, "stopped")
        if "fidelity" in entry.asked:
            return self._heard(entry, (event["score"],), event["metrics"], event["seconds"])
        if self.rules.stopped_as == "ignore" or self.worst is None:
            return None
        return self._heard(entry, self.worst, event["metrics"], event["seconds"])

    @property
    def front(self) -> list[tuple[Point, OnFront]]:
        """The trials that no other dominates, in the order in which they came; none where there is
        one objective."""
        return [] if self._front is None else self._front.members

    def covered(self, scales: Sequence[Scale] | None) -> str | None:
        """The front in words, with its hypervolume where there are scales; None where there is
        none."""
        if self._front is None:
            return None
        words = f"{len(self.front)} on the front"
        if scales is None:
            return words
        from nas.study.front import hypervolume

        return f"{words}, hypervolume {hypervolume(self._front.points, scales):.4f}"

    @property
    def kept(self) -> set[int]:
        """The numbers of the trials whose files stay: the best, and all on the front."""
        best = {number for _, number in self.top}
        return best | {owner.entry.asked["number"] for _, owner in self.front}

    def _failed(self, event: Event, offset: int) -> Heard | None:
        entry = self._ended(event, offset, "failed")
        self.failure_kinds[event["kind"]] += 1
        if self.rules.failure_score is None:
            return None
        metrics = {"failure": event["kind"]}
        return self._heard(entry, (self.rules.failure_score,), metrics, event["seconds"])

    def _heard(
        self,
        entry: OpenTrial,
        point: tuple[float, ...],
        metrics: Mapping[str, Any],
        seconds: float,
    ) -> Heard | None:
        if not self._listens:
            return None
        objectives = point if len(point) > 1 else ()
        return entry.trial, Evaluation(point[0], metrics, seconds, objectives)

    def _ended(self, event: Event, offset: int, how: str) -> OpenTrial:
        number = event["number"]
        entry = self.open.pop(number)
        self.counts[how] += 1
        if "reused" not in event:
            if self._listens:
                self.ended_at[number] = offset
            self._pay(event["seconds"])
            if self.budget.trials is not None:
                self.idle = 0  # a trial is a cost of its own where trials are counted
        return entry

    def _pay(self, seconds: float) -> None:
        self.cost += seconds
        if seconds > 0:
            self.idle = 0


def _spread_of(metrics: Mapping[str, Any]) -> SeedSpread | None:
    """How far several seeds lie apart, where the score is their mean."""
    if "score_sd" not in metrics:
        return None
    from nas.study.seed_spread import seed_spread

    return seed_spread(metrics)


def _trial(event: Event) -> Trial:
    return Trial(
        event["number"],
        Genotype.from_dict(event["genotype"]),
        event["seed"],
        event["notes"],
        event.get("fidelity", 1.0),
    )


def known_as(key: str, fidelity: float) -> str:
    """What a repeat is known by: a short training says nothing of a whole one."""
    return key if fidelity == 1 else f"{key} {fidelity}"
