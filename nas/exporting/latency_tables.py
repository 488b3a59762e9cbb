"""Builds a latency table: measures random networks of a space, fits the table to most of them, and
says how far it is off the others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from nas.contracts import Json
from nas.exporting.latencies import latencies
from nas.exporting.subject import Subject, fresh_network
from nas.exporting.verified_onnx import verified_onnx
from nas.seeding import numpy_rng
from nas.training.latency_command import LatencyCommand
from nas.training.latency_table import LatencyTable
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton
from search_spaces.cells.space import SearchSpace

JUDGED = 20  # networks that the table is not fitted to
_ROUNDS = 5

Meter = Callable[[Genotype, Skeleton, Path], float]


def engine_meter(engine: str, batch: int, device: str, seconds: float) -> Meter:
    """Measures on this machine: the quickest of many passes, which others there disturb least."""

    def measure(genotype: Genotype, skeleton: Skeleton, folder: Path) -> float:
        network = fresh_network(genotype, skeleton)
        subject = Subject(title=genotype.key, genotype=genotype, skeleton=skeleton, network=network)
        model = _written(genotype, skeleton, folder) if engine == "onnxruntime" else None
        (found,) = latencies(
            subject, [batch], engines=[engine], device=device, seconds=seconds, model=model
        )
        return found.quickest

    return measure


def command_meter(command: LatencyCommand) -> Meter:
    """Asks a command of the user's."""

    def measure(genotype: Genotype, skeleton: Skeleton, folder: Path) -> float:
        return command.milliseconds(_written(genotype, skeleton, folder))

    return measure


def build_table(
    space: SearchSpace,
    skeleton: Skeleton,
    meter: Meter,
    networks: int,
    facts: dict[str, Json],
    watch: Callable[[int, int], None],
) -> LatencyTable:
    """Measure `networks` to fit a table to, and twenty more to judge it by.

    All are measured in five rounds, and the quickest counts. The twenty are measured in five more:
    how far these are off the first says what no table can better.

    Args:
        watch: hears how many of how many measurements are done.
    """
    drawn = _drawn(space, networks + JUDGED)
    with tempfile.TemporaryDirectory(prefix="nas-latency-") as folder:
        todo = [*drawn * _ROUNDS, *drawn[:JUDGED] * _ROUNDS]
        times = []
        for genotype in todo:
            times.append(meter(genotype, skeleton, Path(folder)))
            watch(len(times), len(todo))
    first, second = times[: len(drawn) * _ROUNDS], times[len(drawn) * _ROUNDS :]
    quickest = [min(first[place :: len(drawn)]) for place in range(len(drawn))]
    again = [min(second[place::JUDGED]) for place in range(JUDGED)]
    repeated = median(abs(b - a) / a for a, b in zip(quickest, again, strict=False))

    pairs = list(zip(drawn, quickest, strict=True))
    fitted, judged = pairs[JUDGED:], pairs[:JUDGED]
    table = LatencyTable.fitted(fitted, skeleton, {**facts, "networks": len(fitted)})
    judged = [pair for pair in judged if table.knows(pair[0])]
    return table.with_error(judged, skeleton, repeated)


def _written(genotype: Genotype, skeleton: Skeleton, folder: Path) -> Path:
    """The file of this network, written once."""
    place = folder / genotype.key
    if not place.is_dir():
        place.mkdir()
        verified_onnx(genotype, skeleton, place)
    return place / "model.onnx"


def _drawn(space: SearchSpace, count: int) -> list[Genotype]:
    """Different networks that carry their input; fewer where a space has fewer."""
    found: dict[str, Genotype] = {}
    for number in range(20 * count):
        genotype = space.sample(numpy_rng(0, "latency table", number))
        if genotype.key not in found and space.flaw(genotype) is None:
            found[genotype.key] = genotype
        if len(found) == count:
            break
    return list(found.values())
