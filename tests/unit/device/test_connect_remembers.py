"""A bridge that answered once is known in the next run (the board is a model behind a pseudo terminal)."""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
from pathlib import Path

import pytest

from tests.fakes import usb_zoo as zoo
from upytool.device import connect as opener
from upytool.device.connect import connect
from upytool.discovery import selector as module
from upytool.discovery.remembered import FILE_NAME, Remembered
from upytool.discovery.selector import Target
from upytool.errors import UpytoolError, UsageError
from upytool.testing import ModelBoard

if sys.platform == "win32":
    pytest.skip("needs a pseudo terminal", allow_module_level=True)

import pty
import select
import tty


@pytest.mark.parametrize("answers", [True, False])
def test_only_a_device_that_answered_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    monkeypatch.setenv("UPYTOOL_STATE_DIR", str(tmp_path))
    master, slave = pty.openpty()
    tty.setraw(slave)
    port = dataclasses.replace(zoo.ch340(), path=os.ttyname(slave))
    monkeypatch.setattr(module, "resolve", lambda *_, **__: Target(port.path, port))
    board, over = ModelBoard(run=lambda source: (b"2\r\n", b"")), threading.Event()

    def serve() -> None:
        while not over.is_set():
            if select.select([master], [], [], 0.02)[0]:
                heard = os.read(master, 4096)
                if answers:
                    os.write(master, board.feed(heard))

    server = threading.Thread(target=serve)
    server.start()
    try:
        with connect() as device:
            device.session.enter_timeout = 0.5
            if answers:
                assert device.exec("print(2)") == "2\n"
            else:
                with pytest.raises(UpytoolError):
                    device.exec("print(2)")
    finally:
        over.set()
        server.join()
        os.close(master)
        os.close(slave)
    known = Remembered(str(tmp_path / FILE_NAME)).get(port)
    assert (known is not None) is answers


def test_the_rate_of_the_user_wins_and_1200_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    monkeypatch.setattr(opener, "open_transport", lambda address, baud, lines: opened.append(baud))
    known = Target("/dev/ttyX", zoo.ch340(), baud=460800)
    opener.open_target(known)
    opener.open_target(known, baud=9600)
    opener.open_target(Target("/dev/ttyX"))
    assert opened == [460800, 9600, 115200]
    with pytest.raises(UsageError, match="bootloader"):
        opener.open_target(known, baud=1200)
