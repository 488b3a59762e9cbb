"""The tables of a report and the notes above them, as text: the page and the Markdown show the
same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nas.errors import counted, shell_word
from nas.registry import is_outside
from nas.reports.facts import budget_text
from nas.reports.facts import facts as known_facts
from nas.reports.findings import (
    ArmRow,
    Champion,
    Comparison,
    Findings,
    FrontMember,
    Fronts,
    Spread,
)
from nas.reports.frame import RecordedPart, Task
from nas.reports.outcome import Outcome
from nas.reports.sentences import interval_text, p_text, score_text, seconds_text, short
from nas.settings import Part
from nas.study.seed_spread import spread_told


@dataclass(frozen=True, slots=True)
class Table:
    """Column names and rows of texts; `words`: cells are prose, not numbers."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    words: bool = False


def task(found: Findings) -> str:
    """What was searched, and how it was judged, in a line."""
    space, evaluator = found.task.space.name, found.task.evaluator
    options = evaluator.options
    if found.objectives is not None:
        options = {**options, "score": None}
    judged = ("final",) if found.outcome.kind == "final" else ()
    shown = ("table", "dataset", "preset", "score", "cost", *judged)
    given = [f"{name} {options[name]}" for name in shown if options.get(name) is not None]
    budgets = " or ".join(budget_text(budget) for budget in found.honesty.budgets)
    if found.objectives is not None:
        given.append(f"objectives {', '.join(found.objectives.formulas)}")
    times = found.task.rules.get("evaluations_per_trial", 1)
    each = f" · each score the mean of {times} seeds" if times > 1 else ""
    if found.task.learnt is not None:
        known = counted(found.task.learnt.get("evaluations", 0), "evaluation")
        each += (
            f" · {known} of {', '.join(found.task.learn_from)} known to every study from the start"
        )
    judge = f"{evaluator.name}: {', '.join(given or _changed(evaluator)) or 'as it is'}"
    return f"{space} · {judge} · {budgets} per study{each}"


def _changed(part: RecordedPart) -> list[str]:
    """The options of a part of ours that are not its defaults."""
    if is_outside("evaluator", part.name):
        return []
    defaults = Part("evaluator", part.name, part.options).defaults()
    return [
        f"{name} {value}"
        for name, value in part.options.items()
        if value != defaults.get(name, value) and isinstance(value, int | float | str)
    ]


def arms(found: Findings) -> Table:
    """What every arm reached."""
    name = found.outcome.name
    confirmed = "confirmed " if found.outcome.confirmed else ""
    columns = [
        "",
        "seeds",
        f"{confirmed}{name}, mean",
        "± sd",
        "95 % interval",
        "median",
        "quartiles",
    ]
    final = found.outcome.kind == "final" or found.outcome.judge is not None
    if final:
        columns.append(f"search {found.score}, mean ± sd")
    several = found.objectives is not None
    if not several and found.outcome.judge is None:
        columns.append("above random sampling")
    rows = [_arm_row(arm, final)[: len(columns)] for arm in found.arms]
    if found.sampling is not None:
        sampled = found.sampling
        score = sampled.score if final else None
        rows.append(_spread_row("random sampling", sampled.outcome, score, "0 %"))
    return Table(tuple(columns), rows)


def arms_note(found: Findings) -> str:
    """How to read it."""
    kind, name = found.outcome.kind, found.outcome.name
    if found.objectives is not None:
        return _hypervolume_note(found.objectives)
    if found.outcome.judge is not None:
        return _of_two_judges(found)
    if kind == "final":
        first = (
            f"{name} is read after a study has ended, for its incumbents only; the search saw "
            f"{found.score}."
        )
    else:
        first = (
            f"Arms are compared by {name}, which the searches themselves saw: "
            f"{_why_no_final(found.outcome)}."
        )
    again = ""
    if found.outcome.confirmed:
        again = " Winners were chosen by a second evaluation of the best trials with fresh seeds."
    return first + again + _sampling_note(found)


def _hypervolume_note(several: Fronts) -> str:
    """What is compared, and by what it is measured."""
    ranges = "; ".join(
        f"{formula} from {score_text(worst)} to {score_text(best)}"
        for formula, (worst, best) in zip(several.formulas, several.scales, strict=True)
    )
    return (
        "Arms are compared by the hypervolume of their fronts, which the searches themselves saw: "
        "how much lies between the worst that counts and the front, where 1 is the box of these "
        f"ranges, fixed before the first trial and the same for every arm: {ranges}."
    )


