"""A bootloader's drive as this system has mounted it: looking into it, reading from it, copying a file to it.

A drive whose device is stuck keeps every call on it waiting, for ever, and no signal ends that. So each step runs in
a thread of its own, which is waited for just so long; where it does not end, it is left behind (it does not keep the
program from ending), and the drive is left alone until it does.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ..errors import LocalFileError
from ..words import Said
from .uf2_drive import DriveInfo

T = TypeVar("T")
INFO, DETAILS = "INFO_UF2.TXT", "DETAILS.TXT"
CHUNK, SYNC = 16 << 10, 128 << 10
LOOK_LIMIT = 5.0  # seconds for a directory, or a small file
STEP_LIMIT = 60.0  # for SYNC bytes: 2 kB/s, a tenth of what the slowest bootloaders program
READ_LIMIT = 120.0  # for a whole CURRENT.UF2
_stuck: dict[str, threading.Thread] = {}


class DriveStuck(LocalFileError):
    """A drive that does not answer."""


def within(seconds: float, path: str, work: Callable[[], T]) -> T:
    """What `work` returns or raises.

    Args:
        path: what it works on.

    Raises: DriveStuck when it takes longer, or when an earlier step on this path has not ended yet.
    """
    if (held := _stuck.get(path)) is not None:
        if held.is_alive():
            raise _no_answer(path)
        _stuck.pop(path, None)
    answer: queue.SimpleQueue[tuple[Callable[[], T], None] | tuple[None, BaseException]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done = work()
            answer.put((lambda: done, None))
        except BaseException as error:
            answer.put((None, error))

    thread = threading.Thread(target=run, name=f"upytool {path}", daemon=True)
    thread.start()
    try:
        result, error = answer.get(timeout=seconds)
    except queue.Empty:
        _stuck[path] = thread
        raise _no_answer(path) from None
    if result is None:
        assert error is not None
        raise error
    return result()


def _no_answer(path: str) -> DriveStuck:
    return DriveStuck("local-file.drive-stuck", path=path)


@dataclass(frozen=True)
class MountedVolume:
    """A drive that this system has mounted (the Volume of uf2_drive).

    Attributes:
        device: its block device, "" where the system has none; it tells whether the drive is still there.
    """

    path: str
    info: DriveInfo
    label: str = ""
    location: str = ""
    has_current: bool = False
    device: str = ""
    identity: tuple[int, int] = field(default=(0, 0), compare=False)

    def present(self) -> bool:
        if self.device:
            # The mount point of a drive that is gone stays for a while; its node does not.
            return identity_of(self.device) == self.identity and self.identity != (0, 0)
        with contextlib.suppress(OSError, DriveStuck):
            names = within(LOOK_LIMIT, self.path, lambda: os.listdir(self.path))
            return any(name.upper() in (INFO, DETAILS) for name in names)
        return False

    def send(self, name: str, data: bytes, advance: Callable[[int], None]) -> int:
        # Neither shutil.copy nor copy2: their copying of modes and attributes fails on these drives though the
        # firmware is through (pico-sdk#1081, tinyuf2#383).
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        try:
            handle = within(STEP_LIMIT, self.path, lambda: os.open(os.path.join(self.path, name), flags, 0o644))
        except OSError as error:
            raise LocalFileError(
                "local-file.drive-cannot-create", name=name, reason=_reason(error), hint=_refused_hint(self.path, error)
            ) from error
        through = 0  # bytes that the device has, not only the system's cache

        def step(begin: int, end: int) -> None:
            at = begin
            while at < end:
                at += os.write(handle, data[at : min(at + CHUNK, end)])
            with contextlib.suppress(OSError) if end == len(data) else contextlib.nullcontext():
                # The last one may find the drive gone: the bootloader has all blocks and restarts.
                os.fsync(handle)

        try:
            while through < len(data):
                begin, end = through, min(through + SYNC, len(data))
                within(STEP_LIMIT, self.path, lambda begin=begin, end=end: step(begin, end))  # type: ignore[misc]
                advance(end - begin)
                through = end
        except OSError:
            return through
        finally:
            with contextlib.suppress(OSError, DriveStuck):
                within(STEP_LIMIT, self.path, lambda: os.close(handle))
        return through

    def read(self, name: str, limit: int) -> bytes:
        path = os.path.join(self.path, name)
        try:
            data = within(READ_LIMIT, self.path, lambda: beginning(path, limit + 1))
        except OSError as error:
            raise LocalFileError("local-file.drive-cannot-read", path=path, reason=_reason(error)) from error
        if len(data) > limit:
            raise LocalFileError("local-file.drive-file-too-large", path=path, limit=limit)
        return data


def beginning(path: str, size: int) -> bytes:
    """The first bytes of a file. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(size)


def identity_of(device: str) -> tuple[int, int]:
    """What tells a device node from a later one of the same name; (0, 0) where there is none."""
    try:
        status = os.stat(device)
    except OSError:
        return (0, 0)
    return (status.st_ino or 1, status.st_rdev)


def _reason(error: OSError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def _refused_hint(path: str, error: OSError) -> str | Said:
    if error.errno == errno.EROFS:
        return Said("flash.hint.drive-read-only", path=path)
    if error.errno in (errno.EACCES, errno.EPERM):
        return Said("flash.hint.drive-of-another", path=path)
    return ""
