"""What every space promises, over whatever spaces there are; then what each of ours promises
besides."""

from __future__ import annotations

import functools
import inspect
import json
import math
import pickle
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.registry import load, names
from search_spaces.cells.genotype import Cell, Genotype, Node
from search_spaces.cells.network import Skeleton
from search_spaces.cells.space import SearchSpace
from search_spaces.errors import NasError, SpaceError

# Options for spaces that cannot be made without, and variants that must keep every promise too.
OPTIONS: dict[str, dict[str, Any]] = {
    "table": {"decisions": {"d_0": ["a", "b"], "d_1": [1, 2, 3], "d_2": ["only"]}},
    "nasnet small": {"blocks": 2, "ops": ["sep_3x3", "max_3x3", "none"], "combines": ["add"]},
}
NAMES = [*names("space"), "nasnet small"]
pytestmark = pytest.mark.parametrize("name", NAMES)


@functools.cache
def space_of(name: str) -> SearchSpace:
    space: SearchSpace = load("space", name.split()[0])(**OPTIONS.get(name, {}))
    return space


def a_sample(name: str, seed: int) -> Genotype:
    return space_of(name).sample(np.random.default_rng(seed))


def test_its_class_says_what_it_is(name: str) -> None:
    space = space_of(name)
    assert space.name == name.split()[0]
    assert type(space).__doc__
    for parameter in inspect.signature(type(space)).parameters.values():
        assert parameter.kind is parameter.KEYWORD_ONLY
        if parameter.default is not parameter.empty:
            json.dumps(parameter.default)


def test_decisions_are_named_and_their_options_differ(name: str) -> None:
    space = space_of(name)
    assert len({decision.name for decision in space.decisions}) == len(space.decisions)
    for decision in space.decisions:
        assert decision.options
        assert len(set(decision.options)) == len(decision.options)
        assert all(type(option) in (int, str) for option in decision.options)
    assert space.counts == tuple(len(decision.options) for decision in space.decisions)
    assert space.size == math.prod(space.counts)
    assert isinstance(space.size, int)
    assert space.decisions is space.decisions


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_encode_inverts_decode(name: str, data: st.DataObject) -> None:
    space = space_of(name)
    choices = tuple(data.draw(st.integers(0, count - 1)) for count in space.counts)
    genotype = space.decode(choices)
    assert genotype.space == space.name
    assert space.encode(genotype) == choices
    assert space.decode(list(np.array(choices))) == genotype
    read = Genotype.from_json(genotype.to_json())
    assert read == genotype
    assert space.encode(read) == choices
    assert read.key == genotype.key


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_mutation_changes_one_decision(name: str, seed: int) -> None:
    space = space_of(name)
    genotype = a_sample(name, seed)
    mutant = space.mutate(genotype, np.random.default_rng(seed))
    pairs = zip(space.encode(genotype), space.encode(mutant), strict=True)
    assert sum(one != two for one, two in pairs) == 1


def test_samples_are_uniform_over_decisions(name: str) -> None:
    space = space_of(name)
    rng = np.random.default_rng(1)
    draws = np.array([space.encode(space.sample(rng)) for _ in range(2_000)])
    for column, count in zip(draws.T, space.counts, strict=True):
        shares = np.bincount(column, minlength=count) / len(draws)
        assert np.abs(shares - 1 / count).max() < 5 * math.sqrt(0.25 / len(draws))


def test_mutation_is_uniform_over_decisions_and_other_options(name: str) -> None:
    space = space_of(name)
    rng = np.random.default_rng(2)
    genotype = space.sample(rng)
    before = space.encode(genotype)
    changes: Counter[tuple[int, int]] = Counter()
    for _ in range(1_000):
        after = space.encode(space.mutate(genotype, rng))
        changes.update(
            (place, choice) for place, choice in enumerate(after) if choice != before[place]
        )
    open_places = [place for place, count in enumerate(space.counts) if count > 1]
    for place in open_places:
        share = sum(number for (changed, _), number in changes.items() if changed == place) / 1_000
        assert abs(share - 1 / len(open_places)) < 5 * math.sqrt(0.25 / 1_000)
    assert {place for place, _ in changes} <= set(open_places)


