"""A board that prints something in between, as a timer or a thread does: questions are answered all the same."""

from __future__ import annotations

import pytest

from tests.unit.device.boards import board_device
from upytool.device.answers import parse_answer
from upytool.device.program import is_error
from upytool.device.session import Session
from upytool.errors import DeviceTimeoutError, DisturbedError, RemoteOSError
from upytool.testing import ModelBoard, ScriptDriver

# Real MicroPython without a timer: a scheduled function that schedules itself runs between all bytecodes.
TICKS = """
import time, micropython
def tick(at):
    now = time.ticks_ms()
    if time.ticks_diff(now, at) >= {period}:
        print('tick')
        at = now
    micropython.schedule(tick, at)
micropython.schedule(tick, time.ticks_ms())
"""


@pytest.mark.parametrize("period", [50, 12])
def test_questions_to_a_board_that_prints_meanwhile(period: int) -> None:
    with board_device() as device:
        device.fs.write_bytes("/f", b"content" * 500)
        digest = device.fs.hash(["/f"])
        device.exec(TICKS.format(period=period))
        for _ in range(25):
            assert device.fs.hash(["/f"]) == digest
            assert [entry.name for entry in device.fs.ls("/")] == ["f"]
            assert device.fs.stat("/f").size == 3500
        assert device.fs.df()
        with pytest.raises(RemoteOSError):
            device.fs.stat("/none")
        device.fs.write_bytes("/f", b"new")
        assert device.fs.read_bytes("/f") == b"new"
        # The user's programs run once, whatever comes in between, and well.
        for number in range(25):
            assert f"<{number}>" in device.exec("n = globals().get('n', -1) + 1\nprint('<%d>' % n)")


def model(device_says: list[tuple[bytes, bytes]]) -> tuple[ModelBoard, ScriptDriver]:
    """A board whose programs answer in turn with (output, error text)."""
    answers = iter(device_says)
    board = ModelBoard(run=lambda source: next(answers))
    return board, ScriptDriver(lambda data: [board.feed(data)])


@pytest.mark.parametrize(
    "broken",
    [
        (b"", b""),
        (b"\x1e['ab\r\ntick\r\ncd']\r\n", b""),
        (b"\x1e[1, \r\ntick\r\n2]\r\n", b""),
        (b"\x1e[1,", b"tick\r\n"),
    ],
)
def test_a_broken_answer_is_asked_for_again_where_nothing_is_changed(broken: tuple[bytes, bytes]) -> None:
    board, script = model([broken, broken, (b"\x1e[1, 2]\r\n", b"")])
    assert script.run(Session().call("fs_df", again=True)) == [1, 2]
    assert len(board.programs) == 3
    board, script = model([broken, (b"\x1e[1, 2]\r\n", b"")])
    with pytest.raises(DisturbedError):
        script.run(Session().call("fs_do", "rmdir", "/x"))
    assert len(board.programs) == 1, "what changes something runs once"


def test_nonsense_is_not_asked_for_without_end() -> None:
    board, script = model([(b"\x1e[", b"")] * 100)
    with pytest.raises(DisturbedError):
        script.run(Session().call("fs_df", again=True))
    assert len(board.programs) < 10


def test_errors_are_not_asked_for_again() -> None:
    board, script = model([(b"\x1e[1,", b"Traceback (most recent call last):\r\nOSError: 2\r\n")] * 2)
    with pytest.raises(RemoteOSError):
        script.run(Session().call("fs_df", again=True))
    assert len(board.programs) == 1


def test_a_whole_answer_counts_whatever_is_printed_behind_it() -> None:
    _, script = model([(b"\x1e[1, 2]\r\n", b"tick\r\n")])
    assert script.run(Session().call("fs_do", "rmdir", "/x")) == [1, 2]


def test_what_a_timer_prints_at_the_end_is_no_error_of_the_users_program() -> None:
    _, script = model([(b"1\r\n", b"tick\r\n")])
    assert script.run(Session().exec("print(1)")).replace(b"\r", b"") == b"1\ntick\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", False),
        (b"tick\r\n", False),
        (b"12:30 21.5\r\n", False),
        (b'Traceback (most recent call last):\r\n  File "<stdin>", line 1\r\nValueError: \r\n', True),
        (b"tick\r\nTraceback (most recent call last):\r\nOSError: [Errno 2] ENOENT\r\n", True),
        (b"Rueckverfolgung (juengste Aufforderung zuletzt):\r\nNameError: x\r\n", True),
        (b"KeyboardInterrupt:", True),
    ],
)
def test_what_is_an_error(text: bytes, error: bool) -> None:
    assert is_error(text) is error


def test_a_line_break_is_no_part_of_a_text() -> None:
    with pytest.raises(ValueError, match="literal"):
        parse_answer("['a\r\nb']")
    assert parse_answer(r"['a\r\nb', 'it\'s', b'\x00']") == ["a\r\nb", "it's", b"\0"]


# -- while the board reads a program ----------------------------------------------------------------


@pytest.mark.parametrize("noise", [b"tick\r\n", b"R\r\n", b"a > b\r\n"])
def test_what_is_printed_during_a_hand_over_is_output(noise: bytes) -> None:
    board = ModelBoard(run=lambda source: (b"done\r\n", b""))
    session = Session()
    script = ScriptDriver(lambda data: [noise + board.feed(data)] if board.mode == "pasting" else [board.feed(data)])
    out = script.run(session.exec("x = 1\n" * 200))
    assert out.startswith(noise)
    assert out.endswith(b"done\r\n")
    assert len(board.programs) == 1


def test_a_board_that_prints_without_end_does_not_hold_us() -> None:
    board = ModelBoard()
    script = ScriptDriver(lambda data: [board.feed(data)])
    session = Session()
    script.run(session.ready())
    script.feed = lambda data: [b"R\x01\x80\x00\x01"] if data.startswith(b"\x05A\x01") else [b"tick\r\n"] * 20000
    with pytest.raises((DisturbedError, DeviceTimeoutError)):
        script.run(session.repl.start(b"x" * 5000))


def test_more_than_one_command_on_the_way() -> None:
    with board_device() as board:
        board.exec(TICKS.format(period=50))
        board.fs.mkdir("/d")
        board.fs.rename("/d", "/e")
        board.fs.rmtree("/e")
        assert board.fs.ls("/") == []
