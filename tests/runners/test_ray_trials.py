"""The driver's side of the Ray runner without Ray: what is asked, told, stopped, killed and
fetched."""

from __future__ import annotations

import inspect
import pickle
import re
import threading
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nas.contracts import Evaluation, Failure, Stopped, Trial
from nas.errors import SettingsError, StoreError, StudyError
from nas.registry import load, resolve
from nas.settings import complete
from nas.study import Rules
from nas.study.study import Study
from nas.testing.runner_promises import ScriptedEvaluator as Judge
from nas.training.datasets import Dataset, DatasetError, Images, share
from parts.judges import OnGpu
from parts.studies import Listed, kinds, lines, no_limit, tiny
from runners.on_ray.node_faults import NodeFaults
from runners.on_ray.packed_files import pack, unpack
from runners.on_ray.running_trials import Actors, RunningTrials
from runners.on_ray.trial_messages import (
    MESSAGES,
    Began,
    Ended,
    Message,
    Progressed,
    Raised,
    Unfit,
)


@dataclass
class Recorded(Actors):
    """Writes down what would be done to workers."""

    given: list[tuple[Any, int]] = field(default_factory=list)
    stopped: list[Any] = field(default_factory=list)
    killed: list[Any] = field(default_factory=list)
    fetched: list[int] = field(default_factory=list)
    fetching: list[Future[Failure | None]] = field(default_factory=list)

    def give(self, actor: Any, trial: Trial) -> None:
        self.given.append((actor, trial.number))

    def stop_early(self, actor: Any) -> None:
        self.stopped.append(actor)

    def kill(self, actor: Any) -> None:
        self.killed.append(actor)

    def fetch(self, files: Any, trial: Trial) -> Future[Failure | None]:
        self.fetched.append(trial.number)
        self.fetching.append(Future())
        return self.fetching[-1]


def study_of(folder: Path, count: int = 6, watch: Any = None, **rules: Any) -> Study:
    strategy = Listed([tiny(0, number % 4) for number in range(count)])
    return Study(
        folder,
        strategy,
        rules=Rules(**{"duplicates": "retrain", **rules}),
        budget=no_limit(),
        watch=watch,
    )


def table(
    study: Study, places: int = 2, nodes: Sequence[str] = ("n", "m"), **options: Any
) -> tuple[RunningTrials, Recorded]:
    actors = Recorded()
    faults = NodeFaults(lambda: {node: f"address of {node}" for node in nodes})
    return RunningTrials(study, actors, lambda: places, faults, **options), actors


def begin(running: RunningTrials, *names: str, node: str = "n") -> list[bool]:
    """Places that Tune makes where they are wanted, and that are ready at once."""
    wanted = [running.wants_place(name) for name in names]
    for name, is_wanted in zip(names, wanted, strict=True):
        if is_wanted:
            running.mark_started(name, f"actor {name}")
            running.receive(name, [Began(node, {})])
    return wanted


def test_no_more_are_handed_out_than_there_is_room_for(tmp_path: Path) -> None:
    with study_of(tmp_path) as study:
        running, actors = table(study, places=2)
        assert begin(running, "a", "b", "c") == [True, True, False]
        running.receive("a", [Ended(Evaluation(1.0))])
        assert actors.given == [("actor a", 0), ("actor b", 1), ("actor a", 2)]


def test_trials_start_in_their_order_wherever_there_is_a_free_place_first(tmp_path: Path) -> None:
    """A place that is still starting keeps no trial to itself."""
    with study_of(tmp_path) as study:
        running, actors = table(study, places=3)
        assert [running.wants_place(name) for name in "abc"] == [True] * 3
        for name in "cba":
            running.mark_started(name, f"actor {name}")
        running.receive("c", [Began("n", {})])
        running.receive("c", [Ended(Evaluation(1.0))])
        running.receive("b", [Began("m", {})])
        assert actors.given == [("actor c", 0), ("actor c", 1), ("actor b", 2)]
        running.receive("a", [Began("n", {})])
        assert actors.given[-1] == ("actor a", 3)


