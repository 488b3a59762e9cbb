"""Genotypes: the JSON form, exact round trips, and one sentence for whatever is none."""

from __future__ import annotations

import json
import pickle
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import search_spaces.cells
from search_spaces.cells.genotype import NASNET_OPS, OP_NAMES, Cell, Edge, Genotype, Node
from search_spaces.cells.json_form import MAX_BYTES, MAX_EDGES, MAX_NODES
from search_spaces.errors import GenotypeError

SCHEMA = json.loads(
    (Path(search_spaces.cells.__file__).parent / "genotype.schema.json").read_text(encoding="utf-8")
)

NASNET_A_BEGINNING = (
    '{"schema": 1, "space": "nasnet", "cells": {"normal": {"nodes": [{"edges": [[1, "sep_5x5"], '
    '[0, "sep_3x3"]], '
    '"combine": "add"}], "outputs": [0, 2]}, "reduction": {"nodes": [{"edges": [[1, "sep_5x5"], '
    '[0, "sep_7x7"]], '
    '"combine": "concat"}]}}}'
)
ONE_INPUT = (
    '{"schema": 1, "space": "nasbench201", "cells": {"normal": {"nodes": [{"edges": [[0, '
    '"conv_3x3"]], '
    '"combine": "add"}], "inputs": 1}}}'
)
WITH_SETTINGS = (
    '{"schema": 2, "space": "nasbench201", "cells": {"normal": {"nodes": [{"edges": [[0, '
    '"conv_3x3"]], "combine": "add"}], "inputs": 1}}, "settings": {"skeleton.filters": 24, '
    '"skeleton.auxiliary": true, "recipe.learning_rate": 0.05, "recipe.crop": "pad"}}'
)
CHOICES = '{"schema": 1, "space": "table", "choices": {"d_0": "a", "d_1": 3}}'


def valid_record() -> dict[str, Any]:
    record: dict[str, Any] = json.loads(NASNET_A_BEGINNING)
    return record


def changed(path: list[Any], value: object) -> dict[str, Any]:
    """The valid record with one place replaced."""
    record = valid_record()
    place: Any = record
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return record


def with_settings(settings: object) -> dict[str, Any]:
    return {**valid_record(), "schema": 2, "settings": settings}


def test_settings_are_part_of_what_a_genotype_is() -> None:
    """And a genotype that chose none is written and named as it always was."""
    chosen = {"skeleton.filters": 24, "recipe.learning_rate": 0.01}
    genotype = Genotype.from_dict(with_settings(chosen))
    assert genotype.settings_of("skeleton") == {"filters": 24}
    assert genotype.settings_of("recipe") == {"learning_rate": 0.01}

    others = [
        Genotype.from_dict(valid_record()),
        Genotype.from_dict(with_settings({**chosen, "skeleton.filters": 32})),
        Genotype.from_dict(with_settings({"skeleton.filters": 24})),
    ]
    assert len({each.key for each in (genotype, *others)}) == 4
    assert len({genotype, *others}) == 4
    reordered = Genotype.from_dict(with_settings(dict(reversed(chosen.items()))))
    assert (reordered.key, hash(reordered)) == (genotype.key, hash(genotype))
    assert others[0].key == "46830354e90853391155"
    assert others[0].to_dict()["schema"] == 1


@pytest.mark.parametrize("text", [NASNET_A_BEGINNING, ONE_INPUT, CHOICES, WITH_SETTINGS])
def test_a_round_trip_is_exact(text: str) -> None:
    genotype = Genotype.from_json(text)
    assert genotype.to_json() == text
    assert Genotype.from_dict(genotype.to_dict()) == genotype
    assert Genotype.from_json(text.encode()) == genotype
    jsonschema.validate(genotype.to_dict(), SCHEMA)


def test_the_record_means_what_it_says() -> None:
    cell = Genotype.from_json(NASNET_A_BEGINNING).cells["normal"]
    assert cell == Cell((Node((Edge(1, "sep_5x5"), Edge(0, "sep_3x3")), "add"),), (0, 2))
    assert cell.output_states == (0, 2)
    assert Genotype.from_json(ONE_INPUT).cells["normal"].inputs == 1
    assert Genotype.from_json(CHOICES).choices == {"d_0": "a", "d_1": 3}


