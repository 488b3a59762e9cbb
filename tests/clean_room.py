"""`make release`: wheel and sdist are built, checked, installed and tried where nothing of this
checkout is; JSON lines.

The wheel goes into an empty environment and has to search, check, draw and export there; the sdist
is unpacked and has to pass its own tests, with the packages of the environment this runs in.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOPS = {"nas", "search_spaces", "runners"}
_SEARCH = "nas search --evaluator landscape --strategy evolution --trials 30 --out tiny"
_TRIED = (
    "nas --version",
    "nas list",
    _SEARCH,
    "nas status tiny --check",
    "nas best tiny --top 3",
    "nas show nasnet-a",
    "nas export tiny --to python,json --out exported",
    "nas search --trials 1 --out trained --set recipe.epochs=1",
)


def main() -> None:
    """Build, check, install, try; the first thing that fails ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", nargs="*", default=["tests"], help="which the sdist must pass")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    asked = parser.parse_args()

    python = sys.executable
    done("build", [python, "-m", "build", "--outdir", asked.out, ROOT])
    sdist, wheel = newest(asked.out, "*.tar.gz"), newest(asked.out, "*.whl")
    done("twine check", [python, "-m", "twine", "check", "--strict", sdist, wheel])
    check_wheel(wheel)
    with tempfile.TemporaryDirectory(prefix="nas-clean-room-") as place:
        Path(place).chmod(0o755)  # some tests become nobody, who has to read the source
        try_wheel(wheel, Path(place))
        if asked.tests:
            try_sdist(sdist, Path(place), asked.tests)


def done(what: str, words: list[str | Path], **options: object) -> None:
    """Run a command and say how long it took; what it said, if it failed."""
    began = time.monotonic()
    answer = subprocess.run([*map(str, words)], capture_output=True, text=True, **options)  # type: ignore[call-overload]
    seconds = round(time.monotonic() - began, 1)
    print(
        json.dumps({"step": what, "exit_code": answer.returncode, "seconds": seconds}), flush=True
    )
    if answer.returncode:
        sys.exit(f"{what} failed:\n{answer.stdout[-6_000:]}\n{answer.stderr[-6_000:]}")


def newest(folder: Path, pattern: str) -> Path:
    """The file that was built last."""
    return max(folder.glob(pattern), key=lambda file: file.stat().st_mtime)


def check_wheel(wheel: Path) -> None:
    """Only what is ours lies in it, with types, licences and data."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    strange = {top for top in tops - TOPS if not top.endswith(".dist-info")}
    missing = [f"{top}/py.typed" for top in TOPS if f"{top}/py.typed" not in names]
    missing += [end for end in ("/LICENSE", "/LICENSE-DATA.md") if not has(names, end)]
    print(json.dumps({"step": "wheel", "files": len(names), "bytes": wheel.stat().st_size}))
    if strange or missing:
        sys.exit(f"the wheel holds {sorted(strange)} and lacks {missing}")


def has(names: list[str], end: str) -> bool:
    """Whether a file with this end is among the names."""
    return any(name.endswith(end) for name in names)


def try_wheel(wheel: Path, place: Path) -> None:
    """Install it into an empty environment and use it from an empty folder."""
    room, work = place / "room", place / "work"
    work.mkdir()
    done("empty environment", [sys.executable, "-m", "venv", room])
    pip = [room / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    done("install", [*pip, "install", "-q", "-c", ROOT / "constraints.txt", wheel])
    done("pip check", [*pip, "check"])
    size = sum(file.lstat().st_size for file in room.rglob("*") if file.is_file())
    print(json.dumps({"step": "room", "mib": size >> 20, "packages": len(packages(pip))}))
    environment = {**clean(), "PATH": f"{room / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    for line in _TRIED:
        done(line, ["sh", "-c", line], cwd=work, env=environment)


def packages(pip: list[str | Path]) -> list[dict[str, str]]:
    """What is installed there."""
    words = [*map(str, pip), "list", "--format", "json"]
    found: list[dict[str, str]] = json.loads(subprocess.check_output(words))
    return found


def clean() -> dict[str, str]:
    """The environment without what leads Python to this checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def try_sdist(sdist: Path, place: Path, tests: list[str]) -> None:
    """Unpack it and run its tests there."""
    with tarfile.open(sdist) as tar:
        tar.extractall(place, filter="data")
    folder = place / sdist.name.removesuffix(".tar.gz")
    environment = {**clean(), "PYTHONPATH": str(folder)}
    words = [sys.executable, "-m", "pytest", "-q", "-n", "2", *tests]
    done(f"tests of the sdist: {' '.join(tests)}", words, cwd=folder, env=environment)


if __name__ == "__main__":
    main()
