"""The wasm board's REPL, byte by byte, as pyexec.c answers on a board."""

from __future__ import annotations

import pytest

from upytool.sim.wasm import WasmBoard

from .conftest import Wire


def test_friendly_prompt_echoes_and_indents(wire: Wire) -> None:
    assert wire.ask(b"6 * 7\r", b">>> ") == b"6 * 7\r\n42\r\n>>> "
    assert wire.ask(b"for i in range(2):\r", b"...     ") == b"for i in range(2):\r\n...     "
    assert wire.ask(b"print(i)\r", b"...     ") == b"print(i)\r\n...     "
    assert wire.ask(b"\r", b">>> ") == b"\r\n0\r\n1\r\n>>> "


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (b"abc\x7f\x7f\x7f1+1\r", b"2"),  # backspace
        (b"+1\x1b[D\x1b[D5\r", b"6"),  # left, left
        (b"1+\x015+\x052\r", b"8"),  # home, end
        (b"len('\xc3\xa4')+6\r", b"7"),  # not ASCII
        (b"7*6\r\x1b[A\r", b"42\r\n>>> 7*6\r\n42"),  # history
        (b"import sys;sys.pl\t\rsys.pl\t\r", b"'wasm'"),  # completion
    ],
)
def test_line_editing(wire: Wire, typed: bytes, shown: bytes) -> None:
    wire.board.write(typed)
    seen = b""
    while shown not in seen:
        seen += wire.until(b">>> ")
    assert shown + b"\r\n>>> " in seen


def test_control_characters_of_the_friendly_prompt(wire: Wire) -> None:
    assert wire.ask(b"\x03", b">>> ") == b"\r\n>>> "
    assert wire.ask(b"\x02", b">>> ").startswith(b"\r\nMicroPython v")
    assert wire.ask(b"\x05", b"=== ") == b"\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== "
    assert wire.ask(b"if 1:\r  print(9)\r\x04", b">>> ").endswith(b"\r\n9\r\n>>> ")
    assert wire.ask(b"\x05x\x03", b">>> ").endswith(b"=== x\r\n>>> ")
    answer = wire.ask(b"\x04", b">>> ")
    assert answer.startswith(b"\r\nMPY: soft reboot\r\nMicroPython v")


def test_raw_mode(wire: Wire) -> None:
    assert wire.ask(b"\x01", b">") == b"\r\nraw REPL; CTRL-B to exit\r\n>"
    assert wire.ask(b"print('a\\nb')\x04") == b"OKa\r\nb\r\n\x04\x04>"
    assert wire.ask(b"\x01", b">") == b"raw REPL; CTRL-B to exit\r\n>"  # a safe resync
    assert wire.ask(b"junk\x03print(1)\x04") == b"OK1\r\n\x04\x04>"  # Ctrl-C clears in silence
    answer = wire.ask(b"def f():\n  1/0\nf()\x04")
    assert answer == (
        b"OK\x04Traceback (most recent call last):\r\n"
        b'  File "<stdin>", line 3, in <module>\r\n'
        b'  File "<stdin>", line 2, in f\r\n'
        b"ZeroDivisionError: divide by zero\r\n\x04>"
    )
    assert b"SyntaxError" in wire.ask(b"x = = 1\x04")
    assert wire.ask(b"\x02", b">>> ").startswith(b"\r\nMicroPython v")


def test_raw_paste_flow_control(raw: Wire) -> None:
    head = raw.ask(b"\x05A\x01", b"\x01")
    assert head[:2] == b"R\x01"
    window = int.from_bytes(head[2:4], "little")
    assert len(head) == 5
    source = b"x = '" + b"a" * (3 * window) + b"'\nprint(len(x))"
    answer = raw.ask(source + b"\x04")
    credits = len(source) // window
    assert answer == b"\x01" * credits + b"\x04" + b"%d\r\n\x04\x04>" % (3 * window)


def test_raw_paste_reports_errors_and_interrupts(raw: Wire) -> None:
    raw.ask(b"\x05A\x01", b"\x01")
    assert b"SyntaxError" in raw.ask(b"def\x04")
    raw.ask(b"\x05A\x01", b"\x01")
    assert b"KeyboardInterrupt" in raw.ask(b"print(1)\x03")
    assert raw.value("2") == "2"
    assert raw.ask(b"\x05B\x01", b">") == b"R\x00>"


