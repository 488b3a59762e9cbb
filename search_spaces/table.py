"""The space of a table that a user brings: its decisions are handed in, and its genotypes are bare
choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NoReturn, final

from search_spaces.cells.genotype import Genotype
from search_spaces.cells.json_form import MAX_CHOICES
from search_spaces.cells.space import Choices, Decision, SearchSpace
from search_spaces.errors import SpaceError, shortened

if TYPE_CHECKING:
    import torch

    from search_spaces.cells.skeleton import Skeleton

Option = int | str


@final
class TableSpace(SearchSpace):
    """Any decisions. Nothing is known about what the options mean, so its genotypes have no cells.

    Args:
        decisions: options by name, `{"d_0": ["a", "b"], "d_1": [1, 2, 3]}`, or the decisions
            themselves.
    """

    name: ClassVar[str] = "table"

    def __init__(self, *, decisions: Mapping[str, Sequence[Option]] | Sequence[Decision]) -> None:
        self._decisions = _checked_decisions(decisions)
        self._indices = tuple(
            (decision.name, {option: index for index, option in enumerate(decision.options)})
            for decision in self._decisions
        )

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """As they were handed in."""
        return self._decisions

    def decode(self, choices: Sequence[int]) -> Genotype:
        """The genotype these choices stand for: the chosen options by name."""
        answers = self.checked(choices)
        chosen = {
            decision.name: decision.options[answer]
            for decision, answer in zip(self._decisions, answers, strict=True)
        }
        return Genotype(self.name, {}, chosen)

    def encode(self, genotype: Genotype) -> Choices:
        """The choices of a genotype that answers every decision with one of its options."""
        chosen = genotype.choices
        if chosen is None or genotype.space != self.name:
            raise SpaceError(
                f"the genotype is of space {shortened(genotype.space)} and has cells, not choices "
                "of a table"
            )
        if len(chosen) != len(self._indices):
            raise SpaceError(
                f"the genotype answers {len(chosen)} decisions; this table has {len(self._indices)}"
            )
        return tuple([_index(chosen, name, indices) for name, indices in self._indices])

    def build(
        self, genotype: Genotype, skeleton: Skeleton, generator: torch.Generator | None = None
    ) -> NoReturn:
        """There is nothing to build."""
        del genotype, skeleton, generator
        raise SpaceError(
            f"genotypes of space {self.name!r} have choices and no cells, so no network can be "
            "built of them"
        )


def _index(chosen: Mapping[str, Option], name: str, indices: Mapping[Option, int]) -> int:
    if name not in chosen:
        raise SpaceError(f"the genotype does not answer decision {name!r} of this table")
    option = chosen[name]
    if option not in indices or isinstance(option, bool):
        known = map(repr, indices)
        raise SpaceError(
            f"decision {name!r} of this table has no option {shortened(option)}, only "
            f"{shortened(', '.join(known))}"
        )
    return indices[option]


def _checked_decisions(
    decisions: Mapping[str, Sequence[Option]] | Sequence[Decision],
) -> tuple[Decision, ...]:
    pairs = (
        list(decisions.items())
        if isinstance(decisions, Mapping)
        else [(decision.name, decision.options) for decision in decisions]
    )
    if not 1 <= len(pairs) <= MAX_CHOICES:
        raise SpaceError(
            f"a table has 1 to {MAX_CHOICES:,} decisions, but {len(pairs):,} were given"
        )
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise SpaceError(
            f"a table's decisions have different names, but these are {shortened(names)}"
        )
    return tuple(_checked_decision(name, options) for name, options in pairs)


def _checked_decision(name: str, options: Sequence[Option]) -> Decision:
    if not isinstance(name, str) or not name or not name.isprintable():
        raise SpaceError(f"a decision is called {shortened(name)}; expected a printable text")
    if isinstance(options, str) or not isinstance(options, Sequence) or not options:
        raise SpaceError(
            f"decision {name!r} has the options {shortened(options)}; expected a list of at least "
            "one"
        )
    for option in options:
        if isinstance(option, bool) or not isinstance(option, int | str):
            raise SpaceError(
                f"decision {name!r} has the option {shortened(option)}; expected texts and integers"
            )
    if len(set(options)) < len(options):
        raise SpaceError(f"decision {name!r} has the same option twice; expected different ones")
    return Decision(name, tuple(options))
