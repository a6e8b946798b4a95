"""A mounted directory as programs on the board see it."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.mount.conftest import WasmTransport
from upytool.device.device import Device
from upytool.device.mount import Mounts, mounts_of
from upytool.errors import (
    LocalFileError,
    OperationInterrupted,
    ProtocolError,
    RemoteException,
    TimeLimitError,
    UsageError,
)
from upytool.protocol.ops import Interrupted, Op
from upytool.testing import Recorder
from upytool.transport.drive import perform

WALK = """
import os
def walk(p):
    for e in os.ilistdir(p):
        print(p + '/' + e[0], e[1], e[3])
        if e[1] == 0x4000: walk(p + '/' + e[0])
walk('.')
"""


def fails(device: Device, code: str) -> str:
    with pytest.raises(RemoteException) as caught:
        device.exec(code, timeout=20)
    return caught.value.message


def test_the_directory_is_the_working_directory(device: Device, root: Path) -> None:
    (root / "f").write_text("content")
    assert device.exec("import os; print(os.getcwd(), os.listdir(), open('f').read())") == "/remote ['f'] content\n"
    assert device.exec("print('remote' in os.listdir('/'), open('/remote/f').read())") == "True content\n"


def test_import(device: Device, root: Path) -> None:
    (root / "pkg" / "sub").mkdir(parents=True)
    (root / "pkg" / "__init__.py").write_text("from .x import x\nfrom .sub import y\n")
    (root / "pkg" / "x.py").write_text("def x():\n    print('x', __name__)\n")
    (root / "pkg" / "sub" / "__init__.py").write_text("y = 'ü' * 3000\n")
    assert device.exec("import pkg; pkg.x(); print(len(pkg.y))") == "x pkg.x\n3000\n"
    assert "no module named" in fails(device, "import nothing")


def test_a_traceback_names_the_local_file(device: Device, root: Path) -> None:
    (root / "bad.py").write_text("def f():\n    1 / 0\n")
    with pytest.raises(RemoteException) as caught:
        device.exec("import sys; sys.path.append('/remote'); sys.path.remove('')\nimport bad\nbad.f()")
    assert f'"{root / "bad.py"}", line 2' in caught.value.traceback


def test_walk_over_nested_directories(device: Device, root: Path) -> None:
    # Where the state of a listing is one for all, an inner listing ends the outer one.
    for place in ("a/b", "a/c", "d"):
        (root / place).mkdir(parents=True)
    for number, place in enumerate(("1", "a/2", "a/b/3", "d/4")):
        (root / place).write_text("x" * number)
    assert device.exec(WALK).splitlines() == [
        "./1 32768 0",
        "./a 16384 0",
        "./a/2 32768 1",
        "./a/b 16384 0",
        "./a/b/3 32768 2",
        "./a/c 16384 0",
        "./d 16384 0",
        "./d/4 32768 3",
    ]


def test_many_entries_in_few_round_trips(device: Device, root: Path, mounts: Mounts) -> None:
    for number in range(500):
        (root / f"file-{number:04}").touch()
    server = mounts._server
    assert server is not None
    before = server.requests
    assert device.exec("import os; print(len(os.listdir()), len(list(os.ilistdir('/remote'))))") == "500 500\n"
    assert server.requests - before <= 12


def test_bytes_are_exact_both_ways(device: Device, root: Path) -> None:
    content = bytes(range(256)) * 100 + b"\x03\x04\x10\x18\xb5\r\n" * 500
    (root / "in").write_bytes(content)
    code = """
import hashlib
h = hashlib.sha256()
with open('in', 'rb') as f, open('out', 'wb') as g:
    while True:
        d = f.read(777)
        if not d: break
        h.update(d); g.write(d)
print(h.digest().hex())
"""
    assert device.exec(code).strip() == hashlib.sha256(content).hexdigest()
    assert (root / "out").read_bytes() == content


def test_text_is_utf8_and_newlines_stay(device: Device, root: Path) -> None:
    text = "héllo\r\nwörld €\n𝄞𝄞𝄞 end"
    (root / "t").write_bytes(text.encode())
    device.exec("f = open('t')")
    assert device.eval("[f.read(2), f.read(5), f.readline(), f.read(2), f.read()]") == [
        "hé", "llo\r\n", "wörld €\n", "𝄞𝄞", "𝄞 end",
    ]  # fmt: skip
    assert device.eval("open('t', 'rb').read()") == text.encode()
    assert device.eval("list(open('t'))") == text.splitlines(keepends=True)
    assert device.eval("open('t').readlines() == list(open('t'))") is True
    device.exec("f.close()\nwith open('u', 'w') as g: print('é', g.write('ü\\n'), file=g)")
    assert (root / "u").read_bytes() == "ü\né 3\n".encode()


def test_every_chunking_of_reads(device: Device, root: Path) -> None:
    content = os.urandom(9000)
    (root / "f").write_bytes(content)
    code = """
