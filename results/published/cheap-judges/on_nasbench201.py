"""What weights shared by NAS-Bench-201 said of 200 of its architectures, beside the published
accuracies and proxies: scores.csv and table.md.

python results/published/cheap-judges/on_nasbench201.py STUDIES TABLE PROXIES FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from nas.reports.rank_agreement import Tau, mean_tau

TRUTH = "c10_test_200"
PUBLISHED = ("params",)
NAMES = {
    "identity": "skip_connect",
    "conv_1x1": "nor_conv_1x1",
    "conv_3x3": "nor_conv_3x3",
    "avg_3x3": "avg_pool_3x3",
    "none": "none",
}
EDGES = (("0>1",), ("0>2", "1>2"), ("0>3", "1>3", "2>3"))


def main() -> None:
    """Join, count, write."""
    studies, table, proxies, folder = map(Path, sys.argv[1:])
    known = pd.read_csv(table).merge(pd.read_csv(proxies), on="index").set_index("arch_str")
    judges = {path.stem: pd.read_csv(path) for path in sorted(studies.glob("shared-*.csv"))}
    said = pd.DataFrame({name: by_text(rows)["score"] for name, rows in judges.items()})
    seconds = {name: rows["cost"].mean() for name, rows in judges.items()}
    names = [*PUBLISHED, *filter(is_proxy, map(str, known))]
    # Proxies were published for one of several rows that are equal but for edges nobody uses.
    known[names] = known[names].fillna(known.groupby("iso_class")[names].transform("first"))
    scores = said.join(known[[*names, TRUTH]])
    assert scores[[*said, TRUTH]].notna().all(axis=None)
    scores = scores.dropna()  # for some nobody published proxies
    folder.mkdir(parents=True, exist_ok=True)
    scores.sort_index().to_csv(folder / "scores.csv", index_label="arch_str", float_format="%.6g")

    true = scores[TRUTH].to_numpy()
    upper = true >= pd.Series(true).median()
    found = []
    for name in (*said, *names):
        each = scores[name].to_numpy()
        all_of_them, better = (mean_tau([(each[m], true[m])]) for m in (true >= 0, upper))
        found.append((all_of_them, better, name.removeprefix("c10_"), seconds.get(name)))
    lines = [
        f"{len(scores)} of {len(said)} architectures, for which all proxies are known.",
        "",
        "| judge | tau | upper half | seconds |",
    ]
    lines.append("|---|---|---|---|")
    for tau, better, name, cost in sorted(found, key=lambda one: -one[0].value):
        took = "" if cost is None else f"{cost:.2g}"
        lines.append(f"| {name} | {words(tau)} | {words(better)} | {took} |")
    (folder / "table.md").write_text("\n".join(lines) + "\n")


def by_text(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows by the text that the table knows an architecture by."""
    nodes = ["|" + rows[list(edges)].apply(_node, axis=1) + "|" for edges in EDGES]
    return rows.set_index(nodes[0] + "+" + nodes[1] + "+" + nodes[2])


def _node(ops: pd.Series[str]) -> str:
    return "|".join(f"{NAMES[op]}~{str(edge)[0]}" for edge, op in ops.items())


def is_proxy(name: str) -> bool:
    """Whether a column is a proxy on CIFAR-10."""
    others = ("val", "test", "train", "time")
    return name.startswith("c10_") and not any(word in name for word in others)


def words(tau: Tau) -> str:
    """Tau and its interval."""
    low, high = ("?" if end is None else f"{end:.2f}" for end in (tau.low, tau.high))
    return f"{tau.value:.2f} ({low} to {high})"


if __name__ == "__main__":
    main()
