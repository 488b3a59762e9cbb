"""Whether this machine can search: what is looked at, what is wrong with it, and what mends it."""

from __future__ import annotations

import fcntl
import importlib
import importlib.metadata
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas import registry
from nas.errors import NasError, counted, shell_word
from nas.search.plan import hardware, versions

_MIB, _GIB = 2**20, 2**30
_LEAST_DISK, _LEAST_MEMORY = 1 * _GIB, 1 * _GIB
_LEAST_ADDRESSES = 8 * _GIB  # torch alone maps several
_TRIED_BYTES = 4 * _MIB
_PACKAGE = "nas-toolkit"
_IMPORTED_AS = {"pillow": "PIL", "optuna-dashboard": "optuna_dashboard"}
_TEN_SECONDS = (
    *("--space", "ladder", "--strategy", "random-search", "--dataset", "digits"),
    *("--set", "recipe.epochs=1", "--set", "recipe.train_images=200"),
    *("--set", "evaluator.precision=fp32", "--set", "evaluator.layout=channels-last"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the search that is to come needs.

    Args:
        folder: where its study would lie.
        dataset: what it would train on; None looks at what lies here.
        address: of a Ray cluster; None asks nobody.
        seconds: of the search that is tried; 0 tries none.
    """

    folder: Path = Path("results")
    dataset: str | None = None
    data_dir: str | None = None
    address: str | None = None
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at.

    Args:
        right: None where it is missing and nothing needs it.
        remedy: what to do about it; empty where nothing has to be done.
    """

    name: str
    right: bool | None
    told: str
    remedy: str = ""


def diagnoses(wanted: Wanted) -> Iterator[Diagnosis]:
    """Everything, the cheapest first; what looks at one thing is not stopped by another."""
    looks: tuple[Callable[[Wanted], Iterator[Diagnosis]], ...] = (
        *(_packages, _extras, _threads, _memory, _disk, _gpus, _data, _ray),
        _search,
    )
    for look in looks:
        try:
            yield from look(wanted)
        except Exception as problem:
            name = look.__name__.removeprefix("_")
            remedy = "report this: nothing was meant to fail so"
            yield Diagnosis(name, False, f"{type(problem).__name__}: {problem}"[:300], remedy)


def _packages(_: Wanted) -> Iterator[Diagnosis]:
    """What every search needs, imported: a package may lie here and be broken."""
    known = {name: version for name, version in versions().items() if version}
    yield Diagnosis(
        "versions", True, ", ".join(f"{name} {version}" for name, version in known.items())
    )
    for requirement in _requirements(None):
        yield _imported(requirement, "", f"pip install {shell_word(requirement)}")


def _extras(_: Wanted) -> Iterator[Diagnosis]:
    """What only some verbs need."""
    for extra in ("plots", "onnx", "dashboard", "images", "tensorboard"):
        remedy = f"pip install '{_PACKAGE}[{extra}]'"
        for requirement in _requirements(extra):
            yield _imported(requirement, extra, remedy)


def _requirements(extra: str | None) -> Iterator[str]:
    try:
        lines = importlib.metadata.requires(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for line in lines:
        requirement, _, condition = line.partition(";")
        named = re.search(r"extra == ['\"](\w+)['\"]", condition)
        if (named[1] if named else None) == extra and not requirement.startswith(_PACKAGE):
            yield requirement.strip()


def _imported(requirement: str, extra: str, remedy: str) -> Diagnosis:
    """Whether a package is there, new enough, and lets itself be imported."""
    name = re.split(r"[^\w-]", requirement)[0]
    title = f"package {name}" + (f" ({extra})" if extra else "")
    try:
        importlib.import_module(_IMPORTED_AS.get(name, name.replace("-", "_")))
        found = importlib.metadata.version(name)
    except ModuleNotFoundError as problem:
        if problem.name and problem.name.partition(".")[0] != _IMPORTED_AS.get(name, name):
            return Diagnosis(title, False, f"it needs {problem.name}, which is missing", remedy)
        return Diagnosis(title, None if extra else False, "it is not installed", remedy)
    except Exception as problem:
        told = f"it is installed and cannot be imported ({type(problem).__name__}: {problem})"
        again = f"pip install --force-reinstall {name}"
        return Diagnosis(title, False, told[:300], again)
    least = re.search(r">=\s*([\d.]+)", requirement)
    if least and _numbers(found) < _numbers(least[1]):
        return Diagnosis(title, False, f"it is {found}, expected at least {least[1]}", remedy)
    return Diagnosis(title, True, found)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3]]


def _threads(_: Wanted) -> Iterator[Diagnosis]:
    cores = hardware()["cores"]
    told = f"{counted(cores, 'core')} may be used ({hardware()['cpu']})"
    yield Diagnosis("processor", True, told)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        value = os.environ.get(name)
        if value is not None and not (value.isdecimal() and 1 <= int(value) <= cores):
            told = f"{name} is {value!r}, but there are {counted(cores, 'core')}"
            yield Diagnosis("threads", False, told, f"unset {name}")


def _memory(_: Wanted) -> Iterator[Diagnosis]:
    available = _available_memory()
    if available is not None:
        enough = available >= _LEAST_MEMORY
        remedy = "" if enough else "end other programs, or give this machine or container more"
        told = f"{available / _GIB:.1f} GiB are available, expected at least 1"
        yield Diagnosis("memory", enough, told, remedy)
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most != resource.RLIM_INFINITY and most < _LEAST_ADDRESSES:
        told = f"a process may map {most / _GIB:.1f} GiB, and torch needs more (ulimit -v)"
        yield Diagnosis("memory limit", False, told, "ulimit -v unlimited")


def _available_memory() -> float | None:
    """What is left, of the machine or of the container."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        words = next(line.split() for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
    left = float(words[1]) * 1024
    group = Path("/sys/fs/cgroup")
    try:
        most = (group / "memory.max").read_text().strip()
        used = float((group / "memory.current").read_text())
        return left if most == "max" else min(left, float(most) - used)
    except (OSError, ValueError):
        return left


def _disk(wanted: Wanted) -> Iterator[Diagnosis]:
    """Written to and locked, for a number of free bytes says little."""
    yield _written(wanted.folder, "folder of results", "choose another with --out")
    yield _written(Path(tempfile.gettempdir()), "temporary files", "set TMPDIR to another folder")


def _written(folder: Path, name: str, elsewhere: str) -> Diagnosis:
    present = folder
    while not present.exists() and present != present.parent:
        present = present.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".nas-doctor-") as file:
            file.write(bytes(_TRIED_BYTES))
            file.flush()
            os.fsync(file.fileno())
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = shutil.disk_usage(folder).free
    except OSError as problem:
        told = f"{folder} cannot be written to: {problem.strerror}"
        return Diagnosis(name, False, told, f"make room or {elsewhere}")
    finally:
        _remove_empty(folder, present)
    told = f"{folder.absolute()} can be written to and locked, {free / _GIB:.1f} GiB are free"
    if free < _LEAST_DISK:
        return Diagnosis(name, False, f"{told}, expected at least 1", f"make room or {elsewhere}")
    return Diagnosis(name, True, told)


def _remove_empty(folder: Path, present: Path) -> None:
    """Leave no folder behind that was not there."""
    while folder != present:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _gpus(_: Wanted) -> Iterator[Diagnosis]:
    """What the driver has, what torch sees of it, and whether it computes."""
    import torch

    driven, driver = _driven_gpus()
    seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if len(driven) > seen and os.environ.get("CUDA_VISIBLE_DEVICES") is None:
        build = torch.version.cuda or "none: it is built for processors"
        told = (
            f"the driver ({driver}) has {counted(len(driven), 'GPU')}, torch sees {seen} "
            f"(CUDA of torch: {build})"
        )
        remedy = "install a torch built for this driver's CUDA: https://pytorch.org/get-started"
        yield Diagnosis("GPUs", False, told, remedy)
    elif not seen:
        yield Diagnosis("GPUs", True, "there is none: children train on the processor")
    for number in range(seen):
        yield _computes(number, driver)


def _driven_gpus() -> tuple[list[str], str]:
    """The GPUs that the driver's own tool lists, and the driver's version."""
    try:
        words = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return [], "no driver"
    rows = [line.rpartition(",") for line in answer.stdout.splitlines() if line.strip()]
    return [name for name, _, _ in rows], rows[0][2].strip() if rows else "no driver"


def _computes(number: int, driver: str) -> Diagnosis:
    import torch

    name = f"GPU {number}"
    try:
        free, whole = torch.cuda.mem_get_info(number)
        ones = torch.ones(64, 64, device=f"cuda:{number}")
        right = float((ones @ ones).sum()) == 64.0**3
    except RuntimeError as problem:
        told = f"it does not compute: {str(problem).splitlines()[0][:200]}"
        return Diagnosis(name, False, told, "see what nvidia-smi says, or leave it out with "
                         "CUDA_VISIBLE_DEVICES")  # fmt: skip
    told = (
        f"{torch.cuda.get_device_name(number)}, {free / _GIB:.1f} of {whole / _GIB:.1f} GiB free, "
        f"driver {driver}, CUDA {torch.version.cuda}"
    )
    if not right:
        return Diagnosis(name, False, f"{told}: it computes wrong numbers", "have it repaired")
    return Diagnosis(name, True, told)


def _data(wanted: Wanted) -> Iterator[Diagnosis]:
    """The data that was asked for, or all that lies here: found, whole, and of the right kind."""
    from nas.training.datasets import cache_folder, open_dataset

    chosen = os.environ.get("NAS_DATA")
    if chosen is not None and not Path(chosen).expanduser().is_dir():
        told = f"NAS_DATA is {chosen}, and there is no such folder"
        yield Diagnosis("folder of data", False, told, "unset NAS_DATA, or set it to a folder")
    place = Path(wanted.data_dir).expanduser() if wanted.data_dir else cache_folder()
    for name in [wanted.dataset] if wanted.dataset else ["digits", "cifar10", "cifar100"]:
        registry.allow(name)
        try:
            dataset = open_dataset(name, wanted.data_dir)
            if not dataset.lies_here:
                yield _missing(name, place, asked=wanted.dataset is not None)
                continue
            counts = [len(dataset.load(split)) for split in ("train", "val")]
        except NasError as problem:
            sentence, _, remedy = str(problem).rpartition(": ")
            yield Diagnosis(f"data {name}", False, sentence or str(problem), remedy)
            continue
        told = f"{counts[0]:,} pictures to train, {counts[1]:,} to validate, all readable"
        yield Diagnosis(f"data {name}", True, told)


def _missing(name: str, place: Path, *, asked: bool) -> Diagnosis:
    told = f"it does not lie in {place}"
    remedy = "say where it lies with --data-dir or NAS_DATA; else a search downloads it"
    return Diagnosis(f"data {name}", False if asked else None, told, remedy)


def _ray(wanted: Wanted) -> Iterator[Diagnosis]:
    """The token that is asked for, and, where an address is given, who listens there."""
    if os.environ.get("RAY_AUTH_MODE") == "token":
        yield _token()
    if wanted.address is None:
        told = "nobody was asked: --address HOST:PORT or auto looks at a cluster"
        yield Diagnosis("Ray cluster", None, told)
        return
    runner = registry.load("runner", "ray")(address=wanted.address)
    try:
        told = runner.described()
    except NasError as problem:
        sentence, _, remedy = str(problem).partition(": ")
        yield Diagnosis("Ray cluster", False, sentence, remedy)
        return
    yield Diagnosis("Ray cluster", True, told)


def _token() -> Diagnosis:
    given = os.environ.get("RAY_AUTH_TOKEN")
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()
    if given or (file.is_file() and file.read_text().strip()):
        return Diagnosis("Ray token", True, "there is one")
    told = f"RAY_AUTH_MODE asks for a token, and there is none in {file}"
    return Diagnosis("Ray token", False, told, "copy it there from the head, or make one with "
                     "`ray get-auth-token --generate`")  # fmt: skip


def _search(wanted: Wanted) -> Iterator[Diagnosis]:
    """A real search in a process of its own, which may die without a word."""
    if not wanted.seconds:
        return
    with tempfile.TemporaryDirectory(prefix="nas-doctor-") as folder:
        words = [
            *("search", *_TEN_SECONDS, "--out", f"{folder}/study", "--json"),
            *("--max-hours", f"{wanted.seconds / 3600:.6f}"),
        ]
        try:
            answer = subprocess.run(
                [sys.executable, "-m", "nas", *words],
                capture_output=True,
                text=True,
                timeout=120 + 3 * wanted.seconds,
            )
        except subprocess.TimeoutExpired as problem:
            told = f"it had not ended after {problem.timeout:g} s"
            yield Diagnosis("search", False, told, "look for what else this machine does")
            return
    yield _searched(answer)


def _searched(answer: subprocess.CompletedProcess[str]) -> Diagnosis:
    if answer.returncode:
        lines = answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"]
        remedy = "mend what is wrong above, then look again"
        return Diagnosis("search", False, lines[-1].removeprefix("error: ")[:300], remedy)
    found: dict[str, Any] = json.loads(answer.stdout)
    counts, best = found["counts"], found["best"]
    if best is None or counts.get("failed"):
        told = f"{counts.get('failed', 0)} of {found['trials']} trials failed"
        return Diagnosis("search", False, told, "see why: nas search --space ladder, nas events")
    files = len(found["export"]["files"]) if found["export"] else 0
    told = (
        f"{counted(counts['evaluated'], 'child')} trained, the winner has "
        f"{best['score']:.2f}, {counted(files, 'file')} exported"
    ).replace("childs", "children")
    return Diagnosis("search", True, told)
