"""RawRepl against the model board: every state, every refusal. Real MicroPython is in tests/conformance."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upytool.errors import (
    BootloaderError,
    DeviceTimeoutError,
    DisturbedError,
    OperationInterrupted,
    ProtocolError,
    RawReplError,
    StreamError,
    TimeLimitError,
    UsageError,
)
from upytool.protocol.ops import Interrupted
from upytool.protocol.raw_repl import RawRepl, ReplState
from upytool.testing import ModelBoard, ScriptDriver


def driver(board: ModelBoard, chunk: int = 65536) -> ScriptDriver:
    def feed(data: bytes) -> Iterable[bytes]:
        out = board.feed(data)
        return [out[at : at + chunk] for at in range(0, len(out), chunk)]

    return ScriptDriver(feed)


def run(board: ModelBoard, source: bytes, chunk: int = 65536) -> tuple[bytes, bytes]:
    repl, script = RawRepl(), driver(board, chunk)
    script.run(repl.enter())
    script.run(repl.start(source))
    out = bytearray()
    error = script.run(repl.follow(out.extend))
    assert repl.state is ReplState.RAW
    return bytes(out), error


def test_enter_from_the_friendly_prompt_is_one_send() -> None:
    script = driver(ModelBoard())
    script.run(RawRepl().enter())
    assert bytes(script.sent) == b"\x03\x01"


@pytest.mark.parametrize("deaf", [0, 1, 2, 4])
def test_enter_stops_a_program_that_swallows_some_interrupts(deaf: int) -> None:
    board = ModelBoard(running=True, deaf=deaf)
    repl, script = RawRepl(), driver(board)
    script.run(repl.enter())
    assert repl.state is ReplState.RAW
    assert script.now < 12


def test_enter_gives_advice_when_nothing_answers() -> None:
    repl, script = RawRepl(), ScriptDriver(lambda data: [])
    with pytest.raises(RawReplError, match="nothing answers") as caught:
        script.run(repl.enter())
    assert "rescue" in caught.value.hint
    assert script.now < 15
    assert repl.state is ReplState.BROKEN


@pytest.mark.parametrize(
    ("noise", "says"),
    [
        (b"rst:0x1 (POWERON),boot:0x3 (DOWNLOAD_BOOT(UART0))\r\nwaiting for download\r\n", "bootloader"),
        (b"invalid header: 0xffffffff\r\n", "no firmware"),
        (b"Guru Meditation Error: Core 0 panic'ed\r\n", "crashes"),
        (b"Adafruit CircuitPython 9.0\r\nCode done running.\r\n", "CircuitPython"),
        (b"KeyboardInterrupt caught, going on\r\n", "catches KeyboardInterrupt"),
        (b"\xff\xfe\x80\x91\xa2\x00\xff" * 9, "not text"),
        (b"tick 41\r\ntick 42\r\n", "tick 42"),
    ],
)
def test_enter_says_what_it_saw(noise: bytes, says: str) -> None:
    with pytest.raises(RawReplError, match=says):
        ScriptDriver(lambda data: [noise]).run(RawRepl().enter())


@pytest.mark.parametrize("paste", [True, False, "old"])
@pytest.mark.parametrize("chunk", [1, 3, 65536])
@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 255, 256, 257, 4000])
def test_a_program_arrives_whole(paste: bool | str, chunk: int, size: int) -> None:
    source = bytes(33 + at % 90 for at in range(size)) or b"pass"
    board = ModelBoard(lambda text: (b"out\r\n", b""), paste=paste)
    assert run(board, source, chunk) == (b"out\r\n", b"")
    assert board.programs == [source]


def test_the_window_is_never_exceeded() -> None:
    # ModelBoard raises when it is; a window of 32 is the smallest that upstream builds.
    board = ModelBoard(window=32)
    run(board, b"x" * 1000)
    assert board.programs == [b"x" * 1000]


@pytest.mark.parametrize(
    "output",
    [
        b"plain",
        b"a\x04b",
        b"\x04",
        b"\x04\x04",
        b"\x04>",
        b"\x04\x04x>",
        b"\x04hello world\r\n",
        b"\x04Traceback (most recent call last):\r\n  not one\x04 no",
        bytes(range(256)) * 3,
    ],
)
@pytest.mark.parametrize(
    "error",
    [
        b"",
        b"Traceback (most recent call last):\r\nValueError: x\r\n",
        b"MemoryError: \r\n",
        b"Traceback (most recent call last):\n  File\nValueError: x\n",
    ],
)
@pytest.mark.parametrize("chunk", [1, 2, 5, 65536])
def test_output_is_byte_exact_even_with_04_in_it(output: bytes, error: bytes, chunk: int) -> None:
    assert run(ModelBoard(lambda text: (output, error)), b"x", chunk) == (output, error)


@settings(max_examples=150)
@given(
    output=st.lists(st.sampled_from([b"\x04", b">", b"a", b"\r\n", b"Trace", b"x: y", b" z"]), max_size=8),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=12),
)
def test_every_chunking_gives_the_same_result(output: list[bytes], cuts: list[int]) -> None:
    # A 04 04 > of the program's own is the one thing that cannot be told from the end.
    text = b"".join(output).replace(b"\x04\x04>", b"")
    if b"\x04\x04>" in text or b"\x04>" in text:
        return
    board = ModelBoard(lambda source: (text, b""))

    def feed(data: bytes) -> list[bytes]:
        out, chunks, turn = board.feed(data), [], 0
        while out:
            size = cuts[turn % len(cuts)]
            chunks.append(out[:size])
            out, turn = out[size:], turn + 1
        return chunks

    repl, script = RawRepl(), ScriptDriver(feed)
    script.run(repl.enter())
    script.run(repl.start(b"x", short=True))
    got = bytearray()
    assert script.run(repl.follow(got.extend)) == b""
    assert bytes(got) == text


def test_what_a_thread_prints_after_the_end_is_not_lost() -> None:
    board = ModelBoard()
    repl, script = RawRepl(), driver(board)
    script.run(repl.enter())
    script.run(repl.start(b"x", short=True))
    script.run(repl.follow(lambda data: None))
    board.run = lambda source: (b"", b"")
    script.feed = lambda data: [board.feed(data) + (b"late" if data == b"y\x04" else b"")]
    script.run(repl.start(b"y"))
    assert script.run(repl.follow(lambda data: None)) == b""
    assert bytes(repl.inbox.data) == b"late"


def test_control_bytes_in_the_source_are_refused_before_anything_is_sent() -> None:
    board = ModelBoard()
    repl, script = RawRepl(), driver(board)
    script.run(repl.enter())
    before = len(script.sent)
    with pytest.raises(UsageError, match="04"):
        script.run(repl.start(b"print('\x04')"))
    assert len(script.sent) == before


def test_the_board_gives_up_while_a_program_is_sent() -> None:
    error = b'Traceback (most recent call last):\r\n  File "<stdin>", line 1\r\nSyntaxError: invalid syntax\r\n'
    state = {"on": False}
    board = ModelBoard(window=32)

    def feed(data: bytes) -> list[bytes]:
        if state["on"]:
            # do_reader_stdin: 04 while we send means stop; it answers only after our own 04
            return [b"\x04" + error + b"\x04>"] if data == b"\x04" else []
        out = board.feed(data)
        if board.mode == "pasting" and len(board.line) >= 40:
            state["on"] = True
            return [out + b"\x04"]
        return [out]

    repl, script = RawRepl(), ScriptDriver(feed)
    script.run(repl.enter())
    script.run(repl.start(b"?" * 500))
    assert script.run(repl.follow(lambda data: None)) == error
    assert repl.state is ReplState.RAW


def test_ctrl_c_stops_the_program_and_keeps_its_traceback() -> None:
    board = ModelBoard()
    board.run = lambda source: (b"", b"")
    repl = RawRepl()

    def feed(data: bytes) -> list[bytes]:
        if repl.state is ReplState.RUNNING and data == b"\x03":
            return [b"\x04Traceback (most recent call last):\r\nKeyboardInterrupt: \r\n\x04>"]
        return [board.feed(data).removesuffix(b"\x04\x04>")]

    script = ScriptDriver(feed)
    script.run(repl.enter())
    script.run(repl.start(b"while True: pass"))
    script.waits, script.interrupt_at = 0, 1
    with pytest.raises(OperationInterrupted) as caught:
        script.run(repl.follow(lambda data: None))
    assert "KeyboardInterrupt" in caught.value.traceback
    assert repl.state is ReplState.RAW


def test_ctrl_c_in_a_hand_over_resets_nothing() -> None:
    board, repl = ModelBoard(), RawRepl()

    def feed(data: bytes) -> list[bytes]:
        answer = board.feed(data)
        # The board's grants do not come: the hand-over waits.
        return [] if board.line and board.mode == "pasting" else [answer]

    script = ScriptDriver(feed)
    script.run(repl.enter())
    script.waits, script.interrupt_at = 0, 3
    with pytest.raises(Interrupted):
        script.run(repl.start(b"x = 1\n" * 200))
    assert board.soft_resets == 0
    assert board.mode == "raw"
    script.interrupt_at = None
    script.run(repl.enter())
    assert repl.state is ReplState.RAW


def endless(board: ModelBoard, repl: RawRepl) -> ScriptDriver:
    def feed(data: bytes) -> list[bytes]:
        return [] if repl.state is ReplState.RUNNING else [board.feed(data).removesuffix(b"\x04\x04>")]

    return ScriptDriver(feed)


def test_a_program_deaf_to_ctrl_c_ends_in_advice_not_in_a_hang() -> None:
    repl = RawRepl()
    script = endless(ModelBoard(), repl)
    script.run(repl.enter())
    script.run(repl.start(b"x", short=True))
    script.waits, script.interrupt_at = 0, 0
    with pytest.raises(OperationInterrupted, match="still running"):
        script.run(repl.follow(lambda data: None))
    assert repl.state is ReplState.BROKEN
    assert script.now < 15


def test_the_time_limit_stops_the_program() -> None:
    repl = RawRepl()
    board = ModelBoard()

    def feed(data: bytes) -> list[bytes]:
        if repl.state is ReplState.RUNNING and data == b"\x03":
            return [b"\x04KeyboardInterrupt: \r\n\x04>"]
        return [board.feed(data).removesuffix(b"\x04\x04>")]

    script = ScriptDriver(feed)
    script.run(repl.enter())
    script.run(repl.start(b"x", short=True))
    with pytest.raises(TimeLimitError) as caught:
        script.run(repl.follow(lambda data: None, limit=3))
    assert caught.value.exit_code == 124
    assert repl.state is ReplState.RAW


@pytest.mark.parametrize("noise", [b"", b"*** my logo ***\r\nraw REPL? no\r\n", b"\x00\xff\r\n"])
def test_soft_reset_tolerates_a_logo(noise: bytes) -> None:
    board = ModelBoard(noise=noise)
    repl, script = RawRepl(), driver(board)
    script.run(repl.enter())
    said = bytearray()
    script.run(repl.soft_reset(said.extend))
    assert board.soft_resets == 1
    assert bytes(said) == b"MPY: soft reboot\r\n" + noise


def test_a_boot_py_that_loops_is_stopped_by_ctrl_c() -> None:
    board = ModelBoard()
    repl = RawRepl()

    def feed(data: bytes) -> list[bytes]:
        out = board.feed(data)
        if data == b"\x04":
            return [b"OK\r\nMPY: soft reboot\r\n"]
        return [b"KeyboardInterrupt\r\n" + ModelBoard.BANNER + b">"] if data == b"\x03" else [out]

    script = ScriptDriver(feed)
    script.run(repl.enter())
    script.run(repl.soft_reset())
    assert repl.state is ReplState.RAW
    assert script.now < 15


def test_a_board_lost_in_soft_reset_is_a_timeout_with_advice() -> None:
    board = ModelBoard()
    repl, script = RawRepl(), driver(board)
    script.run(repl.enter())
    script.feed = lambda data: []
    with pytest.raises(DeviceTimeoutError, match="soft reset"):
        script.run(repl.soft_reset())
    assert script.now < 30


def test_each_state_refuses_what_it_cannot_do() -> None:
    repl, script = RawRepl(), driver(ModelBoard())
    with pytest.raises(ProtocolError):
        script.run(repl.start(b"x"))
    with pytest.raises(ProtocolError):
        script.run(repl.soft_reset())
    script.run(repl.enter())
    with pytest.raises(ProtocolError):
        script.run(repl.follow(lambda data: None))


@pytest.mark.parametrize("answer", [b"Zz", b"R\x01\x00\x00\x01", b"R\x07"])
def test_a_nonsense_answer_to_raw_paste_is_a_stream_error(answer: bytes) -> None:
    board = ModelBoard()
    repl = RawRepl()
    script = ScriptDriver(lambda data: [answer if data == b"\x05A\x01" else board.feed(data)])
    script.run(repl.enter())
    with pytest.raises(StreamError):
        script.run(repl.start(b"x"))
    assert repl.state is ReplState.BROKEN
    script.feed = lambda data: [board.feed(data)]
    board.mode, board.line = "raw", bytearray()
    script.run(repl.enter())
    assert repl.state is ReplState.RAW


def test_a_board_that_falls_silent_in_a_hand_over_is_a_timeout() -> None:
    board = ModelBoard(window=16)
    repl, script = RawRepl(), driver(board)
    script.run(repl.enter())
    script.feed = lambda data: [board.feed(data)] if data == b"\x05A\x01" else []
    with pytest.raises(DeviceTimeoutError, match="stopped reading"):
        script.run(repl.start(b"y" * 200))


def told(repl: RawRepl) -> list[str]:
    said: list[str] = []
    repl.tell = said.append
    return said


def test_a_silent_port_is_told_within_a_second_and_given_up_within_twelve() -> None:
    repl, script, at = RawRepl(), ScriptDriver(lambda data: []), []
    repl.tell = lambda text: at.append(script.now)
    with pytest.raises(RawReplError) as caught:
        script.run(repl.enter())
    assert caught.value.exit_code == 5
    assert len(at) == 1
    assert at[0] <= 1
    assert script.now < 12


def test_a_prompt_that_is_there_needs_no_word() -> None:
    repl = RawRepl()
    said = told(repl)
    driver(ModelBoard()).run(repl.enter())
    assert said == []


def test_an_esp_that_waits_for_a_download_is_known_by_its_answer() -> None:
    # The ROM ignores what is not a frame; it answers SYNC eight times (esptool's protocol).
    answer = b"\xc0\x01\x08\x04\x00\x07\x07\x12\x20\x00\x00\x00\x00\xc0" * 8
    script = ScriptDriver(lambda data: [answer] if data.startswith(b"\xc0\x00\x08\x24\x00") else [])
    with pytest.raises(BootloaderError) as caught:
        script.run(RawRepl().enter())
    assert caught.value.code == "protocol.bootloader"
    assert script.now < 3


def test_an_esp_that_says_so_is_not_waited_for() -> None:
    script = ScriptDriver(lambda data: [])
    script.queue.append(b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1))\r\nwaiting for download\r\n")
    with pytest.raises(BootloaderError):
        script.run(RawRepl().enter())
    assert script.now < 1


def test_what_asks_a_boot_rom_does_no_harm_at_a_prompt_that_wakes_up_late() -> None:
    class Late(ModelBoard):
        executed = 0

        def _friendly(self, byte: int) -> bytes:
            # A line of anything that Enter runs is a program.
            if byte == 13 and self.line:
                self.executed += 1
            self.line = self.line + bytes([byte]) if byte > 31 and byte < 255 else bytearray()
            return super()._friendly(byte)

    board = Late()
    heard = bytearray()

    def feed(data: bytes) -> list[bytes]:
        heard.extend(data)
        if script.now < 3:
            return []
        out = board.feed(bytes(heard))
        heard.clear()
        return [out]

    repl, script = RawRepl(), ScriptDriver(feed)
    script.run(repl.enter())
    assert repl.state is ReplState.RAW
    assert board.executed == 0
    assert board.programs == []


def test_where_no_boot_rom_can_be_it_is_not_asked() -> None:
    repl, script = RawRepl(), ScriptDriver(lambda data: [])
    repl.may_be_rom = False
    with pytest.raises(RawReplError):
        script.run(repl.enter())
    assert b"\xc0" not in script.sent


@pytest.mark.parametrize("marked", [True, False])
def test_only_a_marked_answer_is_looked_for_behind_other_output(marked: bool) -> None:
    """A timer prints before the board's own OK: a program of the user's must not show a part of it as its output."""
    board = ModelBoard(run=lambda source: (b"\x1e1\r\n", b""))
    repl = RawRepl()
    script = ScriptDriver(lambda data: [(b"net up\r\n" if b"1" in data else b"") + board.feed(data)])
    script.run(repl.enter())
    if not marked:
        with pytest.raises(DisturbedError):
            script.run(repl.start(b"print(1)", short=True))
        return
    script.run(repl.start(b"print(1)", short=True, marked=True))
    said = bytearray()
    assert script.run(repl.finish(said.extend, 5.0)) == b""
    assert bytes(said) == b"\x1e1\r\n"


def test_an_answer_to_an_earlier_ctrl_a_may_come_before_the_programs() -> None:
    """A loaded emulator answered the second Ctrl-A of `enter` after the wait for it was over."""
    board, repl = ModelBoard(), RawRepl()
    late = [b"raw REPL; CTRL-B to exit\r\n>"]

    def feed(data: bytes) -> list[bytes]:
        found = [board.feed(data)]
        return [late.pop(), *found] if late and data == b"x\x04" else found

    script = ScriptDriver(feed)
    script.run(repl.enter())
    script.run(repl.start(b"x", short=True))
    assert not late
    assert repl.state is not ReplState.RAW, "the program runs"


def test_a_late_prompt_before_the_answer_to_raw_paste_costs_no_paste() -> None:
    """The board takes a program by raw paste by then; sent plainly it would go astray."""
    ran: list[bytes] = []
    board, repl = ModelBoard(run=lambda source: (ran.append(source), b"")[1:] * 2), RawRepl()
    late = [b"raw REPL; CTRL-B to exit\r\n>"]

    def feed(data: bytes) -> list[bytes]:
        found = [board.feed(data)]
        return [late.pop(), *found] if late and data == b"\x05A\x01" else found

    script = ScriptDriver(feed)
    script.run(repl.enter())
    script.run(repl.start(b"x = 1"))
    assert (late, ran, repl.paste) == ([], [b"x = 1"], True)