def test_no_place_is_wanted_while_one_is_idle(tmp_path: Path) -> None:
    with study_of(tmp_path, lag=1) as study:
        running, actors = table(study, places=3)
        assert begin(running, "a", "b") == [True, False]
        running.receive("a", [Progressed(1, {"score": 1.0})])
        assert not running.is_over
        running.receive("a", [Ended(Evaluation(1.0))])
        assert actors.given == [("actor a", 0), ("actor a", 1)]


def test_an_idle_worker_asks_again(tmp_path: Path) -> None:
    with study_of(tmp_path, count=2) as study:
        running, actors = table(study)
        begin(running, "a", "b")
        running.receive("a", [Ended(Failure("diverged", "lost"))])  # it will be tried again
        running.mark_lost("b", Failure("worker_lost", "gone"))
        assert actors.given == [("actor a", 0), ("actor b", 1), ("actor a", 0)]
        running.receive("a", [Ended(Evaluation(1.0))])
        running.receive("a", [])
        assert actors.given[-1] == ("actor a", 1)


def test_it_is_over_when_nothing_runs_and_nothing_is_left(tmp_path: Path) -> None:
    with study_of(tmp_path, count=1) as study:
        running, _ = table(study)
        assert begin(running, "a", "b") == [True, False]
        assert not running.is_over
        running.receive("a", [Ended(Evaluation(1.0))])
        assert running.is_over


def test_progress_reaches_the_log_and_a_stop_reaches_the_worker(tmp_path: Path) -> None:
    with study_of(tmp_path, early_stop="asha", count=2) as study:
        running, actors = table(study)
        begin(running, "a", "b")
        running.receive("a", [Progressed(1, {"score": 0.9})])
        running.receive("b", [Progressed(1, {"score": 0.1})])
        assert actors.stopped == ["actor b"]
        running.receive("b", [Ended(Stopped(1, 0.1))])
        assert kinds(tmp_path)[-3:] == ["progressed", "progressed", "stopped"]


def test_a_worker_that_dies_is_a_failure_with_its_age_and_is_killed_for_good(
    tmp_path: Path,
) -> None:
    with study_of(tmp_path, retries=0) as study:
        running, actors = table(study)
        begin(running, "a")
        running.mark_lost("a", Failure("worker_lost", "gone"))
        running.mark_lost("a", Failure("worker_lost", "heard twice"))
        failed = lines(tmp_path)[-1]
        assert (failed["event"], failed["kind"], failed["message"]) == (
            "failed",
            "worker_lost",
            "gone",
        )
        assert failed["seconds"] > 0
        assert actors.killed == ["actor a"], (
            "what only seemed dead must not go on beside the next attempt"
        )


@pytest.mark.parametrize(
    "word",
    [
        Progressed(1, {"score": 1.0}),
        Ended(Evaluation(1.0), files="reference"),
        Raised(SettingsError("mend it")),
    ],
)
def test_a_late_trial_is_killed_once_and_fails_as_timeout(tmp_path: Path, word: Message) -> None:
    with study_of(tmp_path, retries=0) as study:
        running, actors = table(study, timeout=1e-9)
        begin(running, "a")
        running.check()
        running.check()
        assert actors.killed == ["actor a"]
        running.receive("a", [word])
        assert kinds(tmp_path)[-1] == "attempted", "what it says after it was given up is not heard"
        running.mark_lost("a", Failure("worker_lost", "killed by us"))
        assert lines(tmp_path)[-1]["kind"] == "timeout"
        assert lines(tmp_path)[-1]["message"] == "no result within 1e-09 s"
        assert lines(tmp_path)[-1]["seconds"] > 0
        assert actors.fetched == []


