from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upytool.protocol.friendly import Pacer, PromptWatcher, escape_non_printable, keys_for


def watched(*chunks: bytes) -> PromptWatcher:
    watcher = PromptWatcher()
    for chunk in chunks:
        watcher.feed(chunk)
    return watcher


@pytest.mark.parametrize(
    ("said", "prompt", "indent"),
    [
        (b">>> ", b">>> ", 0),
        (b"2\r\n>>> ", b">>> ", 0),
        (b"... ", b"... ", 0),
        (b"...         ", b"... ", 8),
        (b"\r\n=== ", b"=== ", 0),
        (b">>> x", b"", 0),
        (b"text >>> ", b"", 0),
        (b"\r\n", b"", 0),
        (b">>>", b"", 0),
    ],
)
def test_where_the_prompt_is(said: bytes, prompt: bytes, indent: int) -> None:
    watcher = watched(said)
    assert (watcher.prompt, watcher.indent if watcher.prompt else 0) == (prompt, indent)


@given(st.lists(st.integers(0, 120), max_size=10))
def test_chunks_make_no_difference(cuts: list[int]) -> None:
    text = b'MPY: soft reboot\r\nMicroPython v1.26.1 on 2025-09-11; Board\r\nType "help()"\r\n>>> '
    at, chunks = 0, []
    for cut in [*sorted(min(cut, len(text)) for cut in cuts), len(text)]:
        chunks.append(text[at:cut])
        at = cut
    watcher = watched(*chunks)
    assert (watcher.restarts, watcher.prompt) == (2, b">>> ")


def test_typing_takes_the_prompt_away_until_the_next_one() -> None:
    watcher = watched(b">>> ")
    watcher.typed()
    assert watcher.prompt == b""
    watcher.feed(b"x\r\n1\r\n>>> ")
    assert watcher.prompt == b">>> "


@pytest.mark.parametrize(
    ("line", "prompt", "keys"),
    [
        (b"print(1)", b">>> ", b"print(1)\r"),
        (b"\x04", b">>> ", b"\x04"),
        (b"", b">>> ", b"\r"),
        (b"    a", b"...     ", b"a\r"),
        (b"        a", b"...     ", b"    a\r"),
        (b"a", b"...     ", b"\x08a\r"),
        (b"    a", b"...         ", b"\x08a\r"),
        (b"", b"...         ", b"\x08\x08\r"),
        (b"  a", b"...     ", b"\x15  a\r"),
        (b"a", b"... ", b"a\r"),
    ],
)
def test_lines_are_entered_whatever_the_board_typed_in_advance(line: bytes, prompt: bytes, keys: bytes) -> None:
    assert keys_for(line, watched(prompt)) == keys


def test_escaping_is_mpremotes() -> None:
    assert escape_non_printable(b"a\x00\r\n\x1b[K\xc3\x08\x7f") == b"a[00]\r\n\x1b[K[c3]\x08[7f]"
    assert escape_non_printable(b"plain\r\n") == b"plain\r\n"


def test_the_echo_is_the_flow_control() -> None:
    pacer = Pacer(window=10, patience=0.25)
    pacer.sent(10, 1.0)
    assert pacer.allowance(1.1) == 0
    assert pacer.wait(1.1) == pytest.approx(0.15)
    pacer.heard(4, 1.15)
    assert pacer.allowance(1.2) == 4
    assert pacer.allowance(1.5) == 10  # silence: a program reads without an echo