def _of_two_judges(found: Findings) -> str:
    """What is compared where the judge of the searches did not choose the winners."""
    outcome, searching = found.outcome, found.task.evaluator.name
    read = (
        f"{outcome.name} is read after that, for its winners only"
        if outcome.kind == "final"
        else f"arms are compared by the {outcome.name} it gave"
    )
    other = "with other settings " if outcome.judge == searching else ""
    return (
        f"The searches saw {found.score} of {searching}; winners were chosen by {outcome.judge} "
        f"{other}among the best of each search, and {read}. Scores of the two are not to be "
        "compared, so gains over random sampling and the winner's curse are not told."
    )


def _why_no_final(outcome: Outcome) -> str:
    if outcome.judged:
        have = "has" if outcome.judged == 1 else "have"
        return (
            f"only {outcome.judged} of {outcome.winners} winners {have} a final (weights or test "
            "split missing?)"
        )
    return "no winner has a final"


def _sampling_note(found: Findings) -> str:
    if not found.sampling:
        return ""
    first = (
        " Random sampling is what an average architecture reaches: all draws of random search "
        "for the score"
    )
    if found.outcome.kind == "score":
        return f"{first}."
    if found.sampling.outcome.n:
        return first + ", the first draw of each study for the final."
    return first + (
        ". Only winners kept what a final needs, so gains over random sampling compare "
        f"{found.score}."
    )


def comparisons(found: Findings) -> Table:
    """Every test of every arm against random search: a column per arm, as there are more tests than
    arms."""
    rows = [(name, *(cell(row) for row in found.comparisons)) for name, cell in _TESTS.items()]
    return Table(("", *(row.arm for row in found.comparisons)), rows)


def comparisons_note(found: Findings) -> str:
    """How to read it."""
    margin = found.margin
    return (
        "Seeds are paired. Intervals are Student's below 50 seeds and BCa bootstrap from 50 on. "
        "p-values are two-sided "
        "and adjusted by Holm over all arms; the verdict follows the permutation test at 5 %, "
        "then two one-sided t "
        f"tests at a margin of {short(margin.value)} ({margin.stated}). 'Ahead' counts ties "
        "half. How many more "
        "seeds would settle it assumes 80 % power and differences as they are so far."
    )


def curves_note(found: Findings) -> str:
    """How to read the curves."""
    if found.objectives is not None:
        return (
            "The hypervolume of the front so far. Lines are medians over seeds, bands reach from "
            "quartile to quartile. Trials count what was evaluated: repeats are "
            f"{_repeats(found.task)}."
        )
    return (
        "The incumbent is the best trial so far by the score of the search; its final was read "
        "afterwards. Lines are "
        "medians over seeds, bands reach from quartile to quartile. Trials count what was "
        f"evaluated: repeats are {_repeats(found.task)}."
    )


def _repeats(task: Task) -> str:
    """What a curve over trials makes of them."""
    if task.duplicates == "retrain":
        return "evaluated again"
    return "free" if task.repeats == "free" else "left out, but used up the budget of trials"


def speed(found: Findings) -> Table:
    """Areas under incumbent curves, and how soon a target was reached."""
    columns = (
        "",
        "area under the incumbent" if found.objectives is None else "area under the hypervolume",
        "95 % interval",
        "target reached",
        "median trials",
        "median seconds",
    )
    rows = []
    for arm in found.arms:
        area, hit = arm.area, arm.to_target
        reached = ("–", "–", "–")
        if hit is not None:
            reached = (
                f"{hit.reached} of {hit.of}",
                _or_more(hit.median_trials),
                _or_more(hit.median_cost),
            )
        rows.append(
            (
                arm.label,
                score_text(area.height.mean),
                interval_text(area.height.interval),
                *reached,
            )
        )
    return Table(columns, rows)


def speed_note(found: Findings) -> str:
    """How to read it."""
    axis = found.arms[0].area.axis
    goal = found.target
    curve = "the incumbent" if found.objectives is None else "that curve"
    target = (
        f" The target is {found.score} {score_text(goal.score)}: {goal.stated}." if goal else ""
    )
    return (
        f"The area is the mean height of {curve} over {axis} (higher is better).{target} "
        "Studies that never "
        "reach the target count as taking for ever, so a median may not exist."
    )


def fronts_note(several: Fronts) -> str:
    """How to read surfaces."""
    others = " With three objectives each picture leaves one out." * (len(several.formulas) > 2)
    return (
        f"The highest {several.formulas[0]} that at least half of the fronts of an arm attain at "
        "each value of the other objective or a better one (median attainment surface); bands "
        "reach from what a quarter attains to what three quarters do. Then the trials that none of "
        "all studies dominates, in the colour of who found them; those that are ringed are drawn "
        f"below.{others}"
    )


