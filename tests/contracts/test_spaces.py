"""What every space promises, over whatever spaces there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas.registry import load, names
from nas.testing.promises import Promise, maker_of
from nas.testing.space_promises import SPACE_PROMISES
from search_spaces.cells.decided_settings import DecidedSettings
from search_spaces.cells.space import SearchSpace
from search_spaces.errors import SpaceError

# Options for spaces that cannot be made without, and variants that must keep every promise too.
OPTIONS: dict[str, dict[str, Any]] = {
    "table": {"decisions": {"d_0": ["a", "b"], "d_1": [1, 2, 3], "d_2": ["only"]}},
    "nasnet small": {"blocks": 2, "ops": ["sep_3x3", "max_3x3", "none"], "combines": ["add"]},
}
NAMES = [*names("space"), "nasnet small"]


WIDTHS = {
    "skeleton.filters": [16, 24, 32],
    "skeleton.skip_reduction_input": [False, True],
    "recipe.learning_rate": [0.01, 0.05],
    "recipe.crop": ["pad", "none"],
}


def space_of(name: str) -> SearchSpace:
    space: SearchSpace = load("space", name.split()[0])(**OPTIONS.get(name, {}))
    return space


@pytest.mark.parametrize("name", ["nasnet", "nasbench201", "darts"])
@pytest.mark.parametrize("promise", SPACE_PROMISES, ids=lambda promise: promise.__name__)
def test_every_space_that_decides_settings_too(promise: Promise, name: str) -> None:
    promise(lambda: DecidedSettings(space=space_of(name), settings=WIDTHS))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("promise", SPACE_PROMISES, ids=lambda promise: promise.__name__)
def test_every_space(promise: Promise, name: str) -> None:
    promise(maker_of("space", name.split()[0], **OPTIONS.get(name, {})))


@pytest.mark.parametrize("name", NAMES)
def test_its_name_is_that_of_its_file_and_its_fingerprint_its_own(name: str) -> None:
    assert space_of(name).name == name.split()[0]
    assert len({space_of(other).fingerprint for other in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_members_of_other_spaces_get_one_sentence(name: str) -> None:
    space, rng = space_of(name), np.random.default_rng(0)
    for other in set(names("space")) - {space.name}:
        stranger = space_of(other).sample(rng)
        for refuse in (space.encode, lambda stranger: space.mutate(stranger, rng)):
            with pytest.raises(SpaceError, match=f"the genotype is of space '{other}'"):
                refuse(stranger)


def test_wrong_choices_are_named() -> None:
    space = space_of("ladder")
    for choices, sentence in (
        ([0, 0, 0, 0], "space 'ladder' has 3 decisions, but 4 choices were given"),
        ([3, 0, 0], "has options 0 to 2, but the choice is 3"),
        ([0.5, 0, 0], "choices are option indices, but these are"),
    ):
        with pytest.raises(SpaceError, match=sentence):
            space.decode(choices)  # type: ignore[arg-type]
