"""A transport that allows fewer bytes on the way to the board than raw paste does (BLE, WebREPL)."""

from __future__ import annotations

import pytest

from upytool.device.device import Device
from upytool.device.session import Session
from upytool.device.stream import Server
from upytool.protocol.transfer import encode_frame
from upytool.testing import ModelBoard, ModelTransport, ScriptDriver
from upytool.transport.threaded import ThreadedTransport


class Narrow(ModelTransport):
    """A model of a pipe to a board with a small input buffer; `writes` are the sizes of what goes down."""

    in_flight = 100

    def __init__(self, board: ModelBoard) -> None:
        super().__init__(board)
        self.writes: list[int] = []

    def write(self, data: bytes) -> None:
        self.writes.append(len(data))
        super().write(data)


@pytest.mark.parametrize(
    ("paste", "in_flight", "expected"),
    [(0, None, 0), (128, None, 256), (128, 100, 100), (32, 100, 64), (0, 100, 100), (128, 1000, 256)],
)
def test_the_smaller_of_what_paste_and_the_transport_allow(paste: int, in_flight: int | None, expected: int) -> None:
    session = Session()
    session.repl.window, session.in_flight = paste, in_flight
    assert session.window == expected


def test_a_device_takes_it_from_its_transport() -> None:
    device = Device(Narrow(ModelBoard()))
    assert device.session.in_flight == 100
    assert Device(ModelTransport(ModelBoard())).session.in_flight is None


def test_asyncio_takes_it_too() -> None:
    inner = Narrow(ModelBoard())
    session = Session()
    session.attach(ThreadedTransport(inner))
    assert session.in_flight == 100
    plain = Session()
    plain.attach(ThreadedTransport(ModelTransport(ModelBoard())))
    assert plain.in_flight is None


def test_plain_raw_mode_sends_no_more_at_once() -> None:
    transport = Narrow(ModelBoard(lambda source: (b"", b""), paste=False))
    Device(transport).exec("x = 1\n" * 100)
    assert max(transport.writes) <= 100


@pytest.mark.parametrize(("size", "pasted"), [(99, False), (100, True)])
def test_a_short_program_goes_at_once_where_all_of_it_fits(size: int, pasted: bool) -> None:
    transport = Narrow(ModelBoard())
    device = Device(transport)
    device.drive(device.session.ready())
    device.drive(device.session.repl.start(b"#" * size, short=True))
    assert device.session.repl.paste is (True if pasted else None)
    assert pasted or transport.writes[-1] == size + 1


def test_the_frames_of_a_transfer_fit() -> None:
    session = Session()
    session.in_flight = 100
    session.repl.window = 128
    from upytool.device.retry import Capabilities

    server = Server(session, Capabilities())
    server.link.window_of(session.window)
    sent: list[bytes] = []

    def feed(data: bytes) -> list[bytes]:
        sent.append(data)
        return [b"\x06" * 2]

    ScriptDriver(feed).run(server.link.write(bytes(range(200)) * 20, flush=True))
    assert sum(map(len, sent)) > 4000
    # Two frames are in flight at most: one is worked on while the other arrives.
    assert max(map(len, sent)) < 100
    assert len(encode_frame(bytes(45), 0)) * 2 < 100
