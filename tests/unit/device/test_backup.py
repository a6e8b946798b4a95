"""Backup, restore and diff on a real MicroPython with a real LittleFS."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.board import Plug, connected
from tests.rigs.wire import Fault
from tests.unit.device.boards import InProcess, board_device, wire
from tests.unit.device.test_ladder import hide
from upytool.device.backup import default_name, other_board, topmost
from upytool.device.backup_file import MANIFEST, Backup, Reader, Writer
from upytool.device.device import Device
from upytool.device.info import BoardInfo
from upytool.device.scene import mount_of, within
from upytool.errors import (
    LocalFileError,
    RemoteOSError,
    StreamError,
    TransportError,
    UpytoolError,
    UsageError,
)
from upytool.events import Notice
from upytool.sim.wasm import WasmBoard
from upytool.testing import Recorder

BIG = os.urandom(30_000)
FILES = {
    "/main.py": b"print(1)\n",
    "/lib/big.bin": BIG,
    "/lib/empty.txt": b"",
    "/lib/sp ace/ä.txt": "ümläut\n".encode(),
    "/upytool-backup.json": b"a file of the user's with the list's name",
}


@pytest.fixture
def device() -> Iterator[Device]:
    with board_device() as device:
        yield device


def fill(device: Device) -> None:
    device.fs.mkdir("/lib/sp ace", parents=True)
    device.fs.mkdir("/void/inner", parents=True)
    device.fs.put_many(list(FILES.items()))


def contents(device: Device) -> dict[str, bytes | None]:
    """All that is on the board; None for a folder."""
    entries = device.fs.walk("/")
    found: dict[str, bytes | None] = {entry.name: None for entry in entries if entry.is_dir}
    return {**found, **device.fs.get_many([entry.name for entry in entries if not entry.is_dir])}


ENDINGS = ["tar", "tar.gz", "tgz", "zip", "bak"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_there_and_back(device: Device, tmp_path: Path, ending: str) -> None:
    fill(device)
    before = contents(device)
    file = tmp_path / f"b.{ending}"
    made = device.fs.backup(file)
    assert made.file == str(file)
    assert os.listdir(tmp_path) == [file.name], "no temporary file is left"
    assert {saved.path: saved.size for saved in made.backup.files} == {p: len(data) for p, data in FILES.items()}
    assert made.backup.board["build"] == "UPYTOOL_WASM"
    assert device.fs.diff(file).equal
    fs = device.fs
    fs.write_bytes("/main.py", b"other\n")
    fs.mkdir("/more")
    fs.write_bytes("/more/x", b"x")
    fs.rmtree("/lib")
    fs.rmtree("/void")
    found = {(d.path, d.how) for d in fs.diff(file).differences}
    gone = {(path[1:], "removed") for path in FILES if path.startswith("/lib")}
    assert found == gone | {("main.py", "changed"), ("more/x", "added"), ("void/inner/", "removed")}
    planned = fs.restore(file, delete=True, dry_run=True)
    assert fs.read_bytes("/main.py") == b"other\n"
    done = fs.restore(file, delete=True)
    assert done.plan.data() == planned.plan.data()
    assert contents(device) == before
    again = fs.restore(file, delete=True)
    assert not again.plan.changes
    assert again.data()["unchanged"] == len(FILES)


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_a_link_stays_a_link_and_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "real.tar").write_bytes(b"old")
    (tmp_path / "link.tar").symlink_to("real.tar")
    for name in ("fifo", "/dev/null"):
        with pytest.raises(LocalFileError):
            Writer(tmp_path / name)
    writer = Writer(tmp_path / "link.tar")
    writer.finish(Backup("/", "", {}, [], [], []))
    assert (tmp_path / "link.tar").is_symlink()
    with tarfile.open(tmp_path / "real.tar") as archive:
        assert archive.getnames() == [MANIFEST]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "link.tar", "real.tar"]


def test_without_delete_other_files_stay(device: Device, tmp_path: Path) -> None:
    fill(device)
    device.fs.backup(tmp_path / "b.tar")
    device.fs.write_bytes("/more", b"x")
    device.fs.remove("/main.py")
    result = device.fs.restore(tmp_path / "b.tar")
    assert [action.path for action in result.plan.of("write")] == [":/main.py"]
    assert set(contents(device)) >= {"/more", "/main.py"}


def test_the_archive_is_one_that_any_tool_opens(device: Device, tmp_path: Path) -> None:
    fill(device)
    device.fs.backup(tmp_path / "b.tar")
    device.fs.backup(tmp_path / "b.tar.gz")
    device.fs.backup(tmp_path / "b.zip")
    assert (tmp_path / "b.tar").stat().st_size % 10240 == 0
    plain, packed = (tmp_path / "b.tar").read_bytes(), gzip.decompress((tmp_path / "b.tar.gz").read_bytes())
    assert len(plain) == len(packed)
    with tarfile.open(tmp_path / "b.tar") as tar, zipfile.ZipFile(tmp_path / "b.zip") as archive:
        names = tar.getnames()
        assert names[:-1] == sorted(names[:4]) + sorted(names[4:-1], key=lambda name: name.split("/"))
        assert names[-1] == MANIFEST
        assert [name.rstrip("/") for name in archive.namelist()] == names
        assert archive.testzip() is None
        for path, data in FILES.items():
            member = tar.extractfile(f"files{path}")
            assert member is not None
            assert member.read() == data == archive.read(f"files{path}")
        listed = tar.extractfile(MANIFEST)
        assert listed is not None
        manifest = json.load(listed)
        now = datetime.now().timestamp()
        assert abs(tar.getmember("files/main.py").mtime - now) < 3600 * 15
    assert manifest["root"] == "/"
    assert manifest["mounts"][0]["path"] == "/"
    by_path = {file["path"]: file for file in manifest["files"]}
    for path, data in FILES.items():
        assert by_path[path]["sha256"] == hashlib.sha256(data).hexdigest()
        assert by_path[path]["mount"] == "/"


def test_the_same_files_give_the_same_archive(device: Device, tmp_path: Path) -> None:
    fill(device)

    def members(name: str) -> list[tuple[str, int, bytes]]:
        device.fs.backup(tmp_path / name)
        with tarfile.open(tmp_path / name) as tar:
            return [
                (m.name, int(m.mtime), (tar.extractfile(m) or io.BytesIO()).read())
                for m in tar
                if m.isreg() and m.name != MANIFEST
            ]

    assert members("1.tar") == members("2.tar.gz")


def test_one_folder_or_one_file(device: Device, tmp_path: Path) -> None:
    fill(device)
    made = device.fs.backup(tmp_path / "lib.tar", ":/lib")
    assert [file.path for file in made.backup.files] == sorted(p for p in FILES if p.startswith("/lib"))
    device.fs.backup(tmp_path / "one.tar", "/lib/big.bin")
    device.fs.rmtree("/lib")
    device.fs.write_bytes("/more", b"stays")
    result = device.fs.restore(tmp_path / "one.tar", delete=True)
    assert [action.path for action in result.plan.of("mkdir", "write")] == [":/lib", ":/lib/big.bin"]
    assert device.fs.read_bytes("/lib/big.bin") == BIG
    device.fs.restore(tmp_path / "lib.tar", ":/lib/sp ace", delete=True)
    assert set(contents(device)) >= {"/more", "/lib/sp ace/ä.txt", "/main.py"}
    assert not device.fs.exists("/lib/empty.txt")
    with pytest.raises(UsageError, match="nothing at /other"):
        device.fs.restore(tmp_path / "lib.tar", "/other")
    with pytest.raises(RemoteOSError) as caught:
        device.fs.backup(tmp_path / "none.tar", "/none")
    assert (caught.value.errno, caught.value.filename) == (2, "/none")
    assert not (tmp_path / "none.tar").exists()


def test_a_name_is_made_of_the_board_and_the_time(device: Device, tmp_path: Path) -> None:
    fill(device)
    made = device.fs.backup(tmp_path)
    assert Path(made.file).parent == tmp_path
    assert Path(made.file).name.startswith("UPYTOOL-WASM-6f6c21-20")
    when = datetime(2026, 1, 2, 3, 4, 5)
    assert default_name(BoardInfo(machine="Pico W with RP2040 / 2"), when) == "Pico-W-with-RP2040-2-20260102-030405.tar"
    assert default_name(BoardInfo(), when) == "board-20260102-030405.tar"


@pytest.mark.parametrize("lacks", [("hashlib",), ("hashlib", "binascii"), ("select",), ("vfs", "deflate")])
def test_boards_that_lack_something(lacks: tuple[str, ...], tmp_path: Path) -> None:
    with board_device(hide(*lacks)) as device:
        fill(device)
        file = tmp_path / "b.tar"
        device.fs.backup(file)
        assert device.fs.diff(file).equal
        device.fs.write_bytes("/main.py", b"print(2)\n")
        assert [d.path for d in device.fs.diff(file).differences] == ["main.py"]
        # A plain sum does not tell these two apart; then the content is compared.
        device.fs.write_bytes("/main.py", b"print)1(\n")
        assert [d.path for d in device.fs.diff(file).differences] == ["main.py"]
        device.fs.restore(file, delete=True)
        assert device.fs.read_bytes("/main.py") == FILES["/main.py"]


# -- other file systems ---------------------------------------------------------------------------

MOUNT_OTHER = """
import vfs, os
class {kind}:
    files = {{"a.txt": b"other"}}
    def mount(self, ro, mkfs): pass
    def umount(self): pass
    def ilistdir(self, p):
        return iter([(n, 0x8000, 0, len(d)) for n, d in self.files.items()])
    def stat(self, p):
        p = p.strip("/")
        if not p: return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        if p not in self.files: raise OSError(2)
        return (0x8000, 0, 0, 0, 0, 0, len(self.files[p]), 0, 0, 0)
    def statvfs(self, p): return (512, 512, 64, 32, 32, 0, 0, 0, 0, 255)
    def open(self, p, mode):
        import io
        if "w" in mode: raise OSError(30)
        return io.BytesIO(self.files[p.strip("/")])
