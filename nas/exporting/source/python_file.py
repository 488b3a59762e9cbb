"""A network as one readable file that needs torch alone: cells first, then layers, loading and a
`main`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from nas.exporting.source.cells import (
    aligned_states,
    cell_text,
    single_input_cell_text,
    weight_names,
    written_edges,
)
from nas.exporting.source.copied import copied_ops
from nas.exporting.source.layers import RESIDUAL, layers_text
from nas.exporting.source.ops import has_text, layers_of, op_text
from nas.exporting.subject import Subject
from search_spaces.cells.cell import CellModule
from search_spaces.cells.genotype import OP_NAMES, Cell
from search_spaces.cells.layers import FactorizedReduction, Rectified
from search_spaces.cells.network import Network
from search_spaces.cells.skeleton import Skeleton, stack

_TOP = '''"""{title}.

    from model import build
    network = build()           # with the weights beside this file
    logits = network(images)    # images (B, {channels}, {size}, {size}), {normalised}; logits (B, {classes})

Needs torch and nothing else, besides Pillow to read pictures: python model.py PICTURE says what they show.
The cells stand first, as in their drawing; what they are made of stands below them.
"""

from __future__ import annotations

import json
import sys
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
{imports}
WEIGHTS = Path(__file__).with_name("weights.safetensors")
IMAGE_SIZE, CHANNELS, CLASSES = {size}, {channels}, {classes}
{facts}
Pair = tuple[int, int]
'''
_IMPORTED = ("import torch", "from torch import nn", "from torch import Tensor")
_NETWORK = '''
class Network(nn.Module):
    """{sentence}"""

    def __init__(self) -> None:
        super().__init__()
        self.stem = {stem}
        self.cells = nn.ModuleList(
            [
{cells}
            ]
        )
{head}        self.classifier = nn.Linear({features}, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
{forward}
        return self.classifier({relu}.mean(dim=(2, 3)))
'''
_TWO_NEWEST = """        older = newer = self.stem(images)
        for cell in self.cells:
            older, newer = newer, cell(older, newer)"""
_FARTHER_BACK = """        outputs = [self.stem(images)]
        for cell, back in zip(self.cells, self.older_is_back):
            outputs.append(cell(outputs[-back], outputs[-1]))
        newer = outputs[-1]"""
_ONE_BY_ONE = """        newer = self.stem(images)
        for cell in self.cells:
            newer = cell(newer)
        newer = self.bn(newer)"""
_LOADING = '''
def build(weights: str | Path | None = WEIGHTS) -> Network:
    """The network with the weights of a file, ready to use; None leaves new weights to train."""
    network = Network()
    if weights is not None:
        network.load_state_dict(read_safetensors(weights))
    return network.eval()


def read_safetensors(file: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file: 8 bytes say how long the JSON header is that says where each one lies."""
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}
    content = bytearray(Path(file).read_bytes())
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, stop = entry["data_offsets"]
            kind = types[entry["dtype"]]
            flat = torch.frombuffer(content, dtype=kind, count=(stop - start) // kind.itemsize, offset=begin + start)
            tensors[name] = flat.reshape(entry["shape"])
    return tensors


def normalised(pixels: Tensor) -> Tensor:
    """Bytes (B, H, W, C) as images (B, C, H, W), by MEAN and STD."""
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    return ((pixels / 255.0 - mean) / std).permute(0, 3, 1, 2).contiguous()


def image_of(picture: str | Path) -> Tensor:
    """A picture file as an image (1, C, H, W): upright, its middle square, scaled as in training. Needs Pillow."""
    from PIL import Image, ImageOps

    with Image.open(picture) as opened:
        upright = ImageOps.exif_transpose(opened)
    if upright.mode.startswith("I"):  # 16 bits
        upright = upright.point(lambda value: value * (1 / 256)).convert("L")
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, (255, 255, 255, 255)), upright)
    square = ImageOps.fit(upright.convert("RGB"), (IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)
    pixels = torch.frombuffer(bytearray(square.tobytes()), dtype=torch.uint8).reshape(1, IMAGE_SIZE, IMAGE_SIZE, 3)
    return normalised(pixels if CHANNELS == 3 else pixels.float().mean(3, keepdim=True))


def seen_in(logits: Tensor, most: int = 5) -> str:
    """The likeliest classes of one image, with their probabilities."""
    best = logits.softmax(0).topk(min(most, CLASSES))
    names = [NAMES[index] if NAMES else f"class {index}" for index in best.indices.tolist()]
    safe = [name if name.isprintable() else ascii(name) for name in names]  # for a terminal
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in zip(safe, best.values.tolist()))


