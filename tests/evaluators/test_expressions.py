"""Expressions compute what they say, and refuse everything else in one sentence."""

import ast
import math
import pickle
from string import printable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nas.errors import ExpressionError, NasError, SettingsError
from nas.evaluators._expressions import Expression


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", 2.0),
        ("0.06*a", 0.12),
        ("b - 0.05 * log(a)", 8 - 0.05 * math.log(2)),
        ("-a + +b", 6.0),
        ("(a + b) / 4", 2.5),
        ("b // 3 + b % 3", 4.0),
        ("2 ** 3 ** a", 512.0),
        ("min(a, b, 1) + max(a, b)", 9.0),
        ("mean(a, b) + mean(a, b, `10 ms`)", 5 + 20 / 3),
        ("abs(-a) * exp(0) * sqrt(4)", 4.0),
        ("log10(1000)", 3.0),
        ("b - 100 * (a > 1)", -92.0),
        ("(a <= 1) + (a == 2) + (a != 2) + (a < 3) + (a >= 3)", 2.0),
        ("`a` + `10 ms`", 12.0),
        ("1e3", 1000.0),
        ("(a\n + b)", 10.0),
    ],
)
def test_value(text, value):
    assert Expression(text)({"a": 2, "b": 8.0, "10 ms": 10}) == pytest.approx(value, rel=1e-15)


def test_names_are_listed_once_in_order_of_use():
    assert Expression("c10_val_12 + `x y` * c10_val_12 - log(z)").names == (
        "c10_val_12",
        "x y",
        "z",
    )


def test_a_known_name_needs_no_quotes_when_it_is_the_whole_expression():
    assert Expression("val-acc", ["val-acc"])({"val-acc": 0.5}) == 0.5


def test_columns_are_computed_row_by_row():
    assert Expression("a * 2 + b").over({"a": [1.0, 2.0], "b": (3, 4)}, 2) == [5.0, 8.0]


def test_a_constant_has_a_value_for_each_row():
    assert Expression("1 + 1").over({}, 3) == [2.0, 2.0, 2.0]


def test_a_gap_in_a_column_stays_a_gap():
    first, second = Expression("min(a, 1)").over({"a": [math.nan, 0.5]}, 2)
    assert math.isnan(first)
    assert second == 0.5


def test_an_error_in_a_column_names_its_row():
    with pytest.raises(
        ExpressionError, match=r"row 2: expression '1/a' divides by zero where a = 0"
    ):
        Expression("1/a").over({"a": [1.0, 0.0]}, 2)