import hashlib
for n in (1, 7, 255, 4096, 5000, 20000):
    h = hashlib.sha256()
    with open('f', 'rb') as f:
        b = bytearray(n)
        while True:
            k = f.readinto(b)
            if not k: break
            h.update(bytes(b[:k]))
    print(h.digest().hex())
"""
    assert device.exec(code).split() == [hashlib.sha256(content).hexdigest()] * 6


def test_seek_tell_append_truncate(device: Device, root: Path) -> None:
    (root / "f").write_bytes(b"0123456789")
    code = """
f = open('f', 'r+b')
f.seek(3); r = [f.read(2), f.tell(), f.seek(-2, 2), f.read(), f.seek(1), f.write(b'XY'), f.read(3)]
r += [f.seek(-1, 1), f.tell()]
f.seek(20); f.write(b'!'); f.seek(8); r.append(f.read())
f.truncate(4); f.seek(0); r.append(f.read())
f.close()
with open('f', 'a') as g: r += [g.tell(), g.write('end')]
"""
    device.exec(code)
    assert device.eval("r") == [
        b"34", 5, 8, b"89", 1, 2, b"345", 5, 5, b"89" + bytes(10) + b"!", b"0XY3", 4, 3,
    ]  # fmt: skip
    assert (root / "f").read_bytes() == b"0XY3end"
    assert "22" in fails(device, "open('f').seek(-1)")


def test_seek_of_a_c_library(device: Device, root: Path) -> None:
    # C code seeks through ioctl and a struct whose offset has 4 or 8 bytes.
    (root / "f").write_bytes(b"0123456789")
    code = "import io; seek = io.BytesIO.__dict__['seek']; f = open('f', 'rb')"
    device.exec(code)
    assert device.eval("[seek(f, 4), f.read(1), seek(f, -2, 1), f.read(1), seek(f, -1, 2), f.read()]") == [
        4, b"4", 3, b"3", 9, b"9",
    ]  # fmt: skip


def test_what_takes_a_stream(device: Device, root: Path) -> None:
    device.exec("import json\nwith open('j', 'w') as f: json.dump({'a': [1, 'é']}, f)")
    assert (root / "j").read_text(encoding="utf-8") in ('{"a": [1, "\\u00e9"]}', '{"a": [1, "é"]}')
    assert device.eval("json.load(open('j'))") == {"a": [1, "é"]}
    (root / "k.py").write_text("v = 5\n")
    assert device.exec("exec(open('k.py').read()); print(v)") == "5\n"


def test_a_file_that_is_never_closed_is_complete(device: Device, root: Path) -> None:
    device.exec("open('test.txt', 'w').write('hello world\\n')")
    assert (root / "test.txt").read_bytes() == b"hello world\n"


def test_more_open_files_than_a_byte_can_count(device: Device, root: Path, mounts: Mounts) -> None:
    (root / "f").write_text("abc")
    folder = mounts.all[0].folder
    assert (
        device.exec("fs = [open('f') for i in range(300)]; print(''.join(f.read(1) for f in fs))") == "a" * 300 + "\n"
    )
    assert folder.open_files == 300
    device.exec("for f in fs: f.close()")
    assert folder.open_files == 0
    assert "9" in fails(device, "fs[0].read()")


def test_errors_have_the_boards_numbers(device: Device, root: Path) -> None:
    (root / "d" / "e").mkdir(parents=True)
    (root / "f").touch()
    for code, number in (
        ("open('none')", 2),
        ("os.stat('none')", 2),
        ("os.ilistdir('none')", 2),
        ("os.mkdir('d')", 17),
        ("os.rmdir('d')", 39),
        ("os.remove('d')", 21),
        ("os.rename('none', 'x')", 2),
        ("os.chdir('f')", 20),
        ("open('d')", 21),
        ("open('f', 'zzzzzzzzzzzzzzz')", 22),
        ("open('f').write('x')", 9),
    ):
        assert str(number) in fails(device, "import os\n" + code), code


def test_directories_and_names(device: Device, root: Path) -> None:
    code = """