def test_output_states_are_loose_ends_where_nothing_else_is_said() -> None:
    cell = Cell(
        (Node((Edge(0, "identity"),)), Node((Edge(2, "identity"),)), Node((Edge(1, "identity"),)))
    )
    assert cell.loose_ends == cell.output_states == (3, 4)
    assert Cell(cell.nodes, (4, 0)).output_states == (0, 4)


def test_equal_genotypes_are_one_in_a_set_and_survive_copies() -> None:
    genotype = Genotype.from_json(NASNET_A_BEGINNING)
    reordered = Genotype(
        genotype.space, {role: genotype.cells[role] for role in ("reduction", "normal")}
    )
    assert len({genotype, reordered, pickle.loads(pickle.dumps(genotype)), deepcopy(genotype)}) == 1
    assert genotype.key == reordered.key
    assert pickle.loads(pickle.dumps(genotype)).key == genotype.key
    assert len({Genotype.from_json(CHOICES), Genotype.from_json(CHOICES)}) == 1


def test_equal_nodes_are_one_object_however_many_genotypes_have_them() -> None:
    one, two = (Genotype.from_json(NASNET_A_BEGINNING).cells["normal"].nodes[0] for _ in range(2))
    assert one is two


def test_the_key_is_kept_out_of_comparison_and_print() -> None:
    one, two = Genotype.from_json(ONE_INPUT), Genotype.from_json(ONE_INPUT)
    assert one.key == one.key
    assert one == two
    assert one.key not in repr(one)


def test_the_ops_are_those_of_the_paper_and_two_more() -> None:
    assert len(NASNET_OPS) == 13
    assert OP_NAMES[:15] == (*NASNET_OPS, "none", "dil_5x5")
    assert all(re.fullmatch(SCHEMA["$defs"]["op"]["pattern"], name) for name in OP_NAMES)


