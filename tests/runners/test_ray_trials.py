"""The driver's side of the Ray runner without Ray: what is asked, told, stopped, killed and
fetched."""

from __future__ import annotations

import copy
import pickle
import re
import threading
from collections.abc import Sequence
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
from nas.study.rules import Rules
from nas.study.study import Study
from nas.testing.runner_promises import ScriptedEvaluator as Judge
from nas.training.datasets import Dataset, Images, share
from parts.studies import Listed, kinds, lines, no_limit, tiny
from runners.on_ray.packed_files import pack, unpack
from runners.on_ray.running_trials import Actors, RunningTrials
from runners.on_ray.trial_messages import (
    MESSAGES,
    ORDER,
    Ended,
    Message,
    Progressed,
    Raised,
    TrialOrder,
)


@dataclass
class Recorded(Actors):
    """Writes down what would be done to workers."""

    stopped: list[Any] = field(default_factory=list)
    killed: list[Any] = field(default_factory=list)
    fetched: list[int] = field(default_factory=list)
    lost: Failure | None = None

    def stop_early(self, actor: Any) -> None:
        self.stopped.append(actor)

    def kill(self, actor: Any) -> None:
        self.killed.append(actor)

    def fetch(self, files: Any, trial: Trial) -> Failure | None:
        self.fetched.append(trial.number)
        return self.lost


def study_of(folder: Path, count: int = 6, **rules: Any) -> Study:
    strategy = Listed([tiny(0, number % 4) for number in range(count)])
    return Study(
        folder, strategy, rules=Rules(**{"duplicates": "retrain", **rules}), budget=no_limit()
    )


def table(
    study: Study, places: int = 2, timeout: float | None = None
) -> tuple[RunningTrials, Recorded]:
    actors = Recorded()
    return RunningTrials(study, actors, lambda: places, timeout), actors


def begin(running: RunningTrials, *names: str) -> list[TrialOrder | None]:
    orders = [running.assign(name) for name in names]
    for name, order in zip(names, orders, strict=True):
        if order is not None:
            running.mark_started(name, f"actor {name}")
    return orders


def test_no_more_are_handed_out_than_there_is_room_for(tmp_path: Path) -> None:
    with study_of(tmp_path) as study:
        running, _ = table(study, places=2)
        first, second, third = begin(running, "a", "b", "c")
        assert first is not None
        assert second is not None
        assert third is None
        running.receive("a", [Ended(Evaluation(1.0))])
        (fourth,) = begin(running, "d")
        assert fourth is not None
        assert fourth.trial is not None
        assert fourth.trial.number == 2
        assert first.trial is None, "Tune keeps configurations for ever, so they are emptied"


def test_it_is_over_when_nothing_flies_and_nothing_is_left(tmp_path: Path) -> None:
    with study_of(tmp_path, count=1) as study:
        running, _ = table(study)
        begin(running, "a")
        assert running.assign("b") is None
        assert not running.is_over
        running.receive("a", [Ended(Evaluation(1.0))])
        assert running.assign("c") is None
        assert running.is_over


def test_progress_reaches_the_log_and_a_stop_reaches_the_worker(tmp_path: Path) -> None:
    with study_of(tmp_path, early_stop="asha") as study:
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


def test_a_late_trial_is_killed_once_and_fails_as_timeout(tmp_path: Path) -> None:
    with study_of(tmp_path, retries=0) as study:
        running, actors = table(study, timeout=1e-9)
        begin(running, "a")
        running.check_ages()
        running.check_ages()
        assert actors.killed == ["actor a"]
        running.receive("a", [Progressed(1, {"score": 1.0})])
        assert kinds(tmp_path)[-1] == "attempted", "what it says after it was given up is not heard"
        running.mark_lost("a", Failure("worker_lost", "killed by us"))
        assert lines(tmp_path)[-1]["kind"] == "timeout"
        assert lines(tmp_path)[-1]["message"] == "no result within 1e-09 s"


