"""`genotype.json`: the drawing itself, which every command takes that takes a genotype; its JSON
Schema ships with the package."""

from __future__ import annotations

from pathlib import Path

from nas.exporting.subject import Subject
from nas.exporting.written import Written
from search_spaces.cells import OP_NAMES
from search_spaces.cells.genotype import Genotype

WITHIN_SECONDS = True
_USAGE = """`genotype.json` is the drawing itself. `nas show genotype.json` draws it, and every command that
takes a genotype takes it; its JSON Schema is `search_spaces/cells/genotype.schema.json` of the package."""
_WITH_OWN = """ It has
operations that the package has not ({ops}): give the file that registers them before the verb, as in
`nas --import my_file.py show genotype.json`."""


def json_genotype(subject: Subject, folder: Path) -> Written:
    """Write the genotype."""
    file = folder / "genotype.json"
    file.write_text(subject.genotype.to_json() + "\n", encoding="utf-8")
    return Written((file,), _USAGE + _own_ops_said(subject.genotype))


def _own_ops_said(genotype: Genotype) -> str:
    """What must be imported first, where operations are the user's own."""
    cells = genotype.cells.values()
    used = {edge.op for cell in cells for node in cell.nodes for edge in node.edges}
    own = sorted(used - set(OP_NAMES))
    return _WITH_OWN.format(ops=", ".join(own)) if own else ""
