"""Cells that drawings are tried on: the published ones, and any that hypothesis thinks of."""

from hypothesis import strategies as st

from search_spaces.cells.genotype import NASNET_OPS, Cell, Edge, Genotype, Node

OPS = (*NASNET_OPS, "none", "dil_5x5")


def cell(text: str, outputs: tuple[int, ...] | None = None, inputs: int = 2) -> Cell:
    """`cell("sep_3x3(0)+identity(1), max_3x3(2)")`: nodes by comma, edges by plus."""
    nodes = []
    for node in text.replace(" ", "").split(","):
        edges = [edge.rstrip(")").split("(") for edge in node.split("+")]
        nodes.append(Node(tuple(Edge(int(source), op) for op, source in edges)))
    return Cell(tuple(nodes), outputs, inputs)


@st.composite
def cells(draw: st.DrawFn, most_nodes: int = 8) -> Cell:
    """Cells of one or two inputs with any number of edges, both combines and any outputs."""
    inputs = draw(st.integers(1, 2))
    nodes = []
    for index in range(draw(st.integers(1, most_nodes))):
        edges = draw(
            st.lists(
                st.tuples(st.integers(0, inputs + index - 1), st.sampled_from(OPS)),
                min_size=1,
                max_size=4,
            )
        )
        nodes.append(
            Node(tuple(Edge(*edge) for edge in edges), draw(st.sampled_from(("add", "concat"))))
        )
    states = inputs + len(nodes)
    outputs = draw(
        st.none() | st.lists(st.integers(0, states - 1), min_size=1, max_size=states, unique=True)
    )
    return Cell(tuple(nodes), None if outputs is None else tuple(outputs), inputs)


def genotype(normal: Cell, reduction: Cell | None = None) -> Genotype:
    """A genotype of these cells."""
    return Genotype(
        "nasnet",
        {"normal": normal} if reduction is None else {"normal": normal, "reduction": reduction},
    )
