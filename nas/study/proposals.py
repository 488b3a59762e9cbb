"""How a proposal is written: accepted as a trial, or passed over."""

from __future__ import annotations

from typing import Any

from nas.contracts import Trial
from search_spaces.cells.genotype import Genotype


def asked_event(
    trial: Trial, key: str, original: int | None, strategy_seconds: float
) -> dict[str, Any]:
    """The first line of a trial; `original` is the trial it repeats."""
    event = {
        "event": "asked",
        "number": trial.number,
        "key": key,
        "genotype": trial.genotype.to_dict(),
        "seed": trial.seed,
        "notes": trial.notes,
        "strategy_seconds": strategy_seconds,
    }
    return event if original is None else {**event, "duplicate_of": original}


def skipped_event(
    number: int, genotype: Genotype, key: str, reason: str, strategy_seconds: float
) -> dict[str, Any]:
    """The only line of a proposal that became no trial."""
    return {
        "event": "skipped",
        "number": number,
        "key": key,
        "genotype": genotype.to_dict(),
        "reason": reason,
        "strategy_seconds": strategy_seconds,
    }
