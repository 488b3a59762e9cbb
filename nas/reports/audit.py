"""What an audit says: its lines, its sentence, its JSON and its picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.errors import StudyError, counted
from nas.reports.extras import is_there
from nas.reports.rank_agreement import (
    SCREENS_FROM,
    Agreement,
    Tau,
    agreement,
    search_from,
)
from nas.search.auditing import FILE, Audited, Judgements, judgements
from nas.study.store import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT = 1
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What two judges said, and what the cheap one is worth."""

    audit: Audited
    judged: Judgements
    found: Agreement

    @property
    def names(self) -> tuple[str, str]:
        """Of the cheap judge and of the true one."""
        return self.audit.cheap.plan.evaluator.name, self.audit.true[0].plan.evaluator.name

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        cheap, true = self.audit.cheap.plan, self.audit.true[0].plan
        return {
            "format": FORMAT,
            "space": {**cheap.space.to_dict(), "fingerprint": cheap.make_space().fingerprint},
            "cheap": cheap.evaluator.to_dict(),
            "true": true.evaluator.to_dict(),
            "sentence": sentence(self),
            **asdict(self.found),
            "missing": self.judged.missing,
            "cheap_seconds": round(self.judged.cheap_seconds, 4),
            "true_seconds": round(self.judged.true_seconds, 4),
        }


def audit_report(audit: Audited) -> AuditReport:
    """Read the studies of an audit."""
    judged = judgements(audit)
    if len(judged.keys) < _FEWEST:
        raise StudyError(
            f"only {counted(len(judged.keys), 'genotype')} of the audit were judged by both, so "
            f"there is nothing to compare; ask for {_FEWEST} or more with --n"
        )
    return AuditReport(audit, judged, agreement(judged.cheap, judged.true))


def sentence(report: AuditReport) -> str:
    """What the cheap judge is good enough for, said plainly."""
    found, (cheap, true) = report.found, report.names
    tau = found.tau
    more = f"; some {found.more:,} more genotypes would tell" if found.more else ""
    neither = "neither to search nor to screen with"
    few = f"{found.genotypes} genotypes say nothing of its tau"
    may_be = few if tau.low is None else f"its tau may be {_number(tau.low)} or {_number(tau.high)}"
    return {
        "search": f"{cheap} is good enough to search with here: it ranks as {true} does with a tau "
        f"of {search_from(found.perfect):.2f} or more.",
        "screen": f"{cheap} is good enough to screen with here, and not shown to be good enough to "
        f"search with: let it weed out, and let {true} choose.",
        "not": f"{cheap} is not good enough here, {neither}: its tau is below {SCREENS_FROM:.1f}.",
        "not shown": f"{cheap} is not shown to be good enough here, {neither}: {may_be}{more}.",
    }[found.worth]


def lines(report: AuditReport) -> Iterator[str]:
    """What a person reads."""
    found, judged, (cheap, true) = report.found, report.judged, report.names
    missing = f" ({judged.missing} more were not judged by both)" if judged.missing else ""
    yield f"{counted(found.genotypes, 'genotype')} judged by {cheap} and twice by {true}{missing}"
    yield f"       tau: {_words(found.tau)}, with one judgement by {true}"
    yield f"upper half: {_words(found.upper)}, among those that {true} finds better"
    yield (
        f"   ceiling: {_words(found.again)} for {true} with another seed; {found.perfect:.2f} for "
        "a judge without any noise"
    )
    yield (
        f"    regret: {found.regret:.4f}; its winner is number {found.rank} of {found.genotypes} "
        f"({found.winner_score:.4f}, the best {found.best_score:.4f}); a random pick lacks "
        f"{found.random_regret:.4f}"
    )
    yield (
        f" top tenth: its winner is there with a chance of {found.top_tenth:.0%}; a random pick "
        "with 10%"
    )
    yield (
        f"      cost: {judged.cheap_seconds:.3g} s a genotype; {true} takes "
        f"{judged.true_seconds:.3g} s"
    )
    yield sentence(report)


def write_audit(report: AuditReport, folder: Path) -> list[Path]:
    """Write audit.json and, where matplotlib is there, the picture; the files."""
    write_whole(folder / FILE, json.dumps(report.to_dict(), indent=2) + "\n")
    if not is_there("matplotlib"):
        return [folder / FILE]
    from nas.reports.inline import save
    from nas.reports.panels import style

    with style():
        save(_picture(report), folder, "audit")
    return [folder / FILE, folder / "audit.png"]


def _words(tau: Tau) -> str:
    return f"{tau.value:.2f} ({_number(tau.low)} to {_number(tau.high)})"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"


def _picture(report: AuditReport) -> Figure:
    """Each genotype as the two judges see it; a line spans what the true one said under its
    seeds."""
    from nas.reports.panels import ARMS, FAINT, INK, panel

    found, judged, (cheap, true) = report.found, report.judged, report.names
    scores, seeds = np.asarray(judged.cheap), np.asarray(judged.true)
    mean, winner = seeds.mean(axis=0), int(np.argmax(judged.cheap))
    figure, axes = panel(
        f"{cheap} against {true}", f"score by {cheap}", f"score by {true}", room=0.04, bottom=0.2
    )
    axes.vlines(scores, seeds.min(axis=0), seeds.max(axis=0), color=FAINT, lw=0.8, alpha=0.6)
    axes.plot(scores, mean, "o", color=ARMS[0], ms=4.5)
    axes.plot(scores[winner], mean[winner], "o", mfc="none", mec=ARMS[1], ms=11, mew=1.8)
    axes.axhline(mean.max(), color=INK, lw=0.8, ls=(0, (4, 3)))
    axes.annotate(
        f"tau {_words(found.tau)}, ceiling {found.perfect:.2f} · dashed: the best · ring: the "
        "choice of the cheap judge",
        (0, -0.21),
        xycoords="axes fraction",
        fontsize=7.5,
        color=FAINT,
        va="top",
    )
    axes.xaxis.set_label_coords(0.5, -0.12)
    return figure
