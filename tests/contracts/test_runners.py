"""What every runner promises, over whatever runners there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.registry import names
from nas.testing.promises import Promise, maker_of
from nas.testing.runner_promises import RUNNER_PROMISES, Make

WAYS: dict[str, list[dict[str, Any]]] = {"local": [{}, {"workers": 2}, {"trial_timeout": 300.0}]}


def ways() -> Iterator[Any]:
    """Every runner in every way it runs."""
    for name in names("runner"):
        for options in WAYS.get(name, [{}]):
            words = ", ".join(f"{option}={value}" for option, value in options.items())
            marks = [pytest.mark.ray] if name.startswith("ray") else []
            yield pytest.param((name, options), id=f"{name}({words})", marks=marks)


@pytest.fixture(scope="module")
def one_ray() -> Iterator[None]:
    """A Ray for all tests here: to start one takes longer than most studies."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")  # else they starve where other work goes on
        ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
        )
        yield
        ray.shutdown()


@pytest.fixture(params=ways())
def make(request: pytest.FixtureRequest) -> Make:
    name, options = request.param
    if name.startswith("ray"):
        request.getfixturevalue("one_ray")
    return maker_of("runner", name, **options)


@pytest.mark.parametrize("promise", RUNNER_PROMISES, ids=lambda promise: promise.__name__)
def test_every_runner(promise: Promise, make: Make, tmp_path: Path) -> None:
    promise(make, tmp_path)
