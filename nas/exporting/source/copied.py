"""The text of operations that have none of their own: their source, with all that it is made of.

An op is one function; what it calls lies in the same file or in others. All of it is copied, so
that the exported file still needs torch alone. What has the name of something else in that file
gets another.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field, replace

from nas.errors import NasError
from search_spaces.cells.ops import op_called
from search_spaces.cells.skeleton import Skeleton

_SKELETON = ("search_spaces.cells.skeleton", "Skeleton")
_STYLE = '''
class Skeleton:
    """What the operations below ask of the network around them."""

{settings}
'''
_WRAPPED = '''
def {op}(channels: int, filters: int, stride: int = 1) -> nn.Module:
    """The operation as it was searched; its source stands below."""
    return {source}(channels, filters, stride, Skeleton())
'''

Place = tuple[str, str]  # a module and a name in it
_Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True, slots=True)
class Copied:
    """Definitions as text, and the imports that they need."""

    imports: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


def copied_ops(ops: Iterable[str], skeleton: Skeleton, taken: Container[str]) -> Copied:
    """The functions of these operations as text, and whatever they are made of.

    Args:
        taken: names that the rest of the file has given already.
    """
    functions = {op: inspect.unwrap(op_called(op)) for op in ops}
    if not functions:
        return Copied()
    copy = _Copy(taken, {*functions, _SKELETON[1]})
    names = {op: copy.take((each.__module__, each.__name__), op) for op, each in functions.items()}
    wrapped = [_WRAPPED.format(op=op, source=name) for op, name in names.items()]
    style = _STYLE.format(settings=_settings(copy.attributes, skeleton))
    return Copied(tuple(sorted(copy.imports)), (*wrapped, style, *copy.texts))


def _settings(asked: set[str], skeleton: Skeleton) -> str:
    """The settings that any of the copied definitions may ask for."""
    single = skeleton.layout == "nasbench201"
    read = replace(skeleton, alignment="symmetric") if single else skeleton  # as its network does
    lines = [
        f"    {name} = {getattr(read, name)!r}"
        for name in sorted(asked)
        if not name.startswith("_") and hasattr(read, name)
    ]
    return "\n".join(lines) or "    pass"


@dataclass(slots=True)
class _Copy:
    """What has been taken over so far: texts in an order in which each stands on earlier ones."""

    taken: Container[str]
    own: set[str]
    texts: list[str] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    _names: dict[Place, str] = field(default_factory=dict)
    _sources: dict[str, _Source] = field(default_factory=dict)

    def take(self, place: Place, op: str) -> str:
        """Take over a definition, after those it needs; its name in the exported file comes
        back."""
        if place == _SKELETON:
            return place[1]
        if place in self._names:
            return self._names[place]
        source = self._sources.get(place[0]) or _source(place[0], op)
        self._sources[place[0]] = source
        if place[1] not in source.definitions:
            return self._meant(source, place[1], op)
        self._names[place] = self._free(place[1])
        definition = source.definitions[place[1]]
        found = list(_global_names(definition))
        renamed = {
            name.id: self._meant(source, name.id, op) for name in found if source.knows(name.id)
        }
        self.attributes |= {n.attr for n in ast.walk(definition) if isinstance(n, ast.Attribute)}
        self.texts.append(_text(source.lines, definition, self._names[place], found, renamed))
        return self._names[place]

    def _meant(self, source: _Source, name: str, op: str) -> str:
        """What a name of a module is called in the exported file."""
        if name in source.definitions:
            return self.take((source.module, name), op)
        module, original, line = source.imported.get(name, (source.module, None, ""))
        if _ships_with_torch(module):
            self.imports.add(line)
            return name
        if original is None or not _is_copied(module):
            raise NasError(
                f"op {op!r} uses {name!r} of {module}, but model.py needs torch alone, and what it "
                f"copies is imported by its name (from my_file import my_layer): do so, or leave "
                "out python with --to"
            )
        return self.take((module, original), op)

    def _free(self, name: str) -> str:
        given = {*self._names.values(), *self.own}
        while name in self.taken or name in given:
            name += "_as_searched"
        return name


@dataclass(frozen=True, slots=True)
class _Source:
    """One file that is copied from: where its names are defined, or imported from."""

    module: str
    lines: list[str]
    definitions: dict[str, _Definition]
    imported: dict[str, tuple[str, str | None, str]]  # module, name in it, the line that imports it

    def knows(self, name: str) -> bool:
        """Whether it is a name of this file, not of Python."""
        return name in self.definitions or name in self.imported


def _source(module: str, op: str) -> _Source:
    try:
        text = inspect.getsource(sys.modules.get(module) or importlib.import_module(module))
    except (OSError, TypeError) as problem:
        raise NasError(
            f"the source of op {op!r} cannot be read ({problem}): put it in a file, or leave out "
            "python with --to"
        ) from problem
    tree = ast.parse(text)
    definitions: dict[str, _Definition] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            definitions |= {t.id: node for t in targets if isinstance(t, ast.Name)}
    imported = {name: found for node in tree.body for name, found in _imports(node, module)}
    return _Source(module, text.splitlines(), definitions, imported)


def _imports(node: ast.stmt, module: str) -> Iterator[tuple[str, tuple[str, str | None, str]]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            line = f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
            yield alias.asname or alias.name.partition(".")[0], (alias.name, None, line)
    elif isinstance(node, ast.ImportFrom):
        package = module.rpartition(".")[0]
        beginning = "." * node.level + (node.module or "")
        origin = importlib.util.resolve_name(beginning, package) if node.level else beginning
        for alias in node.names:
            line = f"from {origin} import {alias.name}"
            line += f" as {alias.asname}" if alias.asname else ""
            yield alias.asname or alias.name, (origin, alias.name, line)


def _ships_with_torch(module: str) -> bool:
    top = module.partition(".")[0]
    return top == "torch" or top in sys.stdlib_module_names


def _is_copied(module: str) -> bool:
    """Whether a module is ours or the user's own, not a package that somebody installed."""
    if _ships_with_torch(module):
        return False
    found = importlib.util.find_spec(module)
    installed = ("site-packages", "dist-packages")
    own = module.partition(".")[0] == "search_spaces"
    return found is not None and (own or not any(i in str(found.origin) for i in installed))


