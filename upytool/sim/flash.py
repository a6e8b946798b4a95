"""The simulated board's flash: a LittleFS 2 volume in one file, as a board's flash holds it.

The VM of the `wasm` board knows only POSIX files, so its file calls end here (see wasi.py) and are served
from a real LittleFS: a full disk, a rename over an open target, the block rounding and the wear of a metadata
pair are LittleFS's own. The file is mapped into memory; what the VM has synced survives a killed server, and
littlefs-python or a real board can read the same image.
"""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path
from typing import IO, Any

from ..errors import SimulatorError

BLOCK_SIZE = 4096
DEFAULT_SIZE = 16 * 1024 * 1024

# lfs.h enum lfs_open_flags
O_RDONLY, O_WRONLY, O_RDWR = 1, 2, 3
O_CREAT, O_EXCL, O_TRUNC, O_APPEND = 0x100, 0x200, 0x400, 0x800

TYPE_FILE, TYPE_DIR = 1, 2  # lfs.h enum lfs_type

ATTR_MTIME = 1  # extmod/vfs_lfs.c: LFS_ATTR_MTIME, eight bytes, nanoseconds since 1970, little endian
EIO, EBADF, EFBIG, ENOSPC = 5, 9, 27, 28


class Medium:
    """The block device under LittleFS: a mapped file, or memory when there is no path."""

    def __init__(self, path: Path | None, size: int) -> None:
        self._file: IO[bytes] | None = None
        self.buffer: mmap.mmap | bytearray
        if path is None:
            self.buffer = bytearray(size)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115 (closed in close())
        if not os.fstat(self._file.fileno()).st_size:
            self._file.truncate(size)  # sparse: an unused block costs nothing on the host
        self.buffer = mmap.mmap(self._file.fileno(), 0)

    def __len__(self) -> int:
        return len(self.buffer)

    # The four calls of littlefs-python's user context.
    def read(self, cfg: Any, block: int, off: int, size: int) -> bytes:
        start = block * BLOCK_SIZE + off
        return bytes(self.buffer[start : start + size])

    def prog(self, cfg: Any, block: int, off: int, data: bytes) -> int:
        start = block * BLOCK_SIZE + off
        self.buffer[start : start + len(data)] = data
        return 0

    def erase(self, cfg: Any, block: int) -> int:
        start = block * BLOCK_SIZE
        self.buffer[start : start + BLOCK_SIZE] = b"\xff" * BLOCK_SIZE
        return 0

    def sync(self, cfg: Any) -> int:
        return 0

    def close(self) -> None:
        if isinstance(self.buffer, mmap.mmap):
            self.buffer.close()
        if self._file is not None:
            self._file.close()
            self._file = None


