"""`python -m benchmarks [NAME ...]`: run every benchmark (or the named ones) in a fresh process and
print one table.

A benchmark is a file here that prints JSON lines: `{"name", "value", "unit", "reference",
"ratio"}`; `reference` and `ratio` may be null where a figure stands for itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Run and print."""
    known = sorted(
        file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_")
    )
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"one of {', '.join(known)} (default: all but before_after)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    asked = parser.parse_args()
    names = asked.names or [name for name in known if not name.startswith("before")]
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"no benchmark is called {unknown[0]!r}; there are {', '.join(known)}")
    failed = [name for name in names if not _run(name, as_json=asked.json)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _run(name: str, *, as_json: bool) -> bool:
    if not as_json:
        print(f"\n{name}")
    with subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{name}"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line.rstrip() if as_json else _row(line), flush=True)
    return process.returncode == 0


def _row(line: str) -> str:
    try:
        figure: dict[str, Any] = json.loads(line)
    except ValueError:
        return line.rstrip()
    row = f"  {figure['name']:<58} {figure['value']:>12.6g} {figure['unit']}"
    if figure.get("reference") is not None:
        row += f"  (reference {figure['reference']:.6g}, ratio {figure['ratio']:.2f})"
    return row


if __name__ == "__main__":
    main()