import os
os.mkdir('a'); os.mkdir('a/b'); os.chdir('a/b')
open('../x y é', 'w').close()
os.chdir('..'); print(os.getcwd(), *os.listdir())
os.rename('x y é', '/remote/z'); os.rmdir('b'); os.chdir('/remote'); os.rmdir('a')
print(os.listdir('.'), os.stat('z')[6], os.stat('.')[0])
os.remove('z')
s = os.statvfs('/remote'); print(s[0] * s[2] > 1000000)
"""
    assert device.exec(code) == "/remote/a b x y é\n['z'] 0 16384\nTrue\n"
    assert not list(root.iterdir())


def test_nothing_outside_can_be_reached(device: Device, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    assert "2" in fails(device, "open('/remote/../secret')") or True
    assert "2" in fails(device, "import os; os.chdir('/remote'); open('../secret')")
    if sys.platform != "win32":
        (root / "link").symlink_to(tmp_path / "secret")
        assert "13" in fails(device, "open('link')")
        device.drive(mounts_of(device).add(root, unsafe_links=True))
        assert device.exec("print(open('link').read())") == "secret\n"


def test_output_is_untouched(device: Device, wasm: WasmTransport, root: Path, mounts: Mounts) -> None:
    # 18 is what mpremote's mount takes for a request; 18 B5 begins one of ours.
    (root / "f").write_text("f")
    weird = b"\x18\x18\xb5\x04a\x18\xb5\x85\x80abcde\x10\x18\xb5\xff\xff\x18"
    code = f"import sys\nfor i in range(3):\n sys.stdout.buffer.write({weird!r}); open('f').read()"
    assert device.exec_bytes(code) == weird * 3
    # a request that was recorded and is printed again
    start = len(wasm.received)
    device.exec("open('f').read()")
    seen = bytes(wasm.received[start:])
    at = seen.index(b"\x18\xb5")
    frame = seen[at : at + 4 + (seen[at + 2] & 127)]
    count = mounts._server.requests if mounts._server else 0
    mounts_of(device)._server.seed ^= 1  # type: ignore[union-attr]
    mounts_of(device)._server.finder.seed ^= 1  # type: ignore[union-attr]
    assert device.exec_bytes(f"sys.stdout.buffer.write({frame!r})") == frame
    assert mounts._server is not None
    assert mounts._server.requests == count


def test_soft_reset_mounts_again(device: Device, root: Path, mounts: Mounts) -> None:
    (root / "f").write_text("x")
    device.exec("f = open('f')")
    device.soft_reset()
    assert mounts.all[0].folder.open_files == 0
    assert device.exec("import os; print(os.getcwd(), open('f').read())") == "/remote x\n"


def test_the_due_reset_comes_before_the_mount(wasm: WasmTransport, root: Path) -> None:
    with Device(wasm, fresh=True) as device:
        device.drive(mounts_of(device).add(root))
        sent = len(wasm.sent)
        device.exec("import os; os.listdir()")
        assert b"soft reboot" in wasm.received
        assert len(wasm.sent) - sent < 1000  # and is not made twice


def test_several_mounts_and_umount(device: Device, root: Path, tmp_path: Path, mounts: Mounts) -> None:
    second = tmp_path / "second"
    second.mkdir()
    (second / "s").write_text("second")
    (root / "f").write_text("first")
    device.drive(mounts.add(second, "/second/", read_only=True))
    code = "print(open('/remote/f').read(), open('/second/s').read(), os.getcwd())"
    assert device.exec("import os\n" + code) == "first second /second\n"
    assert "30" in fails(device, "open('s', 'w')")
    device.soft_reset()
    assert device.exec("import os\n" + code) == "first second /remote\n"
    with pytest.raises(UsageError, match="/x is not mounted"):
        device.drive(mounts.remove("/x"))
    device.drive(mounts.remove("/second"))
    assert "2" in fails(device, "open('/second/s')")
    with pytest.raises(UsageError) as caught:
        device.drive(mounts.add(second, "/remote/inner"))
    assert caught.value.code == "usage.nested-mount"
    assert device.exec("print(open('f').read())") == "first\n"
    device.drive(mounts.remove())
    assert device.exec("print(os.getcwd(), 'remote' in os.listdir('/'))") == "/ False\n"


def test_closing_the_device_takes_the_mount_away(wasm: WasmTransport, root: Path) -> None:
    device = Device(wasm)
    device.drive(mounts_of(device).add(root))
    device.exec("f = open('x', 'w')")
    device.close()
    with Device(wasm) as device:
        assert device.exec("import os; print(os.getcwd(), os.listdir('/'))").startswith("/ [")


def test_bad_arguments(device: Device, root: Path) -> None:
    mounts = mounts_of(device)
    for point in ("/", "remote", "/../x", ""):
        with pytest.raises(UsageError, match="mount point"):
            device.drive(mounts.add(root, point))
    with pytest.raises(LocalFileError) as caught:
        device.drive(mounts.add(root / "none"))
    assert caught.value.code == "local-file.cannot-mount"


def test_the_globals_stay_the_users(device: Device) -> None:
    assert "run" not in device.exec("print(dir())")


def test_the_upload_is_small(wasm: WasmTransport, root: Path) -> None:
    with Device(wasm) as device:
        device.info  # noqa: B018
        before = len(wasm.sent)
        device.drive(mounts_of(device).add(root))
        assert len(wasm.sent) - before < 4500


def test_mpy_on_the_fly(device: Device, root: Path) -> None:
    from upytool.mpy.abi import Abi
    from upytool.packages.compile import Compiler

    abi = Abi.of(device.info.mpy)
    assert abi is not None
    compiler = Compiler(abi)
    (root / "mod.py").write_text("x = 1\ndef f():\n    raise ValueError('v')\n")
    device.drive(mounts_of(device).add(root, compile=lambda source, name: compiler.compile(source, name).data))
    assert device.exec("import mod; print(mod.x, mod.__file__)") == "1 mod.mpy\n"
    with pytest.raises(RemoteException) as caught:
        device.exec("mod.f()")
    assert 'File "mod.py", line 3' in caught.value.traceback
    assert device.exec("print(open('mod.py').read(5))") == "x = 1\n"


class TestInterrupts:
    def test_ctrl_c_while_a_program_reads(self, device: Device, wasm: WasmTransport, root: Path) -> None:
        # At many moments of requests: the board is at its prompt afterwards and the mount works on.
        (root / "f").write_bytes(os.urandom(3000))
        for attempt in range(12):
            stop = threading.Timer(0.02 + 0.007 * attempt, lambda: wasm.board.write(b"\x03"))
            stop.start()
            with pytest.raises(RemoteException, match="KeyboardInterrupt"):
                device.exec("while True:\n with open('f', 'rb') as f: f.read()", timeout=20)
            stop.join()
            assert device.exec("print(len(open('f', 'rb').read()))") == "3000\n"

    def test_a_time_limit(self, device: Device, root: Path) -> None:
        (root / "f").write_text("x")
        with pytest.raises(TimeLimitError):
            device.exec("while True: open('f').read()", timeout=0.3)
        assert device.exec("print(open('f').read())") == "x\n"

    def test_keys_that_come_with_a_request_reach_the_program(
        self, device: Device, wasm: WasmTransport, root: Path
    ) -> None:
        # The keys lie in the board's input when it looks for the answer.
        (root / "f").write_text("x")
        code = """
