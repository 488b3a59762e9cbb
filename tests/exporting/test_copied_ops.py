"""An op without a text of its own is written as its source, with all it is made of."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas.errors import NasError
from nas.exporting.source.python_file import python_file
from parts.drawn_cells import cell, genotype
from parts.exported_networks import largest_difference, subject
from search_spaces.cells import ops

OPS = '''
import math
from functools import partial
from torch import nn
import torch.nn.functional as F
from my_layers import Gate as Gated, Shuffle
from search_spaces.cells.layers import BatchNorm, Conv, Pool, Rectified, conv_bn, fit_shape
from search_spaces.cells.ops import op
from search_spaces.cells.skeleton import Skeleton

WIDER = {"narrow": 1, "wide": 2}
conv = partial(Conv, kernel=1)


@op
def gated_3x3(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    """Has the words of the exported file for other things: pair, Conv, conv_bn."""
    pair = WIDER["wide"] * math.ceil(filters / 2)  # ä comment before conv_bn
    return Rectified(
        conv_bn(channels, pair, 3, style, stride=stride), Gated(pair, filters, style, name="ö")
    )


@op
def shuffled(channels: int, filters: int, stride: int, style: Skeleton) -> nn.Module:
    if stride == 2:
        return fit_shape(channels, filters, stride, style)
    pool = Pool("max", 5, channels, filters, stride, style)
    return nn.Sequential(pool, Shuffle(), conv_bn(filters, filters, 3, style))
'''
LAYERS = '''
import torch
from torch import Tensor, nn
from search_spaces.cells.layers import Unit, conv_bn


class Root(nn.Module):
    power = 2


class Gate(Root):
    """A convolution times another."""

    def __init__(self, channels, filters, style, name=""):
        super().__init__()
        self.one, self.two = (conv_bn(channels, filters, 1, style) for _ in range(2))
        assert isinstance(self.one, Unit), name

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) * torch.sigmoid(self.two(x)) ** self.power


class Shuffle(nn.Module):
    def forward(self, x):
        return x.flip(1)
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a file of ops and a file of layers."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(ops, "_OPS", dict(ops._OPS))
    (tmp_path / "my_layers.py").write_text(LAYERS)
    yield tmp_path
    for name in ("my_ops", "my_layers"):
        importlib.sys.modules.pop(name, None)


def imported(folder: Path, text: str) -> None:
    (folder / "my_ops.py").write_text(text)
    importlib.import_module("my_ops")


DRAWING = genotype(
    cell("gated_3x3(0)+shuffled(1), gated_3x3(2)+sep_3x3(1)"),
    cell("shuffled(0)+gated_3x3(1), none(0)+identity(2)"),
)


@pytest.mark.parametrize("alignment", ["same", "symmetric"])
def test_an_own_op_computes_the_same(own: Path, alignment: str) -> None:
    imported(own, OPS)
    small = subject(DRAWING, alignment=alignment, filters=6, image_size=15)
    assert largest_difference(small, own) == 0.0


def test_an_own_op_in_a_cell_of_one_input(own: Path) -> None:
    imported(own, OPS)
    drawing = genotype(cell("gated_3x3(0), shuffled(0)+conv_3x3(1)", (2,), inputs=1))
    small = subject(drawing, layout="nasbench201", cells_per_stage=1, filters=4, image_size=15)
    assert largest_difference(small, own) == 0.0


def test_its_source_is_read_as_it_was_written(own: Path) -> None:
    imported(own, OPS)
    text = python_file(subject(DRAWING))
    assert "\nimport math\n" in text[: text.index("WEIGHTS")]
    assert "  # ä comment before conv_bn\n" in text
    assert '"""A convolution times another."""' in text
    assert "@op" not in text
    assert "my_layers" not in text
    assert "class Conv_as_searched(nn.Conv2d):" in text
    assert "class Gate(Root):" in text
    assert "    bn_eps = 1e-05\n" in text
    assert "cells_per_stage" not in text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import hypothesis as h", "op 'odd' uses 'h' of hypothesis, but model.py needs torch"),
        ("import my_layers as h", "op 'odd' uses 'h' of my_layers, .* imported by its name"),
    ],
)
def test_what_cannot_be_copied_is_refused(own: Path, text: str, sentence: str) -> None:
    head = "from torch import nn\nfrom search_spaces.cells.ops import op\n"
    body = "\n@op\ndef odd(channels, filters, stride, style):\n    h\n    return nn.Identity()\n"
    imported(own, head + text + body)
    small = subject(genotype(cell("odd(0)"), cell("identity(0)")))
    with pytest.raises(NasError, match=sentence):
        python_file(small)


def test_no_name_is_given_twice(own: Path) -> None:
    with pytest.raises(NasError, match="there is an op 'sep_3x3' already: give yours a name"):
        imported(own, OPS.replace("def shuffled", "def sep_3x3"))
