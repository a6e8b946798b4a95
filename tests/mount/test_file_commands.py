"""File commands while a directory is mounted: each is done, wherever the files lie, and the wire is never stuck."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.fixtures import Boards
from upytool.device.device import Device
from upytool.device.local import CallSink
from upytool.device.mount import mounts_of
from upytool.device.mover import GetItem, PutItem
from upytool.device.ondevice import needs, snippet
from upytool.device.retry import Capabilities
from upytool.device.transfer import StreamMover
from upytool.errors import RemoteException, RemoteOSError, StreamError, UsageError
from upytool.protocol.ops import Op
from upytool.transport.registry import open_transport

CONTENT = os.urandom(5000) + b"\x03\x04\x18\xb5" * 300
BOARDS = [
    "wasm",
    pytest.param("unix", marks=pytest.mark.rig),
    pytest.param("qemu", marks=pytest.mark.rig),
    pytest.param("qemu-uart", marks=pytest.mark.rig),
    pytest.param("qemu-lfs", marks=pytest.mark.rig),
]


@pytest.fixture(params=BOARDS)
def board(request: pytest.FixtureRequest, boards: Boards, root: Path) -> Iterator[Device]:
    """Each board that can, with `root` mounted at /remote, its working directory."""
    (root / "a").write_bytes(CONTENT)
    (root / "sub").mkdir()
    (root / "sub" / "b").write_bytes(b"b")
    if request.param == "wasm":
        transport = request.getfixturevalue("wasm")
    else:
        transport = open_transport(boards.fresh(request.param).port)
    with Device(transport) as device:
        device.drive(mounts_of(device).add(root))
        yield device


def test_a_file_of_the_directory_is_read(board: Device) -> None:
    assert board.fs.read_bytes("a") == CONTENT
    assert board.fs.read_bytes("/remote/sub/b") == b"b"
    for path, number in (("none", 2), ("sub", 21), ("/remote", 21), ("none/x", 2)):
        with pytest.raises(RemoteOSError) as caught:
            board.fs.read_bytes(path)
        assert (path, caught.value.errno) == (path, number)


def test_files_go_to_the_board_and_to_the_directory(board: Device, root: Path, tmp_path: Path) -> None:
    board.fs.write_bytes("/x", CONTENT)
    board.fs.write_bytes("y", CONTENT)
    board.fs.put_many([("/one", b"1"), ("two", b"2"), ("/remote/sub/three", b"3")])
    assert board.fs.read_bytes("/x") == CONTENT
    assert (root / "y").read_bytes() == CONTENT
    assert board.exec("print([open(p).read() for p in ('/one', '/remote/two', 'sub/three')])") == "['1', '2', '3']\n"
    assert sorted(path.name for path in root.rglob("*")) == ["a", "b", "sub", "three", "two", "y"]
    board.fs.copy(":/x", str(tmp_path / "got"))
    assert (tmp_path / "got").read_bytes() == CONTENT
    with pytest.raises(RemoteOSError) as caught:
        board.fs.write_bytes("/remote/none/x", b"")
    assert caught.value.errno == 2


def test_trees_there_and_back(board: Device, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "d" / "f").write_bytes(CONTENT)
    for target in ("/t", "t"):
        board.fs.copy(str(source), ":" + target, recursive=True)
        again = board.fs.copy(str(source) + "/", ":" + target, recursive=True)
        assert not again.plan.of("write")  # compared, and found the same
        board.fs.copy(":" + target, str(tmp_path / f"back{len(target)}"), recursive=True)
        assert (tmp_path / f"back{len(target)}" / "d" / "f").read_bytes() == CONTENT
    assert (root / "t" / "d" / "f").read_bytes() == CONTENT
    assert board.fs.hash("/t/d/f")["/t/d/f"] == board.fs.hash("t/d/f")["t/d/f"] == hashlib.sha256(CONTENT).hexdigest()


def test_the_whole_board_is_without_the_directory(board: Device, root: Path, tmp_path: Path) -> None:
    board.fs.mkdir("/lib")
    board.fs.write_bytes("/lib/m.py", b"m")
    board.fs.copy(":/", str(tmp_path / "all"), recursive=True)
    found = {str(path.relative_to(tmp_path / "all")) for path in (tmp_path / "all").rglob("*")}
    assert {"lib/m.py", "lib"} <= found
    assert not any(path.startswith("remote") for path in found)
    source = tmp_path / "empty"
    source.mkdir()
    plan = board.fs.sync(str(source), ":/", delete=True, dry_run=True).plan
    assert ":/lib/m.py" in {action.path for action in plan.of("delete")}
    assert not any("remote" in action.path for action in plan.actions)


def test_between_the_board_and_the_directory(board: Device, root: Path) -> None:
    board.drive(board.fs.ops.copy_on_board("a", "/a"))
    board.fs.move("/a", "moved")
    assert (root / "moved").read_bytes() == CONTENT
    assert [entry.name for entry in board.fs.ls()] == ["a", "moved", "sub"]
    assert {entry.name for entry in board.fs.walk("")} >= {"sub", "sub/b"}
    with pytest.raises(UsageError):
        board.fs.rmtree("sub")
    board.fs.remove("moved")
    assert "/remote" in {mount.path for mount in board.fs.df()} or not board.info.modules & {"vfs"}


def test_a_read_only_directory(board: Device, root: Path) -> None:
    board.drive(mounts_of(board).add(root, read_only=True))
    with pytest.raises(RemoteOSError) as caught:
        board.fs.write_bytes("x", b"")
    assert caught.value.errno == 30
    assert board.fs.read_bytes("a") == CONTENT


def test_a_request_in_the_middle_of_a_transfer_is_answered(board: Device, root: Path) -> None:
    # No command of ours makes one; the wire has to survive it all the same.
    mover = StreamMover(board.session, Capabilities())
    got: list[bytes] = []
    survey = board.drive(mover.survey([("/remote/a", -1), ("/remote/none", -1)], ["/remote/sub"]))
    assert [(status.kind, status.size) for status in survey.statuses] == [("file", len(CONTENT)), ("none", 0)]
    assert survey.listing == {"/remote/sub/b": 1}
    board.drive(mover.put(["/remote/new"], [PutItem("/remote/new/f", 1, lambda: (root / "sub/b").open("rb"))]))
    board.drive(mover.get([GetItem("/remote/a", len(CONTENT), CallSink(got.append))]))
    board.drive(mover.close())
    assert b"".join(got) == CONTENT
    assert (root / "new" / "f").read_bytes() == b"b"
    assert board.exec("print(1)") == "1\n"


@pytest.mark.rig
def test_one_line_of_commands(tmp_path: Path, root: Path, boards: Boards) -> None:
    port = boards.fresh("qemu").port
    (root / "a").write_bytes(b"content")
    (tmp_path / "x").write_bytes(b"x")

    def line(*words: str) -> str:
        command = [sys.executable, "-m", "upytool", "-d", port, "-q", "mount", str(root), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
        assert done.returncode == 0, done
        return done.stdout

    # With -q stdout is the program's, and what `cat` reads.
    assert line("cat", ":a") == "content"
    assert line("cp", "x", ":/x", "+", "cat", ":/x", "+", "rm", ":/x") == "x"
    assert line("exec", "print(5)").strip() == "5"
    assert line("cp", "x", ":in") == ""
    assert (root / "in").read_bytes() == b"x"


def test_a_directory_stays_readable_whatever_the_program_takes(board: Device) -> None:
    """The program behind a mount runs while the user's does, and depends on no name of it."""
    names = sorted(needs(snippet("mount"))[0])
    try:
        board.exec(f"import builtins\no=open\ns=setattr\nfor n in {names!r}:s(builtins,n,3)\n")
    except RemoteException as error:
        pytest.skip(f"this firmware's builtins stay: {error.kind}")
    board.exec("f=o('/remote/a','rb')\nd=f.read()\nf.close()\n")
    assert board.eval("d") == CONTENT


def test_a_mount_that_fails_serves_no_file_command(board: Device, tmp_path: Path) -> None:
    """What stands under the mount point then is the board's own."""
    board.fs.mkdir("/other")
    board.drive(mounts_of(board).remove())

    def broken(*_: object) -> Op[None]:
        yield from ()
        raise StreamError("it broke")

    mounts = mounts_of(board)
    mounts._place = broken  # type: ignore[method-assign,assignment]
    with pytest.raises(StreamError):
        board.drive(mounts.add(tmp_path, "/other"))
    board.fs.write_bytes("/other/x", b"1")
    assert not (tmp_path / "x").exists()


def test_a_file_of_the_users_is_not_taken_for_a_temporary_one(board: Device, root: Path) -> None:
    (root / "~upytool.tmp").write_bytes(b"mine")
    board.fs.write_bytes("/remote/a", b"new")
    assert (root / "a").read_bytes() == b"new"
    assert (root / "~upytool.tmp").read_bytes() == b"mine"
    assert sorted(path.name for path in root.iterdir()) == ["a", "sub", "~upytool.tmp"]
