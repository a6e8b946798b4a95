"""DTR, RTS and baud rates."""

from __future__ import annotations

import pytest

from tests.fakes import usb_zoo as zoo
from upytool.discovery.lines import check_baud, lines_for
from upytool.errors import UsageError
from upytool.transport.serial import Lines


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("port", [None, zoo.pico(), zoo.cp2102(), zoo.ch340(), zoo.builtin()])
def test_posix_leaves_the_lines_to_the_driver(platform: str, port: None) -> None:
    assert lines_for(port, platform=platform) == Lines()


def test_windows_stages_silicon_labs_alone() -> None:
    assert lines_for(zoo.cp2102(), platform="win32") == Lines(dtr=True, rts=True, staged=True)
    assert lines_for(zoo.ch340(), platform="win32") == Lines()
    assert lines_for(zoo.pico(), platform="win32") == Lines()


def test_the_user_wins() -> None:
    assert lines_for(zoo.cp2102(), dtr=False, rts=False, platform="win32") == Lines(False, False)
    assert lines_for(zoo.pico(), rts=False) == Lines(None, False)


def test_1200_baud_is_refused() -> None:
    with pytest.raises(UsageError, match="bootloader"):
        check_baud(1200)
    with pytest.raises(UsageError):
        check_baud(0)
    assert check_baud(115200) == 115200
