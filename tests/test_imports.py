"""The rooms and their arrows: who may import what, read from the source and tried in a fresh interpreter."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("search_spaces", "nas", "runners")
FILES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))

# Heavy packages have one home each: path prefixes that may import them.
HOMES = {
    "ray": ("runners/ray_tune.py", "runners/_ray"),
    "optuna": ("nas/strategies/optuna_sampler.py", "nas/integrations/", "nas/reports/dashboard.py"),
    "optuna_dashboard": ("nas/reports/dashboard.py",),
    "pandas": (
        "nas/reports/",
        "nas/evaluators/table.py",
        "nas/evaluators/_table_file.py",
        "nas/evaluators/_row_index.py",
    ),
    "matplotlib": ("nas/reports/",),
    "scipy": ("nas/reports/",),
    "typer": ("nas/cli/",),
    "rich": ("nas/cli/",),
    "onnx": ("nas/exporting/formats/",),
    "onnxruntime": ("nas/exporting/formats/",),
    "onnxscript": ("nas/exporting/formats/",),
}
BELOW = {
    "search_spaces": {"torch", "numpy", "search_spaces"},
    "nas/training": {"torch", "numpy", "safetensors", "search_spaces", "nas"},
}
TRAINING_MAY_USE = (
    "nas.training",
    "nas.seeding",
    "nas.errors",
    "nas.contracts",
    "nas.evaluators._expressions",
    "nas.training.datasets",
)


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """Every absolute module a file imports, and whether only for type checking."""
    tree = ast.parse(file.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in typing_only) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) in typing_only


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_heavy_packages_stay_in_their_homes(file: Path) -> None:
    for module, _ in imports(file):
        homes = HOMES.get(module.partition(".")[0])
        assert homes is None or name_of(file).startswith(homes), f"{name_of(file)} imports {module}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_arrows_point_down_only(file: Path) -> None:
    name = name_of(file)
    for module, typing_only in imports(file):
        top = module.partition(".")[0]
        if name.startswith("search_spaces/"):
            assert top in BELOW["search_spaces"] or top in sys.stdlib_module_names, (
                f"{name} imports {module}"
            )
        if name.startswith("nas/"):
            assert top != "runners", (
                f"{name} imports {module}: runners are reached by name, through the registry"
            )
        if name.startswith("nas/training/") and not typing_only:
            assert top in BELOW["nas/training"] or top in sys.stdlib_module_names, (
                f"{name} imports {module}"
            )
            assert top != "nas" or module.startswith(TRAINING_MAY_USE), f"{name} imports {module}"


def modules_after(statement: str) -> set[str]:
    """The top-level packages loaded in a fresh interpreter after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(answer.stdout.split("\n")[-2].split())


@pytest.mark.parametrize(
    "statement",
    [
        "import nas",
        "import nas.cli",
        "import nas.contracts, nas.registry; nas.registry.names('strategy'); nas.registry.names('space')",
        "from search_spaces.cells.genotype import Genotype",
    ],
)
def test_light_things_stay_light(statement: str) -> None:
    heavy = {"torch", "pandas", "optuna", "ray", "matplotlib", "scipy", "pydantic"}
    assert modules_after(statement) & heavy == set()


def test_a_table_search_never_imports_torch() -> None:
    loaded = modules_after(
        "import nas.search.run, nas.search.words, nas.study.study, nas.evaluators.table, nas.evaluators.landscape\n"
        "import nas.strategies.random_search, nas.strategies.evolution, runners.local, search_spaces.nasbench201"
    )
    assert "torch" not in loaded
    assert "optuna" not in loaded


def test_a_bare_gpu_machine_can_train() -> None:
    """Search spaces and training need torch, numpy and safetensors alone."""
    blocked = ["pydantic", "pandas", "optuna", "ray", "typer", "rich", "matplotlib", "scipy"]
    block = f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\n"
    loaded = modules_after(
        block + "import search_spaces.cells.network, nas.training.trainer, nas.training.recipe"
    )
    assert "torch" in loaded
