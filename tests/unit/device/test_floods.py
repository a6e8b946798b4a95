"""Every command against a MODEL of a board that does not stop: it ends with an error, within bytes and time."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.virtual import Clock, VirtualWire
from upytool import limits
from upytool.device.device import Device
from upytool.errors import UpytoolError
from upytool.packages import board as boards
from upytool.packages.apply import apply
from upytool.packages.cache import PackageCache
from upytool.packages.download import Fetcher
from upytool.packages.hosts import Hosts
from upytool.packages.inspect import places
from upytool.packages.installer import InstallOptions, plan_install
from upytool.packages.sources import parse_source
from upytool.testing import ModelBoard
from upytool.transport.drive import drive

BYTES, SECONDS = 1 << 18, 60


class FloodWire(VirtualWire):
    """The first program that it is given makes the board talk for ever; Ctrl-C does not reach it."""

    def __init__(self, flood: Iterator[bytes], clock: Clock) -> None:
        self.model = ModelBoard()
        super().__init__(self.model, clock)
        self.flood, self.flows, self.received = flood, False, 0

    def write(self, data: bytes) -> None:
        if not self.flows:
            super().write(data)
            if self.model.programs:
                self.flows = True
                self.coming.clear()
                self.coming.append((self.clock.now, b"\x04"))

    def read(self, timeout: float | None) -> bytes:
        if not self.flows or self.coming:
            return super().read(timeout)
        self.clock.now += 0.02
        data = next(self.flood)
        self.received += len(data)
        return data


def messages(*first: tuple[int, bytes], then: tuple[int, bytes] = (0, b""), noise: bytes = b"") -> Iterator[bytes]:
    """What the transfer program says: its greeting, `first`, and then the same for ever."""
    number = 0
    todo = [(72, repr((1024, 0, "sum", "crc32", 50000, True, "qemu")).encode()), *first]
    while True:
        if not todo and noise:
            yield noise
            continue
        kind, payload = todo.pop(0) if todo else then
        head = b"\x02" + bytes((kind,)) + len(payload).to_bytes(2, "little")
        yield head + payload + zlib.crc32(payload, zlib.crc32(head, number)).to_bytes(4, "little")
        number = number + 1 & 65535


def endless(first: bytes, again: bytes) -> Iterator[bytes]:
    yield first
    while True:
        yield again


A_FILE = (82, b"\x01\x09\x00\x00\x00")
LISTED = (76, repr(("/d", [(f"f{number}", 1) for number in range(50)])).encode())
FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "noise": lambda: endless(b"", b"noise " * 5000),
    "entries": lambda: endless(b"\x1e[\r\n", b"('a',1),\r\n" * 3000),
    "fours": lambda: endless(b"", b"\x04" * 3000),
    "a traceback": lambda: endless(b"\x04Traceback (most recent call last):\r\n", b"x" * 3000),
    "a byte": lambda: endless(b"", b"x"),
    "alive": lambda: messages(noise=b"\x16"),
    "not alive": lambda: messages(noise=b"x"),
    "again": lambda: messages(noise=b"\x15\x00\x00"),
    "data": lambda: messages(then=(68, b"x" * 16000)),
    "nine bytes": lambda: messages(A_FILE, then=(68, b"x" * 16000)),
    "a file and no end": lambda: messages(A_FILE, then=(68, b"")),
    "listings": lambda: messages(then=LISTED),
    "empty listings": lambda: messages(then=(76, b"('/d',[])")),
    "results": lambda: messages(then=(82, b"")),
    "errors": lambda: messages(then=(69, b"5")),
    "numbers": lambda: messages(then=(76, b"('/d',[('a',1e999)])")),
}
COMMANDS: dict[str, Callable[[Device, Path], Any]] = {
    "ls": lambda device, _: device.fs.ls("/"),
    "walk": lambda device, _: device.fs.walk("/"),
    "stat": lambda device, _: device.fs.stat("/a"),
    "df": lambda device, _: device.fs.df(),
    "hash": lambda device, _: device.fs.hash("/a"),
    "rm": lambda device, _: device.fs.rmtree("/a"),
    "mv": lambda device, _: device.fs.move("/a", "/b"),
    "mkdir": lambda device, _: device.fs.mkdir("/a"),
    "info": lambda device, _: device.info,
    "eval": lambda device, _: device.eval("1", timeout=SECONDS),
    "exec": lambda device, _: device.exec("print(1)", timeout=SECONDS),
    "rescue": lambda device, _: device.call("rescue", ("main.py",), False),
    "cat": lambda device, _: device.fs.read_bytes("/a"),
    "get": lambda device, there: device.fs.get("/a", there / "a"),
    "put": lambda device, _: device.fs.write_bytes("/a", b"x" * 5000),
    "cp -r": lambda device, there: device.fs.copy(":/d", str(there), recursive=True),
    "backup": lambda device, there: device.fs.backup(there / "b.tar"),
    "mip list": lambda device, _: places(device),
    "mip install": lambda device, there: _install(device, there),
    "mip put": lambda device, _: boards.put(device, [("/lib/a", b"x" * 5000)], ["/lib"]),
    "mip commit": lambda device, _: boards.commit(device, [("/a", "/b")], 1, [], [], [], "/lib/.upytool-stage"),
}


def _install(device: Device, there: Path) -> None:
    (there / "a.py").write_text("x = 1\n")
    with Fetcher(PackageCache(there / "cache")) as fetcher:
        sources = [parse_source(str(there / "a.py"), Hosts())]
        apply(device, plan_install(device, sources, fetcher, Hosts(), InstallOptions()))


def flooded(wire: FloodWire) -> Device:
    """A device whose time is the model's."""
    device = Device(wire)
    device.drive = lambda op: drive(op, wire, wire.clock, wire.clock.sleep)  # type: ignore[method-assign]
    return device


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.timeout(300)
def test_a_board_that_does_not_stop(command: str, flood: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ANSWER_BYTES", BYTES)
    monkeypatch.setattr(limits, "OUTPUT_BYTES", BYTES)
    monkeypatch.setattr(limits, "ANSWER_SECONDS", SECONDS)
    monkeypatch.setattr(limits, "LISTING_ENTRIES", 1000)
    clock = Clock()
    wire = FloodWire(FLOODS[flood](), clock)
    device = flooded(wire)
    with pytest.raises(UpytoolError):
        COMMANDS[command](device, tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 2 * BYTES
    assert clock.now < 1500


def test_not_a_byte_is_stored_that_was_not_asked_for() -> None:
    wire = FloodWire(FLOODS["nine bytes"](), Clock())
    stored = io.BytesIO()
    with pytest.raises(UpytoolError):
        flooded(wire).fs.get("/a", stored)
    assert len(stored.getvalue()) <= 9
