"""From words to a supernet: the settings of a search that trains, and shared weights made by
them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nas.errors import SettingsError
from nas.search.words import assignment


def supernet_of(
    tree: Mapping[str, Any],
    *,
    steps: int,
    seed: int,
    folder: Path | None,
    report: Callable[[int, float], None],
) -> tuple[Path, Mapping[str, Any]]:
    """Make the supernet that these settings of a search ask for; its folder, and its record."""
    from nas.evaluators.shared import make_supernet
    from nas.evaluators.train import Train

    plan = assignment({**tree, "evaluator": {**tree.get("evaluator", {}), "name": "train"}}).plan
    if plan.decided:
        raise SettingsError(
            f"{', '.join(plan.decided)}: weights are shared by children of one skeleton and one "
            "recipe, so give one value of each"
        )
    if plan.evaluator.options.get("inherit") is not None:
        raise SettingsError("a supernet begins with nothing: leave evaluator.inherit out")
    train = plan.make_judge(plan.make_space())
    if not isinstance(train, Train):
        raise SettingsError("a supernet is trained as children are: its evaluator is train")
    place = folder or Path("results") / f"supernet-{plan.space.name}-{plan.fingerprint}-{steps}"
    return place, make_supernet(train, place, steps=steps, seed=seed, report=report)