@pytest.mark.parametrize(
    "word", [Ended(Evaluation(1.0), files="reference"), Raised(SettingsError("mend it"))]
)
def test_a_late_trial_whose_last_word_was_on_its_way_fails_as_timeout(
    tmp_path: Path, word: Message
) -> None:
    with study_of(tmp_path, retries=0) as study:
        running, actors = table(study, timeout=1e-9)
        (order,) = begin(running, "a")
        running.check_ages()
        running.receive("a", [Progressed(1, {"score": 1.0}), word])
        assert lines(tmp_path)[-1]["kind"] == "timeout", (
            "Tune has seen it end and will not say that it was lost"
        )
        assert lines(tmp_path)[-1]["seconds"] > 0
        assert running.is_over
        assert order is not None
        assert order.trial is None
        running.mark_lost("a", Failure("worker_lost", "killed by us"))
        assert kinds(tmp_path).count("failed") == 1
        assert actors.killed == ["actor a"]
        assert actors.fetched == []


def test_a_trial_given_to_a_worker_that_was_killed_for_another_has_lost_nothing(
    tmp_path: Path,
) -> None:
    with study_of(tmp_path, count=2, retries=0) as study:
        running, _ = table(study, timeout=1e-9)
        begin(running, "a")
        running.check_ages()
        running.receive("a", [Ended(Evaluation(1.0))])
        assert running.assign("b") is not None
        running.mark_lost("b", Failure("worker_lost", "Tune took the dead worker for a free one"))
        assert not running.is_over
        (again,) = begin(running, "c")
        assert again is not None
        assert again.trial is not None
        assert again.trial.number == 1
        running.mark_lost("c", Failure("worker_lost", "died of it"))
        assert [
            (line["number"], line["kind"]) for line in lines(tmp_path) if line["event"] == "failed"
        ] == [
            (0, "timeout"),
            (1, "worker_lost"),
        ]
        assert running.is_over


def test_a_trial_that_waits_for_a_worker_is_not_late(tmp_path: Path) -> None:
    with study_of(tmp_path) as study:
        running, actors = table(study, timeout=1e-9)
        running.assign("a")
        running.check_ages()
        assert actors.killed == []


def test_a_worker_that_hangs_before_it_begins_is_killed_too(tmp_path: Path) -> None:
    with study_of(tmp_path, retries=0) as study:
        running, actors = table(study, timeout=1e-9)
        running.assign("a")
        entry = SimpleNamespace(temporary_state=SimpleNamespace(ray_actor=None))
        running.mark_queued("a", entry)
        running.check_ages()
        assert actors.killed == []
        entry.temporary_state.ray_actor = "actor a"
        running.check_ages()
        running.check_ages()
        assert actors.killed == ["actor a"]
        running.mark_lost("a", Failure("worker_lost", "killed by us"))
        assert lines(tmp_path)[-1]["kind"] == "timeout"


def test_a_free_worker_takes_the_trial_that_waits_longest_but_for_those_whose_own_may_start(
    tmp_path: Path,
) -> None:
    with study_of(tmp_path) as study:
        room = 2
        running = RunningTrials(study, Recorded(), lambda: 5, None, lambda: room)
        entries = {name: SimpleNamespace(name=name) for name in "abcde"}
        for name, entry in entries.items():
            running.assign(name)
            running.mark_queued(name, entry)
        running.mark_started("a", "actor a")
        assert running.waiting_longest() is entries["c"], "for b a worker may be starting"
        running.mark_started("b", "actor b")
        assert running.waiting_longest() is entries["c"]
        room = 5
        assert running.waiting_longest() is None, "each will have its own"


def test_retries_are_capped(tmp_path: Path) -> None:
    with study_of(tmp_path, count=1, retries=3) as study:
        running, _ = table(study)
        for name in "abcd":
            (order,) = begin(running, name)
            assert order is not None
            running.mark_lost(name, Failure("worker_lost", "poison"))
        assert begin(running, "e") == [None]
    assert kinds(tmp_path).count("attempted") == 4
    assert kinds(tmp_path).count("failed") == 1


