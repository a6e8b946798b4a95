"""Running programs: what comes back is what the board said, whatever the board is."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import pytest

from tests.conformance.conftest import Bench
from upytool.device.device import Device
from upytool.errors import ConnectionLostError, OperationInterrupted, RemoteException, RemoteExit, TimeLimitError
from upytool.protocol.raw_repl import RawRepl
from upytool.transport.drive import drive


def test_output_comes_back(device: Device) -> None:
    assert device.exec("print('a'); print('b', end='')") == "a\nb"


def test_many_programs_in_a_row(bench: Bench, device: Device) -> None:
    for number in range(5 if bench.slow else 40):
        assert device.exec(f"print({number})") == f"{number}\n"


def test_state_lives_until_a_soft_reset(device: Device) -> None:
    device.exec("kept = 41")
    assert device.eval("kept + 1") == 42
    device.soft_reset()
    with pytest.raises(RemoteException, match="NameError"):
        device.exec("print(kept)")


def test_a_program_may_soft_reset_the_board(device: Device) -> None:
    able = device.eval("hasattr(__import__('machine'),'soft_reset')" if has(device, "machine") else "False")
    if not able:
        pytest.skip("this firmware has no machine.soft_reset")
    program = "kept=41\nprint(1)\nimport machine\nmachine.soft_reset()"
    if device.transport.survives_reset:
        assert device.exec(program) == "1\n"
    else:
        # The board takes the connection with it; what comes next makes another one.
        with pytest.raises(ConnectionLostError):
            device.exec(program)
    assert device.eval("globals().get('kept')") is None


def test_an_exit_without_a_status_is_success(device: Device) -> None:
    assert device.exec("kept=41\nprint(1)\nimport sys\nsys.exit()") == "1\n"
    assert device.eval("kept") == 41  # no reset
    if not device.transport.survives_reset:
        return
    # From elsewhere it may be machine.soft_reset(): left to the firmware.
    assert device.exec("print(1)\nraise getattr(__import__('builtins'),'System'+'Ex'+'it')") == "1\n"
    assert device.exec("print(2)") == "2\n"


def has(device: Device, module: str) -> bool:
    return module in device.info.modules


def test_an_exception_names_the_line(device: Device) -> None:
    with pytest.raises(RemoteException, match="ZeroDivisionError") as caught:
        device.exec("def f():\n  return 1 // 0\nprint('before')\nf()")
    assert caught.value.output.split() == [b"before"]
    assert "line 4" in caught.value.traceback
    assert "line 2" in caught.value.traceback


def test_a_syntax_error_is_the_boards(device: Device) -> None:
    with pytest.raises(RemoteException, match="SyntaxError"):
        device.exec("x = = 2")
    assert device.exec("print(1)") == "1\n"


@pytest.mark.parametrize("status", [0, 1, 3, 255])
def test_an_exit_status_comes_through_and_the_board_lives_on(device: Device, status: int) -> None:
    device.exec("mark = 7")
    if status:
        with pytest.raises(RemoteExit) as caught:
            device.exec(f"import sys\nprint('x')\nsys.exit({status})")
        assert caught.value.exit_code == status
        assert caught.value.output.split() == [b"x"]
    else:
        device.exec("import sys\nsys.exit()")
    assert device.eval("mark") == 7


def test_every_byte_of_output_is_kept(bench: Bench, device: Device) -> None:
    if "buffer" not in device.exec("import sys\nprint('buffer' if hasattr(sys.stdout, 'buffer') else '-')"):
        pytest.skip("no sys.stdout.buffer on this board")
    out = device.exec_bytes("import sys\nsys.stdout.buffer.write(bytes(range(256))*2)")
    assert out == bytes(range(256)) * 2


def test_long_output(bench: Bench, device: Device) -> None:
    count = 50 if bench.slow else 2000
    text = device.exec(f"for n in range({count}): print(n, 'x' * 40)")
    assert text.splitlines() == [f"{n} " + "x" * 40 for n in range(count)]


@pytest.mark.parametrize("paste", [True, False])
def test_a_long_program(bench: Bench, device: Device, paste: bool) -> None:
    size = 2_000 if bench.slow or bench.name == "qemu-bare" else 12_000
    if not paste:
        device.session.repl.paste = False
        size = min(size, 3_000)
    body = "".join(f"x = {n}\n" for n in range(size // 8))
    assert device.exec(body + "print(x)") == f"{size // 8 - 1}\n"


def test_text_of_all_kinds_survives(device: Device) -> None:
    text = "äöü \u2603 \U0001f40d \\ ' \" \t"
    assert device.eval(repr(text)) == text


def test_values_come_back_as_values(device: Device) -> None:
    assert device.eval("[1, -2, (3, 'x'), {'k': b'\\x00\\xff'}, None, True]") == [
        1, -2, (3, "x"), {"k": b"\x00\xff"}, None, True,
    ]  # fmt: skip


def test_the_probe_answers_everywhere(bench: Bench, device: Device) -> None:
    info = device.info
    assert info.implementation == "micropython"
    assert info.version >= (1, 19)
    assert info.mem_free > 10_000
    assert bench.name == "qemu-bare" or "os" in info.modules


def test_the_next_connection_finds_the_board(bench: Bench) -> None:
    for _ in range(2 if bench.slow else 6):
        with Device(bench.open()) as board:
            assert board.exec("print('here')") == "here\n"


def test_a_connection_dropped_in_the_middle_is_recovered_from(bench: Bench) -> None:
    chance = random.Random(7)
    for _ in range(2 if bench.slow else 12):
        board = Device(bench.open())
        board.drive(board.session.ready())
        for piece in (b"\x05A\x01", b"print(1)\nfor", b" i in")[: chance.randint(1, 3)]:
            board.transport.write(piece)
        board.transport.close()
        with Device(bench.open()) as again:
            assert again.exec("print('back')") == "back\n"


def test_entering_from_paste_mode_and_half_a_line(bench: Bench) -> None:
    for junk in (b"\x05print(1)", b"for i in range(3):\r", b"'''abc", b"\x02", b"\x02\x01\x01"):
        transport = bench.open()
        transport.write(b"\x03\x02" + junk)
        time.sleep(0.1)
        with Device(transport) as board:
            assert board.exec("print('ok')") == "ok\n"


def test_ctrl_c_stops_a_loop_and_shows_where(bench: Bench, device: Device) -> None:
    if not bench.interrupts:
        pytest.skip("Ctrl-C does not reach a running program on this board")
    with pytest.raises(TimeLimitError):
        device.exec("while True: pass", timeout=0.5)
    assert device.exec("print('alive')") == "alive\n"


def test_a_user_interrupt_brings_the_boards_traceback(bench: Bench) -> None:
    if not bench.interrupts:
        pytest.skip("Ctrl-C does not reach a running program on this board")
    with Device(bench.open()) as board:
        board.drive(board.session.ready())
        timer = threading.Timer(3.0 if bench.slow else 1.0, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            with pytest.raises(OperationInterrupted) as caught:
                board.run("import time\nwhile True:\n  time.sleep(0.01)", on_output=lambda data: None)
        finally:
            timer.cancel()
            timer.join()
        assert "KeyboardInterrupt" in caught.value.traceback
        assert board.exec("print(2)") == "2\n"


def test_a_program_that_catches_the_interrupt_is_still_reached(bench: Bench) -> None:
    if not bench.interrupts:
        pytest.skip("Ctrl-C does not reach a running program on this board")
    with Device(bench.open()) as board:
        source = (
            "import time\nfor n in range(2):\n try:\n  while 1: time.sleep(0.01)\n"
            " except KeyboardInterrupt: print('caught')\nwhile 1: time.sleep(0.01)"
        )
        board.run(source, follow=False)
    with Device(bench.open()) as board:
        assert board.exec("print('mine')") == "mine\n"


def test_enter_is_quick_at_a_quiet_prompt(bench: Bench) -> None:
    transport = bench.open()
    try:
        repl = RawRepl()
        start = time.monotonic()
        drive(repl.enter(), transport)
        # Not a speed test: a prompt found at the first attempt needs none of the waits between attempts.
        assert time.monotonic() - start < (10 if bench.slow else 3)
        drive(repl.leave(), transport)
    finally:
        transport.close()
