"""The frozen half of fast transfer, on real MicroPython: used, refused, and never in the way."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import usb_zoo as zoo
from tests.rigs.fixtures import Board
from tests.rigs.frozen import PROBE_ID, qemu_board
from tests.rigs.qemu import Qemu
from upytool.device import frozen
from upytool.device.connect import connect
from upytool.device.device import Device
from upytool.device.retry import Capabilities
from upytool.device.small_mover import ALL_BYTES
from upytool.device.stream import Server, _sent
from upytool.discovery import selector
from upytool.discovery.remembered import FILE_NAME, Remembered
from upytool.errors import UsageError
from upytool.mpy.abi import Abi
from upytool.mpy.cross import Cross, Module

pytestmark = pytest.mark.rig
DATA = os.urandom(3000)  # more than goes by short programs


@pytest.fixture(scope="module")
def whole() -> Iterator[Qemu]:
    with qemu_board(fs="lfs") as board:
        yield board


@pytest.fixture
def ours(whole: Qemu) -> Qemu:
    """A board whose firmware has our modules frozen."""
    whole.blank()
    return whole


class Wire:
    """Counts what goes to the board and keeps it."""

    def __init__(self, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent = b""
        write = device.transport.write

        def counted(data: bytes, *args: Any, **more: Any) -> Any:
            self.sent += bytes(data)
            return write(data, *args, **more)

        monkeypatch.setattr(device.transport, "write", counted)

    @property
    def uploaded(self) -> bool:
        # All programs of ours begin alike.
        programs = [_sent("bytecode", packed)[0] for packed in (True, False)]
        programs += [_sent(way, False)[0] for way in ("packed", "text")]
        return any(program[1000:1200] in self.sent for program in programs)


def names(device: Device) -> tuple[list[str], list[str]]:
    """What is left on the board: loaded modules, names of `__main__`."""
    return device.eval("sorted(__import__('sys').modules)"), device.eval("sorted(globals())")


def test_a_copy_sends_no_program(ours: Qemu, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(ours.port) as board:
        before = names(board)
        assert board.info.has_transfer
        wire = Wire(board, monkeypatch)
        board.fs.write_bytes("/a.bin", DATA)
        assert board.fs.read_bytes("/a.bin") == DATA
        board.fs.write_bytes("/a.bin", DATA[::-1])
        assert board.fs.read_bytes("/a.bin") == DATA[::-1]
        assert not wire.uploaded
        # Eight bytes in a hundred of framing, the short start, a few commands: no room for a program.
        assert len(wire.sent) < 2 * len(DATA) + 1800 + 4 * len(frozen.PROGRAM)
        assert wire.sent.count(frozen.PROGRAM) == 4
        after = names(board)
        assert after[1] == before[1]
        assert set(after[0]) - set(before[0]) <= {"upytool_transfer"}


def test_trees_checks_and_errors_through_it(ours: Qemu, tmp_path: Path) -> None:
    (tmp_path / "pkg" / "sub").mkdir(parents=True)
    for number in range(5):
        (tmp_path / "pkg" / "sub" / f"m{number}.py").write_text(f"x = {number}\n" * 50)
    with connect(ours.port) as board:
        board.session.frozen = True
        board.fs.copy([str(tmp_path / "pkg")], ":/", recursive=True)
        again = board.fs.copy([str(tmp_path / "pkg")], ":/", recursive=True)
        assert board.session.frozen is True
        assert not again.plan.changes
        with pytest.raises(OSError, match="no such"):
            board.fs.read_bytes("/nowhere")
        assert board.fs.read_bytes("/pkg/sub/m4.py") == b"x = 4\n" * 50


def test_each_start_has_fresh_variables(ours: Qemu) -> None:
    with connect(ours.port) as board:
        board.session.frozen = True
        for _ in range(2):
            server = Server(board.session, Capabilities())
            board.drive(server.open())
            board.drive(server.say("tell(82,repr((count,told,'mine' in globals())).encode())", flush=True))
            told = board.drive(server.answer()).payload
            board.drive(server.say("mine=1", flush=True))
            board.drive(server.close())
            assert told == b"(1, 1, False)"


def used_by_program(board: Device, frozen_way: bool) -> int:
    """Bytes of heap that are taken while the program waits for commands, all parts loaded."""
    board.session.frozen = frozen_way
    server = Server(board.session, Capabilities())
    board.drive(server.open())
    board.drive(server.load("put", "get", "check"))
    board.drive(server.say("gc.collect();tell(82,repr(gc.mem_alloc()).encode())", flush=True))
    used = int(board.drive(server.answer()).payload)
    board.drive(server.close())
    return used


def test_a_copy_leaves_more_memory(ours: Qemu) -> None:
    with connect(ours.port) as board:
        first, again = used_by_program(board, True), used_by_program(board, True)
    ours.power_cycle()
    with connect(ours.port) as board:
        uploaded = used_by_program(board, False)
    # Its code stays in flash, and the window for unpacking is not there until something packed comes.
    assert first < 12_000 < 15_000 < uploaded
    assert again < first + 1000


HOG = "import gc\nhog=[]\ngc.collect()\nfor _ in range((gc.mem_free()-%d)//1040):hog.append(bytearray(1024))"
ALLOCATED = "(__import__('gc').collect(),__import__('gc').mem_alloc())[1]"


def test_a_board_with_19_kb_of_free_memory_runs_it(qemu: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """As bytecode it holds less than 13 kB, all of it; compiling the text needs more than there is."""
    with connect(qemu.port) as board:
        board.exec(HOG % 19_456)
        before = board.eval(ALLOCATED)
        can = board.fs.ops.can
        assert used_by_program(board, False) - before < 13_000
        wire = Wire(board, monkeypatch)
        board.fs.write_bytes("/a.bin", DATA)
        assert board.fs.read_bytes("/a.bin") == DATA
        assert can.allows("bytecode")
        assert can.allows("packed")
        assert wire.uploaded
        assert board.eval(ALLOCATED) - before < 2000


def test_ctrl_c_and_a_broken_stream_leave_it_usable(ours: Qemu) -> None:
    with connect(ours.port) as board:
        board.session.frozen = True
        server = Server(board.session, Capabilities())
        board.drive(server.open())
        assert "KeyboardInterrupt" in board.drive(server.stop())
        board.fs.write_bytes("/b", b"after")
        assert board.session.frozen is True
        assert "_upytool_server" not in names(board)[0]


def test_the_c_module_of_the_tests_is_in(ours: Qemu) -> None:
    with connect(ours.port) as board:
        assert board.eval("__import__('upytool_probe').add(40, 2)") == 42
        assert board.eval("__import__('upytool_probe').build_id") == PROBE_ID


# -- boards without it, or with another one


def put_modules(board: Device, folder: str, *, digest: str = frozen.DIGEST) -> None:
    cross = Cross(Abi(6, 3, ""))
    board.fs.mkdir(folder, exist_ok=True)
    for name, text in frozen.modules().items():
        data = cross.compile(Module(text.replace(frozen.DIGEST, digest).encode(), name))
        board.fs.write_bytes(f"{folder}/{name[:-3]}.mpy", data)


def test_an_ordinary_board_is_not_asked(qemu: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(qemu.port) as board:
        wire = Wire(board, monkeypatch)
        board.fs.write_bytes("/a", DATA)
        assert board.session.frozen is None
        assert frozen.MODULE.encode() not in wire.sent


def test_where_asking_is_worth_it_it_is_asked_once(qemu: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(qemu.port) as board:
        board.session.ask_frozen = True
        wire = Wire(board, monkeypatch)
        for content in (DATA, DATA[:50]):
            board.fs.write_bytes("/a", content)
            assert board.fs.read_bytes("/a") == content
        assert board.session.frozen is False
        assert wire.sent.count(frozen.PROGRAM) == 1


def test_a_usb_device_is_asked_once_and_remembered(
    ours: Qemu, qemu: Board, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The boards stand where a USB serial port would (the port's description is a model)."""
    monkeypatch.setenv("UPYTOOL_STATE_DIR", str(tmp_path))
    for real, port, answer in ((ours, zoo.ch340(), True), (qemu, zoo.cp2102(), False)):
        usb = dataclasses.replace(port, path=real.port)
        monkeypatch.setattr(selector, "resolve", lambda *_, usb=usb, **__: selector.Target(usb.path, usb))
        tried = []
        for _ in range(2):
            with connect() as board:
                wire = Wire(board, monkeypatch)
                board.fs.write_bytes("/a", DATA)
                assert board.session.frozen is answer
                assert wire.uploaded is not answer
                tried.append(wire.sent.count(frozen.PROGRAM))
        assert tried == ([1, 1] if answer else [1, 0])
        assert Remembered(str(tmp_path / FILE_NAME)).frozen(usb) is answer


