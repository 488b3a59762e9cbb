"""A study that goes on on another machine: what was asked stays, what is settled hangs on the
machine, and the report says when it moved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parts.clusters import GPU
from parts.command_line import nas
from parts.studies import lines


def test_a_study_moves_between_machines_and_the_report_says_when(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "study"
    words = ("--space", "nasbench201", "--strategy", "random-search", "--trials", "3")
    quickly = ("--set", "evaluator.epoch_seconds=0", "--evaluator", "parts.clusters:OnGpus")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    refused = nas("search", *words, *quickly, "--out", folder)
    assert refused.code == 2
    assert "device 'cuda' cannot be used here" in refused.err
    assert not folder.exists()

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert nas("search", *words, *quickly, "--out", folder).code == 0
    for gpu, trials in (("a larger GPU", 2), ("a pretended GPU", 1)):
        monkeypatch.setenv(GPU, gpu)
        assert nas("resume", folder, "--trials", f"+{trials}", "--trust").code == 0

    machines = json.loads((folder / "machines.json").read_text())
    assert [machine["hardware"] for machine in machines] == ["a pretended GPU", "a larger GPU"]
    told = [event["metrics"]["hardware"] for event in lines(folder) if event["event"] == "told"]
    assert told == ["a pretended GPU"] * 3 + ["a larger GPU"] * 2 + ["a pretended GPU"]
    assert nas("report", folder).code == 0
    report = " ".join((folder / "report.md").read_text().split())
    assert "a pretended GPU, cuda, bf16: 4 trials; a larger GPU, cuda, bf16: 2 trials" in report
    assert (
        "study began on a pretended GPU, cuda, bf16, and from trial 3 on ran on a larger GPU, "
        "cuda, bf16, until trial 4"
    ) in report


@pytest.mark.parametrize("content", ["[1]", "{}", "[", "\xff"])
def test_a_damaged_list_of_machines_is_named(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "study"
    words = ("--space", "nasbench201", "--strategy", "random-search", "--evaluator", "landscape")
    assert nas("search", *words, "--trials", "2", "--out", folder).code == 0
    assert not (folder / "machines.json").exists(), "nothing hangs on the machine"
    (folder / "machines.json").write_bytes(content.encode("latin-1"))
    done = nas("resume", folder, "--trials", "+1")
    assert done.code == 2
    assert "machines.json cannot be read as a list of machines: restore it" in done.err
