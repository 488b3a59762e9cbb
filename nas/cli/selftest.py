"""`nas selftest`: proof, on this machine, that a part does what it says."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from nas.cli._options import Json


def command(
    part: Annotated[str, typer.Argument(help="What to test: controller.")] = "controller",
    as_json: Json = False,
) -> None:
    """Prove that the controller learns: exact gradients, clipping, entropy, the critic, bandits, a
    negative control."""
    from nas.errors import NasError, known_names

    if part != "controller":
        raise NasError(known_names(part, ["controller"], "self-test"))
    from nas.strategies.controller.selftest import run

    checks = []
    for check in run():
        checks.append(check)
        if not as_json:
            print(f"{'ok  ' if check.passed else 'FAIL'}  {check.name}: {check.detail}", flush=True)
    passed = sum(check.passed for check in checks)
    if as_json:
        print(
            json.dumps(
                {"passed": passed == len(checks), "checks": [check._asdict() for check in checks]}
            )
        )
    else:
        print(f"{passed} of {len(checks)} checks passed")
    if passed < len(checks):
        raise typer.Exit(1)
