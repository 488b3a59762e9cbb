"""Everything a report says, as records: what is between the reading of logs and the writing of
pages, pictures and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nas.reports.experiment import Request
from nas.reports.frame import JudgedOften, RecordedPart, Task
from nas.reports.outcome import Outcome

Axis = Literal["trials", "cost"]
State = Literal["kept", "open", "broken"]
Interval = tuple[float, float]
Numbers = Sequence[float | None]  # None where there is none


@dataclass(frozen=True, slots=True)
class Margin:
    """Differences below `value` count as none, and when that was said."""

    value: float
    stated: str


@dataclass(frozen=True, slots=True)
class Goal:
    """The score whose reaching is timed, and where it comes from."""

    score: float
    stated: str


# ------------------------------------------------------------------ what one arm did


@dataclass(frozen=True, slots=True)
class Spread:
    """One number per study, described; of no studies only `n` is known."""

    n: int
    mean: float | None = None
    sd: float | None = None
    interval: Interval | None = None
    median: float | None = None
    low_quartile: float | None = None
    high_quartile: float | None = None
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class Improvement:
    """Percent above random sampling, over the seeds both have."""

    percent: float
    interval: Interval | None
    seeds: int
    by: str


@dataclass(frozen=True, slots=True)
class Curse:
    """The winner's curse: how much of the best score of a search a second evaluation confirms."""

    n: int
    search_score: float | None = None
    same_confirmed: float | None = None
    chosen_confirmed: float | None = None
    changed: float | None = None


@dataclass(frozen=True, slots=True)
class Area:
    """The mean height of incumbent curves, up to `end`."""

    axis: Axis
    end: float
    height: Spread


@dataclass(frozen=True, slots=True)
class TargetReached:
    """How soon the target was reached, and by how many studies of how many."""

    reached: int
    of: int
    median_trials: float | None
    median_cost: float | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How the trials of an arm ended."""

    asked: int
    evaluated: int
    reused: int
    stopped: int
    failed: int
    skipped: int
    retried: int
    failure_kinds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of what was proposed."""

    duplicates: float
    failures: float
    stopped: float
    skipped: float


