"""A MODEL of the serial bootloader in the ROM of Espressif's chips, and of esptool's stub.

It answers commands; it runs no code. What esptool uploads as its stub is counted and thrown away, and from then on
the model answers as the stub does: it impersonates it. Real are: esptool, pyserial, the wire (a socket, a pseudo
terminal, RFC 2217), and all of upytool. The flash behaves as NOR flash does: erasing sets bits, writing clears them.

Sources: esptool's documentation "Serial Protocol" and what esptool 5.6 sends and expects (loader.py, targets/).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import md5

SECTOR = 0x1000


@dataclass(frozen=True)
class Kind:
    """What differs between chips, as far as esptool looks."""

    name: str
    chip_id: int
    magic: int
    base: int  # where the first image lies
    spi: int
    spi_usr: int
    spi_w0: int
    watchdog: int = 0
    registers: tuple[tuple[int, int], ...] = ()

    @property
    def old(self) -> bool:
        """Recognised by the magic register: no security info."""
        return self.magic != 0


KINDS = {
    "esp8266": Kind(
        "esp8266", -1, 0xFFF0C101, 0, 0x60000200, 0x1C, 0x40,
        registers=((0x3FF00050, 0xAB000000), (0x3FF00054, 0x00001234), (0x3FF0005C, 0x0018FE34)),
    ),
    "esp32": Kind(
        "esp32", 0, 0x00F01D83, 0x1000, 0x3FF42000, 0x1C, 0x80,
        registers=((0x3FF5A004, 0xC4123456), (0x3FF5A008, 0x0000240A), (0x3FF5F06C, 0x51EB8 << 7), (0x3FF5A010, 0xB0)),
    ),
    "esp32c3": Kind(
        "esp32c3", 5, 0, 0, 0x60002000, 0x18, 0x58, 0x60008090,
        registers=((0x60008844, 0x0CAABBCC), (0x60008848, 0x00005443), (0x60008850, 3 << 18)),
    ),
    "esp32s3": Kind(
        "esp32s3", 9, 0, 0, 0x60002000, 0x18, 0x58, 0x60008098,
        # 8 MB of octal PSRAM in the package (capacity 1, vendor 1), revision 0.2
        registers=((0x60007044, 0x85123456), (0x60007048, 0x0000F412), (0x60007050, 2 << 18),
                   (0x60007054, 1 << 3 | 1 << 7)),
    ),
}  # fmt: skip

FLASH_IDS = {1 << 20: 0x1440C8, 2 << 20: 0x1540C8, 4 << 20: 0x1640C8, 8 << 20: 0x1740C8, 16 << 20: 0x1840C8}
SECURE_BOOT = {"esp32": (0x3FF5A018, 1 << 4), "esp32c3": (0x60008838, 1 << 20), "esp32s3": (0x60007038, 1 << 20)}
ENCRYPTION = {"esp32": (0x3FF5A000, 1 << 20), "esp32c3": (0x60008834, 1 << 18), "esp32s3": (0x60007034, 1 << 18)}


@dataclass
class Faults:
    """What goes wrong, and at which command (counted from 1; 0 never). Each happens once, unless `for_ever`.

    Attributes:
        disconnect: the wire is cut at this command. stall: it answers nothing any more, until it is reset.
        lose_reply: the command is done, its reply is lost. cut_reply: half of the reply arrives.
        power_loss: the chip loses power before it does this command; it comes back in its ROM.
        flip_write: a byte of this data command is stored wrongly. drop_byte: a byte of the command is lost.
        flip_read: a byte of this command's reply (read flash) is changed on the way.
        top_rate: above it, one byte of every long command is lost.
        stub: the uploaded stub does not start: "mute" (nothing answers until a reset) or "back" (the ROM goes on).
    """

    disconnect: int = 0
    stall: int = 0
    lose_reply: int = 0
    cut_reply: int = 0
    power_loss: int = 0
    flip_write: int = 0
    drop_byte: int = 0
    flip_read: int = 0
    top_rate: int = 0
    stub: str = ""
    for_ever: bool = False


class Disconnected(Exception):
    """The model wants the wire to be cut."""


@dataclass
class EspRomModel:
    """One chip with its flash.

    Args:
        chip: a name of KINDS. flash_size: bytes. secure_download: as burnt into the chip.
        mode: "rom", "stub" or "run" (the firmware runs: nothing of this answers).
    """

    chip: str = "esp32"
    flash_size: int = 4 << 20
    secure_download: bool = False
    mode: str = "rom"
    faults: Faults = field(default_factory=Faults)
    boot_bits: int = 0x13

    def __post_init__(self) -> None:
        self.kind = KINDS[self.chip]
        self.flash = bytearray(b"\xff" * self.flash_size)
        self.registers = dict(self.kind.registers)
        self.commands: list[int] = []
        self.bytes_in = self.bytes_out = 0
        self.baud = 115200
        self.resets: list[str] = []
        self.stalled = self._dog = False
        self.runs = 0
        self._frame: bytearray | None = None
        self._write: dict[str, object] = {}
        self._read: dict[str, int] | None = None

    # -- power and reset ------------------------------------------------------------------------------------------

    def reset(self, mode: str, why: str) -> bytes:
        """A reset: into the ROM's bootloader ("rom"), or into the firmware ("run"). Returns the boot log."""
        self.mode, self.baud, self.stalled, self._dog = mode, 115200, False, False
        self._frame, self._read = None, None
        self._write = {}
        self.resets.append(f"{why}: {mode}")
        if mode == "run":
            self.runs += 1
            log = b"rst:0x1 (POWERON_RESET),boot:0x%x (SPI_FAST_FLASH_BOOT)\r\n" % self.boot_bits
            return self._out(log + b"MicroPython v1.26\r\n>>> ")
        return self._out(b"rst:0x1,boot:0x3 (DOWNLOAD_BOOT)\r\nwaiting for download\r\n")

    # -- the wire ---------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> bytes:
        """Bytes from the host; returns what the chip says to them. Raises Disconnected."""
        self.bytes_in += len(data)
        out = bytearray()
        for byte in data:
            if byte != 0xC0:
                if self._frame is not None:
                    self._frame.append(byte)
                continue
            if self._frame:
                frame = bytes(self._frame).replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
                self._frame = None
                out += self._packet(frame)
            else:
                self._frame = bytearray()
        return self._out(bytes(out))

    def _out(self, data: bytes) -> bytes:
        self.bytes_out += len(data)
        return data

    def _hits(self, fault: str) -> bool:
        at = getattr(self.faults, fault)
        if not at or len(self.commands) < at:
            return False
        if not self.faults.for_ever:
            setattr(self.faults, fault, 0)
        return True

    def _packet(self, frame: bytes) -> bytes:
        if self.mode == "run" or self.stalled:
            return b""
        if self._read is not None:
            if len(frame) == 4:
                return self._read_on(int.from_bytes(frame, "little"))
            self._read = None
        if len(frame) < 8 or frame[0] != 0:
            return b""
        self.commands.append(frame[1])
        if self._hits("disconnect"):
            raise Disconnected
        if self._hits("stall"):
            self.stalled = True
            return b""
        if self._hits("power_loss"):
            self.reset("rom", "power")
            return b""
        too_fast = self.faults.top_rate and self.baud > self.faults.top_rate and len(frame) > 500
        if self._hits("drop_byte") or too_fast:
            frame = frame[:-1]
        length, check = struct.unpack_from("<HI", frame, 2)
        if len(frame) - 8 != length:
            return self._reply(frame[1], status=0xC0 if self.mode == "stub" else 5)
        reply = self._command(frame[1], frame[8:], check & 0xFF)
        if self._hits("lose_reply"):
            return b""
        if self._hits("cut_reply"):
            return reply[: len(reply) // 2]
        return reply

    def _reply(self, op: int, value: int = 0, data: bytes = b"", status: int = 0) -> bytes:
        if self.mode == "stub":
            tail = bytes((status, 0)) if status else b"\0\0"
        else:
            tail = bytes((1 if status else 0, status))
            if self.chip != "esp8266":
                tail += b"\0\0"
        body = data + tail
        return slip(struct.pack("<BBHI", 1, op, len(body), value) + body)

    def _unknown(self) -> bytes:
        if self.mode == "stub":
            return self._reply(0, status=0xC3)
        return slip(struct.pack("<BBHI", 1, 0, 4, 0) + b"\1\5\0\0") * 8

    # -- commands ---------------------------------------------------------------------------------------------------

    def _command(self, op: int, data: bytes, check: int) -> bytes:
        handler: Callable[[int, bytes, int], bytes] | None = getattr(self, f"_op_{op:02x}", None)
        stub_only = op >= 0xD0
        small_rom = self.chip == "esp8266" and self.mode == "rom" and op >= 0x0B
        locked = self.secure_download and op in (0x05, 0x06, 0x07, 0x09, 0x0A, 0x0E, 0x13)
        if handler is None or small_rom or locked or (stub_only and self.mode != "stub"):
            return self._unknown()
        return handler(op, data, check)

    def _op_08(self, op: int, data: bytes, check: int) -> bytes:  # SYNC
        return self._reply(op, 0 if self.mode == "stub" else 0x20120707) * 8

    def _op_14(self, op: int, data: bytes, check: int) -> bytes:  # GET_SECURITY_INFO
        if self.kind.old:
            return self._unknown()
        flags = 4 if self.secure_download else 0
        return self._reply(op, 0, struct.pack("<IB7sII", flags, 0, bytes(7), self.kind.chip_id, 0))

    def _op_0a(self, op: int, data: bytes, check: int) -> bytes:  # READ_REG
        (address,) = struct.unpack_from("<I", data)
        if address == 0x40001000 and self.kind.old:
            return self._reply(op, self.kind.magic)
        return self._reply(op, self.registers.get(address, 0))

    def _op_09(self, op: int, data: bytes, check: int) -> bytes:  # WRITE_REG
        restart = self._dog  # the watchdog bites a moment after it was started: there is time for one more command
        for at in range(0, len(data) - 15, 16):
            address, value, mask, _ = struct.unpack_from("<IIII", data, at)
            old = self.registers.get(address, 0)
            self.registers[address] = (old & ~mask) | (value & mask)
            if address == self.kind.spi and value & (1 << 18):
                self._spi()
            self._dog |= bool(self.kind.watchdog) and address == self.kind.watchdog and bool(value >> 31)
        reply = self._reply(op)
        if restart:
            self.reset("run", "watchdog")
        return reply

    def _spi(self) -> None:
        kind = self.kind
        opcode = self.registers.get(kind.spi + kind.spi_usr + 8, 0) & 0xFF
        address = self.registers.get(kind.spi + 4, 0)
        answer = 0
        if opcode == 0x9F:
            answer = FLASH_IDS[self.flash_size]
        elif opcode == 0x5A:
            answer = 0x50444653 if address == 0 else 0xFF
        self.registers[kind.spi + kind.spi_w0] = answer
        self.registers[kind.spi] = 0

    def _op_0d(self, op: int, data: bytes, check: int) -> bytes:  # SPI_ATTACH
        return self._reply(op)

    _op_0b = _op_0d  # SPI_SET_PARAMS

    def _op_0f(self, op: int, data: bytes, check: int) -> bytes:  # CHANGE_BAUDRATE
        reply = self._reply(op)
        self.baud = struct.unpack_from("<I", data)[0]
        return reply

    def _op_05(self, op: int, data: bytes, check: int) -> bytes:  # MEM_BEGIN
        return self._reply(op)

    def _op_07(self, op: int, data: bytes, check: int) -> bytes:  # MEM_DATA
        return self._reply(op, status=0 if xor(data[16:]) == check else 7)

    def _op_06(self, op: int, data: bytes, check: int) -> bytes:  # MEM_END
        reply = self._reply(op)
        if struct.unpack_from("<I", data)[0] == 0:
            if self.faults.stub:
                self.stalled = self.faults.stub == "mute"
                return reply
            self.mode = "stub"
            reply += slip(b"OHAI")
        return reply

    def _erase(self, address: int, size: int) -> None:
        start = address // SECTOR * SECTOR
        end = min(self.flash_size, -(-(address + size) // SECTOR) * SECTOR)
        self.flash[start:end] = b"\xff" * (end - start)

    def _op_02(self, op: int, data: bytes, check: int) -> bytes:  # FLASH_BEGIN
        size, blocks, block, offset = struct.unpack_from("<IIII", data)
        self._write = {"offset": offset, "block": block, "erased": offset // SECTOR * SECTOR, "inflate": None}
        if self.mode == "rom" and size:
            self._erase(offset, size if self.chip != "esp8266" else blocks * block)
        return self._reply(op)

    def _op_10(self, op: int, data: bytes, check: int) -> bytes:  # FLASH_DEFL_BEGIN
        size, _, block, offset = struct.unpack_from("<IIII", data)
        self._write = {
            "offset": offset, "block": block, "erased": offset // SECTOR * SECTOR,
            "inflate": zlib.decompressobj(), "at": offset, "seq": 0,
        }  # fmt: skip
        if self.mode == "rom":
            self._erase(offset, size)
        return self._reply(op)

    def _op_03(self, op: int, data: bytes, check: int) -> bytes:  # FLASH_DATA
        length, seq = struct.unpack_from("<II", data)
        if "block" not in self._write:
            return self._reply(op, status=0xC6 if self.mode == "stub" else 6)
        if xor(data[16:]) != check or length != len(data) - 16:
            return self._reply(op, status=0xC1 if self.mode == "stub" else 7)
        offset, block = self._write["offset"], self._write["block"]
        assert isinstance(offset, int)
        assert isinstance(block, int)
        self._store(offset + seq * block, data[16:])
        return self._reply(op)

    def _op_11(self, op: int, data: bytes, check: int) -> bytes:  # FLASH_DEFL_DATA
        length, seq = struct.unpack_from("<II", data)
        inflate = self._write.get("inflate")
        if inflate is None:
            return self._reply(op, status=0xC6 if self.mode == "stub" else 6)
        if xor(data[16:]) != check or length != len(data) - 16:
            return self._reply(op, status=0xC1 if self.mode == "stub" else 7)
        if seq != self._write["seq"]:  # a repeated block would spoil the stream
            return self._reply(op, status=0xC7 if self.mode == "stub" else 0xB)
        self._write["seq"] = seq + 1
        try:
            plain = inflate.decompress(data[16:])  # type: ignore[attr-defined]
        except zlib.error:
            return self._reply(op, status=0xC7 if self.mode == "stub" else 0xB)
        at = self._write["at"]
        assert isinstance(at, int)
        self._store(at, plain)
        self._write["at"] = at + len(plain)
        return self._reply(op)

    def _store(self, address: int, data: bytes) -> None:
        data = data[: max(0, self.flash_size - address)]
        if self._hits("flip_write"):
            data = bytes((data[0] ^ 0x55,)) + data[1:]
        if self.mode == "stub":  # erases as it writes
            erased = self._write["erased"]
            assert isinstance(erased, int)
            if address + len(data) > erased:
                self._erase(erased, address + len(data) - erased)
                self._write["erased"] = -(-(address + len(data)) // SECTOR) * SECTOR
        held = int.from_bytes(self.flash[address : address + len(data)], "little")
        programmed = held & int.from_bytes(data, "little")
        self.flash[address : address + len(data)] = programmed.to_bytes(len(data), "little")

    def _op_04(self, op: int, data: bytes, check: int) -> bytes:  # FLASH_END
        reply = self._reply(op)
        self._write = {}
        if struct.unpack_from("<I", data)[0] == 0:
            self.mode = "rom"  # the stub restarts the ROM's loader
        elif self.mode == "rom":
            self.reset("run", "command")
        return reply

    _op_12 = _op_04  # FLASH_DEFL_END

    def _op_13(self, op: int, data: bytes, check: int) -> bytes:  # SPI_FLASH_MD5
        address, size = struct.unpack_from("<II", data)
        digest = md5(self.flash[address : address + size]).digest()
        return self._reply(op, 0, digest if self.mode == "stub" else digest.hex().encode())

    def _op_0e(self, op: int, data: bytes, check: int) -> bytes:  # READ_FLASH_SLOW
        address, size = struct.unpack_from("<II", data)
        block = bytearray(self.flash[address : address + size].ljust(64, b"\0"))
        if self._hits("flip_read"):
            block[0] ^= 0x55
        return self._reply(op, 0, bytes(block))

    def _op_d0(self, op: int, data: bytes, check: int) -> bytes:  # ERASE_FLASH
        self._erase(0, self.flash_size)
        return self._reply(op)

    def _op_d1(self, op: int, data: bytes, check: int) -> bytes:  # ERASE_REGION
        self._erase(*struct.unpack_from("<II", data))
        return self._reply(op)

    def _op_d2(self, op: int, data: bytes, check: int) -> bytes:  # READ_FLASH
        address, size, block, ahead = struct.unpack_from("<IIII", data)
        self._read = {"address": address, "size": size, "block": block, "sent": 0, "ahead": ahead}
        return self._reply(op) + self._read_on(0)

    def _read_on(self, acknowledged: int) -> bytes:
        read = self._read
        assert read is not None
        out = b""
        while read["sent"] < read["size"] and read["sent"] - acknowledged < read["ahead"] * read["block"]:
            at = read["address"] + read["sent"]
            part = bytearray(self.flash[at : at + min(read["block"], read["size"] - read["sent"])])
            read["sent"] += len(part)
            if self._hits("flip_read"):
                part[0] ^= 0x55
            out += slip(bytes(part))
        if acknowledged >= read["size"]:
            out += slip(md5(self.flash[read["address"] : read["address"] + read["size"]]).digest())
            self._read = None
        return out


def slip(packet: bytes) -> bytes:
    return b"\xc0" + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def xor(data: bytes) -> int:
    check = 0xEF
    for byte in data:
        check ^= byte
    return check
