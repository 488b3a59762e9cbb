"""What every space promises."""

from __future__ import annotations

import inspect
import json
import math
import pickle
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from nas.seeding import numpy_rng
from nas.testing.promises import Promise, keep_all, maker_of
from search_spaces.cells import Setting
from search_spaces.cells.decided_settings import DecidedSettings
from search_spaces.cells.genotype import Cell, Genotype, Node
from search_spaces.cells.skeleton import Skeleton
from search_spaces.cells.space import SearchSpace
from search_spaces.errors import NasError, SpaceError

Make = Callable[[], SearchSpace]
_DRAWS = 40


def check_space(part: Any, **options: Any) -> None:
    """Try every promise of a space.

    Args:
        part: its class, or its name as on the command line.
        options: what its constructor is given.
    """
    keep_all(SPACE_PROMISES, maker_of("space", part, **options))


def says_what_it_is(make: Make) -> None:
    """It has a name, a docstring, and only options by keyword, with defaults that JSON can hold."""
    space = make()
    assert space.name
    assert space.name.isprintable()
    assert type(space).__doc__, "its class has no docstring"
    for option in inspect.signature(type(space)).parameters.values():
        assert option.kind is option.KEYWORD_ONLY, f"option {option.name} stands before the *"
        if option.default is not option.empty:
            json.dumps(option.default)


def names_its_decisions(make: Make) -> None:
    """Decisions have different names and different options, whole numbers or words, that stay."""
    space = make()
    names = [decision.name for decision in space.decisions]
    assert len(set(names)) == len(names), f"a decision has the name of another: {names}"
    for decision in space.decisions:
        assert decision.options, f"{decision.name} leaves no choice"
        assert len(set(decision.options)) == len(decision.options), decision
        assert all(type(option) in (int, str) for option in decision.options), decision
    assert space.counts == tuple(len(decision.options) for decision in space.decisions)
    assert space.size == math.prod(space.counts)
    assert space.decisions is space.decisions, "they are made anew each time: keep them"


def encodes_what_it_decodes(make: Make) -> None:
    """Choices become a genotype of this space, and that becomes the same choices, through JSON
    too."""
    space, rng = make(), numpy_rng(0, "testing", "encode")
    for _ in range(_DRAWS):
        choices = tuple(int(rng.integers(count)) for count in space.counts)
        genotype = space.decode(choices)
        assert genotype.space == space.name, f"its genotypes are of space {genotype.space!r}"
        assert space.encode(genotype) == choices, f"{choices} came back otherwise"
        assert space.decode(list(np.array(choices))) == genotype, "numbers of numpy are choices too"
        read = Genotype.from_json(genotype.to_json())
        assert read == genotype
        assert space.encode(read) == choices
        assert read.key == genotype.key


def mutates_one_decision(make: Make) -> None:
    """A mutant differs in exactly one decision."""
    space, rng = make(), numpy_rng(0, "testing", "mutate")
    for _ in range(_DRAWS):
        genotype = space.sample(rng)
        pairs = zip(space.encode(genotype), space.encode(space.mutate(genotype, rng)), strict=True)
        assert sum(one != two for one, two in pairs) == 1


def samples_uniformly(make: Make) -> None:
    """Each option of a decision is drawn as often as the others."""
    space, rng = make(), numpy_rng(0, "testing", "sample")
    draws = np.array([space.encode(space.sample(rng)) for _ in range(2_000)])
    for column, count in zip(draws.T, space.counts, strict=True):
        shares = np.bincount(column, minlength=count) / len(draws)
        assert np.abs(shares - 1 / count).max() < 5 * math.sqrt(0.25 / len(draws)), shares


def mutates_uniformly(make: Make) -> None:
    """Each decision that leaves a choice is changed as often as the others."""
    space, rng = make(), numpy_rng(0, "testing", "mutations")
    genotype = space.sample(rng)
    before = space.encode(genotype)
    changed: Counter[int] = Counter()
    for _ in range(1_000):
        after = space.encode(space.mutate(genotype, rng))
        changed.update(place for place, choice in enumerate(after) if choice != before[place])
    places = [place for place, count in enumerate(space.counts) if count > 1]
    assert set(changed) <= set(places)
    for place in places:
        share = changed[place] / 1_000
        assert abs(share - 1 / len(places)) < 5 * math.sqrt(0.25 / 1_000), changed


def draws_by_the_generator(make: Make) -> None:
    """The same generator draws the same, and the same mutant."""
    space = make()
    one, two = (space.sample(np.random.default_rng(7)) for _ in range(2))
    assert one == two
    mutants = [space.mutate(one, np.random.default_rng(3)) for _ in range(2)]
    assert mutants[0] == mutants[1]


