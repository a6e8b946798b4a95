"""An asyncio face for a blocking Transport: its waits run in a thread of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .base import FileChannel, Reconnecting, Transport

if TYPE_CHECKING:
    from asyncio import Future

T = TypeVar("T")
SLICE = 0.25


class ThreadedTransport:
    """An AsyncTransport over a Transport.

    A read is waited for in slices of 0.25 s, so that a cancelled task leaves no thread behind for longer.
    """

    def __init__(self, transport: Transport) -> None:
        # Reads that a cancelled task has left: what they bring belongs to the next one.
        self._left: dict[Callable[[float | None], bytes], Future[bytes]] = {}
        self.blocking = transport
        self.name = transport.name
        self.interrupts = transport.interrupts
        self.survives_reset = transport.survives_reset
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="upytool-io")

    async def read(self, timeout: float | None) -> bytes:
        return await self._read(self.blocking.read, timeout)

    async def write(self, data: bytes) -> None:
        await self._work(self.blocking.write, data)

    async def read_frame(self, timeout: float | None) -> bytes:
        return await self._read(cast(FileChannel, self.blocking).read_frame, timeout)

    async def write_frame(self, data: bytes) -> None:
        await self._work(cast(FileChannel, self.blocking).write_frame, data)

    async def reconnect(self) -> None:
        await self._work(cast(Reconnecting, self.blocking).reconnect)

    async def _read(self, read: Callable[[float | None], bytes], timeout: float | None) -> bytes:
        import asyncio

        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = SLICE if deadline is None else min(SLICE, max(0.0, deadline - time.monotonic()))
            work = self._left.pop(read, None)
            if work is None:
                work = asyncio.get_running_loop().run_in_executor(self._pool, read, left)
            try:
                data = await asyncio.shield(work)
            except asyncio.CancelledError:
                if not work.done() or not work.exception():
                    self._left[read] = work
                raise
            if data or (deadline is not None and time.monotonic() >= deadline):
                return data

    async def _work(self, work: Callable[..., T], *args: Any) -> T:
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)

    async def close(self) -> None:
        await self._work(self.blocking.close)
        self._pool.shutdown(wait=False)
