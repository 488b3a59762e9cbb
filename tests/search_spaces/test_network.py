"""How cells are wired, what a network refuses, and where it works."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import nn

from search_spaces import zoo
from search_spaces.cells.genotype import Cell, Edge, Genotype, Node
from search_spaces.cells.layers import FactorizedReduction
from search_spaces.cells.network import (
    SKELETONS,
    NasBench201Network,
    Network,
    Skeleton,
    build_network,
)
from search_spaces.cells.skeleton import auxiliary_index, stack
from search_spaces.errors import NetworkError

ROOT = Path(__file__).parents[2]

NASNET_A = zoo.load("nasnet-a").genotype
_SMALL = Cell(
    (
        Node((Edge(1, "sep_3x3"), Edge(0, "avg_3x3"))),
        Node((Edge(0, "max_5x5"), Edge(2, "identity")), "concat"),
    )
)
SMALL = Genotype("nasnet", {"normal": _SMALL, "reduction": _SMALL})
TINY = Skeleton(filters=4, cells_per_stage=1, image_size=8, classes=3)


def tiny(**changes: object) -> Network:
    return Network(NASNET_A, replace(TINY, **changes))  # type: ignore[arg-type]


def images(skeleton: Skeleton = TINY, batch: int = 2) -> torch.Tensor:
    size = skeleton.image_size
    return torch.randn(
        batch, skeleton.channels, size, size, generator=torch.Generator().manual_seed(0)
    )


def prev_of(network: Network) -> list[int | None]:
    """For each cell the number of the output that is its `prev`: 0 is the stem's, 1 the first
    cell's."""
    return [
        None if place.back is None else index + 1 - place.back
        for index, place in enumerate(network.places)
    ]


class TestWiring:
    def test_cifar(self) -> None:
        network = tiny(cells_per_stage=2)
        assert "".join(place.role[0] for place in network.places) == "nnrnnrnn"
        assert [place.filters for place in network.places] == [4, 4, 8, 8, 8, 16, 16, 16]
        assert prev_of(network) == [None, 0, 1, 2, 3, 4, 5, 6]
        assert network.stem.conv.out_channels == 12

    def test_imagenet(self) -> None:
        network = tiny(layout="imagenet", filters=22, cells_per_stage=1, image_size=65)
        assert "".join(place.role[0] for place in network.places) == "rrnrnrn"
        assert [place.filters for place in network.places][:3] == [
            5,
            11,
            22,
        ]  # int(F/4), int(F/2), F
        assert prev_of(network) == [None, 0, 1, 2, 3, 4, 5]
        assert network.stem.conv.out_channels == 32
        assert network.stem.conv.stride == (2, 2)
        assert network.stem.conv.padding == (0, 0)

    def test_skipping_the_reductions_input(self) -> None:
        network = tiny(cells_per_stage=2, skip_reduction_input=True)
        assert prev_of(network) == [
            None,
            0,
            1,
            1,
            3,
            4,
            4,
            6,
        ]  # outputs 3 and 6 are the reductions'
        large = replace(SKELETONS["imagenet-large"], cells_per_stage=1)
        assert [place.back for place in stack(large)] == [
            None,
            2,
            2,
            2,
            3,
            2,
            3,
        ]  # stem cells are no reductions here

    def test_pnasnets_strided_cells_replace_each_stages_first(self) -> None:
        network = tiny(cells_per_stage=2, reduction="replace", skip_reduction_input=True)
        assert "".join(place.role[0] for place in network.places) == "nnrnrn"
        assert prev_of(network) == [None, 0, 1, 2, 3, 4]
        stale = tiny(cells_per_stage=3, reduction="replace")
        assert prev_of(stale) == [
            None,
            0,
            1,
            1,
            3,
            4,
            4,
            6,
            7,
        ]  # what the cell before the strided one had

    def test_how_prev_is_fitted(self) -> None:
        network = tiny(cells_per_stage=2)
        kinds = [
            None if cell.fit is None else isinstance(cell.fit.first, FactorizedReduction)
            for cell in network.cells
        ]
        assert kinds == [None, False, False, True, False, False, True, False]

    def test_prev_that_fits_already_is_left_alone(self) -> None:
        network = tiny(cells_per_stage=2, stem_filters=4)
        assert network.cells[1].fit is None
        assert tiny(cells_per_stage=2, stem_filters=4, always_fit=True).cells[1].fit is not None

    def test_the_first_cells_raw_state_is_fitted_op_by_op(self) -> None:
        cell = tiny().cells[0]
        assert cell.fit is None
        assert set(cell.align) == {"0"}
        pools = cell.nodes[3].edges
        assert all(pool.fit is not None for pool in pools)
        assert cell.nodes[0].edges[1].first.depthwise.in_channels == 12
        assert tiny(first_input="stem").cells[0].fit is not None

    def test_only_edges_from_inputs_are_strided(self) -> None:
        reduction = tiny().cells[1]
        strides = [
            [
                next(m.stride for m in edge.modules() if isinstance(m, nn.Conv2d))
                for edge in reduction.nodes[k].edges
            ]
            for k in (0,)
        ]
        assert strides == [[(2, 2), (2, 2)]]
        assert isinstance(reduction.nodes[3].edges[0], nn.Identity)
        assert reduction.nodes[3].edges[1].stride == 1
        assert reduction.nodes[4].edges[1].stride == 2

    def test_the_auxiliary_head_reads_the_last_normal_cell_of_the_middle_stage(self) -> None:
        assert (
            auxiliary_index(SKELETONS["cifar"]) == 12
        )  # 6 normal, 1 reduction, the sixth normal after it
        assert auxiliary_index(SKELETONS["imagenet-mobile"]) == 10
        assert auxiliary_index(replace(SKELETONS["cifar"], auxiliary_at="second-reduction")) == 13


