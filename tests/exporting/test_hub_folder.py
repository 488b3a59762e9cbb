"""A folder as the Hugging Face Hub takes it: loaded without us, with a card that YAML can read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from parts.command_line import nas
from parts.exported_networks import trained_study

pytest.importorskip("yaml")


def front_of(card: Path) -> dict[str, object]:
    _, front, _ = card.read_text().split("---\n", 2)
    found = yaml.safe_load(front)
    assert isinstance(found, dict)
    return found


def test_a_stranger_loads_it_and_the_card_says_where_it_comes_from(tmp_path: Path) -> None:
    drawn, _ = trained_study(tmp_path / "study")
    answer = nas("export", tmp_path / "study", "--to", "hub", "--license", "mit", "--json")
    folder = tmp_path / "study" / "best"

    assert answer.json["exports"][0]["checks"][0]["difference"] == 0.0
    names = {file.name for file in folder.iterdir()}
    assert {"config.json", "model.safetensors", "modeling.py", "README.md"} <= names

    front = front_of(folder / "README.md")
    assert front["license"] == "mit"
    assert front["nas"]["key"] == drawn.key  # type: ignore[index]
    assert front["nas"]["study"] == "study"  # type: ignore[index]
    assert front["pipeline_tag"] == "image-classification"

    facts = json.loads((folder / "config.json").read_text())
    assert facts["genotype"] == drawn.to_dict()
    code = (
        "import sys; sys.modules.update(nas=None, search_spaces=None); sys.path.insert(0, '.'); "
        "from modeling import build; import torch; "
        "print(build()(torch.zeros(1, 1, 8, 8)).shape[1])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == facts["num_labels"]


def test_the_front_matter_stays_when_another_format_joins(tmp_path: Path) -> None:
    trained_study(tmp_path / "study")
    nas("export", tmp_path / "study", "--to", "hub")
    nas("export", tmp_path / "study", "--to", "json")

    card = tmp_path / "study" / "best" / "README.md"
    assert front_of(card)["license"] == "unknown"
    assert "`modeling.py`" in card.read_text()


def test_it_is_written_only_where_it_is_named_and_sent_only_where_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_study(tmp_path / "study")
    nas("export", tmp_path / "study", "--to", "python")
    assert not (tmp_path / "study" / "best" / "modeling.py").exists()

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    words = ("export", tmp_path / "study", "--push", "me/mine")
    assert "say --to hub" in nas(*words, "--to", "python").sentence
    assert "needs huggingface_hub, which is not installed" in nas(*words, "--to", "hub").sentence
    assert not (tmp_path / "study" / "best" / "modeling.py").exists()
