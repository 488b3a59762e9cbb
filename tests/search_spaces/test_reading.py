"""Genotypes from files, names and texts in every form we know, and back."""

from __future__ import annotations

import json
import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from search_spaces.cells.darts_text import OPS_BY_DARTS_NAME, from_darts_text, to_darts_text
from search_spaces.cells.genotype import OP_NAMES, Cell, Edge, Genotype, Node
from search_spaces.cells.nasbench201_text import from_nasbench201_text, to_nasbench201_string
from search_spaces.cells.reading import choices_text, parse_genotype, read_genotype
from search_spaces.darts import DartsSpace
from search_spaces.errors import GenotypeError, SpaceError
from search_spaces.ladder import LadderSpace
from search_spaces.nasbench201 import Nasbench201Space
from search_spaces.nasnet import NasnetSpace

DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
    "normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), "
    "('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=range(2, 6))"
)
SHORT = (
    "Genotype(normal=[('conv_1x1', 1), ('none', 0)], normal_concat=[2], "
    "reduce=[('conv_3x3', 0), ('none', 1)], reduce_concat=[2, 0])"
)
ARCH = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|avg_pool_3x3~2|"


def test_darts_text_means_what_darts_means() -> None:
    genotype = parse_genotype(DARTS_V2)
    assert genotype.space == "darts"
    assert genotype.cells["normal"].outputs == genotype.cells["reduction"].outputs == (2, 3, 4, 5)
    assert genotype.cells["normal"].nodes[3] == Node(
        (Edge(0, "identity"), Edge(2, "dil_3x3")), "add"
    )
    assert genotype.cells["reduction"].nodes[0] == Node(
        (Edge(0, "max_3x3"), Edge(1, "max_3x3")), "add"
    )
    assert genotype.key == read_genotype("darts-v2").key


def test_darts_text_of_other_spaces_is_of_nasnet() -> None:
    genotype = from_darts_text(SHORT)
    assert genotype.space == "nasnet"
    assert genotype.cells["reduction"].outputs == (2, 0)
    assert (
        from_darts_text(SHORT.replace("none", "conv_7x1_1x7")).cells["normal"].nodes[0].edges[1].op
        == "conv_1x7_7x1"
    )


@pytest.mark.parametrize(
    "variant",
    [
        f"DARTS_V2 = {DARTS_V2}",
        DARTS_V2.replace("Genotype(", "genotypes.Genotype(\n  "),
        DARTS_V2.replace("normal=", "")
        .replace("normal_concat=", "")
        .replace("reduce=", "")
        .replace("reduce_concat=", ""),
        DARTS_V2.replace("range(2, 6)", "(2, 3, 4, 5)").replace("'", '"'),
    ],
)
def test_darts_text_may_be_written_as_python_writes_it(variant: str) -> None:
    assert from_darts_text(variant) == from_darts_text(DARTS_V2)


def test_darts_text_round_trips() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        genotype = DartsSpace().sample(rng)
        assert from_darts_text(to_darts_text(genotype)) == genotype
    space = NasnetSpace(combines=["add"])
    for _ in range(20):
        genotype = space.sample(rng)
        assert from_darts_text(to_darts_text(genotype)).key == genotype.key
    assert "normal_concat=[0, 2, 3, 4, 5, 6]" in to_darts_text(read_genotype("nasnet-a"))
    assert "normal_concat=range(2, 6)" in to_darts_text(read_genotype("darts-v2"))


def test_every_op_of_the_paper_and_of_darts_has_a_darts_name() -> None:
    assert sorted(OPS_BY_DARTS_NAME.values()) == sorted(OP_NAMES[:15])


def test_nasbench201_strings_round_trip() -> None:
    space = Nasbench201Space()
    for choices in product(range(5), repeat=6):
        genotype = space.decode(choices)
        assert from_nasbench201_text(to_nasbench201_string(genotype)) == genotype


def test_a_nasbench201_string_means_what_the_benchmark_means() -> None:
    genotype = parse_genotype(f" {ARCH}\n")
    assert genotype == Nasbench201Space().decode((3, 0, 1, 2, 0, 4))
    assert to_nasbench201_string(genotype) == ARCH


def test_an_edge_that_is_not_there_is_written_as_none() -> None:
    nodes = (
        Node((Edge(0, "conv_3x3"),)),
        Node((Edge(1, "identity"),)),
        Node((Edge(2, "avg_3x3"), Edge(0, "conv_1x1"))),
    )
    assert to_nasbench201_string(Genotype("nasbench201", {"normal": Cell(nodes, None, 1)})) == ARCH


NONE_SUCH = Node((Edge(0, "sep_3x3"),))
TWICE = Node((Edge(0, "identity"), Edge(0, "identity")))


