"""Small parts for tests of studies: a space of 16 architectures, a judge that sometimes fails, and
readers of logs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.contracts import Evaluation, Evaluator, Outcome, Proposal, Report, Strategy, Trial
from nas.registry import load, names
from nas.study import Budget, Rules
from nas.study.attempt import attempt
from nas.study.store import Store
from nas.study.study import Study
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import Decision, SearchSpace

# Options under which a strategy begins to learn within a few trials; none: its defaults.
QUICK: dict[str, dict[str, Any]] = {
    "evolution": {"population": 5, "sample": 3},
    "policy-gradient": {"hidden": 8, "uniform": 16},
    "optuna:tpe": {"sampler": "tpe", "n_startup_trials": 4},
    "optuna:nsgaii": {"sampler": "nsgaii", "population_size": 4},
    "optuna:random": {"sampler": "random"},
}
STRATEGIES = [name for name in names("strategy") if name != "optuna"]
STRATEGIES += [spoken for spoken in QUICK if spoken.startswith("optuna:")]


class Tiny(SearchSpace):
    """Sixteen architectures, so that duplicates are common."""

    name = "tiny"
    _decisions = (Decision("first", (0, 1, 2, 3)), Decision("second", ("a", "b", "c", "d")))

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return self._decisions

    def decode(self, choices: Sequence[int]) -> Genotype:
        pairs = zip(self.decisions, self.checked(choices), strict=True)
        return Genotype(
            "tiny", choices={decision.name: decision.options[choice] for decision, choice in pairs}
        )

    def encode(self, genotype: Genotype) -> tuple[int, ...]:
        assert genotype.choices is not None
        return tuple(
            decision.options.index(genotype.choices[decision.name]) for decision in self.decisions
        )


TINY = Tiny()


def tiny(first: int, second: int) -> Genotype:
    """The genotype of these choices."""
    return TINY.decode((first, second))


A, B, C = tiny(0, 0), tiny(1, 1), tiny(2, 2)


class Judge(Evaluator):
    """A score from the genotype and the seed alone; one seed in `fails` fails, always."""

    cheap = True

    def __init__(
        self, space: SearchSpace, *, fails: int = 0, steps: int = 0, cost: float = 1.0
    ) -> None:
        super().__init__(space)
        self.fails, self.steps, self.cost = fails, steps, cost
        self.judged: list[Genotype] = []

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        self.judged.append(genotype)
        if self.fails and seed % self.fails == 0:
            raise RuntimeError(f"seed {seed} never works")
        score = sum(self.space.encode(genotype)) + seed % 1000 / 1000
        for step in range(1, self.steps + 1):
            if not report(step, {"score": score * step}):
                return Evaluation(score * step, {}, self.cost * step / self.steps)
        return Evaluation(score, {"seed": seed % 7}, self.cost)


@dataclass
class Listed(Strategy):
    """Proposes what stands in its list, then nothing."""

    genotypes: Sequence[Genotype]
    heard: list[tuple[int, float]]

    def __init__(self, genotypes: Sequence[Genotype]) -> None:
        super().__init__(TINY, 0)
        self.genotypes, self.heard = genotypes, []

    def ask(self, number: int) -> Proposal | None:
        return Proposal(self.genotypes[number]) if number < len(self.genotypes) else None

    def tell(self, trial: Trial, evaluation: Evaluation) -> None:
        self.heard.append((trial.number, evaluation.score))


def fresh_strategy(spoken: str, space: SearchSpace = TINY, seed: int = 7) -> Strategy:
    """A strategy that knows nothing yet."""
    part: Any = load("strategy", spoken.partition(":")[0])
    made: Strategy = part(space, seed, **QUICK.get(spoken, {}))
    return made


def judged(study: Study, evaluator: Evaluator, trial: Trial) -> Outcome:
    """The outcome of one attempt, reported to the study."""
    return attempt(
        evaluator,
        trial,
        study.workdir(trial.number),
        lambda s, m: study.progress(trial.number, s, m),
    )


def run_all(study: Study, evaluator: Evaluator) -> None:
    """One trial after another until nothing is left, then the end."""
    for trial in study.todo():
        study.tell(trial.number, judged(study, evaluator, trial))
    study.finish()


def lines(folder: Path) -> list[dict[str, Any]]:
    """Every event of a log, without its checksum."""
    events = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return [{name: event[name] for name in event if name != "check"} for event in events]


def write_log(folder: Path, events: Iterable[Mapping[str, Any]]) -> None:
    """A log that says just this, with the checksums of a study that wrote it."""
    (folder / "events.jsonl").unlink(missing_ok=True)
    with Store(folder / "events.jsonl", sync="grouped") as store:
        store.append_all(list(events))


def kinds(folder: Path) -> list[str]:
    """The events of a log by name."""
    return [event["event"] for event in lines(folder)]


def story(events: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """What a log says, number by number: proposal, seed, end and score. Every trial must have ended
    exactly once."""
    proposed = {e["number"]: e for e in events if e["event"] in ("asked", "skipped")}
    ended: dict[int, Mapping[str, Any]] = {}
    for event in events:
        if event["event"] in ("told", "stopped", "failed"):
            assert event["number"] not in ended, f"trial {event['number']} ended twice"
            ended[event["number"]] = event
    assert ended.keys() == {
        number for number, event in proposed.items() if event["event"] == "asked"
    }
    return [
        (
            number,
            json.dumps(event["genotype"]),
            event.get("seed"),
            json.dumps(event.get("notes")),
            event.get("reason"),
            ended.get(number, {}).get("event"),
            ended.get(number, {}).get("score"),
            ended.get(number, {}).get("reused"),
        )
        for number, event in sorted(proposed.items())
    ]


def of_trials(count: int) -> Budget:
    """A budget of so many trials."""
    return Budget(trials=count)


def no_limit() -> Budget:
    """A budget that ends nothing."""
    return Budget(hours=math.ldexp(1, 20))


def study_of(
    folder: Path, genotypes: Sequence[Genotype], rules: Rules | None = None, **options: Any
) -> Study:
    """A study of a strategy that proposes these."""
    return Study(folder, Listed(genotypes), rules=rules, **{"budget": of_trials(50), **options})


def heard(study: Study) -> list[tuple[int, float]]:
    """What its strategy was told: number and score."""
    assert isinstance(study.strategy, Listed)
    return study.strategy.heard


def asked(study: Study) -> Trial:
    """The next trial, which must be there."""
    trial = study.ask()
    assert trial is not None
    return trial


def told(study: Study, trial: Trial, score: float = 0.5, seconds: float = 1.0) -> None:
    """A full result."""
    study.tell(trial.number, Evaluation(score, {}, seconds))


def without_proofs(log: Path) -> None:
    """Make a log one of the first format, which cannot prove what study it is of."""
    events = [json.loads(line) for line in log.read_text().splitlines()]
    for event in events:
        del event["check"]
        if "format" in event:
            event["format"] = 1
            event.pop("study", None)
    log.write_text("".join(json.dumps(event) + "\n" for event in events))
