"""A real search: the RNN controller draws children of `cifar10-quick` for as long as there is time,
several at once on the GPU; its log stays in the folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gpu_proof.asked import Asked, Line, figure, left_out
from benchmarks.gpu_proof.mosaics import as_official_layout, mosaics_in
from nas.evaluators.train import Train
from nas.registry import load
from nas.search.run import open_finals, write_best
from nas.study import Budget
from nas.study.study import Study
from nas.training.datasets import cache_folder

_AT_ONCE = 4
_SMALL = {
    "precision": "fp32",
    "layout": "channels-last",
    "recipe": {"epochs": 1, "train_images": 64},
    "skeleton": {"cells_per_stage": 1, "filters": 1},
}


def lines(asked: Asked) -> Iterator[Line]:
    """Data, trials, and what came of them."""
    dataset, data_dir, problem = _data(asked)
    if problem is not None:
        yield left_out("CIFAR-10", problem)
    space = load("space", "nasnet")()
    evaluator = Train(
        space,
        dataset=dataset,
        data_dir=data_dir,
        device=asked.device,
        **_SMALL if asked.small else {},
    )
    strategy = load("strategy", "policy-gradient")(space, 0)
    budget = Budget(trials=2 if asked.small else None, hours=asked.seconds / 3600)
    workers = _AT_ONCE if asked.on_gpu else 1
    began = time.monotonic()
    shutil.rmtree(asked.folder, ignore_errors=True)  # an earlier proof's
    asked.folder.mkdir(parents=True, exist_ok=True)
    with Study(asked.folder, strategy, budget=budget, last_step=evaluator.last_step) as study:
        load("runner", "local")(workers=workers).run(study, evaluator)
        seconds = time.monotonic() - began
        if study.finish() is not None:
            open_finals(study, evaluator)
            write_best(study, evaluator)
        yield from _told(study, dataset, workers, seconds)


def _told(study: Study, dataset: str, workers: int, seconds: float) -> Iterator[Line]:
    ledger = study.ledger
    ended, failed = ledger.counts["evaluated"], ledger.counts["failed"]
    yield figure(f"children on {dataset}, {workers} at once", ended, "children")
    yield figure("children an hour", 3600 * ended / seconds, "children/h")
    yield figure("seconds a child", ledger.cost / max(1, ended), "s")
    yield {"name": "children that failed", "difference": failed, "most": 0, "right": not failed}
    if ledger.best is not None:
        number = ledger.best.trial.number
        yield figure(f"best child, trial {number}: validation accuracy", ledger.best.score, "")
        for name, value in ledger.opened.get(number, {}).items():
            yield figure(f"best child, trial {number}: {name}", float(value), "")


def _data(asked: Asked) -> tuple[str, str | None, str | None]:
    """The dataset, its folder, and why it is not CIFAR-10."""
    if asked.small:
        return "digits", None, None
    place = cache_folder()
    for folder in (place, place / "cifar-10-batches-py"):
        if (folder / "data_batch_1").is_file():
            return "cifar10", str(folder), None
    if (place / "cifar-10-python.tar.gz").is_file():
        return "cifar10", str(place), None
    mosaics = mosaics_in(place)
    if mosaics is None:
        return (
            "digits",
            None,
            f"there is none in {os.environ.get('NAS_DATA') or place}: set NAS_DATA",
        )
    if importlib.util.find_spec("PIL") is None:
        return "digits", None, "it lies here as mosaics, which need Pillow: pip install pillow"
    home = Path(asked.folder).parent / "cifar-10-batches-py"
    return "cifar10", str(as_official_layout(mosaics, home)), None
