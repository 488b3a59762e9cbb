"""How long the networks on the fronts of a comparison take in ONNX Runtime.

`python results/published/digits-hard-front/measure.py STUDIES > latencies.jsonl` exports the
fronts of the first three seeds (those that lie there already are taken as they are), measures all
networks in turns, and prints a line of JSON for each: milliseconds of each round, for each size of
batch.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nas.exporting.formats._onnx_runtime import session_of
from nas.exporting.networks import export_front
from nas.search.fronts import front_of

SEEDS = 3
BATCHES, ROUNDS, WARM, PASSES = (1, 32), 10, 3, 20


def main(studies: Path) -> None:
    rows = [row for folder in _measured(studies) for row in _members(folder)]
    sessions = [session_of(Path(row.pop("file"))) for row in rows]
    rounds: dict[tuple[int, int], list[float]] = {}
    for _ in range(ROUNDS):  # all in turns, so that a busy minute is one of all
        for index, session in enumerate(sessions):
            for batch in BATCHES:
                rounds.setdefault((index, batch), []).append(_milliseconds(session, batch))
    for index, row in enumerate(rows):
        found = {f"ms_{batch}": rounds[index, batch] for batch in BATCHES}
        print(
            json.dumps(row | {name: [round(ms, 5) for ms in each] for name, each in found.items()})
        )


def _measured(studies: Path) -> list[Path]:
    """The studies of the first seeds, of every arm."""
    seeds = sorted({folder.name for folder in studies.glob("*/seed-*")})[:SEEDS]
    return [folder for seed in seeds for folder in sorted(studies.glob(f"*/{seed}"))]


def _members(folder: Path) -> Iterator[dict[str, Any]]:
    """Those on the front of a study, exported; of equal networks one."""
    members = {member.key: member for member in reversed(front_of(folder).members)}
    files = {
        each: folder / "best/front" / f"trial-{one.number}/model.onnx"
        for each, one in members.items()
    }
    if not all(file.is_file() for file in files.values()):
        export_front(folder, to=["onnx"])
    for key, member in members.items():
        accuracy, macs = member.objectives["val_accuracy"], -member.objectives["-macs"]
        row = {"arm": folder.parent.name, "seed": int(folder.name.removeprefix("seed-"))}
        row |= {"trial": member.number, "key": key, "val_accuracy": accuracy, "macs": macs}
        yield row | {"file": str(files[key])}


def _milliseconds(session: Any, batch: int) -> float:
    """The quickest of some passes, once warm: what others do on the machine only slows one down."""
    shape = session.get_inputs()[0].shape[1:]
    images = {"images": np.zeros((batch, *shape), np.float32)}
    times = []
    for _ in range(WARM + PASSES):
        began = time.perf_counter()
        session.run(None, images)
        times.append(1000 * (time.perf_counter() - began))
    return min(times[WARM:])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