class Flash:
    """Files on the flash. Paths are absolute and normal; errors are OSError with LittleFS's numbers.

    Args:
        path: the image file, made when missing; None keeps the flash in memory.
        size: bytes, a multiple of 4096; used only for a new image.
        fresh: format even when the image holds a file system.
    """

    def __init__(self, path: Path | None = None, *, size: int = DEFAULT_SIZE, fresh: bool = False) -> None:
        from littlefs import lfs

        if size % BLOCK_SIZE or size < 2 * BLOCK_SIZE:
            raise SimulatorError("sim.flash-size", size=size, block=BLOCK_SIZE)
        if fresh and path is not None:
            path.unlink(missing_ok=True)
        new = path is None or not path.exists()
        self._lfs = lfs
        self._medium = Medium(path, size)
        # read, program and look-ahead sizes are run-time choices that the disk does not record; these are
        # quick ones
        self._cfg = lfs.LFSConfig(
            self._medium,
            block_size=BLOCK_SIZE,
            block_count=len(self._medium) // BLOCK_SIZE,
            read_size=256,
            prog_size=256,
            cache_size=BLOCK_SIZE,
            lookahead_size=512,
            block_cycles=100,
            name_max=255,
            disk_version=0x00020000,
        )
        self._fs = lfs.LFSFilesystem()
        self._open: set[FlashFile] = set()
        try:
            if new:
                lfs.format(self._fs, self._cfg)
            lfs.mount(self._fs, self._cfg)
        except Exception as err:
            self._medium.close()
            raise SimulatorError("sim.no-file-system", path=path) from err

    def close(self) -> None:
        """Unmount. Files still open are closed first, as a board's soft reset does."""
        self.close_files()
        self._lfs.unmount(self._fs)
        self._medium.close()

    def close_files(self) -> None:
        """Drop the files that a program left open. What it had not flushed is lost, as on a board."""
        for file in list(self._open):
            file.abandon()

    def stat(self, path: str) -> tuple[int, int, int]:
        """(TYPE_FILE or TYPE_DIR, size in bytes, mtime in nanoseconds since 1970)."""
        info = self._call(self._lfs.stat, path)
        mtime = 0
        if info.type == TYPE_FILE:
            try:
                mtime = int.from_bytes(self._lfs.getattr(self._fs, path, ATTR_MTIME), "little")
            except Exception:  # no such attribute: written by another tool
                mtime = 0
        return info.type, info.size, mtime

    def listdir(self, path: str) -> list[tuple[str, int, int]]:
        """(name, type, size) of each entry, without `.` and `..`."""
        handle = self._call(self._lfs.dir_open, path)
        entries = []
        try:
            while True:
                info = self._lfs.dir_read(self._fs, handle)
                if not info:
                    break
                if info.name not in (".", ".."):
                    entries.append((info.name, info.type, info.size))
        finally:
            self._lfs.dir_close(self._fs, handle)
        return entries

    def mkdir(self, path: str) -> None:
        self._call(self._lfs.mkdir, path)

    def remove(self, path: str) -> None:
        """Remove a file or an empty directory."""
        self._call(self._lfs.remove, path)

    def rename(self, old: str, new: str) -> None:
        """Rename; a file or an empty directory of that name is replaced in one step."""
        self._call(self._lfs.rename, old, new)

    def open(self, path: str, flags: int) -> FlashFile:
        handle = self._call(self._lfs.file_open, path, self._lfs.LFSFileFlag(flags))
        file = FlashFile(self, path, handle, writable=bool(flags & O_WRONLY))
        self._open.add(file)
        return file

    def usage(self) -> tuple[int, int, int]:
        """(block size, all blocks, free blocks)."""
        total = len(self._medium) // BLOCK_SIZE
        return BLOCK_SIZE, total, max(0, total - self._lfs.fs_size(self._fs))

    def _call(self, function: Any, *args: Any) -> Any:
        try:
            return function(self._fs, *args)
        except Exception as err:
            raise as_oserror(err) from None


class FlashFile:
    """One open file of a Flash."""

    def __init__(self, flash: Flash, path: str, handle: Any, *, writable: bool) -> None:
        self._flash, self.path, self._handle = flash, path, handle
        self._writable = writable

    def read(self, size: int) -> bytes:
        return bytes(self._call("file_read", size))

    def write(self, data: bytes) -> int:
        return int(self._call("file_write", data))

    def seek(self, offset: int, whence: int) -> int:
        return int(self._call("file_seek", offset, whence))

    def size(self) -> int:
        return int(self._call("file_size"))

    def sync(self) -> None:
        self._call("file_sync")

    def close(self) -> None:
        """Write out what is pending and stamp the time; OSError (ENOSPC) when the flash is full."""
        if self._handle is None:
            return
        try:
            self._call("file_close")
        finally:
            self._handle = None
            self._flash._open.discard(self)
        if self._writable:
            stamp = time.time_ns().to_bytes(8, "little")
            try:
                self._flash._lfs.setattr(self._flash._fs, self.path, ATTR_MTIME, stamp)
            except Exception:
                return  # renamed or removed meanwhile, or no room for the stamp: the data are safe

    def abandon(self) -> None:
        """Close without caring for errors."""
        try:
            self.close()
        except OSError:
            return

    def _call(self, name: str, *args: Any) -> Any:
        if self._handle is None:
            raise OSError(EBADF, "closed file")
        try:
            return getattr(self._flash._lfs, name)(self._flash._fs, self._handle, *args)
        except Exception as err:
            raise as_oserror(err) from None


def as_oserror(err: Exception) -> OSError:
    """littlefs-python's error as an OSError; lfs.h's numbers are the negative ones of py/mperrno.h."""
    if isinstance(err, OSError) and err.errno is not None and not hasattr(err, "code"):
        return err
    code = getattr(err, "code", -EIO)
    if code == -EFBIG:  # 27 is WASI's EINTR, at which the VM would try again for ever
        code = -ENOSPC
    return OSError(-code if isinstance(code, int) and code < 0 else EIO, str(err))
