"""Getting hold of boards that do not want to be held. They are models unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.virtual import Clock, VirtualWire
from upytool.device.rescue import disable, hammer, hold, reset_pulse, restore
from upytool.errors import (
    BootloaderError,
    NoDeviceError,
    PortBusyError,
    PortMissingError,
    PortPermissionError,
    RawReplError,
)
from upytool.events import Notice
from upytool.protocol.diagnose import ESP_SYNC, in_bootloader
from upytool.protocol.raw_repl import RawRepl, ReplState
from upytool.testing import ModelBoard, Recorder
from upytool.transport.base import Transport
from upytool.transport.drive import drive


class Stubborn(ModelBoard):
    """A MODEL of a program that is left only when Ctrl-C comes twice within `gap` seconds."""

    def __init__(self, clock: Clock, gap: float) -> None:
        super().__init__(running=True)
        self.clock, self.gap, self.last = clock, gap, -1.0

    def _running(self, byte: int) -> bytes:
        if byte != 3:
            return b""
        now, last = self.clock.now, self.last
        self.last = now
        # In one packet they count as one.
        if now == last or now - last > self.gap:
            return b""
        self.mode = "friendly"
        return b"KeyboardInterrupt: \r\n>>> "


class Sleeper(ModelBoard):
    """A MODEL of a board that is awake for `awake` seconds out of every `period`, deaf otherwise."""

    def __init__(self, clock: Clock, period: float, awake: float) -> None:
        super().__init__()
        self.clock, self.period, self.awake = clock, period, awake

    def feed(self, data: bytes) -> bytes:
        if self.mode == "friendly" and self.clock.now % self.period > self.awake:
            return b""
        return super().feed(data)


class Mute(ModelBoard):
    """A MODEL of a board that does not answer until it is reset."""

    def __init__(self) -> None:
        super().__init__()
        self.dead = True

    def feed(self, data: bytes) -> bytes:
        return b"" if self.dead else super().feed(data)


def _hammer(board: ModelBoard, clock: Clock, seconds: float = 20) -> RawRepl:
    repl = RawRepl()
    drive(hammer(repl, seconds), VirtualWire(board, clock), clock, clock.sleep)
    return repl


@pytest.mark.parametrize("deaf", [0, 1, 5, 40])
def test_a_program_that_swallows_some_ctrl_c(deaf: int) -> None:
    clock = Clock()
    board = ModelBoard(running=True, deaf=deaf)
    assert _hammer(board, clock).state is ReplState.RAW
    assert board.mode == "raw"
    assert clock.now < 5


def test_a_program_that_catches_each_ctrl_c() -> None:
    clock = Clock()
    assert _hammer(Stubborn(clock, gap=0.003), clock).state is ReplState.RAW


def test_a_board_that_is_awake_for_a_blink() -> None:
    clock = Clock()
    clock.now = 1.0
    board = Sleeper(clock, period=10, awake=0.06)
    assert _hammer(board, clock).state is ReplState.RAW
    assert clock.now < 12


def test_a_board_that_says_nothing_gets_a_diagnosis_in_time() -> None:
    clock = Clock()
    with pytest.raises(RawReplError, match="nothing answers"):
        _hammer(Mute(), clock, seconds=8)
    assert 8 <= clock.now < 9


class Bench:
    """Ports that come, go and forbid, for `hold`."""

    def __init__(self, clock: Clock, *steps: Transport | Exception) -> None:
        self.clock, self.steps, self.opened = clock, list(steps), 0

    def __call__(self) -> Transport:
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        self.opened += 1
        return step


def _hold(bench: Bench, clock: Clock, recorder: Recorder | None = None, **options: object):  # type: ignore[no-untyped-def]
    return hold(bench, reporter=recorder or Recorder(), clock=clock, sleep=clock.sleep, **options)  # type: ignore[arg-type]


def test_hold_on_a_board_that_loops() -> None:
    clock = Clock()
    recorder = Recorder()
    held = _hold(Bench(clock, VirtualWire(ModelBoard(running=True), clock)), clock, recorder)
    assert held.device.session.repl.state is ReplState.RAW
    assert (held.opened, held.pulsed) == (1, False)
    assert held.seconds < 1
    assert recorder.of(Notice) == []
    held.device.close()


def test_hold_waits_for_the_port_and_says_so_once() -> None:
    clock, recorder = Clock(), Recorder()
    gone: list[Exception] = [PortMissingError("no port")] * 30 + [NoDeviceError("none")] * 10
    held = _hold(Bench(clock, *gone, VirtualWire(ModelBoard(), clock)), clock, recorder)
    held.device.close()
    said = [event for event in recorder.of(Notice) if event.level == "info"]
    assert len(said) == 1
    assert "press reset" in said[0].message


def test_hold_follows_a_board_over_its_resets() -> None:
    """USB goes away twice while the board restarts; each time the port is opened again."""
    clock = Clock()
    wires: list[VirtualWire | PortMissingError] = [
        VirtualWire(Mute(), clock, lost_at=1.0),
        PortMissingError("no port"),
        PortMissingError("no port"),
        VirtualWire(Mute(), clock, lost_at=1.6),
        PortMissingError("no port"),
        VirtualWire(ModelBoard(running=True), clock),
    ]
    held = _hold(Bench(clock, *wires), clock)
    assert held.opened == 3
    assert [wire.closed for wire in wires if isinstance(wire, VirtualWire)] == [True, True, False]
    held.device.close()


class Resettable(VirtualWire):
    """A MODEL of Espressif's circuit: RTS without DTR holds the board in reset, letting go starts it."""

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        super().set_lines(dtr=dtr, rts=rts)
        if rts is False and any(line == (None, True) for line in self.lines):
            assert isinstance(self.board, Mute)
            self.board.dead = False


