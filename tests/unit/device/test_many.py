"""Many files in one program, and programs of ours that leave nothing behind; on a real MicroPython."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.device.boards import board_device, wire
from upytool.device.aio_device import AsyncDevice
from upytool.device.device import Device
from upytool.device.mount import mounts_of
from upytool.errors import RemoteException, RemoteOSError, StreamError
from upytool.packages.board import PutsMany


@pytest.fixture
def device() -> Iterator[Device]:
    with board_device() as device:
        yield device


def test_many_files_go_over_in_one_program(device: Device) -> None:
    items = [(f"/f{number}", os.urandom(number * 50)) for number in range(30)]
    starts = wire(device).log.count(b"\x05A\x01")
    device.fs.put_many(items)
    assert wire(device).log.count(b"\x05A\x01") == starts + 1
    assert device.fs.get_many([path for path, _ in items]) == dict(items)
    assert wire(device).log.count(b"\x05A\x01") == starts + 2
    assert len(device.fs.ls("/")) == 30, "nothing else is left"


def test_many_is_also_none(device: Device) -> None:
    device.fs.put_many([])
    assert device.fs.get_many([]) == {}


def test_many_in_several_folders_and_relative(device: Device) -> None:
    device.fs.mkdir("/a")
    device.fs.chdir("/a")
    device.fs.put_many([("x", b"1"), ("/y", b"2")])
    assert device.fs.get_many(["/a/x", "/y", "x"]) == {"/a/x": b"1", "/y": b"2", "x": b"1"}


def test_what_many_refuse(device: Device) -> None:
    device.fs.write_bytes("/old", b"old")
    device.fs.mkdir("/d")
    with pytest.raises(RemoteOSError) as caught:
        device.fs.put_many([("/old", b"new"), ("/d", b"new")])
    assert (caught.value.errno, caught.value.filename) == (21, "/d")
    assert device.fs.read_bytes("/old") == b"old", "seen before the first byte"
    with pytest.raises(RemoteOSError) as caught:
        device.fs.put_many([("/old", b"new"), ("/none/x", b"new")])
    assert (caught.value.errno, caught.value.filename) == (2, "/none"), "what is missing"
    assert device.fs.read_bytes("/old") == b"new", "those before it are new"
    for path, number in (("/gone", 2), ("/d", 21)):
        with pytest.raises(RemoteOSError) as caught:
            device.fs.get_many(["/old", path])
        assert (caught.value.errno, caught.value.filename) == (number, path)
    with pytest.raises(RemoteOSError) as caught:
        device.fs.put_many([("/old", b"no"), ("/big", bytes(2 << 20))])
    assert caught.value.errno == 28
    assert device.fs.read_bytes("/old") == b"new", "the space is looked at first"
    assert sorted(entry.name for entry in device.fs.ls("/")) == ["d", "old"]


def test_what_is_refused_without_a_look_leaves_nothing(device: Device) -> None:
    device.fs.mkdir("/d")
    with pytest.raises(RemoteOSError):
        device.fs.put_many([("/d", b"new")], look=False)
    assert [entry.name for entry in device.fs.ls("/")] == ["d"]


@pytest.mark.parametrize("change", ["mkdir", "remove"])
def test_a_change_whose_answer_was_lost_is_not_made_twice(
    device: Device, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    # A path that goes over as text: this board's file system is one in Python, which takes no bytes.
    device.fs.write_bytes("/some-file.txt", b"1")
    path = {"mkdir": "/new", "remove": "/some-file.txt"}[change]

    def lost(error: bytes, path: str) -> None:
        raise StreamError("lost")

    with monkeypatch.context() as patch:
        patch.setattr("upytool.device.oneshot.answer_of", lost)
        with pytest.raises(StreamError):
            getattr(device.fs, change)(path)
    assert device.fs.exists(path) is (change == "mkdir")


def test_packages_use_it(device: Device) -> None:
    assert isinstance(device.fs, PutsMany)


def test_the_same_for_asyncio(tmp_path: Path) -> None:
    import asyncio

    from upytool.sim.wasm import WasmBoard

    class Awaited:
        """A board of this process as an AsyncTransport."""

        interrupts = survives_reset = True
        name = "wasm:"

        def __init__(self, board: WasmBoard) -> None:
            self.board = board

        async def read(self, timeout: float | None) -> bytes:
            return await asyncio.to_thread(self.board.read, 65536, 3600.0 if timeout is None else timeout)

        async def write(self, data: bytes) -> None:
            self.board.write(data)

        async def close(self) -> None:
            return

    async def main() -> None:
        with WasmBoard(flash_size=1 << 20) as board:
            async with AsyncDevice(Awaited(board)) as device:
                await device.fs.put_many([("/a", b"1"), ("/b", b"2" * 5000)])
                assert await device.fs.get_many(["/b", "/a"]) == {"/b": b"2" * 5000, "/a": b"1"}
                made = await device.fs.backup(tmp_path / "b.zip")
                assert [file.path for file in made.backup.files] == ["/a", "/b"]
                await device.fs.remove("/a")
                assert [d.path for d in (await device.fs.diff(tmp_path / "b.zip")).differences] == ["a"]
                await device.fs.restore(tmp_path / "b.zip")
                assert (await device.fs.diff(tmp_path / "b.zip")).equal

    asyncio.run(main())


# -- nothing is left behind -----------------------------------------------------------------------

MINE = "run = 1\nos = 'mine'\nT = [5]\nheld = {'a': 1}\n"


def names(device: Device) -> str:
    """What the board's `__main__` holds. The statement itself adds nothing."""
    return device.exec("print(sorted((n, repr(v)) for n, v in globals().items()))")


