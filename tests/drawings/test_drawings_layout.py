"""Layouts: no avoidable crossing, nothing on top of anything else, lines beside boxes."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings

from nas.drawings.cells import cell_drawing, cells_drawing
from nas.drawings.crossings import arrangements, crossings
from nas.drawings.layering import bundled, layered, lowest_floors
from nas.drawings.layout import layout
from nas.drawings.reinsert import reinserted
from nas.drawings.shapes import Box, Curve, Label, Point
from parts.drawn_cells import cell, cells, genotype
from search_spaces import zoo
from search_spaces.cells.genotype import Cell

# Three nodes that all read both inputs and all lead to the output make a K(3,3), which nobody draws
# without a crossing; the reduction cell of DARTS is planar, but not with every line rising.
UNAVOIDABLE = {
    ("nasnet-a", "normal"): 0,
    ("nasnet-a", "reduction"): 1,
    ("amoebanet-a", "normal"): 0,
    ("amoebanet-a", "reduction"): 1,
    ("pnasnet-5", "normal"): 0,
    ("enas", "normal"): 1,
    ("darts-v2", "normal"): 1,
    ("darts-v2", "reduction"): 1,
}


@pytest.mark.parametrize(("name", "role"), UNAVOIDABLE)
def test_published_cells_have_the_fewest_crossings_known(name: str, role: str) -> None:
    published = zoo.load(name).genotype.cells[role]
    assert crossings(layout(published).drawn) == UNAVOIDABLE[name, role]


@pytest.mark.parametrize(
    "planar",
    [
        cell("sep_3x3(0)+sep_3x3(1)"),
        cell("sep_3x3(0)+sep_3x3(1), sep_3x3(0)+sep_3x3(1)"),
        cell(
            "sep_3x3(0)+identity(0), sep_3x3(1)+identity(1), avg_3x3(2)+max_3x3(3)", (0, 1, 2, 3, 4)
        ),
        cell("conv_3x3(0), none(0)+avg_3x3(1), identity(0)+conv_1x1(1)+conv_3x3(2)", inputs=1),
        cell(
            "identity(0)+identity(0), identity(2)+identity(2), identity(3)+identity(3), "
            "identity(4)+identity(4)"
        ),
    ],
)
def test_planar_cells_are_drawn_without_crossings(planar: Cell) -> None:
    assert crossings(layout(planar).drawn) == 0


def test_crossings_are_counted_line_by_line() -> None:
    crossed = cell("identity(1)+identity(1), identity(0)")
    natural = layered(crossed, lowest_floors(crossed, (0, 0)), shared=False)
    assert natural.layers == (((0,), (1,)), ((2,), (3,)), ((-1,),))
    assert crossings(natural) == 2


@settings(max_examples=15, deadline=None)
@given(cells())
def test_the_search_is_never_worse_than_the_natural_order(drawn: Cell) -> None:
    best = arrangements(drawn)
    natural = bundled(layered(drawn, lowest_floors(drawn, (0,) * drawn.inputs), shared=False))
    assert crossings(best[0]) <= crossings(natural)
    assert len({crossings(one) for one in best}) == 1


@settings(max_examples=25, deadline=None)
@given(cells())
def test_putting_lines_back_loses_no_item_and_adds_no_crossing(drawn: Cell) -> None:
    natural = layered(drawn, lowest_floors(drawn, (0,) * drawn.inputs), shared=False)
    again = reinserted(natural)
    assert crossings(again) <= crossings(natural)
    assert [sorted(layer) for layer in again.layers] == [sorted(layer) for layer in natural.layers]


@settings(max_examples=15, deadline=None)
@given(cells(), cells(4))
def test_nothing_lies_on_anything_else(first: Cell, second: Cell) -> None:
    check_room(genotype(first, second))


@pytest.mark.parametrize("name", zoo.names())
def test_published_cells_leave_room_between_everything(name: str) -> None:
    check_room(zoo.load(name).genotype)


@settings(max_examples=12, deadline=None)
@given(cells(6))
def test_drawn_lines_cross_as_often_as_counted(drawn: Cell) -> None:
    placed = layout(drawn)
    curves = [shape for shape in cells_drawing(genotype(drawn)).shapes if isinstance(shape, Curve)]
    found = sum(meetings(sampled(a), sampled(b)) for a, b in combinations(curves, 2))
    assert found == crossings(placed.drawn)


def check_room(drawn_genotype) -> None:  # type: ignore[no-untyped-def]
    drawing = cells_drawing(drawn_genotype)
    boxes = [shape for shape in drawing.shapes if isinstance(shape, Box)]
    labels = [shape for shape in drawing.shapes if isinstance(shape, Label)]
    for a, b in combinations(boxes, 2):
        assert not overlap(frame(a), frame(b)), (a, b)
    for a, b in combinations(labels, 2):
        assert not overlap(a.box, b.box), (a, b)
    for label in labels:
        assert 0 <= label.box[0] <= label.box[2] <= drawing.width
        for box in boxes:
            assert inside(label.box, frame(box)) or not overlap(label.box, frame(box)), (label, box)
    for curve in (shape for shape in drawing.shapes if isinstance(shape, Curve)):
        for x, y in sampled(curve):
            for box in boxes:
                left, top, right, bottom = frame(box)
                assert not (left < x < right and top + 0.2 < y < bottom - 0.2), (curve, box)


def frame(box: Box) -> tuple[float, float, float, float]:
    return box.x, box.y, box.x + box.width, box.y + box.height


Frame = tuple[float, float, float, float]


def overlap(a: Frame, b: Frame) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def inside(a: Frame, b: Frame) -> bool:
    return b[0] <= a[0] and a[2] <= b[2] and b[1] <= a[1] and a[3] <= b[3]


def sampled(curve: Curve, steps: int = 16) -> list[Point]:
    points, start = [curve.start], curve.start
    for first, second, end in curve.pieces:
        for step in range(1, steps + 1):
            t = step / steps
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            corners = (start, first, second, end)
            points.append(
                tuple(
                    sum(w * c[axis] for w, c in zip(weights, corners, strict=True))
                    for axis in (0, 1)
                )
            )  # type: ignore[arg-type]
        start = end
    return points


def meetings(one: list[Point], other: list[Point]) -> int:
    if (
        one[-1][1] >= other[0][1] or other[-1][1] >= one[0][1]
    ):  # lines rise: one ends below the other's beginning
        return 0
    return sum(cross(a, b, c, d) for a, b in pairwise(one) for c, d in pairwise(other))


def cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    if max(a[1], b[1]) < min(c[1], d[1]) or max(c[1], d[1]) < min(a[1], b[1]):
        return False

    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < -1e-6 and side(c, d, a) * side(c, d, b) < -1e-6


@pytest.mark.parametrize(("nodes", "edges"), [(12, 3), (64, 2), (64, 64)])
def test_large_cells_are_laid_out_too(nodes: int, edges: int) -> None:
    """The largest that JSON lets in; effort falls with size, so none of them takes long."""
    text = ", ".join(
        "+".join(f"sep_3x3({(7 * node + 5 * edge) % (node + 2)})" for edge in range(edges))
        for node in range(nodes)
    )
    placed = layout(cell(text))
    assert len(placed.ops) == nodes
    assert all(len(ops) == edges for ops in placed.ops.values())


def test_cells_stand_below_one_another_where_a_page_would_shrink_their_text() -> None:
    published = zoo.load("nasnet-a").genotype
    both = cells_drawing(published)
    each = [cell_drawing(cell, role) for role, cell in published.cells.items()]
    assert both.width == max(drawing.width for drawing in each) <= 900
    assert both.height > max(drawing.height for drawing in each)
