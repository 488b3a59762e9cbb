"""The rooms and their arrows: who may import what, read from the source and tried in a fresh
interpreter."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("search_spaces", "nas", "runners")
FILES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))

# A room and the rooms it may use; every arrow is counted, lazy and typing imports too. Stairs only
# lead down: a new arrow is a decision, to be written here.
GROUND = {"errors", "seeding"}  # what everyone may stand on
ROOM_MAY_USE: dict[str, set[str]] = {
    "ground": {"search_spaces"},  # its errors are ours too
    "search_spaces": set(),
    "hall": {"search_spaces"},  # contracts, registry, settings: what writers of parts import
    "study": {"hall", "search_spaces"},
    "training": {"hall", "search_spaces"},
    "strategies": {"hall", "study", "search_spaces"},
    "drawings": {"hall", "search_spaces"},
    "evaluators": {"hall", "study", "training", "search_spaces"},
    "search": {"hall", "study", "training", "drawings", "evaluators", "search_spaces"},
    "reports": {"hall", "study", "strategies", "drawings", "search", "search_spaces"},
    "exporting": {"hall", "study", "training", "drawings", "search", "search_spaces"},
    "full_size": {
        *("hall", "study", "training", "search", "evaluators", "exporting", "reports"),
        "search_spaces",
    },
    "cli": {
        *("hall", "study", "strategies", "training", "drawings", "search", "reports"),
        *("exporting", "full_size", "search_spaces"),
    },
    "runners": {"hall", "study", "training", "full_size", "search_spaces"},
    # For writers of parts; it is no room of the house, and no room may use it.
    "testing": {"hall", "study", "training", "search", "exporting", "search_spaces"},
}
# Heavy packages have one home each: path prefixes that may import them.
HOMES = {
    "ray": ("runners/ray_tune.py", "runners/on_ray/", "runners/places/"),
    "optuna": (
        "nas/strategies/optuna_sampler.py",
        "nas/strategies/controller/as_optuna_sampler.py",
        "nas/reports/dashboard.py",
    ),
    "optuna_dashboard": ("nas/reports/dashboard.py",),
    "pandas": (
        "nas/reports/",
        "nas/evaluators/table.py",
        "nas/evaluators/_",
        "nas/search/trials.py",
    ),
    "matplotlib": ("nas/reports/", "nas/drawings/png.py"),
    "scipy": ("nas/reports/",),
    "tensorboardX": ("nas/search/trackers/", "nas/reports/controller.py"),
    "mlflow": ("nas/search/trackers/",),
    "wandb": ("nas/search/trackers/",),
    "huggingface_hub": ("nas/exporting/pushing.py",),
    "typer": ("nas/cli/",),
    "rich": ("nas/cli/",),
    "onnx": ("nas/exporting/formats/",),
    "onnxruntime": ("nas/exporting/formats/",),
    "onnxscript": ("nas/exporting/formats/",),
}
# What a bare GPU machine has: rooms that import nothing else, but for types.
BARE = {"torch", "numpy", "safetensors", "search_spaces", "nas"}
# A dataset of pictures needs Pillow.
EXTRAS = {"nas/training/datasets/_pictures.py": {"PIL"}}


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
    for module, typing_only in imports(file):
        homes = HOMES.get(module.partition(".")[0])
        assert typing_only or homes is None or name_of(file).startswith(homes), (
            f"{name_of(file)} imports {module}"
        )


def room_of(module: str) -> str:
    """The room a module lies in: a folder of `nas`, the files of its hall, or another package."""
    top, *rest = module.split(".")
    if top != "nas":
        return top
    folder = ROOT.joinpath("nas", *rest[:1])
    if not rest or rest[0] == "__main__":
        return "door"
    if rest[0] in GROUND:
        return "ground"
    return rest[0] if folder.is_dir() else "hall"


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file): file for file in FILES}


@cache
def arrows() -> list[tuple[str, str]]:
    """From every module of ours to every module of ours that it imports."""
    return sorted(set(read_arrows()))


def read_arrows() -> Iterator[tuple[str, str]]:
    """The same, one after another and some twice."""
    for module, file in MODULES.items():
        for name in imported_names(file):
            found = name if name in MODULES else name.rpartition(".")[0]
            is_version = name in ("nas", "nas.__version__")
            if found in MODULES and found != module and not is_version:
                yield module, found


def imported_names(file: Path) -> Iterator[str]:
    """`a.b` of `import a.b`, and `a.b.c` of `from a.b import c`, `c` a name or a module."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_arrow_between_rooms_is_in_the_table() -> None:
    wrong = [
        f"{room_of(source)} may not use {room_of(target)}: {source} imports {target}"
        for source, target in arrows()
        if room_of(source) != room_of(target)
        and room_of(target) != "ground"
        and room_of(target) not in ROOM_MAY_USE.get(room_of(source), set())
        and not source.endswith("__main__")
        and source != "nas"  # the public door opens on every room
    ]
    assert not wrong, "\n".join(wrong)