def test_the_same_generator_draws_the_same(name: str) -> None:
    space = space_of(name)
    assert a_sample(name, 7) == a_sample(name, 7)
    draws = [space.mutate(a_sample(name, 7), np.random.default_rng(3)) for _ in range(2)]
    assert draws[0] == draws[1]


def test_it_can_be_copied_to_a_worker(name: str) -> None:
    space = space_of(name)
    copy = pickle.loads(pickle.dumps(space))
    assert copy.fingerprint == space.fingerprint
    assert copy.sample(np.random.default_rng(0)) == space.sample(np.random.default_rng(0))


def test_its_fingerprint_is_its_own(name: str) -> None:
    assert len({space_of(other).fingerprint for other in NAMES}) == len(NAMES)
    assert space_of(name).fingerprint == type(space_of(name))(**OPTIONS.get(name, {})).fingerprint


def test_wrong_choices_get_one_sentence(name: str) -> None:
    space = space_of(name)
    zeros = [0] * len(space.counts)
    with pytest.raises(
        SpaceError, match=f"space '{space.name}' has {len(zeros)} decisions, but {len(zeros) + 1}"
    ):
        space.decode([*zeros, 0])
    with pytest.raises(SpaceError, match="but 0 choices were given"):
        space.decode([])
    for wrong in (-1, space.counts[0], 10**30):
        with pytest.raises(
            SpaceError, match=f"has options 0 to {space.counts[0] - 1}, but the choice is {wrong}"
        ):
            space.decode([wrong, *zeros[1:]])
    for strange in (0.5, "0", None):
        with pytest.raises(SpaceError, match="choices are option indices, but these are"):
            space.decode([strange, *zeros[1:]])  # type: ignore[list-item]


def test_members_of_other_spaces_get_one_sentence(name: str) -> None:
    space = space_of(name)
    for other in names("space"):
        if other != space.name:
            with pytest.raises(SpaceError, match=f"the genotype is of space '{other}'"):
                space.encode(a_sample(other, 0))
            with pytest.raises(SpaceError, match=f"the genotype is of space '{other}'"):
                space.mutate(a_sample(other, 0), np.random.default_rng(0))


def test_strange_members_get_one_sentence(name: str) -> None:
    """Pieces taken from a member until it is none: a sentence, never a traceback."""
    space = space_of(name)
    genotype = a_sample(name, 1)
    if genotype.choices is not None:
        damaged = [
            Genotype(space.name, {}, dict(list(genotype.choices.items())[1:])),
            Genotype(space.name, {}),
        ]
    else:
        roles = list(genotype.cells)
        cell = genotype.cells[roles[0]]
        cells = [
            Cell(cell.nodes[:-1], cell.outputs, cell.inputs),
            Cell((*cell.nodes[:-1], Node(cell.nodes[-1].edges[:-1])), cell.outputs, cell.inputs),
            Cell(cell.nodes, (0,), cell.inputs),
            Cell(cell.nodes, cell.outputs, 3 - cell.inputs),
            Cell((Node(cell.nodes[0].edges * 3), *cell.nodes[1:]), cell.outputs, cell.inputs),
        ]
        damaged = [Genotype(space.name, {**genotype.cells, roles[0]: cell}) for cell in cells]
        damaged += [Genotype(space.name, {}), Genotype(space.name, {}, {"a": 1})]
        damaged += [Genotype(space.name, {**genotype.cells, "middle": cell})]
    for stranger in damaged:
        with pytest.raises(SpaceError) as caught:
            space.encode(stranger)
        assert "\n" not in str(caught.value)


def test_members_become_networks_or_a_sentence_says_why_not(name: str) -> None:
    space = space_of(name)
    genotype = a_sample(name, 0)
    layout = "nasbench201" if name == "nasbench201" else "cifar"
    skeleton = Skeleton(layout=layout, cells_per_stage=1, filters=4, image_size=8, classes=3)
    if genotype.choices is not None:
        with pytest.raises(NasError, match="have choices and no cells"):
            space.build(genotype, skeleton)
        return
    network = space.build(genotype, skeleton, torch.Generator().manual_seed(0)).eval()
    assert network(torch.zeros(2, skeleton.channels, 8, 8)).shape == (2, 3)