def union_note(several: Fronts) -> str:
    """What is drawn of it."""
    return (
        f"The trials that no other of all studies dominates: {len(several.union):,}. Drawn are "
        "its ends by the first two objectives, and its knee."
    )


def union(several: Fronts) -> Table:
    """Every member, the best by the first objective first."""
    rows = [
        (member.arm, *map(score_text, member.point), str(member.seed), str(member.number))
        for member in several.union
    ]
    return Table(("found by", *several.formulas, "seed", "trial"), rows)


def member(several: Fronts, one: FrontMember) -> Iterator[tuple[str, str]]:
    """What is known of one of them."""
    pairs = zip(several.formulas, one.point, strict=True)
    yield from ((formula, score_text(value)) for formula, value in pairs)
    yield from ((name, score_text(value)) for name, value in sorted(one.final.items()))
    for name in ("params", "macs"):
        if name in one.metrics:
            yield name, f"{one.metrics[name]:,.0f}"
    yield from ((name, str(value)) for name, value in one.genotype.get("settings", {}).items())
    yield "canonical key", one.key
    yield "found by", f"{one.arm}, {one.folder}, trial {one.number}"


def member_commands(one: FrontMember) -> Iterator[str]:
    """What to type to have it."""
    genotype = shell_word(f"{one.folder}/best/front/trial-{one.number}/genotype.json")
    yield f"nas show {genotype}"
    yield f"nas export {genotype} --to python,svg"


def tops_note(found: Findings) -> str:
    """How to read the figure of the paper."""
    return (
        "Means over seeds (bands: 95 % intervals) of the best, the best 5 and the best 25 "
        "distinct architectures found "
        "so far, as in Zoph et al. (2018), figure 6; then the distribution of the scores of all "
        "trials, with repeats."
        + (
            " Where a score is the mean of several seeds, the best trials stand with the standard "
            "error of each: where bars overlap, the order may be luck."
            if found.judged_often
            else ""
        )
    )


def costs(found: Findings) -> Table:
    """What a study of each arm spent on the average, and on what."""
    columns = (
        *("", "trials evaluated", "seconds of evaluation", "of confirmation"),
        *("of the strategy itself", "of wall clock"),
        *("repeats", "failures", "stopped early", "skipped"),
    )
    rows = []
    for arm in found.arms:
        cost, rates = arm.costs, arm.rates
        spent = (
            cost.seconds,
            cost.confirm_seconds,
            cost.strategy_seconds,
            cost.wall_seconds,
        )
        shares = (rates.duplicates, rates.failures, rates.stopped, rates.skipped)
        rows.append(
            (
                arm.label,
                short(cost.trials, 4),
                *map(seconds_text, spent),
                *map(_percent, shares),
            )
        )
    return Table(columns, rows)


def costs_note(found: Findings) -> str:
    """How to read it."""
    rule = found.task.duplicates
    repeats = {
        "reuse": "a repeat of a known architecture is told its score again and costs nothing",
        "retrain": "a repeat is evaluated again and costs what it costs",
        "resample": "a repeat is skipped and another one is asked for",
    }[rule]
    if rule == "reuse" and found.task.repeats == "charged":
        repeats += " but one of the trials of a budget (these studies began under that older rule)"
    return f"Means per study; shares are of all proposals. One policy for all arms: {repeats}."


def curse(found: Findings) -> Table | None:
    """Search score beside confirmed score."""
    known = [(arm.label, arm.curse) for arm in found.arms if arm.curse and arm.curse.n]
    if not known:
        return None
    columns = (
        "",
        "best score of the search",
        "the same trial again",
        "best after confirmation",
        "another one chosen",
    )
    rows = [
        (
            label,
            score_text(curse.search_score),
            score_text(curse.same_confirmed),
            score_text(curse.chosen_confirmed),
            "–" if curse.changed is None else _percent(curse.changed),
        )
        for label, curse in known
    ]
    return Table(columns, rows)


def curse_note() -> str:
    """What is to be seen."""
    return (
        "The best of many noisy scores is partly luck. The best trials of every search were "
        "evaluated again, with "
        "seeds no search had seen; what the first evaluation promised beyond the second is the "
        "winner's curse."
    )


