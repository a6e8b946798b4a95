"""USB DFU and ST's DfuSe: requests, states, statuses, descriptors, commands. Values only, no transfers.

    OUT 0x21: 0 DETACH, 1 DNLOAD, 4 CLRSTATUS, 6 ABORT          IN 0xA1: 2 UPLOAD, 3 GETSTATUS, 5 GETSTATE
    wIndex is the interface. GETSTATUS answers bStatus, u24 poll time in ms, bState, iString

DfuSe puts commands into DNLOAD block 0 (0x21 + address sets the pointer, 0x41 + address erases a page, 0x41 alone
erases everything) and data into blocks from 2 on, at pointer + (block - 2) * wTransferSize. A command begins at the
GETSTATUS after its DNLOAD (state dfuDNBUSY); the next GETSTATUS tells how it went.

The command that lifts the read protection (0x92) is left out on purpose: it wipes the chip.

Sources: USB DFU 1.1 (requests, states, statuses, functional descriptor); ST AN3156 (DfuSe over the boot ROM) and
UM0424 (layout strings); MicroPython `ports/stm32/mboot/main.c`; dfu-util 0.11's change log (quirks).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

INTERFACE = (0xFE, 0x01)  # class and subclass of a DFU interface
PROTOCOL_RUNTIME, PROTOCOL_DFU = 1, 2
OUT, IN = 0x21, 0xA1
STATUS_SIZE = 6
FIRST_BLOCK = 2  # of DfuSe data
LAST_BLOCK = 0xFFFF
DFUSE = 0x011A
MAX_TRANSFER = 4096  # what Linux moves in one control transfer
DEFAULT_TRANSFER = 1024  # for devices that claim 0


class Request(IntEnum):
    DETACH = 0
    DNLOAD = 1
    UPLOAD = 2
    GETSTATUS = 3
    CLRSTATUS = 4
    GETSTATE = 5
    ABORT = 6


class State(IntEnum):
    APP_IDLE = 0
    APP_DETACH = 1
    IDLE = 2
    DNLOAD_SYNC = 3
    DNBUSY = 4
    DNLOAD_IDLE = 5
    MANIFEST_SYNC = 6
    MANIFEST = 7
    MANIFEST_WAIT_RESET = 8
    UPLOAD_IDLE = 9
    ERROR = 10


OK = 0
ERR_FILE, ERR_WRITE, ERR_ERASE, ERR_ADDRESS, ERR_VENDOR = 2, 3, 4, 8, 11

# What each bStatus says, the names as in DFU 1.1, section 6.1.2.
STATUSES: dict[int, tuple[str, str]] = {
    0x00: ("OK", "all is well"),
    0x01: ("errTARGET", "the file is not meant for this device, or the address is not its own"),
    0x02: ("errFILE", "the device refuses the content of the file"),
    0x03: ("errWRITE", "the device could not write its memory"),
    0x04: ("errERASE", "the device could not erase its memory"),
    0x05: ("errCHECK_ERASED", "the memory is not blank after erasing"),
    0x06: ("errPROG", "programming the memory failed"),
    0x07: ("errVERIFY", "the device read back other bytes than it wrote"),
    0x08: ("errADDRESS", "the address is outside of the device's memory"),
    0x09: ("errNOTDONE", "the device waits for more data"),
    0x0A: ("errFIRMWARE", "the device's firmware is damaged"),
    0x0B: ("errVENDOR", "the device refuses; a read-protected chip answers so"),
    0x0C: ("errUSBR", "the device saw an unexpected USB reset"),
    0x0D: ("errPOR", "the device saw an unexpected power-on reset"),
    0x0E: ("errUNKNOWN", "the device does not know what went wrong"),
    0x0F: ("errSTALLEDPKT", "the device got a request that it did not expect"),
}


@dataclass(frozen=True, slots=True)
class Status:
    """An answer to GETSTATUS.

    Attributes:
        code: bStatus.
        poll: seconds to wait before the next GETSTATUS.
        state: bState.
        string: index of a string that explains the status, 0 for none.
    """

    code: int
    poll: float
    state: int
    string: int = 0

    @classmethod
    def parse(cls, data: bytes) -> Status | None:
        """None for anything that is not a whole answer."""
        if len(data) != STATUS_SIZE:
            return None
        return cls(data[0], int.from_bytes(data[1:4], "little") / 1000, data[4], data[5])

    @property
    def failed(self) -> bool:
        return self.code != OK or self.state == State.ERROR

    @property
    def sentence(self) -> str:
        name, words = STATUSES.get(self.code, (f"status {self.code:#04x}", "an unknown status"))
        if self.code == OK:
            return "the device is in its error state and gives no reason"
        return f"{words} ({name})"


@dataclass(frozen=True, slots=True)
class Functional:
    """The DFU functional descriptor.

    Attributes:
        detach_timeout: seconds.
        transfer_size: bytes of one DNLOAD or UPLOAD, as claimed (may be 0 or more than a host can move).
        version: BCD, 0x0110 or DFUSE; 0x0100 where an old device leaves it out.
    """

    can_download: bool
    can_upload: bool
    manifestation_tolerant: bool
    will_detach: bool
    detach_timeout: float
    transfer_size: int
    version: int

    @property
    def block(self) -> int:
        """Bytes for one transfer that this device and every host can do."""
        return min(self.transfer_size or DEFAULT_TRANSFER, MAX_TRANSFER)


def functional(extra: bytes) -> Functional | None:
    """The functional descriptor among an interface's extra descriptors, or None."""
    at = 0
    while at + 2 <= len(extra):
        length, kind = extra[at], extra[at + 1]
        if length < 2:
            return None
        if kind == 0x21 and length >= 7 and at + 7 <= len(extra):
            bits, detach, size = struct.unpack_from("<BHH", extra, at + 2)
            version = 0x0100
            if length >= 9 and at + 9 <= len(extra):
                (version,) = struct.unpack_from("<H", extra, at + 7)
            return Functional(
                bool(bits & 1), bool(bits & 2), bool(bits & 4), bool(bits & 8), detach / 1000, size, version
            )
        at += length
    return None


MASS_ERASE = b"\x41"


def set_pointer(address: int) -> bytes:
    return struct.pack("<BI", 0x21, address)


def erase_page(address: int) -> bytes:
    return struct.pack("<BI", 0x41, address)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a command may take, in seconds, whatever the device claims.

    Attributes:
        limit: all in all.
        step: the least to sleep before asking again while the device is busy: some always claim 0.
    """

    limit: float
    step: float = 0.005


# A sector of 128 or 256 KiB takes up to 4 s by ST's data sheets at low voltage parallelism, a whole 2 MiB chip up
# to 35 s; the boot ROM of an F405 claims 100 ms for it, mboot always claims 0.
POINTER, BLOCK, PAGE = Patience(10.0, 0.0), Patience(20.0, 0.001), Patience(45.0)
MASS = Patience(180.0, 0.1)