def travels_to_workers(make: Make) -> None:
    """It can be pickled, and is the same elsewhere."""
    space = make()
    copy = pickle.loads(pickle.dumps(space))
    assert copy.fingerprint == space.fingerprint
    assert copy.sample(np.random.default_rng(0)) == space.sample(np.random.default_rng(0))


def has_one_fingerprint(make: Make) -> None:
    """Made again from its options, it is the same space."""
    assert make().fingerprint == make().fingerprint


def refuses_wrong_choices(make: Make) -> None:
    """Choices of the wrong number, range or type are refused in one sentence."""
    space = make()
    zeros: list[Any] = [0] * len(space.counts)
    for wrong in ([*zeros, 0], [], [-1, *zeros[1:]], [space.counts[0], *zeros[1:]]):
        _refused(space.decode, wrong)
    for strange in (10**30, 0.5, "0", None):
        _refused(space.decode, [strange, *zeros[1:]])


def refuses_strangers(make: Make) -> None:
    """What is no member is refused in one sentence: other spaces' genotypes, and damaged ones."""
    space = make()
    genotype = space.sample(np.random.default_rng(1))
    foreign = replace(genotype, space=f"not-{space.name}")
    for stranger in (foreign, Genotype(space.name), *_damaged(genotype)):
        _refused(space.encode, stranger)
    rng = np.random.default_rng(0)
    _refused(lambda stranger: space.mutate(stranger, rng), foreign)


def builds_networks(make: Make) -> None:
    """A genotype with cells becomes a network; one with bare choices says why not."""
    space = make()
    genotype = space.sample(np.random.default_rng(0))
    single = {cell.inputs for cell in genotype.cells.values()} == {1}
    layout = "nasbench201" if single else "cifar"
    skeleton = Skeleton(layout=layout, cells_per_stage=1, filters=4, image_size=8, classes=3)
    if genotype.choices is not None:
        _refused(lambda stranger: space.build(stranger, skeleton), genotype, NasError)
        return
    network = space.build(genotype, skeleton, torch.Generator().manual_seed(0)).eval()
    assert network(torch.zeros(2, skeleton.channels, 8, 8)).shape == (2, 3)


def decides_settings_too(make: Make) -> None:
    """With settings of the skeleton and recipe to decide besides, it is a space like any other."""
    space = make()
    genotype = space.sample(np.random.default_rng(0))
    if genotype.choices is not None or genotype.settings:
        return
    for promise in (encodes_what_it_decodes, mutates_one_decision, refuses_strangers):
        promise(lambda: DecidedSettings(space=make(), settings=_SETTINGS))
    wider = DecidedSettings(space=space, settings=_SETTINGS)
    assert wider.fingerprint != space.fingerprint
    chosen = {name: values[0] for name, values in _SETTINGS.items()}
    choices = wider.encode(replace(genotype, settings=chosen))
    assert choices == (*space.encode(genotype), 0, 0), choices


_SETTINGS: dict[str, list[Setting]] = {
    "skeleton.filters": [4, 8],
    "recipe.learning_rate": [0.01, 0.05],
}


def _refused(
    action: Callable[[Any], object], value: object, error: type[NasError] = SpaceError
) -> None:
    said = ""
    try:
        action(value)
    except error as refusal:
        said = str(refusal)
    assert said, f"{value!r:.200} was not refused with {error.__name__}"
    assert "\n" not in said, f"more than one sentence: {said}"


def _damaged(genotype: Genotype) -> list[Genotype]:
    """A member with something taken away or put in, until it is none."""
    space = genotype.space
    if genotype.choices is not None:
        return [Genotype(space, {}, dict(list(genotype.choices.items())[1:]))]
    role, cell = next(iter(genotype.cells.items()))
    nodes, outputs, inputs = cell.nodes, cell.outputs, cell.inputs
    cells = [
        Cell(nodes[:-1], outputs, inputs),
        Cell((*nodes[:-1], Node(nodes[-1].edges[:-1])), outputs, inputs),
        Cell(nodes, (0,), inputs),
        Cell(nodes, outputs, 3 - inputs),
        Cell((Node(nodes[0].edges * 3), *nodes[1:]), outputs, inputs),
    ]
    damaged = [{**genotype.cells, role: each} for each in cells]
    settings = {**genotype.settings, "skeleton.stem_filters": 7}
    return [
        *(replace(genotype, cells=each) for each in (*damaged, {**genotype.cells, "middle": cell})),
        Genotype(space, {}, {"a": 1}),
        replace(genotype, settings=settings),
    ]


SPACE_PROMISES: tuple[Promise, ...] = (
    says_what_it_is,
    names_its_decisions,
    encodes_what_it_decodes,
    mutates_one_decision,
    samples_uniformly,
    mutates_uniformly,
    draws_by_the_generator,
    travels_to_workers,
    has_one_fingerprint,
    refuses_wrong_choices,
    refuses_strangers,
    builds_networks,
    decides_settings_too,
)
