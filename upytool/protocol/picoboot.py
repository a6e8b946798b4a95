"""PICOBOOT: the commands that the boot ROMs of RP2040 and RP2350 take over USB, as bytes and values. No I/O.

A command is 32 bytes to the bulk OUT endpoint; then its data; then an empty packet the other way as
acknowledgement. Errors halt the endpoints, or let the acknowledgement wait for ever; GET_COMMAND_STATUS, a control
request, then tells why.

Sources: pico-sdk 2.1 `boot/picoboot.h`, `boot/picoboot_constants.h`, `boot/bootrom_constants.h`, `boot/picobin.h`;
RP2040 datasheet 2.8.5; RP2350 datasheet 5.6; pico-bootrom-rp2040 `usb_boot_device.c`, `async_task.c`;
pico-bootrom-rp2350 `nsboot_usb_client.c`, `nsboot_async_task.c`. docs/protocols/picoboot.md has them in one place.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import ProtocolError

MAGIC = 0x431FD10B
COMMAND = struct.Struct("<IIBBHI16s")  # magic, token, id, size of the arguments, 0, length of the data, arguments
STATUS = struct.Struct("<IIBB6x")  # token, code, command, in progress

# What the interface looks like, and its control requests (to the interface; 0x41 out, 0xC1 in).
TRIPLE = (0xFF, 0x00, 0x00)
REQUEST_OUT, REQUEST_IN = 0x41, 0xC1
IF_RESET, IF_STATUS = 0x41, 0x42

EXCLUSIVE_ACCESS, REBOOT, FLASH_ERASE, READ, WRITE = 0x01, 0x02, 0x03, 0x84, 0x05
EXIT_XIP, EXEC, REBOOT2, GET_INFO = 0x06, 0x08, 0x0A, 0x8B
NAMES = {
    EXCLUSIVE_ACCESS: "take the flash for itself",
    REBOOT: "restart",
    FLASH_ERASE: "erase flash",
    READ: "read",
    WRITE: "write",
    EXIT_XIP: "make the flash ready",
    EXEC: "run a routine",
    REBOOT2: "restart",
    GET_INFO: "tell about itself",
}

# EXCLUSIVE_ACCESS: the drive is locked out, or thrown out as well (it then says "no medium").
SHARED, EXCLUSIVE, EXCLUSIVE_AND_EJECT = 0, 1, 2

# REBOOT2
NORMAL, BOOTSEL, FLASH_UPDATE = 0x0, 0x2, 0x4

# GET_INFO
INFO_SYS, INFO_PARTITION_TABLE, INFO_UF2_TARGET = 1, 2, 3
SYS_CHIP, SYS_CPU = 0x0001, 0x0004
TABLE_SUMMARY, TABLE_LOCATIONS = 0x0001, 0x0010
INFO_LENGTH = 256  # the most that the ROM gives in one go
NOT_IN_A_PARTITION = 0xFF

FLASH_BASE, FLASH_WINDOW = 0x10000000, 16 << 20
SECTOR, PAGE = 4096, 256
RP2040_STACK = 0x20042000  # the end of RAM: where REBOOT wants a stack pointer

# status code -> what is wrong, in words that go behind "the boot ROM ..."
CODES: dict[int, str] = {
    0: "found nothing wrong",
    1: "does not know this command",
    2: "wants other arguments",
    3: "wants another amount of data",
    4: "has no such address",
    5: "wants an aligned address",
    6: "was disturbed: something was copied to its drive meanwhile",
    7: "is about to restart",
    8: "failed for a reason that it does not tell",
    9: "is in a state that does not allow this",
    10: "does not permit this",
    11: "does not understand an argument",
    12: "has more to tell than was asked for",
    13: "misses something that has to be done before",
    14: "found the data changed",
    15: "found the data invalid",
    16: "did not find what was asked for",
    17: "cannot make this change",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command without its token.

    Attributes:
        id: bit 7 says that the data come from the device.
        args: up to 16 bytes.
        length: of the data, bytes.
    """

    id: int
    args: bytes = b""
    length: int = 0

    @property
    def is_in(self) -> bool:
        return bool(self.id & 0x80)

    @property
    def name(self) -> str:
        return NAMES.get(self.id, f"do command {self.id:#04x}")

    def encode(self, token: int) -> bytes:
        """The 32 bytes; `token` comes back in the status."""
        return COMMAND.pack(MAGIC, token & 0xFFFFFFFF, self.id, len(self.args), 0, self.length, self.args)


def exclusive(mode: int) -> Command:
    """SHARED, EXCLUSIVE or EXCLUSIVE_AND_EJECT."""
    return Command(EXCLUSIVE_ACCESS, bytes((mode,)))


def exit_xip() -> Command:
    """Bring the flash chip into the state in which it takes commands; due before erasing and programming."""
    return Command(EXIT_XIP)


def erase(address: int, size: int) -> Command:
    """Both multiples of 4096 within flash. The RP2040 answers "OK" to others and does nothing."""
    return Command(FLASH_ERASE, struct.pack("<II", address, size))


def read(address: int, size: int) -> Command:
    """From flash at multiples of 256, or from RAM and ROM."""
    return Command(READ, struct.pack("<II", address, size), size)