def main() -> None:
    """Classify the pictures that are named; where none is, an image of noise."""
    network, pictures = build(), sys.argv[1:]
    noise = torch.randint(0, 256, (1, IMAGE_SIZE, IMAGE_SIZE, CHANNELS), generator=torch.Generator())
    with torch.inference_mode():
        for picture in pictures:
            print(f"{picture}: {seen_in(network(image_of(picture))[0])}")
        if not pictures:
            print(f"{sum(parameter.numel() for parameter in network.parameters()):,} parameters")
            print(f"an image of noise: {seen_in(network(normalised(noise))[0])}")


if __name__ == "__main__":
    main()
'''


def python_file(subject: Subject) -> str:
    """The whole file."""
    skeleton, cells = subject.skeleton, subject.cells
    single = skeleton.layout == "nasbench201"
    classes = (
        [single_input_cell_text(cells["normal"])]
        if single
        else [cell_text(*item) for item in cells.items()]
    )
    ops = _ops(cells)
    parts = [*classes, _network(subject)]
    parts += [op_text(name, skeleton.op_semantics) for name in ops if has_text(name)]
    last = [RESIDUAL] * single + [layers_text(skeleton, _layers(cells, skeleton)), _LOADING]

    own = [name for name in ops if not has_text(name)]
    taken = _names_in("\n".join((_top(subject), *parts, *last)))
    copied = copied_ops(own, skeleton, taken)
    whole = (_top(subject, copied.imports), *parts, *copied.texts, *last)
    return "\n\n\n".join(part.strip("\n") for part in whole) + "\n"


def _names_in(text: str) -> set[str]:
    """What a file calls its own."""
    body = ast.parse(text).body
    names = {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return names | {
        node.id
        for part in body
        for node in ast.walk(part)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def names_in_file(subject: Subject) -> dict[str, str]:
    """What the written network calls each weight of ours."""
    return {name: _renamed(name, subject) for name in subject.network.state_dict()}


def _renamed(name: str, subject: Subject) -> str:
    if name.startswith("head.linear."):
        return name.replace("head.linear.", "classifier.", 1)
    head, index, *rest = name.split(".", 2)
    if head != "cells" or not rest:
        return name
    role = stack(subject.skeleton)[int(index)].role
    if role not in subject.cells:
        return name
    for ours, written in weight_names(subject.cells[role]).items():
        if rest[0].startswith(ours):
            return f"cells.{index}.{written}{rest[0].removeprefix(ours)}"
    return name


def _top(subject: Subject, imports: Iterable[str] = ()) -> str:
    skeleton = subject.skeleton
    mean = subject.mean or (0.0,) * skeleton.channels
    std = subject.std or (1.0,) * skeleton.channels
    facts = [
        (
            f"MEAN, STD = {_floats(mean)}, {_floats(std)}  # of the pixels the network was trained "
            "on, in 0..1"
        )
    ]
    if not subject.mean:
        facts = [
            (
                f"MEAN, STD = {_floats(mean)}, {_floats(std)}  # nothing is known of the pixels: "
                "bytes become 0..1"
            )
        ]
    facts.append(_names_line([_literal(name) for name in subject.classes]))
    return _TOP.format(
        title=plain(subject.title),
        channels=skeleton.channels,
        size=skeleton.image_size,
        classes=skeleton.classes,
        normalised="pixels in 0..1" if subject.pixels_unknown else "normalised by MEAN and STD",
        facts="\n".join(facts),
        imports="".join(f"{line}\n" for line in imports if line not in _IMPORTED),
    )


def _names_line(names: Sequence[str]) -> str:
    if not names:
        return "NAMES: tuple[str, ...] = ()  # of the classes, where they have any"
    line = f"NAMES: tuple[str, ...] = ({', '.join(names)},)"
    if len(line) <= 120:
        return line
    return "\n".join(["NAMES: tuple[str, ...] = (", *(f"    {name}," for name in names), ")"])


def _literal(text: str) -> str:
    """A text as a literal of Python in double quotes, whatever it holds."""
    inside = repr(text + '"')[1:-2]  # with a double quote in it, repr takes single ones
    return '"' + inside.replace("\\'", "'").replace('"', '\\"') + '"'


def plain(text: str) -> str:
    """A text without anything that could end a string, a line or a comment."""
    return re.sub(r"[^A-Za-z0-9 .@+()-]", "_", text)[:100]


def _floats(values: tuple[float, ...]) -> str:
    return f"({', '.join(repr(float(value)) for value in values)}{',' if len(values) == 1 else ''})"


def _network(subject: Subject) -> str:
    skeleton, network = subject.skeleton, subject.network
    relu = "F.relu(newer)" if skeleton.relu_before_pool else "newer"
    features = network.head.channels
    if not isinstance(network, Network):
        cells, head = _single_cells(skeleton), f"        self.bn = batch_norm({features})\n"
        sentence, forward = (
            "Three stages of cells; a residual block between two stages halves the map.",
            _ONE_BY_ONE,
        )
    else:
        cells, head, forward = _cells(network), *_wiring(skeleton)
        sentence = (
            "Stem, cells, classifier. A cell's arguments: channels of its older and newer "
            "input, its filters."
        )
    return _NETWORK.format(
        sentence=sentence,
        stem=_stem(skeleton),
        cells="\n".join(f"                {line}" for line in _grouped(cells)),
        head=head,
        features=features,
        forward=forward,
        relu=relu,
    )


def _stem(skeleton: Skeleton) -> str:
    width = skeleton.stem_width
    if skeleton.layout != "imagenet":
        return f"conv_bn(CHANNELS, {width}, 3)"
    conv = f"nn.Conv2d(CHANNELS, {width}, 3, stride=2, bias=False)"
    return f"nn.Sequential(OrderedDict(conv={conv}, bn=batch_norm({width})))"


def _cells(network: Network) -> Iterator[str]:
    """A call for each cell."""
    widths = [network.skeleton.stem_width]
    for place, cell in zip(network.places, network.cells, strict=True):
        assert isinstance(cell, CellModule)
        older = "None" if place.back is None else str(widths[-place.back])
        larger = isinstance(cell.fit, Rectified) and isinstance(
            cell.fit.get_submodule("first"), FactorizedReduction
        )
        extra = ", larger=True" if larger else ""
        yield f"{place.role.capitalize()}Cell({older}, {widths[-1]}, {place.filters}{extra})"
        widths.append(cell.out_channels)


def _single_cells(skeleton: Skeleton) -> Iterator[str]:
    before = skeleton.stem_width
    for place in stack(skeleton):
        reduces = place.role == "reduction"
        yield (
            f"ResidualReduction({before}, {place.filters})"
            if reduces
            else f"NormalCell({place.filters})"
        )
        before = place.filters


def _grouped(cells: Iterator[str]) -> Iterator[str]:
    for cell, same in groupby(cells):
        count = len(list(same))
        if count > 2:
            yield f"*({cell} for _ in range({count})),"
        else:
            yield from [f"{cell},"] * count


def _wiring(skeleton: Skeleton) -> tuple[str, str]:
    """What `__init__` and `forward` say about which outputs a cell reads."""
    backs = [place.back or 1 for place in stack(skeleton)]
    if backs == [1] + [2] * (len(backs) - 1):
        return "", _TWO_NEWEST
    line = (
        f"        self.older_is_back = ({', '.join(map(str, backs))})  # outputs from the "
        "newest on\n"
    )
    if len(line) > 120:
        line = (
            "        self.older_is_back = (\n"
            + "".join(f"            {back},\n" for back in backs)
            + "        )\n"
        )
    return line, _FARTHER_BACK


def _ops(cells: dict[str, Cell]) -> list[str]:
    used = {
        edge.op
        for cell in cells.values()
        for k in range(len(cell.nodes))
        for edge in written_edges(cell, k)
    }
    return sorted(
        used, key=lambda name: OP_NAMES.index(name) if name in OP_NAMES else len(OP_NAMES)
    )


def _layers(cells: dict[str, Cell], skeleton: Skeleton) -> set[str]:
    needed = set().union(*(layers_of(name, skeleton.op_semantics) for name in _ops(cells)))
    if skeleton.layout == "nasbench201":
        return needed
    needed |= {"fit", "reduction"}
    if any(aligned_states(cell, role == "reduction") for role, cell in cells.items()):
        needed.add("match")
    return needed