def test_only_files_that_would_be_kept_are_fetched(tmp_path: Path) -> None:
    with study_of(tmp_path, keep=1) as study:
        running, actors = table(study, places=4)
        begin(running, "a", "b", "c", "d")
        for name, score in (("a", 2.0), ("b", 1.0), ("c", 3.0)):
            running.receive(name, [Ended(Evaluation(score), files="reference")])
        running.receive("d", [Ended(Failure("error", "no"), files="reference")])
        assert actors.fetched == [0, 2]


def test_a_result_whose_files_were_lost_is_tried_again(tmp_path: Path) -> None:
    with study_of(tmp_path) as study:
        running, actors = table(study)
        actors.lost = Failure("worker_lost", "lost with its files")
        begin(running, "a")
        running.receive("a", [Ended(Evaluation(2.0), files="reference")])
        assert lines(tmp_path)[-1]["after"]["message"] == "lost with its files"


def test_what_the_user_must_mend_ends_the_search_and_keeps_the_trial_open(tmp_path: Path) -> None:
    with study_of(tmp_path) as study:
        running, actors = table(study)
        begin(running, "a")
        problem = SettingsError("the data set is not there")
        running.receive("a", [Raised(problem)])
        assert running.problem is problem
        assert running.assign("b") is None
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


def test_a_deterministic_study_holds_places_back(tmp_path: Path) -> None:
    with study_of(tmp_path, lag=1) as study:
        running, _ = table(study, places=3)
        first, second = begin(running, "a", "b")
        assert first is not None
        assert second is None
        assert not running.is_over


def test_what_tune_writes_down_of_itself_holds_no_study(tmp_path: Path) -> None:
    from runners.on_ray.tune_searcher import StopOnProblem

    lock = threading.Lock()  # whoever watches a study may hold one
    with Study(tmp_path, Listed([]), budget=no_limit(), watch=lambda _: repr(lock)) as watched:
        written = pickle.dumps(StopOnProblem(table(watched)[0]))
    assert not pickle.loads(written).stop_all()


def test_a_ticket_is_not_copied_and_prints_short() -> None:
    order = TrialOrder(Trial(3, tiny(0, 1), 9))
    assert copy.deepcopy({"order": order})["order"] is order
    assert repr(order) == "trial 3"
    assert pickle.loads(pickle.dumps(order)).trial == order.trial


@pytest.mark.parametrize("act", [None, "raise"])
def test_files_that_cannot_be_sent_lose_the_attempt_and_not_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str | None
) -> None:
    import ray

    from runners.on_ray.trial_worker import TrialWorker

    def full(_: object) -> object:
        raise ray.exceptions.ObjectStoreFullError("no room left")

    monkeypatch.setattr("ray.put", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("gc.freeze", lambda: None)
    worker = object.__new__(TrialWorker)  # as Ray makes it, without the log files of its own
    space = load("space", "nasbench201")()
    worker.setup({}, Judge(space, {0: act} if act else None), None, asks=False, token="x")
    worker.config = {ORDER: TrialOrder(Trial(0, space.decode([0] * len(space.decisions)), 0))}
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
        (0.5, "cpu", "reserves GPUs, but the children of this study train on the CPU"),
        (0.0, "cuda", "has 2 GPUs, but --gpus-per-trial is 0, .*: add --gpus-per-trial 1"),
    ],
)
def test_gpus_are_reserved_where_they_are_used_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, gpus: float, device: str, words: str
) -> None:
    from runners.on_ray.cluster import Cluster, Need

    monkeypatch.setattr("runners.on_ray.cluster.alive_nodes", lambda: [{"CPU": 4.0, "GPU": 2.0}])
    cluster = Cluster(Need(1.0, gpus), None)
    with pytest.raises(StudyError, match=words):
        cluster.check_device(device)
    cluster.check_device("cuda" if gpus else "cpu")
    cluster.check_device(None)  # what trains nothing says nothing