NODES = ["cells", "normal", "nodes"]
EDGES = [*NODES, 0, "edges"]
NODE = {"edges": [[0, "identity"]], "combine": "add"}
BAD_RECORDS: list[tuple[object, str]] = [
    (None, "the genotype is null; expected an object with 'schema', 'space'"),
    ([], "the genotype is a list of 0"),
    ({}, "the genotype has no 'schema'"),
    ({"schema": 1, "cells": {}}, "the genotype has no 'space'"),
    (
        changed(["schema"], 3),
        "schema 3 is newer than 2, the newest this version reads: update the toolkit",
    ),
    ({**changed(["schema"], 3), "colour": 1}, "schema 3 is newer"),
    (changed(["schema"], 10**30), "schema a number of 100 bits is newer than 2"),
    (changed(["schema"], 0), "schema is 0; expected 1, or 2 for a genotype with settings"),
    (changed(["schema"], 2), "has 'settings' exactly if its schema is 2, but its schema is 2"),
    ({**valid_record(), "settings": {"skeleton.filters": 8}}, "but its schema is 1"),
    ({**json.loads(CHOICES), "schema": 2, "settings": {"skeleton.filters": 8}}, "no 'settings'"),
    (with_settings({}), "settings: expected an object of 1 to 100 settings, but it is an object"),
    (with_settings([]), "settings: expected an object of 1 to 100 settings, but it is a list of 0"),
    (with_settings({"filters": 8}), "'filters' is no setting of a genotype; expected one of the"),
    (with_settings({"skeleton.filter": 8}), "no setting of the skeleton is called 'filter'; there"),
    (with_settings({"skeleton.classes": 8}), "skeleton.classes is no decision of a search"),
    (with_settings({"skeleton.filters": None}), "setting skeleton.filters is null; expected a"),
    (with_settings({"skeleton.filters": [8]}), "setting skeleton.filters is a list of 1; expected"),
    (with_settings({"recipe.learning_rate": 1e300}), "setting recipe.learning_rate is 1e[+]300"),
    (with_settings({"recipe.optimizer": ""}), "setting recipe.optimizer is an empty text"),
    (changed(["schema"], True), "schema is true; expected 1"),
    (changed(["schema"], "1"), "schema is '1'; expected 1"),
    (changed(["schema"], 1.0), "schema is 1.0; expected 1"),
    (
        changed(["space"], ""),
        "space is an empty text; expected a printable text of 1 to 200 characters",
    ),
    (changed(["space"], "\ud800"), "space is '\\\\ud800'; expected a printable text"),
    (changed(["space"], "x" * 201), "expected a printable text of 1 to 200 characters"),
    (changed(["space"], 7), "space is 7; expected a printable text"),
    ({"schema": 1, "space": "nasnet"}, "either 'cells' or 'choices'"),
    ({**valid_record(), "choices": {"a": 1}}, "either 'cells' or 'choices'"),
    ({**valid_record(), "cels": {}}, "unknown field 'cels'; there are .*; did you mean 'cells'\\?"),
    (changed(["cells"], {}), "cells has no 'normal'"),
    (
        changed(["cells", "reduce"], {}),
        "cells has an unknown field 'reduce'; .* did you mean 'reduction'",
    ),
    (changed(["cells", "normal"], 3), "the normal cell is 3; expected an object with 'nodes'"),
    (changed(["cells", "normal", "inputs"], 3), "inputs of the normal cell is 3; expected 1 or 2"),
    (
        changed(["cells", "normal", "inputs"], True),
        "inputs of the normal cell is true; expected 1 or 2",
    ),
    (changed(["cells", "reduction"], {"nodes": [NODE], "inputs": 1}), "equally many inputs"),
    (changed(NODES, []), f"expected a list of 1 to {MAX_NODES}, but it is a list of 0"),
    (
        changed(NODES, [NODE] * (MAX_NODES + 1)),
        f"expected a list of 1 to {MAX_NODES}, but it is a list of 65",
    ),
    (changed(NODES, {}), "but it is an object of 0"),
    (
        changed(NODES, [NODE, []]),
        "node 1 of the normal cell is a list of 0; expected an object with 'edges', 'comb",
    ),
    (
        changed([*NODES, 0, "combine"], "sum"),
        "node 0 of the normal cell combines by 'sum'; expected 'add' or 'conc",
    ),
    (changed([*NODES, 0, "combine"], ["add"]), "combines by a list of 1"),
    (
        changed([*NODES, 0, "colour"], "red"),
        "node 0 of the normal cell has an unknown field 'colour'",
    ),
    (
        changed([*NODES, 0], {"edges": [[0, "identity"]]}),
        "node 0 of the normal cell has no 'combine'",
    ),
    (
        changed([*NODES, 0], {"edges": [], "combin": "add"}),
        "unknown field 'combin'; .* did you mean 'combine'",
    ),
    (changed(EDGES, []), f"expected a list of 1 to {MAX_EDGES}, but it is a list of 0"),
    (changed(EDGES, [[0, "identity"]] * 513), "but it is a list of 513"),
    (
        changed(NODES, [{"edges": [[0, "identity"]] * 300, "combine": "add"}] * 2),
        "has 600 edges; a cell has at mos",
    ),
    (
        changed(EDGES, ["ab"]),
        "an edge of node 0 of the normal cell is 'ab'; expected \\[state, op\\]",
    ),
    (changed(EDGES, [[0, "identity", 1]]), "is a list of 3; expected \\[state, op\\]"),
    (
        changed(EDGES, [[2, "identity"]]),
        "node 0 of the normal cell reads state 2; it can read only states 0 to 1",
    ),
    (changed(EDGES, [[-1, "identity"]]), "reads state -1; it can read only states 0 to 1"),
    (changed(EDGES, [[True, "identity"]]), "reads state true"),
    (changed(EDGES, [[0.0, "identity"]]), "reads state 0.0"),
    (changed(EDGES, [["0", "identity"]]), "reads state '0'"),
    (changed(EDGES, [[10**40, "identity"]]), "reads state a number of 133 bits"),
    (
        changed(EDGES, [[0, "sep_4x4"]]),
        "no op is called 'sep_4x4'; there are .*; did you mean 'sep_",
    ),
    (changed(EDGES, [[0, "\udfff"]]), "no op is called '\\\\udfff'"),
    (changed(EDGES, [[0, None]]), "has the op null; expected a name"),
    (changed(EDGES, [[0, ["identity"]]]), "has the op a list of 1; expected a name"),
    (
        changed(["cells", "normal", "outputs"], []),
        "expected a list of 1 to 3 states, but it is a list of 0; leave it",
    ),
    (
        changed(["cells", "normal", "outputs"], None),
        "but it is null; leave it out for all loose ends",
    ),
    (changed(["cells", "normal", "outputs"], [3]), "name state 3; there are states 0 to 2"),
    (changed(["cells", "normal", "outputs"], [False]), "name state false"),
    (changed(["cells", "normal", "outputs"], [2, 2]), "are \\[2, 2\\]; name each state once"),
    ({"schema": 1, "space": "table", "choices": {}}, "choices: expected an object of 1 to 10,000"),
    ({"schema": 1, "space": "table", "choices": {"": 1}}, "a decision of choices is an empty text"),
    (
        {"schema": 1, "space": "table", "choices": {"a": None}},
        "the choice of 'a' is null; expected an integer or a",
    ),
    ({"schema": 1, "space": "table", "choices": {"a": True}}, "the choice of 'a' is true"),
    (
        {"schema": 1, "space": "table", "choices": {"a": 10**20}},
        "the choice of 'a' is a number of 67 bits",
    ),
    (
        {"schema": 1, "space": "table", "choices": {"a": "\n"}},
        "the choice of 'a' is '\\\\n'; expected a printable",
    ),
]


