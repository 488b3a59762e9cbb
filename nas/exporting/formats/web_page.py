"""`model.html`: one page that classifies pictures in any browser, with ONNX Runtime Web inside and
without a server or a network."""

from __future__ import annotations

import base64
import html
import json
import re
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import Tensor

from nas.drawings.svg import cells_svg
from nas.errors import NasError, shortened
from nas.exporting.formats._onnx_runtime import answers_of_onnx
from nas.exporting.formats._page import PAGE
from nas.exporting.formats.onnx_model import onnx_model
from nas.exporting.subject import Subject
from nas.exporting.written import Written

NEEDS = ("onnx", "onnxscript", "onnxruntime")
CARRIES_WEIGHTS = WHEN_NAMED = True
PACKAGE = "onnxruntime-web"
_PARTS = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_USAGE = """`model.html` opens in any browser, from disk as well: drop a picture on it. The network and ONNX Runtime Web {version}
(MIT licence, Microsoft) are inside, and nothing is fetched or sent."""


def web_page(subject: Subject, folder: Path, *, runtime: str | None = None) -> Written:
    """Write the page.

    Args:
        runtime: the folder of the npm package onnxruntime-web; else it is looked for in
            node_modules here.
    """
    script, loader, wasm, version = _runtime(runtime)
    with tempfile.TemporaryDirectory() as place:
        model = onnx_model(subject, Path(place)).files[0].read_bytes()
    channels = subject.skeleton.channels
    facts = {
        "size": subject.skeleton.image_size,
        "channels": channels,
        "classes": list(subject.classes),
        "mean": list(subject.mean or (0.0,) * channels),
        "std": list(subject.std or (1.0,) * channels),
    }
    page = _filled(
        TITLE=html.escape(subject.title),
        DRAWING=cells_svg(subject.genotype),
        ABOUT="" if subject.trained else "Its weights are random: it is untrained.",
        MODEL=_text(model),
        WASM=_text(wasm),
        LOADER=_text(loader),
        RUNTIME=script.decode().replace("</script", r"<\/script"),
        FACTS=json.dumps(facts).replace("<", r"\u003c"),
    )
    file = folder / "model.html"
    file.write_text(page, encoding="utf-8")
    return Written((file,), _USAGE.format(version=version), partial(_answers_of_page, file))


def _filled(**parts: str) -> str:
    """The page with its parts in place; what looks like a place within a part stays as it is."""
    return re.sub(r"@([A-Z]+)@", lambda found: parts[found[1]], PAGE)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _runtime(given: str | None) -> tuple[bytes, bytes, bytes, str]:
    """Script, loader and binary of the npm package, and its version."""
    folder = Path(given).expanduser() if given else Path("node_modules") / PACKAGE
    try:
        version = json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"]
        script, loader, wasm = ((folder / "dist" / name).read_bytes() for name in _PARTS)
    except (OSError, ValueError, KeyError) as problem:
        raise NasError(
            f"{shortened(str(folder))} holds no npm package {PACKAGE} ({problem}): run "
            f"`npm install {PACKAGE}` here, or give its folder with --runtime"
        ) from problem
    return script, loader, wasm, str(version)


def _answers_of_page(file: Path, batches: Sequence[Tensor]) -> list[Tensor]:
    """What the network inside the page answers, in ONNX Runtime."""
    found = re.search(r'id="model">([^<]*)<', file.read_text(encoding="utf-8"))
    assert found is not None
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / "model.onnx"
        model.write_bytes(base64.b64decode(found[1]))
        return answers_of_onnx(model, batches)
