"""Numbers as sentences: the verdict first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nas.errors import counted
from nas.reports.findings import ArmRow, Comparison, Findings, Margin
from nas.reports.outcome import HYPERVOLUME, Outcome


def verdict(
    rows: Sequence[Comparison],
    arms: Sequence[ArmRow],
    baseline: str | None,
    margin: Margin,
    *,
    several: bool = False,
    unfinished: str = "",
) -> str:
    """What the comparison came to, in one sentence.

    Args:
        unfinished: how far it is, where that is not its end.
    """
    if not rows or baseline is None:
        return _without_comparison(arms, baseline, several)
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(row.verdict, []).append(row.arm)
    parts = [_part(kind, groups[kind], baseline, margin) for kind in _ORDER if kind in groups]
    text = f"{unfinished and f'{unfinished}: '}{'; '.join(parts)}"
    return text[0].upper() + text[1:] + "."


def in_plain_words(found: Findings) -> str:
    """The same for people who know no statistics, in one sentence."""
    groups: dict[str, list[str]] = {}
    for row in found.comparisons:
        groups.setdefault(row.verdict, []).append(row.arm)
    if not groups:
        return (
            "This shows what was found, not whether another way to search would have found less: "
            "for that, strategies are compared over many seeds."
        )
    parts = [_plainly(kind, _listed(groups[kind])) for kind in _ORDER if kind in groups]
    return f"In plain words: {'; '.join(parts)}."


def _plainly(kind: str, names: str) -> str:
    match kind:
        case "better":
            return f"searching with {names} pays, by more than luck explains"
        case "worse":
            return f"drawing at random would have been the better choice than {names}"
        case "equivalent":
            return f"{names} found what drawing at random finds, so the simpler way will do"
        case "not compared":
            return f"nothing can be said of {names} yet"
        case _:
            return f"what {names} seemed to gain or lose may be luck, and only more seeds can tell"


def sentence(row: Comparison, outcome: Outcome, margin: float) -> str:
    """One comparison in full."""
    arm, baseline = row.arm, row.baseline
    of = "fronts" if outcome.name == HYPERVOLUME else "winners"
    what = f"{outcome.name} of its {'confirmed ' if outcome.confirmed else ''}{of}"
    match row.verdict:
        case "better" | "worse":
            mean = row.mean_difference or 0.0
            way = "higher" if mean > 0 else "lower"
            small = (
                f", though surely by less than the margin of {short(margin)}"
                if row.negligible
                else ""
            )
            head = (
                f"{arm} is {row.verdict} than {baseline}: the {what} is {short(abs(mean))} {way} "
                f"on average{small}"
            )
        case "equivalent":
            head = (
                f"{arm} and {baseline} are equivalent: the {what} differs by less than "
                f"{short(margin)} on average"
            )
        case "not compared":
            return f"{arm} is not compared with {baseline}: {row.reason}."
        case _:
            few = f"{counted(row.seeds, 'seed')} {'is' if row.seeds == 1 else 'are'} not enough"
            head = f"{arm} against {baseline}: {few} to tell{_how_many_more(row)}"
    return head + _evidence(row) + "."


def short(value: float | None, digits: int = 3) -> str:
    """A number for people: three significant digits, no exponent where it can be helped."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    return f"{value:,.0f}" if "e+" in text else text.replace("-", "−")


def score_text(value: float | None) -> str:
    """A score or accuracy: five significant digits, or four decimals below 1, so that columns can
    be compared."""
    if value is None:
        return "–"
    if abs(value) >= 1e5:
        return f"{value:,.0f}".replace("-", "−")
    text = f"{value:.4f}" if abs(value) < 1 else f"{value:#.5g}".rstrip(".")
    return text.replace("-", "−")


def seconds_text(value: float) -> str:
    """Seconds (or a count): whole from 100 on."""
    return f"{value:,.0f}" if abs(value) >= 100 else short(value)


def p_text(p: float | None) -> str:
    """A p-value with two significant digits; 9,999 random signs cannot resolve much below 0.001."""
    return "–" if p is None else f"{p:.2g}" if p >= 0.001 else "< 0.001"


def interval_text(interval: tuple[float, float] | None) -> str:
    """`0.102 to 0.318`: both ends fine enough to tell them apart."""
    if interval is None:
        return "–"
    low, high = interval
    width = high - low
    decimals = 3 if width <= 0 else min(max(0, 2 - round(math.log10(width))), 12)
    return f"{low:.{decimals}f} to {high:.{decimals}f}".replace("-", "−")


_ORDER = ("better", "worse", "equivalent", "not enough seeds", "not compared")


def _part(kind: str, arms: list[str], baseline: str, margin: Margin) -> str:
    names = _listed(arms)
    verb = "are" if len(arms) > 1 else "is"
    match kind:
        case "better" | "worse":
            return f"{names} {verb} {kind} than {baseline}"
        case "equivalent":
            return f"{names} {verb} equivalent to {baseline} within {short(margin.value)}"
        case "not compared":
            return f"{names} cannot be compared with {baseline}"
        case _:
            return f"for {names} there are not enough seeds to tell"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _without_comparison(arms: Sequence[ArmRow], baseline: str | None, several: bool) -> str:
    reason = (
        "there is no random search to compare with" if baseline is None else "there is nothing else"
    )
    studies = sum(arm.studies for arm in arms)
    only, best = arms[0].label, arms[0].winner
    if studies == 1 and best is not None and several:
        return (
            f"{only} found a front of hypervolume {score_text(best.score)}; one study compares "
            "nothing."
        )
    if studies == 1 and best is not None:
        return (
            f"{only} found {best.key} with score {score_text(best.score)}; one study compares "
            "nothing."
        )
    names = _listed([arm.label for arm in arms])
    return f"{counted(studies, 'study')} of {names}, and {reason}: nothing is compared."


def _how_many_more(row: Comparison) -> str:
    if row.more_seeds is None:
        return " (nor would 100,000 be)" if row.effect_size is not None else ""
    if row.effect_size is None:  # nothing to reckon with: this many any verdict takes
        return f" (at least {row.more_seeds:,} more are needed)"
    return f" (about {row.more_seeds:,} more would probably do)"


def _evidence(row: Comparison) -> str:
    """Interval, effect, seeds and p, as far as they are known."""
    words = [counted(row.seeds, "seed")]
    if row.interval is not None:
        words.insert(0, f"95 % interval {interval_text(row.interval)}")
    if row.effect_size is not None:
        words.append(f"effect {short(row.effect_size, 2)} sd")
    if row.superiority is not None:
        words.append(f"ahead in {100 * row.superiority:.0f} % of seeds")
    if row.p is not None:
        words.append(f"p {p_text(row.p)}" if row.p < 0.001 else f"p = {p_text(row.p)}")
    return f" ({', '.join(words)})"
