"""A model of RP2040 and RP2350 in BOOTSEL mode: their PICOBOOT interface over a flash in memory, behind pyusb.

It is written from the boot ROMs' sources and from what the real RP2040 ROM did in an emulator, quirks included; it
is not a proof that a real ROM takes what the model takes (tests/flash/test_picoboot_rom.py runs the same loader
against the real one). Every fault can be switched on at every transfer; time does not pass: a timeout comes at once.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal

import usb.backend
import usb.core

from upytool.image.rp2_binary_info import boot2_ok, image_type

FLASH, WINDOW, SECTOR, PAGE = 0x10000000, 16 << 20, 4096, 256
RAM, RAM_SIZE = 0x20000000, 264 << 10
ARGUMENTS = {1: 1, 2: 12, 3: 8, 4: 8, 5: 8, 6: 0, 7: 0, 8: 4, 9: 4, 10: 16, 11: 16}
FaultKind = Literal["disconnect", "stall", "timeout", "corrupt", "short", "power", "power-back"]


@dataclass
class Fault:
    """What goes wrong at transfer `at` (counted from 1 over bulk and control transfers of PICOBOOT), or from it on.

    "power" is a disconnect in the middle of what the ROM does: an erase or a write ends half done; with "power-back"
    an erase has then done the second half of its sector, not the first.
    """

    kind: FaultKind
    at: int
    always: bool = False


@dataclass
class ModelChip:
    """The chip: its flash and RAM stay over `replug`.

    Attributes:
        partitions: (first sector, last sector) of a partition table (RP2350); None for no table.
        targets: UF2 family to partition number; NOT_FOUND for others.
        drive: the drive's interface is there, so that PICOBOOT's number is 1.
        wear: pages of this address keep a bit: writing there never succeeds.
        stale: as a killed tool leaves it: data toggles apart, an endpoint halted.
    """

    name: Literal["rp2040", "rp2350"] = "rp2040"
    size: int = 2 << 20
    partitions: list[tuple[int, int]] | None = None
    targets: dict[int, int] = field(default_factory=dict)
    drive: bool = True
    usb_id: tuple[int, int] | None = None
    wear: int | None = None
    stale: bool = False
    flash: bytearray = field(init=False)
    ram: bytearray = field(default_factory=lambda: bytearray(RAM_SIZE))

    def __post_init__(self) -> None:
        self.flash = bytearray(b"\xff" * self.size)

    @property
    def starts(self) -> bool:
        """Whether the boot ROM would start what is in flash."""
        if self.name == "rp2040":
            return boot2_ok(bytes(self.flash[:256]))
        return image_type(bytes(self.flash[:4096])) is not None


def no(number: int, text: str) -> usb.core.USBError:
    kind = usb.core.USBTimeoutError if number == errno.ETIMEDOUT else usb.core.USBError
    return kind(text, -1, number)


class PicobootModel(usb.backend.IBackend):  # type: ignore[misc]
    """One chip on a bus.

    Attributes:
        log: (command id, address, size) of every command that the ROM took.
        gone: unplugged, or restarted: nothing answers until `replug`.
        left: how it left ("run", "bootloader", "update 0x..."), "" while it did not.
        fail_open: errno that opening raises.
        driver: a driver of the system holds the PICOBOOT interface.
    """

    def __init__(self, chip: ModelChip | None = None, fault: Fault | None = None) -> None:
        self.chip = chip or ModelChip()
        self.fault = fault
        self.transfers = 0
        self.log: list[tuple[int, int, int]] = []
        self.left = ""
        self.fail_open = self.fail_claim = 0
        self.driver = False
        self.claimed: set[int] = set()
        self.opened = 0
        self.bytes_written = 0
        self.replug(stale=self.chip.stale)

    def replug(self, *, stale: bool = False) -> None:
        """Plug it in again with BOOTSEL held."""
        self.gone, self.left = False, ""
        self.configuration = 0
        self.exclusive, self.ready = 0, False
        self.halted: set[int] = set()
        self.toggle = {0x03: [0, 0], 0x84: [0, 0]}  # host's, device's
        self.status = (0, 0, 0, 0)
        self.phase: Literal["command", "data-out", "data-in", "ack-in", "ack-out", "hang"] = "command"
        self.command = (0, 0, b"", 0)
        if stale:
            self.toggle[0x03][0] = 1
            self.halted = {0x84}

    @property
    def interface(self) -> int:
        return 1 if self.chip.drive else 0

    # -- descriptors ------------------------------------------------------------------------------

    def enumerate_devices(self) -> Iterator[Any]:
        return iter(() if self.gone else (self,))

    def get_device_descriptor(self, dev: Any) -> Any:
        vid, pid = self.chip.usb_id or (0x2E8A, 0x0003 if self.chip.name == "rp2040" else 0x000F)
        return SimpleNamespace(
            bLength=18, bDescriptorType=1, bcdUSB=0x110, bDeviceClass=0, bDeviceSubClass=0, bDeviceProtocol=0,
            bMaxPacketSize0=64, idVendor=vid, idProduct=pid, bcdDevice=0x100, iManufacturer=1, iProduct=2,
            iSerialNumber=3, bNumConfigurations=1, address=5, bus=1, port_number=3, port_numbers=(2, 3), speed=2,
        )  # fmt: skip

    def get_configuration_descriptor(self, dev: Any, config: int) -> Any:
        if config:
            raise IndexError
        return SimpleNamespace(
            bLength=9, bDescriptorType=2, wTotalLength=55, bNumInterfaces=1 + self.chip.drive, bConfigurationValue=1,
            iConfiguration=0, bmAttributes=0x80, bMaxPower=250, extra_descriptors=[],
        )  # fmt: skip

    def get_interface_descriptor(self, dev: Any, intf: int, alt: int, config: int) -> Any:
        if alt or intf > self.interface:
            raise IndexError
        triple = (0xFF, 0, 0) if intf == self.interface else (8, 6, 0x50)
        return SimpleNamespace(
            bLength=9, bDescriptorType=4, bInterfaceNumber=intf, bAlternateSetting=0, bNumEndpoints=2,
            bInterfaceClass=triple[0], bInterfaceSubClass=triple[1], bInterfaceProtocol=triple[2], iInterface=0,
            extra_descriptors=[],
        )  # fmt: skip

    def get_endpoint_descriptor(self, dev: Any, ep: int, intf: int, alt: int, config: int) -> Any:
        address = ((0x03, 0x84) if intf == self.interface else (0x81, 0x02))[ep]
        return SimpleNamespace(
            bLength=7, bDescriptorType=5, bEndpointAddress=address, bmAttributes=2, wMaxPacketSize=64, bInterval=0,
            bRefresh=0, bSynchAddress=0, extra_descriptors=[],
        )  # fmt: skip

    # -- open and close ---------------------------------------------------------------------------

    def open_device(self, dev: Any) -> Any:
        if self.fail_open:
            raise no(self.fail_open, "open")
        self._here()
        self.opened += 1
        return self

    def close_device(self, handle: Any) -> None:
        self.opened -= 1

    def get_configuration(self, handle: Any) -> int:
        self._here()
        return self.configuration

    def set_configuration(self, handle: Any, value: int) -> None:
        self._here()
        self.configuration = value

    def set_interface_altsetting(self, handle: Any, intf: int, alt: int) -> None:
        self._here()

    def claim_interface(self, handle: Any, intf: int) -> None:
        self._here()
        if self.fail_claim:
            raise no(self.fail_claim, "claim")
        if self.driver and intf == self.interface:
            raise no(errno.EBUSY, "claim")
        self.claimed.add(intf)

    def release_interface(self, handle: Any, intf: int) -> None:
        self.claimed.discard(intf)

    def is_kernel_driver_active(self, handle: Any, intf: int) -> bool:
        return self.driver and intf == self.interface

    def detach_kernel_driver(self, handle: Any, intf: int) -> None:
        self.driver = False

    def attach_kernel_driver(self, handle: Any, intf: int) -> None:
        self.driver = True

    def reset_device(self, handle: Any) -> None:
        self._here()
        self.replug()

    def clear_halt(self, handle: Any, ep: int) -> None:
        self._count()
        self.halted.discard(ep)
        self.toggle[ep] = [0, 0]

    def _here(self) -> None:
        if self.gone:
            raise no(errno.ENODEV, "no such device")

    # -- transfers --------------------------------------------------------------------------------

    def _count(self) -> FaultKind | None:
        self._here()
        self.transfers += 1
        fault = self.fault
        if fault is None or not (self.transfers == fault.at or (fault.always and self.transfers > fault.at)):
            return None
        if fault.kind == "disconnect":
            self.gone = True
            self._here()
        if fault.kind == "stall":
            raise no(errno.EPIPE, "pipe")
        if fault.kind == "timeout":
            raise no(errno.ETIMEDOUT, "timeout")
        return fault.kind

    def ctrl_transfer(
        self, handle: Any, kind: int, request: int, value: int, index: int, data: Any, timeout: int
    ) -> int:
        if kind == 0x80 and request == 6 and value >> 8 == 3:
            return self._string(value & 0xFF, data)
        self._count()
        if kind == 0x41 and request == 0x41:
            self.status, self.phase, self.exclusive, self.ready = (0, 0, 0, 0), "command", 0, False
            for endpoint in self.toggle:
                self.toggle[endpoint][1] = 0
            return 0
        if kind == 0xC1 and request == 0x42:
            data[:] = type(data)("B", struct.pack("<IIBB6x", *self.status))[: len(data)]
            return 16
        raise no(errno.EPIPE, "unknown request")

    def _string(self, index: int, data: Any) -> int:
        if index == 0:
            raw = b"\x04\x03\x09\x04"
        else:
            text = ("", "Raspberry Pi", "RP2 Boot" if self.chip.name == "rp2040" else "RP2350 Boot", "E0C91200A4A1")
            raw = text[index].encode("utf-16-le")
            raw = bytes((len(raw) + 2, 3)) + raw
        raw = raw[: len(data)]
        data[: len(raw)] = type(data)("B", raw)
        return len(raw)

    def bulk_write(self, handle: Any, ep: int, intf: int, data: Any, timeout: int) -> int:
        fault = self._count()
        self._pipe(ep)
        raw = bytes(data)
        if fault == "short":
            raw = raw[: len(raw) // 64 * 32]
            self.phase = "hang"
            return len(raw)
        if fault == "corrupt" and raw:
            raw = bytes((raw[0] ^ 0x40,)) + raw[1:]
        power = fault if fault in ("power", "power-back") else ""
        if self.phase == "command":
            self._command(raw, half=power)
        elif self.phase == "data-out":
            self._data_out(raw, half=power)
        elif self.phase == "ack-out":
            self.phase = "command"
        else:
            raise no(errno.ETIMEDOUT, "the ROM takes nothing now")
        return len(raw)

    def bulk_read(self, handle: Any, ep: int, intf: int, buff: Any, timeout: int) -> int:
        fault = self._count()
        self._pipe(ep)
        if self.phase == "ack-in":
            self.phase = "command"
            if self.left:
                self.gone = True
            return 0
        if self.phase != "data-in":
            raise no(errno.ETIMEDOUT, "the ROM has nothing to say")
        data = self._data_in()
        if fault == "short":
            data = data[: len(data) // 2]
        if fault == "corrupt":
            data = data[:-1] + bytes((data[-1] ^ 0x40,))
        buff[: len(data)] = type(buff)("B", data)
        return len(data)

    def _pipe(self, ep: int) -> None:
        if ep in self.halted:
            raise no(errno.EPIPE, "halted")
        host, device = self.toggle[ep]
        if host != device:
            raise no(errno.ETIMEDOUT, "data toggles apart")

    # -- the ROM ----------------------------------------------------------------------------------

    def _fail(self, code: int, *endpoints: int) -> None:
        """A status other than OK; the RP2350 halts both endpoints, whichever was at work."""
        token, _, command, _ = self.status
        self.status = (token, code, command, 0)
        self.halted |= set(endpoints) if self.chip.name == "rp2040" else {0x03, 0x84}
        self.phase = "command"

    def _command(self, raw: bytes, *, half: str) -> None:
        if len(raw) != 32 or raw[:4] != b"\x0b\xd1\x1f\x43":
            return self._fail(self.status[1], 0x03, 0x84)
        _, token, number, size, _, length, args = struct.unpack("<IIBBHI16s", raw)
        self.status = (token, 1, number, 0)
        low, old = number & 0x7F, self.chip.name == "rp2040"
        if low not in ARGUMENTS or (old and low > 9):
            return self._fail(1, 0x03, 0x84)
        if size != ARGUMENTS[low]:
            return self._fail(2, 0x03, 0x84)
        address, count = struct.unpack("<II", args[:8])
        if length != (count if low in (4, 5) else min(length, 256) if low == 11 else 0):
            return self._fail(3, 0x03, 0x84)
        self.log.append((number, address, count))
        self.status = (token, 0, number, 0)
        self.command, self.phase = (number, address, args, length), "ack-in"
        if low == 1:
            self.exclusive = args[0]
        elif low == 2 and old:
            self.left = "run"
        elif low == 3:
            self._erase(address, count, half=half)
        elif low == 4:
            self.phase = "data-in"
        elif low == 5:
            self.phase = "data-out"
        elif low == 6:
            self.ready = True
        elif low == 8 and old:
            # the only routine that the tool has: a restart into BOOTSEL
            self.left = "bootloader"
        elif low == 10:
            flags, _, first, _ = struct.unpack("<IIII", args)
            self.left = {0: "run", 2: "bootloader", 4: f"update {first:#x}"}.get(flags & 0xF, "")
            if not self.left:
                self._fail(10, 0x03, 0x84)
        elif low == 11:
            self.phase = "data-in"
        elif low != 7:
            self._fail(1, 0x03, 0x84)

    def _erase(self, address: int, size: int, *, half: str) -> None:
        if address % SECTOR or size % SECTOR or not FLASH <= address <= address + size <= FLASH + WINDOW:
            if self.chip.name == "rp2350":
                self._fail(5 if address % SECTOR or size % SECTOR else 4)
            return  # the RP2040 acknowledges, says OK and erases nothing
        for sector in range(address, address + size, SECTOR):
            if half and sector + SECTOR > address + size // 2:
                at = (sector - FLASH) % self.chip.size + (SECTOR // 2 if half == "power-back" else 0)
                self.chip.flash[at : at + SECTOR // 2] = b"\xff" * (SECTOR // 2)
                break
            if self.ready:
                at = (sector - FLASH) % self.chip.size
                self.chip.flash[at : at + SECTOR] = b"\xff" * SECTOR
        if half:
            self.gone = True
            self._here()

    def _data_out(self, raw: bytes, *, half: str) -> None:
        _, address, *_ = self.command
        self.phase = "ack-in"
        if address >= RAM and address + len(raw) <= RAM + RAM_SIZE:
            self.chip.ram[address - RAM : address - RAM + len(raw)] = raw
            return
        if address % PAGE or not FLASH <= address < FLASH + WINDOW:
            self.status = (self.status[0], 5 if address % PAGE else 4, self.status[2], 0)
            if self.chip.name == "rp2350":
                return self._fail(self.status[1])
            self.phase = "hang"  # the RP2040 never acknowledges
            return
        if half:
            raw = raw[: len(raw) // 2]
        self.bytes_written += len(raw)
        raw += bytes(-len(raw) % PAGE)  # a whole page is programmed, with what the buffer held
        for offset in range(0, len(raw) if self.ready else 0, PAGE):
            at = (address + offset - FLASH) % self.chip.size
            page = int.from_bytes(raw[offset : offset + PAGE], "big")
            held = int.from_bytes(self.chip.flash[at : at + PAGE], "big")
            new = (page & held).to_bytes(PAGE, "big")
            if self.chip.wear is not None and at <= self.chip.wear < at + PAGE:
                new = bytes((new[0] & 0xFE,)) + new[1:] if new[0] & 1 else bytes((new[0] | 1,)) + new[1:]
            self.chip.flash[at : at + PAGE] = new
        if half:
            self.gone = True
            self._here()

    def _data_in(self) -> bytes:
        number, address, args, length = self.command
        if number == 0x8B:
            answer = self._info(*struct.unpack("<BBHIII", args)[0:4:3], length)
            if answer is None:
                self._fail(11, 0x84)
                raise no(errno.EPIPE, "info")
            self.phase = "ack-out"
            return answer
        if address >= RAM and address + length <= RAM + RAM_SIZE:
            self.phase = "ack-out"
            return bytes(self.chip.ram[address - RAM : address - RAM + length])
        if address % PAGE or not FLASH <= address <= address + length <= FLASH + WINDOW:
            self._fail(5 if address % PAGE else 4, 0x84)
            raise no(errno.EPIPE, "address")
        self.phase = "ack-out"
        at = (address - FLASH) % self.chip.size
        whole = bytes(self.chip.flash)
        return (whole[at:] + whole * (length // self.chip.size + 1))[:length]

    def _info(self, kind: int, parameter: int, length: int) -> bytes | None:
        chip = self.chip
        if kind == 1:
            words = [parameter & 5, *((1, 0x11223344, 0x55667788) if parameter & 1 else ())]
            words += [0x0300] if parameter & 4 else []
        elif kind == 2:
            rows = chip.partitions or []
            words = [parameter & 0x11, len(rows) | (0x100 if chip.partitions is not None else 0), 0x1FFF << 13, 0]
            for first, last in rows if parameter & 0x10 else ():
                words += [first | last << 13 | 0xFC000000, 0]
        elif kind == 3:
            target = chip.targets.get(parameter, -1)
            if chip.partitions is None or target == 0xFF:
                words = [0xFF, 0x1FFF << 13, 0]
            elif target < 0:
                words = [0xFFFFFFFF, 0, 0]
            else:
                first, last = chip.partitions[target]
                words = [target, first | last << 13 | 0xFC000000, 0]
        else:
            return None
        raw = struct.pack(f"<{len(words) + 1}I", len(words), *words)
        return raw.ljust(length, b"\0")[:length]
