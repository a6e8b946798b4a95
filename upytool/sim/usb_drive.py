"""The bootloader's drive: what a computer does with a USB stick, done here, because no system mounts it for us.

`MassStorage` speaks the bulk-only transport (USB Mass Storage Class, Bulk-Only Transport 1.0) and the few SCSI
commands that disks are read and written with (SBC). `Drive` reads the FAT16 file system on it (Microsoft FAT
specification, fatgen103) and copies a file onto it as a file manager would: directory entry, allocation table,
data, in 512-byte blocks.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import SimulatorError

if TYPE_CHECKING:
    from .usb_backend import UsbBackend

BLOCK = 512
PIECE = 32  # blocks of one command
TIMEOUT_MS = 5000
COMMAND = struct.Struct("<IIIBBB16s")
STATUS = struct.Struct("<IIIB")
COMMAND_MARK, STATUS_MARK = 0x43425355, 0x53425355
INQUIRY, READ_CAPACITY, READ_10, WRITE_10, TEST_READY, REQUEST_SENSE = 0x12, 0x25, 0x28, 0x2A, 0x00, 0x03


class DriveGone(SimulatorError):
    """The drive went away, as it does once the bootloader has a whole image."""


class MassStorage:
    """A disk behind the bulk-only interface of a pyusb device.

    Raises throughout: DriveGone when the device goes; SimulatorError when it refuses a command.
    """

    def __init__(self, device: Any) -> None:
        """`device`: a usb.core.Device with a mass-storage interface."""
        import usb.util

        interface = usb.util.find_descriptor(
            device[0], custom_match=lambda each: (each.bInterfaceClass, each.bInterfaceProtocol) == (8, 0x50)
        )
        if interface is None:
            raise SimulatorError("sim.no-drive")
        self._device, self.interface = device, interface.bInterfaceNumber
        for endpoint in interface:
            if endpoint.bEndpointAddress & 0x80:
                self._in = endpoint.bEndpointAddress
            else:
                self._out = endpoint.bEndpointAddress
        self._tag = 0
        usb.util.claim_interface(device, self.interface)

    def close(self) -> None:
        import usb.core
        import usb.util

        with contextlib.suppress(usb.core.USBError):
            usb.util.dispose_resources(self._device)

    def command(self, block: bytes, data: bytes = b"", read: int = 0) -> bytes:
        """One SCSI command with its data, out or in; what came in."""
        import usb.core

        try:
            return self._command(block, data, read)
        except usb.core.USBError as err:
            raise DriveGone("sim.drive-gone") from err

    def inquiry(self) -> tuple[str, str]:
        """(vendor, product)."""
        data = self.command(struct.pack(">BBBHB", INQUIRY, 0, 0, 36, 0), read=36)
        return data[8:16].decode().strip(), data[16:32].decode().strip()

    def capacity(self) -> tuple[int, int]:
        """(number of blocks, bytes of a block)."""
        last, size = struct.unpack(">II", self.command(struct.pack(">B9x", READ_CAPACITY), read=8))
        return last + 1, size

    def read(self, block: int, count: int = 1) -> bytes:
        data = bytearray()
        for at in range(block, block + count, PIECE):
            some = min(PIECE, block + count - at)
            data += self.command(struct.pack(">BBIBHB", READ_10, 0, at, 0, some, 0), read=some * BLOCK)
        return bytes(data)

    def write(self, block: int, data: bytes) -> None:
        """`data`: whole blocks."""
        for at in range(0, len(data), PIECE * BLOCK):
            piece = data[at : at + PIECE * BLOCK]
            count = len(piece) // BLOCK
            self.command(struct.pack(">BBIBHB", WRITE_10, 0, block + at // BLOCK, 0, count, 0), piece)

    def _command(self, block: bytes, data: bytes, read: int) -> bytes:
        import usb.core

        self._tag += 1
        device, size = self._device, read or len(data)
        head = COMMAND.pack(COMMAND_MARK, self._tag, size, 0x80 if read else 0, 0, len(block), block.ljust(16, b"\0"))
        device.write(self._out, head, TIMEOUT_MS)
        received = b""
        try:
            if read:
                received = bytes(device.read(self._in, read, TIMEOUT_MS))
            elif data:
                device.write(self._out, data, TIMEOUT_MS)
        except usb.core.USBError as err:
            if err.backend_error_code != -9:
                raise
            device.clear_halt(self._in if read else self._out)  # refused: the status says why (BOT 6.7)
        status = bytes(device.read(self._in, STATUS.size, TIMEOUT_MS))
        mark, tag, _, failed = STATUS.unpack(status)
        if mark != STATUS_MARK or tag != self._tag or failed:
            raise SimulatorError("sim.drive-refused", command=block[0])
        return received


class Drive:
    """The drive of a bootloader as a volume: read its files, copy a file onto it.

    Args:
        backend: of the board, in its bootloader (upytool.sim.usb.backend(), or PicoBoard.backend()).

    Raises throughout: DriveGone; SimulatorError when there is no such drive.
    """

    def __init__(self, backend: UsbBackend) -> None:
        import usb.core

        device = usb.core.find(backend=backend)
        if device is None:
            raise SimulatorError("sim.no-usb-device")
        self.disk = MassStorage(device)
        first = self.disk.read(0)
        start = struct.unpack_from("<I", first, 0x1C6)[0] if first[0x1C2] in (4, 6, 0xB, 0xC, 0xE) else 0
        boot = self.disk.read(start)
        self.label = boot[43:54].decode("ascii", "replace").strip()
        _, cluster, reserved, copies, entries, _, _, fat_blocks = struct.unpack_from("<HBHBHHBH", boot, 11)
        self._cluster_blocks = cluster
        self._fat = [start + reserved + copy * fat_blocks for copy in range(copies)]
        self._fat_blocks = fat_blocks
        self._root = start + reserved + copies * fat_blocks
        self._root_blocks = -(-entries * 32 // BLOCK)
        self._data = self._root + self._root_blocks
        self._blocks = self.disk.capacity()[0] - self._data

    def __enter__(self) -> Drive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Unplug."""
        self.disk.close()

    def files(self) -> dict[str, int]:
        """Sizes of the files in the root directory, by name."""
        return {name: size for name, _, size in self._entries()}

    def read_file(self, name: str) -> bytes:
        """Raises: SimulatorError when there is none of that name."""
        for found, cluster, size in self._entries():
            if found == name.upper():
                return self.disk.read(self._place(cluster), -(-size // BLOCK))[:size]
        raise SimulatorError("sim.drive-no-file", name=name, files=list(self.files()))

    def info_text(self) -> str:
        """INFO_UF2.TXT."""
        return self.read_file("INFO_UF2.TXT").decode("ascii", "replace")

    def write_uf2(
        self, data: bytes, name: str = "FIRMWARE.UF2", progress: Callable[[int], None] = lambda written: None
    ) -> None:
        """Copy a file onto the drive, block by block, as the system does. `progress` gets bytes so far.

        A drive that goes away with the last block is what success looks like, and no error.
        """
        clusters = -(-len(data) // (BLOCK * self._cluster_blocks))
        first = 3 + len(self.files())  # what lies before belongs to the files that are there
        if clusters > self._blocks // self._cluster_blocks:
            raise SimulatorError("sim.drive-full", size=len(data))
        self._add_entry(name, first, len(data))
        self._add_chain(first, clusters)
        padded = data + bytes(-len(data) % BLOCK)
        for at in range(0, len(padded), PIECE * BLOCK):
            piece = padded[at : at + PIECE * BLOCK]
            try:
                self.disk.write(self._place(first) + at // BLOCK, piece)
            except DriveGone:
                if at + len(piece) < len(padded):
                    raise
            progress(min(at + len(piece), len(data)))

    def _place(self, cluster: int) -> int:
        return int(self._data + (cluster - 2) * self._cluster_blocks)

    def _entries(self) -> list[tuple[str, int, int]]:
        raw = self.disk.read(self._root, self._root_blocks)
        found = []
        for at in range(0, len(raw), 32):
            entry = raw[at : at + 32]
            if entry[0] == 0:
                break
            if entry[0] == 0xE5 or entry[11] & 8:  # deleted; the label or part of a long name
                continue
            stem, tail = entry[:8].decode("ascii").rstrip(), entry[8:11].decode("ascii").rstrip()
            cluster, size = struct.unpack_from("<HI", entry, 26)
            found.append((f"{stem}.{tail}" if tail else stem, cluster, size))
        return found

    def _add_entry(self, name: str, cluster: int, size: int) -> None:
        raw = bytearray(self.disk.read(self._root))
        at = next(at for at in range(0, BLOCK, 32) if raw[at] in (0, 0xE5))
        stem, _, tail = name.upper().partition(".")
        short = f"{stem[:8]:<8}{tail[:3]:<3}".encode("ascii")
        raw[at : at + 32] = struct.pack("<11sB14xHI", short, 0x20, cluster, size)
        self.disk.write(self._root, bytes(raw))

    def _add_chain(self, first: int, count: int) -> None:
        links = [*range(first + 1, first + count), 0xFFFF]
        for at in range(first // 256, (first + count - 1) // 256 + 1):
            for fat in self._fat:
                table = bytearray(self.disk.read(fat + at))
                for cluster in range(max(first, at * 256), min(first + count, at * 256 + 256)):
                    struct.pack_into("<H", table, (cluster - at * 256) * 2, links[cluster - first])
                self.disk.write(fat + at, bytes(table))