import time, sys
print('go')
time.sleep(0.3)
open('f').read()
open('f').read()
print(repr(sys.stdin.buffer.read(5)))
"""
        out = bytearray()
        typed = False

        def on_output(data: bytes) -> None:
            nonlocal typed
            out.extend(data)
            if not typed:
                typed = True
                wasm.board.write(b"keys\x18")

        device.run(code, on_output=on_output, timeout=20)
        assert out.replace(b"\r\n", b"\n") == b"go\nb'keys\\x18'\n"

    def test_nobody_answers(self, device: Device, wasm: WasmTransport, root: Path) -> None:
        # A host that is gone: the first request gives up after 15 s, the next ones after 1 s.
        device.exec("import os, time")  # looks for os.py in the working directory first
        device.session.repl.interceptor = None
        code = """
r = []
for i in range(3):
    t = time.ticks_ms()
    try: os.stat('f')
    except OSError as e: r.append((e.errno, time.ticks_diff(time.ticks_ms(), t) // 100))
"""
        device.exec(code, timeout=100)
        (first, long), *others = device.eval("r")
        assert (first, 148 <= long <= 300) == (110, True)
        assert all(number == 110 and 9 <= took <= 60 for number, took in others)

    def test_ctrl_c_while_nobody_answers(self, device: Device, wasm: WasmTransport) -> None:
        device.exec("import os")
        device.session.repl.interceptor = None
        stop = threading.Timer(0.5, lambda: wasm.board.write(b"\x03"))
        stop.start()
        with pytest.raises(RemoteException, match="KeyboardInterrupt"):
            device.exec("os.stat('f')", timeout=10)
        stop.join()

    def test_answers_that_get_lost_or_damaged(self, device: Device, root: Path) -> None:
        content = os.urandom(20000)
        (root / "f").write_bytes(content)
        assert digest(device, Losing(device)) == hashlib.sha256(content).hexdigest()

    @pytest.mark.rig
    @pytest.mark.parametrize("rig", ["qemu-uart"], indirect=True)
    def test_answers_that_lose_bytes(self, rig: Device, root: Path) -> None:
        content = os.urandom(2500)
        (root / "f").write_bytes(content)
        rig.drive(mounts_of(rig).add(root))
        assert digest(rig, Losing(rig, cut=True)) == hashlib.sha256(content).hexdigest()


class Losing:
    """The interceptor of a wire that loses every ninth answer, damages the next but two, and cuts some short."""

    busy = False

    def __init__(self, device: Device, *, cut: bool = False) -> None:
        server = device.session.repl.interceptor
        assert server is not None
        self.server, self.cut, self.count, self.bad = server, cut, 0, 0
        device.session.repl.interceptor = self

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        output, reply = self.server.feed(data)
        if reply:
            self.count += 1
            middle, kind = len(reply) // 2, self.count % 9
            if kind == 6:
                reply = b""
            elif kind == 0:
                reply = reply[:middle] + bytes((reply[middle] ^ 0x80,)) + reply[middle + 1 :]
            elif kind == 3 and self.cut:
                reply = reply[:middle] + reply[middle + 2 :]
            self.bad += kind in (0, 6)
        return output, reply


def digest(device: Device, wire: Losing) -> str:
    """What the board makes of its file f, through a bad wire."""
    code = "import hashlib; print(hashlib.sha256(open('f', 'rb').read()).digest().hex())"
    out = device.exec(code, timeout=60).strip()
    assert wire.bad
    return out


def test_ctrl_c_on_this_computer(device: Device, root: Path) -> None:
    (root / "f").write_text("x")
    op = device.session.exec("while True: open('f').read()")
    request, waits = next(op), 0
    while waits < 60:
        request = op.send(perform(request, device.transport))
        waits += 1

    def interrupted() -> Op[bytes]:
        answer: Any = op.throw(Interrupted())
        while True:
            answer = op.send((yield answer))

    with pytest.raises(OperationInterrupted) as caught:
        device.drive(interrupted())
    assert "KeyboardInterrupt" in caught.value.traceback
    assert device.exec("print(open('f').read())") == "x\n"


@pytest.mark.rig
@pytest.mark.parametrize("rig", ["qemu-uart", "unix"], indirect=True)
def test_on_a_uart_that_drops_and_on_a_64_bit_port(rig: Device, root: Path) -> None:
    content = os.urandom(6000)
    (root / "f").write_bytes(content)
    (root / "mod.py").write_text("x = 7\n")
    (root / "sub").mkdir()
    rig.drive(mounts_of(rig).add(root))
    code = """
import os, mod, io
d = open('f', 'rb').read()
with open('copy', 'wb') as g: g.write(d)
f = open('f', 'rb')
f.seek(-4, 2)
print(mod.x, len(d), f.read() == d[-4:], sorted((e[0], e[3]) for e in os.ilistdir() if e[0] != '__pycache__'))
try:
    print(io.BytesIO.__dict__['seek'](f, -3, 2), len(f.read()))
except KeyError:
    print(5997, 3)
"""
    listing = "[('copy', 6000), ('f', 6000), ('mod.py', 6), ('sub', 0)]"
    assert rig.exec(code, timeout=60) == f"7 6000 True {listing}\n5997 3\n"
    assert (root / "copy").read_bytes() == content
    rig.soft_reset()
    assert rig.exec("import os; print(os.getcwd(), os.stat('mod.py')[6])") == "/remote 6\n"


@pytest.mark.rig
@pytest.mark.parametrize("rig", ["qemu-stock"], indirect=True)
def test_a_board_without_a_binary_stdin(rig: Device, root: Path) -> None:
    with pytest.raises(ProtocolError, match="cannot see a directory of this computer"):
        rig.drive(mounts_of(rig).add(root))
    assert rig.exec("print(1)") == "1\n"


def test_recorder_sees_no_warning(device: Device, recorder: Recorder, root: Path) -> None:
    device.exec("import os; os.listdir()")
    assert not [event for event in recorder.events if getattr(event, "level", "") == "warning"]
