"""Operations to the parameter and to the pixel."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from search_spaces.cells.initial_weights import initialize
from search_spaces.cells.layers import BatchNorm, Conv, FactorizedReduction, Pool, same_padding
from search_spaces.cells.ops import make_op
from search_spaces.cells.skeleton import Skeleton
from search_spaces.errors import NetworkError

SAME = Skeleton()
SYMMETRIC = Skeleton(alignment="symmetric")


def count(name: str, channels: int, filters: int, stride: int, semantics: str = "literal") -> int:
    with torch.device("meta"):
        operation = make_op(name, channels, filters, stride, Skeleton(op_semantics=semantics))
    return sum(p.numel() for p in operation.parameters())


widths = st.integers(1, 40)


@settings(max_examples=25, deadline=None)
@given(c=widths, f=widths, stride=st.sampled_from([1, 2]))
def test_literal_counts_are_the_closed_forms(c: int, f: int, stride: int) -> None:
    for k in (3, 5, 7):
        assert (
            count(f"sep_{k}x{k}", c, f, stride)
            == k * k * c + c * f + 2 * f + k * k * f + f * f + 2 * f
        )
        assert count(f"max_{k}x{k}", c, f, stride) == (0 if c == f else c * f + 2 * f)
    assert count("avg_3x3", c, f, stride) == (0 if c == f else c * f + 2 * f)
    assert count("identity", c, f, stride) == (0 if c == f and stride == 1 else c * f + 2 * f)
    assert count("conv_1x1", c, f, stride) == c * f + 2 * f
    assert count("conv_3x3", c, f, stride) == count("dil_3x3", c, f, stride) == 9 * c * f + 2 * f
    assert count("dil_5x5", c, f, stride) == 25 * c * f + 2 * f
    for k in (3, 7):
        assert count(f"conv_1x{k}_{k}x1", c, f, stride) == k * c * f + 2 * f + k * f * f + 2 * f
    assert count("none", c, f, stride) == 0


@settings(max_examples=25, deadline=None)
@given(c=widths, f=widths, stride=st.sampled_from([1, 2]))
def test_nds_counts_are_the_closed_forms(c: int, f: int, stride: int) -> None:
    for k in (3, 7):
        assert count(f"conv_1x{k}_{k}x1", c, f, stride, "nds") == k * c * f + k * f * f + 2 * f
    for k in (3, 5):
        assert count(f"dil_{k}x{k}", c, f, stride, "nds") == k * k * c + c * f + 2 * f
    assert count("conv_3x3", c, f, stride, "nds") == 9 * c * f + 2 * f
    assert count("identity", c, f, stride, "nds") == count(
        "identity", c, f, stride
    )  # factorized counts the same


@settings(max_examples=25, deadline=None)
@given(c=widths, f=st.integers(4, 40), stride=st.sampled_from([1, 2]))
def test_tpu_counts_are_bottlenecks(c: int, f: int, stride: int) -> None:
    def around(width: int, body: int) -> int:
        return c * width + 2 * width + body + width * f + 2 * f

    quarter, three_eighths = f // 4, 3 * f // 8
    assert count("conv_3x3", c, f, stride, "tpu") == around(quarter, 9 * quarter**2 + 2 * quarter)
    assert count("dil_3x3", c, f, stride, "tpu") == around(quarter, 9 * quarter**2 + 2 * quarter)
    for k, w in ((3, three_eighths), (7, quarter)):
        assert count(f"conv_1x{k}_{k}x1", c, f, stride, "tpu") == around(w, 2 * (k * w * w + 2 * w))


def test_a_tpu_bottleneck_without_channels_is_left_out() -> None:
    for name in ("conv_3x3", "dil_3x3", "conv_1x7_7x1"):
        assert count(name, 3, 3, 1, "tpu") == count(name, 3, 3, 1)


def test_an_unknown_operation_is_refused() -> None:
    with pytest.raises(
        NetworkError, match=r"no op is called 'sep_3x4'; there are .* did you mean 'sep_3x3'\?"
    ):
        make_op("sep_3x4", 3, 3, 1, SAME)


@given(
    size=st.integers(1, 60),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
)
def test_same_padding_lets_every_stride_see_its_pixel(
    size: int, kernel: int, stride: int, dilation: int
) -> None:
    before, after = same_padding(size, kernel, stride, dilation)
    reach = (kernel - 1) * dilation + 1
    assert (size + before + after - reach) // stride + 1 >= math.ceil(size / stride)
    assert 0 <= after - before <= 1
    if before + after > 0:  # as little as possible
        assert (size + before + after - 1 - reach) // stride + 1 < math.ceil(size / stride)


def by_hand(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    """A convolution under SAME padding, one window at a time."""
    side, kernel = x.shape[-1], weight.shape[-1]
    before, _ = same_padding(side, kernel, stride, dilation)
    out = -(-side // stride)
    result = x.new_zeros(x.shape[0], weight.shape[0], out, out)
    for i in range(out):
        for j in range(out):
            for a in range(kernel):
                for b in range(kernel):
                    row, column = (
                        i * stride - before + a * dilation,
                        j * stride - before + b * dilation,
                    )
                    if 0 <= row < side and 0 <= column < side:
                        result[:, :, i, j] += x[:, :, row, column] @ weight[:, :, a, b].T
    return result


@pytest.mark.parametrize("size", range(1, 10))
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (5, 1), (7, 1), (3, 2), (5, 2)])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_is_same_padded_at_every_size(
    size: int, kernel: int, dilation: int, stride: int
) -> None:
    conv = Conv(2, 3, kernel, SAME, stride=stride, dilation=dilation).double()
    initialize(conv)
    x = torch.randn(
        1, 2, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(size)
    )
    torch.testing.assert_close(conv(x), by_hand(x, conv.weight, stride, dilation))


@pytest.mark.parametrize("size", range(1, 10))
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_pools_see_real_pixels_only(size: int, kernel: int, stride: int) -> None:
    x = torch.randn(
        1, 1, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(size)
    )
    before, _ = same_padding(size, kernel, stride)
    out = -(-size // stride)
    average, largest = (
        Pool("average", kernel, 1, 1, stride, SAME)(x),
        Pool("max", kernel, 1, 1, stride, SAME)(x),
    )
    assert average.shape == largest.shape == (1, 1, out, out)
    for i in range(out):
        for j in range(out):
            rows = slice(max(0, i * stride - before), max(0, i * stride - before + kernel))
            columns = slice(max(0, j * stride - before), max(0, j * stride - before + kernel))
            window = x[0, 0, rows, columns]
            torch.testing.assert_close(average[0, 0, i, j], window.mean())
            torch.testing.assert_close(largest[0, 0, i, j], window.max())


EVEN = torch.arange(16.0).reshape(1, 1, 4, 4)


def test_average_divisor_at_stride_2() -> None:
    real = Pool("average", 3, 1, 1, 2, SAME)(EVEN)
    padded = Pool("average", 3, 1, 1, 2, Skeleton(average_divisor="padded"))(EVEN)
    assert real.flatten().tolist() == [5.0, 6.5, 11.0, 12.5]  # windows of 9, 6, 6 and 4 real pixels
    assert padded.flatten().tolist() == pytest.approx(
        [5.0, 6.5 * 6 / 9, 11.0 * 6 / 9, 12.5 * 4 / 9]
    )
    stride_1 = Pool("average", 3, 1, 1, 1, Skeleton(average_divisor="padded"))(EVEN)
    assert torch.equal(stride_1, Pool("average", 3, 1, 1, 1, SAME)(EVEN))


def test_max_padding_at_stride_2() -> None:
    below_zero = EVEN - 100
    assert Pool("max", 3, 1, 1, 2, SAME)(below_zero).flatten().tolist() == [
        -90.0,
        -89.0,
        -86.0,
        -85.0,
    ]
    with_zeros = Pool("max", 3, 1, 1, 2, Skeleton(max_padding="zero"))(below_zero)
    assert with_zeros.flatten().tolist() == [-90.0, 0.0, 0.0, 0.0]
    assert Pool("max", 3, 1, 1, 1, Skeleton(max_padding="zero"))(below_zero).max() == -85.0


def test_symmetric_alignment_at_stride_2() -> None:
    assert Pool("max", 3, 1, 1, 2, SAME)(EVEN).flatten().tolist() == [10.0, 11.0, 14.0, 15.0]
    assert Pool("max", 3, 1, 1, 2, SYMMETRIC)(EVEN).flatten().tolist() == [5.0, 7.0, 13.0, 15.0]
    assert Pool("average", 3, 1, 1, 2, SYMMETRIC)(EVEN)[0, 0, 0, 0] == 2.5
    conv = Conv(1, 1, 3, SYMMETRIC, stride=2)
    torch.nn.init.ones_(conv.weight)
    torch.testing.assert_close(conv(EVEN), F.conv2d(EVEN, conv.weight, stride=2, padding=1))
    dilated = Conv(1, 1, 3, SYMMETRIC, stride=2, dilation=2)
    torch.nn.init.ones_(dilated.weight)
    torch.testing.assert_close(
        dilated(EVEN), F.conv2d(EVEN, dilated.weight, stride=2, padding=2, dilation=2)
    )


def test_pool_and_convolution_of_a_raw_state_has_no_relu() -> None:
    operation = make_op("max_3x3", 1, 2, 1, SAME).eval()
    for p in operation.parameters():
        torch.nn.init.ones_(p)
    for module in operation.modules():
        if isinstance(module, BatchNorm):
            torch.nn.init.zeros_(module.bias)
    assert (operation(-torch.ones(1, 1, 2, 2)) < 0).all()


@pytest.mark.parametrize(("size", "filters"), [(4, 4), (5, 4), (4, 5), (5, 5), (1, 3), (6, 1)])
def test_factorized_reduction_pads_and_crops(size: int, filters: int) -> None:
    reduction = FactorizedReduction(3, filters, SAME).double().eval()
    initialize(reduction)
    x = torch.randn(
        2, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(5)
    )
    moved = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
    paths = [F.conv2d(moved[:, :, ::2, ::2], reduction.path_2.weight)]
    if reduction.path_1 is not None:
        paths.insert(0, F.conv2d(x[:, :, ::2, ::2], reduction.path_1.weight))
    assert [path.shape[1] for path in paths] == [
        n for n in (filters // 2, filters - filters // 2) if n
    ]
    expected = torch.cat(paths, dim=1) / math.sqrt(1 + 1e-5)
    torch.testing.assert_close(reduction(x), expected)
    assert (reduction(x) < 0).any()  # no ReLU inside


def test_crop_only_reductions_need_even_maps() -> None:
    reduction = FactorizedReduction(3, 4, Skeleton(factorized_path="crop"))
    initialize(reduction)
    assert reduction(torch.ones(2, 3, 4, 4)).shape == (2, 4, 2, 2)
    with pytest.raises(
        NetworkError, match=r"factorized_path 'crop' needs even maps, but met 5x5; use 'pad-crop'"
    ):
        reduction(torch.ones(2, 3, 5, 5))


def test_weights_are_he_fan_out_truncated_normal() -> None:
    conv, depthwise = Conv(50, 80, 3, SAME), Conv(400, 400, 5, SAME, depthwise=True)
    initialize(torch.nn.ModuleList([conv, depthwise]))
    for layer, fan_out in ((conv, 9 * 80), (depthwise, 25)):
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.03)
        assert layer.weight.abs().max().item() <= 2 * math.sqrt(2.6 / fan_out) * (1 + 1e-6)
