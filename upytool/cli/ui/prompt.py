"""Questions. They are asked on stderr, of a person; where there is none, an option must have answered."""

from __future__ import annotations

import os
import sys

from ...errors import UsageError
from .streams import Streams


def may_ask(streams: Streams, no_input: bool) -> bool:
    """Whether a person is there to answer: a terminal at both ends, no --no-input, not a CI machine."""
    return not no_input and streams.in_tty and streams.err_tty and not os.environ.get("CI")


def confirm(question: str, streams: Streams, *, no_input: bool) -> bool:
    """Ask a yes-or-no question; no is the default. Raises UsageError where nobody can answer."""
    if not may_ask(streams, no_input):
        raise UsageError("usage.confirmation-required", question=question)
    streams.err(f"{question} [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def choose(question: str, choices: list[str], streams: Streams, *, no_input: bool) -> int | None:
    """Let the user pick one of a numbered list; None where nobody can answer."""
    if not may_ask(streams, no_input):
        return None
    streams.err(question)
    for number, choice in enumerate(choices, 1):
        streams.err(f"  {number}  {choice}")
    while True:
        streams.err(f"which one? [1-{len(choices)}] ", end="")
        answer = sys.stdin.readline()
        if not answer or not answer.strip():
            return None
        if answer.strip().isdecimal() and len(answer) < 10 and 1 <= int(answer) <= len(choices):
            return int(answer) - 1


def password(question: str, streams: Streams, *, no_input: bool) -> str | None:
    """Let the user type a password, without echo; None where nobody can answer."""
    if not may_ask(streams, no_input):
        return None
    from getpass import getpass

    try:
        return getpass(question)
    except EOFError:
        streams.err("")
        return None
