"""Which nodes get no more trials, and why: those that lack something, and those on which what works
elsewhere fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import final

_IN_A_ROW = 3
_STARTS = 3
# How seldom as many failures in a row as count against a node may come of children alone, seen from
# how often they fail on the other nodes.
_BY_CHANCE = 1e-4


@dataclass(slots=True)
class _Record:
    good: int = 0
    bad: int = 0
    in_a_row: int = 0
    was_ready: bool = False
    starts: int = 0  # in a row that came to nothing
    why: str = ""


@final
class NodeFaults:
    """A record of each node.

    Args:
        usable: the nodes on which a child fits, each with its address.
    """

    def __init__(self, usable: Callable[[], Mapping[str, str]]) -> None:
        self._usable = usable
        self._records: dict[str, _Record] = {}
        self._lacks: dict[str, str] = {}
        self._said: dict[str, str] = {}
        self._addresses: dict[str, str] = {}

    def began(self, node: str) -> None:
        """A process on this node is ready for trials."""
        record = self._of(node)
        record.was_ready, record.starts = True, 0

    def ended_well(self, node: str) -> None:
        """A trial on this node came to something."""
        record = self._of(node)
        record.good, record.in_a_row = record.good + 1, 0

    def failed(self, node: str, why: str) -> None:
        """A process on this node broke, with its trial or by it."""
        record = self._of(node)
        record.bad, record.in_a_row, record.why = record.bad + 1, record.in_a_row + 1, why

    def could_not_begin(self, node: str, why: str) -> None:
        """A process on this node was not ready for trials; where one was before, others may be."""
        record = self._of(node)
        record.starts += 1
        if record.starts >= _STARTS or not record.was_ready:
            self.lacks(node, why)

    def lacks(self, node: str, why: str) -> None:
        """This node has not what every trial needs."""
        self._lacks.setdefault(node, why)

    @property
    def left_out(self) -> dict[str, str]:
        """Nodes that get no more trials, each with the reason; never all of them for failures,
        which are those of the children then."""
        usable = self._usable()
        lacking = {node: why for node, why in self._lacks.items() if node in usable}
        rest = usable.keys() - lacking
        broken = {node: self._records[node].why for node in rest if self._is_broken(node)}
        return lacking if len(broken) == len(rest) else lacking | broken

    @property
    def hopeless(self) -> str | None:
        """Why no node can take trials, if none can."""
        usable = self._usable()
        if not usable or usable.keys() - self._lacks.keys():
            return None
        same: dict[str, list[str]] = {}
        for node, address in usable.items():
            same.setdefault(self._lacks[node], []).append(address)
        return "; ".join(
            f"node{'' if len(nodes) == 1 else 's'} {', '.join(nodes)}: {why}"
            for why, nodes in same.items()
        )

    def news(self) -> Iterator[str]:
        """A sentence for each node that was left out or taken back since the last call."""
        now = self.left_out
        self._addresses.update(self._usable())
        for node in now.keys() - self._said.keys():
            yield (
                f"node {self._name(node)} is left out: {now[node]}; the others go on, mend it and "
                "begin its Ray anew to have it back"
            )
        for node in self._said.keys() - now.keys():
            yield f"node {self._name(node)} counts again, or is gone"
        self._said = now

    def _is_broken(self, node: str) -> bool:
        """Whether more processes in a row have failed here than children alone would bring
        about."""
        record = self._records.get(node)
        if record is None or record.in_a_row < _IN_A_ROW:
            return False
        others = [other for name, other in self._records.items() if name != node]
        good, bad = sum(other.good for other in others), sum(other.bad for other in others)
        share = bad / (good + bad) if bad else 0.0
        needed = math.log(_BY_CHANCE) / math.log(share) if 0 < share < 1 else 0.0
        return share < 1 and record.in_a_row >= needed

    def _name(self, node: str) -> str:
        return f"{self._addresses.get(node, '?')} ({node[:8]})"

    def _of(self, node: str) -> _Record:
        return self._records.setdefault(node, _Record())
