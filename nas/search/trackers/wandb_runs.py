"""Weights & Biases: a group a study, a run in it for each trial; what was sent is kept in a small
file beside the log, for offline runs cannot be asked."""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from nas.errors import NasError, StudyError, shortened
from nas.search.tracking.runs import (
    Conclusion,
    Parameters,
    Point,
    Run,
    Seen,
    Tracker,
    Unreachable,
    Whole,
    drawing_of,
    lacking,
)
from nas.study.store import write_whole


@final
class WandB(Tracker):
    """Runs of Weights & Biases, grouped by study; `WANDB_MODE=offline` writes them into `wandb/`.

    The names of runs follow from the study, so losing the small file costs a second upload of the
    same runs, never two of one.

    Args:
        project: its name there.
        entity: whose; none is whoever is logged in.
    """

    def __init__(self, *, project: str = "nas", entity: str | None = None) -> None:
        try:
            import wandb  # noqa: F401
        except ImportError as problem:
            raise lacking("wandb", "wandb") from problem
        self._project, self._entity = project, entity
        self._runs: set[str] = set()
        self._steps: dict[str, int] = {}
        self._mark: str | None = None

    def open(self, whole: Whole) -> Seen:
        """Read what was sent before."""
        self._whole = whole
        place = hashlib.sha256(f"{self._entity} {self._project}".encode()).hexdigest()[:8]
        self._file = whole.folder / f".sent-to-wandb-{place}.json"
        sent = _read(self._file, whole.identity)
        self._runs, self._steps = set(sent.get("runs", [])), dict(sent.get("steps", {}))
        self._mark = sent.get("mark")
        return Seen(frozenset(self._runs), dict(self._steps), self._mark)

    def add(self, run: Run) -> None:
        """A run of the study's group."""
        import wandb

        config = {**run.parameters, **run.labels}
        with self._run(run.name, "trial", config) as made:
            for step in sorted({point.step for point in run.points}):
                made.log({p.name: p.value for p in run.points if p.step == step}, step=step)
            made.summary.update({**run.metrics, "state": run.state})
            drawing = drawing_of(run.genotype)
            if drawing is not None:
                made.summary["cells"] = wandb.Html(drawing, inject=False)
        self._runs.add(run.name)
        self._keep()

    def extend(self, points: Sequence[Point]) -> None:
        """More of the study's own run; each series has its own step, for those of a controller
        are others."""
        with self._run("study", "study", self._whole.parameters) as made:
            self._log(made, points)
        for point in points:
            self._steps[point.name] = max(point.step, self._steps.get(point.name, -1))
        self._keep()

    def end(self, ending: Conclusion) -> None:
        """What it came to, and the winner's files as an artifact."""
        import wandb

        with self._run("study", "study", self._whole.parameters) as made:
            made.summary.update(dict(ending.metrics))
            if ending.files:
                winner = wandb.Artifact(f"winner-{self._id('study')}", type="winner")
                for file in ending.files:
                    winner.add_file(str(file))
                made.log_artifact(winner)
        self._mark = ending.mark
        self._keep()

    def where(self) -> str:
        """The project, or the folder of offline runs with the command that sends them."""
        if os.environ.get("WANDB_MODE") == "offline":
            return f"{_folder() / 'wandb'}; send it with `wandb sync --sync-all`"
        return f"Weights & Biases, project {self._project}, group {self._whole.title}"

    def _log(self, made: Any, points: Sequence[Point]) -> None:
        for name in {point.name for point in points}:
            made.define_metric(name, step_metric=_axis(name))
        rows: dict[tuple[str, int], dict[str, float]] = {}
        for point in points:
            row = rows.setdefault((_axis(point.name), point.step), {_axis(point.name): point.step})
            row[point.name] = point.value
        for row in rows.values():
            made.log(row)

    @contextmanager
    def _run(self, name: str, kind: str, config: Parameters) -> Iterator[Any]:
        import wandb

        settings = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            save_code=False,
            x_disable_stats=True,
            init_timeout=30,
        )
        title = self._whole.title if kind == "study" else name
        _wait_for_its_own_second(self._id(name))
        with _told():
            made = wandb.init(
                project=self._project,
                entity=self._entity,
                id=self._id(name),
                name=title,
                group=f"{self._whole.title} {self._whole.identity}",
                job_type=kind,
                config=dict(config),
                resume="allow",
                reinit="create_new",
                dir=str(_folder()),
                settings=settings,
            )
            try:
                yield made
            finally:
                made.finish()

    def _id(self, name: str) -> str:
        """The same for the same run, so that sending it again is no second one."""
        return hashlib.sha256(f"{self._whole.identity} {name}".encode()).hexdigest()[:16]

    def _keep(self) -> None:
        sent = {
            "identity": self._whole.identity,
            "runs": sorted(self._runs),
            "steps": self._steps,
            "mark": self._mark,
        }
        try:
            write_whole(self._file, json.dumps(sent))
        except StudyError as problem:
            raise NasError(
                f"{problem}; what was sent could not be told from what was not"
            ) from problem


def _wait_for_its_own_second(run: str) -> None:
    """Folders of offline runs are named by the second: two of one would be one."""
    while any((_folder() / "wandb").glob(f"*run-{time.strftime('%Y%m%d_%H%M%S')}-{run}")):
        time.sleep(0.05)


def _axis(name: str) -> str:
    return "told" if name.startswith("controller/") else "trials"


def _folder() -> Path:
    return Path(os.environ.get("WANDB_DIR") or Path.cwd())


def _read(file: Path, identity: str) -> Mapping[str, Any]:
    """What was sent of this study; nothing where the file is lost or another's."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("identity") == identity else {}


@contextmanager
def _told() -> Iterator[None]:
    import wandb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except wandb.errors.UsageError as problem:
            raise NasError(
                f"Weights & Biases refuses ({shortened(str(problem), 200)}): run `wandb login`, or "
                "set WANDB_MODE=offline"
            ) from problem
        except (wandb.errors.Error, OSError) as problem:
            text = shortened(str(problem).partition("\n")[0], 200)
            raise Unreachable(f"Weights & Biases does not answer ({text})") from problem
