"""A study that goes on elsewhere: the runner may change, nothing else."""

from __future__ import annotations

import pytest

from nas.errors import NasError, SettingsError
from nas.search.words import changed_runner
from nas.settings import Part

LOCAL = Part.named("runner", "local", {"workers": 3})


def test_nothing_said_nothing_changed() -> None:
    assert changed_runner(LOCAL, None, {}) == LOCAL


def test_options_change_and_the_others_stay() -> None:
    changed = changed_runner(LOCAL, "loc", {"runner": {"trial_timeout": 5.0}})
    assert changed.options == {"workers": 3, "trial_timeout": 5.0, "silence": 60.0}


def test_another_runner_begins_with_its_defaults() -> None:
    changed = changed_runner(LOCAL, "ray", {"runner": {"concurrency": 2}})
    assert changed.name == "ray-tune"
    assert changed.options["concurrency"] == 2
    assert "workers" not in changed.options


def test_nothing_else_may_change() -> None:
    with pytest.raises(
        SettingsError, match=r"strategy\.\* of a study cannot change: set runner\.\* only"
    ):
        changed_runner(LOCAL, None, {"strategy": {"population": 5}})


def test_an_unknown_runner_is_named() -> None:
    with pytest.raises(NasError, match="no runner is called 'nowhere'; there are local, ray-tune"):
        changed_runner(LOCAL, "nowhere", {})
