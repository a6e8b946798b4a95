"""Addresses of WebREPL: what they say, what is refused, and that no refusal shows a password."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upytool.errors import UsageError
from upytool.transport.webrepl_address import WebreplAddress, is_webrepl, parse_address

PASSWORD = "hunter2"


@pytest.mark.parametrize(
    ("text", "address", "place"),
    [
        ("ws://192.168.4.1", (False, "192.168.4.1", 8266, "/"), "192.168.4.1:8266"),
        ("ws://Kitchen.local:80/", (False, "kitchen.local", 80, "/"), "kitchen.local:80"),
        ("wss://h/boards/1?x=2", (True, "h", 443, "/boards/1?x=2"), "h:443"),
        ("WS://[fe80::1%eth0]:8266", (False, "fe80::1%eth0", 8266, "/"), "[fe80::1%eth0]:8266"),
    ],
)
def test_parts(text: str, address: tuple[object, ...], place: str) -> None:
    found = parse_address(text)
    assert found == address
    assert found.place == place
    assert is_webrepl(text)
    assert parse_address(str(found)) == found


@pytest.mark.parametrize(
    "text",
    ["ws://", "ws:///x", "http://h", "socket://h:1", "ws://h:0", "ws://h:x", "ws://h:99999", "ws://[::1", "ws://h\nx",
     "ws://a b", "ws://h/#f", "kitchen", "", "ws://h/\x1b[2J"],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


@given(
    st.text("abc:/?#@[]% ", max_size=6),
    st.sampled_from(["", ":"]),
    st.text("abc:/?#@[]% ", max_size=6),
    st.sampled_from(["h", "h:8266", "[::1]"]),
)
def test_a_password_is_refused_and_not_shown(before: str, colon: str, after: str, host: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_address(f"ws://{colon}{before}{PASSWORD}{after}@{host}")
    assert PASSWORD not in str(caught.value.data())
    assert caught.value.__cause__ is None


@given(st.text(max_size=20).map("ws://".__add__))
def test_any_text(text: str) -> None:
    try:
        found = parse_address(text)
    except UsageError:
        return
    assert isinstance(found, WebreplAddress)
    assert 0 < found.port < 65536
    assert found.host
