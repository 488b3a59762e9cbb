"""Arithmetic over named numbers, as users type it (`val_accuracy - 0.05 * log(params)`): parsed,
never run as code.

Grammar: numbers, names, `+ - * / // % **`, one comparison (1 where it holds, else 0), parentheses
and the functions below. A name that is no identifier goes in back quotes. All arithmetic is in
floats, so nothing can grow without end. `one_of(a, b, ...)` is one of its arguments, where whoever
computes says which (`Expression.picking`).
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, final

from nas.errors import ExpressionError, NasError, SettingsError, known_names, shortened

Node = Callable[[Sequence[float]], float]

LONGEST_TEXT: Final = 1000
DEEPEST_NESTING: Final = 150

_FUNCTIONS: Mapping[
    str, tuple[Callable[..., float], int | None]
] = {  # how many arguments; None: two or more
    "abs": (abs, 1),
    "exp": (math.exp, 1),
    "log": (math.log, 1),
    "log10": (math.log10, 1),
    "max": (max, None),
    "mean": (lambda *values: sum(values) / len(values), None),
    "min": (min, None),
    "sqrt": (math.sqrt, 1),
}
ONE_OF: Final = "one_of"
_BINARY: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,  # refuses what `**` would answer with a complex number
}
_UNARY: Mapping[type[ast.unaryop], Callable[[float], float]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ALLOWED = (
    f"numbers, names, + - * / // % **, one comparison, parentheses and {', '.join(_FUNCTIONS)}"
)


@final
class Expression:
    """A formula, compiled once: `names` are what it reads; calling it gives one finite float."""

    __slots__ = ("_names_known", "_node", "_pick", "alternatives", "names", "text")

    def __init__(
        self, text: str, known: Iterable[str] | None = None, pick: int | None = None
    ) -> None:
        """Compile `text`; with `known` names, one that is not among them is refused now.

        Args:
            pick: which argument `one_of` is; None refuses one.
        """
        self.text = text
        self._names_known = None if known is None else tuple(known)
        self._pick = pick
        compiler = _Compiler(text, () if self._names_known is None else self._names_known, pick)
        self._node = compiler.compiled()
        self.names = tuple(compiler.positions)
        self.alternatives = compiler.alternatives  # how many arguments `one_of` has; 1: no such
        if self._names_known is not None:
            self._check_names(self._names_known)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __reduce__(
        self,
    ) -> tuple[type[Expression], tuple[str, tuple[str, ...] | None, int | None]]:
        return Expression, (self.text, self._names_known, self._pick)

    def picking(self) -> list[Expression]:
        """The same formula for each argument of its `one_of`; itself, where it has none."""
        count = self.alternatives
        return [Expression(self.text, self._names_known, pick) for pick in range(count)]

    def __call__(self, values: Mapping[str, object]) -> float:
        """The value where each name stands for the number in `values`."""
        if not all(map(values.__contains__, self.names)):
            self._check_names(values)
        return self._value([self._number(name, values[name]) for name in self.names])

    def over(self, columns: Mapping[str, Iterable[float]], length: int) -> list[float]:
        """One value per row of the columns (lists, arrays or series of `length`), NaN where one of
        them is NaN.

        An error names its row, counted from 1.
        """
        self._check_names(columns)
        if not self.names:
            return [self._value(())] * length
        values: list[float] = []
        for row in zip(*(columns[name] for name in self.names), strict=True):
            try:
                values.append(math.nan if any(map(math.isnan, row)) else self._value(row))
            except NasError as problem:
                raise ExpressionError(f"row {len(values) + 1}: {problem}") from problem
        return values

    def _value(self, row: Sequence[float]) -> float:
        try:
            value = float(self._node(row))
        except ZeroDivisionError:
            raise ExpressionError(
                f"expression {shortened(self.text)} divides by zero{self._where(row)}"
            ) from None
        except OverflowError:
            raise ExpressionError(
                f"expression {shortened(self.text)} is too large to compute{self._where(row)}"
            ) from None
        except ValueError:
            reason = "takes a logarithm, root or power that is not defined"
            raise ExpressionError(
                f"expression {shortened(self.text)} {reason}{self._where(row)}"
            ) from None
        if not math.isfinite(value):
            raise ExpressionError(
                f"expression {shortened(self.text)} gives {value}{self._where(row)}, not a finite "
                "number"
            )
        return value

    def _where(self, row: Sequence[float]) -> str:
        shown = ", ".join(
            f"{name} = {value:g}" for name, value in zip(self.names[:5], row, strict=False)
        )
        return f" where {shown}" if shown else ""

    def _number(self, name: str, value: object) -> float:
        if not isinstance(value, int | float):
            raise ExpressionError(
                f"expression {shortened(self.text)} needs a number as {name!r}, not "
                f"{shortened(value)}"
            )
        if not math.isfinite(value):
            raise ExpressionError(
                f"expression {shortened(self.text)} needs a finite number as {name!r}, not {value}"
            )
        return float(value)

    def _check_names(self, known: Iterable[str]) -> None:
        known = frozenset(known)
        for name in self.names:
            if name not in known:
                raise SettingsError(
                    f"expression {shortened(self.text)}: {known_names(name, known, 'name')}"
                )


@final
class _Compiler:
    """Turns one text into nested functions of a row; `positions` says where in the row each name
    stands."""

    def __init__(self, text: str, known: Iterable[str], pick: int | None) -> None:
        self.text = text
        self.alternatives = 1
        self._pick = pick
        self.positions: dict[str, int] = {}
        self._quoted: dict[str, str] = {}
        self._known = frozenset(known)

    def compiled(self) -> Node:
        if self.text in self._known:  # a column may be called anything, even 'val-accuracy'
            return self._name(self.text)
        return self._node(self._parsed(), depth=0)

    def _parsed(self) -> ast.expr:
        if not self.text.strip():
            raise SettingsError(
                "an expression is empty; name a column or metric, for example 'val_accuracy'"
            )
        if len(self.text) > LONGEST_TEXT:
            raise SettingsError(
                f"an expression has {len(self.text)} characters; at most {LONGEST_TEXT} are read"
            )
        plain = re.sub(r"`([^`]+)`", self._unquoted, self.text).strip()
        if "`" in plain or "#" in plain:
            raise self._refused("has a back quote without a partner or a '#'")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return ast.parse(plain, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError, Warning):
            raise self._refused("cannot be read") from None

    def _unquoted(self, found: re.Match[str]) -> str:
        placeholder = f"quoted_{len(self._quoted)}_"
        while placeholder in self.text:
            placeholder += "_"
        self._quoted[placeholder] = found[1]
        return f" {placeholder} "

    def _refused(self, reason: str) -> SettingsError:
        return SettingsError(
            f"expression {shortened(self.text)} {reason}; it may hold {_ALLOWED} (other names in "
            "`...`)"
        )

    def _node(self, node: ast.expr, depth: int) -> Node:
        if depth > DEEPEST_NESTING:
            raise SettingsError(
                f"expression {shortened(self.text)} is nested deeper than {DEEPEST_NESTING}; "
                "simplify it"
            )
        match node:
            case ast.Constant(value=value):
                return self._constant(value)
            case ast.Name(id=name):
                return self._name(self._quoted.get(name, name))
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
                return _applied(_UNARY[type(sign)], [self._node(operand, depth + 1)])
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _applied(
                    _BINARY[type(op)], [self._node(left, depth + 1), self._node(right, depth + 1)]
                )
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
                return _applied(
                    _COMPARE[type(op)], [self._node(left, depth + 1), self._node(right, depth + 1)]
                )
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name, arguments, depth)
        raise self._refused("holds something else than arithmetic")

    def _constant(self, value: object) -> Node:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refused(f"holds {shortened(value)}, which is no number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._refused("holds a number too large to compute with")
        return lambda _: number

    def _name(self, name: str) -> Node:
        position = self.positions.setdefault(name, len(self.positions))
        return operator.itemgetter(position)

    def _one_of(self, arguments: list[ast.expr], depth: int) -> Node:
        if self._pick is None:
            raise SettingsError(
                f"expression {shortened(self.text)}: {ONE_OF} picks a column for each trial, so it "
                "stands in score, cost and steps of a table only; use mean here"
            )
        if len(arguments) < 2 or self.alternatives not in (1, len(arguments)):
            raise SettingsError(
                f"expression {shortened(self.text)}: {ONE_OF} takes two or more arguments, "
                "everywhere as many"
            )
        self.alternatives = len(arguments)
        nodes = [self._node(argument, depth + 1) for argument in arguments]  # all must be there
        return nodes[self._pick % len(nodes)]

    def _call(self, name: str, arguments: list[ast.expr], depth: int) -> Node:
        if name == ONE_OF:
            return self._one_of(arguments, depth)
        if name not in _FUNCTIONS:
            known = known_names(name, [*_FUNCTIONS, ONE_OF], "function")
            raise SettingsError(f"expression {shortened(self.text)}: {known}")
        function, wanted = _FUNCTIONS[name]
        if len(arguments) != wanted if wanted else len(arguments) < 2:
            takes = "one argument" if wanted else "two or more arguments"
            raise SettingsError(
                f"expression {shortened(self.text)}: {name} takes {takes}, not {len(arguments)}"
            )
        return _applied(function, [self._node(argument, depth + 1) for argument in arguments])


def _applied(function: Callable[..., float], nodes: Sequence[Node]) -> Node:
    if len(nodes) == 1:
        (only,) = nodes
        return lambda row: function(only(row))
    if len(nodes) == 2:
        left, right = nodes
        return lambda row: function(left(row), right(row))
    return lambda row: function(*(node(row) for node in nodes))
