"""What the site has beside the pages of docs/: the reference, made from the code, and pages and
pictures of the repository that lie elsewhere."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HOME = "index.md"  # what the README is on the site

_FENCES = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|mailto:|#)([^)\s]+)\)")


def elsewhere() -> dict[str, str]:
    """Pages of the site that lie outside docs/, by their place in the repository."""
    found = [*ROOT.glob("results/**/README.md"), *ROOT.glob("nas/tables/*.md")]
    places = [file.relative_to(ROOT).as_posix() for file in found]
    return {
        "README.md": HOME,
        **{name: name for name in ("CHANGELOG.md", "CONTRIBUTING.md", *places)},
    }


def notebook(file: Path) -> str:
    """A notebook as a page."""
    texts = []
    for cell in json.loads(file.read_text())["cells"]:
        text = "".join(cell["source"])
        texts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    note = "*This page is `docs/notebook.ipynb`: open that in Jupyter.*"
    return "\n\n".join([texts[0], note, *texts[1:]]) + "\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not in docs/."""
    from mkdocs.structure.files import File

    sys.path.insert(0, str(Path(__file__).parent))
    from reference import reference

    for name, text in reference().items():
        files.append(File.generated(config, name, content=text))
    files.append(File.generated(config, "notebook.md", content=notebook(DOCS / "notebook.ipynb")))
    for place, name in elsewhere().items():
        files.append(File.generated(config, name, content=(ROOT / place).read_text()))
    for picture in sorted(set(_pictures_elsewhere(config))):
        files.append(File.generated(config, picture, abs_src_path=str(ROOT / picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where the site has what they point to; what it has not is named instead."""
    del config, files
    name = page.file.src_uri
    if name.startswith("reference/"):
        return markdown

    def led(found: re.Match[str]) -> str:
        return _led(found, name)

    parts = _FENCES.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(led, part) for part in parts)


def _led(found: re.Match[str], page: str) -> str:
    bang, text, target = found.groups()
    path, _, anchor = target.partition("#")
    place = _place(page, path)
    on_site = _on_site(place)
    if on_site is None:
        assert (ROOT / place).exists(), f"{page} points to {target}, which is not there"
        return text if Path(place).name in text else f"{text} (`{place}`)"
    way = os.path.relpath(on_site, Path(page).parent)
    return f"{bang}[{text}]({way}{'#' + anchor if anchor else ''})"


def _place(page: str, path: str) -> str:
    """Where in the repository a link of a page leads."""
    homes = {name: place for place, name in elsewhere().items()}
    home = Path(homes.get(page, f"docs/{page}")).parent
    return os.path.normpath(home / path)


def _on_site(place: str) -> str | None:
    if place in elsewhere():
        return elsewhere()[place]
    if place.startswith("docs/") and not place.endswith(".ipynb"):
        return place.removeprefix("docs/")
    return place if place.endswith((".svg", ".png")) else None


def _pictures_elsewhere(config: Any) -> Iterator[str]:
    """Every picture outside docs/ that a page shows or leads to."""
    del config
    pages = {file.relative_to(DOCS).as_posix(): file for file in DOCS.glob("*.md")}
    pages |= {name: ROOT / place for place, name in elsewhere().items()}
    for name, file in pages.items():
        for _, _, target in _LINK.findall(file.read_text()):
            place = _place(name, target.partition("#")[0])
            if place.endswith((".svg", ".png")) and not place.startswith("docs/"):
                yield place