@pytest.mark.parametrize(
    ("genotype", "sentence"),
    [
        (
            Genotype("a", {"normal": Cell((NONE_SUCH,) * 2, None, 1)}),
            "one normal cell with one input and three nodes",
        ),
        (
            Genotype("a", {"normal": Cell((NONE_SUCH,) * 3)}),
            "one normal cell with one input and three nodes",
        ),
        (Genotype("table", {}, {"a": 1}), "one normal cell with one input and three nodes"),
        (
            Genotype("a", {"normal": Cell((TWICE,) * 3, None, 1)}),
            "node 0 concatenates or has several",
        ),
        (
            Genotype("a", {"normal": Cell((NONE_SUCH,) * 3, None, 1)}),
            "NAS-Bench-201: no op is called 'sep_3x3'",
        ),
        (
            Genotype("a", {"normal": Cell((NONE_SUCH,) * 3, (2, 3), 1)}),
            "puts out its last state, not \\(2, 3\\)",
        ),
    ],
)
def test_what_no_nasbench201_string_can_say_is_refused(genotype: Genotype, sentence: str) -> None:
    with pytest.raises(GenotypeError, match=sentence):
        to_nasbench201_string(genotype)


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        (Cell((NONE_SUCH,)), "a node of the normal cell has 1, combined by add"),
        (Cell((Node(TWICE.edges, "concat"),)), "has 2, combined by concat"),
        (Cell((Node((Edge(0, "my_op"),) * 2),)), "DARTS text: no op is called 'my_op'"),
        (Cell((TWICE,), None, 1), "cells of two inputs; the normal cell has 1"),
    ],
)
def test_what_no_darts_text_can_say_is_refused(cell: Cell, sentence: str) -> None:
    with pytest.raises(GenotypeError, match=sentence):
        to_darts_text(Genotype("a", {"normal": cell, "reduction": cell}))
    with pytest.raises(
        GenotypeError,
        match="DARTS text has a normal and a reduction cell; this genotype has normal",
    ):
        to_darts_text(Genotype("a", {"normal": cell}))


def test_choices_are_read_for_a_named_space() -> None:
    space = LadderSpace()
    genotype = space.decode((2, 1, 0))
    assert choices_text(genotype, space) == "2,1,0"
    for text in ("2,1,0", " 2, 1, 0\n", "[2, 1, 0]", "(2, 1, 0,)"):
        assert read_genotype(text, space) == genotype
    with pytest.raises(GenotypeError, match="'2,1,0' are choices; say of which space they are"):
        read_genotype("2,1,0")
    with pytest.raises(
        SpaceError, match="space 'ladder' has 3 decisions, but 2 choices were given"
    ):
        read_genotype("2,1", space)
    with pytest.raises(SpaceError, match="has options 0 to 2, but the choice is -1"):
        read_genotype("2,1,-1", space)


def test_files_hold_any_form(tmp_path: Path) -> None:
    genotype = LadderSpace().decode((1, 2, 0))
    file = tmp_path / "genotype.json"
    for text in (
        genotype.to_json(),
        json.dumps({"name": "mine", "genotype": genotype.to_dict()}),
        "1,2,0",
    ):
        file.write_text(text, encoding="utf-8")
        assert (
            read_genotype(file, LadderSpace())
            == read_genotype(str(file), LadderSpace())
            == genotype
        )
    file.write_text(ARCH, encoding="utf-8")
    assert read_genotype(file) == parse_genotype(ARCH)


def test_a_published_name_is_a_genotype_unless_a_file_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_genotype("nasnet-a").cells["normal"].outputs == (0, 2, 3, 4, 5, 6)
    Path("nasnet-a").write_text(ARCH, encoding="utf-8")
    assert read_genotype("nasnet-a").space == "nasbench201"


def test_a_large_file_is_refused_without_being_read(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    with file.open("wb") as stream:
        stream.truncate(100_000_000)
    with pytest.raises(
        GenotypeError, match=r"large.json' has more than 1,000,000 bytes, which no genotype has"
    ):
        read_genotype(file)


def test_files_that_cannot_be_read_get_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        GenotypeError,
        match=r"no file or published genotype is called 'nasnet-b'; .*mean 'nasnet-a'",
    ):
        read_genotype("nasnet-b")
    with pytest.raises(
        GenotypeError, match="cannot be read: Is a directory; expected JSON, DARTS text"
    ):
        read_genotype(tmp_path)
    with pytest.raises(GenotypeError, match="did you mean 'nasnet-a'"):
        read_genotype("NASNet-A")
    with pytest.raises(
        GenotypeError, match="'' is no genotype; expected a file, a name from the zoo"
    ):
        read_genotype("")
    with pytest.raises(GenotypeError, match="cannot be read: File name too long"):
        read_genotype("x" * 5000)
    with pytest.raises(GenotypeError, match="is no path and no genotype"):
        read_genotype("a\0b")
    file = tmp_path / "bad.json"
    file.write_bytes((24).to_bytes(8, "little") + b'{"a":{}}\xc3')
    with pytest.raises(GenotypeError, match=r"bad.json' holds a network or its weights"):
        read_genotype(file)
    file.write_bytes(b"\xff")
    with pytest.raises(
        GenotypeError, match=r"bad.json': byte 0 of the genotype is 0xff, which is not UTF-8"
    ):
        read_genotype(file)
    file.write_text("hello", encoding="utf-8")
    with pytest.raises(
        GenotypeError,
        match=r"bad.json': a text that begins 'hello' is no genotype; expected JSON, DARTS text",
    ):
        read_genotype(file)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero here")
