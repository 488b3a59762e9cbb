"""An audit: the same random genotypes judged by a cheap judge and twice by the true one, each time
an ordinary study in one folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nas import registry
from nas.errors import counted
from nas.evaluators._record_rows import TableRow
from nas.evaluators.surrogate import OUTSIDE
from nas.search.tabulation import Sampled, joined, study_of_seed
from nas.search.words import judged_by

if TYPE_CHECKING:
    from nas.search.plan import Plan
    from nas.search.words import Assignment

FILE: Final = "audit.json"
# The cheap judge has a seed of its own: a short training with the seed of a long one is its
# beginning, and would agree with it more than with any other.
_TRUE_SEEDS: Final = (0, 1)
_CHEAP_SEED: Final = 2


@dataclass(frozen=True, slots=True)
class Audited:
    """The studies of an audit: that of the cheap judge, and two of the true one."""

    cheap: Assignment
    true: tuple[Assignment, ...]

    @property
    def studies(self) -> tuple[Assignment, ...]:
        """All of them, in the order in which they run."""
        return (self.cheap, *self.true)


@dataclass(frozen=True, slots=True)
class Judgements:
    """What both judges said of the genotypes that neither failed on.

    Args:
        keys: of the genotypes, in one order for all lists.
        true: a list of scores for each seed.
        missing: genotypes that one of the judges failed on, or has not judged yet.
    """

    keys: Sequence[str]
    cheap: Sequence[float]
    true: Sequence[Sequence[float]]
    cheap_seconds: float
    true_seconds: float
    missing: int


def audited(
    tree: Mapping[str, Any], cheap: str, true: str, count: int, folder: Path | None
) -> Audited:
    """The studies of an audit; `tree` holds the settings of a search, and in a table `cheap` those
    of the cheap judge alone.

    Args:
        folder: where the studies lie; None for a folder under results/ named after what is judged.
    """
    rest = {name: table for name, table in tree.items() if name != "cheap"}
    given = rest.get("evaluator", {})
    trees = {
        "cheap": judged_by(cheap, rest, tree.get("cheap", {})),
        "true": {**rest, "evaluator": {**given, "name": true}},
    }
    sampled = Sampled(count)
    if folder is None:
        drafts = (study_of_seed(each, 0, Path(), sampled).plan for each in trees.values())
        prints = "-".join(plan.fingerprint for plan in drafts)
        folder = Path("results") / f"audit-{cheap.replace(':', '-').replace('.', '-')}-{prints}"
    return Audited(
        study_of_seed(trees["cheap"], _CHEAP_SEED, folder / "cheap", sampled),
        tuple(
            study_of_seed(trees["true"], seed, folder / f"true-{seed}", sampled)
            for seed in _TRUE_SEEDS
        ),
    )


def sentence_of_audit(plan: Plan, folder: Path) -> str:
    """What an audit beside this study found of its judge in its space, or that there is none."""
    study = {**plan.identity(), "measured": plan.measured}
    return sentence_beside({**study["evaluator"]}, study, folder)


def sentence_beside(judge: Mapping[str, Any], study: Mapping[str, Any], folder: Path) -> str:
    """What an audit in a folder beside this one found of a judge of a study, in its space; without
    one, what the evaluator itself measured of its worth."""
    space = study["space"]["fingerprint"]
    for file in sorted(folder.absolute().parent.glob(f"*/{FILE}")):
        try:
            content = json.loads(file.read_text("utf-8"))
            theirs = content["cheap"], content["space"]["fingerprint"]
            said = str(content["sentence"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # somebody else's file
        if theirs == (judge, space):
            return f"{said} ({file.parent.name}/{FILE})"
    own = (study.get("measured") or {}).get("worth")
    if own is not None and judge["name"] == study["evaluator"]["name"]:
        return str(own)
    return (
        f"there is none of {judge['name']} here, so nobody knows what its scores are worth; "
        "see `nas audit --help`"
    )


def judges_that_guess(study: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of the judges that study.json names, evaluator and screen, those whose score stands for what
    a training would give; code of strangers is not asked."""
    screen = study.get("screen")
    for judge in (study["evaluator"], *([] if screen is None else [screen["judge"]])):
        if registry.is_outside("evaluator", judge["name"]):
            continue
        if getattr(registry.load("evaluator", judge["name"]), "stands_in", False):
            yield {"name": judge["name"], "options": judge["options"]}


def outside_told(winners: Sequence[Mapping[str, Any]]) -> str | None:
    """How many winners, by their metrics, lie outside of what their judge knows; nothing, where
    none does."""
    known = [bool(metrics[OUTSIDE]) for metrics in winners if OUTSIDE in metrics]
    if not any(known):
        return None
    return (
        f"{sum(known)} of {counted(len(known), 'winner')} outside of what the records know, where "
        "a score is a guess"
    )


def judgements(audit: Audited) -> Judgements:
    """Both judges side by side."""
    cheap, *true = ({row.genotype.key: row for row in joined([s.folder])} for s in audit.studies)
    both = sorted(set(cheap).intersection(*true))
    return Judgements(
        both,
        [cheap[key].score for key in both],
        [[study[key].score for key in both] for study in true],
        _seconds([cheap[key] for key in both]),
        _seconds([study[key] for study in true for key in both]),
        (audit.cheap.budget.trials or 0 if audit.cheap.budget else 0) - len(both),
    )


def _seconds(rows: Sequence[TableRow]) -> float:
    """The mean over these judgements."""
    return sum(row.seconds for row in rows) / max(1, len(rows))
