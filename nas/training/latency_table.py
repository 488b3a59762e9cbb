"""What an edge with each operation adds to the latency of a network, by its place: fitted to
networks that were measured, read to predict others."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Final, Self, final

import numpy as np

from nas.errors import LatencyError, SettingsError, shortened
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton

FORMAT: Final = 1
Row = tuple[str, str]  # a place, and an operation (or what joins them) there
_LARGEST_FILE = 10_000_000
_RIDGE, _SWEEPS = 1e-3, 2_000


@final
@dataclass(frozen=True, slots=True)
class LatencyTable:
    """Milliseconds that add up: of what all networks of a skeleton have, and of each edge.

    In a skeleton an edge of the normal cell is in every normal cell at once, so its place is the
    role of its cell; in a reduction cell also whether it reads an input, which strides.

    Args:
        facts: with what it was measured (engine, device, hardware, threads, batch).
        error: how far it is off networks that it was not fitted to.
    """

    skeleton: Mapping[str, Any]
    base_ms: float
    rows: Mapping[Row, float]
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, float] = field(default_factory=dict)
    digest: str = ""

    @classmethod
    def fitted(
        cls,
        measured: Sequence[tuple[Genotype, float]],
        skeleton: Skeleton,
        facts: Mapping[str, Any],
    ) -> Self:
        """The table that explains these networks best: least squares of relative errors, nothing
        below 0."""
        counts = [places_of(genotype) for genotype, _ in measured]
        names = sorted({row for count in counts for row in count})
        columns = np.array([[1.0, *(count[row] for row in names)] for count in counts])
        times = np.array([ms for _, ms in measured])
        found = _not_negative(columns / times[:, None], np.ones(len(times)), times.mean())
        rows = dict(zip(names, found[1:].tolist(), strict=True))
        return cls(_plain(skeleton), float(found[0]), rows, facts)

    def predicted(self, genotype: Genotype, skeleton: Skeleton) -> float:
        """The milliseconds of a network in the skeleton that was measured."""
        asked = _plain(skeleton)
        other = sorted(name for name in asked if asked[name] != self.skeleton.get(name))
        if other:
            name = other[0]
            raise LatencyError(
                f"the latency table is of a skeleton with {name} {self.skeleton.get(name)}, but "
                f"this network has {asked[name]}: build a table with `nas profile --table`"
            )
        total = self.base_ms
        for row, count in places_of(genotype).items():
            if row not in self.rows:
                place, op = row
                raise LatencyError(
                    f"the latency table has no {op!r} in {place!r}: build one for this space with "
                    "`nas profile --table`"
                )
            total += count * self.rows[row]
        return total

    def knows(self, genotype: Genotype) -> bool:
        """Whether all that this network has was measured."""
        return places_of(genotype).keys() <= self.rows.keys()

    def with_error(
        self, judged: Sequence[tuple[Genotype, float]], skeleton: Skeleton, repeated: float
    ) -> Self:
        """The table with how far it is off these networks, which it was not fitted to.

        Args:
            repeated: how far a second measurement of the same is off the first.
        """
        pairs = [(self.predicted(genotype, skeleton), ms) for genotype, ms in judged]
        off = [abs(guess - ms) / ms for guess, ms in pairs]
        signs = [np.sign((a - c) * (b - d)) for (a, b), (c, d) in combinations(pairs, 2)]
        error = {"networks": len(pairs), "mean": float(np.mean(off)), "worst": max(off)}
        error |= {"tau": float(np.mean(signs)), "repeated": repeated}
        return replace(self, error=error)

    def to_json(self) -> str:
        """As it stands in a file."""
        rows = [{"place": place, "op": op, "ms": ms} for (place, op), ms in self.rows.items()]
        content = {"format": FORMAT, "facts": self.facts, "skeleton": self.skeleton}
        content |= {"error": self.error, "base_ms": self.base_ms, "rows": rows}
        return json.dumps(content, indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """The table in a file; anything else is refused in a sentence."""
        try:
            if path.stat().st_size > _LARGEST_FILE:
                raise ValueError
            text = path.read_bytes()
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise ValueError
            rows = {(str(row["place"]), str(row["op"])): _ms(row["ms"]) for row in content["rows"]}
            facts, error = dict(content["facts"]), dict(content["error"])
            digest = hashlib.sha256(text).hexdigest()
            skeleton = dict(content["skeleton"])
            return cls(skeleton, _ms(content["base_ms"]), rows, facts, error, digest)
        except OSError as problem:
            raise SettingsError(
                f"latency_table {shortened(str(path))} cannot be read: {problem.strerror}"
            ) from problem
        except (ValueError, KeyError, TypeError, RecursionError) as problem:
            raise SettingsError(
                f"{shortened(str(path))} is no latency table of format {FORMAT}: build one with "
                "`nas profile --table`"
            ) from problem


def places_of(genotype: Genotype) -> Counter[Row]:
    """How often each operation stands at each place, with what joins edges and outputs."""
    found: Counter[Row] = Counter()
    for role, cell in genotype.cells.items():
        for node in cell.nodes:
            for edge in node.edges:
                strides = role == "reduction" and edge.source < cell.inputs
                found[f"{role}, of an input" if strides else role, edge.op] += 1
            found[role, f"joined by {node.combine}"] += 1
        found[role, "in the output"] += len(cell.output_states)
    return found


def _plain(skeleton: Skeleton) -> dict[str, Any]:
    """The settings that a network has when it is used, not only while it is trained."""
    used = replace(
        skeleton, auxiliary=False, drop_path_keep=1.0, drop_path_steps=0, dropout_keep=1.0
    )
    plain: dict[str, Any] = json.loads(json.dumps(asdict(used)))
    return plain


def _ms(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError
    return float(value)


def _not_negative(columns: Any, wanted: Any, unit: float) -> Any:
    """Least squares without numbers below 0, one coordinate after the other.

    A little ridge shares out what columns that always come together explain; the first column, of
    what all have, is free of it.
    """
    products, target = columns.T @ columns, columns.T @ wanted
    ridge = np.full(len(target), _RIDGE * len(wanted) / unit**2)
    ridge[0] = 0.0
    found = np.zeros(len(target))
    for _ in range(_SWEEPS):
        before = found.copy()
        for at in range(len(target)):
            rest = target[at] - products[at] @ found + products[at, at] * found[at]
            found[at] = max(0.0, rest / (products[at, at] + ridge[at]))
        if np.abs(found - before).max() <= 1e-9 * unit:
            break
    return found
