"""What a copy promises, on a real MicroPython with a real LittleFS."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.device.boards import board_device, wire
from upytool.device.device import Device
from upytool.device.stream import Server
from upytool.errors import (
    LocalFileError,
    OperationInterrupted,
    RemoteError,
    RemoteOSError,
    StreamError,
    UsageError,
)
from upytool.events import Event, Notice, TaskAdvanced, TaskStarted


class Record:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    @property
    def warnings(self) -> list[str]:
        return [e.message for e in self.events if isinstance(e, Notice) and e.level == "warning"]


@pytest.fixture
def device() -> Iterator[Device]:
    with board_device() as device:
        yield device


def names(device: Device, path: str = "/") -> list[str]:
    return [entry.name for entry in device.fs.ls(path)]


def project(folder: Path) -> Path:
    for name, text in {
        "main.py": "import lib\n",
        "lib/__init__.py": "X = 1\n" * 30,
        "lib/b.py": "def f():\n    return 2\n",
        "data/a.bin": "ab",
        ".git/config": "no",
        "__pycache__/x.pyc": "no",
        ".hidden": "no",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


# -- the old file stays ---------------------------------------------------------------------------


def test_a_full_disk_keeps_the_old_file() -> None:
    with board_device(flash_size=32 * 4096) as device:
        fs = device.fs
        old = os.urandom(40_000)
        fs.write_bytes("/main.py", old)
        with pytest.raises(RemoteOSError) as caught:
            fs.write_bytes("/main.py", os.urandom(100_000))
        assert caught.value.errno == 28
        assert "--in-place" in caught.value.hint
        assert fs.read_bytes("/main.py") == old
        new = os.urandom(100_000)
        fs.write_bytes("/main.py", new, in_place=True)
        assert fs.read_bytes("/main.py") == new
        assert names(device) == ["main.py"]


def test_a_disk_that_fills_up_meanwhile_keeps_the_old_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upytool.device.fs_ops.check_space", lambda space, writes: None)
    with board_device(flash_size=32 * 4096) as device:
        old = b"old" * 10_000
        device.fs.write_bytes("/main.py", old)
        with pytest.raises(RemoteOSError) as caught:
            device.fs.write_bytes("/main.py", os.urandom(130_000))
        assert caught.value.errno == 28
        assert device.fs.read_bytes("/main.py") == old
        assert names(device) == ["main.py"]
        device.fs.write_bytes("/main.py", b"next")
        assert device.exec("print(open('/main.py').read())") == "next\n"


def write_often(device: Device, data: bytes) -> None:
    for _ in range(20):
        device.fs.write_bytes("/main.py", data)


def test_ctrl_c_keeps_the_old_file(device: Device) -> None:
    old = b"old" * 100
    device.fs.write_bytes("/main.py", old)
    for wait in (0.02, 0.08, 0.15):
        timer = threading.Timer(wait, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with pytest.raises(OperationInterrupted):
            write_often(device, random.Random(1).randbytes(200_000))
        timer.join()
        assert device.fs.read_bytes("/main.py") in (old, random.Random(1).randbytes(200_000))
        assert names(device) == ["main.py"]


def test_a_failing_local_file_keeps_the_old_one(device: Device, tmp_path: Path) -> None:
    device.fs.write_bytes("/a", b"old")

    class Broken:
        def read(self, count: int) -> bytes:
            raise OSError(5, "broken disk")

        def __enter__(self) -> Broken:
            return self

        def __exit__(self, *_: object) -> None:
            return

    from upytool.device.mover import PutItem
    from upytool.device.transfer import StreamMover

    def work() -> object:
        mover = StreamMover(device.session, device.fs.ops.can)
        yield from mover.put([], [PutItem("/a", 3, lambda: Broken())])  # type: ignore[arg-type, return-value]

    with pytest.raises(LocalFileError):
        device.drive(work())  # type: ignore[arg-type]
    assert device.fs.read_bytes("/a") == b"old"
    assert names(device) == ["a"]


def test_what_the_board_refuses_is_not_sent_to_its_end(device: Device) -> None:
    device.fs.write_bytes("/a", b"x" * 5000)  # all that a first transfer sends has gone over
    before = wire(device).up
    with pytest.raises(RemoteOSError) as caught:
        device.fs.write_bytes("/none/f", os.urandom(1_000_000))
    assert caught.value.errno == 2
    assert wire(device).up - before < 20_000


def test_one_file_to_its_own_name_is_looked_at_once(device: Device, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1234")
    turns = []
    for dest in (":", ":a.txt", ":/a.txt"):
        device.exec("import os\nif 'a.txt' in os.listdir('/'): os.remove('/a.txt')")
        before = wire(device).turns
        device.fs.copy([str(tmp_path / "a.txt")], dest)
        turns.append(wire(device).turns - before)
        assert device.fs.read_bytes("/a.txt") == b"1234"
        assert not device.fs.copy([str(tmp_path / "a.txt")], dest).plan.changes
    assert turns[0] == turns[1] == turns[2]


def test_a_rename_that_a_power_cut_stopped_is_finished(device: Device) -> None:
    device.exec("f=open('/m.py.upynew','wb')\nf.write(b'whole')\nf.close()")
    with pytest.raises(RemoteOSError):
        device.fs.write_bytes("/m.py/x", b"")
    monkey = "import os\nos.mkdir('/d')\nf=open('/d/m.py','wb')\nf.write(b'old')\nf.close()\n"
    device.exec(monkey + "f=open('/d/m.py.upynew','wb')\nf.write(b'cut')\nf.close()")
    device.fs.write_bytes("/d/m.py", b"next")
    assert names(device, "/d") == ["m.py"]
    device.fs.write_bytes("/m.py", b"new")
    assert device.fs.read_bytes("/m.py") == b"new"
    assert names(device) == ["d", "m.py"]


def test_a_folder_is_not_overwritten(device: Device) -> None:
    device.fs.mkdir("/d")
    with pytest.raises(RemoteOSError) as caught:
        device.fs.write_bytes("/d", b"x")
    assert caught.value.errno == 21
    assert device.fs.is_dir("/d")


def test_a_download_that_fails_leaves_the_local_file(device: Device, tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_text("mine")
    with pytest.raises(RemoteOSError):
        device.fs.get("/nope", target)
    assert target.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [target]


# -- copy -----------------------------------------------------------------------------------------


def test_cp_means_what_mpremotes_means(device: Device, tmp_path: Path) -> None:
    fs = device.fs
    project(tmp_path / "p")
    main = str(tmp_path / "p" / "main.py")
    fs.copy(main, ":")
    fs.copy(main, ":/renamed.py")
    fs.mkdir("/d")
    fs.copy([main, str(tmp_path / "p" / "lib" / "b.py")], ":/d")
    fs.copy(main, ":/d/")
    assert names(device) == ["d", "main.py", "renamed.py"]
    assert names(device, "/d") == ["b.py", "main.py"]
    fs.copy(str(tmp_path / "p"), ":", recursive=True)
    assert names(device, "/p") == ["data", "lib", "main.py"]
    fs.copy(str(tmp_path / "p"), ":/q", recursive=True)
    fs.copy(str(tmp_path / "p") + "/", ":/r", recursive=True)
    assert names(device, "/q") == names(device, "/r") == ["data", "lib", "main.py"]
    fs.copy(":/q", ":/s", recursive=True)
    fs.copy(":/q", ":/s", recursive=True)
    assert names(device, "/s") == ["data", "lib", "main.py", "q"]
    fs.copy(":/q/", str(tmp_path / "back"), recursive=True)
    assert (tmp_path / "back" / "lib" / "b.py").read_text() == "def f():\n    return 2\n"
    fs.copy([":/main.py", ":/renamed.py"], str(tmp_path))
    assert (tmp_path / "renamed.py").exists()


@pytest.mark.parametrize(
    ("sources", "dest", "recursive"),
    [
        (["p"], ":", False),
        (["p/main.py"], ":/none/", False),
        (["p/main.py", "p/lib/b.py"], ":/none", False),
        (["p/main.py", "p/lib/b.py"], ":/file", False),
        (["p"], ":/file", True),
        ([":/nope"], ".", False),
        (["nope"], ":", False),
        ([":/dir"], ".", False),
    ],
)
def test_cp_refuses(device: Device, tmp_path: Path, sources: list[str], dest: str, recursive: bool) -> None:
    project(tmp_path / "p")
    device.fs.write_bytes("/file", b"x")
    device.fs.mkdir("/dir")
    full = [source if source.startswith(":") else str(tmp_path / source) for source in sources]
    with pytest.raises((UsageError, RemoteOSError, LocalFileError)) as caught:
        device.fs.copy(full, dest if dest.startswith(":") else str(tmp_path), recursive=recursive)
    assert str(caught.value)
    assert device.exec("print(1)") == "1\n"
    assert device.fs.read_bytes("/file") == b"x"


def test_unchanged_files_are_not_sent_and_it_takes_two_questions(device: Device, tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"m{number:03}.py").write_text(f"# {number}\n" * 40)
    fs = device.fs
    first = fs.copy(str(tmp_path) + "/", ":/lib", recursive=True)
    assert len(first.plan.of("write")) == 200
    link = wire(device)
    up, down = link.up, link.down
    again = fs.copy(str(tmp_path) + "/", ":/lib", recursive=True)
    assert not again.plan.changes
    # At 115,200 baud this is the half second that the target leaves; the sizes are exact and do not depend on load.
    assert link.up - up < 4500
    assert link.down - down < 3500
    assert len(fs.copy(str(tmp_path) + "/", ":/lib", recursive=True, force=True).plan.of("write")) == 200
    (tmp_path / "m007.py").write_text(f"# {8}\n" * 40)
    assert [a.path for a in fs.copy(str(tmp_path) + "/", ":/lib", recursive=True).plan.of("write")] == [":/lib/m007.py"]


def test_source_text_is_packed_on_the_way(device: Device, tmp_path: Path) -> None:
    source = b"".join(b"def name_%d(argument):\n    return argument * %d\n" % (n, n) for n in range(1500))
    device.fs.write_bytes("/warm", b"x")
    link = wire(device)
    before = link.up
    device.fs.write_bytes("/t.py", source)
    assert link.up - before < len(source) / 4
    before = link.up
    noise = os.urandom(50_000)
    device.fs.write_bytes("/n", noise)
    assert link.up - before < len(noise) * 127 / 123 + 4500


def test_byte_03_never_travels_in_a_stream(device: Device) -> None:
    data = bytes([3]) * 1000 + bytes(range(256)) * 20
    device.fs.write_bytes("/warm", b"x")
    link = wire(device)
    link.log.clear()
    device.fs.write_bytes("/f", data)
    assert b"\x03" not in link.log
    assert device.fs.read_bytes("/f") == data


def test_ignores(device: Device, tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    (folder / ".upytoolignore").write_text("*.bin\n!.hidden\n")
    device.fs.copy(str(folder) + "/", ":/a", recursive=True)
    assert {e.name for e in device.fs.walk("/a") if not e.is_dir} == {
        "/a/main.py",
        "/a/lib/__init__.py",
        "/a/lib/b.py",
        "/a/.hidden",
    }
    device.fs.copy(str(folder) + "/", ":/b", recursive=True, default_ignores=False, ignore=["lib/"])
    assert "/b/.git/config" in {e.name for e in device.fs.walk("/b")}
    assert not device.fs.exists("/b/lib")


def test_mpy_on_the_way(device: Device, tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    device.fs.copy(str(folder) + "/", ":/", recursive=True)
    plan = device.fs.copy(str(folder) + "/", ":/", recursive=True, mpy=True).plan
    assert [a.path for a in plan.of("delete")] == [":/lib/__init__.py", ":/lib/b.py"]
    assert names(device, "/lib") == ["__init__.mpy", "b.mpy"]
    assert device.fs.read_text("/main.py") == "import lib\n"
    assert device.exec("import lib.b\nprint(lib.b.f())") == "2\n"
    (folder / "lib" / "b.py").write_text("def (:\n")
    with pytest.raises(Exception, match=r"b\.py:1: SyntaxError"):
        device.fs.copy(str(folder) + "/", ":/", recursive=True, mpy=True)


def test_a_wrong_mpy_is_told(device: Device, tmp_path: Path) -> None:
    report = Record()
    device.reporter = report
    (tmp_path / "old.mpy").write_bytes(b"M\x05\x00\x1f")
    device.fs.write_bytes("/old.py", b"")
    device.fs.copy(str(tmp_path / "old.mpy"), ":/")
    assert any("version 5" in text for text in report.warnings)
    assert any(":/old.py hides" in text for text in report.warnings)


def test_progress_is_told(device: Device, tmp_path: Path) -> None:
    report = Record()
    device.reporter = report
    (tmp_path / "x").write_bytes(bytes(50_000))
    device.fs.copy(str(tmp_path / "x"), ":/x")
    started = next(e for e in report.events if isinstance(e, TaskStarted))
    done = [e.done for e in report.events if isinstance(e, TaskAdvanced)]
    assert started.total == 50_000
    assert done == sorted(done)
    assert done[-1] == 50_000


# -- sync -----------------------------------------------------------------------------------------


def test_sync(device: Device, tmp_path: Path) -> None:
    folder = project(tmp_path / "p")
    fs = device.fs
    fs.mkdir("/app/old/deep", parents=True)
    fs.write_bytes("/app/old/deep/x", b"x")
    fs.write_bytes("/app/log.txt", b"keep me")
    fs.mkdir("/app/.upytool")
    fs.write_bytes("/app/.upytool/list", b"ours")
    dry = fs.sync(folder, ":/app", delete=True, keep=["*.txt"], dry_run=True)
    assert [a.path for a in dry.plan.of("rmdir")] == [":/app/old/deep", ":/app/old"]
    assert fs.exists("/app/old/deep/x")
    assert not fs.exists("/app/main.py")
    fs.sync(folder, ":/app", delete=True, keep=["*.txt"])
    assert names(device, "/app") == [".upytool", "data", "lib", "log.txt", "main.py"]
    assert not fs.sync(folder, ":/app", delete=True, keep=["*.txt"]).plan.changes
    fs.write_bytes("/app/lib/b.py", b"# changed there\n")
    (folder / "extra").write_text("here only")
    fs.sync(folder, ":/app", pull=True, delete=True)
    assert (folder / "lib" / "b.py").read_text() == "# changed there\n"
    assert not (folder / "extra").exists()
    assert (folder / "log.txt").exists()
    assert (folder / ".git" / "config").exists(), "what is ignored is not deleted"


def test_sync_makes_room_when_it_has_to(tmp_path: Path) -> None:
    with board_device(flash_size=32 * 4096) as device:
        device.fs.write_bytes("/old.bin", os.urandom(70_000))
        (tmp_path / "new.bin").write_bytes(os.urandom(80_000))
        device.fs.sync(tmp_path, ":/", delete=True)
        assert names(device) == ["new.bin"]


def test_a_pull_deletes_a_link_and_not_what_it_leads_to(device: Device, tmp_path: Path) -> None:
    precious = tmp_path / "documents"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    local = tmp_path / "data"
    local.mkdir()
    (local / "link").symlink_to(precious)
    device.fs.mkdir("/data")
    device.fs.write_bytes("/data/x", b"x")
    device.fs.sync(local, ":/data", pull=True, delete=True)
    assert (precious / "thesis.txt").read_text() == "years of work"
    assert sorted(os.listdir(local)) == ["x"]


def test_what_is_no_regular_file_is_written_to_and_never_replaced(device: Device, tmp_path: Path) -> None:
    device.fs.write_bytes("/x", b"12345")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    device.fs.copy(":/x", str(fifo))
    reader.join(10)
    assert got == [b"12345"]
    assert fifo.is_fifo()
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    device.fs.copy(":/x", str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"12345"


# -- mv -------------------------------------------------------------------------------------------


def test_mv_loses_nothing(device: Device) -> None:
    fs = device.fs
    fs.mkdir("/a")
    fs.write_bytes("/a/x", b"x")
    for target in ("/a", "/a/sub", "a/sub"):
        with pytest.raises(UsageError, match="into itself"):
            fs.move("/a", target)
    assert fs.read_bytes("/a/x") == b"x"
    fs.move("/a/x", "a/./x")
    assert fs.read_bytes("/a/x") == b"x"


def test_mv_merges_no_folders_where_the_file_system_refuses() -> None:
    # FAT answers EEXIST where LittleFS answers ENOTEMPTY.
    refuse = "import os\n_r=os.rename\ndef f(a,b):\n raise OSError(17)\nos.rename=f"
    with board_device() as device:
        fs = device.fs
        fs.mkdir("/b/a", parents=True)
        fs.mkdir("/a")
        fs.write_bytes("/a/x", b"new")
        fs.write_bytes("/b/a/x", b"old")
        try:
            device.exec(refuse)
        except Exception:
            pytest.skip("os cannot be changed here")
        with pytest.raises(RemoteOSError) as caught:
            fs.move("/a", "/b")
        assert caught.value.errno == 17
        assert (fs.read_bytes("/a/x"), fs.read_bytes("/b/a/x")) == (b"new", b"old")


# -- a board that is not as it should be --------------------------------------------------------------

ODD_DISK = """
import os
class Odd:
    def mount(self, readonly, mkfs): pass
    def umount(self): pass
    def ilistdir(self, path): return iter(())
    def stat(self, path):
        if path in ("", "/"): return (0x4000,0,0,0,0,0,0,0,0,0)
        raise OSError(2)
    def statvfs(self, path): return (512,512,9999,9999,9999,0,0,0,0,255)
    def chdir(self, path): pass
    def getcwd(self): return "/"
    def open(self, path, mode):
        raise RuntimeError("odd disk")
    def rename(self, a, b): pass
    def remove(self, path): raise OSError(2)
os.mount(Odd(), "/odd")
"""


def test_a_disk_that_raises_what_it_should_not_is_named() -> None:
    with board_device(ODD_DISK) as device:
        starts = []
        original = Server.open
        Server.open = lambda self, *tries: (starts.append(1), original(self, *tries))[1]  # type: ignore[method-assign]
        try:
            with pytest.raises(RemoteError, match="odd disk"):
                device.fs.write_bytes("/odd/x", b"data")
        finally:
            Server.open = original  # type: ignore[method-assign]
        assert len(starts) == 2, "one more try, for it might have been noise"
        assert device.exec("print(1)") == "1\n"


def test_answers_that_make_no_sense_are_one_error(device: Device) -> None:
    device.exec("import os\n")
    for answer in ("None", "[1,2,3]", "'x'", "['/', None]"):
        ops = device.fs.ops
        ops._call = lambda *_, answer=answer, **__: _say(answer)  # type: ignore[method-assign]
        with pytest.raises(StreamError, match="unexpected response"):
            device.fs.stat("/x")


def _say(text: str) -> Iterator[object]:
    import ast

    yield from ()
    return ast.literal_eval(text)