@dataclass(frozen=True, slots=True)
class Costs:
    """What a study spent on the average."""

    trials: float
    seconds: float
    confirm_seconds: float
    strategy_seconds: float
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class Champion:
    """The genotype of the best study of an arm, and where it lies."""

    seed: int
    folder: str
    number: int
    key: str
    score: float
    final: Mapping[str, float]
    metrics: Mapping[str, float]
    genotype: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One study in a line."""

    seed: int
    finished: bool
    outcome: float | None
    score: float | None
    confirmed_score: float | None
    key: str | None
    trials: int
    seconds: float
    duplicates: int
    failed: int
    strategy_seconds: float


@dataclass(frozen=True, slots=True)
class ArmRow:
    """What one arm reached, how fast, at what cost, and its winner."""

    label: str
    strategy: str
    options: Mapping[str, Any]
    recorded: Mapping[str, Any]
    studies: int
    finished: int
    outcome: Spread
    score: Spread
    improvement: Improvement | None
    curse: Curse | None
    area: Area
    to_target: TargetReached | None
    counts: Counts
    rates: Rates
    costs: Costs
    winner: Champion | None
    per_seed: Sequence[StudyRow]


# ------------------------------------------------------------------ who is better


@dataclass(frozen=True, slots=True)
class Comparison:
    """One arm against random search, with every test that was made."""

    arm: str
    baseline: str
    verdict: str
    reason: str | None
    negligible: bool
    more_seeds: int | None
    seeds: int
    paired_seeds: Sequence[int]
    mean_difference: float | None
    sd_of_differences: float | None
    interval: Interval | None
    interval_kind: str
    t_interval: Interval | None
    bootstrap_interval: Interval | None
    effect_size: float | None
    superiority: float | None
    superiority_interval: Interval | None
    p: float | None
    p_wilcoxon: float | None
    p_equivalence: float | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """What an average architecture reaches, from the draws of random search; by seed, too."""

    score: Spread
    scores: Mapping[int, float]
    outcome: Spread
    outcomes: Mapping[int, float]


# ------------------------------------------------------------------ all arms as curves


@dataclass(frozen=True, slots=True)
class Band:
    """A curve over seeds: median and quartiles, mean and its 95 % interval."""

    low: Numbers
    median: Numbers
    high: Numbers
    mean: Numbers
    mean_low: Numbers
    mean_high: Numbers


@dataclass(frozen=True, slots=True)
class Incumbents:
    """The best so far of each arm; `final` where every incumbent was judged."""

    x: Numbers
    score: Mapping[str, Band]
    final: Mapping[str, Band] | None


@dataclass(frozen=True, slots=True)
class Tops:
    """Means of the best 1, 5 and 25 distinct genotypes so far: by how many, then by arm."""

    x: Numbers
    tops: Mapping[int, Mapping[str, Band]]


@dataclass(frozen=True, slots=True)
class Distribution:
    """The empirical distribution function of the scores of an arm."""

    share: Numbers
    score: Numbers


@dataclass(frozen=True, slots=True)
class Surface:
    """What a quarter, half and three quarters of the fronts of an arm attain at each place."""

    quarter: Numbers
    half: Numbers
    three_quarters: Numbers


@dataclass(frozen=True, slots=True)
class Attainment:
    """The first objective against another: at each value of the other, what fronts attain there
    or beyond, by arm."""

    objective: str
    x: Numbers
    surfaces: Mapping[str, Surface]


@dataclass(frozen=True, slots=True)
class FrontMember:
    """A trial that none of all studies dominates, and who found it."""

    arm: str
    seed: int
    folder: str
    number: int
    key: str
    point: Sequence[float]
    metrics: Mapping[str, float]
    final: Mapping[str, float]
    genotype: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fronts:
    """Several objectives: what their fronts attain, and the front of all studies together.

    Args:
        scales: the worst that counts of each and a good value, as hypervolumes are measured.
        union: the best by the first objective first.
        shown: the places in it of its two ends and of its knee.
    """

    formulas: Sequence[str]
    scales: Sequence[Interval]
    attained: Sequence[Attainment]
    union: Sequence[FrontMember]
    shown: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ControllerCurves:
    """Diagnostics of an arm that has a controller, over the number of told trials."""

    told: Sequence[int]
    curves: Mapping[str, Band]
    collapsed: int
    studies: int


# ------------------------------------------------------------------ the honest part


@dataclass(frozen=True, slots=True)
class Honesty:
    """Where the numbers come from, and everything that could have been chosen late."""

    folders: Sequence[str]
    machines: Sequence[Mapping[str, Any] | None]
    evaluated_on: Sequence[str]
    foreseen: Sequence[str]
    versions: Sequence[Mapping[str, Any] | None]
    commits: Sequence[str | None]
    measured: Sequence[Mapping[str, Any] | None]
    runners: Sequence[RecordedPart | None]
    budgets: Sequence[Mapping[str, float]]
    seeds: Mapping[str, Sequence[int]]
    unfinished: Mapping[str, Sequence[int]]
    not_run: Mapping[str, Sequence[int]]
    planned: bool
    pilot: int | None
    confirm: Mapping[str, Any] | None
    requests: Sequence[Request]
    first_alone: Sequence[str]  # arms that heard the first of several objectives alone
    resumed: int
    total_trials: int
    total_seconds: float
    total_wall_seconds: float
    total_strategy_seconds: float
    audits: Sequence[str]  # what they found of judges that guess


@dataclass(frozen=True, slots=True)
class Practice:
    """A good practice, and whether it was kept."""

    item: str
    state: State
    note: str


@dataclass(frozen=True, slots=True)
class Findings:
    """The whole report: what the pages show, and nothing that they do not."""

    verdict: str
    format: int
    title: str
    task: Task
    outcome: Outcome
    score: str
    margin: Margin
    baseline: str | None
    sampling: Sampling | None
    target: Goal | None
    arms: Sequence[ArmRow]
    comparisons: Sequence[Comparison]
    curves: Mapping[Axis, Incumbents]
    tops: Tops
    distributions: Mapping[str, Distribution]
    fronts: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]
    judged_often: Mapping[str, Sequence[JudgedOften]]
    objectives: Fronts | None
    controllers: Mapping[str, ControllerCurves]
    honesty: Honesty
    checklist: Sequence[Practice]
