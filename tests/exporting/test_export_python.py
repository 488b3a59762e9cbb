"""The written Python file equals the network to the last bit, whatever the cell and the skeleton,
and reads well."""

import ast
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas.exporting.source.python_file import python_file
from nas.exporting.subject import Subject
from nas.registry import load
from nas.seeding import numpy_rng
from parts.drawn_cells import cell, genotype
from parts.exported_networks import largest_difference, module_of, subject
from search_spaces import zoo
from search_spaces.cells.genotype import Genotype
from search_spaces.cells.ops import op_names
from search_spaces.cells.skeleton import Skeleton

ROOT = Path(__file__).parents[2]
SEMANTICS = ("literal", "nds", "tpu")


def drawn(space: str, number: int) -> Genotype:
    found: Genotype = load("space", space)().sample(numpy_rng(0, "export", space, number))
    return found


@pytest.mark.parametrize("semantics", SEMANTICS)
@pytest.mark.parametrize("filters", [3, 8])
def test_every_op_is_written_as_it_is(semantics: str, filters: int, tmp_path: Path) -> None:
    sums = "+".join(f"{name}({state})" for name in op_names() for state in (0, 1))
    both = cell(sums)
    assert (
        largest_difference(
            subject(genotype(both, both), op_semantics=semantics, filters=filters), tmp_path
        )
        == 0.0
    )


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_cell_in_any_skeleton_is_written_as_it_is(data: st.DataObject, tmp_path: Path) -> None:
    drawing = drawn("nasnet", data.draw(st.integers(0, 1000)))
    skeleton = {
        "cells_per_stage": data.draw(st.integers(1, 2)),
        "filters": data.draw(st.sampled_from((1, 4, 7))),
        "image_size": data.draw(st.sampled_from((15, 16))),
        "op_semantics": data.draw(st.sampled_from(SEMANTICS)),
        "alignment": data.draw(st.sampled_from(("same", "symmetric"))),
        "average_divisor": data.draw(st.sampled_from(("real", "padded"))),
        "max_padding": data.draw(st.sampled_from(("-inf", "zero"))),
        "reduction": data.draw(st.sampled_from(("extra", "replace"))),
        "first_input": data.draw(st.sampled_from(("raw", "stem"))),
        **{
            name: data.draw(st.booleans())
            for name in ("skip_reduction_input", "always_fit", "relu_before_pool")
        },
    }
    assert largest_difference(subject(drawing, **skeleton), tmp_path) == 0.0


@pytest.mark.parametrize("name", zoo.names())
def test_every_published_skeleton_is_written_as_it_is(name: str, tmp_path: Path) -> None:
    entry = zoo.load(name)
    for skeleton in entry.skeletons.values():
        small = {
            **skeleton,
            "cells_per_stage": 1,
            "filters": 8,
            "stem_filters": 8,
            "image_size": 32,
        }
        assert largest_difference(subject(entry.genotype, **small), tmp_path) == 0.0


@pytest.mark.parametrize(
    ("normal", "reduction"),
    [
        (cell("sep_3x3(0), max_3x3(2)", (0, 1)), cell("sep_3x3(0), max_3x3(2)", (0, 1))),
        (cell("none(0)+none(1)"), cell("none(0)+identity(1), none(2)+none(2)")),
        (cell("identity(1)"), cell("identity(0)")),
        (
            cell("max_3x3(1)+avg_3x3(1), conv_1x1(2)", (2,)),
            cell("dil_5x5(1)+max_5x5(1)+avg_3x3(1)", (1, 2)),
        ),
    ],
)
def test_odd_cells_are_written_as_they_are(normal, reduction, tmp_path: Path) -> None:
    for layout, size in (("cifar", 17), ("imagenet", 33)):
        odd = subject(genotype(normal, reduction), layout=layout, image_size=size)
        assert largest_difference(odd, tmp_path) == 0.0


@pytest.mark.parametrize("number", range(4))
def test_cells_of_nasbench201_are_written_as_they_are(number: int, tmp_path: Path) -> None:
    drawing = drawn("nasbench201", number)
    small = subject(
        drawing, layout="nasbench201", cells_per_stage=2, filters=4, image_size=15 + number
    )
    assert largest_difference(small, tmp_path) == 0.0


def test_the_file_needs_torch_alone_and_pillow_for_pictures() -> None:
    tree = ast.parse(python_file(subject(zoo.load("nasnet-a").genotype)))
    assert foreign(tree.body) == {"torch"}
    assert foreign(ast.walk(tree)) == {"torch", "PIL"}


def foreign(nodes: Iterable[ast.AST]) -> set[str]:
    """The packages beside Python's own that these nodes import."""
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in nodes
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    return {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)


def test_the_file_says_what_the_drawing_shows() -> None:
    text = python_file(subject(zoo.load("nasnet-a").genotype))
    assert "    h3 = max_3x3(h1) + sep_7x7(h0)\n" in text
    assert "        h3 = self.h3_max_3x3(h1) + self.h3_sep_7x7(h0)\n" in text
    assert "        return torch.cat([self.output_h0(h0), h2, h3, h4, h5, h6], dim=1)\n" in text


@pytest.mark.parametrize("number", range(3))
def test_the_file_is_formatted_and_without_complaint(number: int, tmp_path: Path) -> None:
    ruff = pytest.importorskip("ruff.__main__").find_ruff_bin()
    file = tmp_path / "model.py"
    semantics = SEMANTICS[number]
    file.write_text(
        python_file(subject(drawn("nasnet", number), op_semantics=semantics, reduction="replace"))
    )
    for words in (["format", "--check"], ["check", "--select", "E,F,W,I,UP"]):
        words = [*words, "--isolated", "--line-length", "120"]
        answer = subprocess.run(
            [ruff, *words, str(file)], capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stdout


def test_names_can_do_no_harm(tmp_path: Path) -> None:
    small = subject(drawn("nasnet", 0), title='"""\nimport os  # "')
    hostile = (
        'a", *__import__("os").listdir("/"), "',
        "b\n'''",
        "c" * 500,
        *"de\u202e\ud800\x1b\\'\"",
    )
    small = Subject(
        title=small.title,
        genotype=small.genotype,
        skeleton=small.skeleton,
        network=small.network,
        classes=hostile,
    )
    (tmp_path / "model.py").write_text(python_file(small))
    module = module_of(tmp_path / "model.py")
    assert hostile == module.NAMES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("skeleton", "params"),
    [("cifar", 3_346_538), ("imagenet-mobile", 5_289_978), ("imagenet-large", 88_753_150)],
)
def test_the_file_has_the_published_number_of_parameters(
    skeleton: str, params: int, tmp_path: Path
) -> None:
    entry = zoo.load("nasnet-a")
    published = Skeleton(**entry.skeletons[skeleton])  # type: ignore[arg-type]
    import torch

    from search_spaces.cells.network import build_network

    with torch.device("meta"):
        network = build_network(entry.genotype, published).eval()
        full = Subject(
            title="NASNet-A", genotype=entry.genotype, skeleton=published, network=network
        )
        (tmp_path / "model.py").write_text(python_file(full))
        written = module_of(tmp_path / "model.py").Network()
    assert sum(parameter.numel() for parameter in written.parameters()) == params
