"""The driver's side of trainings on Ray: hands out lessons, hears the desk, keeps checkpoints and
weights here."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import ray
from ray.exceptions import RayError
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from safetensors.torch import load
from torch import nn

from nas.errors import StudyError, shortened
from nas.full_size.trainings import Job, Setting, Trained
from nas.study.files import write_whole
from nas.training.datasets import Images
from nas.training.trainer import Data
from runners.on_ray.cluster import Need, alive_nodes, connected, described, tune_settings
from runners.on_ray.training_messages import Desk, Ended, Progressed, Raised, Word
from runners.on_ray.training_worker import Lesson, learn_alone, learn_together
from runners.on_ray.watchdog import watched

_RETRIES = 3  # after the death of a worker or of its node
_SECONDS_BETWEEN_LOOKS = 0.3
_SECONDS_TO_END = 30.0  # until Ray Train has seen that its workers are done


@dataclass(frozen=True, slots=True)
class Workforce:
    """How many workers train one network, what each of them has, and where they are found."""

    workers: int
    threads: int
    gpus_per_worker: float
    sync_batch_norm: bool
    address: str | None

    @property
    def device(self) -> str:
        """What a worker computes on."""
        return "cuda" if self.gpus_per_worker else "cpu"


@contextmanager
def school(place: Workforce, folder: Path, notice: Callable[[str], None]) -> Iterator[School]:
    """Join or start Ray for as long as this lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    throwaway = Path(tempfile.mkdtemp(prefix="nas-train-"))
    try:
        with tune_settings(), connected(place.address, folder / "ray.log"):
            for line in _plan(place):
                notice(line)
            with watched("continue with the same command"), told_in_a_sentence(folder):
                yield School(place, throwaway)
    finally:
        shutil.rmtree(throwaway, ignore_errors=True)


@contextmanager
def told_in_a_sentence(folder: Path) -> Iterator[None]:
    """Ray's own failures on our side: the desk may die too, say where memory runs out."""
    try:
        yield
    except RayError as problem:
        raise StudyError(
            f"Ray could not go on ({_reason(problem)}): continue with the same command; what it "
            "had to say is in "
            f"{folder / 'ray.log'}"
        ) from problem


def _plan(place: Workforce) -> Iterator[str]:
    """What is about to happen, in words; what there is no room for is refused."""
    need, nodes = Need(place.threads, place.gpus_per_worker), alive_nodes()
    room = sum(need.fit(resources) for resources in nodes)
    if room < place.workers:
        each = (
            f"{place.workers} workers need {need} each"
            if place.workers > 1
            else f"a training needs {need}"
        )
        raise StudyError(
            f"{each}, but {described(nodes)}: ask for less with --workers, --threads and "
            "--gpus-per-worker, or add a "
            "node"
        )
    yield described(nodes)
    yield (
        f"{place.workers} workers train each network, {need} each"
        if place.workers > 1
        else f"{need} per training, {room} at once"
    )


@dataclass(slots=True)
class _Open:
    """A job whose workers have not ended."""

    job: Job
    network: nn.Module
    future: Future[Any]
    epoch: int = 0  # the last one that was told


