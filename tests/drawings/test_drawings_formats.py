"""SVG, PNG, DOT and terminal drawings: valid, complete, the same every time."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from nas.drawings.cells import cells_drawing
from nas.drawings.dot import cells_dot
from nas.drawings.palette import KINDS, STYLES, kind_of, spoken
from nas.drawings.png import write_png
from nas.drawings.stack import stack_drawing, storeys_of
from nas.drawings.svg import cell_svg, cells_svg, stack_svg
from nas.drawings.terminal import cells_text, draws_boxes
from nas.errors import NasError
from parts.drawn_cells import cell, cells, genotype
from search_spaces import zoo
from search_spaces.cells.genotype import OP_NAMES, Cell, Genotype
from search_spaces.cells.skeleton import SKELETONS, Skeleton

SVG = "{http://www.w3.org/2000/svg}"
NASNET_A = zoo.load("nasnet-a").genotype


def texts(svg: str, role: str = "") -> list[str]:
    found = ET.fromstring(svg).iter(f"{SVG}text")
    return [element.text or "" for element in found if role in (element.get("class") or "")]


def ops_of(drawn: Genotype) -> Counter[str]:
    return Counter(
        edge.op for each in drawn.cells.values() for node in each.nodes for edge in node.edges
    )


@settings(max_examples=20, deadline=None)
@given(cells(5))
def test_every_format_shows_every_op_and_state(drawn: Cell) -> None:
    both = genotype(drawn, drawn)
    states = [str(state) for state in range(drawn.inputs, drawn.inputs + len(drawn.nodes))]
    drawing = cells_svg(both)
    assert Counter(texts(drawing, "nas-ink")) >= Counter(map(spoken, ops_of(both).elements()))
    assert Counter(texts(drawing, "nas-muted")) >= Counter(states * 2)
    dot = cells_dot(both)
    rows = cells_text(both, 200)
    for op, count in ops_of(both).items():
        assert dot.count(f'tooltip="{op}"') == count
        assert len(re.findall(rf"\b{op}\(", rows)) == count
    for state in states:
        assert f'label="{state}: ' in dot
        assert re.search(rf"[─●]{state}\b", rows)
    assert check_dot(dot) == 2 * (
        1 + drawn.inputs + len(drawn.nodes) + (len(drawn.output_states) > 1)
    ) + sum(ops_of(both).values())


def check_dot(text: str) -> int:
    """Every line is a statement of DOT, braces match, edges join nodes that were made; returns
    their number."""
    word = r'"(?:[^"\\]|\\.)*"'
    attributes = rf"\[\w+=({word}|[\w.]+)(, \w+=({word}|[\w.]+))*\]"
    made, joined, depth = set(), set(), 0
    for line in map(str.strip, text.splitlines()):
        if match := re.fullmatch(rf"({word}) {attributes};", line):
            made.add(match[1])
        elif match := re.fullmatch(rf"({word}) -> ({word});", line):
            joined.update(match.groups())
        elif re.fullmatch(rf"(di|sub)graph {word} {{", line):
            depth += 1
        elif line == "}":
            depth -= 1
        else:
            assert re.fullmatch(rf"((graph|node|edge) {attributes}|label={word});", line), line
    assert depth == 0
    assert joined <= made
    return len(made)


def test_names_that_need_quoting_are_quoted() -> None:
    strange = Genotype('a "quoted" \\ <space> & more', dict(NASNET_A.cells))
    assert check_dot(cells_dot(strange)) > 20
    root = ET.fromstring(cells_svg(strange))
    assert 'a "quoted" \\ <space> & more' in (root.findtext(f"{SVG}title") or "")


def test_an_svg_says_what_it_shows_to_those_who_cannot_see_it() -> None:
    root = ET.fromstring(cells_svg(NASNET_A, title="NASNet-A"))
    assert root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert title.text == "NASNet-A: normal and reduction cells"
    assert "2 = sep_5x5(1) + sep_3x3(0)" in (description.text or "")
    assert "output = concat of 0, 2, 3, 4, 5, 6." in (description.text or "")


def test_themes_differ_in_colour_only() -> None:
    light, dark, auto = (cells_svg(NASNET_A, theme) for theme in ("light", "dark", "auto"))
    assert texts(light) == texts(dark) == texts(auto)
    assert STYLES["light"]["page"].fill in light
    assert STYLES["light"]["page"].fill not in dark
    assert "prefers-color-scheme:dark" in auto
    assert "<style>" not in light + dark
    with pytest.raises(
        NasError,
        match="no theme is called 'drak'; there are auto, dark, light; did you mean 'dark'",
    ):
        cells_svg(NASNET_A, "drak")


def test_both_themes_style_every_role() -> None:
    assert STYLES["light"].keys() == STYLES["dark"].keys()
    assert {f"op-{kind}" for kind in KINDS} <= STYLES["light"].keys()
    assert {kind_of(op) for op in OP_NAMES} | {"other"} == KINDS.keys()
    assert kind_of("shuffle") == "other"


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_stand_out_from_their_boxes(theme: str) -> None:
    """Contrast of at least 4.5, as WCAG asks for text of this size."""
    styles = STYLES[theme]
    pairs = [
        ("ink", role)
        for role in styles
        if role.startswith(("op-", "cell-", "input", "layer", "page"))
    ]
    for words, ground in [*pairs, ("muted", "page"), ("reversed", "combine")]:
        bright, dim = sorted(
            (luminance(styles[words].fill), luminance(styles[ground].fill)), reverse=True
        )
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, (words, ground)


def test_drawings_are_the_same_bytes_in_every_process() -> None:
    script = (
        "from search_spaces import zoo; from nas.drawings.svg import cells_svg; from "
        "nas.drawings.dot import cells_dot;"
        "g = zoo.load('darts-v2').genotype; print(cells_svg(g), cells_dot(g))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        for seed in ("1", "2")
    ]
    drawn = zoo.load("darts-v2").genotype
    assert runs[0].stdout == runs[1].stdout
    assert runs[0].stdout.decode().strip() == f"{cells_svg(drawn)} {cells_dot(drawn)}".strip()


def test_one_cell_alone() -> None:
    alone = texts(cell_svg(NASNET_A.cells["reduction"], "reduction"))
    assert "Reduction cell" in alone
    assert "Normal cell" not in alone


def test_a_legend_names_the_kinds_that_occur_and_no_others() -> None:
    written = texts(cells_svg(NASNET_A))
    assert [name for name in KINDS.values() if name in written] == [
        "separable convolution",
        "pooling",
        "identity",
    ]


def test_bare_choices_have_nothing_to_draw() -> None:
    table = Genotype("table", {}, {"d_0": 1})
    for draw in (cells_svg, cells_dot, cells_text):
        with pytest.raises(
            NasError, match="this genotype of space 'table' has choices and no cells"
        ):
            draw(table)


def test_the_terminal_drawing_of_a_small_cell() -> None:
    small = genotype(cell("sep_3x3(0)+identity(1), sep_5x5(0)+avg_3x3(1)", (0, 2, 3)))
    assert cells_text(small) == "\n".join(
        [
            "Normal cell",
            "h[i+1] ◀─●───────●───●   concat(0, 2, 3)",
            "         │       │   │",
            "         ●───●───┼───3   sep_5x5(0) + avg_3x3(1)",
            "         │   │   │",
            "         ●───●───2       sep_3x3(0) + identity(1)",
            "         │   │",
            "         0   1           0 = h[i-1], 1 = h[i]",
        ]
    )


def test_a_rail_ends_where_its_state_is_last_read() -> None:
    rows = cells_text(genotype(cell("identity(0)+identity(0), sep_3x3(2)+sep_3x3(2)"))).splitlines()
    assert rows[1] == "h[i+1] ◀─────────────●   = 3"
    assert rows[2] == "                     │"
    assert rows[-1].split()[:2] == ["0", "1"]


@settings(max_examples=30, deadline=None)
@given(cells(8))
def test_terminal_drawings_keep_to_their_width_and_to_ascii_where_asked(drawn: Cell) -> None:
    both = genotype(drawn, drawn)
    for width in (60, 100, 160):
        assert max(map(len, cells_text(both, width).splitlines())) <= width
    plain = cells_text(both, 100, plain=True)
    assert plain.isascii()
    assert len(plain) == len(cells_text(both, 100))
    coloured = cells_text(both, 100, color=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == cells_text(both, 100)


def test_cells_stand_side_by_side_where_the_terminal_is_wide() -> None:
    wide, narrow = cells_text(NASNET_A, 140).splitlines(), cells_text(NASNET_A, 100).splitlines()
    assert len(wide) * 2 < len(narrow)
    assert max(map(len, narrow)) <= 100


def test_more_states_than_rails_fit_are_listed() -> None:
    many = genotype(cell(", ".join(f"sep_3x3({node})+identity({node + 1})" for node in range(60))))
    assert "61 = sep_3x3(59) + identity(60)" in cells_text(many, 80).splitlines()


def test_encodings_that_carry_box_characters() -> None:
    assert draws_boxes("utf-8")
    assert not draws_boxes("latin-1")
    assert not draws_boxes(None)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_png_is_the_twin_of_its_svg(theme: str, tmp_path: Path) -> None:
    drawing = cells_drawing(NASNET_A)
    write_png(drawing, tmp_path / "a.png", theme, scale=1)
    write_png(drawing, tmp_path / "b.png", theme, scale=1)
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n")
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    assert abs(width - drawing.width) <= 1
    assert abs(height - drawing.height) <= 1


def test_a_drawing_is_a_pdf_where_the_file_is_called_so(tmp_path: Path) -> None:
    write_png(stack_drawing(NASNET_A, Skeleton()), tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_pictures_without_matplotlib_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(NasError, match=r"pip install 'nas-toolkit\[plots\]', or write SVG instead"):
        write_png(cells_drawing(NASNET_A), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_a_picture_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NasError, match=r"cannot be written: No such file or directory"):
        write_png(cells_drawing(NASNET_A), tmp_path / "missing" / "a.png")


@pytest.mark.parametrize(
    ("preset", "maps"),
    [
        ("cifar", "32×32, 192; 16×16, 256; 16×16, 384; 8×8, 512; 8×8, 768"),
        (
            "imagenet-mobile",
            "56×56, 44; 28×28, 88; 28×28, 264; 14×14, 352; 14×14, 528; 7×7, 704; 7×7, 1056",
        ),
        (
            "imagenet-large",
            (
                "83×83, 168; 42×42, 336; 42×42, 1008; 21×21, 1344; 21×21, 2016; 11×11, 2688; "
                "11×11, "
                "4032"
            ),
        ),
    ],
)
def test_stacks_have_the_published_maps(preset: str, maps: str) -> None:
    storeys = storeys_of(NASNET_A, SKELETONS[preset])
    cells_only = [storey for storey in storeys if storey.role.startswith("cell-")]
    assert [storey.map.removesuffix(" channels") for storey in cells_only] == maps.split("; ")
    normal = [storey.times for storey in cells_only if storey.role == "cell-normal"]
    assert normal == [SKELETONS[preset].cells_per_stage] * 3


def test_a_stack_shows_the_auxiliary_head_where_it_is_on() -> None:
    off, on = (
        stack_svg(NASNET_A, replace(Skeleton(), auxiliary=auxiliary)) for auxiliary in (False, True)
    )
    assert "Auxiliary head (training only)" not in texts(off)
    assert "Auxiliary head (training only)" in texts(on)
    assert {"× 6", "ReLU, global average pooling", "10 classes", "image"} <= set(texts(on))


def test_the_stack_of_nasbench201_has_residual_blocks() -> None:
    one_input = genotype(
        cell("conv_3x3(0), none(0)+avg_3x3(1), identity(0)+conv_1x1(1)+conv_3x3(2)", inputs=1)
    )
    written = texts(stack_svg(one_input, SKELETONS["nasbench201"]))
    assert "Residual block, F = 32, stride 2" in written
    assert "8×8, 64 channels" in written


def test_a_stack_needs_the_cells_of_its_layout() -> None:
    with pytest.raises(
        NasError, match="this genotype has no reduction cell, which the cifar layout needs"
    ):
        stack_svg(genotype(NASNET_A.cells["normal"]), Skeleton())
