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
_kept: dict[int, tuple[object, Any]] = {}


class _Turn:
    """Whose turn it is on one transport."""

    def __init__(self) -> None:
        self.lock: Any = None  # a threading.Lock, or an asyncio.Lock
        self.owner: object = None

    def refuse(self, me: object) -> None:
        if self.owner == me:
            raise UsageError("usage.connection-in-use")


def _turn_of(transport: object) -> _Turn:
    with _making:
        turn: _Turn | None = getattr(transport, _NAME, None) or _kept.get(id(transport), (None, None))[1]
        if turn is None:
            turn = _Turn()
            try:
                setattr(transport, _NAME, turn)
            except AttributeError:  # one of a plug-in, with slots; kept alive, so that its id stays its own
                _kept[id(transport)] = (transport, turn)
        return turn


def in_use(transport: object) -> bool:
    """Whether an operation is on `transport` just now, which may be the caller's own."""
    return _turn_of(transport).owner is not None


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
