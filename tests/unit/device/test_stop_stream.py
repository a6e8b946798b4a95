"""A transfer that is broken off, on boards that hear a Ctrl-C and on those whose programs never see one."""

from __future__ import annotations

import pytest

from upytool.device.retry import Capabilities
from upytool.device.session import Session
from upytool.device.stream import Server
from upytool.protocol.raw_repl import ReplState
from upytool.protocol.transfer import STOP
from upytool.testing import ModelBoard, ScriptDriver


@pytest.mark.parametrize("reaches", [True, False])
def test_a_transfer_that_is_broken_off_ends_at_the_raw_prompt_and_soon(reaches: bool) -> None:
    board, session = ModelBoard(), Session()
    running = [False]

    def feed(data: bytes) -> list[bytes]:
        if not running[0]:
            return [board.feed(data).removesuffix(b"\x04\x04>")]
        if data == STOP or (reaches and data == b"\x03"):
            running[0] = False
            return [b"\x15\x00\x00\x04KeyboardInterrupt: \r\n\x04>"]
        return []

    script = ScriptDriver(feed)
    script.run(session.ready())
    script.run(session.repl.start(b"the transfer program"))
    running[0], begun = True, script.now
    assert script.run(Server(session, Capabilities()).stop()) == "KeyboardInterrupt:"
    assert session.repl.state is ReplState.RAW
    assert script.now - begun < 1.5
    script.run(session.repl.start(b"the next"))
