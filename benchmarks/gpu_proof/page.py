"""What was proven, as `proof.json` and as a page to read, both written anew with every line."""

from __future__ import annotations

import json
import platform
import re
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu_proof.asked import Line
from nas.search.plan import commit, hardware, versions
from nas.study.store import write_whole

_CARD = "card"  # the section whose first line says where all of this was


class Proof:
    """All lines so far, in the folder of the card that they are about."""

    def __init__(self, out: Path, *, small: bool) -> None:
        self._out = out
        self._small = small
        self._began = time.monotonic()
        self._date = time.strftime("%Y-%m-%d", time.gmtime())
        self._card = platform.machine()
        self._sections: dict[str, list[Line]] = {}

    @property
    def holds(self) -> bool:
        """Whether everything ran and was right."""
        lines = [line for section in self._sections.values() for line in section]
        return bool(lines) and all(
            section and line.get("right", True) and "failed" not in line
            for section in self._sections.values()
            for line in section or [{}]
        )

    @property
    def folder(self) -> Path:
        """Of this card."""
        return self._out / re.sub(r"[^a-z0-9]+", "-", self._card.lower()).strip("-")

    def folder_of(self, section: str) -> Path:
        """Where a section may leave files."""
        return self.folder / section

    def begin(self, section: str) -> None:
        """A section that says nothing is seen to have said nothing."""
        self._sections[section] = []

    def add(self, section: str, line: Line) -> None:
        """Keep a line."""
        if section == _CARD and "card" in line:
            self._card = line["card"]
        self._sections[section].append(line)
        self._write()

    def summary(self) -> str:
        """How it stands, in a line."""
        lines = [line for section in self._sections.values() for line in section]
        right = [line["right"] for line in lines if "right" in line]
        failed = [line["name"] for line in lines if "failed" in line]
        silent = [name for name, found in self._sections.items() if not found]
        said = f"{sum(right)} of {len(right)} checks right"
        said += f"; failed: {', '.join(failed)}" if failed else ""
        said += f"; silent: {', '.join(silent)}" if silent else ""
        return f"{said}; {time.monotonic() - self._began:.0f} s; {self.folder}"

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        facts = {
            "card": self._card,
            "date": self._date,
            "small": self._small,
            "seconds": round(time.monotonic() - self._began, 1),
            "commit": commit(),
            "versions": versions(),
            "cpu": hardware()["cpu"],
        }
        content = {**facts, "sections": self._sections}
        write_whole(self.folder / "proof.json", json.dumps(content, indent=1) + "\n")
        write_whole(self.folder / "README.md", "\n".join(self._page(facts)) + "\n")

    def _page(self, facts: dict[str, Any]) -> list[str]:
        known = {name: value for name, value in facts["versions"].items() if value}
        page = [
            f"# {self._card}",
            "",
            f"Made by `make gpu-proof` on {self._date}, commit {str(facts['commit'])[:12]}; "
            + ", ".join(f"{name} {value}" for name, value in known.items())
            + f"; {facts['cpu']}.",
            f"{self.summary().rpartition(';')[0]}.",
        ]
        if self._small:
            page += ["", "**The smallest size: it shows that all of it runs, and no speed.**"]
        for section, lines in self._sections.items():
            page += ["", f"## {section}", "", *_table(lines)]
        return page


def _table(lines: list[Line]) -> list[str]:
    measured = [line for line in lines if "value" in line]
    checks = [line for line in lines if "right" in line]
    rows: list[str] = []
    if measured:
        rows += ["| | | beside | ratio |", "|---|---:|---:|---:|"]
        for line in measured:
            beside = "" if line["reference"] is None else f"{line['reference']:,.4g}"
            ratio = "" if line["ratio"] is None else f"{line['ratio']:.3g}"
            rows.append(
                f"| {line['name']} | {line['value']:,.4g} {line['unit']} | {beside} | {ratio} |"
            )
    if checks:
        wrong = [line for line in checks if not line["right"]]
        rows += ["", f"{len(checks) - len(wrong)} of {len(checks)} checks are right."]
        for line in wrong:
            most = f"at most {line['most']:.3g}"
            rows.append(f"- wrong: {line['name']} differs by {line['difference']:.3g}, {most}")
    rows += [
        f"- left out: {line['name']}: {line['left_out']}" for line in lines if "left_out" in line
    ]
    rows += [
        f"- **failed**: {line['name']}: {line['failed']}" for line in lines if "failed" in line
    ]
    rows += [
        f"- {name}: {value}" for line in lines for name, value in line.get("facts", {}).items()
    ]
    return rows
