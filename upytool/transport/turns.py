"""One operation at a time on a connection.

An operation reads what the one before it asked for, so two at once would take each other's bytes. Threads, and asyncio
tasks, take turns instead (as psycopg's connections do). Whoever calls back in from within an operation, a reporter for
instance, would wait for itself: that is an error.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from ..errors import UsageError

_NAME = "_upytool_turn"
_making = threading.Lock()


class _Turn:
    """Whose turn it is on one transport."""

    def __init__(self) -> None:
        self.lock: Any = None  # a threading.Lock, or an asyncio.Lock
        self.owner: object = None

    def refuse(self, me: object) -> None:
        if self.owner == me:
            raise UsageError(
                "the connection is in use by the operation that is calling back",
                hint="start another operation after this one has ended",
            )


def _turn_of(transport: object) -> _Turn:
    with _making:
        turn = getattr(transport, _NAME, None)
        if turn is None:
            turn = _Turn()
            setattr(transport, _NAME, turn)
        return turn


@contextlib.contextmanager
def turn(transport: object) -> Iterator[None]:
    """Wait for this thread's turn on `transport`, and keep it. Raises: UsageError from within an operation."""
    mine, me = _turn_of(transport), threading.get_ident()
    mine.refuse(me)
    if mine.lock is None:
        with _making:
            mine.lock = mine.lock or threading.Lock()
    with mine.lock:
        mine.owner = me
        try:
            yield
        finally:
            mine.owner = None


@contextlib.asynccontextmanager
async def turn_async(transport: object) -> AsyncIterator[None]:
    """The same for asyncio tasks."""
    import asyncio

    mine, me = _turn_of(transport), asyncio.current_task()
    mine.refuse(me)
    if mine.lock is None:
        mine.lock = asyncio.Lock()
    async with mine.lock:
        mine.owner = me
        try:
            yield
        finally:
            mine.owner = None
