"""Pack the logs of a comparison's finished seeds, so that another machine goes on from there and a
reader can check them.

    python results/published/logs.py STUDIES logs.tar.gz

Of each study what it concluded from: its settings, its log and its winner's genotype; no weights.
The same studies give the same bytes.
"""

from __future__ import annotations

import gzip
import sys
import tarfile
from pathlib import Path

from nas.search.comparing.plan import read_comparison
from nas.search.comparing.studies import pairs_of

KEPT = ("study.json", "events.jsonl", "best/genotype.json")
TOP = ("compare.json", "machines.json")


def main() -> None:
    studies, target = Path(sys.argv[1]), Path(sys.argv[2])
    known = read_comparison(studies)
    assert known is not None, studies
    files = [studies / name for name in TOP]
    ended = 0
    for seed in known["seeds"]:
        folders = [place for _, each, place in pairs_of(studies) if each == seed]
        if known["confirm"] is not None:
            folders += [folder / "confirm" for folder in folders]
        if all(_done(folder) for folder in folders):
            files += [folder / name for folder in folders for name in KEPT]
            ended += 1
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
    print(f"{ended} seeds of {len(known['arms'])} arms: {target}")


def _done(folder: Path) -> bool:
    """Whether a search, or the confirmation of its best, came to its end."""
    left = (folder / "best" / "genotype.json").is_file()
    return left and '"event":"finished"' in (folder / "events.jsonl").read_text()


if __name__ == "__main__":
    main()
