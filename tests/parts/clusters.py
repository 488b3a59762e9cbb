"""Parts for tests that start a real Ray: nodes and drivers as processes, an evaluator that keeps
files, and kills."""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nas.contracts import Evaluation, Evaluator, Json, Report
from nas.errors import SettingsError
from nas.registry import load
from nas.training.datasets import DatasetError
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.space import SearchSpace

HERE = Path(__file__).parents[1]
ANYWHERE = "NAS_TEST_RAY_ANYWHERE"
FAULT = "NAS_TEST_NODE_FAULT"
GPU = "NAS_TEST_GPU"
SICK = "NAS_TEST_SICK_PROCESS"
PATIENCE = 300.0  # seconds until we believe that something hangs; a busy machine takes its time


def why_not_here() -> str | None:
    """Ray listens on every interface, so it is only started where there is none but loopback."""
    if os.environ.get(ANYWHERE):
        return None
    routes = Path("/proc/self/net/route")
    if routes.exists() and len(routes.read_text().splitlines()) <= 1:
        return None
    return (
        f"Ray listens on all interfaces: run `make test-ray`, or set {ANYWHERE}=1 where that "
        "does no harm"
    )


class Keeper(Evaluator):
    """Sleeps, reports, keeps a file; some trials are made to fail.

    Args:
        epochs: how many reports.
        epoch_seconds: how long each epoch sleeps.
        megabytes: how much memory each child touches.
        greedy: only children with an even seed touch it, and stay a while.
        out_of_memory: trials with an even seed ask for more memory than there is.
        mend: every third seed raises what only the user can mend, the others sleep for ten minutes.
        poison: every seventh seed kills its worker, each time.
        leave: every third seed raises SystemExit, every other third KeyboardInterrupt.
        spoil: every third seed leaves its process so that the step after it raises.
        nan: from the second report on the score is no number, for every third seed.
        sicken: a child whose seed it divides ends well and leaves its process broken, so that any
            later child in it raises, as after a fault of a GPU; 0 breaks none.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        epochs: int = 2,
        epoch_seconds: float = 0.05,
        megabytes: int = 0,
        out_of_memory: bool = False,
        mend: bool = False,
        poison: bool = False,
        nan: bool = False,
        leave: bool = False,
        spoil: bool = False,
        greedy: bool = False,
        sicken: int = 0,
    ) -> None:
        super().__init__(space)
        self.epochs, self.epoch_seconds, self.megabytes = epochs, epoch_seconds, megabytes
        self.out_of_memory, self.mend, self.poison, self.nan = out_of_memory, mend, poison, nan
        self.leave, self.spoil, self.greedy, self.sicken = leave, spoil, greedy, sicken
        self.last_step = epochs

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """A score from the genotype and the seed alone."""
        if os.environ.get(SICK) == str(os.getpid()):
            raise RuntimeError("an illegal memory access was encountered")
        if self.out_of_memory and seed % 2 == 0:
            _ask_for_too_much()
        if self.mend:
            time.sleep(600.0 if seed % 3 else 1.0)
            raise SettingsError("the data set is not where it should be")
        if self.poison and seed % 7 == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        _be_faulty(os.environ.get(FAULT))
        if self.leave and seed % 3 < 2:
            raise (SystemExit(5), KeyboardInterrupt())[seed % 3]
        if self.spoil and seed % 3 == 0:
            gc.collect = _broken
        ballast = bytearray(0 if self.greedy and seed % 2 else self.megabytes << 20)
        ballast[::4096] = b"x" * len(ballast[::4096])
        time.sleep(10.0 if self.greedy and seed % 2 == 0 else 0.0)  # until the monitor has looked
        score = sum(self.space.encode(genotype)) + seed % 1000 / 1000
        for epoch in range(1, self.epochs + 1):
            time.sleep(self.epoch_seconds)
            lost = self.nan and seed % 3 == 0 and epoch > 1
            reached = float("nan") if lost else score * epoch / self.epochs
            if not report(epoch, {"score": reached}):
                return Evaluation(reached, {"epochs": epoch}, self.epoch_seconds * epoch)
        if self.sicken and seed % self.sicken == 0:
            os.environ[SICK] = str(os.getpid())
        (workdir / "keep" / "deep").mkdir(parents=True)
        (workdir / "keep" / "deep" / "weights").write_text(f"{seed}")
        return Evaluation(
            score, {"pid": os.getpid(), "ballast": len(ballast)}, self.epoch_seconds * self.epochs
        )


class OnGpus(Keeper):
    """Trains on the GPU that Ray gives its process, which no GPU need be there for; like real
    training it refuses a process that has none."""

    device = "cuda"

    def settle(self, known: Sequence[Mapping[str, Json]] = ()) -> Mapping[str, Json]:
        """The GPU is of no kind that torch would know."""
        if not os.environ.get("CUDA_VISIBLE_DEVICES"):
            raise SettingsError("device 'cuda' cannot be used here (there is none)")
        hardware = os.environ.get(GPU, "a pretended GPU")
        found = {"hardware": hardware, "device": "cuda", "precision": "bf16"}
        return next((dict(one) for one in known if one["hardware"] == hardware), found)

    def evaluate(
        self, genotype: Genotype, *, seed: int, workdir: Path, report: Report
    ) -> Evaluation:
        """Say which GPU this process sees."""
        found = super().evaluate(genotype, seed=seed, workdir=workdir, report=report)
        sees = {"sees": os.environ["CUDA_VISIBLE_DEVICES"]}
        return replace(found, metrics={**found.metrics, **self.settle(), **sees})


class Homebound(Keeper):
    """Works here and cannot be unpickled elsewhere."""

    def __reduce__(self) -> tuple[Callable[[int], Keeper], tuple[int]]:
        return _only_in, (os.getpid(),)


class Unsendable(Keeper):
    """Holds something open."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.lock = threading.Lock()