def test_raw_paste_aborts_a_source_that_does_not_fit(raw: Wire) -> None:
    """The board says 04 while it is being sent to, the host answers 04, then MemoryError."""
    raw.ask(b"\x05A\x01", b"\x01")
    line = b"#" + b"x" * 1022 + b"\n"
    for _ in range(4096):
        raw.board.write(line)
        if b"\x04" in raw.board.read():
            break
    else:
        raise AssertionError("never aborted")
    assert b"MemoryError" in raw.ask(b"\x04")
    assert raw.value("2") == "2"


def test_soft_reset_keeps_the_mode_and_clears_the_interpreter(raw: Wire) -> None:
    raw.run("x = 1")
    assert raw.ask(b"\x04", b"\n>") == b"OK\r\nMPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>"
    assert "NameError" in raw.run("x")[1]
    answer = raw.ask(b"raise SystemExit(3)\x04", b"\n>")
    assert answer == b"OK\x04\x04MPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>"


def test_boot_py_always_and_main_py_only_in_friendly_mode(raw: Wire) -> None:
    for name in ("boot", "main"):
        raw.run(f"with open('{name}.py', 'w') as f: f.write('print(\\'{name}ed\\')')")
    assert raw.ask(b"\x04", b"\n>") == b"OK\r\nMPY: soft reboot\r\nbooted\r\nraw REPL; CTRL-B to exit\r\n>"
    raw.ask(b"\x02", b">>> ")
    answer = raw.ask(b"\x04", b">>> ")
    assert b"booted\r\nmained\r\nMicroPython v" in answer


def test_a_program_gets_binary_input(raw: Wire) -> None:
    everything = bytes(range(256)) * 64
    code = f"import sys,micropython\nmicropython.kbd_intr(-1)\nb=sys.stdin.buffer.read({len(everything)})\n"
    raw.ask(code.encode() + b"sys.stdout.buffer.write(b)\x04", b"OK")
    answer = raw.ask(everything)
    assert answer == everything + b"\x04\x04>"


def test_text_streams_translate_newlines(raw: Wire) -> None:
    raw.ask(b"import sys\nsys.stdout.write(repr(sys.stdin.read(4)))\x04", b"OK")
    assert raw.ask(b"a\rb\n") == b"'a\\nb\\n'\x04\x04>"
    assert raw.ask(b"import sys\nsys.stdout.buffer.write(b'a\\nb')\x04") == b"OKa\nb\x04\x04>"


def test_poll_on_stdin(raw: Wire) -> None:
    raw.run("import select,sys,time\np=select.poll()\np.register(sys.stdin,select.POLLIN)")
    assert raw.value("len(p.poll(20))") == "0"
    raw.ask(b"print(len(p.poll(5000)), sys.stdin.read(1))\x04", b"OK")
    assert raw.ask(b"z") == b"1 z\r\n\x04\x04>"


def test_two_boards_do_not_share_anything(wire: Wire) -> None:
    with WasmBoard() as other:
        second = Wire(other)
        second.until(b">>> ")
        wire.ask(b"x = 1\r", b">>> ")
        assert b"NameError" in second.ask(b"x\r", b">>> ")
        wire.board.close()
        assert second.ask(b"1 + 1\r", b">>> ") == b"1 + 1\r\n2\r\n>>> "


def test_memory_that_runs_out_while_typing_costs_the_line_only(raw: Wire) -> None:
    for _ in range(3000):
        raw.board.write(b"#" + b"x" * 1022 + b"\n")
    raw.board.write(b"\x03")
    assert b"MemoryError" in raw.until(b"\n>")
    assert raw.value("1 + 1") == "2"


@pytest.mark.parametrize("typed", [b"\x05\xff\xfe\x80\r\x04", b"'\xff\xfe'\r", b"\xc3\r", b"\x80\x05\x9f\x04"])
def test_noise_at_the_friendly_prompt_does_not_end_the_board(wire: Wire, typed: bytes) -> None:
    wire.board.write(typed)
    while wire.board.read(timeout=0.3):
        pass
    wire.ask(b"\x03" * 4, b">>> ")
    while wire.board.read(timeout=0.3):
        pass
    assert wire.ask(b"6*7\r", b">>> ").endswith(b"42\r\n>>> ")
