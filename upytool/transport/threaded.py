"""An asyncio face for a blocking Transport: its waits run in a thread of their own."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from .base import Transport, Windowed

SLICE = 0.25


class ThreadedTransport:
    """An AsyncTransport over a Transport.

    A read is waited for in slices of 0.25 s, so that a cancelled task leaves no thread behind for longer.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.name = transport.name
        self.interrupts = transport.interrupts
        self.survives_reset = transport.survives_reset
        if isinstance(transport, Windowed):
            self.in_flight = transport.in_flight
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="upytool-io")

    async def read(self, timeout: float | None) -> bytes:
        import asyncio

        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = SLICE if deadline is None else min(SLICE, max(0.0, deadline - time.monotonic()))
            data = await loop.run_in_executor(self._pool, self.transport.read, left)
            if data or (deadline is not None and time.monotonic() >= deadline):
                return data

    async def write(self, data: bytes) -> None:
        import asyncio

        await asyncio.get_running_loop().run_in_executor(self._pool, self.transport.write, data)

    async def close(self) -> None:
        import asyncio

        await asyncio.get_running_loop().run_in_executor(self._pool, self.transport.close)
        self._pool.shutdown(wait=False)