def _broken() -> None:
    raise RuntimeError("nothing works in this process any more")


def _only_in(process: int) -> Keeper:
    if process != os.getpid():
        raise RuntimeError("it cannot travel")
    return Homebound(load("space", "nasbench201")())


def _be_faulty(how: str | None) -> None:
    """What is wrong with this node, as the variable says that its Ray was started with."""
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "data":
        raise DatasetError("there is no folder /data/cifar10")


def _ask_for_too_much() -> None:
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), limits[1]))
    try:
        bytearray(1 << 30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def environment(**more: str) -> dict[str, str]:
    """What a subprocess sees: our tests can be imported, and one core is one core."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a-token-for-tests"}
    # That a node is dead is known after five of these; without the other, workers starve where
    # other work goes on.
    ray = {"RAY_health_check_period_ms": "1000", "RAY_worker_niceness": "0"}
    paths = {
        "PYTHONPATH": os.pathsep.join(
            [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        ),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    return {**os.environ, **token, **ray, **paths, "OMP_NUM_THREADS": "1", **more}


def search(
    folder: Path, *words: str, trials: int = 12, evaluator: str = "parts.clusters:Keeper"
) -> list[str]:
    """A command that searches the smallest real space."""
    return [
        sys.executable,
        "-m",
        "nas",
        "search",
        "--space",
        "nasbench201",
        "--strategy",
        "random-search",
        "--evaluator",
        evaluator,
        "--set",
        "study.duplicates=retrain",
        "--trials",
        str(trials),
        "--out",
        str(folder),
        *words,
    ]


def run(command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    """Run to the end."""
    return subprocess.run(
        command, env=environment(**more), capture_output=True, text=True, timeout=PATIENCE
    )


@contextmanager
def running(command: list[str], **more: str) -> Iterator[subprocess.Popen[str]]:
    """Run beside us."""
    process = subprocess.Popen(
        command, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for its end."""
    out, error = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, out, error)


