"""What a surrogate learns from records: a Gaussian process on the normal scores of rows, its kernel
and noise chosen by cross-validation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from nas.contracts import Json
from nas.evaluators._cell_features import Counting, Floats
from nas.evaluators._record_rows import TableRow
from nas.seeding import numpy_rng
from nas.study.kendall import Tau, ceiling, mean_tau

if TYPE_CHECKING:
    from search_spaces.cells.genotype import Genotype
    from search_spaces.cells.space import SearchSpace

Ints = NDArray[np.int64]

FOLDS: Final = 5
_NOISES: Final = (0.1, 0.3, 1.0, 3.0)  # variance of a row, as a share of that of the kernel
# How much of each kernel: a line in what is counted, a smooth function of it, decisions alike.
_KERNELS: Final[Mapping[str, tuple[float, float, float]]] = {
    "counts, in a line": (1.0, 0.0, 0.0),
    "counts": (0.5, 0.5, 0.0),
    "counts, smooth": (0.0, 1.0, 0.0),
    "counts and decisions": (0.5, 0.0, 0.5),
    "decisions": (0.0, 0.0, 1.0),
}
_HAMMING_LENGTH: Final = 0.4  # of the number of decisions, as the critic of the controller has it
_USES_WEIGHT: Final = 0.75  # likewise
_SECONDS_NOISE: Final = 0.1
_BEYOND: Final = 0.99  # of the records are not further from their nearest


class Counted(NamedTuple):
    """Architectures as kernels see them."""

    counts: Floats  # (N, F), in standard deviations of the records
    answers: Floats  # (N, all options of all decisions), one of each decision is 1
    uses: Floats  # (N, U): how often each option is used among decisions with the same options


@dataclass(frozen=True, slots=True)
class Worth:
    """What the records are, and what a prediction is worth, from records that it had not seen.

    Args:
        repeated: rows that several seeds scored.
        tau: of a prediction with one score.
        again: of one seed with another, among repeated rows; None where there are none.
        perfect: the tau of a judge without noise with one score; None likewise.
        seed_sd: the deviation of one seed; None likewise.
        seconds_off: the median relative error of predicted seconds.
    """

    rows: int
    repeated: int
    lowest: float
    highest: float
    tau: Tau
    again: Tau | None
    perfect: float | None
    seed_sd: float | None
    seconds_off: float

    def to_dict(self) -> dict[str, Json]:
        """All of it, short."""
        tau, again = self.tau, self.again
        return {
            "rows": self.rows,
            "repeated": self.repeated,
            "lowest": self.lowest,
            "highest": self.highest,
            "tau": [_short(tau.value), _short(tau.low), _short(tau.high)],
            "tau_of_seeds": None if again is None else _short(again.value),
            "ceiling": _short(self.perfect),
            "seed_sd": None if self.seed_sd is None else float(f"{self.seed_sd:.3g}"),
            "seconds_off": _short(self.seconds_off),
        }

    @property
    def told(self) -> str:
        """One sentence."""
        tau = self.tau
        interval = "" if tau.low is None else f" ({tau.low:.2f} to {tau.high:.2f})"
        ceiling = (
            "no record has two seeds, so no noise is added, and how much there is nobody knows"
            if self.perfect is None
            else f"a judge without noise would have {self.perfect:.2f}"
        )
        return (
            f"predictions have a tau of {tau.value:.2f}{interval} with scores of records that they "
            f"had not seen; {ceiling}; the records reach from {self.lowest:.4g} to "
            f"{self.highest:.4g}"
        )


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


@final
@dataclass(frozen=True, slots=True)
class Model:
    """What was learnt: pure arrays, which travel to workers."""

    counting: Counting
    kernel: str
    noise: float
    worth: Worth
    residuals: Floats  # how far single seeds lie from the mean of many, by repeated rows
    _scale: tuple[Floats, Floats]  # mean and deviation of each count
    _groups: Floats
    _seen: Counted
    _weights: Floats
    _seconds: tuple[Floats, float]  # weights of counts and a constant, for logarithms
    _quantiles: tuple[Floats, Floats]  # normal scores, and what they stand for
    _furthest: float

    @classmethod
    def of(cls, space: SearchSpace, rows: Sequence[TableRow]) -> Self:
        """Learn from these rows."""
        genotypes = [row.genotype for row in rows]
        counting = Counting.of(genotypes)
        raw = np.array([counting(space, genotype) for genotype in genotypes], dtype=float)
        scale = raw.mean(axis=0), raw.std(axis=0)
        groups = _groups(space)
        seen = _seen(space, genotypes, raw, scale, groups)
        scores = np.array([row.score for row in rows])
        targets = normal_scores(scores)
        families = _families(rows)
        folds = _folds(families)

        parts = _parts(seen, seen)
        foreseen = {
            (name, noise): predicted
            for name in _KERNELS
            for noise, predicted in _out_of_fold(_mixed(parts, name), targets, folds).items()
        }
        errors = {choice: np.square(each - targets) for choice, each in foreseen.items()}
        kernel, noise = _least(errors, np.ones(len(rows), dtype=bool))
        held_out = np.empty(len(rows))
        for fold in range(FOLDS):  # chosen by the other folds, so that the choice flatters nobody
            held_out[folds == fold] = foreseen[_least(errors, folds != fold)][folds == fold]

        seconds, off = _seconds_of(seen, rows, folds)
        return cls(
            counting,
            kernel,
            noise,
            _worth(rows, held_out, off),
            _residuals([_known(row) for row in rows]),
            scale,
            groups,
            seen,
            _solved(_mixed(parts, kernel), targets, noise),
            seconds,
            _quantiles(targets, scores),
            _furthest(seen.counts, families),
        )

    def __call__(self, space: SearchSpace, genotype: Genotype) -> tuple[float, float, bool]:
        """Score and seconds of an architecture, and whether it lies outside of what is known."""
        raw = np.array([self.counting(space, genotype)])
        one = _seen(space, [genotype], raw, self._scale, self._groups)
        across = _mixed(_parts(one, self._seen), self.kernel)[0]
        weights, constant = self._seconds
        seconds = math.exp(float(one.counts[0] @ weights) + constant) if constant > -math.inf else 0
        return (
            _score_of(float(across @ self._weights), self._quantiles),
            seconds,
            self._is_outside(raw[0], one) or not self.counting.knows(genotype),
        )

    def _is_outside(self, raw: Floats, one: Counted) -> bool:
        """Further from every record than records are from one another, or with a count that no
        two records tell apart."""
        mean, deviation = self._scale
        strange = bool(np.any(np.abs(raw - mean)[deviation == 0] > 1e-9))
        nearest = float(np.square(self._seen.counts - one.counts).sum(axis=1).min())
        return strange or math.sqrt(nearest) > self._furthest


# ------------------------------------------------------------------ what kernels compare


def _seen(
    space: SearchSpace,
    genotypes: Sequence[Genotype],
    raw: Floats,
    scale: tuple[Floats, Floats],
    groups: Floats,
) -> Counted:
    mean, deviation = scale
    counts = np.where(deviation > 0, (raw - mean) / np.where(deviation > 0, deviation, 1), 0.0)
    choices = np.array([space.encode(genotype) for genotype in genotypes], dtype=np.int64)
    offsets = np.cumsum([0, *space.counts[:-1]])
    answers = np.zeros((len(choices), sum(space.counts)))
    np.put_along_axis(answers, choices + offsets, 1.0, axis=1)
    return Counted(counts, answers, answers @ groups)


def _groups(space: SearchSpace) -> Floats:
    """Which column of the uses each answer counts in."""
    columns: dict[tuple[tuple[int | str, ...], int], int] = {}
    places = [
        columns.setdefault((decision.options, option), len(columns))
        for decision in space.decisions
        for option in range(len(decision.options))
    ]
    matrix = np.zeros((len(places), len(columns)))
    matrix[np.arange(len(places)), places] = 1.0
    return matrix


def _parts(one: Counted, other: Counted) -> tuple[Floats, Floats, Floats]:
    """The kernels that are mixed: a line, a smooth function, decisions alike."""
    width, decisions = one.counts.shape[1], one.answers[0].sum()
    different = decisions - one.answers @ other.answers.T
    by_uses = np.exp(-_USES_WEIGHT * _squares(one.uses, other.uses) / decisions)
    alike = 0.5 * np.exp(-different / (_HAMMING_LENGTH * decisions)) + 0.5 * by_uses
    smooth = np.exp(-_squares(one.counts, other.counts) / (2 * width))
    return one.counts @ other.counts.T / width, smooth, alike


def _squares(one: Floats, other: Floats) -> Floats:
    """Squared distances."""
    apart = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1)[None]
    return np.asarray(np.maximum(apart - 2 * one @ other.T, 0.0))


def _mixed(parts: tuple[Floats, Floats, Floats], kernel: str) -> Floats:
    return np.asarray(
        sum(share * part for share, part in zip(_KERNELS[kernel], parts, strict=True))
    )


# ------------------------------------------------------------------ learning


def normal_scores(scores: Floats) -> Floats:
    """Ranks as quantiles of a normal distribution; equal scores share the middle of theirs."""
    ordered = np.sort(scores)
    middle = np.searchsorted(ordered, scores) + np.searchsorted(ordered, scores, "right")
    normal = NormalDist()
    return np.array([normal.inv_cdf(place / (2 * len(scores))) for place in middle.tolist()])


def _solved(covariance: Floats, targets: Floats, noise: float) -> Floats:
    found = np.linalg.solve(covariance + noise * np.eye(len(covariance)), targets)
    return found.astype(np.float64, copy=False)


def _out_of_fold(covariance: Floats, targets: Floats, folds: Ints) -> dict[float, Floats]:
    """By noise: what each row is foreseen as by the rows of other folds."""
    found = {noise: np.empty(len(targets)) for noise in _NOISES}
    for fold in range(FOLDS):
        here, others = folds == fold, folds != fold
        known, across = covariance[np.ix_(others, others)], covariance[np.ix_(here, others)]
        for noise, foreseen in found.items():
            foreseen[here] = across @ _solved(known, targets[others], noise)
    return found


def _least(
    errors: Mapping[tuple[str, float], Floats], rows: NDArray[np.bool_]
) -> tuple[str, float]:
    """The kernel and noise with the least error on these rows; rounded, for processors differ."""
    return min(errors, key=lambda choice: round(float(errors[choice][rows].mean()), 5))


def _families(rows: Sequence[TableRow]) -> list[str]:
    """For each row the key of what it descends from: neighbours know of each other."""
    origins = {row.genotype.key: row.neighbour_of for row in rows}
    found = []
    for row in rows:
        key, steps = row.genotype.key, 0
        while (origin := origins.get(key)) is not None and steps < len(rows):
            key, steps = origin, steps + 1
        found.append(key)
    return found


def _folds(families: Sequence[str]) -> Ints:
    """A fold for each row, the same for a family."""
    names = sorted(set(families))
    order = numpy_rng(0, "surrogate folds").permutation(len(names)).tolist()
    fold = {names[place]: rank % FOLDS for rank, place in enumerate(order)}
    return np.array([fold[family] for family in families])


def _seconds_of(
    seen: Counted, rows: Sequence[TableRow], folds: Ints
) -> tuple[tuple[Floats, float], float]:
    """A line for the logarithm of seconds, and its median error on records it has not seen; no
    line where seconds are not recorded."""
    seconds = np.array([row.seconds for row in rows])
    if np.any(seconds <= 0):
        return (np.zeros(seen.counts.shape[1]), -math.inf), 0.0
    logs, foreseen = np.log(seconds), np.empty(len(rows))
    for fold in range(FOLDS):
        here, others = folds == fold, folds != fold
        weights, constant = _line(seen.counts[others], logs[others])
        foreseen[here] = seen.counts[here] @ weights + constant
    off = float(np.median(np.abs(np.expm1(foreseen - logs))))
    return _line(seen.counts, logs), off


def _line(counts: Floats, logs: Floats) -> tuple[Floats, float]:
    constant = float(logs.mean())
    square = counts.T @ counts + _SECONDS_NOISE * len(counts) * np.eye(counts.shape[1])
    return _solved(square, counts.T @ (logs - constant), 0.0), constant


# ------------------------------------------------------------------ what it is worth


def _worth(rows: Sequence[TableRow], held_out: Floats, seconds_off: float) -> Worth:
    seeds = [_known(row) for row in rows]
    again, about = _again(seeds), _residuals(seeds)
    return Worth(
        len(rows),
        sum(len(scores) > 1 for scores in seeds),
        min(row.score for row in rows),
        max(row.score for row in rows),
        mean_tau([(held_out, np.array([first for first, *_ in seeds]))]),
        again,
        None if again is None else ceiling(again.value),
        float(np.sqrt(np.square(about).mean())) if len(about) else None,
        seconds_off,
    )


def _known(row: TableRow) -> list[float]:
    return [score for score in row.scores if score is not None]


def _again(seeds: Sequence[Sequence[float]]) -> Tau | None:
    """The tau of one seed with another, among rows that have several."""
    repeated = [scores for scores in seeds if len(scores) > 1]
    if not repeated:
        return None
    width = min(map(len, repeated))
    first, *others = np.array([scores[:width] for scores in repeated]).T
    return mean_tau([(first, other) for other in others])


def _residuals(seeds: Sequence[Sequence[float]]) -> Floats:
    """Scores of repeated rows about their mean, as far as single ones lie from the mean of many."""
    found = [
        math.sqrt(count / (count - 1)) * (np.array(scores) - np.mean(scores))
        for scores in seeds
        if (count := len(scores)) > 1
    ]
    return np.concatenate(found) if found else np.empty(0)


def _quantiles(targets: Floats, scores: Floats) -> tuple[Floats, Floats]:
    places, first = np.unique(targets, return_index=True)
    return places, scores[first]


def _score_of(place: float, quantiles: tuple[Floats, Floats]) -> float:
    """What a normal score stands for. Beyond the best record it rises ever slower, by no more than
    half of what parts the best tenth of records; below the worst likewise: nobody has been there.
    """
    places, scores = quantiles
    tenth = max(1, len(places) // 10)
    for end, inner, side in ((-1, -1 - tenth, 1), (0, tenth, -1)):
        beyond = side * (place - float(places[end]))
        if beyond > 0 and len(places) > tenth:
            most = abs(float(scores[end] - scores[inner])) / 2
            slope = 2 * most / abs(float(places[end] - places[inner]))
            return float(scores[end]) - side * most * math.expm1(-slope * beyond / most)
    return float(np.interp(place, places, scores))


def _furthest(counts: Floats, families: Sequence[str]) -> float:
    """How far nearly all records lie from the nearest of another family."""
    apart = _squares(counts, counts)
    names = np.array(families)
    apart[names[:, None] == names[None, :]] = np.inf
    nearest = np.sqrt(apart.min(axis=1))
    known = nearest[np.isfinite(nearest)]
    return float(np.quantile(known, _BEYOND)) if len(known) else math.inf
