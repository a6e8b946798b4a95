"""Plain DFU 1.1: a device that takes one file from its beginning, without addresses, and puts it in its place itself.

The Arduino Nano ESP32 is one (its application, `.app-bin`), the Portenta C33 another (`.bin`).

Sources: USB DFU 1.1; MicroPython `ports/esp32/boards/ARDUINO_NANO_ESP32/deploy.md`,
`ports/renesas-ra/boards/ARDUINO_PORTENTA_C33/deploy.md`; dfu-util 0.11 (which differing ids it refuses).
"""

from __future__ import annotations

import contextlib

from ..discovery.usb_devices import UsbDevice
from ..errors import FlashError, ProtocolError, TransportError, UpytoolError
from ..events import NULL, Reporter, Task
from ..image import dfuse
from ..image.base import FirmwareImage
from ..image.memory import Memory
from ..protocol import dfu
from ..protocol.dfu import State
from ..words import Said
from .base import Ability, Chip, FlashOptions, Leave, Programmed
from .dfu_fit import check_suffix
from .dfu_session import DfuSession
from .failure import broken_off

# id: chip, port, role of the file it takes
KNOWN = {
    (0x2341, 0x0070): ("esp32s3", "esp32", "app"),
    (0x2341, 0x0368): ("ra6m5", "renesas-ra", "firmware"),
}
STATE = Said("flash.state.dfu-not-placed")
AGAIN = Said("flash.hint.again.in-bootloader")


def content(image: FirmwareImage) -> bytes:
    """What is sent: the file without its suffix."""
    return image.raw[: -dfuse.SUFFIX.size] if image.format == "dfu" else image.raw


def plain_refusal(device: UsbDevice, image: FirmwareImage) -> str | Said:
    """Why this file is not for this device, "" where it may be."""
    if image.format not in ("bin", "dfu", "esp"):
        return Said("flash.declines.dfu-format", format=image.format_name)
    known = KNOWN.get((device.vid, device.pid))
    if known is None:
        return ""
    chip, port, role = known
    if image.port and image.port != port:
        return Said("flash.declines.dfu-chip", chip=image.chip or image.port, board_chip=chip)
    if image.chip and port == "esp32" and image.chip != chip:
        return Said("flash.declines.dfu-chip", chip=image.chip, board_chip=chip)
    if image.role != role:
        return Said("flash.declines.dfu-application-alone")
    return ""


class PlainLoader:
    """A device with plain DFU 1.1."""

    flasher = "dfu"

    def __init__(self, session: DfuSession, device: UsbDevice) -> None:
        self.session, self.device = session, device

    @property
    def chip(self) -> Chip:
        name = KNOWN.get((self.device.vid, self.device.pid), ("", "", ""))[0]
        return Chip(name, self.device.product or self.device.bootloader, unique_id=self.device.serial_number)

    @property
    def abilities(self) -> frozenset[Ability]:
        return frozenset({"program"})

    def check(self, image: FirmwareImage) -> list[str]:
        image.require_valid()
        reason = plain_refusal(self.device, image)
        if reason:
            raise FlashError("flash.dfu-not-accepted", reason=reason)
        return check_suffix(self.device, image)

    def touched(self, memory: Memory) -> list[tuple[int, int]]:
        """Not known here: the device places the file itself."""
        return []

    def read(self, address: int, size: int, *, reporter: Reporter = NULL, label: str = "") -> bytes:
        raise self._no_addresses()

    def erase(self, address: int, size: int, *, reporter: Reporter = NULL) -> None:
        raise self._no_addresses()

    def erase_all(self, *, reporter: Reporter = NULL) -> None:
        raise self._no_addresses()

    def program_memory(self, memory: Memory, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        raise self._no_addresses()

    def differences(self, memory: Memory, *, reporter: Reporter = NULL) -> list[tuple[int, int]]:
        raise self._no_addresses()

    @staticmethod
    def _no_addresses() -> FlashError:
        return FlashError("flash.dfu-whole-files-only")

    def program(self, image: FirmwareImage, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        self.check(image)
        data = content(image)
        size = self.session.block
        if len(data) > size * (dfu.LAST_BLOCK + 1):
            raise FlashError("flash.dfu-too-many-blocks")
        begun = False
        try:
            self.session.idle()
            with Task(reporter, "writing", len(data)) as task:
                for number, at in enumerate(range(0, len(data), size)):
                    part = data[at : at + size]
                    begun = True
                    self.session.download(number, part, dfu.PAGE)
                    task.advance(len(part))
            status = self.session.settle_manifest(self.session.manifest())
        except (ProtocolError, TransportError) as error:
            if not begun and isinstance(error, TransportError):
                raise
            broken_off(error, STATE if begun else "", AGAIN)
        proof = ""
        if status is not None and status.state == State.IDLE and options.verify:
            proof = self._verify(data, reporter)
        return Programmed(len(data), len(data), len(data), 0, proof)

    def _verify(self, data: bytes, reporter: Reporter) -> str:
        """Upload from block 0, where the device is still there and can."""
        if not self.session.functional.can_upload:
            return ""
        there = bytearray()
        try:
            with Task(reporter, "verifying", len(data)) as task:
                for number in range(-(-len(data) // self.session.block)):
                    part = self.session.upload(number, self.session.block)
                    there += part
                    task.advance(len(part))
                    if len(part) < self.session.block:
                        break
            self.session.idle()
        except UpytoolError as error:
            raise FlashError("flash.dfu-no-proof", cause=error, hint=AGAIN) from error
        if bytes(there[: len(data)]) != data:
            raise FlashError("flash.dfu-verify-failed", hint=AGAIN, state=Said("flash.state.dfu-damaged"))
        return "read back"

    def leave(self, mode: Leave = "run") -> None:
        """A USB reset starts what was written; a device that started by itself is gone already."""
        try:
            if mode == "run":
                with contextlib.suppress(UpytoolError):
                    self.session.link.reset()
        finally:
            self.close()

    def close(self) -> None:
        self.session.close()
