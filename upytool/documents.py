"""Reads JSON, TOML and text that come from outside: one tolerant reader per kind, with limits.

Tolerant of what editors do (a byte order mark, any line ends); strict about what would hurt later: bytes that
are not UTF-8, nesting, numbers that overflow, lone surrogates, sizes. Whatever is wrong ends in one error of
the class that the caller names, never in an exception of the parser's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any, NoReturn

from . import limits
from .errors import ConfigError, UpytoolError

ErrorClass = type[UpytoolError]


def read_bytes(path: str | os.PathLike[str], *, error: ErrorClass = ConfigError, limit: int = 0) -> bytes:
    """Read a regular file.

    Args:
        path: the file; a directory, FIFO, socket or device is refused before it is opened for good.
        error: the class to raise.
        limit: bytes at the most; 0 stands for `limits.DOCUMENT_BYTES`.

    Raises:
        error: the file cannot be read, is not a regular file, or is larger than `limit`.
    """
    limit = limit or limits.DOCUMENT_BYTES
    name = os.fspath(path)
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes to would wait for a writer.
        handle = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                directory = stat.S_ISDIR(found.st_mode)
                raise error("document.is-a-directory" if directory else "document.not-a-file", name=name)
            # A size is known before a byte is read; a file of /proc has none, and one may grow meanwhile.
            data = file.read(limit + 1) if found.st_size <= limit else None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise error("document.cannot-read", name=name, reason=reason[:1].lower() + reason[1:]) from None
    if data is None or len(data) > limit:
        raise error("document.too-large", name=name, limit=limit)
    return data


def is_pipe(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a FIFO or pipe, as the shell's `<(command)` is."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def read_pipe(
    path: str | os.PathLike[str],
    *,
    error: ErrorClass = ConfigError,
    limit: int = 0,
    tell: Callable[[str], object] = lambda _: None,
) -> bytes:
    """Read a pipe to its end, as long as whoever writes it takes. For one that the user named himself.

    Args:
        path: of the pipe; anything else is refused.
        error: the class to raise.
        limit: bytes at the most; 0 stands for `limits.DOCUMENT_BYTES`.
        tell: is told once, after a second, what is waited for.

    Raises:
        error: it cannot be read, is not a pipe, or more comes than `limit`.
    """
    import select

    limit = limit or limits.DOCUMENT_BYTES
    name, data = os.fspath(path), bytearray()
    try:
        # Without O_NONBLOCK the wait for a writer could not be told of.
        handle = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(handle, "rb", buffering=0) as file:
            if not stat.S_ISFIFO(os.fstat(handle).st_mode):
                raise error("document.not-a-pipe", name=name)
            while len(data) <= limit:
                if not select.select([handle], (), (), 1.0)[0]:
                    tell(f"waiting for {name} (Ctrl-C to stop)")
                    select.select([handle], (), ())
                part = file.read(65536)
                if part is not None:
                    data += part
                    if not part:
                        return bytes(data)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise error("document.cannot-read", name=name, reason=reason[:1].lower() + reason[1:]) from None
    raise error("document.too-large", name=name, limit=limit)


def decode(data: bytes, name: str, *, error: ErrorClass = ConfigError) -> str:
    """Return `data` as text: UTF-8, without a byte order mark, lines ended by a newline alone."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error("document.not-utf8", name=name, offset=problem.start) from None
    return text.replace("\r\n", "\n")


def read_text(path: str | os.PathLike[str], *, error: ErrorClass = ConfigError) -> str:
    """Read a text file; see `read_bytes` and `decode`."""
    return decode(read_bytes(path, error=error), os.fspath(path), error=error)


def parse_json(data: bytes | str, name: str, *, error: ErrorClass = ConfigError, surrogates: bool = False) -> Any:
    """Parse JSON.

    Args:
        data: the document.
        name: what the user knows it by, for the message.
        error: the class to raise.
        surrogates: whether strings may hold lone surrogates, as names of a board's files do that are not UTF-8.

    Returns:
        The document, its numbers finite, its strings free of lone surrogates.
    """
    import json

    text = _text(data, name, error)

    def constant(word: str) -> NoReturn:
        raise ValueError(f"{word} is not a JSON value")

    try:
        value = json.loads(text, parse_constant=constant)
    except (ValueError, RecursionError, MemoryError) as problem:
        raise error("document.not-json", name=name, reason=_reason(problem)) from None
    _check(value, name, error, surrogates)
    return value


def parse_toml(data: bytes | str, name: str, *, error: ErrorClass = ConfigError) -> dict[str, Any]:
    """Parse TOML; arguments and promises as in `parse_json`."""
    import tomllib

    text = _text(data, name, error)
    try:
        value = tomllib.loads(text)
    except (ValueError, RecursionError, MemoryError) as problem:
        raise error("document.not-toml", name=name, reason=_reason(problem)) from None
    _check(value, name, error)
    return value


def read_json(path: str | os.PathLike[str], *, error: ErrorClass = ConfigError) -> Any:
    """Read and parse a JSON file."""
    return parse_json(read_bytes(path, error=error), os.fspath(path), error=error)


def read_toml(path: str | os.PathLike[str], *, error: ErrorClass = ConfigError) -> dict[str, Any]:
    """Read and parse a TOML file."""
    return parse_toml(read_bytes(path, error=error), os.fspath(path), error=error)


def _text(data: bytes | str, name: str, error: ErrorClass) -> str:
    if len(data) > limits.DOCUMENT_BYTES:
        raise error("document.too-large", name=name, limit=limits.DOCUMENT_BYTES)
    return data.removeprefix("\ufeff") if isinstance(data, str) else decode(data, name, error=error)


def _reason(problem: BaseException) -> str:
    if isinstance(problem, (RecursionError, MemoryError)):
        return "too deeply nested"
    return str(problem)


def _check(document: object, name: str, error: ErrorClass, surrogates: bool = False) -> None:
    """Raise `error` where a value is too deep, too large or cannot be written down again."""
    seen = 0
    level: list[object] = [document]
    for _ in range(limits.DOCUMENT_DEPTH + 1):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below += value
                below += value.values()
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str):
                if not surrogates and not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
                    raise error("document.not-unicode", name=name)
            elif isinstance(value, float):
                if value - value != 0:
                    raise error("document.not-finite", name=name)
            elif isinstance(value, int) and value.bit_length() > limits.DOCUMENT_INTEGER_BITS:
                raise error("document.out-of-range", name=name)
        seen += len(level)
        if seen > limits.DOCUMENT_VALUES:
            raise error("document.too-many-values", name=name, limit=limits.DOCUMENT_VALUES)
        if not below:
            return
        level = below
    raise error("document.too-deep", name=name, limit=limits.DOCUMENT_DEPTH)
