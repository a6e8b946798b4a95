"""The end of a program is found in every language, in every chunking, and whatever the program prints.

The boards here are models: they send, byte for byte, what official CircuitPython builds sent on an emulated RP2040, and
the same in other scripts. Real MicroPython is in tests/conformance.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upytool.device.program import prepare, raise_program_error, raise_snippet_error
from upytool.device.session import Session
from upytool.errors import (
    BoardResetError,
    DeviceTimeoutError,
    OperationInterrupted,
    RemoteException,
    RemoteExit,
    RemoteOSError,
    TimeLimitError,
)
from upytool.protocol.program_end import SETTLE, ProgramEnd
from upytool.protocol.raw_repl import RawRepl, ReplState
from upytool.testing import ModelBoard, ScriptDriver

Feed = Callable[[bytes], bytes]

# language -> (a traceback's first line, a frame, the text of a ZeroDivisionError, of EROFS, of a SyntaxError)
WORDS = {
    "english": (
        "Traceback (most recent call last):",
        '  File "<stdin>", line 1, in <module>',
        "division by zero",
        "Read-only filesystem",
        "invalid syntax",
    ),
    "polish": (
        "Ślad wyjątku (najnowsze wywołanie na końcu):",
        '  Plik "<stdin>", linia 1, w <module>',
        "dzielenie przez zero",
        "System plików tylko do odczytu",
        "zła składnia",
    ),
    "japanese": (
        "トレースバック(最新の呼び出しが最後):",
        '  ファイル "<stdin>", 行 1, 場所 <module>',
        "ゼロ除算",
        "読み込み専用のファイルシステム",
        "不正な構文",
    ),
    "arabic": (
        "\u202bتتبع الأثر (أحدث استدعاء أخيرا):\u202c",
        '  ملف "<stdin>"، سطر 1، في <module>',
        "القسمة على صفر",
        "نظام ملفات للقراءة فقط",
        "صياغة غير صالحة",
    ),
}
TITLE = "\x1b]0;\U0001f40dREPL | 8.2.2\x1b\\".encode()


def text(*lines: str) -> bytes:
    return "".join(line + "\r\n" for line in lines).encode()


class Speaking(ModelBoard):
    """A MODEL of a CircuitPython board: its words are those of a language, its titles come around a change of mode."""

    def __init__(self, language: str, run: Callable[[bytes], tuple[bytes, bytes]], titles: bool) -> None:
        super().__init__(run)
        self.words, self.titles = WORDS[language], titles

    def _friendly(self, byte: int) -> bytes:
        said = super()._friendly(byte)
        return TITLE + said if self.titles and byte == 1 else said


def driver(feed: Feed, chunk: int = 65536) -> ScriptDriver:
    def pieces(data: bytes) -> Iterable[bytes]:
        out = feed(data)
        return [out[at : at + chunk] for at in range(0, len(out), chunk)]

    return ScriptDriver(pieces)


def session_on(board: ModelBoard, chunk: int) -> tuple[Session, ScriptDriver]:
    return Session(), driver(board.feed, chunk)


@pytest.mark.parametrize("chunk", [1, 2, 7, 65536])
@pytest.mark.parametrize("titles", [False, True])
@pytest.mark.parametrize("language", WORDS)
def test_an_error_is_an_error_in_every_language(language: str, titles: bool, chunk: int) -> None:
    head, frame, zero, readonly, syntax = WORDS[language]
    errors = {
        b"1/0": text(head, frame, f"ZeroDivisionError: {zero}"),
        b"open": text(head, frame, f"OSError: [Errno 30] {readonly}"),
        b"a b": text(frame, f"SyntaxError: {syntax}"),
        b"memory": text("MemoryError: "),
    }

    def run(source: bytes) -> tuple[bytes, bytes]:
        return b"out\r\n", next((error for key, error in errors.items() if key in source), b"")

    session, script = session_on(Speaking(language, run, titles), chunk)
    assert script.run(session.exec("print('out')")) == b"out\r\n"
    for source in ("1/0", "a b", "memory"):
        with pytest.raises(RemoteException) as caught:
            script.run(session.exec(source))
        assert caught.value.output == b"out\r\n"
        assert caught.value.traceback == errors[source.encode()].decode().replace("\r\n", "\n")
        assert caught.value.kind in ("ZeroDivisionError", "SyntaxError", "MemoryError")
    with pytest.raises(RemoteOSError) as refused:
        script.run(session.call_source("open('/x','w')", "/x"))
    assert refused.value.errno == 30
    assert script.run(session.exec("fine")) == b"out\r\n"
    assert script.now < 10


@pytest.mark.parametrize("language", WORDS)
def test_an_exit_status_comes_through_in_every_language(language: str) -> None:
    head, frame, *_ = WORDS[language]
    error = text(head, frame, "KeyError: \x1fexit(3,)")
    session, script = session_on(Speaking(language, lambda source: (b"", error), False), 3)
    with pytest.raises(RemoteExit) as caught:
        script.run(session.exec("import sys; sys.exit(3)"))
    assert caught.value.exit_code == 3


def test_a_soft_reset_in_polish() -> None:
    board = ModelBoard()
    session, script = (
        Session(),
        driver(lambda data: board.feed(data).replace(b"MPY: soft reboot", b"\r\nprogramowy reset")),
    )
    script.run(session.soft_reset())
    assert session.repl.state is ReplState.RAW


# What a program may print to look like its own end, or like a reset.
NASTY = [
    b"\x04",
    b"\x04\x04",
    b"\x04\x04>",
    b"a\x04\x04>b",
    b"\x04\x04>" * 5,
    b"\x04>",
    b"\x04Traceback (most recent call last):\r\nValueError: x\r\n\x04>",
    b"\x04MemoryError: \r\n\x04>",
    b"x\r\n\x04\x04>\r\nraw REPL; CTRL-B to exit\r\n>",
    b"\r\nMicroPython v1.26.0 on 2025-08-09; model with nothing\r\n>>> ",
    b"\r\n>>> ",
    b"raw REPL; CTRL-B to exit\r\n>",
    b"rst:0x1 (POWERON),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n",
    bytes(range(0x1C, 0x20)) * 9,
    bytes(range(256)),
]
ERRORS = [
    b"",
    text("Ślad:", "ValueError: x"),
    text("ValueError: \x04"),
    text("V: \x04>"),
    text("V: \x04\x04>", "\x04\x04> "),
]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("output", NASTY)
def test_a_wrapped_program_may_print_anything_in_any_chunks(output: bytes, error: bytes) -> None:
    for chunk in (1, 2, 3, 5, 8, 13, 65536):
        board = ModelBoard(lambda source: (output, error))
        repl, script, program = RawRepl(), driver(board.feed, chunk), prepare("run")
        got = bytearray()
        script.run(repl.enter())
        for _ in range(2):
            script.run(repl.start(program.source))
            before = len(script.sent)
            assert script.run(repl.follow(got.extend, 60, program.mark)) == error
            # Nothing was asked: no stray byte for a program that reads its input.
            assert script.sent[before:] == b""
            assert repl.state is ReplState.RAW
        assert bytes(got) == output * 2


@settings(max_examples=200)
@given(
    output=st.lists(st.sampled_from([*NASTY[:8], b"\x1c", b"\x1d\x1e", b">", b"\r\n", b"text"]), max_size=8),
    error=st.sampled_from(ERRORS),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=12),
)
def test_every_chunking_of_a_wrapped_program_gives_the_same(output: list[bytes], error: bytes, cuts: list[int]) -> None:
    board, said = ModelBoard(lambda source: (b"".join(output), error)), bytearray()

    def feed(data: bytes) -> list[bytes]:
        out, chunks, turn = board.feed(data), [], 0
        while out:
            size = cuts[turn % len(cuts)]
            chunks.append(out[:size])
            out, turn = out[size:], turn + 1
        return chunks

    repl, script, program = RawRepl(), ScriptDriver(feed), prepare("run")
    script.run(repl.enter())
    script.run(repl.start(program.source))
    assert script.run(repl.follow(said.extend, 60, program.mark)) == error
    assert bytes(said) == b"".join(output)


class Running:
    """A MODEL of a board in whose raw REPL a program runs that prints `says` in turn and ends with `ends`."""

    def __init__(self, says: list[bytes], ends: bytes | None, gap: float = 5.0) -> None:
        self.board = ModelBoard()
        self.says, self.ends, self.gap = says, ends, gap
        self.stdin = bytearray()
        self.over = True
        self.at = 0.0

    def start(self) -> RawRepl:
        """A REPL in the state RUNNING, nothing of the program having come yet."""
        repl = RawRepl()
        self.script = _Timed(self)
        self.script.run(repl.enter())
        self.script.run(repl.start(b"x"))
        self.script.queue.clear()
        self.over, self.at = False, self.script.now
        return repl

    def feed(self, data: bytes) -> list[bytes]:
        if self.over:
            return [self.board.feed(data).removesuffix(b"\x04\x04>")]
        self.stdin += data
        return []

    def due(self, now: float) -> bytes:
        """What it prints by `now`."""
        out = b""
        while not self.over and now >= self.at:
            self.at += self.gap
            if self.says:
                out += self.says.pop(0)
            elif self.ends is not None:
                self.over = True
                # The raw REPL reads what the program left unread.
                out += self.ends + self.board.feed(bytes(self.stdin))
            else:
                break
        return out


class _Timed(ScriptDriver):
    def __init__(self, program: Running) -> None:
        super().__init__(program.feed)
        self.program = program

    def run(self, op):  # type: ignore[no-untyped-def]
        answer = None
        step = op.send
        try:
            while True:
                request = step(answer)
                kind = type(request).__name__
                if kind == "Send":
                    self.sent += request.data
                    self.queue += [part for part in self.feed(request.data) if part]
                    answer = self.now
                elif kind == "Pause":
                    self.now += request.seconds
                    answer = self.now
                else:
                    assert request.timeout is not None
                    if not self.queue:
                        self.now += request.timeout
                        self.queue += [part for part in (self.program.due(self.now),) if part]
                    assert self.now < 3600, "it waits for ever"
                    answer = (self.queue.pop(0) if self.queue else b"", self.now)
        except StopIteration as done:
            return done.value


@pytest.mark.parametrize("mark", [b"", b"\x1c\x1d" * 12])
@pytest.mark.parametrize("output", NASTY)
def test_a_program_that_prints_an_end_and_pauses_goes_on(output: bytes, mark: bytes) -> None:
    program = Running([output, b"more\r\n"], mark + b"\x04\x04>")
    repl, got = program.start(), bytearray()
    assert program.script.run(repl.follow(got.extend, 600, mark)) == b""
    assert bytes(got) == output + b"more\r\n"
    assert repl.state is ReplState.RAW
    # The next program begins in step.
    program.script.run(repl.start(b"y"))


@pytest.mark.parametrize("silent", [False, True])
def test_what_a_timer_prints_within_the_end_does_not_hide_it(silent: bool) -> None:
    mark, tick = b"\x1c\x1d" * 12, b"tick\r\n"
    end, out = ProgramEnd(mark), bytearray()
    end.feed(b"out\r\n" + mark + tick + b"\x04" + tick + b"\x04" + tick + b">" + tick, out.extend)
    assert end.error is None
    if silent:
        assert end.doubt() == SETTLE
        assert not end.settle()
    else:
        for _ in range(300):
            end.feed(tick, out.extend)
    assert end.error == tick
    assert out == b"out\r\n" + tick


def test_a_marked_program_that_prints_an_empty_end_is_asked_after_a_long_silence_only() -> None:
    program = Running([b"\x04\x04>", b"more\r\n"], b"\x1c" * 24 + b"\x04\x04>", gap=1.5)
    repl, got = program.start(), bytearray()
    before = len(program.script.sent)
    program.script.run(repl.follow(got.extend, 600, b"\x1c" * 24))
    assert bytes(got) == b"\x04\x04>more\r\n"
    assert program.script.sent[before:] == b""


@pytest.mark.parametrize("error", [b"", text("Plik", "SyntaxError: zła składnia")])
def test_a_program_whose_mark_never_comes_ends_all_the_same(error: bytes) -> None:
    repl = RawRepl()
    board = ModelBoard(lambda source: (b"out\r\n", error))
    script, got = driver(board.feed, 4), bytearray()
    script.run(repl.enter())
    script.run(repl.start(b"x"))
    assert script.run(repl.follow(got.extend, 60, b"\x1d" * 24)) == error
    assert bytes(got) == b"out\r\n"
    assert script.now < 10


BANNER = (
    b'\r\nMicroPython v1.26.0 on 2025-08-09; ESP32 module with ESP32\r\nType "help()" for more information.\r\n>>> '
)
RESETS = {
    "esp32": b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nload:0x1\r\n"
    + BANNER,
    "plain": BANNER,
    "custom name": b"My Firmware 3\r\n>>> ",
    "titles": TITLE + b"\r\nAdafruit CircuitPython 8.2.2 on 2023-07-31\r\n" + TITLE + b">>> ",
    "still raw": b"\r\nMPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>",
    "still raw, polish": b"\r\nprogramowy reset\r\nraw REPL; CTRL-B to exit\r\n>",
}


class Resetting:
    """A MODEL of a board that is reset while a program runs; its port stays."""

    def __init__(self, boot: bytes, then: str, *, output: bytes = b"before\r\n") -> None:
        self.board = ModelBoard()
        self.boot, self.then, self.output = boot, then, output

    def start(self) -> tuple[RawRepl, ScriptDriver]:
        repl = RawRepl()
        script = ScriptDriver(lambda data: [self.board.feed(data)])
        script.run(repl.enter())
        self.board.run = lambda source: (b"", b"")
        feed = self.board.feed
        script.feed = lambda data: [feed(data).removesuffix(b"\x04\x04>")]
        script.run(repl.start(b"machine.reset()"))
        script.queue.append(self.output + self.boot)
        self.board.mode = self.then
        return repl, script


@pytest.mark.parametrize("mark", [b"", b"\x1c\x1d" * 12])
@pytest.mark.parametrize("kind", RESETS)
def test_a_reset_ends_the_program(kind: str, mark: bytes) -> None:
    repl, script = Resetting(RESETS[kind], "raw" if "raw" in kind else "friendly").start()
    got = bytearray()
    with pytest.raises(BoardResetError) as caught:
        script.run(repl.follow(got.extend, None, mark))
    assert caught.value.exit_code == 10
    assert caught.value.code == "remote.reset"
    assert bytes(got) == b"before\r\n" + RESETS[kind]
    assert repl.state is ReplState.RAW
    assert script.now < 30


def test_a_reset_ends_a_program_of_ours_too() -> None:
    repl, script = Resetting(BANNER, "friendly").start()
    with pytest.raises(BoardResetError):
        script.run(repl.finish(lambda data: None, 60))


def test_the_users_limit_is_the_users_though_main_py_runs_since_a_reset() -> None:
    resetting = Resetting(b"booted\r\n", "running")
    repl, script = resetting.start()
    with pytest.raises(TimeLimitError) as caught:
        script.run(repl.follow(lambda data: None, 5))
    assert caught.value.exit_code == 124
    assert repl.state is ReplState.RAW
    assert script.now < 20


def test_ctrl_c_after_a_reset_reaches_the_prompt() -> None:
    repl, script = Resetting(b"booted\r\n", "running").start()
    script.waits, script.interrupt_at = 0, 2
    with pytest.raises(OperationInterrupted):
        script.run(repl.follow(lambda data: None))
    assert repl.state is ReplState.RAW


@pytest.mark.parametrize("deaf", [False, True])
def test_the_users_limit_is_124_and_ours_is_5(deaf: bool) -> None:
    def on(board: ModelBoard, repl: RawRepl, data: bytes) -> list[bytes]:
        if repl.state is ReplState.RUNNING and data == b"\x03":
            return [] if deaf else [b"\x04" + text("KeyboardInterrupt: ") + b"\x04>"]
        return [] if deaf and repl.state is ReplState.RUNNING else [board.feed(data).removesuffix(b"\x04\x04>")]

    for ours in (False, True):
        board, repl = ModelBoard(), RawRepl()
        script = ScriptDriver(lambda data: on(board, repl, data))  # noqa: B023 - run before the next turn
        script.run(repl.enter())
        script.run(repl.start(b"x"))
        wait = repl.finish(lambda data: None, 3) if ours else repl.follow(lambda data: None, 3)
        with pytest.raises(DeviceTimeoutError if ours else TimeLimitError) as caught:
            script.run(wait)
        assert caught.value.exit_code == (5 if ours else 124)
        assert repl.state is (ReplState.BROKEN if deaf else ReplState.RAW)


def test_what_a_nasty_error_left_on_the_line_does_not_spoil_the_next_program() -> None:
    board = ModelBoard(lambda source: (b"fine\r\n", b""))
    repl, script = RawRepl(), driver(board.feed)
    script.run(repl.enter())
    repl.inbox.data += b"b\r\n\x04>"
    script.run(repl.start(b"x"))
    got = bytearray()
    assert script.run(repl.follow(got.extend)) == b""
    assert bytes(got) == b"fine\r\n"


def test_marks_are_new_each_time_and_not_interned() -> None:
    marks = {prepare("x").mark for _ in range(50)}
    assert len(marks) == 50
    assert all(re.fullmatch(rb"[\x1c-\x1f]{24}", mark) for mark in marks)
    assert prepare("x", marked=False).mark == b""
    assert prepare("def f(:").mark == b""


def test_no_word_is_needed_to_read_an_error() -> None:
    error = text("Ślad", "KeyError: \x1fexit(None,)")
    raise_program_error(error, prepare(""))
    with pytest.raises(RemoteOSError) as caught:
        raise_snippet_error(text("OSError: [Errno 2] Nie ma takiego pliku"), "/x")
    assert caught.value.errno == 2
