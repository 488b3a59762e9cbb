"""What hangs on the machine is settled where children train: asked of a process on every node
before the first trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ray
from ray import cloudpickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nas.contracts import Evaluator
from nas.errors import NasError, SettingsError, StudyError
from nas.study.attempt import plain
from runners.on_ray.cluster import Cluster

_SECONDS_TO_SETTLE = 180.0  # a process of Ray starts, torch is imported, ways to compute are timed

Settled = Mapping[str, Any]


def settled_in_process(evaluator: Evaluator, known: Sequence[Settled], gpus: float) -> Settled:
    """Let an evaluator settle in the process that will train, and refuse a GPU that is reserved and
    not used, or used and not reserved."""
    settled: Settled = plain(evaluator.settle(known))
    device = str(settled.get("device", ""))
    if gpus and device == "cpu":
        raise SettingsError(
            f"{gpus:g} GPU is reserved for each child, but torch sees no GPU in a process there, "
            "so that children would train on the processor: mend its driver or its torch, or leave "
            "--gpus-per-trial out"
        )
    if not gpus and device.startswith("cuda"):
        raise SettingsError(
            f"children would train on {device}, but --gpus-per-trial is 0, so that all would crowd "
            "on the first GPU of their node: add --gpus-per-trial 1 (0.25: four children on each)"
        )
    return settled


def packed(evaluator: Evaluator) -> bytes:
    """An evaluator as it travels; one that cannot is refused."""
    try:
        content: bytes = cloudpickle.dumps(evaluator)  # type: ignore[no-untyped-call]
        cloudpickle.loads(content)
    except Exception as problem:  # whatever its parts raise
        raise SettingsError(
            f"evaluator {type(evaluator).__name__} cannot be sent to a worker process ({problem}): "
            "keep only plain values in it, or evaluate here with --runner local --workers 1"
        ) from problem
    return content


def settle_on_nodes(
    evaluator: Evaluator, content: bytes, known: Sequence[Settled], cluster: Cluster
) -> list[Settled]:
    """What was settled on every node of the cluster; nodes that lack something are left out, and
    where all do, nothing begins.

    A node that is busy with other work says nothing in time; its workers settle for themselves.
    """
    if type(evaluator).settle is Evaluator.settle:
        return []
    need = cluster.need
    asked = {
        ask_node(node, need.cpus, need.gpus).remote(content, list(known), need.gpus): node
        for node in cluster.usable()
    }
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=_SECONDS_TO_SETTLE)
    for answer in late:
        ray.cancel(answer, force=True)

    settled = list(_answers({asked[answer]: answer for answer in ready}, cluster))
    if why := cluster.faults.hopeless:
        raise StudyError(f"no node of the cluster can train these children: {why}")
    return settled


def ask_node(node: str, cpus: float, gpus: float) -> Any:
    """The task of settling, on this node and with what a child will have."""
    here = NodeAffinitySchedulingStrategy(node, soft=False)
    remote: Any = ray.remote
    task = remote(
        num_cpus=cpus, num_gpus=gpus, max_calls=1, max_retries=0, scheduling_strategy=here
    )
    return task(_settle)


def _settle(content: bytes, known: Sequence[Settled], gpus: float) -> Settled | str:
    try:
        return settled_in_process(cloudpickle.loads(content), known, gpus)
    except NasError as problem:
        return str(problem)


def _answers(answers: Mapping[str, Any], cluster: Cluster) -> Iterator[Settled]:
    for node, answer in answers.items():
        try:
            found = ray.get(answer)
        except ray.exceptions.RayError as problem:
            found = f"a process there cannot begin ({_last_line(problem)})"
        if isinstance(found, str):
            cluster.faults.lacks(node, found)
        else:
            yield found


def _last_line(problem: Exception) -> str:
    return (str(problem).strip() or type(problem).__name__).splitlines()[-1].strip()
