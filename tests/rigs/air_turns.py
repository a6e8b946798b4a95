"""Round trips of upytool over WebREPL, counted where it talks: a turn is a write after something that was read.

with counted() as talk:
    ...
talk.turns, talk.typed
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from upytool.transport.webrepl import WebReplTransport


@dataclass
class Talk:
    """What was said in all connections since.

    Attributes:
        turns: from login to the end, what is typed and what goes over the file channel alike.
        typed: bytes of each write to the terminal.
    """

    turns: int = 0
    typed: list[int] = field(default_factory=list)
    heard: bool = True


@contextmanager
def counted() -> Iterator[Talk]:
    """Count in this process, until the end of the block."""
    talk = Talk()
    kept = {name: vars(WebReplTransport)[name] for name in ("read", "write", "read_frame", "write_frame", "_open")}

    def reading(name: str) -> object:
        def read(transport: WebReplTransport, timeout: float | None) -> bytes:
            data: bytes = kept[name](transport, timeout)
            talk.heard = talk.heard or bool(data)
            return data

        return read

    def writing(name: str) -> object:
        def write(transport: WebReplTransport, data: bytes) -> None:
            talk.turns += talk.heard
            talk.heard = False
            if name == "write":
                talk.typed.append(len(data))
            kept[name](transport, data)

        return write

    def open_(transport: WebReplTransport, *args: float) -> None:
        before = talk.turns
        kept["_open"](transport, *args)
        talk.turns, talk.heard = before, True

    for name in kept:
        new = open_ if name == "_open" else (reading if name.startswith("read") else writing)(name)
        setattr(WebReplTransport, name, new)
    try:
        yield talk
    finally:
        for name, value in kept.items():
            setattr(WebReplTransport, name, value)
