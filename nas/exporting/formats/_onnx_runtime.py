"""ONNX files in ONNX Runtime: what they answer, and how long they take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.errors import NasError


def session_of(file: Path, device: str = "cpu") -> Any:
    """A session on the CPU with torch's number of threads, or on CUDA where this ONNX Runtime has
    it."""
    runtime = _runtime()
    provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}.get(
        device.partition(":")[0], ""
    )
    if provider not in runtime.get_available_providers():
        raise NasError(
            f"this ONNX Runtime cannot use device {device!r}; install onnxruntime-gpu, or say "
            "--device cpu"
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(str(file), options, providers=[provider])


def answers_of_onnx(file: Path, batches: Sequence[Tensor]) -> list[Tensor]:
    """What ONNX Runtime makes of each batch."""
    session = session_of(file)
    return [torch.from_numpy(session.run(None, {"images": batch.numpy()})[0]) for batch in batches]


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as problem:
        raise NasError(
            "ONNX Runtime is not installed: pip install 'nas-toolkit[onnx]', or leave onnx out of "
            "--to"
        ) from problem
    return onnxruntime
