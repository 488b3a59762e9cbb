"""The few contracts between who draws, who judges and where it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from nas.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np

    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import SearchSpace

Json = Any  # what json.dumps takes: None, bool, int, float, str, lists and dicts of these
FailureKind = Literal["out_of_memory", "diverged", "timeout", "worker_lost", "error"]
Report = Callable[[int, Mapping[str, Json]], bool]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a strategy draws; `notes` (JSON) come back with the trial on `tell`.

    Args:
        fidelity: which share of a whole training it is to have.
    """

    genotype: Genotype
    notes: Mapping[str, Json] = field(default_factory=dict)
    fidelity: float = 1.0


@dataclass(frozen=True, slots=True)
class Trial:
    """An accepted proposal: its number in the study and the seed of its evaluation.

    Args:
        fidelity: which share of a whole training it has; below 1 it ends as `Stopped`.
    """

    number: int
    genotype: Genotype
    seed: int
    notes: Mapping[str, Json] = field(default_factory=dict)
    fidelity: float = 1.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The judgement: `score` is finite and higher is better; `seconds` is its cost (simulated, for
    a table).

    Args:
        objectives: the values of a study's objectives, where it has several, the score first; the
            study works them out from the metrics, so an evaluator leaves them empty.
    """

    score: float
    metrics: Mapping[str, Json] = field(default_factory=dict)
    seconds: float = 0.0
    objectives: tuple[float, ...] = ()

    @property
    def point(self) -> tuple[float, ...]:
        """All objectives; of a study with one, the score."""
        return self.objectives or (self.score,)


@dataclass(frozen=True, slots=True)
class Stopped:
    """Ended early by the stopping rule: never a full result."""

    step: int
    score: float
    metrics: Mapping[str, Json] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """An evaluation that came to nothing, and why."""

    kind: FailureKind
    message: str
    seconds: float = 0.0


Outcome = Evaluation | Stopped | Failure


class Strategy(ABC):
    """Who draws: a fold over history.

    - `ask(number)` is a question: it changes nothing, may be asked again, in any order, for any
      number, and depends on its number and on past `tell`s only.
    - `tell(trial, evaluation)` is the only step. Results arrive in any order, some never do, and
      some are of genotypes that somebody else chose.
    - Randomness comes from `numpy_rng(seed, "ask", number)` and nowhere else.
    - So a search is resumed by telling its past; `snapshot` and `restore` may shorten that, and
      one that says `learns = False`, as random search does, is told nothing.
    - Options are keyword arguments of the constructor, behind `*`, with defaults in JSON; the
      docstring says under `Args:` what each does. What is kept for `tell` goes into `notes`.
    - `takes_several` is True where it learns from all `objectives` of an evaluation; else it hears
      of the first one alone, as the score, and the study says so before it begins.

    `nas.testing.check_strategy` tries all of it.

    >>> from nas.contracts import Evaluation, Proposal, Strategy, Trial
    >>> from nas.registry import load
    >>> from nas.seeding import numpy_rng
    >>> class Hopeful(Strategy):
    ...     def __init__(self, space, seed, *, jumps: float = 0.2):
    ...         super().__init__(space, seed)
    ...         self.jumps, self.best = jumps, None
    ...
    ...     def ask(self, number):
    ...         rng = numpy_rng(self.seed, "ask", number)
    ...         if self.best is None or rng.random() < self.jumps:
    ...             return Proposal(self.space.sample(rng))
    ...         return Proposal(self.space.mutate(self.best[1], rng))
    ...
    ...     def tell(self, trial, evaluation):
    ...         if self.best is None or evaluation.score > self.best[0]:
    ...             self.best = evaluation.score, trial.genotype
    >>> hopeful = Hopeful(load("space", "ladder")(), seed=0)
    >>> drawn = hopeful.ask(0)
    >>> drawn == hopeful.ask(0)
    True
    >>> hopeful.tell(Trial(0, drawn.genotype, seed=1), Evaluation(0.9))
    >>> hopeful.best[0]
    0.9
    """

    takes_several: bool = False
    learns: bool = True
    # Of so many proposals one is tried, where a screen drops the others: numbers n * proposals to
    # the next multiple belong to one trial.
    proposals: int = 1

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self.space = space
        self.seed = seed

    @abstractmethod
    def ask(self, number: int) -> Proposal | None:
        """The proposal with this number; None only when the space is exhausted."""

    @abstractmethod
    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        """Learn from a trial. Results arrive in any order, and some never do."""

    @property
    def learns_after(self) -> int:
        """How many results it must have heard before they decide anything; until then it draws at
        random."""
        return 0

    def tried(self, trial: Trial) -> None:  # noqa: B027 - most need not know
        """Hear that a proposal was tried, and by no score that it should learn from: it was trained
        short. It may be told later, under another number."""

    def judged_seconds(self) -> float:
        """What judging proposals before one was tried took since the last call; a budget in seconds
        pays for it."""
        return 0.0

    def diagnostics(self) -> list[dict[str, Json]]:
        """What the last `tell` changed inside (say, one record per policy update), for the log;
        given out once."""
        return []

    def recorded(self) -> Mapping[str, Json]:
        """Facts besides the options that decide the proposals (arguments of a wrapped library), for
        study.json."""
        return {}

    @property
    def resumes_from_snapshots(self) -> bool:
        """Whether this strategy can be restored; one that cannot is told its whole past."""
        return type(self).restore is not Strategy.restore

    def snapshot(self) -> Mapping[str, np.ndarray] | None:
        """All that past tells have changed, as arrays; None where replaying them is fast enough."""
        return None

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> None:
        """Continue from a snapshot, exactly as if told the same past; only called with what
        `snapshot` gave."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is about to be trained, in words for people.

    Args:
        data: what is learned from.
        network: what a network of this search costs.
        seconds: the least and the most that a trial may take; None where nobody knows.
    """

    data: str
    network: str
    seconds: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What one child will cost, from a small part of its training.

    Args:
        seconds: of its whole evaluation.
        memory_mib: at its peak: of its GPU, or of its process where it is on a processor.
        room_mib: what that GPU or machine has in all.
        kept_mib: what it leaves on disk.
        exported_mib: what the export of a winner like it takes besides.
        opening_seconds: what the first child of a process takes besides, to read data, say.
    """

    seconds: float
    memory_mib: float | None = None
    room_mib: float | None = None
    kept_mib: float = 0.0
    opening_seconds: float = 0.0
    exported_mib: float = 0.0


