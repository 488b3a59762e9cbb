"""Pictures inside a page: the SVG that matplotlib writes, made to follow the page's colours and to
share it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nas.reports.panels import DARK, PAGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', 'DejaVu Sans', Arial, sans-serif"
_SVG = {"Date": None, "Creator": None, "Format": None, "Type": None}


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write a picture as SVG, PNG and PDF, the same bytes every time; returns the SVG."""
    text = svg_of(figure)
    (folder / f"{name}.svg").write_text(text, encoding="utf-8")
    figure.savefig(folder / f"{name}.png", dpi=160, metadata={"Software": None})
    figure.savefig(
        folder / f"{name}.pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None}
    )
    return text


def svg_of(figure: Figure) -> str:
    """A picture as the text of an SVG file."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=_SVG)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def inlined(svg: str, mark: str, alt: str) -> str:
    """An SVG for the inside of a page: no header, names of its own, colours from the page, words
    for the blind."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{mark}-", body)
    body = re.sub(
        r'^<svg [^>]*?viewBox="([^"]*)"[^>]*>', _opening(alt), body, count=1, flags=re.DOTALL
    )
    body = body.replace("'DejaVu Sans'", "var(--font)").replace(
        "sans-serif, var(--font)", "var(--font)"
    )
    for light in DARK:
        body = body.replace(light, f"var(--{variable(light)})")
    return re.sub(r"\n\s*", "\n", body)


def variable(colour: str) -> str:
    """The name under which the page knows a colour."""
    return f"c{colour.lstrip('#')}"


def palette(dark: bool) -> Mapping[str, str]:
    """Every colour of pictures by its name in the page."""
    return {variable(light): (other if dark else light) for light, other in DARK.items()}


def _opening(alt: str) -> str:
    escaped = (
        alt.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("\\", "\\\\")
    )
    return (
        r'<svg xmlns="http://www.w3.org/2000/svg" viewBox="\g<1>" role="img" '
        f'aria-label="{escaped}">'
    )


__all__ = ["FONT", "PAGE", "inlined", "palette", "save", "svg_of", "variable"]
