"""Networks designed by hand, found by file: every public function here is a network, `resnet_18` is
`resnet-18`.

Each comes in two forms: `cifar` for small images, `imagenet` as its paper describes it. They share
nothing but how their weights are drawn, so that each file can be read alone beside its paper.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from search_spaces.errors import NetworkError, known_names, shortened

if TYPE_CHECKING:
    import torch
    from torch import nn

Form = Literal["cifar", "imagenet"]

# Up to the size of Tiny ImageNet, an ImageNet stem would leave a map of 2x2.
_LARGEST_CIFAR = 64


def names() -> list[str]:
    """The names of all networks, in order, read from the files without importing them."""
    return sorted(_files())


def build(
    name: str,
    *,
    classes: int,
    image_size: int | None = None,
    form: Form | None = None,
    channels: int = 3,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
    **options: bool,
) -> nn.Module:
    """A fresh network for square images, its weights drawn from the generator alone.

    Args:
        image_size: left out, 32 in the CIFAR form and 224 in the ImageNet form.
        form: left out, images up to 64 pixels get the CIFAR form and larger ones the ImageNet form.
        generator: left out, a new one with seed 0. Weights are drawn where it lives, then moved to
            `device`.
        device: `meta` gives a network without weights, for counting.
        options: what the network's function takes beyond these, as `bias=True` for resnet-50.
    """
    file = _file(name)
    _check_number("classes", classes)
    _check_number("channels", channels)
    size = image_size if image_size is not None else (224 if form == "imagenet" else 32)
    _check_number("image_size", size)
    chosen: Form = form if form is not None else ("cifar" if size <= _LARGEST_CIFAR else "imagenet")
    module = importlib.import_module(f"{__name__}.{file}")
    _check_form(name, chosen, size, module.SMALLEST)
    design = getattr(module, _spelled(name).replace("-", "_"))
    _check_options(name, design, options)
    return _with_weights(lambda: design(chosen, channels, classes, **options), generator, device)


def _spelled(name: object) -> str:
    return str(name).lower().replace("_", "-")


def _file(name: str) -> str:
    if _spelled(name) not in _files():
        raise NetworkError(known_names(name, _files(), "reference network"))
    return _files()[_spelled(name)]


@cache
def _files() -> Mapping[str, str]:
    """Which file holds which network; parsed rather than imported, so that listing them needs no
    torch."""
    paths = (path for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    return {name: path.stem for path in paths for name in _public_functions(path)}


def _public_functions(path: Path) -> list[str]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    functions = (statement.name for statement in body if isinstance(statement, ast.FunctionDef))
    return [name.replace("_", "-") for name in functions if not name.startswith("_")]


def _check_number(what: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1_000_000:
        raise NetworkError(
            f"{what} is {shortened(value)}; expected a whole number from 1 to 1000000"
        )


def _check_form(name: str, form: object, image_size: int, smallest: Mapping[Form, int]) -> None:
    if form not in get_args(Form):
        raise NetworkError(known_names(form, get_args(Form), "form of a reference network"))
    least = smallest["cifar" if form == "cifar" else "imagenet"]
    if image_size < least:
        other = min(smallest.values())
        remedy = "use the cifar form" if other <= image_size else "enlarge the images"
        raise NetworkError(
            f"image_size {image_size} is too small for the {form} form of {name}: expected "
            f"{least} or more; {remedy}"
        )


def _check_options(name: str, design: Callable[..., object], options: Mapping[str, object]) -> None:
    known = [
        parameter.name
        for parameter in inspect.signature(design).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    for option, value in options.items():
        if option not in known:
            raise NetworkError(known_names(option, known, f"option of {name}"))
        if not isinstance(value, bool):
            raise NetworkError(f"{option} of {name} is {shortened(value)}; expected true or false")


def _with_weights(
    design: Callable[[], nn.Module], generator: torch.Generator | None, device: torch.device | str
) -> nn.Module:
    import torch

    from search_spaces.references._weights import draw_weights

    # A layer made anywhere else draws its first weights from the global generator.
    with torch.device("meta"):
        network = design()
    if torch.device(device).type == "meta":
        return network
    drawn_from = generator if generator is not None else torch.Generator().manual_seed(0)
    network.to_empty(device=drawn_from.device)
    draw_weights(network, drawn_from)
    return network.to(device)
