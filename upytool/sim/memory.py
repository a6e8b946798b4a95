"""The linear memory of the VM, as the host sees it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from struct import pack_into, unpack_from


class Memory:
    """The VM's linear memory as bytes; it may grow, its place stays."""

    def __init__(self) -> None:
        self.address = 0
        self._view = memoryview(b"")
        self._size: Callable[[], int] = lambda: 0

    def attach(self, address: int, size: Callable[[], int]) -> None:
        self.address, self._size = address, size

    def view(self, end: int = 0) -> memoryview:
        """The memory, at least up to `end`."""
        if end >= len(self._view) or not self._view:
            size = self._size()
            self._view = memoryview((ctypes.c_ubyte * size).from_address(self.address)).cast("B")
        return self._view

    def detach(self) -> None:
        """The VM is gone: its memory must not be touched again."""
        self._view = memoryview(b"")
        self._size = lambda: 0

    def text(self, start: int, length: int) -> str:
        return bytes(self.view(start + length)[start : start + length]).decode("utf-8", "replace")

    def vectors(self, pointer: int, count: int) -> list[tuple[int, int]]:
        view = self.view(pointer + 8 * count)
        return [unpack_from("<II", view, pointer + 8 * i) for i in range(count)]

    def put(self, start: int, data: bytes) -> None:
        self.view(start + len(data))[start : start + len(data)] = data

    def pack(self, layout: str, start: int, *values: int) -> None:
        pack_into(layout, self.view(start + 64), start, *values)
