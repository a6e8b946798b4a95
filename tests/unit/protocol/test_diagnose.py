"""What is said about a board without a prompt, where its last bytes tell of a password."""

from __future__ import annotations

import pytest

from upytool.protocol.diagnose import explain_silence


@pytest.mark.parametrize(
    ("seen", "asks"),
    [
        (b"Password: ", True),
        (b"\r\nPassword:", True),
        (b"WebREPL daemon started on ws://192.168.4.1:8266\r\nStarted webrepl in normal mode\r\n", False),
        (b"Password: \r\nWebREPL connected\r\n", False),
        (b"the Password: ", False),
    ],
)
def test_only_a_question_for_a_password_is_one(seen: bytes, asks: bool) -> None:
    hint = explain_silence(seen, 1.0).hint
    assert ("UPYTOOL_WEBREPL_PASSWORD" in hint) is asks
    assert "ws://:" not in hint
