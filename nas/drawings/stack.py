"""The whole network as a stack, image below, classes on top, in the manner of the paper's Figure
2."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from nas.drawings.cells import refuse_choices
from nas.drawings.shapes import Box, Curve, Drawing, Label, Shape, rising, text_width
from nas.errors import NasError
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton, auxiliary_index, stack

_WIDTH, _HEIGHT, _GAP = 250.0, 36.0, 24.0
_MARGIN = 28.0
_BRANCH = 210.0  # the box of the auxiliary head
_CARD = 4.0  # how far a repeated cell's cards stick out


@dataclass(frozen=True, slots=True)
class Storey:
    """One box of the stack: what it is, how many of it follow each other, and the map that leaves
    it."""

    name: str
    role: str
    map: str
    times: int = 1
    branch: str = ""  # what reads its output besides the next storey


def stack_drawing(genotype: Genotype, skeleton: Skeleton, title: str | None = None) -> Drawing:
    """The stack of a genotype's cells in a skeleton: maps on the left, the auxiliary head on the
    right."""
    storeys = storeys_of(genotype, skeleton)
    name = title or "Network"
    maps = max(text_width(storey.map, 12) for storey in storeys)
    maps = max(maps, text_width(name, 17) / 2 - _WIDTH / 2)
    left, head = _MARGIN + maps + 18, _MARGIN + 44
    tops = [head + (len(storeys) - 1 - level) * (_HEIGHT + _GAP) for level in range(len(storeys))]
    middle = left + _WIDTH / 2
    shapes: list[Shape] = [Label(middle, _MARGIN + 8, name, "ink", 16, bold=True)]
    for below, above in pairwise(tops):
        ends = [(middle, below), (middle, above + _HEIGHT)]
        shapes.append(Curve(ends[0], rising(ends), "wire", arrow=True))
    for storey, top in zip(storeys, tops, strict=True):
        shapes += _storey(storey, left, top)
        shapes += _branch(storey, left, top) if storey.branch else []
    bottom = tops[0] + _HEIGHT + 26
    shapes.append(Label(middle, bottom, _note(skeleton), "muted", 11))
    branch = 36 + _BRANCH if any(storey.branch for storey in storeys) else 2 * _CARD
    width = left + max(_WIDTH + branch, (_WIDTH + text_width(name, 17)) / 2) + _MARGIN
    return Drawing(width, bottom + _MARGIN, tuple(shapes), name, _description(storeys))


def storeys_of(genotype: Genotype, skeleton: Skeleton) -> list[Storey]:
    """What the stack consists of, from the image up."""
    refuse_choices(genotype)
    side = skeleton.image_size
    storeys = [Storey("image", "input", _map(side, skeleton.channels))]
    side = skeleton.stem_map
    stem = "3×3 convolution, stride 2" if skeleton.layout == "imagenet" else "3×3 convolution"
    storeys.append(Storey(stem, "layer", _map(side, skeleton.stem_width)))
    storeys += _cells(genotype, skeleton, side)
    pooling = (
        "ReLU, global average pooling" if skeleton.relu_before_pool else "global average pooling"
    )
    storeys.append(Storey(pooling, "layer", f"{_channels(genotype, skeleton)} channels"))
    if skeleton.dropout_keep < 1:
        storeys.append(Storey(f"dropout, keep {skeleton.dropout_keep:g}", "layer", ""))
    return [*storeys, Storey("fully connected, softmax", "layer", f"{skeleton.classes} classes")]


def _cells(genotype: Genotype, skeleton: Skeleton, side: int) -> list[Storey]:
    auxiliary = auxiliary_index(skeleton) if skeleton.auxiliary else -1
    storeys: list[Storey] = []
    for index, place in enumerate(stack(skeleton)):
        side = -(-side // place.stride)
        kind = (
            "Residual block"
            if skeleton.layout == "nasbench201" and place.role == "reduction"
            else None
        )
        stride = ", stride 2" if place.stride > 1 else ""
        storey = Storey(
            f"{kind or f'{place.role.capitalize()} cell'}, F = {place.filters}{stride}",
            f"cell-{place.role}",
            _map(side, place.filters * _widths(genotype, skeleton, place.role)),
            branch="Auxiliary head" if index == auxiliary else "",
        )
        if storeys and replace(storeys[-1], times=1, branch="") == replace(storey, branch=""):
            storey = replace(storey, times=storeys.pop().times + 1)
        storeys.append(storey)
    return storeys


def _widths(genotype: Genotype, skeleton: Skeleton, role: str) -> int:
    """How many times its filters a cell puts out."""
    if skeleton.layout == "nasbench201":
        return 1
    if role not in genotype.cells:
        raise NasError(
            f"this genotype has no {role} cell, which the {skeleton.layout} layout needs; "
            "use the nasbench201 skeleton or a genotype with both cells"
        )
    return len(genotype.cells[role].output_states)


def _channels(genotype: Genotype, skeleton: Skeleton) -> int:
    last = stack(skeleton)[-1]
    return last.filters * _widths(genotype, skeleton, last.role)


def _map(side: int, channels: int) -> str:
    return f"{side}×{side}, {channels} channels"


def _storey(storey: Storey, left: float, top: float) -> list[Shape]:
    shapes: list[Shape] = []
    for card in range(min(storey.times - 1, 2), -1, -1):
        shift = card * _CARD
        shapes.append(Box(left + shift, top - shift, _WIDTH, _HEIGHT, storey.role))
    label = Label(left + _WIDTH / 2, top + _HEIGHT / 2, storey.name, "ink", 12.5)
    if storey.times > 1:
        label = replace(label, x=left + 14, anchor="start")
        shapes.append(
            Label(left + _WIDTH - 14, label.y, f"× {storey.times}", "ink", 14, "end", bold=True)
        )
    shapes.append(label)
    if storey.map:
        shapes.append(Label(left - 14, label.y, storey.map, "muted", 12, "end"))
    return shapes


def _branch(storey: Storey, left: float, top: float) -> list[Shape]:
    """The auxiliary head beside the stack, on a line from the output of its storey."""
    fork = (left + _WIDTH / 2, top - 2 * _CARD - 4)
    x, bottom = left + _WIDTH + 36, top - _GAP - _HEIGHT / 2
    middle = x + _BRANCH / 2
    bend, corner, rise = (middle - 12, fork[1]), (middle, fork[1]), (middle, fork[1] - 12)
    pieces = (
        (fork, bend, bend),
        (corner, corner, rise),
        (rise, (middle, bottom), (middle, bottom)),
    )
    return [
        Curve(fork, pieces, "wire", arrow=True),
        Box(x, bottom - _HEIGHT, _BRANCH, _HEIGHT, "layer"),
        Label(middle, bottom - _HEIGHT / 2, f"{storey.branch} (training only)", "ink", 12.5),
    ]


def _note(skeleton: Skeleton) -> str:
    if skeleton.layout == "nasbench201":
        return "Each cell reads the output below it."
    return "Each cell reads the two outputs below it."


def _description(storeys: list[Storey]) -> str:
    parts = [
        f"{storey.name}{f' × {storey.times}' if storey.times > 1 else ''}"
        f"{f' ({storey.map})' if storey.map else ''}"
        for storey in storeys
    ]
    return "From the image up: " + "; ".join(parts) + "."
