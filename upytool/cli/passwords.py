"""New passwords: typed twice, from a variable, or from stdin; never from the command line."""

from __future__ import annotations

import os
import sys

from ..errors import UsageError
from ..words import Said
from .app import App

LINE_BYTES = 1024


def new_password(app: App, name: str, *, variable: str = "", given: str | None = None, twice: bool = True) -> str:
    """A password that is about to be stored.

    Args:
        name: what it is for, in a question.
        variable: an environment variable that may hold it.
        given: a line of stdin.
        twice: nothing else tells whether it was typed right.

    Raises:
        UsageError: the two that were typed differ, or nobody can be asked.
    """
    if given is not None:
        return given
    if variable and os.environ.get(variable):
        return os.environ[variable]
    typed = app.ask_password(f"{name}: ")
    if typed is None:
        raise UsageError(
            "usage.password-required",
            name=name,
            hint=Said("cli.password-variable", variable=variable) if variable else Said("cli.password-stdin"),
        )
    if twice and app.ask_password("The same again: ") != typed:
        raise UsageError("usage.passwords-differ")
    return typed


def password_lines(wanted: bool, count: int) -> list[str | None]:
    """The first `count` lines of stdin where they are wanted, without their ends; None for each that is not there."""
    lines: list[str | None] = [None] * count
    if not wanted:
        return lines
    stream = sys.stdin
    if stream is None or stream.isatty():
        raise UsageError("usage.password-stdin")
    for number in range(count):
        data = stream.buffer.readline(LINE_BYTES)
        if not data:
            break
        try:
            lines[number] = data.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise UsageError("usage.password-encoding") from None
    return lines
