"""The folder for OptunaHub: laid out as its registry asks, loaded by its own client, its example
run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import yaml

optunahub = pytest.importorskip("optunahub")
ROOT = Path(__file__).parents[2]
REGISTRY = ROOT / "integrations" / "optunahub" / "package"
PACKAGE = REGISTRY / "samplers" / "nas_policy_gradient"


def test_it_has_what_the_registry_asks_for() -> None:
    names = {path.name for path in PACKAGE.iterdir()}
    assert {"README.md", "LICENSE", "__init__.py", "example.py", "tests"} <= names

    text = (PACKAGE / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert {"author", "title", "description", "tags", "optuna_versions", "license"} <= set(front)
    assert optuna.__version__ in front["optuna_versions"]
    for heading in ("## Abstract", "## APIs", "## Installation", "## Example"):
        assert heading in text


def test_its_own_tests_pass() -> None:
    """Through `optunahub.load_local_module`, from outside this repository's tests."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "tests"],
        cwd=PACKAGE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_example_finds_what_was_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its client would fetch the package, it is loaded from here."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    module = optunahub.load_local_module(
        "samplers/nas_policy_gradient", registry_root=str(REGISTRY)
    )
    scope: dict[str, object] = {"__name__": "example"}
    exec((PACKAGE / "example.py").read_text(), scope)

    sampler = module.PolicyGradientSampler(seed=0, uniform=32, hidden=16)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(scope["objective"], n_trials=150)  # type: ignore[arg-type]
    late = [trial.value for trial in study.trials[-50:]]
    assert sum(late) / 50 > 6  # of 12 right ones; random draws have 3, this one 7.8
