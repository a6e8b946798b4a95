"""A copy over a wire that loses, alters, doubles, delays bytes or hangs up, at bytes of every phase of it.

Whatever happens: the call succeeds and the file is the new one, or it raises an error of ours and the file is the old
or the new one; nothing is left beside it; and the next connection works. UPYTOOL_DENSE=1 tries every byte.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

import upytool.device.small_mover
import upytool.protocol.pace
import upytool.protocol.transfer
from tests.faults.board import Plug, connected
from tests.rigs.wire import Direction, Fault, Kind
from upytool.errors import TransportError, UpytoolError
from upytool.sim.wasm import WasmBoard

OLD = b"old content\n" * 10
NEW = bytes(range(256)) + b"new content\n" * 20
DENSE = bool(os.environ.get("UPYTOOL_DENSE"))
pytestmark = [pytest.mark.timeout(3600 if DENSE else 240)]


@pytest.fixture(scope="module")
def plug() -> Iterator[Plug]:
    with WasmBoard() as board:
        plug = Plug(board)
        yield plug
        plug.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits for a board that says nothing, short enough to try many bytes."""
    monkeypatch.setattr(upytool.protocol.transfer, "ACK_TIMEOUT", 0.3)
    monkeypatch.setattr(upytool.protocol.pace, "QUICK", 1.0)
    monkeypatch.setattr(upytool.protocol.pace, "READ", 1.0)


@pytest.fixture(params=["stream", "short"], scope="module", autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """How the files go: both ways keep the same promises."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "stream":
            patch.setattr(upytool.device.small_mover, "FILES", -1)
        yield request.param


@pytest.fixture(scope="module")
def length(plug: Plug, way: str) -> dict[Direction, int]:
    """How many bytes an undisturbed copy moves each way."""
    for data in (OLD, NEW):
        with connected(plug) as (device, wire):
            device.fs.write_bytes("/t.bin", data)
    return {"up": wire.up, "down": wire.down}


def try_fault(plug: Plug, fault: Fault) -> BaseException | None:
    """One copy with the fault, its promises checked; returns its error."""
    with connected(plug) as (device, _):
        device.fs.write_bytes("/t.bin", OLD)
    error: BaseException | None = None
    try:
        with connected(plug, [fault]) as (device, _):
            device.fs.write_bytes("/t.bin", NEW)
    except UpytoolError as caught:
        error = caught
    again = time.monotonic()
    with connected(plug) as (device, _):
        got = device.fs.read_bytes("/t.bin")
        names = [entry.name for entry in device.fs.ls("/")]
    assert time.monotonic() - again < 60, f"{fault}: the next connection was slow"
    assert got in (OLD, NEW), f"{fault}: {len(got)} bytes of neither"
    assert error is not None or got == NEW, f"{fault}: success was claimed"
    assert names == ["t.bin"], f"{fault}: left behind"
    return error


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("kind", ["drop", "corrupt", "duplicate"])
def test_damage_is_repaired(plug: Plug, length: dict[Direction, int], kind: Kind, direction: Direction) -> None:
    step = 1 if DENSE else max(2, length[direction] // {"up": 45, "down": 25}[direction])
    failed = 0
    for at in range(0, length[direction], step):
        error = try_fault(plug, Fault(kind, direction, at))
        failed += error is not None
    assert failed == 0, "single damaged bytes are repaired, not only noticed"


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["up", "down"])
def test_the_wire_vanishes(plug: Plug, length: dict[Direction, int], direction: Direction) -> None:
    step = 1 if DENSE else {"up": 151, "down": 11}[direction]
    for at in range(3, length[direction], step):
        error = try_fault(plug, Fault("vanish", direction, at))
        assert error is None or isinstance(error, TransportError), f"byte {at}: {error!r}"


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_pause_is_waited_out(plug: Plug, length: dict[Direction, int], direction: Direction) -> None:
    for at in range(5, length[direction], length[direction] // 6):
        assert try_fault(plug, Fault("delay", direction, at, 0.6)) is None, f"byte {at}"


def test_bytes_one_by_one(plug: Plug) -> None:
    assert try_fault(plug, Fault("split", "up", 900, 0.0002)) is None
    assert try_fault(plug, Fault("split", "down", 10, 0.0002)) is None


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_mute_wire_ends_in_an_error(plug: Plug, length: dict[Direction, int], direction: Direction) -> None:
    error = try_fault(plug, Fault("mute", direction, length[direction] // 4))
    assert isinstance(error, UpytoolError)
    assert error.hint
