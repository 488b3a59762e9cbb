"""The driver's side of trainings on Ray: sends orders to workers, reads the mailbox, and keeps
checkpoints and weights here."""

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
from nas.study.store import write_whole
from nas.training.datasets import Images
from nas.training.trainer import Data
from runners.on_ray.cluster import Need, alive_nodes, connect, describe, quietly, tune_settings
from runners.on_ray.training_messages import Ended, Mailbox, Message, Progressed, Raised
from runners.on_ray.training_worker import TrainingOrder, train_alone, train_in_group
from runners.on_ray.watchdog import watch_cluster

_RETRIES = 3  # after the death of a worker or of its node
_SECONDS_BETWEEN_LOOKS = 0.3
_SECONDS_TO_END = 30.0  # until Ray Train has seen that its workers are done


@dataclass(frozen=True, slots=True)
class Workers:
    """How many workers train one network, what each of them has, and where they are found."""

    count: int
    threads: int
    gpus_per_worker: float
    sync_batch_norm: bool
    address: str | None

    @property
    def device(self) -> str:
        """What a worker computes on."""
        return "cuda" if self.gpus_per_worker else "cpu"


@contextmanager
def start_driver(
    workers: Workers, folder: Path, notice: Callable[[str], None]
) -> Iterator[TrainingDriver]:
    """Join or start Ray for as long as this lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    throwaway = Path(tempfile.mkdtemp(prefix="nas-train-"))
    try:
        log = folder / "ray.log"
        with tune_settings(), connect(workers.address, log), quietly(log):
            for line in _plan(workers):
                notice(line)
            with watch_cluster("continue with the same command"), explain_ray_errors(folder):
                yield TrainingDriver(workers, throwaway)
    finally:
        shutil.rmtree(throwaway, ignore_errors=True)


@contextmanager
def explain_ray_errors(folder: Path) -> Iterator[None]:
    """Ray's own failures on our side: the mailbox may die too, say where memory runs out."""
    try:
        yield
    except RayError as problem:
        raise StudyError(
            f"Ray could not go on ({_reason(problem)}): continue with the same command; what it "
            "had to say is in "
            f"{folder / 'ray.log'}"
        ) from problem


def _plan(workers: Workers) -> Iterator[str]:
    """What is about to happen, in words; what there is no room for is refused."""
    need, nodes = Need(workers.threads, workers.gpus_per_worker), alive_nodes()
    room = sum(need.fit(node.resources) for node in nodes)
    if room < workers.count:
        each = (
            f"{workers.count} workers need {need} each"
            if workers.count > 1
            else f"a training needs {need}"
        )
        raise StudyError(
            f"{each}, but {describe(nodes)}: ask for less with --workers, --threads and "
            "--gpus-per-worker, or add a "
            "node"
        )
    yield describe(nodes)
    yield (
        f"{workers.count} workers train each network, {need} each"
        if workers.count > 1
        else f"{need} per training, {room} at once"
    )


@dataclass(slots=True)
class _Running:
    """A job whose workers have not ended."""

    job: Job
    network: nn.Module
    future: Future[Any]
    epoch: int = 0  # the last one that was told


