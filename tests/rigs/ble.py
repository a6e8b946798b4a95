"""The BLE rig: our module ble_repl on real MicroPython, in front of a stack that is not a model.

The board is the unix port of the WebREPL rig, in its chroot: MicroPython's own os_dupterm.c, pyexec.c and the stdin
ring of an ESP32 (260 bytes, what does not fit is lost). `firmware/modules/ble_repl` runs on it, with more patience.
What is below it is a model, `firmware/ble/bluetooth.py`, which hands each call to this process over a socket; from here
on it is bumble's ATT, GATT and SMP (tests/air/ble_world.py).

A soft reset ends the process and with it the connection, as it ends Bluetooth on a board; boot.py starts it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import shutil
import socket
import struct
import threading
import time
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

from bumble.att import ATT_Error, ErrorCode
from bumble.core import AdvertisingData
from bumble.gatt import Characteristic, CharacteristicValue, Service

from tests.air.ble_world import Peripheral
from tests.rigs.base import FIRMWARE, RigBroken
from tests.rigs.unix import NOBODY, Unix
from tests.rigs.webrepl import build

MODULE = Path(__file__).resolve().parents[2] / "firmware" / "modules" / "ble_repl" / "ble_repl.py"
MODELS = tuple(FIRMWARE / "ble" / name for name in ("bluetooth.py", "machine.py"))
PATIENCE = 5000  # ms without progress after which output is lost
UNLOCKED = "import ble_repl; ble_repl.start(unlocked=True)\n"  # a boot.py
ANSWER_SECONDS = 5.0
_FLAGS = {
    0x02: (Characteristic.Properties.READ, Characteristic.READABLE),
    0x04: (Characteristic.Properties.WRITE_WITHOUT_RESPONSE, Characteristic.WRITEABLE),
    0x08: (Characteristic.Properties.WRITE, Characteristic.WRITEABLE),
    0x10: (Characteristic.Properties.NOTIFY, Characteristic.READABLE),
    0x0200: (Characteristic.Properties(0), Characteristic.READ_REQUIRES_ENCRYPTION),
    0x1000: (Characteristic.Properties(0), Characteristic.WRITE_REQUIRES_ENCRYPTION),
}


class BleReplBoard(Unix):
    """A running board, in the sense of `ble_world.Board`, with our module in its /lib.

    Attributes: port (path of the serial line), root (Path, the board's `/`), address.

    Args:
        address: its address on the air.
        pairing: whether the firmware knows pairing (a Pico W's does not).
    """

    def __init__(self, address: str = "C0:FF:EE:00:3F:2A", *, pairing: bool = True) -> None:
        self.address, self.accepts_pairing = address, True
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._radio: socket.socket | None = None
        self._airs: weakref.WeakSet[Peripheral] = weakref.WeakSet()
        self._links: dict[int, Peripheral] = {}
        self._flying: Counter[int] = Counter()  # notifications on the way, of each link
        self._last_link = 63
        self._arrived = b""
        self._turn = threading.Lock()
        self._timer: threading.Timer | None = None
        self._forget()
        self._thread = threading.Thread(target=self._serve, name="radio", daemon=True)
        self._thread.start()
        settings = {
            "RIG_RING": "260",
            "RIG_RADIO": str(self._listener.getsockname()[1]),
            "RIG_ADDRESS": address.replace(":", ""),
        }
        if pairing:
            settings["RIG_PAIRING"] = "1"
        try:
            super().__init__(build(), settings=settings, lossy=True)
        except BaseException:
            self._stop()
            raise

    def power_cycle(self) -> None:
        """As on any rig; what `boot.py` has started can then be heard."""
        super().power_cycle()
        self._settle()

    def close(self) -> None:
        """Switch the board off and remove its files."""
        super().close()
        self._stop()

    def _stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join(ANSWER_SECONDS)
        self._listener.close()
        self._wait(0)

    def install(
        self, settings: str = 'PASSWORD = "open sesame"\n', boot: str = "import ble_repl; ble_repl.start()\n"
    ) -> None:
        """An empty board with our module, ble_repl_cfg.py and boot.py on it, just switched on."""
        self.blank()
        library = self.root / "lib"
        library.mkdir()
        for source in MODELS:
            shutil.copy(source, library)
        # A busy computer keeps the other end of the radio waiting for longer than a real one may.
        text = MODULE.read_text("utf-8").replace("_PATIENCE = const(500)", f"_PATIENCE = const({PATIENCE})")
        assert str(PATIENCE) in text
        (library / MODULE.name).write_text(text, "utf-8")
        (self.root / "ble_repl_cfg.py").write_text(settings)
        (self.root / "boot.py").write_text(boot)
        if not os.geteuid():
            for path in (library, *library.iterdir(), self.root / "ble_repl_cfg.py", self.root / "boot.py"):
                os.chown(path, NOBODY, NOBODY)
        self.power_cycle()

    # -- from the board ---------------------------------------------------------------------------

    def _forget(self) -> None:
        self._services: list[tuple[str, list[tuple[int, int, str]]]] = []
        self._said: bytes | None = None
        self._wait(0)
        self._reads: dict[int, list[asyncio.Future[bytes]]] = {}

    def _serve(self) -> None:
        """Take what the board sends, a piece at a time; `_turn` is held by whoever looks whether anything is left."""
        with contextlib.suppress(OSError, ValueError):  # the board is switched off
            while True:
                source = self._radio or self._listener
                select.select([source], [], [])
                with self._turn:
                    if source is self._listener:
                        self._arrived = b""
                        radio, _ = self._listener.accept()
                        radio.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        with self._lock:
                            self._radio = radio
                    else:
                        self._hear(source)

    def _hear(self, radio: socket.socket) -> None:
        try:
            data = radio.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            # The board was reset: nothing of its radio is left.
            with self._lock, radio:
                self._radio = None
            self._forget()
            for air in list(self._links.values()):
                air.disconnect()
            self._announce()
        self._arrived += data
        while len(self._arrived) >= 3:
            end = 3 + int.from_bytes(self._arrived[1:3], "little")
            if len(self._arrived) < end:
                break
            frame, self._arrived = self._arrived[:end], self._arrived[end:]
            self._take(frame[:1], frame[3:])

    def _settle(self) -> None:
        """Wait until all that the board has sent so far is taken."""
        end = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < end:
            with self._turn:
                sources = [self._listener, *([self._radio] if self._radio is not None else [])]
                if not select.select(sources, [], [], 0)[0]:
                    return
            time.sleep(0.002)
        raise RigBroken("the board's radio does not come to rest")

    def _take(self, kind: bytes, data: bytes) -> None:
        if kind == b"R":
            self._register(data.decode())
        elif kind == b"A":
            self._said = _in_one(data) if data else None
            self._announce()
        elif kind == b"X":
            self._hang_up(int.from_bytes(data, "little"))
        elif kind == b"T":
            self._wait(int.from_bytes(data, "little"))
        elif kind == b"V":
            self._reply(int.from_bytes(data[:2], "little"), data[2:])
        elif kind == b"N":
            link, handle = struct.unpack("<HH", data[:4])
            with self._lock:
                air = self._links.get(link)
                if air is not None:
                    self._flying[link] += 1
            if air is None:
                self._tell(b"n", b"")
            else:
                air.soon(lambda: air.later(self._notify(air, link, handle, data[4:])))

    def _hang_up(self, link: int) -> None:
        if link in self._links:
            self._links[link].disconnect()

    def _wait(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if milliseconds:
            self._timer = threading.Timer(milliseconds / 1000, self._tell, (b"t", b""))
            self._timer.daemon = True
            self._timer.start()

    def _register(self, text: str) -> None:
        services: list[tuple[str, list[tuple[int, int, str]]]] = []
        for line in text.splitlines():
            first, *rest = line.split()
            if first == "service":
                services.append((rest[0], []))
            else:
                services[-1][1].append((int(first), int(rest[0]), rest[1]))
        self._services = services

    def _announce(self) -> None:
        for air in list(self._airs):
            air.say()

    async def _notify(self, air: Peripheral, link: int, handle: int, data: bytes) -> None:
        await air.notify(air.characteristics[handle], data[: air.mtu - 3])
        with self._lock:
            counts = self._flying[link] > 0
            self._flying[link] -= counts
        if counts:
            self._tell(b"n", b"")

    def _tell(self, kind: bytes, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._radio is not None:
                self._radio.sendall(kind + struct.pack("<H", len(data)) + data)

    # -- ble_world.Board --------------------------------------------------------------------------

    def advertisement(self) -> bytes | None:
        return self._said

    def services(self, air: Peripheral) -> list[Service]:
        return [
            Service(uuid, [self._characteristic(air, *each) for each in characteristics])
            for uuid, characteristics in self._services
        ]

    def _characteristic(self, air: Peripheral, handle: int, flags: int, uuid: str) -> Characteristic[Any]:
        properties, rights = Characteristic.Properties(0), Characteristic.Permissions(0)
        for flag, (adds, allows) in _FLAGS.items():
            if flags & flag:
                properties, rights = properties | adds, rights | allows
        value = CharacteristicValue(
            read=lambda _: self._read(air, handle), write=lambda _, data: self._written(air, handle, bytes(data))
        )
        made = air.characteristics[handle] = Characteristic(uuid, properties, rights, value)
        return made

    async def _read(self, air: Peripheral, handle: int) -> bytes:
        # The board's events are in order, so this reads what the write before it has made of the value.
        answer = asyncio.get_running_loop().create_future()
        self._reads.setdefault(handle, []).append(answer)
        self._tell(b"r", struct.pack("<HH", self._link_of(air), handle))
        try:
            return bytes(await asyncio.wait_for(answer, ANSWER_SECONDS))
        except TimeoutError as error:
            raise ATT_Error(ErrorCode.UNLIKELY_ERROR) from error

    def _reply(self, handle: int, data: bytes) -> None:
        waiting = self._reads.get(handle)
        if waiting:
            answer = waiting.pop(0)
            with contextlib.suppress(RuntimeError):
                answer.get_loop().call_soon_threadsafe(lambda: answer.done() or answer.set_result(data))

    def _written(self, air: Peripheral, handle: int, data: bytes) -> None:
        self._tell(b"w", struct.pack("<HH", self._link_of(air), handle) + data)

    def _link_of(self, air: Peripheral) -> int:
        return next((link for link, other in self._links.items() if other is air), 0xFFFF)

    def joined(self, air: Peripheral) -> None:
        self._airs.add(air)

    def connected(self, air: Peripheral) -> None:
        self._last_link += 1
        self._links[self._last_link] = air
        air.on_mtu = lambda mtu: self._tell(b"m", struct.pack("<HH", self._link_of(air), mtu))
        air.on_encryption = lambda on: self._tell(b"e", struct.pack("<HB", self._link_of(air), on))
        self._tell(b"c", struct.pack("<H", self._last_link) + bytes(6))

    def disconnected(self, air: Peripheral) -> None:
        link = self._link_of(air)
        with self._lock:
            self._links.pop(link, None)
            lost = self._flying.pop(link, 0)
        for _ in range(lost):  # its buffers are free
            self._tell(b"n", b"")
        self._tell(b"d", struct.pack("<H", link) + bytes(6))


def _in_one(data: bytes) -> bytes:
    """Advertisement and scan response as one, without the flags: bumble's controller has no scan response."""
    size = data[0]
    parts = [*_structures(data[1 : size + 1]), *_structures(data[size + 1 :])]
    return bytes(AdvertisingData([(kind, value) for kind, value in parts if kind != AdvertisingData.FLAGS]))


def _structures(data: bytes) -> list[tuple[int, bytes]]:
    return [(int(kind), bytes(value)) for kind, value in AdvertisingData.from_bytes(data).ad_structures]
