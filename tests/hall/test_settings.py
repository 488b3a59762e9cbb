"""Words become typed options, and whatever does not fit is refused with what would have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from nas.errors import SettingsError
from nas.settings import Word, assignments, complete, merged, options_of, read_config
from search_spaces.table import TableSpace

if TYPE_CHECKING:
    from elsewhere import Strange


class Part:
    """A part with an option of every type we have."""

    def __init__(
        self,
        space: object,
        *,
        count: int = 3,
        share: float = 0.5,
        name: str = "x",
        wide: bool = False,
        limit: float | None = None,
        kind: Literal["a", "b"] = "a",
        words: list[str] | None = None,
        ops: Sequence[str] = ("one",),
        numbers: tuple[int, ...] = (),
        table: dict[str, int] | None = None,
    ) -> None: ...


class Needy:
    """A part that cannot do without an option."""

    def __init__(self, *, path: str) -> None: ...


class Unspoken:
    """A part whose author says little of its options."""

    def __init__(self, *, anything=1, amount: Strange | None = None) -> None: ...  # type: ignore[no-untyped-def]


def test_options_are_the_keyword_arguments() -> None:
    options = options_of(Part)
    assert "space" not in options
    assert options["limit"].spelled == "float | None"
    assert options["count"].default == 3


@pytest.mark.parametrize(
    ("option", "word", "value"),
    [
        ("count", "5", 5),
        ("count", "-5", -5),
        ("count", "1_000", 1000),
        ("share", "0.25", 0.25),
        ("share", "1", 1.0),
        ("share", "1e-3", 1e-3),
        ("name", "word", "word"),
        ("name", "50", "50"),
        ("name", "true", "true"),
        ("name", "a, b", "a, b"),
        ("name", '"quoted"', "quoted"),
        ("wide", "true", True),
        ("limit", "none", None),
        ("limit", "7", 7.0),
        ("kind", "b", "b"),
        ("words", '["a", "b"]', ["a", "b"]),
        ("words", "a", ["a"]),
        ("words", "a,b", ["a", "b"]),
        ("ops", "one,two", ["one", "two"]),
        ("numbers", "[1, 2]", (1, 2)),
        ("table", "{a = 1}", {"a": 1}),
    ],
)
def test_a_word_takes_the_type_its_option_asks_for(option: str, word: str, value: Any) -> None:
    found = complete(Part, {option: Word(word)}, "part")[option]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        (
            "count",
            Word("many"),
            r"part.count is 'many': input should be a valid integer \(its type is int\)",
        ),
        ("count", 1.5, r"part.count is 1.5: .*integer"),
        ("count", True, "part.count is True: .*integer"),
        ("count", "5", "part.count is '5': .*integer"),
        ("share", "0.5", "part.share is '0.5': .*number"),
        ("wide", 1, "part.wide is 1: .*boolean"),
        ("kind", Word("c"), r"part.kind is 'c': input should be 'a' or 'b'"),
        ("words", Word("5"), "part.words is 5: .*list"),
        ("name", 5, "part.name is 5: .*string"),
        ("table", Word("x"), "part.table is 'x'"),
    ],
)
def test_a_wrong_type_is_refused(option: str, value: Any, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        complete(Part, {option: value}, "part")


def test_defaults_are_filled_in() -> None:
    assert complete(Part, {"count": 4}, "part")["count"] == 4
    assert complete(Part, {}, "part")["share"] == 0.5


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        SettingsError,
        match=r"no option of part is called 'cuont'; there are count, .*did you mean 'count'",
    ):
        complete(Part, {"cuont": 4}, "part")


def test_a_required_option_is_asked_for() -> None:
    with pytest.raises(
        SettingsError, match=r"part needs path: give it with --set part.path=\.\.\."
    ):
        complete(Needy, {}, "part")


def test_options_without_a_type_take_anything() -> None:
    assert complete(Unspoken, {"anything": Word("text")}, "part") == {
        "anything": "text",
        "amount": None,
    }
    with pytest.raises(
        SettingsError, match=r"part.amount cannot be set: its type, Strange \| None, is not one of"
    ):
        complete(Unspoken, {"amount": Word("5")}, "part")


def test_assignments_nest() -> None:
    assert assignments(["a.b=1", "a.c-d.e=x=y"]) == {"a": {"b": "1", "c_d": {"e": "x=y"}}}


@pytest.mark.parametrize("text", ["a", "a=1", "=1", "a.=1", ".b=1", "a..b=1", ""])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(
        SettingsError,
        match=r"is no setting: expected part.option=value, as in strategy.population=50",
    ):
        assignments([text])


def test_one_name_is_not_two_things() -> None:
    with pytest.raises(
        SettingsError, match=r"'a.b.c=2' sets a part of 'b', which already has a value"
    ):
        assignments(["a.b=1", "a.b.c=2"])


def test_the_higher_tree_wins() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}}) == {
        "a": {"b": 9, "c": 2},
        "d": 3,
    }


@pytest.mark.parametrize(
    "word", ['{"d_0": ["a", "b"], "d_1": [1, 2]}', '{d_0 = ["a", "b"], d_1 = [1, 2]}']
)
def test_a_table_of_decisions_is_typed_as_json_or_toml(word: str) -> None:
    given = assignments([f"space.decisions={word}"])["space"]
    assert complete(TableSpace, given, "space") == {"decisions": {"d_0": ["a", "b"], "d_1": [1, 2]}}


def test_a_file_of_settings(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[a]\nb = 1\n[a.c]\nd = [1]\n")
    assert read_config(tmp_path / "s.toml") == {"a": {"b": 1, "c": {"d": [1]}}}
