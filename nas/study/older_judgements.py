"""A judgement that a study takes over from an older one, and the two lines that say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from nas.contracts import Evaluation, Trial
from nas.study.events import asked_event, end_event
from search_spaces.cells.genotype import Genotype


@dataclass(frozen=True, slots=True)
class OlderJudgement:
    """One genotype as an older study judged it.

    Args:
        seed: of that evaluation.
        study, trial: where it was judged, in words.
        seconds: what it cost there; here it costs nothing.
    """

    key: str
    genotype: Genotype
    seed: int
    score: float
    objectives: tuple[float, ...]
    metrics: Mapping[str, Any]
    study: str
    trial: int
    seconds: float

    def events(self, number: int) -> tuple[dict[str, Any], dict[str, Any], Trial]:
        """How a log says it, as trial `number`: asked, and told at no cost."""
        trial = Trial(number, self.genotype, self.seed, {})
        told = Evaluation(self.score, self.metrics, 0.0, self.objectives)
        origin = {"study": self.study, "trial": self.trial, "seconds": self.seconds}
        asked = {**asked_event(trial, self.key, None, 0.0), "learnt": origin}
        return asked, {**end_event(number, told), "learnt": self.trial}, trial

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "genotype": self.genotype.to_dict(),
            "seed": self.seed,
            "score": self.score,
            "objectives": list(self.objectives),
            "metrics": dict(self.metrics),
            "study": self.study,
            "trial": self.trial,
            "seconds": self.seconds,
        }

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Self:
        """What `to_dict` gave."""
        genotype = Genotype.from_dict(found["genotype"])
        rest = {name: found[name] for name in ("seed", "score", "metrics", "study", "trial")}
        return cls(
            key=genotype.key,
            genotype=genotype,
            objectives=tuple(found["objectives"]),
            seconds=found["seconds"],
            **rest,
        )
