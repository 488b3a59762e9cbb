"""`model.onnx`: the network for ONNX Runtime and everything else that reads ONNX, for any batch
size."""

from __future__ import annotations

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
_USAGE = """`model.onnx` needs onnxruntime (and numpy, which comes with it):

```python
import numpy, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
images = numpy.zeros((1, {channels}, {size}, {size}), numpy.float32)       # normalised
(logits,) = session.run(None, {{"images": images}})
```"""


def onnx_model(subject: Subject, folder: Path) -> Written:
    """Write the network as ONNX."""
    _refuse_huge(subject)
    file = folder / "model.onnx"
    _save(_translated(subject), file)
    usage = _USAGE.format(size=subject.skeleton.image_size, channels=subject.skeleton.channels)
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