class TestAuxiliaryHead:
    def test_it_speaks_while_training_only(self) -> None:
        skeleton = replace(TINY, image_size=16, auxiliary=True)
        network = Network(NASNET_A, skeleton)
        logits, extra = network.forward_with_auxiliary(images(skeleton))
        assert logits.shape == (2, 3)
        assert extra is not None
        assert extra.shape == (2, 3)
        (logits.sum() + extra.sum()).backward()
        assert all(p.grad is not None for p in network.parameters())
        logits, extra = network.eval().forward_with_auxiliary(images(skeleton))
        assert extra is None
        assert torch.equal(logits, network(images(skeleton)))

    def test_without_it_there_is_none(self) -> None:
        assert tiny().forward_with_auxiliary(images())[1] is None

    def test_its_map_is_what_the_network_has_there(self) -> None:
        for layout, sizes in (("cifar", (17, 32)), ("imagenet", (135, 160))):
            for size, place in product(sizes, ("middle-stage", "second-reduction")):
                skeleton = replace(
                    TINY, layout=layout, image_size=size, auxiliary_at=place, auxiliary=True
                )
                network = Network(NASNET_A, skeleton)
                assert network.forward_with_auxiliary(images(skeleton))[1] is not None


REFUSED = [
    ({"filters": 0}, r"filters must be a whole number from 1 to 8192, but is 0"),
    ({"filters": "32"}, r"filters must be a whole number from 1 to 8192, but is '32'"),
    ({"filters": True}, r"filters must be a whole number from 1 to 8192, but is True"),
    ({"cells_per_stage": 0}, r"cells_per_stage must be a whole number from 1 to 100, but is 0"),
    (
        {"cells_per_stage": 10**9},
        r"cells_per_stage must be a whole number from 1 to 100, but is 1000000000",
    ),
    ({"classes": 2.5}, r"classes must be a whole number from 1 to 1000000, but is 2.5"),
    ({"image_size": 3}, r"image_size 3 is too small for the cifar layout; it needs at least 4"),
    (
        {"image_size": 7, "layout": "imagenet"},
        r"image_size 7 is too small for the imagenet layout; .* at least 8",
    ),
    (
        {"layout": "imagenett"},
        r"no layout is called 'imagenett'; there are .* did you mean 'imagenet'\?",
    ),
    ({"op_semantics": "npu"}, r"no op_semantics is called 'npu'; there are literal, nds, tpu"),
    (
        {"layout": "imagenet", "filters": 3},
        r"filters 3 leave the first stem cell int\(F/4\) = 0 filters; .* 4",
    ),
    (
        {"auxiliary": True, "image_size": 8},
        r"needs a map of at least 5x5, but at image_size 8 its map is 4x4; use",
    ),
    ({"auxiliary": "yes"}, r"auxiliary must be true or false, but is 'yes'"),
    ({"drop_path_keep": 0.0}, r"drop_path_keep must be a number above 0 and at most 1, but is 0.0"),
    (
        {"dropout_keep": float("nan")},
        r"dropout_keep must be a number above 0 and at most 1, but is nan",
    ),
    (
        {"layout": "nasbench201", "stem_filters": 7, "filters": 16},
        r"as wide as its first cells; leave stem_filters out, or set it to 16",
    ),
    ({"layout": "nasbench201", "auxiliary": True}, r"the nasbench201 layout has no auxiliary head"),
    (
        {"layout": "nasbench201", "dropout_keep": 0.5},
        r"the nasbench201 layout has neither drop-path nor dropout",
    ),
]