class Evaluator(ABC):
    """Who judges: one genotype at a time, the same way each time.

    - `evaluate` returns a finite score (higher is better), metrics in JSON and the seconds it
      cost. Genotype and seed decide all but the clocks.
    - It calls `report(step, metrics)` with rising steps and a `score` among the metrics, if at all;
      when that answers False, it ends soon and returns what it has.
    - It is pickled and sent to workers, so it holds nothing open, and writes below `workdir` only.
      What it leaves in `workdir/keep/` stays with the study if the trial is among the best.
    - What goes wrong may be raised: `attempt()` makes a `Failure` of it. A `NasError` is a mistake
      of the user's and ends the study.
    - Options are keyword arguments behind `space` and `*`; the space may be left out.
    - `heeds` names what it takes from `genotype.settings`, if anything: `skeleton`, `recipe`. Only
      then may a search decide settings of these. `space.build` builds by those of the skeleton.
    - The test split is none of its business, but for `final`.

    `nas.testing.check_evaluator` tries all of it.

    >>> from pathlib import Path
    >>> from nas.contracts import Evaluation, Evaluator
    >>> from nas.registry import load
    >>> class CountsOps(Evaluator):
    ...     cheap = True
    ...
    ...     def __init__(self, space, *, op: str = "sep_3x3"):
    ...         super().__init__(space)
    ...         self.op = op
    ...
    ...     def evaluate(self, genotype, *, seed, workdir, report):
    ...         nodes = [node for cell in genotype.cells.values() for node in cell.nodes]
    ...         return Evaluation(sum(1.0 for n in nodes for e in n.edges if e.op == self.op))
    >>> space = load("space", "ladder")()
    >>> genotype = space.decode((2, 2, 0))
    >>> judge = CountsOps(space)
    >>> judge.evaluate(genotype, seed=0, workdir=Path("."), report=lambda *_: True).score
    6.0
    """

    # True: many per second, so the log may be synced once a second instead of once a line
    cheap: bool = False
    # True: its score only guesses what a training would give, so a search names its audit
    stands_in: bool = False
    # True: `costs` ask somebody else and take seconds, so they are announced
    asks_elsewhere: bool = False
    # True: what it prepares differs from seed to seed of a comparison; else there is one for all
    per_seed: bool = False
    # True: what it judges by hangs on the trials before: one runs at a time, beside the log
    one_at_a_time: bool = False
    # What it takes from the settings of a genotype: those of the `skeleton`, of the `recipe`
    heeds: tuple[str, ...] = ()
    last_step: int | None = (
        None  # the step whose report is the whole evaluation: nothing is stopped early there
    )
    device: str | None = None  # what was asked for (`auto`, `cuda`); None: it makes no difference

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    @abstractmethod
    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """Judge one genotype. `report(step, metrics)` returns False to stop; files in
        `workdir/keep/` travel back."""

    def final(self, genotype: Genotype, *, kept: Path | None = None) -> Mapping[str, float]:
        """What a winner is judged by (say, test accuracy): read only after a study, for its
        incumbents.

        Nothing, where it has none; NotJudged is raised where it has one that cannot be read now.

        Args:
            kept: the folder with what its trial left in `keep/`, where the study still has it.
        """
        del genotype, kept
        return {}

    def at(self, fidelity: float) -> Evaluator:
        """The same judge with this share of a whole training."""
        del fidelity
        raise SettingsError(
            f"{type(self).__name__} knows no shorter training: leave --fidelity out, or take "
            "--evaluator train"
        )

    def outlook(self) -> Outlook | None:
        """What is said before a search begins; None where a trial costs nothing worth saying."""
        return None

    def foresee(self, genotype: Genotype) -> Foreseen | None:
        """What this child would cost, in a process that evaluates, within seconds; None where only
        an evaluation tells."""
        del genotype
        return None

    def foresee_preparation(self, seed: int) -> Foreseen | None:
        """What `prepare` would cost, from a small part of it; None where it makes nothing."""
        del seed
        return None

    @property
    def measures(self) -> Collection[str] | None:
        """The names of the metrics of an evaluation; None where they are seen only then."""
        return None

    def costs(self, genotype: Genotype) -> Mapping[str, float]:
        """What is known before an evaluation (`params`, `macs`): constraints compare it with their
        limits."""
        del genotype
        return {}

    def size(self, genotype: Genotype) -> float:
        """How much there is to compute, beside others; known at once, whoever tells the `costs`."""
        return float(self.costs(genotype).get("macs", 1.0))

    def shared(self) -> Any:
        """What every child reads and none changes (decoded images, say): a cluster keeps it once on
        each node."""
        return None

    def take_shared(self, shared: Any) -> None:
        """Use what `shared` gave elsewhere, instead of reading it again; its arrays are
        read-only."""
        del shared

    def prepare(  # noqa: B027 - most need nothing
        self, folder: Path, seed: int, notice: Callable[[str], None]
    ) -> None:
        """Make what all trials need (weights that children share, say) in a study's folder, or find
        it there; asked before `measured`, each time the study or comparison goes on.

        A process may be killed meanwhile: called again, it goes on, to the same end.
        """

    def measured(self) -> Mapping[str, Json]:
        """Facts fixed once before a study's first trial and recorded (say, the fingerprint of the
        data): what changes them later ends the study."""
        return {}

    def settle(self, known: Sequence[Mapping[str, Json]] = ()) -> Mapping[str, Json]:
        """Decide what was left open and hangs on the machine (device, precision), in a process
        that evaluates, and keep to it; a runner calls it before the first trial.

        Returns the kind of machine as `hardware`, and what holds on it; nothing, where a result
        hangs on no machine. A SettingsError says what this machine lacks.

        Args:
            known: what was settled before: on a machine of the same kind it is taken as it is.
        """
        del known
        return {}


