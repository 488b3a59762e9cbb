"""Files as a stranger or a failing disk leaves them: JSON with one thing in it changed, texts and
bytes with a few places changed. Hypothesis draws where and into what."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**400), max_value=10**400)
    | st.integers(min_value=-3, max_value=12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "told", "1e999", "../..", "\x1b[31m", "nasnet", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["score", "name", "options", "trials", "x"]), inner, max_size=3
        )
    ),
    max_leaves=4,
)


def places(found: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to everything in a tree."""
    ways = [way] if way else []
    pairs: Any = ()
    if isinstance(found, dict):
        pairs = found.items()
    elif isinstance(found, list):
        pairs = enumerate(found)
    return [*ways, *(deeper for name, value in pairs for deeper in places(value, (*way, name)))]


def changed(data: st.DataObject, tree: Any) -> Any:
    """The tree with one thing in it replaced or gone."""
    way = data.draw(st.sampled_from(places(tree)), label="place")
    if data.draw(st.integers(0, 4), label="drop") == 0:
        return without(tree, way)
    return with_value(tree, way, data.draw(VALUES, label="value"))


def with_value(tree: Any, way: tuple[Any, ...], value: Any) -> Any:
    """A copy of the tree with this value at the end of the way."""
    tree, at = _copied(tree, way)
    at[way[-1]] = value
    return tree


def without(tree: Any, way: tuple[Any, ...]) -> Any:
    """A copy of the tree that lacks what the way leads to."""
    tree, at = _copied(tree, way)
    del at[way[-1]]
    return tree


def _copied(tree: Any, way: tuple[Any, ...]) -> tuple[Any, Any]:
    tree = at = json.loads(json.dumps(tree))
    for name in way[:-1]:
        at = at[name]
    return tree, at


def changed_json(data: st.DataObject, text: str) -> bytes:
    """A JSON file with one thing in it changed, or, now and then, torn or scribbled over."""
    if data.draw(st.integers(0, 9), label="scribble") == 0:
        return changed_bytes(data, text.encode())
    return json.dumps(changed(data, json.loads(text))).encode()


def changed_bytes(data: st.DataObject, content: bytes, begin: int = 4_000) -> bytes:
    """The bytes with up to four places overwritten, cut out, doubled or put in.

    Args:
        begin: half of the changes fall among so many first bytes, where headers lie.
    """
    for _ in range(data.draw(st.integers(1, 4), label="changes")):
        last = len(content) if data.draw(st.booleans(), label="anywhere") else begin
        at = data.draw(st.integers(0, min(last, len(content))), label="at")
        length = data.draw(st.sampled_from((0, 1, 1, 4, 8, 100, len(content))), label="length")
        new = data.draw(
            st.binary(max_size=8) | st.sampled_from((b"\xff" * 8, b"\0" * 8, content[at:][:200])),
            label="new",
        )
        content = content[:at] + new + content[at + length :]
    return content


def changed_text(data: st.DataObject, text: str, words: tuple[str, ...] = ()) -> str:
    """The text with up to three places replaced by one of these words or by any text."""
    for _ in range(data.draw(st.integers(1, 3), label="changes")):
        at = data.draw(st.integers(0, len(text)), label="at")
        length = data.draw(st.sampled_from((0, 0, 1, 2, 5, 40)), label="length")
        new = data.draw(st.sampled_from((*_ODD, *words)) | st.text(max_size=3), label="new")
        text = text[:at] + new + text[at + length :]
    return text


_ODD = (
    "",
    "0",
    "-1",
    "9" * 400,
    "1e999",
    "nan",
    "(",
    ")" * 3,
    "'",
    '"',
    "\n",
    ",",
    "\x1b[31m",
    "..",
)
