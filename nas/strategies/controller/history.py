"""The updates of a controller as its study wrote them down, put in a few words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search_spaces.cells.space import SearchSpace

Record = Mapping[str, Any]

SCALARS = (
    "reward_mean",
    "reward_min",
    "reward_max",
    "baseline",
    "advantage_spread",
    "entropy",
    "entropy_share",
    "kl",
    "clip_fraction",
    "gradient_norm",
    "distinct",
    "critic_correlation",
    "known_share",
)


def histograms(
    record: Record, space: SearchSpace
) -> Iterator[tuple[str, tuple[int | str, ...], list[float]]]:
    """How likely the policy takes each option, averaged over decisions with the same options.

    Nothing, where there is no policy, or none has taken a step yet.
    """
    if "policy" not in record:
        return
    groups: dict[tuple[int | str, ...], list[int]] = {}
    for index, decision in enumerate(space.decisions):
        groups.setdefault(decision.options, []).append(index)
    for options, members in groups.items():
        rows = [record["policy"][index] for index in members]
        means = [sum(column) / len(members) for column in zip(*rows, strict=True)]
        yield (
            _title([space.decisions[index].name for index in members], len(options)),
            options,
            means,
        )


def _title(names: Sequence[str], options: int) -> str:
    """What decisions with the same options are called: the only name, or the parts all names end
    in."""
    if len(names) == 1:
        return names[0]
    ends = sorted({name.rpartition(".")[2] for name in names})
    kind = f"{', '.join(ends)}: " if len(ends) <= 4 else ""
    return f"{kind}{len(names)} decisions of {options} options"