def write(address: int, size: int) -> Command:
    """To erased flash, multiples of 256 (a shorter one programs a whole page, with what the buffer holds), or RAM."""
    return Command(WRITE, struct.pack("<II", address, size), size)


def execute(address: int) -> Command:
    """RP2040: call Thumb code in RAM."""
    return Command(EXEC, struct.pack("<I", address))


def reboot(delay_ms: int) -> Command:
    """RP2040: start what is in flash (or BOOTSEL where that is nothing)."""
    return Command(REBOOT, struct.pack("<III", 0, RP2040_STACK, delay_ms))


def reboot2(flags: int, delay_ms: int, first: int = 0, second: int = 0) -> Command:
    """RP2350: `flags` is NORMAL, BOOTSEL or FLASH_UPDATE (`first`: the address where the update begins)."""
    return Command(REBOOT2, struct.pack("<IIII", flags, delay_ms, first, second))


def get_info(kind: int, parameter: int) -> Command:
    """RP2350: INFO_SYS and INFO_PARTITION_TABLE take flags, INFO_UF2_TARGET a UF2 family."""
    return Command(GET_INFO, struct.pack("<BBHIII", kind, 0, 0, parameter, 0, 0), INFO_LENGTH)


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a command: `token` says of which one."""

    token: int
    code: int
    command: int
    in_progress: bool

    @property
    def sentence(self) -> str:
        """What goes behind "the boot ROM ..."."""
        return CODES.get(self.code, f"failed with the unknown status {self.code}")


def decode_status(data: bytes) -> Status:
    """Read the answer to IF_STATUS.

    Raises: ProtocolError for an answer that is none.
    """
    if len(data) != STATUS.size:
        raise ProtocolError("protocol.boot-rom.status-size", size=len(data), expected=STATUS.size)
    token, code, command, busy = STATUS.unpack(data)
    return Status(token, code, command, bool(busy))


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """GET_INFO SYS of an RP2350.

    Attributes:
        package: 0 for RP2350B (80 pins), 1 for RP2350A (60).
        unique_id: the chip's public random id, as its USB serial number and `machine.unique_id()` have it.
        cpu: "arm" or "riscv", which runs the bootloader; "" where it was not asked for.
    """

    package: int | None
    unique_id: str
    cpu: str = ""


def _words(data: bytes, name: str) -> tuple[int, ...]:
    """The words of an answer behind the count, which comes first."""
    if len(data) < 8 or len(data) % 4:
        raise ProtocolError("protocol.boot-rom.truncated", name=name, size=len(data))
    count, *words = struct.unpack(f"<{len(data) // 4}I", data)
    if not 1 <= count <= len(words):
        raise ProtocolError("protocol.boot-rom.unexpected", name=name)
    return tuple(words[:count])


def decode_system(data: bytes) -> SystemInfo:
    """Read GET_INFO SYS of SYS_CHIP, SYS_CPU or both.

    Raises: ProtocolError.
    """
    flags, *words = _words(data, "system information")
    package: int | None = None
    unique, cpu = "", ""
    if flags & SYS_CHIP and len(words) >= 3:
        package, low, high = words[:3]
        unique, words = f"{high:08x}{low:08x}", words[3:]
    if flags & SYS_CPU and words:
        cpu = "riscv" if words[0] & 0xFF == 1 else "arm"
    return SystemInfo(package, unique, cpu)


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of an RP2350's flash, or the space outside of all. `number` None for the latter."""

    number: int | None
    first_sector: int
    last_sector: int
    permissions: int = 0

    @property
    def start(self) -> int:
        """Its address in the flash window."""
        return FLASH_BASE + self.first_sector * SECTOR

    @property
    def size(self) -> int:
        return (self.last_sector - self.first_sector + 1) * SECTOR


def _partition(number: int | None, location: int) -> Partition:
    # picobin.h: sectors in bits 0-12 and 13-25, permissions above
    return Partition(number, location & 0x1FFF, location >> 13 & 0x1FFF, location >> 26)


def decode_table(data: bytes) -> tuple[bool, tuple[Partition, ...]]:
    """Read GET_INFO PARTITION_TABLE of TABLE_SUMMARY | TABLE_LOCATIONS: (there is a table, its partitions).

    Raises: ProtocolError.
    """
    flags, *words = _words(data, "partition table")
    if not flags & TABLE_SUMMARY or len(words) < 3:
        raise ProtocolError("protocol.boot-rom.no-partition-table")
    count, present = words[0] & 0xFF, bool(words[0] & 0x100)
    rows = words[3:] if flags & TABLE_LOCATIONS else []
    return present, tuple(_partition(number, rows[2 * number]) for number in range(min(count, len(rows) // 2)))


def decode_target(data: bytes) -> Partition | None:
    """Read GET_INFO UF2_TARGET: where a family goes; None where it is taken nowhere.

    Raises: ProtocolError.
    """
    words = _words(data, "UF2 target")
    if words[0] & 0x80000000:
        return None
    if len(words) < 3:
        raise ProtocolError("protocol.boot-rom.no-uf2-target")
    return _partition(None if words[0] == NOT_IN_A_PARTITION else words[0], words[1])
