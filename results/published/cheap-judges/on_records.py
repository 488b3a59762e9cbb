"""What judges said of the records of CIFAR-10, beside what their trainings came to, as `table.py`
reads it. A judge may have trained with the first seed of the records, so their other two are the
truth.

python results/published/cheap-judges/on_records.py STUDIES RECORDS FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

CUTS = {"a quarter": 0, "half": 1}  # epochs of four


def main() -> None:
    """Write scores.csv."""
    studies, file, folder = map(Path, sys.argv[1:])
    records = pd.read_csv(file).dropna(subset=["score_seed2"]).set_index("key").sort_index()
    table = pd.DataFrame(index=records.index)
    seconds: dict[str, float] = {}
    for said in sorted(studies.glob("*.csv")):
        rows = pd.read_csv(said).set_index("key")
        table[said.stem] = rows["score"]
        seconds[said.stem] = rows["cost"].mean()
    table["a whole training, seed 0"] = records["score_seed0"]
    seconds["a whole training, seed 0"] = records["cost"].mean()
    for words, epoch in CUTS.items():
        reached = records["curve"].str.split().str[epoch].astype(float)
        table[f"a whole training cut at {words}, seed 0"] = reached
    for name, column in (("true-0", "score_seed1"), ("true-1", "score_seed2")):
        table[name] = records[column]
        seconds[name] = records["cost"].mean()
    assert table.notna().all(axis=None), "a judge has not judged every record"
    costs = pd.DataFrame(
        [[f"{seconds.get(str(name), 0):.3g}" for name in table]], columns=table.columns
    )
    costs.index = pd.Index(["seconds"], name="key")
    folder.mkdir(parents=True, exist_ok=True)
    pd.concat([costs, table.map("{:.8g}".format)]).to_csv(folder / "scores.csv")


if __name__ == "__main__":
    main()
