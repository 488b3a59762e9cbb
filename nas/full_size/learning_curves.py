"""Learning curves as a picture: accuracy over epochs, a line per seed for what is learnt and for
what is validated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from nas.training.trainer import Metrics

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 40, 48
_LINES = {"train_accuracy": ("#8a8a8a", "training"), "val_accuracy": ("#1f6fb2", "validation")}
_TEXT = 'font-family="Helvetica, Arial, sans-serif" fill="#333333"'
_TICKS = 4


def curves_svg(title: str, curves: Mapping[int, Sequence[Metrics]]) -> str:
    """The curves of several seeds."""
    values = [metrics[name] for curve in curves.values() for metrics in curve for name in _LINES]
    lowest = min(0.9, 0.1 * int(10 * min(values, default=0.0)))
    epochs = max((len(curve) for curve in curves.values()), default=1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        (
            f'<text x="{_LEFT}" y="22" font-size="14" font-weight="bold" '
            f"{_TEXT}>{escape(title)}</text>"
        ),
        *_axes(lowest, epochs),
        *_legend(len(curves)),
    ]
    for curve in curves.values():
        lines += [_line(curve, name, lowest, epochs) for name in _LINES]
    return "\n".join([*lines, "</svg>", ""])


def _x(epoch: float, epochs: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (epoch - 1) / max(1, epochs - 1)


def _y(value: float, lowest: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - (value - lowest) / (1 - lowest))


def _axes(lowest: float, epochs: int) -> Iterator[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for tick in range(_TICKS + 1):
        value = lowest + (1 - lowest) * tick / _TICKS
        y = _y(value, lowest)
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#dddddd"/>'
        yield (
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" font-size="11" text-anchor="end" '
            f"{_TEXT}>{100 * value:g} %</text>"
        )
    for epoch in sorted({1, (1 + epochs) // 2, epochs}):
        x = _x(epoch, epochs)
        yield (
            f'<text x="{x:.1f}" y="{bottom + 18}" font-size="11" text-anchor="middle" '
            f"{_TEXT}>{epoch}</text>"
        )
    middle = (_LEFT + right) / 2
    yield (
        f'<text x="{middle:.1f}" y="{bottom + 38}" font-size="12" text-anchor="middle" '
        f"{_TEXT}>epochs</text>"
    )


def _legend(seeds: int) -> Iterator[str]:
    for place, (color, name) in enumerate(_LINES.values()):
        x = _WIDTH - 240 + 110 * place
        words = f"{name}{f', {seeds} seeds' if place and seeds > 1 else ''}"
        yield f'<line x1="{x}" y1="18" x2="{x + 18}" y2="18" stroke="{color}" stroke-width="2"/>'
        yield f'<text x="{x + 24}" y="22" font-size="11" {_TEXT}>{words}</text>'


def _line(curve: Sequence[Metrics], name: str, lowest: float, epochs: int) -> str:
    points = " ".join(
        f"{_x(epoch, epochs):.1f},{_y(metrics[name], lowest):.1f}"
        for epoch, metrics in enumerate(curve, start=1)
    )
    return (
        f'<polyline points="{points}" fill="none" stroke="{_LINES[name][0]}" stroke-width="1.5"/>'
    )