def test_hold_resets_by_the_lines_where_it_may() -> None:
    clock = Clock()
    wire = Resettable(Mute(), clock)
    held = _hold(Bench(clock, wire), clock, pulse=True)
    assert held.pulsed
    assert 3 <= held.seconds < 4
    assert wire.lines == [(False, None), (None, True), (None, False)]
    held.device.close()


def test_hold_leaves_the_lines_alone_where_it_may_not() -> None:
    clock, recorder = Clock(), Recorder()
    wire = Resettable(Mute(), clock)
    with pytest.raises(RawReplError, match="nothing answers"):
        _hold(Bench(clock, wire), clock, recorder, seconds=12)
    assert wire.lines == []
    assert wire.closed
    assert 12 <= clock.now < 14
    said = [event.message for event in recorder.of(Notice) if event.level == "info"]
    assert len(said) == 1
    assert "reset button" in said[0]


class Rom(Mute):
    """A model of an ESP's boot ROM in download mode: silent but for an answer to SYNC."""

    def feed(self, data: bytes) -> bytes:
        if not self.dead:
            return super().feed(data)
        return b"\xc0\x01\x08\x04\x00\x07\x07\x12\x20\x00\x00\x00\x00\xc0" if ESP_SYNC in data else b""


def test_a_boot_rom_that_waits_for_firmware_is_told_in_time() -> None:
    clock = Clock()
    with pytest.raises(BootloaderError):
        _hold(Bench(clock, VirtualWire(Rom(), clock)), clock)
    assert clock.now < 3


@pytest.mark.parametrize(
    "said",
    [
        b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\n",
        b"rst:0x15 (USB_UART_CHIP_RESET),boot:0x0 (DOWNLOAD(USB/UART0))\r\n",
        b"\r\nwaiting for download\r\n",
    ],
)
def test_what_a_boot_rom_says(said: bytes) -> None:
    assert in_bootloader(b"ets Jul 29 2019 12:21:46\r\n" + said) is not None


@pytest.mark.parametrize(
    "said",
    [
        b'  File "main.py", line 3, in download_file\r\nKeyboardInterrupt: \r\n',
        b"DOWNLOAD(7)\r\n",
        b"still waiting for download of x\r\n",
        b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n",
    ],
)
def test_what_a_program_says_of_downloads_is_no_boot_rom(said: bytes) -> None:
    assert in_bootloader(said) is None


def test_a_boot_rom_is_left_by_the_lines_where_they_may_be_used() -> None:
    clock = Clock()
    held = _hold(Bench(clock, Resettable(Rom(), clock)), clock, pulse=True)
    assert held.pulsed
    held.device.close()


def test_hold_gives_up_on_a_port_that_never_comes() -> None:
    clock = Clock()
    with pytest.raises(PortMissingError):
        _hold(Bench(clock, PortMissingError("no port")), clock, seconds=5)
    assert 5 <= clock.now < 6


