"""What a board says, read: every literal of MicroPython's, and never anything but a value or a ValueError."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upytool import limits
from upytool.device.answers import Collected, literal_or_text, parse_answer, parse_disturbed
from upytool.device.info import BoardInfo
from upytool.device.transfer import Listed
from upytool.errors import StreamError

FLAT = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)
VALUES = st.recursive(
    FLAT,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(FLAT, inner) | st.tuples(inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_repr_writes_is_read(value: Any) -> None:
    assert parse_answer(repr(value)) == value


ALPHABET = "0123456789eE+-.,:()[]{}'\"bxuU\\ \nNoneTruFals\ud800\udc80é"


@given(st.text(ALPHABET) | st.text() | VALUES.map(lambda value: repr(value)[1:]))
def test_anything_else_is_a_value_error(text: str) -> None:
    try:
        value = parse_answer(text)
    except ValueError:
        return
    try:
        expected = ast.literal_eval(text.strip(" \t\r\n"))
    except (ValueError, SyntaxError):
        return  # Such as 007 or a raw newline in a text: what a firmware prints is taken, if its value is plain.
    if "\ud800" not in text and "\\" not in text:
        assert value == expected


@pytest.mark.parametrize(
    "text",
    [
        *("1e999", "-1e999", "(1, 1e400)", "9" * 400, "-" + "9" * 5000, str(1 << 65), "{[]: 1}", "{{}}", "nan", "inf"),
        *("[" * 17 + "]" * 17, "[" * 100_000, "(" * 100_000 + ")" * 100_000, "-" * 100_000 + "1", "", "1 2", "(1,,2)"),
        *("'abc", "__import__('os')", "1+1", "{1:2,3}", "[1:2]", "b'\xe9\u1234'"),
    ],
    ids=lambda text: text[:12] or "nothing",
)
def test_it_refuses(text: str) -> None:
    with pytest.raises(ValueError):
        parse_answer(text)


def test_half_a_surrogate_pair_becomes_a_replacement() -> None:
    for text in ("'a\\ud800b'", "'a\ud800b'", "'a\\U0000dfffb'"):
        assert parse_answer(text) == "a\ufffdb"
    assert parse_answer("'a\udc80b'") == "a\udc80b"  # A byte of a file name that is not UTF-8.


def test_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ANSWER_VALUES", 10)
    assert len(parse_answer(repr([1] * 10))) == 10
    with pytest.raises(ValueError):
        parse_answer(repr([1] * 11))
    monkeypatch.setattr(limits, "ANSWER_BYTES", 10)
    with pytest.raises(ValueError):
        parse_answer("'0123456789'")


def test_the_users_own_numbers_may_be_long() -> None:
    assert literal_or_text(str(1 << 2000)) == 1 << 2000
    assert literal_or_text("1e999") == "1e999"
    assert math.isclose(literal_or_text("1.5"), 1.5)


def test_what_is_collected_ends_before_it_is_stored() -> None:
    said = Collected(10)
    said(b"12345")
    with pytest.raises(StreamError):
        said(b"678901")
    assert said.data == b"12345"


@given(st.dictionaries(st.sampled_from(["name", "version", "uname", "uid", "maxsize", "mpy", "path", "freq"]), VALUES))
def test_no_probe_breaks_the_one_who_reads_it(answer: dict[str, Any]) -> None:
    from upytool.device.answers import sensible

    try:
        with sensible():
            BoardInfo.from_probe(answer)
    except StreamError:
        pass


@pytest.mark.parametrize(
    ("limit", "value", "folder"), [("LISTING_ENTRIES", 10, "/a"), ("LISTING_CHARACTERS", 100, "/" + "a" * 90)]
)
def test_a_listing_ends_before_it_is_kept(monkeypatch: pytest.MonkeyPatch, limit: str, value: int, folder: str) -> None:
    """A long folder's name is sent once for many entries, and would be kept with each of them."""
    monkeypatch.setattr(limits, limit, value)
    listed = Listed()
    listed.add("/a", [("b", 1)])
    with pytest.raises(StreamError):
        listed.add(folder, [(str(number), 1) for number in range(10)])
    assert listed.paths == {"/a/b": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[\r\n('/e', 1),\r\ntick\r\n]\r\n", [("/e", 1)]),
        ("[\n('a\u2028b', 1),\n[3]\n('c', 2),\ntick\n]", [("a\u2028b", 1), ("c", 2)]),
        ("[1, 2]", [1, 2]),
        ("['/', (1, 2)]\r\ntick\r\ntick\r\n", ["/", (1, 2)]),
        ("'/'\r\ntick\r\n", "/"),
    ],
)
def test_lines_of_others_in_a_list(text: str, value: object) -> None:
    assert parse_disturbed(text) == value


@pytest.mark.parametrize("text", ["[\n('/e',tick\n 1),\n]", "tick\n(1),", "[\n('a', 1),\n", "tick", "12\n34"])
def test_what_is_torn_is_no_answer(text: str) -> None:
    with pytest.raises(ValueError):
        parse_disturbed(text)
