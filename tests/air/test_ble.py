"""`ble://` over real ATT and GATT and a model radio (ble_world.py), in front of the simulated board."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("bleak")
pytest.importorskip("bumble")
pytest.importorskip("wasmtime")

from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakError

from tests.air.ble_pipe_board import PipeBoard
from tests.air.ble_world import World
from upytool import limits
from upytool.cli.main import run
from upytool.device.device import Device
from upytool.errors import (
    AmbiguousDeviceError,
    ConnectionLostError,
    MissingExtraError,
    NotAuthorizedError,
    OperationInterrupted,
    PortMissingError,
    PortUnusableError,
    RemoteException,
    RemoteExit,
    StreamError,
    UpytoolError,
    UsageError,
)
from upytool.protocol import ble as protocol
from upytool.protocol.raw_repl import ReplState
from upytool.sim.wasm import WasmBoard
from upytool.transport import ble, ble_scan
from upytool.transport.ble import BleTransport
from upytool.transport.ble_scan import scan
from upytool.transport.loop_thread import LoopThread
from upytool.transport.registry import open_transport
from upytool.transport.threaded import ThreadedTransport

OPEN = bytes((1, 0, 0, 1)) + bytes(8)  # LOGIN of a board that is not locked, with buffers of 256 bytes


@pytest.fixture(scope="module")
def sim() -> Iterator[WasmBoard]:
    with WasmBoard() as board:
        yield board


@pytest.fixture
def board(sim: WasmBoard) -> PipeBoard:
    return PipeBoard(sim, login=OPEN)


@pytest.fixture
def world(board: PipeBoard, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(board)
    made.bleak_uses(monkeypatch)
    monkeypatch.setattr(ble_scan, "NAMESAKES", 0.05)
    before = threading.enumerate()
    yield made
    for thread in threading.enumerate():
        if thread.name == "bluetooth" and thread not in before:
            thread.join(10)
            assert not thread.is_alive(), "a loop was left running"


@pytest.fixture
def device(world: World) -> Iterator[Device]:
    with Device(open_transport("ble://mpy-pipe")) as device:
        yield device


# -- what every command needs ---------------------------------------------------------------------------


def test_programs_and_their_ends(device: Device) -> None:
    assert device.exec("print(6 * 7)") == "42\n"
    with pytest.raises(RemoteExit) as left:
        device.exec("import sys; sys.exit(3)")
    assert left.value.exit_code == 3
    with pytest.raises(RemoteException, match="ZeroDivisionError"):
        device.exec("1 / 0")
    assert device.eval("[n * n for n in range(4)]") == [0, 1, 4, 9]


def test_every_byte_of_output_is_kept(device: Device) -> None:
    said = device.exec_bytes("import sys\nfor i in range(256): sys.stdout.buffer.write(bytes((i,)) * 4)")
    assert said == b"".join(bytes((i,)) * 4 for i in range(256))


def test_a_long_program_arrives_whole(device: Device) -> None:
    program = "total = 0\n" + "".join(f"total += {i}\n" for i in range(1500)) + "print(total)"
    assert device.exec(program) == f"{sum(range(1500))}\n"


@pytest.mark.parametrize("size", [0, 100, 20_000])
def test_a_file_goes_and_comes_back(device: Device, board: PipeBoard, size: int) -> None:
    data = os.urandom(size)
    device.fs.write_bytes("/x.bin", data)
    assert device.fs.read_bytes("/x.bin") == data
    assert [(entry.name, entry.size) for entry in device.fs.ls("/") if entry.name == "x.bin"] == [("x.bin", size)]
    assert board.dropped == 0
    device.fs.remove("/x.bin")


def test_many_files_go_and_come_back(device: Device) -> None:
    files = {f"/tree/d{number}/f.py": f"x = {number}\n".encode() * 50 for number in range(5)}
    device.fs.put_many(list(files.items()), folders=["/tree", *(f"/tree/d{number}" for number in range(5))])
    assert device.fs.get_many(list(files)) == files
    device.fs.rmtree("/tree")


def test_ctrl_c_stops_a_loop_and_shows_where(device: Device) -> None:
    def program() -> None:
        timer = threading.Timer(1.0, lambda: signal.raise_signal(signal.SIGINT))
        timer.start()
        device.run("import time\nwhile True: time.sleep_ms(5)\n")

    with pytest.raises(OperationInterrupted) as stopped:
        program()
    assert "KeyboardInterrupt" in stopped.value.traceback
    assert device.exec("print('alive')") == "alive\n"


# -- what fits the board's buffers ----------------------------------------------------------------------


@pytest.mark.parametrize(("login", "in_flight"), [(None, 100), (OPEN, 256)])
def test_no_more_is_in_flight_than_the_board_takes(
    sim: WasmBoard, world: World, login: bytes | None, in_flight: int
) -> None:
    world.boards = [PipeBoard(sim, login=login)]
    with Device(open_transport("ble://mpy-pipe")) as device:
        assert device.session.in_flight == in_flight
        assert device.session.repl.can_interrupt is (login is not None)
        sizes: list[int] = []
        write = device.transport.write
        device.transport.write = lambda data: (sizes.append(len(data)), write(data))[1]  # type: ignore[method-assign]
        device.fs.write_bytes("/x.bin", os.urandom(3000))
        # The frames; before them goes the program, by raw paste, whose window is the board's own word.
        assert in_flight / 3 < max(sizes[-10:]) < in_flight


@pytest.mark.parametrize("mtu", [23, 48, 517])
def test_writes_are_no_longer_than_the_link_takes(world: World, mtu: int) -> None:
    world.mtu = mtu
    with Device(open_transport("ble://mpy-pipe")) as device:
        device.fs.write_bytes("/x.bin", bytes(500))
        assert device.fs.read_bytes("/x.bin") == bytes(500)
    assert max(map(len, world.writes)) <= min(mtu - 3, 256)


# -- the end of a connection ----------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [2500, 4500, 7000])  # bytes
def test_a_transfer_goes_on_after_a_cut(world: World, board: PipeBoard, cut: int) -> None:
    data = os.urandom(5000)
    board.received, board.cut_after = 0, cut
    with Device(open_transport("ble://mpy-pipe")) as device:
        device.fs.write_bytes("/x.bin", data)
        assert device.fs.read_bytes("/x.bin") == data
    assert board.cut_after is None, "it was cut"


@pytest.mark.parametrize("cut", [50, 4500])
def test_a_file_is_the_old_or_the_new_one_when_the_board_is_gone(
    world: World, board: PipeBoard, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = b"old" * 500, os.urandom(5000)
    with Device(open_transport("ble://mpy-pipe")) as device:
        device.fs.write_bytes("/x.bin", old)
        board.received, board.cut_after, board.silent_after_cut = 0, cut, True

        def once(seconds: float = 0.0) -> None:
            BleTransport.reconnect(transport, 0.0)

        transport = device.transport
        monkeypatch.setattr(transport, "reconnect", once)
        with pytest.raises(ConnectionLostError):
            device.fs.write_bytes("/x.bin", new)
    board.silent = False
    with Device(open_transport("ble://mpy-pipe")) as device:
        assert device.fs.read_bytes("/x.bin") in (old, new)
        assert {entry.name for entry in device.fs.ls("/")} <= {"x.bin", "main.py"}


def test_who_waits_is_told_of_the_end(device: Device, board: PipeBoard) -> None:
    device.drive(device.session.ready())
    assert board._air is not None
    threading.Timer(0.3, board._air.disconnect).start()
    with pytest.raises(ConnectionLostError):
        device.exec("import time\ntime.sleep(30)")
    with pytest.raises(ConnectionLostError):
        device.transport.write(b"x")
    assert device.exec("print('again')") == "again\n", "the next program gets a new connection"


def until(true: Callable[[], bool]) -> None:
    """Wait for what happens in other threads, for 30 s at most."""
    end = time.monotonic() + 30
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    assert true()


def test_what_came_before_the_end_can_still_be_read(world: World, board: PipeBoard) -> None:
    with contextlib.closing(open_transport("ble://mpy-pipe")) as transport:
        assert isinstance(transport, BleTransport)
        transport.write(b"\x03\r\x02")
        until(lambda: transport._data.endswith(b">>> "))
        assert board._air is not None
        board._air.disconnect()
        until(lambda: transport._gone)
        assert transport.read(5.0).endswith(b">>> ")
        with pytest.raises(ConnectionLostError):
            transport.read(5.0)
    transport.close()


def test_a_flood_that_nobody_reads_has_a_bound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLE_BYTES", 2000)
    with Device(open_transport("ble://mpy-pipe")) as device:
        device.run("import time\nwhile True: print('x' * 200)", follow=False)

        def read_slowly() -> None:
            while True:
                threading.Event().wait(0.5)
                device.transport.read(0.1)

        with pytest.raises(ConnectionLostError):
            read_slowly()
    with Device(open_transport("ble://mpy-pipe")) as device:
        device.interrupt()
        assert device.session.repl.state is ReplState.RAW


def test_asyncio_uses_it_too(world: World) -> None:
    import asyncio

    from upytool.device.aio_device import AsyncDevice

    async def work() -> str:
        transport = await asyncio.to_thread(open_transport, "ble://mpy-pipe")
        async with AsyncDevice(ThreadedTransport(transport)) as device:
            return await device.exec("print(1 + 1)")

    assert asyncio.run(work()) == "2\n"


# -- finding it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["ble://mpy-pipe", "ble://F0:F1:F2:F3:F4:F5", "ble://f0-f1-f2-f3-f4-f5", "ble://mpy%2Dpipe"]
)
def test_ways_to_name_it(world: World, url: str) -> None:
    transport = open_transport(url)
    assert transport.name == url
    transport.close()


def test_nobody_of_that_name(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ble, "FIND_SECONDS", 1.2)
    told: list[str] = []
    with pytest.raises(PortMissingError):
        open_transport("ble://nobody", tell=told.append)
    assert len(told) == 1, "after a second the user is told"
    monkeypatch.setattr(ble, "FIND_SECONDS", 0.3)
    with pytest.raises(PortMissingError):
        open_transport("ble://00:11:22:33:44:55")


def test_an_address_without_a_name(world: World) -> None:
    with pytest.raises(UsageError):
        open_transport("ble://")


def test_two_of_the_same_name(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ble_scan, "NAMESAKES", 0.7)
    world.boards.append(PipeBoard(None, address="F0:F1:F2:F3:F4:F6"))
    with pytest.raises(AmbiguousDeviceError) as error:
        open_transport("ble://mpy-pipe")
    assert sorted(error.value.choices) == ["ble://F0:F1:F2:F3:F4:F5", "ble://F0:F1:F2:F3:F4:F6"]
    open_transport("ble://F0:F1:F2:F3:F4:F5").close()


def test_a_device_without_the_service(world: World) -> None:
    world.boards = [PipeBoard(None, uart=False)]
    with pytest.raises(PortUnusableError) as error:
        open_transport("ble://mpy-pipe")
    assert "ble_repl" in error.value.hint


def test_scan_lists_boards(world: World) -> None:
    world.boards += [
        PipeBoard(None, name="a watch", address="F0:F1:F2:F3:F4:01", announces=False),
        PipeBoard(None, name="mpy-repl", address="F0:F1:F2:F3:F4:02", announces=False),
        PipeBoard(None, name="my board", address="F0:F1:F2:F3:F4:03"),
    ]
    found = {device.name: device for device in scan(0.5)}
    assert {name: (device.uart, device.is_board) for name, device in found.items()} == {
        "mpy-pipe": (True, True),
        "a watch": (False, False),
        "mpy-repl": (False, True),
        "my board": (True, True),
    }
    assert found["my board"].selector == "ble://my%20board"
    assert found["mpy-pipe"].data() == {
        "selector": "ble://mpy-pipe",
        "name": "mpy-pipe",
        "address": "F0:F1:F2:F3:F4:F5",
        "rssi": -50,
        "uart": True,
    }


def test_invented_devices_are_not_gathered_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLE_DEVICES", 3)
    crowd = [PipeBoard(None, name=f"x{n}", address=f"F0:F1:F2:F3:F4:{n:02}", announces=False) for n in range(8)]
    world.boards[:0] = crowd
    assert len(scan(0.5)) == 3
    loop = LoopThread("bluetooth")
    try:
        for board in world.boards:
            found = loop.run(ble_scan.find(board.name, 5.0), 10)  # type: ignore[attr-defined]
            assert found.address == board.address, "the one that is looked for has a place"
    finally:
        loop.close()


# -- what the adapter or the board does not want --------------------------------------------------------


@pytest.mark.parametrize("reason", list(BleakBluetoothNotAvailableReason))
def test_without_an_adapter_that_works(world: World, reason: BleakBluetoothNotAvailableReason) -> None:
    world.failure = BleakBluetoothNotAvailableError("no", reason)
    for attempt in (lambda: open_transport("ble://mpy-pipe"), lambda: scan(0.5)):
        with pytest.raises(UpytoolError) as error:
            attempt()
        assert error.value.exit_code == 4
        assert error.value.hint


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "bleak", None)
    for attempt in (lambda: open_transport("ble://mpy-pipe"), lambda: scan(0.5)):
        with pytest.raises(MissingExtraError) as error:
            attempt()
        assert "upytool[ble]" in error.value.hint


@pytest.mark.parametrize("accepts", [True, False])
def test_a_board_that_wants_to_be_paired(sim: WasmBoard, world: World, accepts: bool) -> None:
    board = PipeBoard(sim, login=OPEN, encrypted=True)
    board.accepts_pairing = accepts
    world.boards = [board]
    if not accepts:
        with pytest.raises(NotAuthorizedError):
            open_transport("ble://mpy-pipe")
        return
    with Device(open_transport("ble://mpy-pipe")) as device:
        assert device.exec("print(1)") == "1\n"


def test_a_login_of_another_version(sim: WasmBoard, world: World) -> None:
    world.boards = [PipeBoard(sim, login=b"\x02" + OPEN[1:])]
    with pytest.raises(StreamError):
        open_transport("ble://mpy-pipe")


def test_ctrl_c_while_it_looks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ble, "FIND_SECONDS", 60.0)

    def look() -> None:
        threading.Timer(0.5, lambda: signal.raise_signal(signal.SIGINT)).start()
        open_transport("ble://nobody")

    with pytest.raises(KeyboardInterrupt):
        look()


def test_a_write_that_nobody_answers_has_an_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ble, "WRITE_TIMEOUT", 0.3)
    transport = open_transport("ble://mpy-pipe")
    assert isinstance(transport, BleTransport)

    async def never(*_: Any, **__: Any) -> None:
        import asyncio

        await asyncio.sleep(60)

    monkeypatch.setattr(transport._client, "write_gatt_char", never)
    with pytest.raises(ConnectionLostError):
        transport.write(b"x")
    transport.close()


def test_a_write_that_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = open_transport("ble://mpy-pipe")
    assert isinstance(transport, BleTransport)

    async def fails(*_: Any, **__: Any) -> None:
        raise BleakError("Not connected")

    monkeypatch.setattr(transport._client, "write_gatt_char", fails)
    with pytest.raises(ConnectionLostError):
        transport.write(b"x")
    transport.close()


# -- the command line -----------------------------------------------------------------------------------


def test_commands(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ["-d", "ble://mpy-pipe"]
    (tmp_path / "main.py").write_text("print('from a file')\n")
    assert run([*there, "exec", "print(6 * 7)"]) == 0
    assert capsys.readouterr().out.strip() == "42"
    assert run([*there, "exec", "raise SystemExit(7)"]) == 7
    assert run([*there, "cp", str(tmp_path / "main.py"), ":main.py"]) == 0
    assert run([*there, "run", str(tmp_path / "main.py")]) == 0
    assert "from a file" in capsys.readouterr().out
    assert run([*there, "cat", ":main.py", "+", "rm", ":main.py"]) == 0
    monkeypatch.setattr(ble, "FIND_SECONDS", 0.3)
    assert run(["-d", "ble://nobody", "ls"]) == 4


def test_the_command_scan(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    assert run(["ble", "scan", "--seconds", "0.5", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert [device["selector"] for device in result] == ["ble://mpy-pipe"]
    world.boards = [PipeBoard(None, name="a watch", announces=False)]
    assert run(["ble", "scan", "--seconds", "0.5"]) == 0
    assert capsys.readouterr().out == ""
    assert run(["ble", "scan", "--seconds", "0.5", "--all"]) == 0
    assert "a%20watch" in capsys.readouterr().out


# -- the login, without a board -------------------------------------------------------------------------


def test_the_proof_is_hmac_sha256() -> None:
    assert protocol.proof_of("correct horse", bytes(range(8))).hex() == "b963ed7c93e31f082b34ee112f590af7"
    assert protocol.parse_login(OPEN) == (False, 256, bytes(8))
    assert protocol.parse_login(bytes((1, 1, 5, 0)) + bytes(8)).in_flight == 100
    for wrong in (b"", OPEN[:-1], OPEN + b"x", b"\x00" + OPEN[1:]):
        with pytest.raises(StreamError):
            protocol.parse_login(wrong)
