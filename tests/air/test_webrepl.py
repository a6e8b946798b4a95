"""Programs and files over WebREPL: MicroPython's own server, the library, the command line."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

import upytool
from tests.air.conftest import VARIABLE, Air, connect
from tests.rigs.air_talk import AirTalk
from tests.rigs.webrepl import WebReplBoard
from upytool.device.device import Device
from upytool.errors import (
    BoardResetError,
    ConnectionLostError,
    OperationInterrupted,
    RemoteException,
    RemoteExit,
    RemoteOSError,
    TimeLimitError,
)
from upytool.testing import Recorder

pytestmark = pytest.mark.rig

LONG = "# a comment that makes the program long\n" * 2500  # 100 kB


# -- programs ----------------------------------------------------------------------------------


def test_a_program_of_100_kb(device: Device) -> None:
    assert device.exec(f"{LONG}n = 6\nprint(n * 7)") == "42\n"
    assert "n" in device.exec("print(sorted(globals()))")  # it ran in __main__, like every other
    assert "_upy" not in device.exec("print(sorted(globals()))")


@pytest.mark.parametrize("long", [False, True])
def test_a_traceback_names_the_lines_of_the_program_alone(device: Device, long: bool) -> None:
    before = LONG if long else "\n"
    line = before.count("\n")
    with pytest.raises(RemoteException) as caught:
        device.exec(f"{before}def f():\n 1/0\nf()")
    assert caught.value.traceback.splitlines()[:3] == [
        "Traceback (most recent call last):",
        f'  File "<stdin>", line {line + 3}, in <module>',
        f'  File "<stdin>", line {line + 2}, in f',
    ]
    with pytest.raises(RemoteException, match="SyntaxError") as caught:
        device.exec(f"{before}def f(:\n pass")
    assert f"line {line + 1}" in caught.value.traceback
    with pytest.raises(RemoteExit) as left:
        device.exec(f"{before}import sys\nsys.exit(7)")
    assert left.value.exit_code == 7
    assert device.exec("print('well')") == "well\n"


def test_a_program_that_leaves_no_room_for_itself_goes_another_way(device: Device, recorder: Recorder) -> None:
    """2 MB of heap: a text of 700 kB is there twice when it is compiled, unless the board reads it as it comes."""
    device.exec("held = bytearray(1_000_000)")
    source = "#" + "x" * 100 + "\n"
    assert device.exec(source * 7000 + "print(len(held))") == "1000000\n"


@pytest.fixture
def recorder(device: Device) -> Recorder:
    recorder = Recorder()
    device.session.reporter = recorder
    return recorder


@pytest.mark.parametrize("padding", ["", LONG[:1000]])
def test_every_byte_of_output_comes_and_04_ends_nothing(device: Device, padding: str) -> None:
    every = bytes(range(256)) * 20
    source = f"{padding}\nimport sys\nfor _ in range(20): sys.stdout.buffer.write(bytes(range(256)))"
    assert device.exec_bytes(source) == every
    assert device.exec(f"{padding}\nprint('\\x04\\x04>\\x04')") == "\x04\x04>\x04\n"
    assert device.exec(f"{padding}\nprint('a\\x03b\\x04c')") == "a\x03b\x04c\n"
    assert device.exec("print(1)") == "1\n"


@pytest.mark.parametrize(
    "program", ["while True: pass", "import time\nwhile True: time.sleep(1)", f"{LONG}while 1: pass"]
)
def test_a_limit_stops_a_loop(device: Device, program: str) -> None:
    with pytest.raises(TimeLimitError):
        device.exec(program, timeout=0.5)
    assert device.exec("print('well')") == "well\n"


def test_ctrl_c_stops_a_loop_and_shows_where(webrepl: WebReplBoard, device: Device) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread")
    timer = threading.Timer(0.7, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(OperationInterrupted) as caught:
        device.exec("def f():\n while True: pass\nf()")
    assert "line 2, in f" in caught.value.traceback
    assert device.exec("print('well')") == "well\n"


def test_an_esp32_in_a_busy_loop_is_deaf_and_is_said_to_be() -> None:
    with WebReplBoard(loops_see_input=False) as board, connect(board) as device:
        assert device.exec(f"{LONG}print(1)") == "1\n"
        device.fs.write_bytes("/x", b"x" * 70_000)
        assert device.fs.read_bytes("/x") == b"x" * 70_000
        with pytest.raises(TimeLimitError):  # it waits, so it hears
            device.exec("import time\nwhile True: time.sleep(0.01)", timeout=0.3)
        begun = time.monotonic()
        with pytest.raises(TimeLimitError) as caught:
            device.exec("while True: pass", timeout=0.3)
        assert "rescue" in caught.value.hint
        assert time.monotonic() - begun < 30


@pytest.mark.parametrize("ring", [256, 260])
def test_nothing_is_lost_where_the_ring_is_short(ring: int) -> None:
    """Raw paste, which a program takes that the channel cannot bring, and the transfer program keep below it."""
    with WebReplBoard(ring=ring) as board, connect(board) as device:
        assert device.session.carrier is not None
        device.session.carrier._able = False
        text = "".join(f"n.append({number})\n" for number in range(400))
        assert device.exec(f"n = []\n{text}print(sum(n))") == f"{sum(range(400))}\n"
        name = "/" + "n" * 80  # too long for the channel
        data = random.Random(1).randbytes(3000)
        device.fs.write_bytes(name, data)
        assert device.fs.read_bytes(name) == data


# -- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 2048, 65536, 1_000_000])
def test_a_file_goes_and_comes_back(webrepl: WebReplBoard, device: Device, size: int) -> None:
    data = random.Random(size).randbytes(size)
    device.fs.write_bytes("/there.bin", data)
    assert (webrepl.root / "there.bin").read_bytes() == data
    assert device.fs.read_bytes("/there.bin") == data
    assert [path.name for path in webrepl.root.iterdir()] == ["there.bin"]


@pytest.mark.parametrize("size", [10, 5000])
@pytest.mark.parametrize("length", [50, 51, 62, 63, 64, 120])
def test_a_name_of_any_length(webrepl: WebReplBoard, device: Device, length: int, size: int) -> None:
    """63 bytes are what a request of the channel has room for, those of a temporary name included."""
    name = "/" + "n" * (length - 1)
    data = random.Random(size).randbytes(size)
    for content in (data, data[::-1]):
        device.fs.write_bytes(name, content)
        assert device.fs.read_bytes(name) == content
    assert [path.name for path in webrepl.root.iterdir()] == [name[1:]]


def test_many_files_there_and_back(webrepl: WebReplBoard, device: Device, tmp_path: Path) -> None:
    generator = random.Random(5)
    source = tmp_path / "tree"
    (source / "deep" / "er").mkdir(parents=True)
    for number in range(130):
        folder = (source, source / "deep", source / "deep" / "er")[number % 3]
        (folder / f"f{number}").write_bytes(generator.randbytes(generator.choice((0, 1, 255, 256, 257, 1000, 20_000))))
    device.fs.copy([str(source)], ":/", recursive=True)
    there = {path.relative_to(source): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    copied = webrepl.root / "tree"
    assert {p.relative_to(copied): p.read_bytes() for p in copied.rglob("*") if p.is_file()} == there
    back = tmp_path / "back"
    device.fs.copy([":/tree"], str(back), recursive=True)
    assert {p.relative_to(back): p.read_bytes() for p in back.rglob("*") if p.is_file()} == there


def test_what_is_missing_or_in_the_way(webrepl: WebReplBoard, air: Air, tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(random.Random(1).randbytes(10_000))
    (webrepl.root / "dir").mkdir()
    os.chmod(webrepl.root / "dir", 0o777)
    (webrepl.root / "file").write_text("kept")
    os.chmod(webrepl.root / "file", 0o666)
    for words in (
        ("cat", ":nothing"),
        ("cp", ":nothing", str(tmp_path / "x")),
        ("cp", str(big), ":no/such/x"),
        ("cp", str(big), ":file/x"),
        ("rm", ":nothing"),
    ):
        run = air(*words)
        assert run.code == 6, (words, run.err)
    assert air("cp", str(big), ":dir").code == 0  # into it
    assert (webrepl.root / "dir" / "big.bin").read_bytes() == big.read_bytes()
    (webrepl.root / "dir" / "big").mkdir()
    with connect(webrepl) as device, pytest.raises(RemoteOSError):
        device.fs.write_bytes("/dir", big.read_bytes())
    assert (webrepl.root / "file").read_text() == "kept"
    assert not list(webrepl.root.rglob("*upytool*"))


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = b"old " * 5000, random.Random(1).randbytes(60_000)
    with WebReplBoard(disk=80_000) as board, connect(board) as device:
        device.fs.write_bytes("/main.py", old)
        for content in (new, random.Random(2).randbytes(200_000)):
            with pytest.raises(RemoteOSError) as caught:
                device.fs.write_bytes("/main.py", content)
            assert (caught.value.errno, caught.value.exit_code) == (28, 6)
            assert device.fs.read_bytes("/main.py") == old
        # Where nobody knows before that it will not fit: what the board writes is short, and it does not say so.
        monkeypatch.setattr("upytool.device.fs_ops.check_space", lambda *_: None)
        with pytest.raises(RemoteOSError) as caught:
            device.fs.write_bytes("/main.py", new)
        assert (caught.value.errno, caught.value.exit_code) == (28, 6)
        assert device.fs.read_bytes("/main.py") == old
        assert [path.name for path in board.root.iterdir()] == ["main.py"]


# -- resets ------------------------------------------------------------------------------------


def test_a_soft_reset_and_what_follows_in_one_line(webrepl: WebReplBoard, air: Air) -> None:
    (webrepl.root / "boot.py").write_text("booted = 1\n")
    run = air("exec", "x = 1", "+", "soft-reset", "+", "exec", "print(booted, 'x' in globals())")
    assert run.code == 0, run.err
    assert run.text.splitlines()[-1] == "1 False"


def test_a_reset_and_what_follows_in_one_line(webrepl: WebReplBoard, air: Air) -> None:
    run = air("exec", "open('a','w').close()", "+", "reset", "+", "exec", "import os; print(os.listdir('/'))")
    assert run.code == 0, run.err
    assert run.text.splitlines()[-1] == "['a']"


@pytest.mark.parametrize("program", ["import machine; machine.reset()", "import machine\nmachine.soft_reset()"])
def test_a_program_that_resets_the_board_is_not_run_twice(webrepl: WebReplBoard, device: Device, program: str) -> None:
    webrepl_log = "f = open('log', 'a'); f.write('x'); f.close()\n"
    with pytest.raises((ConnectionLostError, BoardResetError)):
        device.exec(webrepl_log + program)
    assert device.exec("print(open('log').read())") == "x\n"


def test_a_power_cut_in_a_program_is_an_error_and_the_next_one_runs(webrepl: WebReplBoard, device: Device) -> None:
    timer = threading.Timer(0.5, webrepl.power_cycle)
    timer.start()
    with pytest.raises(ConnectionLostError):
        device.exec("import time\ntime.sleep(20)")
    timer.join()
    assert device.exec("print(1)") == "1\n"


STUBBORN = "import time\nfor n in range(%d):\n try:\n  while True: pass\n except KeyboardInterrupt: print('no')\n"


@pytest.mark.parametrize("times", [1, 3])
def test_a_program_that_runs_already_is_stopped(webrepl: WebReplBoard, air: Air, times: int) -> None:
    """What runs swallows some Ctrl-C; bytes behind one wait until something else arrives."""
    with AirTalk(webrepl.port, webrepl.password) as talk:
        talk.raw()
        talk.send((STUBBORN % times).encode() + b"\x04")
        talk.until(b"OK")
    run = air("exec", "print(1)")
    assert (run.code, run.text) == (0, "1\n"), run.err


def test_rescue(webrepl: WebReplBoard, air: Air) -> None:
    with AirTalk(webrepl.port, webrepl.password) as talk:
        talk.raw()
        talk.send(b"while True: pass\x04")
        talk.until(b"OK")
    run = air("rescue")
    assert run.code == 0, run.err
    assert air("exec", "print(1)").text == "1\n"


# -- everything else ---------------------------------------------------------------------------


def test_asyncio(webrepl: WebReplBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(webrepl.password))

    async def work() -> None:
        async with await upytool.aconnect(webrepl.port) as board:
            assert await board.exec(f"{LONG}print(6 * 7)") == "42\n"
            data = random.Random(3).randbytes(100_000)
            await board.fs.write_bytes("/x", data)
            assert await board.fs.read_bytes("/x") == data
            task = asyncio.create_task(board.exec("while True: pass"))
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await board.exec("print(1)") == "1\n"

    asyncio.run(work())


def test_mount_and_import(air: Air, tmp_path: Path) -> None:
    place = tmp_path / "local"
    place.mkdir()
    (place / "m.py").write_text("VALUE = 42\n" + LONG)
    (place / "data").write_bytes(bytes(range(256)) * 40)
    run = air("mount", str(place), "exec", "import m; print(m.VALUE, len(open('/remote/data','rb').read()))")
    assert run.code == 0, run.err
    assert run.text.splitlines()[-1] == "42 10240"


def test_sync_backup_and_restore(webrepl: WebReplBoard, air: Air, tmp_path: Path) -> None:
    place = tmp_path / "src"
    (place / "lib").mkdir(parents=True)
    (place / "main.py").write_text("print('main')\n")
    (place / "lib" / "a.py").write_bytes(b"# a\n" * 3000)
    assert air("sync", str(place), ":/app").code == 0
    (place / "lib" / "b.py").write_bytes(b"# b\n" * 3000)
    (place / "main.py").unlink()
    assert air("sync", "--delete", "--yes", str(place), ":/app").code == 0
    names = sorted(str(path.relative_to(webrepl.root)) for path in webrepl.root.rglob("*") if path.is_file())
    assert names == ["app/lib/a.py", "app/lib/b.py"]
    kept = tmp_path / "kept.upybak"
    assert air("backup", str(kept)).code == 0
    assert air("rm", "-r", ":/app").code == 0
    assert not (webrepl.root / "app").exists()
    run = air("restore", "--yes", str(kept))
    assert run.code == 0, run.err
    assert (webrepl.root / "app" / "lib" / "b.py").read_bytes() == b"# b\n" * 3000


def test_mip_install(webrepl: WebReplBoard, air: Air, tmp_path: Path) -> None:
    from tests.fixtures.make_index import build, serve

    with serve(build(tmp_path / "index")) as index:
        run = air("mip", "install", "--index", index, "bytering")
    assert run.code == 0, run.err
    assert any((webrepl.root / "lib").iterdir())


# -- secrets -----------------------------------------------------------------------------------


@pytest.fixture
def odd_password(webrepl: WebReplBoard) -> Iterator[str]:
    """A password that stands in no other word."""
    webrepl.password, kept = "s3Cr3t", webrepl.password
    (webrepl.root / "webrepl_cfg.py").write_text("PASS = 's3Cr3t'\n")
    webrepl.power_cycle()
    yield "s3Cr3t"
    webrepl.password = kept


def test_the_password_is_nowhere(
    air: Air, odd_password: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(VARIABLE, odd_password)
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(10_000))
    for words in (
        ("-vv", "exec", "print(1)"),
        ("-vv", "cp", str(big), ":big.bin"),
        ("info", "--json"),
        ("doctor", "--json"),
        ("exec", "1/0", "-vv", "--json"),
        ("cat", ":nothing", "-vv", "--json"),
    ):
        run = air(*words)
        assert run.out + run.err
        assert odd_password not in run.out + run.err + caplog.text, words


@pytest.mark.usefixtures("odd_password")
def test_no_traceback_shows_it(webrepl: WebReplBoard) -> None:
    with connect(webrepl) as device:
        assert device.exec("print(1)") == "1\n"
        shown = [repr(device), repr(device.transport), str(vars(device.transport)), repr(device.session)]
        try:
            device.drive(device.session.one("stat", PATH="/none"))
        except RemoteOSError as error:
            lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
            shown.append("".join(lines))
    assert str(webrepl.password) not in "".join(shown)


def test_no_process_of_ours_has_it_among_its_words(webrepl: WebReplBoard, odd_password: str) -> None:
    program = "import time\nprint('go')\ntime.sleep(1)"
    child = subprocess.Popen(
        [sys.executable, "-m", "upytool", "-d", webrepl.port, "exec", program],
        stdout=subprocess.PIPE,
        env={**os.environ, VARIABLE: odd_password},
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "go"
        if sys.platform == "linux":
            assert odd_password not in Path(f"/proc/{child.pid}/cmdline").read_text()
            for task in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = task.read_text(errors="replace")
                except OSError:
                    continue
                assert odd_password not in words
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