def test_a_busy_port_is_said_at_once() -> None:
    clock = Clock()
    with pytest.raises(PortBusyError):
        _hold(Bench(clock, PortBusyError("in use")), clock)
    assert clock.now == 0


def test_a_fresh_port_may_be_forbidden_for_a_moment_only() -> None:
    clock = Clock()
    briefly = [PortPermissionError("no")] * 5
    held = _hold(Bench(clock, *briefly, VirtualWire(ModelBoard(), clock)), clock)
    held.device.close()
    clock = Clock()
    with pytest.raises(PortPermissionError):
        _hold(Bench(clock, PortPermissionError("no")), clock)
    assert clock.now < 2


def test_the_pulse_never_leaves_a_line_on() -> None:
    wire = VirtualWire(ModelBoard(), Clock())
    reset_pulse(wire, lambda seconds: None)
    dtr = rts = None
    for new_dtr, new_rts in wire.lines:
        dtr = dtr if new_dtr is None else new_dtr
        rts = rts if new_rts is None else new_rts
    assert (dtr, rts) == (False, False)


# -- with a real MicroPython --------------------------------------------------------------------


@pytest.fixture
def real_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A simulated board: MicroPython's VM with a LittleFS of its own, on a pty or a TCP port."""
    pytest.importorskip("wasmtime")
    monkeypatch.setenv("UPYTOOL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("UPYTOOL_DATA_DIR", str(tmp_path / "data"))
    from upytool.sim import start, stop

    board = start("wasm", name="rescue", fresh=True)
    try:
        yield board.port
    finally:
        stop("rescue")


def test_main_py_is_put_away_and_brought_back_on_a_real_file_system(real_port: str) -> None:
    from upytool.transport.registry import open_transport

    held = hold(lambda: open_transport(real_port), seconds=60)
    with held.device as board:
        write = "with open({!r},'w') as f: f.write({!r})"
        board.exec(write.format("main.py", "print(1)") + "\n" + write.format("boot.py", ""))
        first = disable(board)
        assert [(old.rpartition("/")[2], new.rpartition("/")[2]) for old, new in first.renamed] == [
            ("main.py", "main.py.off-1")
        ]
        assert disable(board).renamed == ()
        board.exec(write.format("main.py", "print(2)"))
        second = disable(board, ("main.py", "boot.py"))
        assert sorted(new.rpartition("/")[2] for _, new in second.renamed) == [
            "boot.py.off-1",
            "main.py.off-2",
        ]
        # The latest comes back; a new file in the way is never overwritten.
        back = restore(board)
        assert sorted(new.rpartition("/")[2] for _, new in back.renamed) == ["boot.py", "main.py"]
        assert board.exec("print(open('main.py').read())") == "print(2)\n"
        again = restore(board)
        assert again.renamed == ()
        assert [path.rpartition("/")[2] for path in again.kept] == ["main.py"]
        assert board.exec("import os;print(sorted(n for n in os.listdir() if n[0]!='l'))") == (
            "['boot.py', 'main.py', 'main.py.off-1']\n"
        )


LOOP = """\
import time
print('main.py has started')
while True:
    try:
        time.sleep(0.05)
    except KeyboardInterrupt:
        print('no')
"""


def test_a_real_main_py_that_swallows_ctrl_c(real_port: str) -> None:
    """MicroPython itself runs the loop; one Ctrl-C at a time only makes it say no."""
    import time

    from upytool.sim import reset
    from upytool.transport.registry import open_transport

    def open_port() -> Transport:
        return open_transport(real_port)

    with hold(open_port, seconds=60).device as board:
        board.exec(f"with open('main.py','w') as f: f.write({LOOP!r})")
    reset("rescue")
    transport, heard = open_port(), b""
    try:
        end = time.monotonic() + 10
        while b"main.py has started" not in heard and time.monotonic() < end:
            heard += transport.read(0.2)
        transport.write(b"\x03")
        while b"no\r\n" not in heard and time.monotonic() < end:
            heard += transport.read(0.2)
        assert b"no\r\n" in heard
        transport.write(b"\x01")
        assert b"raw REPL" not in transport.read(0.3)
    finally:
        transport.close()
    held = hold(open_port, seconds=60)
    with held.device as board:
        assert [new.rpartition("/")[2] for _, new in disable(board).renamed] == ["main.py.off-1"]
    reset("rescue")
    with hold(open_port, seconds=60).device as board:
        assert board.exec("print('free')") == "free\n"