def wait_to_hear(process: subprocess.Popen[str], words: str) -> None:
    """Wait until it has said so on its standard error."""
    assert process.stderr is not None
    said = b""
    while words.encode() not in said:
        said += (more := os.read(process.stderr.fileno(), 4096))
        assert more, said.decode()


def wait_for(happened: Callable[[], bool], driver: subprocess.Popen[str] | None = None) -> None:
    """Wait until something is so; where a driver is named, it can only become so while that
    lives."""
    end = time.monotonic() + PATIENCE
    while not happened():
        if driver is not None and driver.poll() is not None and not happened():
            raise AssertionError(
                f"ended with {driver.returncode} before it happened: {driver.communicate()}"
            )
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def count(folder: Path, kind: str) -> int:
    """How often a log says something."""
    log = folder / "events.jsonl"
    return log.read_bytes().count(b'"event":"%s"' % kind.encode()) if log.exists() else 0


def busy_workers() -> list[int]:
    """The processes that run a child just now; Ray gives them names."""
    return processes("ray::ResourceTrainable.train")


def strike(driver: subprocess.Popen[str], how: int = signal.SIGKILL) -> None:
    """Send a signal to a worker that runs a child."""
    wait_for(lambda: any(kill(pid, how) for pid in busy_workers()[-1:]), driver)


def processes(beginning: str) -> list[int]:
    """Processes whose command line begins so."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if (folder / "cmdline").read_bytes().startswith(beginning.encode()):
                    found.append(int(folder.name))
            except OSError:
                continue
    return sorted(found)


def memory_monitor(room: int) -> dict[str, str]:
    """Variables for a Ray whose monitor ends children once the machine holds so many megabytes more
    than now."""
    total, available = (_megabytes(name) for name in ("MemTotal", "MemAvailable"))
    threshold = 1 - (available - room) / total
    return {
        "RAY_memory_usage_threshold": f"{threshold:.4f}",
        "RAY_memory_monitor_refresh_ms": "100",
    }


@contextmanager
def full_node(room: int) -> Iterator[None]:
    """Hold what was left below the threshold of a monitor of so many megabytes, and some more."""
    ballast = bytearray((room + 500) << 20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    yield
    del ballast


def free_megabytes() -> int:
    """What the machine could still hold."""
    return _megabytes("MemAvailable")


def _megabytes(name: str) -> int:
    rows = Path("/proc/meminfo").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith(name + ":")) // 1024


def kill(pid: int, how: int = signal.SIGKILL) -> bool:
    """Send a signal; False if the process is gone already."""
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def cluster(*cpus: int, **more: str) -> Iterator[list[int]]:
    """A head and more nodes on this machine, each with so many processors, and more variables;
    yields the processes of the nodes."""
    try:
        yield [start_node(number, head=index == 0, **more) for index, number in enumerate(cpus)]
    finally:
        stop_ray()


def stop_ray() -> None:
    """End every process of Ray, and let it forget the address of its cluster, which whoever starts
    one in a script would join."""
    run(["ray", "stop", "--force"])


def start_node(cpus: int, *, head: bool = False, gpus: int = 0, **more: str) -> int:
    """Start a node as the documentation says; returns its raylet's process.

    Args:
        gpus: how many are pretended: Ray keeps the books and hides others from each child.
        more: variables that its workers see.
    """
    before = set(raylets())
    place = ["--head", "--include-dashboard=false"] if head else ["--address=127.0.0.1:6379"]
    for _ in range(3):  # Ray gives up after half a minute, which is little where other work goes on
        done = run(
            [
                "ray",
                "start",
                *place,
                f"--num-cpus={cpus}",
                f"--num-gpus={gpus}",
                "--disable-usage-stats",
            ],
            **more,
        )
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    (new,) = set(raylets()) - before
    return new


def raylets() -> list[int]:
    """The node processes of Ray."""
    return [pid for pid in processes("") if _executable(pid) == "raylet"]


def _executable(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return ""