@pytest.mark.parametrize(("settings", "sentence"), REFUSED)
def test_a_skeleton_that_cannot_be_is_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(NetworkError, match=sentence) as caught:
        Skeleton(**settings)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def lone(node: Node, outputs: tuple[int, ...] | None = None, inputs: int = 2) -> Genotype:
    cell = Cell((node,), outputs, inputs)
    return Genotype("nasnet", {"normal": cell, "reduction": cell})


REFUSED_GENOTYPES = [
    (
        Genotype("table", choices={"a": 1}),
        r"genotype of space 'table' has choices and no cells, so it makes no network",
    ),
    (
        Genotype("nasnet", {"normal": NASNET_A.cells["normal"]}),
        r"needs a reduction cell, but the genotype has normal",
    ),
    (
        lone(Node((Edge(0, "conv_1x1"),)), inputs=1),
        r"needs cells with 2 inputs, but the normal cell has 1",
    ),
    (lone(Node(())), r"node 0 of the normal cell has no edges; give it at least one"),
    (
        lone(Node((Edge(2, "conv_1x1"),))),
        r"node 0 of the normal cell reads state 2; expected one of 0 to 1",
    ),
    (
        lone(Node((Edge(0, "conv_1x1"),)), (9,)),
        r"the normal cell puts out states \(9,\); expected .* 0 to 2",
    ),
    (
        lone(Node((Edge(0, "konv_1x1"),))),
        r"no op is called 'konv_1x1'; .* did you mean 'conv_1x1'\?",
    ),
]


@pytest.mark.parametrize(("genotype", "sentence"), REFUSED_GENOTYPES)
def test_a_genotype_that_makes_no_network_is_refused(genotype: Genotype, sentence: str) -> None:
    with pytest.raises(NetworkError, match=sentence):
        build_network(genotype, TINY)


def test_a_network_of_another_layout_is_refused() -> None:
    with pytest.raises(
        NetworkError, match=r"nasbench201 layout has a network of its own; call build_network"
    ):
        Network(NASNET_A, SKELETONS["nasbench201"])


