"""An asyncio loop in a thread of its own, for libraries that know nothing else."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

SLICE = 0.2  # seconds of a wait at once: on Windows a Ctrl-C is noticed between two of them
GRACE = 3.0  # seconds that broken-off work gets to tidy up


class LoopThread:
    """A running loop. `close` ends it; the thread never keeps the process alive."""

    def __init__(self, name: str) -> None:
        import asyncio

        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    def _main(self) -> None:
        import asyncio

        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        # What is still under way is broken off and gets the time to tidy up; and so what it starts at its end.
        until = time.monotonic() + GRACE
        with contextlib.suppress(Exception):
            while (tasks := asyncio.all_tasks(self._loop)) and (left := until - time.monotonic()) > 0:
                for task in tasks:
                    task.cancel()
                self._loop.run_until_complete(asyncio.wait(tasks, timeout=left))
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T], limit: float, tell: Callable[[float], object] | None = None) -> T:
        """The result of `work`, which is broken off after `limit` seconds or by Ctrl-C.

        Args:
            tell: is called once a second with the seconds that have passed.

        Raises:
            TimeoutError; whatever `work` raises.
        """
        import asyncio

        future = asyncio.run_coroutine_threadsafe(_within(work, limit), self._loop)
        begun, told = time.monotonic(), 0
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    return future.result(SLICE)
                if future.done():
                    return future.result()
                passed = time.monotonic() - begun
                if passed > limit + GRACE:  # it does not let itself be broken off
                    raise TimeoutError
                if tell is not None and int(passed) > told:
                    told = int(passed)
                    tell(passed)
        finally:
            future.cancel()

    def close(self) -> None:
        """End the loop and what runs in it; never raises, and waits `GRACE` seconds at most."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread is not threading.current_thread():
            self._thread.join(GRACE + 1)


async def _within(work: Coroutine[Any, Any, T], limit: float) -> T:
    import asyncio

    async with asyncio.timeout(limit):
        return await work
