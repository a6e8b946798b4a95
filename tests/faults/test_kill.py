"""SIGKILL of the tool at any moment of an upload: the file on the board is the old one or the new one."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from upytool.device.device import Device
from upytool.sim.registry import start, stop
from upytool.transport.serial import SerialTransport

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
    pytest.mark.timeout(400),
]
KILLS = 500 if os.environ.get("UPYTOOL_DENSE") else 60
ROUNDS = 8 * KILLS
# By the transfer program, and by short ones.
SIZES = {24_000: KILLS, 1_500: KILLS // 2}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPYTOOL_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        info = start("wasm", name="killed", fresh=True)
        yield info.port
        stop("killed")


def content(number: int, size: int) -> bytes:
    """Bytes that tell their version anywhere and do not compress."""
    return random.Random(number).randbytes(size)


def upload_and_die(port: str, data: bytes, seconds: float) -> int:
    """A child uploads until it is killed; returns its wait status."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with Device(SerialTransport(port)) as device:
                device.fs.write_bytes("/main.py", data)
            code = 0
        finally:
            os._exit(code)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


@pytest.mark.slow
@pytest.mark.parametrize(("size", "kills"), SIZES.items())
def test_the_file_is_the_old_or_the_new_one(port: str, tmp_path: Path, size: int, kills: int) -> None:
    chance = random.Random(2)
    with Device(SerialTransport(port)) as device:
        start_time = time.monotonic()
        device.fs.write_bytes("/main.py", content(0, size))
        whole = time.monotonic() - start_time
    current, new, killed, slowest = 0, 0, 0, 0.0
    for number in range(1, ROUNDS + 1):
        if killed == kills:
            break
        status = upload_and_die(port, content(number, size), chance.uniform(0, whole))
        killed += os.WIFSIGNALED(status)
        # How long a whole one takes depends on what else the computer does: follow it, so that some come to the end.
        whole *= 1.1 if os.WIFSIGNALED(status) else 0.75
        again = time.monotonic()
        with Device(SerialTransport(port)) as device:
            got = device.fs.read_bytes("/main.py")
            names = [entry.name for entry in device.fs.ls("/")]
        slowest = max(slowest, time.monotonic() - again)
        assert got in (content(current, size), content(number, size)), f"round {number}: {len(got)} bytes of neither"
        assert names == ["main.py"], f"round {number}"
        if got == content(number, size):
            current, new = number, new + 1
    print(f"{killed} killed, {new} new, next connection at most {slowest:.1f} s", file=sys.stderr)
    assert killed == kills
    assert new > 0
    assert slowest < 60
