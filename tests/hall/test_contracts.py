"""The contract classes carry their whole contract, with an example that runs."""

from __future__ import annotations

import doctest
import inspect
import sys
from pathlib import Path

import pytest

from nas.contracts import Evaluator, Runner, Strategy
from nas.training.datasets import Dataset
from search_spaces.cells.space import SearchSpace


@pytest.mark.parametrize("contract", [Strategy, Evaluator, Runner, SearchSpace, Dataset])
def test_the_example_of_a_contract_runs(
    contract: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = inspect.getdoc(contract) or ""
    assert "nas.testing.check_" in text
    names = dict(vars(sys.modules[contract.__module__]))
    example = doctest.DocTestParser().get_doctest(text, names, contract.__name__, None, None)
    assert len(example.examples) > 4
    said: list[str] = []
    runner = doctest.DocTestRunner()
    runner.run(example, out=said.append)
    assert runner.failures == 0, "".join(said)
