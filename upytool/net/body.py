"""The body of an HTTP answer: unpacked, counted, and complete or an error."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

from .. import limits
from ..errors import NetworkError, PackageError
from ..events import NULL, Reporter, Task
from .address import Address
from .failures import Retry


class Allowance:
    """The bytes that several downloads may bring together, `limits.HTTP_TOTAL_BYTES`; counted while they come."""

    def __init__(self) -> None:
        self._left = limits.HTTP_TOTAL_BYTES
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Count `count` bytes. Raises: PackageError where they are too many."""
        with self._lock:
            self._left -= count
            if self._left < 0:
                raise PackageError("package.too-large-together", limit=limits.HTTP_TOTAL_BYTES)


def read_body(
    url: Address,
    response: Any,
    *,
    limit: int,
    deadline: float,
    seconds: float,
    take: Callable[[int], None],
    reporter: Reporter = NULL,
    label: str = "",
) -> bytes:
    """Read all of an answer with status 200, unpacked.

    Args:
        response: urllib3's, with nothing read yet.
        limit: bytes at the most, as they came and unpacked.
        deadline: of time.monotonic().
        seconds: what the deadline gave, for the message.
        take: is told of the bytes as they come, unpacked; what it raises ends it.
        label: tell the reporter of them, under this name.

    Raises:
        NetworkError, PackageError (too large), Retry (cut off or damaged).
    """
    coding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise NetworkError("network.encoding", url=str(url), coding=coding[:40])
    unpack = None if coding == "identity" else zlib.decompressobj(47 if "gzip" in coding else 15)
    length = (response.headers.get("Content-Length") or "").strip()
    total = int(length) if unpack is None and length.isdecimal() else None
    if total is not None and total > limit:
        raise _too_large(url, limit)
    parts: list[bytes] = []
    size = 0
    with Task(reporter if label else NULL, label, total) as task:
        while True:
            if time.monotonic() > deadline:
                raise NetworkError("network.too-slow", url=str(url), seconds=seconds)
            part = response.read1(65536, decode_content=False)
            if not part:
                break
            if unpack is not None:
                try:
                    # What follows the end mark is read to the end that the server promised, and dropped.
                    part = b"" if unpack.eof else unpack.decompress(part, limit + 1 - size)
                except zlib.error as error:
                    raise Retry(NetworkError("network.damaged", url=str(url), reason=str(error))) from None
            size += len(part)
            if size > limit:
                raise _too_large(url, limit)
            take(len(part))
            parts.append(part)
            task.advance(len(part))
    if unpack is not None and not unpack.eof:
        raise Retry(NetworkError("network.cut", url=str(url)))
    return b"".join(parts)


def _too_large(url: Address, limit: int) -> PackageError:
    return PackageError("package.too-large", url=str(url), limit=limit)
