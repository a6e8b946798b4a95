"""Waiting for file descriptors.

`select.select` has the least overhead and works for every kind of descriptor, but its table ends at 1,024: a program
with more open files (a lab server, a test runner) gets a ValueError. Beyond it `selectors` takes over.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Sequence
from typing import Protocol

# FD_SETSIZE of glibc and macOS. Windows counts sockets instead of looking at their numbers, and none of ours has 512.
TABLE = 1024


class HasFileno(Protocol):
    def fileno(self) -> int: ...


Descriptor = int | HasFileno


def readable(descriptors: Sequence[Descriptor], timeout: float | None) -> Sequence[Descriptor]:
    """Return those of `descriptors` with something to read, after at most `timeout` seconds (None: no limit).

    Raises:
        OSError, ValueError: one of them is closed.
    """
    if _fit(descriptors):
        return select.select(descriptors, (), (), timeout)[0]
    return _selected(descriptors, timeout, writing=False)


def writable(descriptor: Descriptor, timeout: float | None) -> bool:
    """Return whether `descriptor` takes data, after at most `timeout` seconds. Raises as `readable`."""
    if _fit((descriptor,)):
        return bool(select.select((), (descriptor,), (), timeout)[1])
    return bool(_selected((descriptor,), timeout, writing=True))


def _fit(descriptors: Sequence[Descriptor]) -> bool:
    if sys.platform == "win32":
        return True
    return all((each if isinstance(each, int) else each.fileno()) < TABLE for each in descriptors)


def _selected(descriptors: Sequence[Descriptor], timeout: float | None, *, writing: bool) -> Sequence[Descriptor]:
    import selectors

    with selectors.DefaultSelector() as selector:
        for each in descriptors:
            selector.register(each, selectors.EVENT_WRITE if writing else selectors.EVENT_READ)
        return [key.fileobj for key, _ in selector.select(timeout)]