def test_the_table_holds_no_arrow_that_nobody_uses() -> None:
    used = {(room_of(source), room_of(target)) for source, target in arrows()}
    idle = [
        f"{room} -> {other}"
        for room, others in ROOM_MAY_USE.items()
        for other in others
        if (room, other) not in used
    ]
    assert not idle


def circles(edges: set[tuple[str, str]]) -> list[list[str]]:
    """Groups of nodes that can all reach each other."""
    below: dict[str, set[str]] = {}
    for source, target in edges:
        below.setdefault(source, set()).add(target)

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for node in below.get(waiting.pop(), ()):
                if node not in seen:
                    seen.add(node)
                    waiting.append(node)
        return seen

    reached = {node: reach(node) for node in below}
    groups = {
        tuple(sorted(other for other in found if node in reached.get(other, ())))
        for node, found in reached.items()
        if node in found
    }
    return [list(group) for group in sorted(groups)]


def test_no_circle_of_files() -> None:
    assert circles(set(arrows())) == []


def test_no_circle_of_rooms() -> None:
    rooms = {(room_of(a), room_of(b)) for a, b in arrows() if a != "nas"}
    assert circles({(a, b) for a, b in rooms if a != b and "ground" not in (a, b)}) == []


def test_the_house_has_at_most_sixteen_rooms() -> None:
    inside = [path for path in (ROOT / "nas").iterdir() if not path.name.startswith("_")]
    folders = [path for path in inside if (path / "__init__.py").is_file()]
    folders.remove(ROOT / "nas" / "testing")
    files = [path for path in inside if path.suffix == ".py"]
    assert len(folders) <= 10
    assert len(files) <= 5


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_search_spaces_and_training_need_torch_numpy_and_safetensors_alone(file: Path) -> None:
    name = name_of(file)
    if not name.startswith(("search_spaces/", "nas/training/")):
        return
    for module, typing_only in imports(file):
        top = module.partition(".")[0]
        allowed = BARE | EXTRAS.get(name, set()) | sys.stdlib_module_names
        assert typing_only or top in allowed, f"{name} imports {module}"


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
        (
            "import nas.contracts, nas.registry; nas.registry.names('strategy'); "
            "nas.registry.names('space')"
        ),
        "from search_spaces.cells.genotype import Genotype",
    ],
)
def test_light_things_stay_light(statement: str) -> None:
    heavy = {"torch", "pandas", "optuna", "ray", "matplotlib", "scipy", "pydantic"}
    assert modules_after(statement) & heavy == set()


def test_parts_are_listed_without_torch() -> None:
    loaded = modules_after(
        "import sys; sys.argv = ['nas', 'list']; from nas.cli import main\n"
        "try: main()\n"
        "except SystemExit: print()"
    )
    assert loaded & {"torch", "pandas", "optuna", "ray", "matplotlib", "scipy"} == set()


def test_a_table_search_never_imports_torch() -> None:
    loaded = modules_after(
        "import nas.search.run, nas.search.words, nas.study.study, nas.evaluators.table, "
        "nas.evaluators.landscape\n"
        "import nas.strategies.random_search, nas.strategies.evolution, runners.local, "
        "search_spaces.nasbench201"
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