def test_a_place_that_is_not_ready_is_not_late(tmp_path: Path) -> None:
    with study_of(tmp_path) as study:
        running, actors = table(study, timeout=1e-9, silence=1e-9)
        assert running.wants_place("a")
        running.mark_started("a", "actor a")
        running.check()
        assert actors.killed == []


def test_a_worker_that_lives_and_says_nothing_is_given_up_without_a_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that says it is alive is not, however long its trial takes; and while the driver itself
    was stopped, nobody could be heard."""
    clock = 1_000.0
    monkeypatch.setattr("runners.on_ray.running_trials.time.monotonic", lambda: clock)
    with study_of(tmp_path, retries=0) as study:
        running, actors = table(study, silence=60.0)
        begin(running, "a", "b")
        for _ in range(7):
            clock += 4.0
            running.receive("a", [])
            running.check()
        clock += 3_600.0  # Ctrl-Z, and much later `fg`
        running.check()
        assert actors.killed == []
        for _ in range(9):
            clock += 4.0
            running.receive("a", [])
            running.check()
        assert actors.killed == ["actor b"]
        running.mark_lost("b", Failure("worker_lost", "killed by us"))
    failed = lines(tmp_path)[-1]
    assert failed["kind"] == "worker_lost"
    assert failed["message"] == "the worker was alive and said nothing for 60 s"


def test_retries_are_capped(tmp_path: Path) -> None:
    with study_of(tmp_path, count=1, retries=3) as study:
        running, _ = table(study)
        for name in "abcd":
            assert begin(running, name) == [True]
            running.mark_lost(name, Failure("worker_lost", "poison"))
        assert begin(running, "e") == [False]
        assert running.is_over
    assert kinds(tmp_path).count("attempted") == 4
    assert kinds(tmp_path).count("failed") == 1


def test_only_files_that_would_be_kept_are_fetched_and_nobody_waits_for_them(
    tmp_path: Path,
) -> None:
    with study_of(tmp_path, keep=1, count=4, retries=0) as study:
        running, actors = table(study, places=1)
        begin(running, "a")
        running.receive("a", [Ended(Evaluation(2.0), files="reference")])
        assert actors.given[-1] == ("actor a", 1), "the place is free"
        assert kinds(tmp_path).count("told") == 0, "its files must be there first"
        actors.fetching[0].set_result(None)
        running.check()
        assert kinds(tmp_path).count("told") == 1
        running.receive("a", [Ended(Evaluation(1.0), files="reference")])
        running.receive("a", [Ended(Evaluation(3.0), files="reference")])
        running.receive("a", [Ended(Failure("error", "no"), files="reference")])
        assert actors.fetched == [0, 2]
        assert not running.is_over
        actors.fetching[1].set_result(None)
        running.check()
        running.mark_lost("a", Failure("worker_lost", "killed by us"))
        assert not running.wants_place("b")
        assert running.is_over


def test_a_result_whose_files_were_lost_is_tried_again(tmp_path: Path) -> None:
    with study_of(tmp_path) as study:
        running, actors = table(study)
        begin(running, "a")
        running.receive("a", [Ended(Evaluation(2.0), files="reference")])
        actors.fetching[0].set_result(Failure("worker_lost", "lost with its files"))
        running.check()
        assert lines(tmp_path)[-1]["after"]["message"] == "lost with its files"


def test_after_an_error_the_next_trial_gets_another_process(tmp_path: Path) -> None:
    with study_of(tmp_path, retries=0) as study:
        running, actors = table(study, places=1)
        begin(running, "a")
        running.receive("a", [Ended(Failure("error", "the GPU answers no more"))])
        assert actors.killed == ["actor a"]
        assert actors.given == [("actor a", 0)]
        running.mark_lost("a", Failure("worker_lost", "killed by us"))
        assert kinds(tmp_path).count("failed") == 1
        begin(running, "b")
        assert actors.given[-1] == ("actor b", 1)


def test_what_the_user_must_mend_ends_the_search_and_keeps_the_trial_open(tmp_path: Path) -> None:
    with study_of(tmp_path) as study:
        running, actors = table(study)
        begin(running, "a")
        problem = SettingsError("a setting is wrong")
        running.receive("a", [Raised(problem)])
        assert running.problem is problem
        assert not running.wants_place("b")
        running.abandon()
        assert actors.killed == ["actor a"]
        assert 0 in study.ledger.open


def test_a_problem_inside_a_callback_is_kept_for_the_end(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    running, _ = table(study)
    begin(running, "a")
    study.close()
    running.receive("a", [Ended(Evaluation(1.0))])
    assert running.problem is not None


def test_data_that_one_node_lacks_leaves_it_out_and_loses_no_trial(tmp_path: Path) -> None:
    said: list[str] = []
    with study_of(tmp_path, watch=lambda event: said.append(str(event.get("text")))) as study:
        running, actors = table(study, places=2)
        begin(running, "a", node="n")
        begin(running, "b", node="m")
        running.receive("a", [Raised(DatasetError("there is no folder cifar"))])
        running.check()
        running.mark_lost("a", Failure("worker_lost", "killed by us"))
        assert running.left_out == ["n"]
        assert said[-1].startswith("node address of n (n) is left out: there is no folder cifar;")
        running.receive("b", [Ended(Evaluation(1.0))])
        assert actors.given[-1] == ("actor b", 0), "it lost nothing"
        missing = DatasetError("there is no folder cifar")
        running.receive("b", [Raised(missing)])
        assert running.problem is missing, "no node has it"
    assert "failed" not in kinds(tmp_path)


def test_a_node_on_which_three_processes_in_a_row_fail_is_left_out(tmp_path: Path) -> None:
    with study_of(tmp_path, retries=0, count=20) as study:
        running, _ = table(study, places=2)
        begin(running, "good", node="m")
        running.receive("good", [Ended(Evaluation(1.0))])
        for name in "abc":
            assert running.left_out == []
            begin(running, name, node="n")
            running.mark_lost(name, Failure("worker_lost", "its GPU is broken"))
        assert running.left_out == ["n"]


def test_what_fails_everywhere_counts_against_no_node() -> None:
    """Children that fail as often elsewhere, or on all nodes, are to blame themselves."""
    faults = NodeFaults(lambda: {"n": "1", "m": "2"})
    for _ in range(3):
        faults.failed("n", "no")
    assert set(faults.left_out) == {"n"}
    for _ in range(3):
        faults.failed("m", "no")
    assert faults.left_out == {}
    for _ in range(3):
        faults.ended_well("m")
    assert faults.left_out == {}, "half of them fail there too"
    assert any("counts again" in sentence for sentence in faults.news()) is False
    for _ in range(200):
        faults.ended_well("m")
    assert set(faults.left_out) == {"n"}
    faults.ended_well("n")
    assert faults.left_out == {}


def test_processes_that_cannot_begin_end_the_search_only_where_none_can(tmp_path: Path) -> None:
    with study_of(tmp_path) as study:
        running, _ = table(study)
        running._no_start_before = 0.0
        begin(running, "z", node="m")
        running.mark_lost("z", Failure("worker_lost", "gone"))
        for name, node in (("a", "n"), ("b", "m"), ("c", "m"), ("d", "m")):
            assert running.problem is None
            running._no_start_before = 0.0
            assert running.wants_place(name)
            running.mark_started(name, f"actor {name}")
            running.receive(name, [Unfit(node, "ImportError: no module", lacks=False)])
            running.leave(name)
            running.check()
        assert str(running.problem) == (
            "no worker can begin: nodes address of n, address of m: ImportError: no module"
        )
    assert kinds(tmp_path).count("told") == kinds(tmp_path).count("failed") == 0


@pytest.mark.parametrize(
    ("kind", "starts", "why"),
    [
        ("out_of_memory", 12, "the node ran out of memory"),
        ("worker_lost", 3, "the last word of Ray"),
    ],
)
def test_processes_that_die_while_they_start_are_tried_again_longer_where_memory_was_short(
    tmp_path: Path, kind: Any, starts: int, why: str
) -> None:
    heard: list[str] = []
    pauses: list[float] = []
    with study_of(tmp_path, watch=lambda event: heard.append(str(event.get("text")))) as study:
        running, _ = table(study)
        for number in range(starts):
            assert running.problem is None
            running._no_start_before = 0.0
            assert running.wants_place(f"{number}")
            before = time.monotonic()
            failure = Failure(kind, "the node ran out of memory\nthe last word of Ray")
            running.mark_lost(f"{number}", failure)
            pauses.append(round(running._no_start_before - before))
        assert str(running.problem) == f"no worker can begin: {why}"
    assert pauses == ([2, 4, 8, 16] + [30] * 8 if kind == "out_of_memory" else [2] * 3)
    assert any("tried again" in text for text in heard) == (kind == "out_of_memory")
    assert kinds(tmp_path).count("failed") == 0


def test_what_tune_writes_down_of_itself_holds_no_study(tmp_path: Path) -> None:
    from runners.on_ray.tune_searcher import StopAtEnd

    lock = threading.Lock()  # whoever watches a study may hold one
    with Study(tmp_path, Listed([]), budget=no_limit(), watch=lambda _: repr(lock)) as watched:
        written = pickle.dumps(StopAtEnd(table(watched)[0]))
    assert not pickle.loads(written).stop_all()


@pytest.mark.parametrize("act", [None, "raise"])
def test_files_that_cannot_be_sent_lose_the_attempt_and_not_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str | None
) -> None:
    import ray
    from ray import cloudpickle

    from runners.on_ray.trial_worker import TrialWorker

    def full(_: object) -> object:
        raise ray.exceptions.ObjectStoreFullError("no room left")

    monkeypatch.setattr("ray.put", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("gc.freeze", lambda: None)
    context = SimpleNamespace(get_node_id=lambda: "a node")
    monkeypatch.setattr("ray.get_runtime_context", lambda: context)
    worker = object.__new__(TrialWorker)  # as Ray makes it, without the log files of its own
    space = load("space", "nasbench201")()
    judge = cloudpickle.dumps(Judge(space, {0: act} if act else None))
    worker.setup(
        {},
        judge,
        None,
        known=[],
        gpus=0.0,
        asks=False,
        token="x",
        beat=9.0,  # as Tune does
    )
    assert worker.step() == {"done": False, MESSAGES: [Began("a node", {})]}
    worker.give(Trial(0, space.decode([0] * len(space.decisions)), 0))
    words: list[Message] = []
    while not words or isinstance(words[-1], Progressed):
        words += worker.step()[MESSAGES]
    (ended,) = words[2:]
    assert isinstance(ended, Ended)
    assert isinstance(ended.outcome, Failure)
    first, *others = ended.outcome.message.splitlines()
    if act is None:
        assert (ended.outcome.kind, first) == (
            "worker_lost",
            "what the trial left could not be sent",
        )
        assert "no room left" in others[0]
    else:
        assert ended.outcome.kind == "error", (
            "what failed before anything was sent stays what it was"
        )


def test_files_travel_with_their_folders(tmp_path: Path) -> None:
    (tmp_path / "here" / "deep").mkdir(parents=True)
    (tmp_path / "here" / "deep" / "weights").write_bytes(b"\0\1")
    (tmp_path / "here" / "link").symlink_to("/etc/hostname")
    files = pack(tmp_path / "here")
    assert files == {"deep/weights": b"\0\1"}
    unpack(files, tmp_path / "there")
    assert (tmp_path / "there" / "deep" / "weights").read_bytes() == b"\0\1"
    assert pack(tmp_path / "nowhere") == {}


@pytest.mark.parametrize("name", ["/etc/passwd", "../study.json", "a/../../b"])
def test_files_stay_in_their_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="expected a path inside the trial's folder"):
        unpack({name: b""}, tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gpus_per_trial": -1.0}, "gpus-per-trial is -1.0: expected a number from 0"),
        (
            {"gpus_per_trial": 1.5},
            "gpus-per-trial is 1.5: expected a share of one GPU, or whole GPUs",
        ),
        ({"cpus_per_trial": 0.0}, "both 0: a child needs something to run on"),
        ({"gpus_per_trial": 0.00001}, "Ray counts in steps of 0.0001; expected 0 or at least"),
        ({"concurrency": 0}, "concurrency is 0: expected a number from 1"),
        ({"trial_timeout": 0.0}, "trial-timeout is 0.0: expected seconds"),
        ({"silence": 0.5}, "silence is 0.5: expected seconds, 1 or more"),
        ({"workers": 2}, "'workers'"),
    ],
)
def test_options_say_what_is_wrong(options: dict[str, Any], words: str) -> None:
    runner = load("runner", "ray")
    with pytest.raises(SettingsError, match=words):
        runner(**complete(runner, options, "runner"))


def test_its_name_is_found() -> None:
    assert resolve("runner", "ray") == "ray-tune"


def test_a_worker_sees_shared_images_and_reads_none() -> None:
    def nobody_reads(split: str, data_dir: Path | None) -> Images:
        raise AssertionError(f"{split} was read")

    dataset = Dataset("shared", 2, 8, 1, (0.5,), (0.5,), nobody_reads)
    pixels, labels = np.zeros((3, 8, 8, 1), np.uint8), np.zeros(3, np.int64)
    for array in (pixels, labels):
        array.flags.writeable = False  # as they come out of Ray's object store
    share(dataset, {"train": Images(pixels, labels)})
    assert dataset.load("train").pixels is pixels
    assert dataset.load("train").labels.flags.writeable


@pytest.mark.parametrize(
    "address", ["é..x:1", "127.0.0.1:99999", "127.0.0.1:-1", "x\0y:1", "127.0.0.1:1"]
)
def test_nobody_listens_where_nobody_can(tmp_path: Path, address: str) -> None:
    from runners.on_ray.cluster import connect

    words = re.escape(f"nobody listens at {address}: check the address, and that the head runs")
    with pytest.raises(StudyError, match=words), connect(address, tmp_path / "ray.log"):
        pass


@pytest.mark.parametrize("address", [None, "auto"])
def test_a_cluster_that_died_without_a_word_is_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    """Ray leaves a file behind, and would wait a minute for an answer."""
    from runners.on_ray.cluster import connect

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:1\n")
    words = "the last Ray of this machine was at 127.0.0.1:1, where nobody listens any more"
    with pytest.raises(StudyError, match=words), connect(address, tmp_path / "ray.log"):
        pass


def test_what_we_use_of_ray_s_own_is_there() -> None:
    """No public way leads to them; a Ray without them must not be allowed in pyproject.toml."""
    from importlib.metadata import version

    from ray.air.execution._internal import RayActorManager

    hears = inspect.signature(RayActorManager._actor_task_failed).parameters
    assert list(hears) == ["self", "tracked_actor_task", "exception"]
    hears = inspect.signature(RayActorManager._actor_start_failed).parameters
    assert list(hears) == ["self", "tracked_actor", "exception"]
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["ray"] == ["ray[tune]>=2.60,<2.61"]
    assert version("ray").startswith("2.60."), "the bound is that of the Ray that CI has tried"


def sizes() -> Sequence[Any]:
    return [
        (1.0, 0.0, {"CPU": 4.0}, 4),
        (2.0, 0.0, {"CPU": 5.0}, 2),
        (0.5, 0.0, {"CPU": 4.0}, 8),
        (1.0, 0.25, {"CPU": 16.0, "GPU": 2.0}, 8),
        (1.0, 0.3, {"CPU": 16.0, "GPU": 2.0}, 6),
        (1.0, 0.6, {"CPU": 16.0, "GPU": 4.0}, 4),
        (1.0, 2.0, {"CPU": 16.0, "GPU": 5.0}, 2),
        (4.0, 0.25, {"CPU": 8.0, "GPU": 8.0}, 2),
        (0.0, 0.5, {"CPU": 8.0, "GPU": 1.0}, 2),
        (1.0, 0.5, {"CPU": 8.0}, 0),
        (1.0, 0.0, {}, 0),
    ]


@pytest.mark.parametrize(("cpus", "gpus", "node", "count"), sizes())
def test_how_many_children_fit_on_a_node(
    cpus: float, gpus: float, node: dict[str, float], count: int
) -> None:
    from runners.on_ray.cluster import Need

    assert Need(cpus, gpus).fit(node) == count


@pytest.mark.parametrize(
    ("gpus", "device", "words"),
    [
        (0.5, "cpu", "--gpus-per-trial 0.5 reserves GPUs, but the device is cpu"),
        (0.0, "cuda", "has 2 GPUs, but --gpus-per-trial is 0, .*: add --gpus-per-trial 1"),
    ],
)
def test_gpus_are_reserved_where_they_are_used_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, gpus: float, device: str, words: str
) -> None:
    from runners.on_ray.cluster import Cluster, Need, RayNode

    nodes = [RayNode("n", "10.0.0.2", {"CPU": 4.0, "GPU": 2.0})]
    monkeypatch.setattr("runners.on_ray.cluster.alive_nodes", lambda: nodes)
    cluster = Cluster(Need(1.0, gpus), None)
    with pytest.raises(StudyError, match=words):
        cluster.check_device(device)
    cluster.check_device("cuda" if gpus else "cpu")
    cluster.check_device("auto")  # a process on the node will say
    cluster.check_device(None)  # what trains nothing says nothing


@pytest.mark.parametrize(
    ("gpus", "device", "words"),
    [
        (
            0.5,
            "cpu",
            "0.5 GPU is reserved for each child, but torch sees no GPU in a process there",
        ),
        (0.0, "cuda", "children would train on cuda, but --gpus-per-trial is 0, .*: add"),
    ],
)
def test_what_is_settled_on_a_node_uses_what_is_reserved(
    gpus: float, device: str, words: str
) -> None:
    from runners.on_ray.settling import settled_in_process

    judge = OnGpu(load("space", "nasbench201")(), device)
    with pytest.raises(SettingsError, match=words):
        settled_in_process(judge, [], gpus)
    assert settled_in_process(judge, [], 1.0 - bool(gpus))["device"] == device


@pytest.mark.parametrize(
    ("problem", "is_final"),
    [
        (ModuleNotFoundError("No module named 'nowhere'"), True),
        (KeyError("weights"), True),
        (RuntimeError("Connection closed by peer"), False),  # the group has lost a process
    ],
)
def test_a_training_that_every_try_would_break_says_so_after_the_first(
    monkeypatch: pytest.MonkeyPatch, problem: Exception, is_final: bool
) -> None:
    from runners.on_ray import training_worker

    def broken(*_: Any) -> Any:
        raise problem

    said: list[Any] = []
    monkeypatch.setattr("ray.get", lambda answer: answer)
    monkeypatch.setattr(training_worker, "_trainer", broken)
    mailbox = SimpleNamespace(
        resume=SimpleNamespace(remote=lambda number: (True, None)),
        post=SimpleNamespace(remote=said.append),
    )
    order: Any = SimpleNamespace(number=7)
    with pytest.raises(type(problem)):
        training_worker.train_alone(order, Any, Any, mailbox)  # type: ignore[arg-type]
    assert [message.number for message in said] == [7] * is_final
    if is_final:
        words = f"a worker that trains broke with {type(problem).__name__} ("
        assert str(said[0].problem).startswith(words)
        assert "so would every other try: mend that, and the same command" in str(said[0].problem)