@pytest.mark.parametrize("name", ["t.txt", "a-longer-name.txt", "T.TXT"])
def test_fat_costs_a_small_file_no_program(
    qemu: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """FAT takes `t.txt` and `T.TXT` for one, so the directory is looked at; the short way does that as well."""
    (tmp_path / name).write_bytes(b"1234")
    with connect(qemu.port) as board:
        wire = Wire(board, monkeypatch)
        for wanted in (1, 0):
            plan = board.fs.copy(str(tmp_path / name), ":").plan
            assert len(plan.of("write")) == wanted
        with pytest.raises(UsageError):
            board.fs.copy(str(tmp_path / name), f":{name.swapcase()}")
        assert not wire.uploaded
        assert [entry.name for entry in board.fs.ls()] == [name]


def test_modules_in_the_file_system_serve_as_well(qemu_lfs: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(qemu_lfs.port) as board:
        put_modules(board, "/lib")
        wire = Wire(board, monkeypatch)
        board.session.ask_frozen = True
        board.fs.write_bytes("/a", DATA)
        assert board.session.frozen is True
        assert not wire.uploaded
        assert board.fs.read_bytes("/a") == DATA


def test_another_version_of_it_is_left_alone(qemu_lfs: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(qemu_lfs.port) as board:
        put_modules(board, "/lib", digest="01234567")
        wire = Wire(board, monkeypatch)
        assert board.info.has_transfer
        board.fs.write_bytes("/a", DATA)
        assert board.session.frozen is False
        assert wire.uploaded
        assert board.fs.read_bytes("/a") == DATA


@pytest.mark.parametrize(
    "text",
    ["run = 5\n", "def run(*a):\n    print('hello')\n", "def run(*a):\n    import nothing_like_it\n", "1/0\n", "a b\n"],
)
def test_something_else_of_its_name_ends_no_copy(qemu: Board, text: str) -> None:
    with connect(qemu.port) as board:
        board.fs.write_bytes("/upytool_transfer.py", text.encode())
        board.session.frozen = True
        board.fs.write_bytes("/a", DATA)
        assert board.fs.read_bytes("/a") == DATA


def test_a_small_board_that_cannot_run_it(qemu_stock: Board) -> None:
    with connect(qemu_stock.port) as board:
        board.session.frozen = True
        data = b"text way" * ALL_BYTES  # too much for short programs
        board.fs.write_bytes("/a", data)
        assert board.session.frozen is False
        assert board.fs.read_bytes("/a") == data
