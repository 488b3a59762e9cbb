"""The front of test accuracy as a picture: what each network reaches for what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 40, 48
_TEXT = 'font-family="Helvetica, Arial, sans-serif" fill="#333333"'
_ON, _OFF = "#0b6bab", "#9aa0a9"
_TICKS = 4


class Spot(NamedTuple):
    """One network: multiply-adds, mean and deviation of its accuracies, and whether another one
    is better at no more cost."""

    name: str
    macs: int
    mean: float
    deviation: float
    on_front: bool


def front_svg(title: str, spots: Sequence[Spot]) -> str:
    """All of them, those on the front joined by a line."""
    lows = [spot.mean - spot.deviation for spot in spots]
    highs = [spot.mean + spot.deviation for spot in spots]
    room = max(max(highs) - min(lows), 0.01) * 0.08
    frame = _Frame(max(spot.macs for spot in spots) * 1.08, min(lows) - room, max(highs) + room)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="22" font-size="14" font-weight="bold" '
        f"{_TEXT}>{escape(title)}</text>",
        *_axes(frame),
        _steps(frame, spots),
        *(mark for spot in spots for mark in _marks(frame, spot)),
    ]
    return "\n".join([*lines, "</svg>", ""])


class _Frame(NamedTuple):
    """What the panel shows: multiply-adds from 0, accuracies from `low` to `high`."""

    most: float
    low: float
    high: float

    def x(self, macs: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * macs / self.most

    def y(self, accuracy: float) -> float:
        share = (accuracy - self.low) / (self.high - self.low)
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share)


def _axes(frame: _Frame) -> Iterator[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for tick in range(_TICKS + 1):
        value = frame.low + (frame.high - frame.low) * tick / _TICKS
        y = frame.y(value)
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#dddddd"/>'
        yield (
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" font-size="11" text-anchor="end" '
            f"{_TEXT}>{100 * value:.1f} %</text>"
        )
    for tick in range(_TICKS + 1):
        macs = frame.most * tick / _TICKS
        yield (
            f'<text x="{frame.x(macs):.1f}" y="{bottom + 18}" font-size="11" '
            f'text-anchor="middle" {_TEXT}>{macs / 1e6:.3g}M</text>'
        )
    yield (
        f'<text x="{(_LEFT + right) / 2:.1f}" y="{bottom + 38}" font-size="12" '
        f'text-anchor="middle" {_TEXT}>multiply-adds</text>'
    )


def _steps(frame: _Frame, spots: Sequence[Spot]) -> str:
    ordered = sorted((spot for spot in spots if spot.on_front), key=lambda spot: spot.macs)
    points = " ".join(f"{frame.x(spot.macs):.1f},{frame.y(spot.mean):.1f}" for spot in ordered)
    return f'<polyline points="{points}" fill="none" stroke="{_ON}" stroke-width="1.5"/>'


def _marks(frame: _Frame, spot: Spot) -> Iterator[str]:
    """A dot, a bar of one deviation to each side, and the name where a pointer rests."""
    x, colour = frame.x(spot.macs), _ON if spot.on_front else _OFF
    low, high = (frame.y(spot.mean + way * spot.deviation) for way in (-1, 1))
    yield (
        f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" stroke="{colour}" '
        'stroke-width="1.5"/>'
    )
    yield (
        f'<circle cx="{x:.1f}" cy="{frame.y(spot.mean):.1f}" r="4.5" fill="{colour}">'
        f"<title>{escape(spot.name)}: {100 * spot.mean:.2f} %, {spot.macs:,}</title></circle>"
    )
