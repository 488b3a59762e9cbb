"""`nas profile --table`: measuring a table of latencies, and what is said of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_table(
    file: Path,
    words: Mapping[str, str | None],
    settings: list[str] | None,
    *,
    engine: str | None,
    batch: str,
    device: str,
    seconds: float,
    command: str | None,
    networks: int,
    as_json: bool,
) -> None:
    """Measure, fit, write the file, and say how far it is off.

    Args:
        words: space, dataset and preset, whose children are measured.
    """
    import torch

    from nas.errors import SettingsError, shell_word
    from nas.exporting.latency_tables import build_table, command_meter, engine_meter
    from nas.registry import allow_command
    from nas.search.decided import refuse_for_latency_table
    from nas.search.plan import hardware
    from nas.search.words import assignment, tree_of_words
    from nas.study.store import write_whole
    from nas.training.latency_command import LatencyCommand

    if not batch.strip().isdecimal():
        raise SettingsError(f"--batch {batch!r}: a table is of one size of batch, say 1")
    if engine is not None and command is not None:
        raise SettingsError("--engine and --latency-command both say who measures: leave one out")
    plan = assignment(tree_of_words({**words, "settings": settings, "evaluator": "train"})).plan
    refuse_for_latency_table(plan.decided)
    space = plan.make_space()
    skeleton = plan.make_judge(space).skeleton  # type: ignore[attr-defined]
    facts: dict[str, Any] = {"engine": engine or "torch", "batch": int(batch), "device": device}
    if command is None:
        meter = engine_meter(facts["engine"], int(batch), device, seconds)
        facts |= {"threads": torch.get_num_threads(), "hardware": hardware()["cpu"]}
    else:
        allow_command({"latency_command": command})
        meter = command_meter(LatencyCommand.of(command, None))
        facts = {"engine": command}

    def watch(done: int, total: int) -> None:
        if not as_json and (done == total or not done % 100):
            print(f"{done} of {total} measurements", file=sys.stderr, flush=True)

    table = build_table(space, skeleton, meter, networks, facts, watch)
    write_whole(file, table.to_json())
    if as_json:
        rows = len(table.rows)
        print(json.dumps({"file": str(file), "rows": rows, "facts": table.facts, **table.error}))
        return
    error = table.error
    print(
        f"{file}: {len(table.rows)} operations at their places, from {table.facts['networks']} "
        f"networks of {space.name}; what all have takes {table.base_ms:.3g} ms"
    )
    print(
        f"error: of {error['networks']} other networks it is {error['mean']:.1%} off on average, "
        f"{error['worst']:.1%} at worst, tau {error['tau']:.2f}; a second measurement of the same "
        f"network is {error['repeated']:.1%} off the first"
    )
    print(f"use it: nas search --latency-table {shell_word(str(file))} ...")