vfs.mount({kind}(), {at!r})
"""


def put_up(device: Device, kind: str, at: str) -> None:
    device.exec(MOUNT_OTHER.format(kind=kind, at=at))


def test_what_else_is_mounted(device: Device, tmp_path: Path) -> None:
    device.fs.write_bytes("/f", b"1")
    put_up(device, "VfsRom", "/rom")
    put_up(device, "Volume", "/here")
    put_up(device, "Card", "/sd")
    if {mount.path for mount in device.fs.df()} < {"/", "/rom", "/here", "/sd"}:
        pytest.fail("the board does not tell its mounts")
    made = device.fs.backup(tmp_path / "b.tar").backup
    assert {file.path: file.mount for file in made.files} == {"/f": "/", "/sd/a.txt": "/sd"}
    assert {str(mount["path"]) for mount in made.mounts} == {"/", "/sd"}
    assert "/rom" not in made.folders
    rom = device.fs.backup(tmp_path / "rom.tar", "/rom").backup
    assert [file.path for file in rom.files] == ["/rom/a.txt"]
    with pytest.raises(UsageError, match="directory of this computer"):
        device.fs.backup(tmp_path / "no.tar", "/here")
    # What was not saved is not deleted; what was saved has to be there.
    plan = device.fs.restore(tmp_path / "b.tar", delete=True, dry_run=True).plan
    assert not plan.changes
    assert device.fs.diff(tmp_path / "b.tar").equal
    device.exec("import vfs\nvfs.umount('/sd')")
    with pytest.raises(UsageError, match="nothing is mounted at /sd"):
        device.fs.restore(tmp_path / "b.tar")
    device.fs.restore(tmp_path / "b.tar", "/f")


def test_a_card_that_was_not_there_then_is_left_alone(device: Device, tmp_path: Path) -> None:
    device.fs.write_bytes("/f", b"1")
    device.fs.backup(tmp_path / "b.tar")
    put_up(device, "Card", "/sd")
    assert device.fs.diff(tmp_path / "b.tar").equal
    assert not device.fs.restore(tmp_path / "b.tar", delete=True).plan.changes


def test_a_plain_folder_of_the_name_remote_is_saved(device: Device, tmp_path: Path) -> None:
    device.fs.mkdir("/remote")
    device.fs.write_bytes("/remote/f", b"1")
    assert [file.path for file in device.fs.backup(tmp_path / "b.tar").backup.files] == ["/remote/f"]


# -- damage ---------------------------------------------------------------------------------------


def altered(file: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> Path:
    """A copy of a plain tar whose members `change` has edited."""
    members = []
    with tarfile.open(file) as tar:
        for info in tar:
            found = tar.extractfile(info)
            members.append((info, found.read() if found else b""))
    change(members)
    other = file.with_name("altered.tar")
    with tarfile.open(other, "w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return other


def manifest_with(members: list[tuple[tarfile.TarInfo, bytes]], change: Callable[[Any], None]) -> None:
    info, data = members[-1]
    listed = json.loads(data)
    change(listed)
    members[-1] = (info, json.dumps(listed).encode())


def extra(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> Callable[[Any], None]:
    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        members.insert(0, (info, b"" if kind != tarfile.REGTYPE else b"evil"))

    return change


BAD: dict[str, Callable[[Any], None]] = {
    "up": extra("files/../../evil"),
    "up with the other slash": extra("files/lib\\..\\..\\evil"),
    "a name too long": extra("files/" + "n" * 256),
    "up in the list": lambda m: manifest_with(m, lambda d: d["files"][0].update(path="/../evil")),
    "directory up in the list": lambda m: manifest_with(m, lambda d: d["folders"].append("/lib/../../evil")),
    "root up": lambda m: manifest_with(m, lambda d: d.update(root="/..")),
    "absolute": extra("/evil"),
    "beside": extra("evil"),
    "link": extra("files/evil", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": extra("files/evil", tarfile.LNKTYPE, "files/main.py"),
    "device": extra("files/evil", tarfile.CHRTYPE),
    "not listed": extra("files/evil"),
    "twice": extra("files/main.py"),
    "gone": lambda m: m.pop(-2),
    "no list": lambda m: m.pop(),
    "list of another kind": lambda m: manifest_with(m, lambda d: d.update(format="x")),
    "newer": lambda m: manifest_with(m, lambda d: d.update(version=2)),
    "list without files": lambda m: manifest_with(m, lambda d: d.pop("files")),
    "list is a list": lambda m: m.append((m.pop()[0], b"[]")),
    "list is not json": lambda m: m.append((m.pop()[0], b"{")),
    "content": lambda m: m.insert(-1, (m[-2][0], m.pop(-2)[1] + b"!")),
}


@pytest.fixture(scope="module")
def one_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Device, Path]]:
    """A filled board and its backup, for tests that change nothing."""
    with board_device() as device:
        fill(device)
        file = tmp_path_factory.mktemp("one") / "b.tar"
        device.fs.backup(file)
        device.fs.write_bytes("/main.py", b"good")
        yield device, file


def refuses(device: Device, file: Path) -> None:
    up = wire(device).up
    with pytest.raises(LocalFileError) as caught:
        device.fs.restore(file, delete=True)
    assert caught.value.hint.startswith("nothing was changed")
    assert wire(device).up == up, "the board was not even asked"
    assert device.fs.read_bytes("/main.py") == b"good"


@pytest.mark.parametrize("how", BAD)
def test_what_does_not_agree_with_its_list_is_refused(one_board: tuple[Device, Path], how: str) -> None:
    device, file = one_board
    refuses(device, altered(file, BAD[how]))


def test_an_archive_that_is_cut_off_or_damaged_anywhere(one_board: tuple[Device, Path], tmp_path: Path) -> None:
    device, plain = one_board
    for ending in ("tar", "tar.gz", "zip"):
        file = tmp_path / f"b.{ending}"
        if ending == "tar":
            file.write_bytes(plain.read_bytes())
        else:
            device.fs.backup(file)
        whole = file.read_bytes()
        end = len(whole.rstrip(b"\0"))
        for cut in (*range(0, end, end // 13), end - 1):
            file.write_bytes(whole[:cut])
            with pytest.raises(LocalFileError):
                Reader(file)
        found = 0
        for at in range(7, end, end // 29):
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
            try:
                with Reader(file):
                    pass
            except LocalFileError:
                found += 1
        assert found >= 28, "one may hit a time stamp or a padding"
    file.write_bytes(whole[: end // 2])
    refuses(device, file)
    file.write_text("something else")
    refuses(device, file)


def test_no_archive_at_all(one_board: tuple[Device, Path], tmp_path: Path) -> None:
    device, _ = one_board
    with pytest.raises(LocalFileError, match="no such file"):
        device.fs.restore(tmp_path / "none.tar")
    with pytest.raises(LocalFileError):
        device.fs.backup(tmp_path / "no" / "b.tar")
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    refuses(device, tmp_path / "empty.tar")


def test_paths() -> None:
    assert all(within(path, top) for path, top in [("/a/b", "/a"), ("/a", "/a"), ("/a", "/")])
    assert not within("/ab", "/a")
    assert mount_of("/sd/x", ["/", "/sd"]) == "/sd"
    assert mount_of("/sdx", ["/", "/sd"]) == "/"
    assert mount_of("/x", []) == "/"
    assert topmost(["/b/c", "/a/b", "/a", "/a-b", "/b/c/d"]) == ["/a", "/a-b", "/b/c"]


def test_a_file_that_changes_meanwhile_makes_no_backup(device: Device, tmp_path: Path) -> None:
    fill(device)
    (tmp_path / "b.tar").write_bytes(b"the old backup")
    mover = device.fs.ops.mover()
    real = type(mover).survey

    def lying(self: Any, *args: Any) -> Any:
        survey = yield from real(self, *args)
        return replace(survey, statuses=[s._replace(digest=bytes(len(s.digest))) for s in survey.statuses])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(mover), "survey", lying)
        with pytest.raises(StreamError) as caught:
            device.fs.backup(tmp_path / "b.tar")
        assert caught.value.code == "protocol.stream.backup-altered"
    assert os.listdir(tmp_path) == ["b.tar"]
    assert (tmp_path / "b.tar").read_bytes() == b"the old backup"
    device.fs.backup(tmp_path / "b.tar")
    assert device.fs.diff(tmp_path / "b.tar").equal


# -- space, other boards --------------------------------------------------------------------------


def test_what_does_not_fit_is_refused_before_the_first_byte(tmp_path: Path) -> None:
    with board_device(flash_size=1 << 20) as big:
        big.fs.write_bytes("/a", b"new")
        big.fs.write_bytes("/big", os.urandom(300_000))
        big.fs.backup(tmp_path / "b.tar")
    with board_device(flash_size=1 << 18) as small:
        small.fs.write_bytes("/a", b"old")
        with pytest.raises(RemoteOSError) as caught:
            small.fs.restore(tmp_path / "b.tar")
        assert caught.value.errno == 28
        assert contents(small) == {"/a": b"old"}


def test_what_goes_makes_room_for_what_comes(tmp_path: Path) -> None:
    with board_device(flash_size=1 << 19) as device:
        device.fs.write_bytes("/wanted", os.urandom(300_000))
        device.fs.backup(tmp_path / "b.tar")
        device.fs.remove("/wanted")
        device.fs.write_bytes("/other", os.urandom(300_000))
        with pytest.raises(RemoteOSError) as caught:
            device.fs.restore(tmp_path / "b.tar")
        assert caught.value.errno == 28
        device.fs.restore(tmp_path / "b.tar", delete=True)
        assert list(contents(device)) == ["/wanted"]


def test_the_backup_of_another_board_is_told(device: Device, tmp_path: Path) -> None:
    device.fs.write_bytes("/a", b"1")
    device.fs.backup(tmp_path / "b.tar")
    recorder = Recorder()
    with (
        WasmBoard(flash_size=1 << 20, unique_id=b"another!") as board,
        Device(InProcess(board), reporter=recorder) as other,
    ):
        other.fs.restore(tmp_path / "b.tar")
        assert other.fs.read_bytes("/a") == b"1"
    warnings = [event.message for event in recorder.of(Notice) if event.level == "warning"]
    assert len(warnings) == 1
    assert "another board" in warnings[0]
    assert "757079746f6f6c21" in warnings[0]


def test_which_board_is_another() -> None:
    board = {"unique_id": "1", "build": "A", "machine": "M"}
    assert other_board(board, board) == ""
    assert other_board(board, {**board, "unique_id": "2"}) == "M, id 1"
    assert other_board({**board, "unique_id": ""}, board) == ""
    assert other_board({**board, "unique_id": ""}, {**board, "build": "B"}) == "M"
    assert other_board({}, board) == ""


def test_memory_stays_flat(tmp_path: Path) -> None:
    with board_device(flash_size=4 << 20) as device:
        device.fs.write_bytes("/warm", bytes(100))
        device.fs.backup(tmp_path / "warm.tar")
        for number in range(2):
            device.exec(f"with open('/big{number}', 'wb') as f:\n for i in range(375): _ = f.write(bytes(4096))")
        tracemalloc.start()
        try:
            device.fs.backup(tmp_path / "b.tar")
            device.fs.rmtree("/big0")
            device.fs.restore(tmp_path / "b.tar")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert (tmp_path / "b.tar").stat().st_size > 3_000_000
        assert peak < 1_500_000, f"{peak} bytes at once"


# -- a wire that is cut ---------------------------------------------------------------------------


def test_a_restore_that_is_cut_off_leaves_old_or_new_files(tmp_path: Path) -> None:
    old = {f"/f{number}": f"old {number}".encode() * 30 for number in range(6)}
    new = {path: os.urandom(900) for path in old}
    with WasmBoard(flash_size=1 << 20) as board:
        plug = Plug(board)
        file = tmp_path / "b.tar"
        with connected(plug) as (device, wired):
            device.fs.put_many(list(new.items()))
            device.fs.backup(file)
        with connected(plug) as (device, wired):
            device.fs.put_many(list(old.items()))
            device.fs.restore(file)
            length = wired.up
        seen = set()
        for at in range(length // 3, length, length // 12):
            with connected(plug) as (device, _):
                device.fs.put_many(list(old.items()))
            with (
                contextlib.suppress(TransportError),
                connected(plug, [Fault("vanish", "up", at)]) as (device, _),
            ):
                device.fs.restore(file, delete=True)
            with connected(plug) as (device, _):
                now = contents(device)
                assert set(now) == set(old), "nothing beside them"
                assert all(data in (old[path], new[path]) for path, data in now.items())
                seen.add(sum(data == new[path] for path, data in now.items()))
        assert len(seen) > 2, "it was cut at several places"
        plug.close()


def test_a_backup_that_is_cut_off_leaves_the_old_one(tmp_path: Path) -> None:
    with WasmBoard(flash_size=1 << 20) as board:
        plug = Plug(board)
        with connected(plug) as (device, wired):
            device.fs.put_many([(f"/f{number}", os.urandom(2000)) for number in range(5)])
        file = tmp_path / "b.tar"
        file.write_bytes(b"old")
        with connected(plug) as (device, wired):
            device.fs.backup(tmp_path / "whole.tar")
            length = wired.down
        (tmp_path / "whole.tar").unlink()
        for at in (length // 2, length - 3000):
            with pytest.raises(UpytoolError), connected(plug, [Fault("vanish", "down", at)]) as (device, _):
                device.fs.backup(file)
            assert os.listdir(tmp_path) == ["b.tar"]
            assert file.read_bytes() == b"old"
        plug.close()


# -- diff -----------------------------------------------------------------------------------------


def project(folder: Path) -> Path:
    for name, text in {
        "main.py": "import lib\nprint(1)\n",
        "lib/a.py": "A = 1\n" * 50,
        "lib/b.bin": "\0binary",
        ".git/config": "no",
        "__pycache__/x.pyc": "no",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder


def test_a_folder_and_the_board(device: Device, tmp_path: Path) -> None:
    source = project(tmp_path / "src")
    device.fs.sync(source, ":/app")
    result = device.fs.diff(source, ":/app")
    assert (result.equal, result.same) == (True, 3)
    starts = wire(device).log.count(b"\x05A\x01")
    device.fs.diff(source, ":/app")
    assert wire(device).log.count(b"\x05A\x01") == starts + 1, "one program"
    device.fs.write_bytes("/app/main.py", b"import lib\nprint(2)\n")
    device.fs.write_bytes("/app/lib/b.bin", b"\0binari")
    device.fs.write_bytes("/app/lib/c.py", b"")
    device.fs.mkdir("/app/.git")
    device.fs.write_bytes("/app/.git/x", b"not compared")
    device.fs.mkdir("/app/void")
    (source / "new.py").write_text("1")
    result = device.fs.diff(source, ":/app", text=True)
    assert [(d.how, d.path) for d in result.differences] == [
        ("changed", "lib/b.bin"),
        ("added", "lib/c.py"),
        ("changed", "main.py"),
        ("removed", "new.py"),
        ("added", "void/"),
    ]
    assert list(result.texts) == ["main.py"]
    assert result.texts["main.py"][-2:] == ["-print(1)", "+print(2)"]
    back = device.fs.diff(":/app", source, text=True)
    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [(turned[d.how], d.path) for d in result.differences] == [(d.how, d.path) for d in back.differences]
    assert back.texts["main.py"][-2:] == ["-print(2)", "+print(1)"]
    everything = device.fs.diff(source, ":/app", default_ignores=False)
    assert ".git/config" in [d.path for d in everything.differences]
    assert "lib/c.py" not in [d.path for d in device.fs.diff(source, ":/app", ignore=["c.py"]).differences]


def test_a_folder_and_the_whole_board(device: Device, tmp_path: Path) -> None:
    source = project(tmp_path / "src")
    device.fs.sync(source, ":/")
    put_up(device, "Volume", "/here")
    for root in (":/", ":"):
        assert device.fs.diff(source, root).equal


def test_two_files(device: Device, tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("a\nb\n")
    device.fs.mkdir("/lib")
    device.fs.write_text("/m.py", "a\nb\n")
    device.fs.write_text("/lib/m.py", "a\nc\n")
    assert device.fs.diff(tmp_path / "m.py", ":m.py").equal
    assert device.fs.diff(tmp_path / "m.py", ":/").equal
    result = device.fs.diff(tmp_path / "m.py", ":/lib", text=True)
    assert [(d.how, d.path, d.left, d.right) for d in result.differences] == [("changed", "", 4, 4)]
    assert result.texts[""][-2:] == ["-b", "+c"]
    result = device.fs.diff(":/m.py", ":/lib/m.py", text=True)
    assert result.texts[""][-2:] == ["-b", "+c"]
    with pytest.raises(RemoteOSError):
        device.fs.diff(tmp_path / "m.py", ":/none.py")


def test_two_folders_of_the_board(device: Device) -> None:
    for folder in ("/a", "/b"):
        device.fs.mkdir(folder + "/sub", parents=True)
        device.fs.put_many([(folder + "/x", b"same"), (folder + "/sub/y", b"1" + folder.encode())])
    device.fs.write_bytes("/a/only", b"")
    device.fs.mkdir("/b/void")
    result = device.fs.diff(":/a", ":b")
    assert [(d.how, d.path) for d in result.differences] == [
        ("removed", "only"),
        ("changed", "sub/y"),
        ("added", "void/"),
    ]
    assert result.same == 1
    assert device.fs.diff(":/a", ":/a").equal
    with pytest.raises(UsageError):
        device.fs.diff(":/a", ":/a/x")
    with pytest.raises(RemoteOSError):
        device.fs.diff(":/a", ":/none")


def test_a_part_of_a_backup(device: Device, tmp_path: Path) -> None:
    fill(device)
    device.fs.backup(tmp_path / "b.tar")
    device.fs.write_bytes("/main.py", b"changed")
    assert device.fs.diff(tmp_path / "b.tar", ":/lib").equal
    device.fs.write_bytes("/lib/empty.txt", b"no more")
    assert [d.path for d in device.fs.diff(tmp_path / "b.tar", ":/lib").differences] == ["empty.txt"]
    assert not device.fs.diff(tmp_path / "b.tar", ":/lib/empty.txt").equal
    # Beside a file of such a name it is a file.
    device.fs.put(tmp_path / "b.tar", "/b.tar")
    assert device.fs.diff(tmp_path / "b.tar", ":/b.tar").equal


def test_what_cannot_be_compared(device: Device, tmp_path: Path) -> None:
    source = project(tmp_path / "src")
    device.fs.write_bytes("/f", b"1")
    for left, right, problem in [
        (source, tmp_path, "one of the two"),
        (source, "", "nothing to compare"),
        (":/f", "", "one of the two"),
        (source, ":/f", "is a file"),
    ]:
        with pytest.raises(UsageError, match=problem):
            device.fs.diff(left, right)
    with pytest.raises(RemoteOSError):
        device.fs.diff(source, ":/none")
    with pytest.raises(LocalFileError):
        device.fs.diff(tmp_path / "none", ":/f")
