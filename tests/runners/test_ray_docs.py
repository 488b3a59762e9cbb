"""The example cluster of the documentation, seen by Ray without a cloud."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "cluster.md"


@pytest.fixture
def example() -> Any:
    yaml = pytest.importorskip("yaml")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    return yaml.safe_load(block)


def test_ray_takes_the_example_cluster(example: Any) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    whole = prepare_config(example)
    validate_config(whole)
    assert whole["available_node_types"]["head"]["resources"] == {"CPU": 0, "GPU": 0}
    with pytest.raises(Exception, match="max_wrokers"):
        validate_config({**whole, "max_wrokers": 3})


def test_each_machine_checks_the_token_and_has_it(example: Any) -> None:
    starts = [*example["head_start_ray_commands"], *example["worker_start_ray_commands"]]
    assert all("RAY_AUTH_MODE=token" in line for line in starts if "ray start" in line)
    assert "~/.ray/auth_token" in example["file_mounts"]