def test_an_endless_file_is_refused() -> None:
    with pytest.raises(GenotypeError, match="has more than 1,000,000 bytes"):
        read_genotype("/dev/zero")


BAD_TEXTS = [
    ("Genotype(", "is not a DARTS genotype: it is not balanced or not complete"),
    (
        "Genotype()",
        "the DARTS genotype has no 'normal'; expected normal, normal_concat, reduce, reduce_concat",
    ),
    ("Genotype(1, 2, 3, 4, 5)", "a DARTS genotype has four fields, .*; this one has 5"),
    ("Genotype(**a)", "holds no '\\*'"),
    ("Genotype(norml=[])", "no field is called 'norml'; .*did you mean 'normal'"),
    (SHORT.replace("reduce=", "normal="), "the DARTS genotype gives 'normal' twice; keep one"),
    ("Genotype(normal=[]); import_os()", "holds no ';', but this does at character 20"),
    ("Genotype(normal=[])\nGenotype(normal=[])", "expected one Genotype\\(normal"),
    (
        SHORT.replace("[('conv_1x1', 1), ('none', 0)]", "exec('x')"),
        "normal of a DARTS genotype: expected a list of",
    ),
    (
        SHORT.replace("('none', 0)]", "('none', 0), ('none', 0)]"),
        "expected a list of \\(op, state\\) pairs, two for ea",
    ),
    (
        SHORT.replace("('none', 0)", "('nun', 0)"),
        "normal of a DARTS genotype: no op is called 'nun'",
    ),
    (
        SHORT.replace("('none', 0)", "('none', 0, 0)"),
        "expected pairs such as \\('sep_conv_3x3', 1\\)",
    ),
    (SHORT.replace("('none', 0)", "(0, 'none')"), "expected pairs such as"),
    (SHORT.replace("('none', 0)", "('none', 2)"), "node 0 of the normal cell reads state 2"),
    (SHORT.replace("('none', 0)", "('none', True)"), "node 0 of the normal cell reads state true"),
    (
        SHORT.replace("[2, 0]", "range(10000000000)"),
        "reduce_concat of a DARTS genotype is a range from 0 to 10000000000",
    ),
    (
        SHORT.replace("[2, 0]", "range(2, 2)"),
        "is a range from 2 to 2; expected one within 0 to 66 that is not empty",
    ),
    (SHORT.replace("[2, 0]", "range(0, 9, 2)"), "expected range\\(2, 6\\) or a list of states"),
    (SHORT.replace("[2, 0]", "['2']"), "expected states, which are integers"),
    (
        SHORT.replace("[2, 0]", "[2, 2]"),
        "outputs of the reduction cell are \\[2, 2\\]; name each state once",
    ),
    (SHORT.replace("[2, 0]", "9" * 5000), "it is not balanced or not complete"),
    ("Genotype(" + "(" * 9000 + ")" * 9000 + ")", "it is not balanced or not complete"),
    ("Genotype(" + "not " * 4000 + "1)", "is not a DARTS genotype|has no 'normal_concat'"),
    ("Genotype(" + "[" * 90 + "]" * 90 + ")", "has no 'normal_concat'"),
    (
        "Genotype(normal=" + " " * 30_000 + ")",
        "a DARTS genotype has at most 20,000 characters, but this has 30,017",
    ),
    ("|", "has 1 nodes; a NAS-Bench-201 string has 3"),
    ("||+||+||", "'\\|\\|' is no node of a NAS-Bench-201 string"),
    ("|none~0|+|none~0|none~1|+none", "'none' is no node of a NAS-Bench-201 string"),
    (
        ARCH.replace("none", "nonne"),
        "NAS-Bench-201: no op is called 'nonne'; there are .*; did you mean 'none'",
    ),
    (
        ARCH.replace("none~0", "none~1"),
        "node 1 of the NAS-Bench-201 string reads states 1, 1; expected 0 to 1, in thi",
    ),
    (
        ARCH.replace("~2", "~3"),
        "node 2 of the NAS-Bench-201 string reads states 0, 1, 3; expected 0 to 2",
    ),
    (ARCH + "+" + ARCH, "has 6 nodes"),
    ("|" + "x" * 5000, "a NAS-Bench-201 string has about 100 characters, .*; this has 5,001"),
    ("1,2,x", "'1,2,x' is no genotype; expected JSON, DARTS text"),
    ("1 2 3", "is no genotype"),
    ("", "the genotype is empty"),
    ("[]", "the genotype is a list of 0; expected an object"),
    ("hello", "'hello' is no genotype"),
    (" " * 900_000 + "x", "is no genotype"),
    ("1," * 400_000, "is no genotype"),
]


@pytest.mark.parametrize(("text", "sentence"), BAD_TEXTS, ids=range(len(BAD_TEXTS)))
def test_a_bad_text_gets_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(GenotypeError, match=sentence) as caught:
        parse_genotype(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_reading_evaluates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "system", lambda command: pytest.fail("evaluated"))
    with pytest.raises(GenotypeError):
        parse_genotype(SHORT.replace("[2, 0]", "__import__('os').system('true')"))
