"""The recipe of docs/slurm.md, run: its script hears SIGTERM, queues itself again, and ends when
the search does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from parts.command_line import ROOT, SMALL
from parts.studies import kinds, lines

SEARCH = (
    f"{sys.executable} -m nas search {' '.join(SMALL)} --set evaluator.delay_seconds=0.2 "
    "--trials 10 --out s &"
)


def test_the_script_queues_itself_again(tmp_path: Path) -> None:
    script = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / "slurm.md").read_text(), re.S)[0]
    script, count = re.subn(r"^nas search .*$", SEARCH, script, flags=re.M)
    assert count == 1
    (tmp_path / "job.sh").write_text(script)
    (tmp_path / "scontrol").write_text('#!/bin/bash\necho "$@" >> requeued\n')
    (tmp_path / "scontrol").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SLURM_JOB_ID": "77",
    }
    words = ["bash", "job.sh"]
    log = tmp_path / "s" / "events.jsonl"

    job = subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not (log.exists() and log.read_bytes().count(b"\n") > 4):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    job.send_signal(signal.SIGTERM)
    job.communicate(timeout=60)
    assert job.returncode == 3
    assert (tmp_path / "requeued").read_text() == "requeue 77\n"
    assert kinds(tmp_path / "s").count("asked") == kinds(tmp_path / "s").count("told") < 10

    again = subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False
    )
    assert again.returncode == 0
    assert (tmp_path / "requeued").read_text() == "requeue 77\n"
    told = [event for event in lines(tmp_path / "s") if event["event"] == "told"]
    assert sum("reused" not in event for event in told) == 10
