"""The only doors to randomness: purposes do not disturb each other, and numbers stay what they
were."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.seeding import derive, numpy_rng, torch_rng


def test_seeds_stay_what_they_were() -> None:
    """Changing these changes every study: the figures were written down once."""
    assert derive(0, "trial", 0) == 3251336624411723858
    assert derive(7, "ask", 17) == 6982902130898051133
    assert numpy_rng(0, "ask", 3).integers(1000, size=4).tolist() == [864, 436, 842, 2]


def test_purposes_are_told_apart() -> None:
    seeds = [
        derive(1, "a", 1),
        derive(1, "a", "1"),
        derive(1, "a1"),
        derive(11, "a"),
        derive(1, "a", 1, ""),
        derive(2, "a", 1),
    ]
    assert len(set(seeds)) == len(seeds)


@given(st.integers(), st.lists(st.one_of(st.text(), st.integers()), max_size=4))
def test_seeds_fit_every_generator(seed: int, purpose: list[str | int]) -> None:
    assert 0 <= derive(seed, *purpose) < 2**63


def test_generators_are_their_own() -> None:
    before = torch.get_rng_state()
    assert torch.equal(
        torch.rand(3, generator=torch_rng(1, "x")), torch.rand(3, generator=torch_rng(1, "x"))
    )
    assert not torch.equal(
        torch.rand(3, generator=torch_rng(1, "x")), torch.rand(3, generator=torch_rng(1, "y"))
    )
    assert torch.equal(before, torch.get_rng_state())
    with pytest.raises(AttributeError):
        numpy_rng(1).seed(3)  # type: ignore[attr-defined]
