"""`genotype.json`: the drawing itself, which every command takes; its JSON Schema ships with the
package."""

from __future__ import annotations

from pathlib import Path

from nas.exporting.subject import Subject
from nas.exporting.written import Written

WITHIN_SECONDS = True
_USAGE = """`genotype.json` is the drawing itself. `nas show genotype.json` draws it, and every command takes it; its
JSON Schema is `search_spaces/cells/genotype.schema.json` of the package."""


def json_genotype(subject: Subject, folder: Path) -> Written:
    """Write the genotype."""
    file = folder / "genotype.json"
    file.write_text(subject.genotype.to_json() + "\n", encoding="utf-8")
    return Written((file,), _USAGE)
