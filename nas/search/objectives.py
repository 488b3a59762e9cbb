"""What a study with several objectives raises: formulas over metrics, and the scales a front is
measured by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, final

from nas.contracts import Evaluation, Evaluator, Failure, Trial
from nas.errors import ExpressionError, NasError, SettingsError, shortened
from nas.evaluators._expressions import Expression
from nas.seeding import derive, numpy_rng
from nas.study.attempt import attempt, never_stop
from nas.study.events import MOST_OBJECTIVES
from nas.study.front import Point, Scale
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

_PILOT_IF_CHEAP, _PILOT_OF_COSTS = 100, 20
_SHARES = ("accuracy",)  # metrics called like this lie between 0 and 1


@final
@dataclass(frozen=True, slots=True)
class Objectives:
    """Two or three formulas over metrics, higher is better; the first is the score.

    Args:
        scales: for each the worst value that counts and a good one, as the user gave them; None
            leaves them to a pilot.
    """

    formulas: tuple[str, ...]
    scales: tuple[Scale, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Self:
        """What `to_dict` gave."""
        scales = found["scales"]
        return cls(tuple(found["formulas"]), None if scales is None else scales_read(scales))

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that the formulas read."""
        return tuple(
            dict.fromkeys(name for text in self.formulas for name in Expression(text).names)
        )


@final
class Weigher:
    """Works the objectives of a trial out of its metrics; called by the study, before it writes."""

    def __init__(self, objectives: Objectives, known: Collection[str] | None = None) -> None:
        """With `known` metrics, a formula over another one is refused now."""
        names = None if known is None else ("score", *known)
        self._formulas = [Expression(text, names) for text in objectives.formulas]

    def __call__(self, evaluation: Evaluation) -> Evaluation | Failure:
        """The evaluation with its objectives; a failure where a metric is missing or no number."""
        try:
            point = self.point({"score": evaluation.score, **evaluation.metrics})
        except NasError as problem:
            return Failure("error", str(problem), evaluation.seconds)
        return Evaluation(point[0], evaluation.metrics, evaluation.seconds, point)

    def point(self, metrics: Mapping[str, object]) -> Point:
        """The objectives of these metrics."""
        return tuple(formula(metrics) for formula in self._formulas)


def objectives_of(
    formulas: str | Sequence[str] | None, scales: str | Sequence[Sequence[float]] | None
) -> Objectives:
    """The objectives that settings name."""
    if formulas is None:
        raise SettingsError("--scales are those of --objectives: give both, or neither")
    texts = tuple(_pieces(formulas) if isinstance(formulas, str) else formulas)
    if not 2 <= len(texts) <= MOST_OBJECTIVES or len(set(texts)) < len(texts):
        raise SettingsError(
            f"--objectives is {shortened(formulas)}: expected two or three different formulas with "
            "commas between them, as in 'val_accuracy, -macs'; a single one is --score"
        )
    for text in texts:
        if not Expression(text).names:
            raise SettingsError(
                f"objective {text!r} reads no metric: name one, as in 'val_accuracy, -macs'"
            )
    return Objectives(texts, None if scales is None else _scales(scales, len(texts)))


def scales_of(
    objectives: Objectives,
    evaluator: Evaluator,
    space: SearchSpace,
    notice: Callable[..., None] = lambda *_: None,
) -> tuple[Scale, ...] | None:
    """The worst and the best of each objective, fixed before the first trial: as given, else those
    of a pilot of random draws, the same for every strategy and seed.

    None where they cannot be known before an evaluation and nobody gave them.
    """
    if objectives.scales is not None:
        return objectives.scales
    if evaluator.cheap:
        points = list(_evaluated(objectives, evaluator, space))
    else:
        points = list(_foreseen(objectives, evaluator, space, notice))
    if not points:
        return None
    scales = tuple((min(values), max(values)) for values in zip(*points, strict=True))
    return None if any(worst >= best for worst, best in scales) else scales


def scales_read(found: Sequence[Sequence[float]]) -> tuple[Scale, ...]:
    """Scales as they stand in a file."""
    return tuple((float(worst), float(best)) for worst, best in found)


def _evaluated(objectives: Objectives, evaluator: Evaluator, space: SearchSpace) -> Iterator[Point]:
    """The objectives of random draws, where evaluations cost nothing."""
    weigh = Weigher(objectives, evaluator.measures)
    for number, genotype in enumerate(_draws(space, _PILOT_IF_CHEAP)):
        trial = Trial(number, genotype, derive(0, "pilot", number))
        outcome = attempt(evaluator, trial, Path(), never_stop)
        if isinstance(outcome, Evaluation) and isinstance(weighed := weigh(outcome), Evaluation):
            yield weighed.point


def _foreseen(
    objectives: Objectives, evaluator: Evaluator, space: SearchSpace, notice: Callable[..., None]
) -> Iterator[Point]:
    """What is known of random draws without an evaluation: costs, and that an accuracy is a
    share."""
    if evaluator.asks_elsewhere:
        notice(
            f"{_PILOT_OF_COSTS} random networks are asked for first, to know the range of each "
            "objective; --scales spares that",
            "scales",
        )
    weigher = Weigher(objectives, evaluator.measures)
    shares = [name for name in objectives.names if name.endswith(_SHARES)]
    for genotype in _draws(space, _PILOT_OF_COSTS):
        costs = evaluator.costs(genotype)
        if not set(objectives.names) <= {*costs, *shares}:
            return
        for share in (0.0, 1.0):
            try:
                yield weigher.point({**costs, **dict.fromkeys(shares, share)})
            except ExpressionError:  # a logarithm of no accuracy, say
                return


def _draws(space: SearchSpace, count: int) -> Iterator[Genotype]:
    for number in range(count):
        yield space.sample(numpy_rng(0, "pilot", number))


def _pieces(text: str) -> list[str]:
    """The formulas of a text, cut at commas that stand in no parentheses and no back quotes."""
    pieces, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == "`"
        depth += 0 if quoted else (letter == "(") - (letter == ")")
        if letter == "," and not depth and not quoted:
            pieces.append("")
        else:
            pieces[-1] += letter
    return [piece.strip() for piece in pieces]


def _scales(given: str | Sequence[Sequence[float]], count: int) -> tuple[Scale, ...]:
    pairs = [piece.split(":") for piece in given.split(",")] if isinstance(given, str) else given
    try:
        scales = tuple((float(worst), float(best)) for worst, best in pairs)
    except (TypeError, ValueError):
        scales = ()
    if len(scales) != count or not all(worst < best for worst, best in scales):
        raise SettingsError(
            f"--scales is {shortened(given)}: expected WORST:BEST for each of the {count} "
            "objectives, the lower number first, as in '0.5:1, -30e6:0'"
        )
    return scales