@final
class School:
    """Trainings on a Ray that is joined already."""

    def __init__(self, place: Workforce, throwaway: Path) -> None:
        self._place, self._throwaway = place, throwaway
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._desk: Any = ray.remote(num_cpus=0)(Desk).options(scheduling_strategy=here).remote()
        self._data: dict[int, tuple[Setting, Data, Any]] = {}
        self._open: dict[int, _Open] = {}
        self._trained: dict[int, tuple[Trained, Future[Any]]] = {}
        self._begun = 0

    def begin(self, job: Job) -> int:
        """Let workers train this as soon as there is room; the number to wait for."""
        self._begun += 1
        number = self._begun
        data, shared = self._shared(job.setting)
        network = job.make(data)
        file = job.progress.file
        ray.get(self._desk.begin.remote(number, file.read_bytes() if file.exists() else None))
        given = {
            "lesson": self._lesson(number, job),
            "network": ray.put(network),
            "data": shared,
            "desk": self._desk,
        }
        future = self._gang(number, given) if self._place.workers > 1 else self._task(given)
        self._open[number] = _Open(job, network, future)
        return number

    def wait(self, number: int) -> Trained:
        """The training of this number; a problem of any of them ends all."""
        while number not in self._trained:
            over = [each for each, entry in self._open.items() if entry.future.done()]
            for word in ray.get(self._desk.take.remote()):
                with self._open[word.number].job.told():
                    self._hear(word)
            for each in over:
                if each in self._open:
                    raise _lost(self._open[each])
            wait(
                [entry.future for entry in self._open.values()],
                _SECONDS_BETWEEN_LOOKS,
                FIRST_COMPLETED,
            )
        trained, future = self._trained.pop(number)
        wait([future], _SECONDS_TO_END)
        return trained

    def _hear(self, word: Word) -> None:
        entry = self._open[word.number]
        match word:
            case Progressed(_, epoch, metrics, checkpoint):
                if checkpoint is not None:
                    write_whole(entry.job.progress.file, checkpoint)
                if epoch > entry.epoch:  # workers that continue tell again what was told
                    entry.epoch = epoch
                    entry.job.watch(epoch, metrics)
            case Ended(number, curve, weights):
                entry.network.load_state_dict(load(weights))
                self._trained[number] = entry.job.end(entry.network, curve), entry.future
                del self._open[number]
            case Raised(_, problem):
                raise problem

    def _lesson(self, number: int, job: Job) -> Lesson:
        setting, place = job.setting, self._place
        computation = replace(setting.computation, device=place.device, threads=place.threads)
        return Lesson(
            number=number,
            recipe=setting.recipe,
            computation=computation,
            seed=job.seed,
            pace=job.pace,
            facts=job.progress.facts,
            checkpoint_seconds=setting.checkpoint_seconds,
            sync_batch_norm=place.sync_batch_norm,
        )

    def _shared(self, setting: Setting) -> tuple[Data, Any]:
        """The images of a setting, which Ray keeps once on each node."""
        key = id(setting)
        if key not in self._data:
            data = setting.data()
            plain = replace(data, train=_in_memory(data.train), val=_in_memory(data.val))
            self._data[key] = (setting, data, ray.put(plain))
        return self._data[key][1:]

    def _task(self, given: dict[str, Any]) -> Future[Any]:
        """One process trains the network."""
        as_wanted: Any = ray.remote(
            num_cpus=self._place.threads,
            num_gpus=self._place.gpus_per_worker,
            max_retries=_RETRIES,
            max_calls=1,
        )
        future: Future[Any] = as_wanted(learn_alone).remote(**given).future()
        return future

    def _gang(self, number: int, given: dict[str, Any]) -> Future[Any]:
        """Several processes train it together; workers that die are replaced, and all continue from
        the checkpoint."""
        resources = {"CPU": float(self._place.threads), "GPU": self._place.gpus_per_worker}
        trainer = TorchTrainer(
            learn_together,
            train_loop_config=given,
            scaling_config=ScalingConfig(
                num_workers=self._place.workers,
                use_gpu=bool(self._place.gpus_per_worker),
                resources_per_worker={name: count for name, count in resources.items() if count},
            ),
            run_config=RunConfig(
                name=f"training-{number}",
                storage_path=str(self._throwaway),
                failure_config=FailureConfig(max_failures=_RETRIES),
            ),
        )
        return _in_thread(trainer.fit)


def _in_thread(work: Callable[[], Any]) -> Future[Any]:
    """Its result in time; a thread that still waits for Ray keeps no process alive."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as problem:
            future.set_exception(problem)

    threading.Thread(target=run, daemon=True).start()
    return future


def _in_memory(images: Images) -> Images:
    """Plain arrays: a mapped file would not travel."""
    return Images(np.asarray(images.pixels), images.labels)


def _lost(entry: _Open) -> StudyError:
    problem = entry.future.exception()
    reason = "its workers ended without a word" if problem is None else _reason(problem)
    return StudyError(
        f"the training in {entry.job.folder} was lost (workers that die are replaced {_RETRIES} "
        f"times): {reason}; the "
        "same command continues from its last checkpoint"
    )


def _reason(problem: BaseException) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return shortened(lines[-1]) if lines else type(problem).__name__
