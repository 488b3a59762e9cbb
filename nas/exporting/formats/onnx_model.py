"""`model.onnx`: the network for ONNX Runtime and everything else that reads ONNX, for any batch
size."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from nas.errors import NasError
from nas.exporting.formats._onnx_runtime import answers_of_onnx
from nas.exporting.program import quiet, traced
from nas.exporting.subject import Subject
from nas.exporting.written import Written

NEEDS = ("onnx", "onnxscript", "onnxruntime")
CARRIES_WEIGHTS = WITHIN_SECONDS = True
_LARGEST_BYTES = 1_900_000_000  # protobuf ends at 2 GiB
_USAGE = """`model.onnx` needs onnxruntime (and numpy, which comes with it), and Pillow to read pictures. It carries
the names of its classes, and the mean and deviation of its pixels:

```python
import json, numpy, onnxruntime
from PIL import Image, ImageOps
session = onnxruntime.InferenceSession("model.onnx")
facts = {{name: json.loads(text) for name, text in session.get_modelmeta().custom_metadata_map.items()}}
upright = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGBA")
opaque = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
square = ImageOps.fit(opaque, ({size}, {size}), Image.Resampling.BILINEAR)
pixels = numpy.asarray(square, numpy.float32){grey} / 255
image = (pixels - facts["mean"]) / facts["std"]
(logits,) = session.run(None, {{"images": image.transpose(2, 0, 1)[None].astype(numpy.float32)}})
likeliest = int(logits[0].argmax())
print(facts["classes"][likeliest] if facts["classes"] else likeliest)
```"""


def onnx_model(subject: Subject, folder: Path) -> Written:
    """Write the network as ONNX."""
    _refuse_huge(subject)
    file = folder / "model.onnx"
    _save(_with_facts(_translated(subject), subject), file)
    channels, size, _ = subject.shape
    usage = _USAGE.format(size=size, grey=".mean(2, keepdims=True)" if channels == 1 else "")
    return Written((file,), usage, partial(answers_of_onnx, file))


def _refuse_huge(subject: Subject) -> None:
    size = sum(
        value.numel() * value.element_size() for value in subject.network.state_dict().values()
    )
    if size > _LARGEST_BYTES:
        raise NasError(
            f"the weights take {size:,} bytes, but one ONNX file holds about {_LARGEST_BYTES:,}; "
            "leave onnx out of --to"
        )


def _translated(subject: Subject) -> Any:
    """The network as an ONNX model whose one free dimension is called `batch`."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as problem:
        raise NasError(
            f"onnx needs the package {problem.name}: pip install 'nas-toolkit[onnx]', or leave "
            "onnx out of --to"
        ) from problem
    program = traced(subject.network, subject.shape)
    images = torch.zeros(2, *subject.shape)
    with quiet():
        translated = torch.onnx.export(
            program,
            (images,),
            dynamo=True,
            input_names=["images"],
            output_names=["logits"],
            verbose=False,
        )
    assert translated is not None
    model = translated.model_proto
    for values in (model.graph.input, model.graph.output, model.graph.value_info):
        _name_batch(values)
    _keep_zero_padding(model.graph)
    return model


def _with_facts(model: Any, subject: Subject) -> Any:
    """The model with what it takes to go from a picture to the name of a class, as JSON."""
    import onnx

    channels = subject.skeleton.channels
    facts = {
        "classes": list(subject.classes),
        "mean": list(subject.mean or (0.0,) * channels),
        "std": list(subject.std or (1.0,) * channels),
    }
    onnx.helper.set_model_props(model, {name: json.dumps(value) for name, value in facts.items()})
    return model


def _name_batch(values: Iterable[Any]) -> None:
    for value in values:
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_param = "batch"


def _keep_zero_padding(graph: Any) -> None:
    """Put a maximum of one tensor, which changes nothing, between a padding with zeros and a max
    pool.

    ONNX Runtime would make one node of the two, whose padding is minus infinity: other numbers
    where all are negative.
    """
    import onnx

    padded = {node.output[0] for node in graph.node if node.op_type == "Pad"}
    nodes = []
    for node in list(graph.node):
        if node.op_type == "MaxPool" and node.input[0] in padded:
            between = onnx.helper.make_node("Max", [node.input[0]], [f"{node.output[0]}_padded"])
            nodes.append(between)
            node.input[0] = between.output[0]
        nodes.append(node)
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _save(model: Any, file: Path) -> None:
    import onnx

    onnx.checker.check_model(model)
    onnx.save(model, str(file))
