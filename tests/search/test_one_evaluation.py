"""One genotype judged by any evaluator, without a search."""

from __future__ import annotations

import json
from pathlib import Path

from parts.command_line import nas


def test_a_genotype_is_judged_as_a_trial_would_be(tmp_path: Path) -> None:
    drawn = nas("sample", "nasbench201", "--seed", "3").out
    (tmp_path / "g.json").write_text(drawn)
    words = ("evaluate", tmp_path / "g.json", "--evaluator", "landscape", "--seed", "5")
    found = nas(*words, "--json").json
    assert found.keys() == {"key", "score", "metrics", "seconds"}
    assert abs(found["score"] - found["metrics"]["true_score"]) < 0.2
    answer = nas(*words, "--set", "evaluator.epochs=2")
    assert answer.out.startswith(f"score {found['score']:.6g} (")
    assert answer.err.startswith("step 1: score ")


def test_a_genotype_that_an_evaluator_cannot_judge_is_refused_in_a_short_sentence() -> None:
    assert nas("evaluate", "nasnet-a", "--evaluator", "landscape").sentence == (
        "landscape cannot judge this genotype: the normal cell puts out states 0, 2, 3, 4, 5, 6, "
        "not just its loose ends, as every cell that space 'nasnet' draws"
    )


def test_the_space_a_file_names_is_no_code_to_run(tmp_path: Path) -> None:
    drawn = {**json.loads(nas("sample", "nasbench201").out), "space": "stranger:Space"}
    (tmp_path / "g.json").write_text(json.dumps(drawn))
    sentence = nas("evaluate", tmp_path / "g.json", "--evaluator", "landscape").sentence
    assert "stranger:Space" in sentence
