"""The files on a simulated board's flash, for a second hand beside the board's own: its MicroPython runs in another
thread, and LittleFS is not made for two at once, so every call of either takes a lock."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, cast

from upytool.sim import flash
from upytool.sim.flash import FlashFile
from upytool.sim.wasm import WasmBoard


class _Locked:
    """A module whose functions run one at a time."""

    def __init__(self, module: Any) -> None:
        self._module, self._lock = module, threading.RLock()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if not callable(found):
            return found

        def call(*given: Any, **named: Any) -> Any:
            with self._lock:
                return found(*given, **named)

        return call


class FlashFiles:
    """Opens the board's files as a program on it would."""

    def __init__(self, board: WasmBoard) -> None:
        self._flash = cast("Any", board._flash)
        if not isinstance(self._flash._lfs, _Locked):
            self._flash._lfs = _Locked(self._flash._lfs)

    def open(self, path: str, mode: str) -> FlashFile:
        """The file for mode "rb" or "wb"; a relative path starts at the root.

        Raises: OSError.
        """
        absolute = "/" + path.strip("/")
        flags = flash.O_WRONLY | flash.O_CREAT | flash.O_TRUNC if mode == "wb" else flash.O_RDONLY
        opened: FlashFile = self._flash.open(absolute, flags)
        return opened

    def read(self, path: str) -> bytes:
        """All of a file, at one moment. Raises: OSError."""
        with self._flash._lfs._lock:
            file = self.open(path, "rb")
            try:
                return file.read(file.size())
            finally:
                file.close()

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in the place of what has it. Raises: OSError."""
        self._flash.rename(old, new)

    def tree(self, path: str) -> dict[str, bytes]:
        """All files below a directory, at one moment; none where there is no such directory."""
        found: dict[str, bytes] = {}
        with self._flash._lfs._lock, contextlib.suppress(FileNotFoundError):
            for name, kind, _ in self._flash.listdir(path):
                inner = f"{path.rstrip('/')}/{name}"
                found |= self.tree(inner) if kind == flash.TYPE_DIR else {inner: self.read(inner)}
        return found
