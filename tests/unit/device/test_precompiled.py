"""Programs of ours as bytecode: up to date, run on a real board, refused by one that cannot, and gone afterwards."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.device.boards import board_device, wire
from upytool.device import mount, ondevice, precompiled, stream
from upytool.device.device import Device
from upytool.device.mount import mounts_of
from upytool.device.retry import Capabilities, Way
from upytool.device.stream import Server
from upytool.errors import RemoteException
from upytool.mpy.header import read_header
from upytool.protocol.transfer import StreamDamaged

DATA = bytes(range(256)) * 20
LEFT = "(sorted(__import__('sys').modules),__import__('sys').path,sorted(globals()),__import__('os').listdir('/'))"


@pytest.fixture
def device() -> Iterator[Device]:
    with board_device() as device:
        yield device


@pytest.mark.parametrize("name", precompiled.NAMES)
def test_it_is_what_the_text_says_now(name: str) -> None:
    header = read_header(precompiled.bytecode(name))
    assert header.source == precompiled.digest(name), "run: python -m upytool.device.precompiled"
    assert (header.version, header.native, header.small_int_bits) == (6, False, 31)


def test_all_that_a_program_imports_is_shielded() -> None:
    assert ondevice.needs(ondevice.snippet("mount"))[1] <= mount._MODULES | precompiled.MODULES
    parts = [path.stem for path in Path(ondevice.FOLDER).glob("server*.py")]
    assert {name for name in precompiled.NAMES if name.startswith("server")} == set(parts) - {
        f"server_{part}" for part in ("part", *precompiled.BUILT_IN)
    }


def opened(device: Device, *ruled_out: Way) -> Server:
    can = Capabilities()
    for way in ruled_out:
        can.rule_out(way, "test")
    server = Server(device.session, can)
    device.drive(server.open())
    return server


def told(device: Device, server: Server, expression: str) -> bytes:
    device.drive(server.say(f"tell(82,repr({expression}).encode())", flush=True))
    return device.drive(server.answer()).payload


@pytest.mark.parametrize("ruled_out", [(), ("packed",)])
def test_it_runs_and_nothing_stays_behind(device: Device, ruled_out: tuple[Way, ...]) -> None:
    before = device.eval(LEFT)
    server = opened(device, *ruled_out)
    device.drive(server.load("put", "get", "check", "put"))
    # What the program sees is what it tells: no name of ours may be among the user's while it runs.
    assert eval(told(device, server, "os.listdir('/')")) == before[3]
    assert eval(told(device, server, "[n for n in sys.modules if n[:1]=='_']")) == []
    assert told(device, server, "T") == b"[0]"
    device.drive(server.close())
    sent = bytes(wire(device).log)
    assert stream._sent("bytecode", not ruled_out)[0][900:1100] in sent
    assert ondevice.snippet("server_put")[:60].encode() not in sent
    assert device.eval(LEFT) == before


def test_a_part_goes_once(device: Device) -> None:
    server = opened(device)
    device.drive(server.load("check"))
    told(device, server, "1")
    up = wire(device).up
    device.drive(server.load("check"))
    told(device, server, "1")
    assert wire(device).up - up < 80
    device.drive(server.close())


@pytest.mark.parametrize(
    "damage",
    [
        b"M\5\0\x1f",  # the format of MicroPython 1.12 to 1.18
        b"C\6\0\x1f",  # CircuitPython's
        b"M\6\0\x3f",  # for small integers that a 32-bit board has not (wasm has 31 bits)
    ],
)
def test_a_board_that_refuses_it_gets_text_and_is_not_asked_again(
    device: Device, monkeypatch: pytest.MonkeyPatch, damage: bytes, tmp_path: Path
) -> None:
    real = precompiled.bytecode
    monkeypatch.setattr(precompiled, "bytecode", lambda name: damage + real(name)[4:])
    precompiled.program.cache_clear()
    before = device.eval(LEFT)
    try:
        device.fs.write_bytes("/a", DATA)
        assert device.session.bytecode is False
        log = wire(device).log
        del log[:]
        assert device.fs.read_bytes("/a") == DATA
        assert precompiled.POINT.encode() not in log
        device.session.bytecode = True
        (tmp_path / "m.py").write_text("x = 7\n")
        device.drive(mounts_of(device).add(tmp_path))
        assert device.session.bytecode is False
        assert device.eval("__import__('m').x") == 7
        device.drive(mounts_of(device).remove())
        device.session.bytecode = True
        device.fs.remove("/a")
        device.fs.write_bytes("/a", DATA)
        device.soft_reset()
        device.fs.remove("/a")
        assert device.eval(LEFT)[3] == before[3]
    finally:
        precompiled.program.cache_clear()


def test_altered_bytes_are_not_imported(device: Device) -> None:
    """A line that flips bits: bytecode is not checked by the board while it runs."""
    before = device.eval(LEFT)
    whole = precompiled.program("mount", "print('\\x1e1')", packed=False)
    begin = whole.index(b"d=b") + 4
    for at in (begin + whole[begin:].index(b"vfs.umount"), whole.index(b".mpy"), begin + 900):
        while not (whole[at : at + 1].isalpha() and whole[at - 1] != 92):
            at += 1
        for altered in (whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :], whole[:at] + whole[at + 1 :]):
            with pytest.raises(RemoteException) as raised:
                device.drive(device.session.call_program(altered))
            assert raised.value.kind == "ZeroDivisionError"
    assert device.drive(device.session.call_program(whole)) == 1
    assert device.eval(LEFT) == before


def test_what_an_interrupted_program_left_mounted_goes_with_the_next(device: Device) -> None:
    before = device.eval(LEFT)
    device.exec("class V:\n mount=umount=lambda*a:0\nimport vfs\nvfs.mount(V(),'%s')\ndel V,vfs" % precompiled.POINT)
    device.fs.write_bytes("/a", DATA)
    assert device.session.bytecode
    assert device.fs.ops.can.allows("bytecode")
    device.fs.remove("/a")
    assert device.eval(LEFT)[3] == before[3]


def test_an_altered_part_ends_the_program(device: Device) -> None:
    server = opened(device)
    data = precompiled.bytecode("server_get")
    device.drive(server.say(f"part({len(data)},{zlib.crc32(data)})"))
    server.packer.begin(b"")
    for unit in (*server.packer.add(data[:-1] + b"\0"), *server.packer.finish()):
        device.drive(server.link.write(unit))
    device.drive(server.link.write(b"", flush=True))
    with pytest.raises(StreamDamaged):
        device.drive(server.answer())
    assert "ValueError: packed data" in device.drive(server._last_words())


def test_a_mount_asks_the_board_nothing_before(device: Device, tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("x = 7\n")
    device.drive(mounts_of(device).add(tmp_path))
    assert device.session.board is None
    assert device.eval("__import__('m').x") == 7
    assert precompiled.program.cache_info().currsize