def controllers_note(found: Findings) -> str:
    """How to read the diagnostics."""
    collapsed = [
        f"{data.collapsed} of {data.studies} ({label})" for label, data in found.controllers.items()
    ]
    return (
        "Medians and quartiles over seeds. Studies in which an alarm went off: "
        f"{', '.join(collapsed)}."
    )


def winners_note(found: Findings) -> str:
    """How they were chosen."""
    by = "the confirmed score" if found.outcome.confirmed else "the score of the search"
    return (
        f"The best study of each arm by {by}; what was read afterwards had no part in the choice."
    )


def winner(found: Findings, best: Champion) -> Iterator[tuple[str, str]]:
    """What is known of a winner."""
    chosen_by = found.score if found.outcome.judge is None else f"score of {found.outcome.judge}"
    yield chosen_by, score_text(best.score) + spread_told(best.metrics)
    yield from ((name, score_text(value)) for name, value in sorted(best.final.items()))
    for name in ("params", "macs"):
        if name in best.metrics:
            yield name, f"{best.metrics[name]:,.0f}"
    yield from ((name, str(value)) for name, value in best.genotype.get("settings", {}).items())
    yield "canonical key", best.key
    yield "study", f"{best.folder}, trial {best.number}"


def winner_commands(best: Champion) -> Iterator[str]:
    """What to type to have it."""
    yield f"nas show {shell_word(best.folder + '/best/genotype.json')}"
    yield f"nas export {shell_word(best.folder)} --to python,svg"


def facts(found: Findings) -> Table:
    """Machine, versions, commit, budget, seeds: everything that could have been otherwise."""
    return Table(("", ""), known_facts(found), words=True)


def per_seed(found: Findings) -> Table:
    """A row per study."""
    name, score = found.outcome.name, found.score
    final = found.outcome.kind == "final" or found.outcome.confirmed
    columns = (
        *("", "seed", *((f"{name} of the winner",) if final else ())),
        *(f"search {score}", "trials", "seconds", "repeats", "failed", "winner"),
    )
    rows = []
    for arm in found.arms:
        for row in arm.per_seed:
            outcome = (score_text(row.outcome) if row.finished else "unfinished",) if final else ()
            rows.append(
                (
                    arm.label,
                    str(row.seed),
                    *outcome,
                    score_text(row.score),
                    f"{row.trials:,}",
                    seconds_text(row.seconds),
                    f"{row.duplicates:,}",
                    str(row.failed),
                    row.key or "–",
                )
            )
    return Table(columns, rows)


def _arm_row(arm: ArmRow, final: bool) -> tuple[str, ...]:
    gain = arm.improvement
    above = "–" if gain is None else f"{gain.percent:+.3g} % ({interval_text(gain.interval)})"
    return _spread_row(arm.label, arm.outcome, arm.score if final else None, above)


def _spread_row(label: str, seen: Spread, score: Spread | None, above: str) -> tuple[str, ...]:
    cells = (
        label,
        f"{seen.n:,}",
        score_text(seen.mean),
        short(seen.sd),
        interval_text(seen.interval),
        score_text(seen.median),
        _quartiles(seen),
    )
    searched = () if score is None else (f"{score_text(score.mean)} ± {short(score.sd)}",)
    return (*cells, *searched, above)


def _quartiles(seen: Spread) -> str:
    return f"{score_text(seen.low_quartile)} to {score_text(seen.high_quartile)}" if seen.n else "–"


def _ahead(row: Comparison) -> str:
    if row.superiority is None or row.superiority_interval is None:
        return "–"
    low, high = row.superiority_interval
    return f"{_percent(row.superiority)} ({100 * low:.0f} to {100 * high:.0f})"


_TESTS: Mapping[str, Callable[[Comparison], str]] = {
    "verdict": lambda row: row.verdict + (", below the margin" if row.negligible else ""),
    "seeds": lambda row: f"{row.seeds:,}",
    "mean difference": lambda row: short(row.mean_difference),
    "95 % interval, paired t": lambda row: interval_text(row.t_interval),
    "95 % interval, bootstrap (BCa)": lambda row: interval_text(row.bootstrap_interval),
    "effect size, sd of differences": lambda row: short(row.effect_size, 2),
    "ahead in (95 % interval)": _ahead,
    "p, permutation": lambda row: p_text(row.p),
    "p, Wilcoxon": lambda row: p_text(row.p_wilcoxon),
    "p, equivalence": lambda row: p_text(row.p_equivalence),
    "more seeds that would do": lambda row: (
        "–" if row.more_seeds is None else f"{row.more_seeds:,}"
    ),
}


def _or_more(value: float | None) -> str:
    return "not reached" if value is None else seconds_text(value)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
