"""A network as an ONNX file that was held to its word, for whoever measures it elsewhere."""

from __future__ import annotations

from pathlib import Path

from nas.exporting.formats.onnx_model import onnx_model
from nas.exporting.subject import Subject, fresh_network
from nas.exporting.verification import verified
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.skeleton import Skeleton

_BATCHES = (1, 2)


def verified_onnx(genotype: Genotype, skeleton: Skeleton, folder: Path) -> Path:
    """Write the network of a genotype, with random weights, which change no latency."""
    network = fresh_network(genotype, skeleton)
    subject = Subject(title=genotype.key, genotype=genotype, skeleton=skeleton, network=network)
    written = onnx_model(subject, folder)
    verified(subject, {"onnx": written}, _BATCHES)
    return written.files[0]