class TestWhereItWorks:
    @pytest.mark.parametrize("size", [*range(8, 16), 31])
    @pytest.mark.parametrize("layout", ["cifar", "imagenet"])
    def test_any_image_size(self, size: int, layout: str) -> None:
        skeleton = replace(TINY, layout=layout, image_size=size)
        assert Network(NASNET_A, skeleton)(images(skeleton)).shape == (2, 3)

    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_any_number_of_channels(self, channels: int) -> None:
        skeleton = replace(TINY, channels=channels)
        assert Network(NASNET_A, skeleton)(images(skeleton)).isfinite().all()

    def test_copies_and_pickles_give_the_same_numbers(self) -> None:
        network = tiny().eval()
        expected = network(images())
        assert torch.equal(copy.deepcopy(network)(images()), expected)
        assert torch.equal(pickle.loads(pickle.dumps(network))(images()), expected)

    def test_channels_last(self) -> None:
        network = tiny().eval()
        expected = network(images())
        network = network.to(memory_format=torch.channels_last)
        torch.testing.assert_close(
            network(images().to(memory_format=torch.channels_last)), expected, rtol=1e-4, atol=1e-4
        )

    def test_bf16_autocast(self) -> None:
        network = tiny(drop_path_keep=0.5, drop_path_steps=2)
        network.begin_step(1, 2, torch.Generator().manual_seed(0))
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(images())
        logits.float().sum().backward()
        assert logits.dtype == torch.bfloat16
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())

    def test_meta_device(self) -> None:
        with torch.device("meta"):
            network = tiny()
        assert all(p.is_meta for p in network.parameters())
        assert network(images().to("meta")).shape == (2, 3)

    def test_export(self) -> None:
        network = Network(SMALL, TINY).eval()
        program = torch.export.export(
            network, (images(),), dynamic_shapes=({0: torch.export.Dim("batch")},)
        )
        for batch in (2, 5):
            torch.testing.assert_close(
                program.module()(images(batch=batch)), network(images(batch=batch))
            )

    def test_compile_in_one_graph_that_outlives_steps(self) -> None:
        from torch._dynamo.testing import CompileCounter

        counter = CompileCounter()
        network = Network(SMALL, replace(TINY, drop_path_keep=0.5, drop_path_steps=4))
        compiled = torch.compile(network, backend=counter, fullgraph=True)
        for step in range(4):
            network.begin_step(step, 2, torch.Generator().manual_seed(step))
            torch.testing.assert_close(compiled(images()), network(images()))
        assert counter.frame_count == 1

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore")
    def test_inductor(self) -> None:
        network = tiny().eval()
        torch.testing.assert_close(
            torch.compile(network, fullgraph=True)(images()),
            network(images()),
            rtol=1e-3,
            atol=1e-3,
        )


def test_weights_come_from_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (
        Network(NASNET_A, TINY, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)
    )
    assert not torch.equal(first.head.linear.weight, other.head.linear.weight)
    assert not first.head.linear.bias.any()
    assert torch.equal(tiny().head.linear.weight, tiny().head.linear.weight)


def test_layouts_are_dispatched() -> None:
    cell = Cell((Node((Edge(0, "conv_3x3"),)),), inputs=1)
    genotype = Genotype("nasbench201", {"normal": cell})
    assert isinstance(
        build_network(genotype, replace(SKELETONS["nasbench201"], filters=4)), NasBench201Network
    )
    assert isinstance(build_network(NASNET_A, TINY), Network)


def test_the_gradient_of_a_strided_point_convolution_stays_within_its_memory() -> None:
    """On processors without AVX-512, oneDNN 3.12 writes beyond its memory there."""
    script = """
import torch
from search_spaces.cells.layers import Conv
from search_spaces.cells.skeleton import Skeleton

convs = [(channels, Conv(channels, 8, 1, Skeleton(), stride=2)) for channels in (3, 4, 12)]
for channels, conv in 30 * convs:
    torch.nn.init.normal_(conv.weight)
    images = torch.randn(32, channels, 8, 8, requires_grad=True)
    conv(images).square().sum().backward()
    exact = torch.nn.functional.conv2d(images.double(), conv.weight.double(), stride=2)
    slope = torch.autograd.grad(exact.square().sum(), (images, conv.weight))
    torch.testing.assert_close((images.grad, conv.weight.grad), slope, rtol=1e-4, atol=1e-4)
    conv.zero_grad()
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
