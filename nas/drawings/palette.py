"""Which colour says what: kinds of operations, in tints that colour-blind eyes tell apart, for
light and dark pages.

The hues are those of Okabe and Ito (Color Universal Design, 2008); every box also says its
operation in words, so nothing is told by colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from nas.errors import NasError, known_names

Theme = Literal["auto", "light", "dark"]
THEMES: tuple[str, ...] = get_args(Theme)

KINDS = {
    "separable": "separable convolution",
    "dilated": "dilated convolution",
    "convolution": "convolution",
    "asymmetric": "1xk then kx1 convolution",
    "pooling": "pooling",
    "identity": "identity",
    "none": "none (zero)",
    "other": "other operation",
}

_PREFIXES = {"sep_": "separable", "dil_": "dilated", "avg_": "pooling", "max_": "pooling"}


@dataclass(frozen=True, slots=True)
class Style:
    """How a role looks; for text and lines only the first colour counts."""

    fill: str
    stroke: str = "none"
    width: float = 1.2
    dashed: bool = False


_LIGHT = {
    "page": Style("#ffffff"),
    "input": Style("#ffffff", "#4a5560"),
    "combine": Style("#46525e", "#46525e"),
    "wire": Style("#5f6b77", width=1.4),
    "layer": Style("#eef0f3", "#7b8794"),
    "cell-normal": Style("#bfe1f6", "#2b7fb8"),
    "cell-reduction": Style("#f8cdb0", "#c2570c"),
    "ink": Style("#16191d"),
    "muted": Style("#5a6570"),
    "reversed": Style("#ffffff"),
    "op-separable": Style("#bfe1f6", "#2b7fb8"),
    "op-dilated": Style("#efcfe2", "#a9528a"),
    "op-convolution": Style("#b9e6d7", "#00825e"),
    "op-asymmetric": Style("#f8cdb0", "#c2570c"),
    "op-pooling": Style("#faeca6", "#a88a00"),
    "op-identity": Style("#e4e7eb", "#7b8794"),
    "op-none": Style("#ffffff", "#98a2ad", dashed=True),
    "op-other": Style("#e9ddf7", "#7a5ab5"),
}
_DARK = {
    "page": Style("#12161b"),
    "input": Style("#12161b", "#c3ccd5"),
    "combine": Style("#c3ccd5", "#c3ccd5"),
    "wire": Style("#8f9ba8", width=1.4),
    "layer": Style("#232b34", "#95a1ad"),
    "cell-normal": Style("#14486b", "#56b4e9"),
    "cell-reduction": Style("#743208", "#ee8845"),
    "ink": Style("#f0f3f6"),
    "muted": Style("#a3aeb9"),
    "reversed": Style("#12161b"),
    "op-separable": Style("#14486b", "#56b4e9"),
    "op-dilated": Style("#603050", "#cc79a7"),
    "op-convolution": Style("#0a5340", "#1fbf92"),
    "op-asymmetric": Style("#743208", "#ee8845"),
    "op-pooling": Style("#584a05", "#dfc93b"),
    "op-identity": Style("#3a434d", "#95a1ad"),
    "op-none": Style("#12161b", "#77828e", dashed=True),
    "op-other": Style("#473069", "#ab8be0"),
}
STYLES = {"light": _LIGHT, "dark": _DARK}


def check_theme(theme: str) -> None:
    """Refuse a theme nobody knows."""
    if theme not in THEMES:
        raise NasError(known_names(theme, THEMES, "theme"))


def kind_of(op: str) -> str:
    """The kind an operation is coloured by."""
    for prefix, kind in _PREFIXES.items():
        if op.startswith(prefix):
            return kind
    if op.startswith("conv_"):
        return "asymmetric" if op.count("x") > 1 else "convolution"
    return op if op in ("identity", "none") else "other"


def spoken(op: str) -> str:
    """An operation's name as a figure says it: `sep 5×5` for sep_5x5."""
    head, *sizes = op.split("_")
    return " ".join([head, "·".join(size.replace("x", "×") for size in sizes)]).strip()