@final
class TrainingDriver:
    """Trainings on a Ray that is joined already."""

    def __init__(self, workers: Workers, throwaway: Path) -> None:
        self._workers, self._throwaway = workers, throwaway
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._mailbox: Any = (
            ray.remote(num_cpus=0)(Mailbox).options(scheduling_strategy=here).remote()
        )
        self._data: dict[int, tuple[Setting, Data, Any]] = {}
        self._running: dict[int, _Running] = {}
        self._trained: dict[int, tuple[Trained, Future[Any]]] = {}
        self._started = 0

    def begin(self, job: Job) -> int:
        """Let workers train this as soon as there is room; the number to wait for."""
        self._started += 1
        number = self._started
        data, shared = self._shared(job.setting)
        network = job.make(data)
        file = job.progress.file
        ray.get(self._mailbox.begin.remote(number, file.read_bytes() if file.exists() else None))
        given = {
            "order": self._order(number, job),
            "network": ray.put(network),
            "data": shared,
            "mailbox": self._mailbox,
        }
        future = (
            self._start_group(number, given)
            if self._workers.count > 1
            else self._start_alone(given)
        )
        self._running[number] = _Running(job, network, future)
        return number

    def wait(self, number: int) -> Trained:
        """The training of this number; a problem of any of them ends all."""
        while number not in self._trained:
            over = [each for each, entry in self._running.items() if entry.future.done()]
            for message in ray.get(self._mailbox.take.remote()):
                with self._running[message.number].job.told():
                    self._receive(message)
            for each in over:
                if each in self._running:
                    raise _lost_error(self._running[each])
            wait(
                [entry.future for entry in self._running.values()],
                _SECONDS_BETWEEN_LOOKS,
                FIRST_COMPLETED,
            )
        trained, future = self._trained.pop(number)
        wait([future], _SECONDS_TO_END)
        return trained

    def _receive(self, message: Message) -> None:
        entry = self._running[message.number]
        match message:
            case Progressed(_, epoch, metrics, checkpoint):
                if checkpoint is not None:
                    write_whole(entry.job.progress.file, checkpoint)
                if epoch > entry.epoch:  # workers that continue tell again what was told
                    entry.epoch = epoch
                    entry.job.watch(epoch, metrics)
            case Ended(number, curve, weights):
                entry.network.load_state_dict(load(weights))
                self._trained[number] = entry.job.end(entry.network, curve), entry.future
                del self._running[number]
            case Raised(_, problem):
                raise problem

    def _order(self, number: int, job: Job) -> TrainingOrder:
        setting, workers = job.setting, self._workers
        computation = replace(setting.computation, device=workers.device, threads=workers.threads)
        return TrainingOrder(
            number=number,
            recipe=setting.recipe,
            computation=computation,
            seed=job.seed,
            pace=job.pace,
            facts=job.progress.facts,
            checkpoint_seconds=setting.checkpoint_seconds,
            sync_batch_norm=workers.sync_batch_norm,
        )

    def _shared(self, setting: Setting) -> tuple[Data, Any]:
        """The images of a setting, which Ray keeps once on each node."""
        key = id(setting)
        if key not in self._data:
            data = setting.data()
            plain = replace(data, train=_copy_to_memory(data.train), val=_copy_to_memory(data.val))
            self._data[key] = (setting, data, ray.put(plain))
        return self._data[key][1:]

    def _start_alone(self, given: dict[str, Any]) -> Future[Any]:
        """One process trains the network."""
        task: Any = ray.remote(
            num_cpus=self._workers.threads,
            num_gpus=self._workers.gpus_per_worker,
            max_retries=_RETRIES,
            max_calls=1,
        )
        future: Future[Any] = task(train_alone).remote(**given).future()
        return future

    def _start_group(self, number: int, given: dict[str, Any]) -> Future[Any]:
        """Several processes train it together; workers that die are replaced, and all continue from
        the checkpoint."""
        resources = {"CPU": float(self._workers.threads), "GPU": self._workers.gpus_per_worker}
        trainer = TorchTrainer(
            train_in_group,
            train_loop_config=given,
            scaling_config=ScalingConfig(
                num_workers=self._workers.count,
                use_gpu=bool(self._workers.gpus_per_worker),
                resources_per_worker={name: count for name, count in resources.items() if count},
            ),
            run_config=RunConfig(
                name=f"training-{number}",
                storage_path=str(self._throwaway),
                failure_config=FailureConfig(max_failures=_RETRIES),
            ),
        )
        return _run_in_thread(trainer.fit)


def _run_in_thread(work: Callable[[], Any]) -> Future[Any]:
    """Its result in time; a thread that still waits for Ray keeps no process alive."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as problem:
            future.set_exception(problem)

    threading.Thread(target=run, daemon=True).start()
    return future


def _copy_to_memory(images: Images) -> Images:
    """Plain arrays: a mapped file would not travel."""
    return Images(np.asarray(images.pixels), images.labels)


def _lost_error(entry: _Running) -> StudyError:
    problem = entry.future.exception()
    reason = "its workers ended without a message" if problem is None else _reason(problem)
    return StudyError(
        f"the training in {entry.job.folder} was lost (workers that die are replaced {_RETRIES} "
        f"times): {reason}; the "
        "same command continues from its last checkpoint"
    )


def _reason(problem: BaseException) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return shortened(lines[-1]) if lines else type(problem).__name__