def _global_names(definition: _Definition) -> Iterator[ast.Name]:
    """The names in a definition that no scope within it binds."""
    yield from _free_names(definition, frozenset())


def _free_names(node: ast.AST, bound: frozenset[str]) -> Iterator[ast.Name]:
    if isinstance(node, ast.Name):
        if node.id not in bound:
            yield node
        return
    within = bound
    if isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
        within = bound | _bound_in(node)
    for name, value in ast.iter_fields(node):
        # Decorators, bases and annotations are read outside the scope that they open.
        scope = within if name in ("body", "generators") else bound
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not (name == "decorator_list" and _is_op(child)):
                yield from _free_names(child, scope)


def _is_op(node: ast.AST) -> bool:
    """The decorator that made the function an operation is not copied."""
    name = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
    return name.rpartition(".")[2] == "op"


def _bound_in(node: ast.FunctionDef | ast.Lambda | ast.ClassDef) -> frozenset[str]:
    body = node.body if isinstance(node.body, list) else [node.body]
    inside = [each for part in body for each in ast.walk(part)]
    names = {n.id for n in inside if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    names |= {n.arg for n in inside if isinstance(n, ast.arg)}
    names |= {n.name for n in inside if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    if not isinstance(node, ast.ClassDef):
        names |= {n.arg for n in ast.walk(node.args) if isinstance(n, ast.arg)}
    return frozenset(names)


def _text(
    lines: list[str],
    definition: _Definition,
    name: str,
    found: list[ast.Name],
    renamed: dict[str, str],
) -> str:
    """The lines of a definition without `@op`, its names replaced where they are others here."""
    decorators = getattr(definition, "decorator_list", [])
    first = min([definition.lineno, *(each.lineno for each in decorators)])
    assert definition.end_lineno is not None
    kept = {
        number: lines[number - 1].encode() for number in range(first, definition.end_lineno + 1)
    }
    changes = [(n.lineno, n.col_offset, n.id, renamed[n.id]) for n in found if n.id in renamed]
    if isinstance(definition, ast.FunctionDef | ast.ClassDef):
        keyword = "def " if isinstance(definition, ast.FunctionDef) else "class "
        column = definition.col_offset + len(keyword)
        changes.append((definition.lineno, column, definition.name, name))
    for number, column, old, new in sorted(set(changes), reverse=True):
        before, after = kept[number][:column], kept[number][column:]
        if after.startswith(old.encode()):  # before Python 3.12, names in f-strings lie elsewhere
            kept[number] = before + new.encode() + after[len(old.encode()) :]
    for each in decorators:
        if _is_op(each):
            del kept[each.lineno]
    return "\n".join(line.decode() for line in kept.values())