class Turns(Protocol):
    """What a runner may call of a study, whether it is one or many that take turns."""

    @property
    def folder(self) -> Path:
        """Where the study lies."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to start and nothing is open."""

    @property
    def stops_early(self) -> bool:
        """Whether `progress` may ask a trial to stop."""

    def ask(self) -> Trial | None:
        """The next trial to run now; None when there is nothing to start."""

    def tell(self, number: int, outcome: Outcome) -> None:
        """End a trial (or, after a failure with retries left, put it back in the queue)."""

    def progress(self, number: int, step: int, metrics: Mapping[str, Json]) -> bool:
        """Write down one step of a learning curve; False asks the trial to stop."""

    def workdir(self, number: int) -> Path:
        """The folder in which a trial may write."""

    def would_keep(self, score: float) -> bool:
        """Whether the files of a trial with this score would stay with the study."""

    def free(self, places: int) -> None:
        """Hear how many places are free from now on."""

    def notice(self, text: str, about: str = "runner") -> None:
        """Tell whoever watches something that is no part of the log."""


class Runner(ABC):
    """Where trials run: takes what `study.ask()` gives, calls `attempt()`, tells the study.

    - `run` returns when `ask` gives None and nothing is in flight. Every trial it took is told
      exactly once, with what `attempt()` made of it, or with a `Failure` where its worker is gone.
    - `report` of an attempt is `study.progress` of that trial, in the order of its steps.
    - Files that a trial leaves in `workdir/keep/` lie in `study.workdir(number)` before it is told.
    - A `NasError` that `attempt()` raises is the user's to mend: it reaches the caller.
    - One that runs several at once says so with `study.free(places)` where places are free.
    - Options are keyword arguments behind `*`; none of them changes what is found, so a study may
      go on with another runner.

    `nas.testing.check_runner` tries all of it.

    >>> from functools import partial
    >>> from nas.contracts import Runner
    >>> from nas.study.attempt import attempt
    >>> class OneByOne(Runner):
    ...     def run(self, study, evaluator):
    ...         while (trial := study.ask()) is not None:
    ...             report = partial(study.progress, trial.number)
    ...             outcome = attempt(evaluator, trial, study.workdir(trial.number), report)
    ...             study.tell(trial.number, outcome)
    >>> from pathlib import Path
    >>> from nas.registry import load
    >>> from nas.study import Budget
    >>> from nas.study.study import Study
    >>> space = load("space", "ladder")()
    >>> strategy = load("strategy", "random-search")(space, 0)
    >>> Path("one-by-one").mkdir()
    >>> with Study(Path("one-by-one"), strategy, budget=Budget(trials=3)) as study:
    ...     OneByOne().run(study, load("evaluator", "landscape")(space))
    ...     study.finish()
    'all 3 trials are done'
    """

    def check(self, evaluator: Evaluator, folder: Path) -> None:  # noqa: B027 - most refuse nothing
        """Refuse a study where it could not run; called before anything is written in its folder,
        and `run` follows. Where two evaluators take turns, the one that runs first comes last."""

    @abstractmethod
    def run(self, study: Turns, evaluator: Evaluator) -> None:
        """Run until the study has nothing left to start and nothing is in flight."""
