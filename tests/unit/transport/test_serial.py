"""SerialTransport over real pseudo terminals."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import threading
import time
from typing import Any

import pytest

from upytool.errors import ConnectionLostError, PortMissingError, PortUnusableError
from upytool.transport.base import BaudRate, ModemLines, Transport
from upytool.transport.serial import Lines, SerialTransport

from .conftest import Pair


def test_it_is_a_transport_with_lines_and_a_rate(pair: Pair) -> None:
    transport = SerialTransport(pair.path)
    try:
        assert isinstance(transport, Transport)
        assert isinstance(transport, ModemLines)
        assert isinstance(transport, BaudRate)
        assert transport.name == pair.path
        assert transport.fileno() is not None
    finally:
        transport.close()
    transport.close()


def test_bytes_pass_unchanged_both_ways(pair: Pair) -> None:
    every = bytes(range(256))
    transport = SerialTransport(pair.path)
    try:
        transport.write(every)
        time.sleep(0.05)
        assert os.read(pair.master, 1000) == every
        os.write(pair.master, every)
        assert transport.read(1.0) == every
    finally:
        transport.close()


def test_a_read_waits_no_longer_than_told(pair: Pair) -> None:
    transport = SerialTransport(pair.path)
    try:
        start = time.monotonic()
        assert transport.read(0) == b""
        assert transport.read(0.2) == b""
        assert 0.18 < time.monotonic() - start < 60
    finally:
        transport.close()


def test_a_read_returns_what_is_there_at_once(pair: Pair) -> None:
    transport = SerialTransport(pair.path)
    timer = threading.Timer(0.1, os.write, (pair.master, b"hello"))
    timer.start()
    try:
        assert transport.read(None) == b"hello"
    finally:
        timer.join()
        transport.close()


def test_a_large_write_arrives_whole(pair: Pair) -> None:
    data = os.urandom(200_000)
    got = bytearray()

    def drain() -> None:
        os.set_blocking(pair.master, True)
        while len(got) < len(data):
            got.extend(os.read(pair.master, 65536))

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    transport = SerialTransport(pair.path)
    try:
        transport.write(data)
        reader.join(60)
    finally:
        transport.close()
    assert bytes(got) == data


def test_a_write_that_nobody_takes_ends(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upytool.transport.serial.WRITE_TIMEOUT", 0.3)
    transport = SerialTransport(pair.path)
    try:
        with pytest.raises(ConnectionLostError) as caught:
            transport.write(bytes(1 << 20))
        assert caught.value.code == "transport.lost.write-timeout-serial"
    finally:
        transport.close()


def test_a_port_that_goes_away_is_a_lost_connection(pair: Pair) -> None:
    transport = SerialTransport(pair.path)
    try:
        os.close(pair.master)
        pair.master = -1
        with pytest.raises(ConnectionLostError) as caught:
            transport.read(1.0)
        assert caught.value.code == "transport.lost.serial"
        with pytest.raises(ConnectionLostError) as caught:
            transport.write(b"x")
        assert caught.value.code == "transport.lost.serial"
    finally:
        transport.close()


def test_a_closed_transport_says_so_instead_of_crashing(pair: Pair) -> None:
    transport = SerialTransport(pair.path)
    transport.close()
    with pytest.raises(ConnectionLostError):
        transport.write(b"x")
    with pytest.raises(ConnectionLostError):
        transport.read(0.1)


def test_the_rate_can_be_changed_while_open(pair: Pair) -> None:
    transport = SerialTransport(pair.path, baud=115200)
    try:
        assert transport.baud == 115200
        transport.set_baud(460800)
        assert transport.baud == 460800
        assert termios.tcgetattr(pair.master)[5] == termios.B460800
    finally:
        transport.close()


def test_lines_on_a_pty_are_silently_nothing(pair: Pair) -> None:
    for lines in (Lines(), Lines(False, False), Lines(True, False), Lines(True, True, staged=True)):
        transport = SerialTransport(pair.path, lines=lines)
        transport.set_lines(dtr=True, rts=False)
        transport.close()


class _Watched:
    """Records the modem-line requests of a transport: a pty takes none, so the request is what is seen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[tuple[str, str]] = []
        real = fcntl.ioctl
        names = {termios.TIOCMBIS: "on", termios.TIOCMBIC: "off"}
        bits = {termios.TIOCM_DTR: "dtr", termios.TIOCM_RTS: "rts"}
        bits[termios.TIOCM_DTR | termios.TIOCM_RTS] = "both"

        def ioctl(fd: int, request: int, *args: Any) -> Any:
            if request in names:
                self.seen.append((bits[struct.unpack("i", args[0])[0]], names[request]))
                return 0
            return real(fd, request, *args)

        monkeypatch.setattr(fcntl, "ioctl", ioctl)


def _rts_alone(seen: list[tuple[str, str]]) -> bool:
    """Whether a sequence of requests passes through RTS on, DTR off (an Espressif board in reset)."""
    dtr = rts = True  # the system raises both when it opens a port
    for line, how in seen:
        if line in ("dtr", "both"):
            dtr = how == "on"
        if line in ("rts", "both"):
            rts = how == "on"
        if rts and not dtr:
            return True
    return False


def test_both_lines_off_are_dropped_in_one_request(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = _Watched(monkeypatch)
    transport = SerialTransport(pair.path, lines=Lines(dtr=False, rts=False))
    assert watched.seen[-1] == ("both", "off")
    assert not _rts_alone(watched.seen)
    transport.close()
    assert not _rts_alone(watched.seen)


def test_the_default_never_has_rts_alone(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = _Watched(monkeypatch)
    SerialTransport(pair.path, lines=Lines()).close()
    assert not _rts_alone(watched.seen)


def test_staged_lines_rise_dtr_first_and_fall_rts_first(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = _Watched(monkeypatch)
    transport = SerialTransport(pair.path, lines=Lines(dtr=True, rts=True, staged=True))
    opened = len(watched.seen)
    transport.close()
    assert watched.seen[opened:] == [("rts", "off"), ("dtr", "off")]


def test_a_url_of_pyserial_works() -> None:
    transport = SerialTransport("loop://")
    try:
        transport.write(b"round")
        assert transport.read(1.0) == b"round"
        assert transport.read(0.05) == b""
        assert transport.fileno() is None
    finally:
        transport.close()


@pytest.mark.parametrize("step", ["tcsetattr", "tcflush"])
def test_a_port_that_vanishes_while_it_opens(pair: Pair, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def gone(*_: object) -> None:
        raise termios.error(5, "Input/output error")

    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    monkeypatch.setattr(termios, step, gone)
    with pytest.raises(PortUnusableError, match="nput/output error"):
        SerialTransport(pair.path)
    if before:
        assert len(os.listdir("/proc/self/fd")) == len(before), "nothing stays open"


def test_a_port_that_vanishes_right_after_it_opened(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = termios.tcsetattr, []

    def gone(*words: Any) -> None:
        calls.append(words)
        if len(calls) > 1:
            raise termios.error(6, "No such device or address")
        real(*words)

    monkeypatch.setattr(termios, "tcsetattr", gone)
    transport = None
    try:
        transport = SerialTransport(pair.path)
        with pytest.raises(ConnectionLostError):
            transport.set_baud(9600)
    except PortMissingError:
        assert len(calls) > 1
    finally:
        if transport is not None:
            transport.close()
