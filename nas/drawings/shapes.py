"""What a drawing is made of, whatever it is written as: boxes, curves and labels, each with a role
and a place."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

Point = tuple[float, float]

# Advance widths in DejaVu Sans, the widest of the usual fonts, in hundredths of the font size.
_WIDTHS = {
    **dict.fromkeys("'ijlIJ,. ·", 32),
    **dict.fromkeys("/:;|frt-()[]!", 40),
    **dict.fromkeys("szcLkF*_?`", 58),
    **dict.fromkeys("AVXZBRCUK", 73),
    **dict.fromkeys("HNDGOQ&w+=<>×→−~", 84),
    **dict.fromkeys("mMW%@", 100),
}


@dataclass(frozen=True, slots=True)
class Box:
    """A rounded rectangle; `tip` is what a pointer resting on it is told."""

    x: float
    y: float
    width: float
    height: float
    role: str
    radius: float = 5.0
    tip: str = ""

    @property
    def centre(self) -> Point:
        """The middle of the box."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class Curve:
    """A line from `start` through cubic pieces (two control points and an end each)."""

    start: Point
    pieces: tuple[tuple[Point, Point, Point], ...]
    role: str
    arrow: bool = False

    @property
    def end(self) -> Point:
        """Where the line ends."""
        return self.pieces[-1][2] if self.pieces else self.start


@dataclass(frozen=True, slots=True)
class Label:
    """One line of text; `x` is its middle, beginning or end, `y` its middle."""

    x: float
    y: float
    text: str
    role: str
    size: float = 12.0
    anchor: str = "middle"
    bold: bool = False

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the room the text needs in any usual font."""
        width = text_width(self.text, self.size) * (1.06 if self.bold else 1.0)
        left = self.x - {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]
        return left, self.y - self.size * 0.55, left + width, self.y + self.size * 0.55


Shape = Box | Curve | Label


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes on a page, back to front, with what a screen reader says about them."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    title: str
    description: str


def text_width(text: str, size: float) -> float:
    """How wide a text is at most, in the widest of the usual sans-serif fonts."""
    return size * sum(_WIDTHS.get(letter, 64) for letter in text) / 100


def moved(shape: Shape, right: float, down: float) -> Shape:
    """The shape somewhere else."""
    if isinstance(shape, Curve):
        shift = [tuple((x + right, y + down) for x, y in piece) for piece in shape.pieces]
        start = (shape.start[0] + right, shape.start[1] + down)
        return replace(shape, start=start, pieces=tuple((a, b, c) for a, b, c in shift))
    return replace(shape, x=shape.x + right, y=shape.y + down)


def rising(points: list[Point]) -> tuple[tuple[Point, Point, Point], ...]:
    """Cubic pieces through points, vertical at each; a piece between points of one x is
    straight."""
    pieces = []
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        middle = (y0 + y1) / 2
        pieces.append(((x0, middle), (x1, middle), (x1, y1)))
    return tuple(pieces)