@pytest.mark.parametrize(("record", "sentence"), BAD_RECORDS)
def test_a_bad_record_gets_one_sentence(record: object, sentence: str) -> None:
    with pytest.raises(GenotypeError, match=sentence) as caught:
        Genotype.from_dict(record)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


TWICE = '{"schema": 1, "schema": 1, "space": "x", "choices": {"a": 1}}'
BAD_TEXTS: list[tuple[str | bytes, str]] = [
    ("", "the genotype is empty; expected a JSON object"),
    (" \n", "the genotype is empty"),
    ("{", "the genotype is not JSON: Expecting property name .* at line 1, column 2"),
    (NASNET_A_BEGINNING + "}", "the genotype is not JSON: Extra data"),
    (TWICE, "the key 'schema' twice in one object; keep one"),
    ('{"schema": NaN}', "the genotype holds NaN, which is not JSON"),
    ('{"schema": -Infinity}', "the genotype holds -Infinity"),
    ('{"schema": 1e999}', "schema is inf; expected 1"),
    ('{"schema": ' + "9" * 5000 + "}", "a number of thousands of digits"),
    ('{"schema": ' + "[" * 100_000, "nested too deeply"),
    ('{"a":' * 100_000, "nested too deeply"),
    (
        b'{"schema": "\xff"}',
        "byte 12 of the genotype is 0xff, which is not UTF-8; save it as UTF-8",
    ),
    (NASNET_A_BEGINNING.encode("utf-16"), "byte 0 of the genotype is 0xff, which is not UTF-8"),
    (b"\x00\x00", "the genotype is not JSON"),
    (
        " " * (MAX_BYTES + 1),
        "a genotype is at most 1,000,000 bytes long, but this text has 1,000,001",
    ),
    (b"[" * (MAX_BYTES + 1), "a genotype is at most 1,000,000 bytes long"),
]


@pytest.mark.parametrize(("text", "sentence"), BAD_TEXTS, ids=range(len(BAD_TEXTS)))
def test_a_bad_text_gets_one_sentence(text: str | bytes, sentence: str) -> None:
    with pytest.raises(GenotypeError, match=sentence) as caught:
        Genotype.from_json(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_byte_order_mark_is_no_offence() -> None:
    assert Genotype.from_json(b"\xef\xbb\xbf" + CHOICES.encode()) == Genotype.from_json(CHOICES)


def test_the_schema_refuses_all_but_what_a_schema_cannot_express() -> None:
    accepts = jsonschema.Draft202012Validator(SCHEMA).is_valid
    accepted = [sentence for record, sentence in BAD_RECORDS if accepts(record)]
    relations = [
        "equally many inputs",
        "600 edges",
        "reads state 2;",
        "name state 3;",
        "ud800'; expected",
        "no op is called",
        "no setting of the skeleton is called",
        "is no decision of a search",
    ]
    assert [word for word in relations if not any(word in sentence for sentence in accepted)] == []
    assert len(accepted) == len(relations) + 2  # for a schema, 1.0 and 0.0 are integers


def test_an_op_that_only_the_module_of_ops_knows_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that adding an operation touches one file."""
    from search_spaces.cells import ops
    from search_spaces.nasnet import NasnetSpace

    record = changed(EDGES, [[0, "my_op"], [1, "my_op"]])
    with pytest.raises(GenotypeError, match="no op is called 'my_op'"):
        Genotype.from_dict(record)
    with monkeypatch.context() as patch:
        patch.setattr(ops, "op_names", lambda: ("my_op",))
        assert Genotype.from_dict(record).cells["normal"].nodes[0].edges[1].op == "my_op"
        assert NasnetSpace(ops=["my_op"]).ops == ("my_op",)
