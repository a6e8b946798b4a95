"""What a request may take, told to all that has a part in it: net.wire holds it to that."""

from __future__ import annotations

import threading

from .. import limits


class Budget(threading.local):
    """What the request of this thread may take: until when (time.monotonic), bytes of body as they come, and what
    ends it before, when another thread gives all of them up."""

    deadline = float("inf")
    bytes = limits.DOCUMENT_BYTES
    stop = threading.Event()


BUDGET = Budget()


class TooMuch(OSError):
    """An answer went on for longer, or with more bytes, than it may; its one argument is a `Said`, a clause."""