def test_survives_pickling():
    formula = pickle.loads(pickle.dumps(Expression("log(params) + `x y`", ["params", "x y"])))
    assert formula({"params": 1.0, "x y": 3.0}) == 3.0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "an expression is empty"),
        ("  ", "an expression is empty"),
        ("a" * 1001, "has 1001 characters; at most 1000"),
        ("a +", "cannot be read; it may hold numbers"),
        ("a b", "cannot be read"),
        ("a, b", "something else than arithmetic"),
        ("1or 2", "cannot be read"),
        ("a\0", "cannot be read"),
        ("\ud800", "cannot be read"),
        ("(" * 300 + "a" + ")" * 300, "cannot be read"),
        ("-" * 900 + "a", "nested deeper than 150"),
        ("a # b", "has a back quote without a partner or a '#'"),
        ("`a", "has a back quote without a partner"),
        ("a.b", "something else than arithmetic"),
        ("a[0]", "something else than arithmetic"),
        ("lambda: 1", "something else than arithmetic"),
        ("[a for a in a]", "something else than arithmetic"),
        ("(a := 1)", "something else than arithmetic"),
        ("a if b else 1", "something else than arithmetic"),
        ("a and b", "something else than arithmetic"),
        ("not a", "something else than arithmetic"),
        ("1 < a < 3", "something else than arithmetic"),
        ("a @ b", "something else than arithmetic"),
        ("a << 2", "something else than arithmetic"),
        ("max(*a, b)", "something else than arithmetic"),
        ("log(a, base=2)", "something else than arithmetic"),
        ("a.b(1)", "something else than arithmetic"),
        ("True", "holds True, which is no number"),
        ("'a'", "holds 'a', which is no number"),
        ("2j", "holds 2j, which is no number"),
        ("1e999", "holds a number too large"),
        ("9" * 500, "holds a number too large"),
        ("lgo(a)", "no function is called 'lgo'; there are abs, .*; did you mean 'log'?"),
        ("__import__('os')", "no function is called '__import__'"),
        ("log(a, 2)", "log takes one argument, not 2"),
        ("max(a)", "max takes two or more arguments, not 1"),
    ],
)
def test_refused(text, sentence):
    with pytest.raises(SettingsError, match=sentence):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("9**9**9**9", "is too large to compute"),
        ("exp(a * 1000)", "is too large to compute where a = 2"),
        ("1e308 * 10", "gives inf, not a finite number"),
        ("1e308 * 10 - 1e308 * 10", "gives nan, not a finite number"),
        ("a / 0", "divides by zero where a = 2"),
        ("a % 0", "divides by zero"),
        ("a // 0", "divides by zero"),
        ("0 ** -1", "takes a logarithm, root or power that is not defined"),
        ("(-a) ** 0.5", "takes a logarithm, root or power that is not defined"),
        ("log(a - 2)", "takes a logarithm, root or power that is not defined"),
        ("sqrt(-a)", "takes a logarithm, root or power that is not defined"),
        ("text", "needs a number as 'text', not 'abc'"),
        ("nothing", "needs a finite number as 'nothing', not nan"),
    ],
)
def test_values_refused(text, sentence):
    with pytest.raises(ExpressionError, match=sentence):
        Expression(text)({"a": 2.0, "accuracy": 0.5, "text": "abc", "nothing": math.nan})


def test_an_unknown_name():
    with pytest.raises(
        SettingsError,
        match=r"no name is called 'acuracy'; there are accuracy; did you mean 'accuracy'\?",
    ):
        Expression("acuracy + 1")({"accuracy": 0.5})


def test_an_unknown_name_is_refused_before_any_value_is_there():
    with pytest.raises(
        SettingsError, match=r"no name is called 'val_acuracy'.* did you mean 'val_accuracy'\?"
    ):
        Expression("val_acuracy - 1", ["val_accuracy", "params"])


@given(st.text(printable, max_size=80) | st.text(max_size=80))
@example("`" * 80)
@example("quoted_0_ + `b`")
def test_any_text_gives_a_finite_number_or_one_sentence(text):
    try:
        formula = Expression(text)
        value = formula(dict.fromkeys(formula.names, 1.5))
    except NasError as problem:
        sentence = str(problem)
    else:
        sentence = ""
        assert math.isfinite(value)
    assert "\n" not in sentence


def _formulas():
    leaves = st.sampled_from(["a", "b", "0.5", "3", "10"])

    def combined(inner):
        binary = st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner)
        return binary.map(lambda parts: f"({' '.join(parts)})") | inner.map(
            lambda text: f"(-{text})"
        )

    return st.recursive(leaves, combined, max_leaves=20)


@given(_formulas(), st.floats(-10, 10), st.floats(-10, 10))
def test_arithmetic_is_that_of_python(text, a, b):
    try:
        expected = float(
            eval(compile(ast.parse(text, mode="eval"), "formula", "eval"), {"a": a, "b": b})
        )
    except ZeroDivisionError:
        expected = math.nan
    formula = Expression(text)
    if math.isfinite(expected):
        assert formula({"a": a, "b": b}) == expected
    else:
        with pytest.raises(ExpressionError, match=r"divides by zero|not a finite number"):
            formula({"a": a, "b": b})
