"""What a real board said, replayed in every cutting: no operation may care where a read ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.device.boards import board_device
from upytool.device import program
from upytool.device.fs_ops import FsOps
from upytool.device.local import CallSink
from upytool.device.session import Session
from upytool.protocol.ops import Op, Pause, Recv, Send, Work

CONTENT = b"print('hello')\n" * 30 + bytes(range(256))


class Recorder:
    """A transport that notes what came, and how much had been sent by then."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.sent = 0
        self.heard: list[tuple[int, bytes]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def read(self, timeout: float | None) -> bytes:
        data: bytes = self._transport.read(timeout)
        if data:
            self.heard.append((self.sent, data))
        return data

    def write(self, data: bytes) -> None:
        self.sent += len(data)
        self._transport.write(data)


def work(session: Session) -> Op[tuple[bytes, str, list[str]]]:
    """One of everything."""
    fs = FsOps(session)
    parts: list[bytes] = []
    yield from fs.store("/f.py", CONTENT)
    yield from fs.fetch("/f.py", CallSink(parts.append))
    text = yield from session.eval("6 * 7")
    entries = yield from fs.ls("/")
    return b"".join(parts), text, [entry.name for entry in entries]


@pytest.fixture(scope="module", autouse=True)
def one_mark() -> Iterator[None]:
    """The mark at a program's end is random; what is replayed knows the recorded one alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "_new_mark", lambda: "\x1c\x1d\x1e\x1f" * 6)
        yield


@pytest.fixture(scope="module")
def transcript() -> list[tuple[int, bytes]]:
    with board_device() as device:
        recorder = Recorder(device.transport)
        device.transport = recorder
        assert device.drive(work(device.session)) == (CONTENT, "42", ["f.py"])
        return recorder.heard


def replay(op: Op[Any], heard: list[tuple[int, bytes]], cuts: list[int]) -> Any:
    """Run `op` on the transcript: bytes become readable when all that caused them was sent, `cuts` bytes at a time."""
    sent, at, now, turn = 0, 0, 0.0, 0
    stream = b"".join(data for _, data in heard)
    causes, total = [], 0
    for cause, data in heard:
        total += len(data)
        causes.append((cause, total))
    answer: Any = None
    idle = 0
    while True:
        try:
            request = op.send(answer)
        except StopIteration as done:
            return done.value
        match request:
            case Send(data):
                sent += len(data)
                answer = now
            case Recv(timeout):
                ready = max((end for cause, end in causes if cause <= sent), default=0)
                size = cuts[turn % len(cuts)]
                turn += 1
                data = stream[at : min(ready, at + size)]
                at += len(data)
                if not data:
                    now += timeout or 0.0
                    idle += bool(timeout)
                    assert idle < 60, "the replay got stuck"
                answer = (data, now)
            case Pause(seconds):
                now += seconds
                answer = now
            case Work(call):
                answer = call()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 40) | st.just(1 << 16), min_size=1, max_size=12))
def test_any_chunking(transcript: list[tuple[int, bytes]], cuts: list[int]) -> None:
    assert replay(work(Session()), transcript, cuts) == (CONTENT, "42", ["f.py"])


def test_single_bytes(transcript: list[tuple[int, bytes]]) -> None:
    assert replay(work(Session()), transcript, [1]) == (CONTENT, "42", ["f.py"])