def everything(device: Device, folder: Path) -> None:
    """Every operation on files, some of which fail."""
    fs = device.fs
    fs.mkdir("/a/b/c", parents=True)
    fs.write_bytes("/a/f", b"1" * 3000)
    fs.put_many([("/a/g", b"2"), ("/a/h", b"3")])
    fs.get_many(["/a/g"])
    fs.stat("/a")
    fs.ls("/")
    fs.walk("/")
    fs.df()
    fs.hash(["/a/f"])
    fs.touch("/t")
    fs.move("/t", "/a")
    fs.rename("/a/t", "/a/u")
    fs.chdir("/a")
    fs.chdir("/")
    with pytest.raises(RemoteOSError):
        fs.stat("/none")
    with pytest.raises(RemoteOSError):
        fs.remove("/none")
    with pytest.raises(RemoteException):
        device.call("fs_hash", 7)
    (folder / "p").mkdir()
    (folder / "p" / "m.py").write_text("x = 1\n" * 99)
    fs.copy([str(folder / "p")], ":/", recursive=True)
    fs.sync(str(folder / "p"), ":/p", delete=True)
    fs.copy([":/p"], str(folder / "q"), recursive=True)
    fs.copy([":/a/f"], ":/a/f2")
    archive = folder / "b.tar"
    fs.backup(archive)
    fs.remove("/a/g")
    assert not fs.diff(archive).equal
    fs.restore(archive, delete=True)
    device.drive(device.session.info())
    fs.rmtree("/p")


def test_the_users_names_are_as_they_were(device: Device, tmp_path: Path) -> None:
    device.exec(MINE)
    before = names(device)
    everything(device, tmp_path)
    assert names(device) == before
    assert device.eval("(run, os, T, held)") == (1, "mine", [5], {"a": 1})


@pytest.mark.parametrize("lacks", ["select", "deflate"])
def test_neither_do_the_slower_ways_leave_anything(lacks: str, tmp_path: Path) -> None:
    from tests.unit.device.test_ladder import hide

    with board_device(hide(lacks)) as device:
        before = names(device)
        everything(device, tmp_path)
        assert names(device) == before


def test_a_mount_leaves_nothing_but_itself(device: Device, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello")
    before = names(device)
    mounts = mounts_of(device)
    device.drive(mounts.add(tmp_path))
    assert device.exec("print(open('/remote/x.txt').read())") == "hello\n"
    device.drive(mounts.remove())
    assert names(device) == before
