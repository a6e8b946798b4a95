"""File system images in a real MicroPython: its unix port mounts a file of the host as a block device."""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.unix import Unix
from upytool.device.connect import connect

# The block device's interface is MicroPython's "extended": littlefs needs offsets, FAT does without.
PROGRAM = """
import vfs, os
class Disk:
    def __init__(self, name, size):
        self.file = open(name, "r+b")
        self.size = size
        self.count = os.stat(name)[6] // size
    def readblocks(self, block, buffer, offset=0):
        self.file.seek(block * self.size + offset)
        self.file.readinto(buffer)
    def writeblocks(self, block, buffer, offset=None):
        if offset is None:
            offset = 0
        self.file.seek(block * self.size + offset)
        self.file.write(buffer)
    def ioctl(self, op, arg):
        if op == 3:
            self.file.flush()
        if op == 4:
            return self.count
        if op == 5:
            return self.size
        if op == 6:
            self.file.seek(arg * self.size)
            self.file.write(b"\\xff" * self.size)
            return 0
def walk(path):
    for entry in os.ilistdir(path):
        name = path + "/" + entry[0]
        if entry[1] == 0x4000:
            print(repr((name, None)))
            walk(name)
        else:
            with open(name, "rb") as f:
                print(repr((name, f.read())))
disk = Disk("image", %d)
kind = vfs.%s
"""
MOUNT = "vfs.mount(kind(disk%s), '/m')\nwalk('/m')\nprint(repr(tuple(os.statvfs('/m'))))\n"


@dataclass(frozen=True)
class Seen:
    """What MicroPython sees: contents by path (None for a directory), and statvfs."""

    files: dict[str, bytes | None]
    statvfs: tuple[int, ...]


class FsBoard:
    """Args: a running unix rig."""

    def __init__(self, rig: Unix) -> None:
        self._rig = rig
        self._image = Path(rig.root) / "image"

    def _run(self, kind: str, block_size: int, code: str, image: bytes) -> str:
        self._image.write_bytes(image)
        os.chmod(self._image, 0o666)
        try:
            with connect(self._rig.port) as device:
                return device.exec(PROGRAM % (block_size, kind) + code + "\ndisk.file.close()\n", timeout=60)
        finally:
            self.after = self._image.read_bytes()
            self._image.unlink()

    def look(self, kind: str, image: bytes, block_size: int = 512) -> Seen:
        """Mount and read all of it. kind: "VfsLfs2", "VfsLfs1" or "VfsFat". RemoteException where it refuses."""
        options = "" if kind == "VfsFat" else ", progsize=32" if block_size % 256 else ", progsize=256"
        *lines, last = self._run(kind, block_size, MOUNT % options + "vfs.umount('/m')", image).splitlines()
        files = dict(ast.literal_eval(line) for line in lines)
        return Seen({path.removeprefix("/m/"): data for path, data in files.items()}, ast.literal_eval(last))

    def change(self, kind: str, image: bytes, code: str, block_size: int = 512) -> bytes:
        """Mount at /m, run code, and give the image as it is then."""
        self._run(kind, block_size, f"vfs.mount(kind(disk), '/m')\n{code}\nvfs.umount('/m')", image)
        return self.after

    def make(self, kind: str, size: int, code: str, block_size: int = 512) -> bytes:
        """A file system that MicroPython makes, formatted by it and filled by `code` at /m."""
        self._run(
            kind,
            block_size,
            f"kind.mkfs(disk)\nvfs.mount(kind(disk), '/m')\n{code}\nvfs.umount('/m')",
            b"\xff" * size,
        )
        return self.after
