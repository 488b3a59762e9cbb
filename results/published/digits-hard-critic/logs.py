"""Pack the logs of a comparison's finished seeds, so that another machine goes on from there and a
reader can check them.

    python results/published/digits-hard-critic/logs.py STUDIES logs.tar.gz

Of each study what it concluded from: its settings, its log and its winner's genotype; no weights.
The same studies give the same bytes.
"""

from __future__ import annotations

import gzip
import sys
import tarfile
from pathlib import Path

from nas.search.comparing.plan import read_comparison
from nas.search.comparing.standing import standing_of
from nas.search.comparing.studies import pairs_of

KEPT = ("study.json", "events.jsonl", "best/genotype.json")
TOP = ("compare.json", "machines.json")


def main() -> None:
    studies, target = Path(sys.argv[1]), Path(sys.argv[2])
    known = read_comparison(studies)
    assert known is not None, studies
    files = [studies / name for name in TOP]
    for seed in known["seeds"]:
        folders = [place for _, each, place in pairs_of(studies) if each == seed]
        if all(_done(folder) for folder in folders):
            files += [
                path
                for folder in folders
                for place in (folder, folder / "confirm")
                for path in (place / name for name in KEPT)
            ]
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", mtime=0, fileobj=file) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for path in files:
            about = tarfile.TarInfo(str(path.relative_to(studies)))
            about.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(about, content)
    arms = len(known["arms"])
    count = (len(files) - len(TOP)) // (len(KEPT) * 2 * arms)
    standing = standing_of(studies)
    print(f"{count} seeds of {arms} arms, of {standing.done} finished studies: {target}")


def _done(folder: Path) -> bool:
    """Whether the search and the confirmation of its best came to their ends."""
    return all(
        (place / "best" / "genotype.json").is_file()
        and '"event":"finished"' in (place / "events.jsonl").read_text()
        for place in (folder, folder / "confirm")
    )


if __name__ == "__main__":
    main()
