"""ROMFS partitions of the qemu rig: real MicroPython, real VfsRom, flash with the manners of NOR flash."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.rigs.fixtures import Boards
from tests.rigs.qemu import ROM_AT, Qemu
from upytool.device import precompiled, romfs, stream
from upytool.device.device import Device
from upytool.device.romfs import MARK, Deployed, NoRomfsError
from upytool.device.session import Session
from upytool.errors import ConnectionLostError, FlashError, OperationInterrupted, RemoteOSError, UsageError
from upytool.events import Event, Notice, Reporter, TaskAdvanced, TaskFinished
from upytool.image.romfs import build_romfs, read_romfs
from upytool.protocol.ops import Interrupted, Op
from upytool.testing import Recorder
from upytool.transport.base import Transport
from upytool.transport.registry import open_transport

pytestmark = [pytest.mark.rig]

SIZES = (512 * 1024, 256 * 1024)
KINDS = ["qemu-rom", "qemu-rom-whole", "qemu-rom-blocks", "qemu-rom-stock"]
FILES = {
    "mod.py": b"value = 'first'\n",
    "lib/deep.py": b"from mod import value\n",
    "data/random.bin": random.Random(1).randbytes(20_000),
    "text/Gr\u00fc\u00dfe.txt": b"hello\n" * 100,
}


class Bench:
    """A rig and a connection to it."""

    def __init__(self, rig: Qemu, patch: pytest.MonkeyPatch) -> None:
        self.rig, self.patch = rig, patch
        self.device = Device(open_transport(rig.port))

    def flash(self, number: int = 0) -> bytes:
        """The partition, as the host sees the flash."""
        at = ROM_AT + number * SIZES[0]
        return self.rig.flash.read_bytes()[at : at + SIZES[number]]

    def deploy(
        self, image: bytes, number: int = 0, *, reset: bool = True, reporter: Reporter | None = None
    ) -> Deployed:
        work = romfs.deploy(self.device.fs.ops, image, number, reset=reset, reporter=reporter or Recorder())
        return self.device.drive(work)

    def take_vfs_from_the_board(self) -> None:
        """Part of the models: our programs take the firmware's own `vfs` (device.ondevice); these take sys.modules'."""
        for module in (stream, precompiled):
            self.patch.setattr(module, "MODULES", type(module.MODULES)(n for n in module.MODULES if n != "vfs"))
        stream._program.cache_clear()
        precompiled.program.cache_clear()

    def put_in_front_of_vfs(self, body: str) -> None:
        """A model of faults between us and the real rom_ioctl: `body` is its text, `real` the real one."""
        self.take_vfs_from_the_board()
        self.device.exec(
            "import sys\n"
            "try: _v\n"
            "except NameError: import vfs as _v\n"
            "class _Vfs:\n"
            " log = []\n"
            " count = [0]\n"
            " def __getattr__(self, name):\n"
            "  return getattr(_v, name)\n"
            " def rom_ioctl(self, *a):\n"
            "  real = _v.rom_ioctl\n"
            + "".join(f"  {line}\n" for line in body.splitlines())
            + "sys.modules['vfs'] = _Vfs()"
        )


@pytest.fixture
def bench(boards: Boards, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    name = getattr(request, "param", "qemu-rom")
    rig = boards.fresh(name)
    assert isinstance(rig, Qemu)
    made = Bench(rig, monkeypatch)
    yield made
    made.device.close()
    stream._program.cache_clear()
    precompiled.program.cache_clear()


def image_of(files: dict[str, bytes]) -> bytes:
    return build_romfs(files)


@pytest.mark.parametrize("bench", KINDS, indirect=True)
def test_deploy_use_and_change(bench: Bench) -> None:
    image = image_of(FILES)
    parts = bench.device.drive(romfs.query(bench.device.session))
    assert [(part.number, part.size) for part in parts] == [(0, SIZES[0]), (1, SIZES[1])]
    assert not any(part.holds_image for part in parts)
    first = bench.deploy(image)
    assert first == Deployed(0, len(image), len(image), True, True)
    assert bench.flash().startswith(image)

    # The real VfsRom, which the board has mounted by itself.
    told = bench.device.exec(
        "import mod, deep, os\n"
        "print(mod.value, mod.__file__, deep.value)\n"
        "print(sorted(os.listdir('/rom')), os.listdir('/rom/text'))\n"
        "m = memoryview(open('/rom/data/random.bin', 'rb'))\n"
        "import uctypes\n"
        "print(hex(uctypes.addressof(m)), sum(m))"
    )
    lines = told.splitlines()
    assert lines[0] == "first /rom/mod.py first"
    assert "'data', 'lib', 'mod.py', 'text'" in lines[1]
    assert 0x21000000 + ROM_AT < int(lines[2].split()[0], 16) < 0x21000000 + ROM_AT + SIZES[0], "in place, no copy"
    assert int(lines[2].split()[1]) == sum(FILES["data/random.bin"])

    assert bench.deploy(image) == Deployed(0, len(image), 0, False, None), "it is there already"

    changed = image_of({**FILES, "mod.py": b"value = 'other'\n"})
    second = bench.deploy(changed)
    assert bench.flash().startswith(changed)
    assert second.reset
    whole = not parts[0].by_parts
    assert second.written == len(changed) if whole else second.written <= 2 * 4096
    assert bench.device.exec("import mod; print(mod.value)") == "other\n"


@pytest.mark.parametrize("bench", KINDS, indirect=True)
def test_the_other_partition_and_reading_back(bench: Bench) -> None:
    image = image_of({"a": b"1" * 5000})
    done = bench.deploy(image, 1)
    assert (done.reset, done.mounted) == (True, None), "only partition 0 is mounted by itself"
    assert bench.flash(1).startswith(image)
    assert bench.flash(0) == bytes(SIZES[0]), "nothing else was touched"
    device = bench.device
    part = device.drive(romfs.partition(device.session, 1))
    assert part.holds_image
    assert device.drive(romfs.read(device.fs.ops, part, len(image))) == image
    assert device.drive(romfs.read(device.fs.ops, part, 0)) == b""
    with pytest.raises(UsageError, match="has 262144 bytes"):
        device.drive(romfs.read(device.fs.ops, part, SIZES[1] + 1))
    with pytest.raises(UsageError, match="no ROMFS partition 2"):
        bench.deploy(image, 2)


def test_an_image_up_to_the_last_byte_fits_and_one_more_does_not(bench: Bench) -> None:
    room = SIZES[1] - len(image_of({"a": b""})) - 6  # three numbers get longer by two bytes each
    image = image_of({"a": (bytes(range(256)) * 1024)[:room]})
    assert len(image) == SIZES[1]
    assert bench.deploy(image, 1).written == len(image)
    assert bench.flash(1) == image
    before = bench.flash(1)
    with pytest.raises(FlashError, match=f"has {len(image) + 2} bytes, 2 more than partition 1 holds"):
        bench.deploy(image_of({"a": b"x" * (room + 2)}), 1)
    assert bench.flash(1) == before, "nothing was touched"


@pytest.mark.parametrize(("name", "said"), [("qemu-bare", "has no ROMFS"), ("qemu", "no ROMFS partition")])
def test_boards_without(boards: Boards, name: str, said: str) -> None:
    with (
        Device(open_transport(boards.fresh(name).port)) as device,
        pytest.raises(NoRomfsError, match=said) as caught,
    ):
        device.drive(romfs.query(device.session))
    assert caught.value.exit_code == 1


def test_only_what_differs_is_erased_and_the_mark_is_gone_meanwhile(bench: Bench) -> None:
    image = image_of(FILES)
    bench.deploy(image)
    changed = bytearray(image)
    at = image.index(FILES["data/random.bin"][10_000:10_100])
    changed[at] ^= 0xFF
    bench.put_in_front_of_vfs(
        "if a[0] in (3, 4): self.log.append((a[0], a[2], len(a[3]) if a[0] == 4 else a[3]))\nreturn real(*a)"
    )
    bench.deploy(bytes(changed), reset=False)
    log = bench.device.eval("__import__('sys').modules['vfs'].log")
    block = at // 4096 * 4096
    assert [entry for entry in log if entry[0] == 3] == [(3, 0, 4096), (3, block, 4096)]
    assert log[0] == (3, 0, 4096), "first the mark goes"
    assert log[-1] == (4, 0, 256), "and comes back last"
    assert sum(entry[2] for entry in log if entry[0] == 4) == 2 * 4096


class Cutting:
    """The wire, which breaks for good after `left` bytes to the board."""

    def __init__(self, transport: Transport, left: int) -> None:
        self._transport, self.left = transport, left

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if len(data) > self.left:
            self._transport.write(data[: self.left])
            self.left = 0
            raise ConnectionLostError("the wire is cut")
        self.left -= len(data)
        self._transport.write(data)


@pytest.mark.parametrize("bench", ["qemu-rom", "qemu-rom-whole"], indirect=True)
def test_a_cut_wire_leaves_the_old_image_none_or_the_new_one(bench: Bench) -> None:
    old, new = (image_of({"data.bin": random.Random(seed).randbytes(9000)}) for seed in (3, 4))
    bench.deploy(old)
    plain = bench.device
    seen = set()
    for left in (1500, 4500, 6000, 9000, 13_000, 14_000, 40_000):
        bench.deploy(old, reset=False)
        recorder = Recorder()
        bench.device = Device(Cutting(plain.transport, left))  # type: ignore[arg-type]
        failed = True
        with contextlib.suppress(ConnectionLostError):
            bench.deploy(new, reset=False, reporter=recorder)
            failed = False
        bench.device = plain
        plain.session.repl.state = plain.session.repl.state.BROKEN
        plain.interrupt()
        flash = bench.flash()
        state = "old" if flash.startswith(old) else "new" if flash.startswith(new) else "none"
        if state == "none":
            assert not flash.startswith(MARK), f"a part of an image after {left} bytes"
            told = [event.message for event in recorder.of(Notice) if event.level == "warning"]
            assert told == ["ROMFS partition 0 holds no image now: deploy again"]
        assert failed == (state != "new")
        seen.add(state)
    assert seen == {"old", "none", "new"}


def with_ctrl_c(work: Op[Deployed], at: int) -> Op[Deployed]:
    """The operation, with a Ctrl-C of the user at its `at`-th request."""
    request, count = next(work), 0
    while True:
        count += 1
        try:
            request = work.throw(Interrupted()) if count == at else work.send((yield request))
        except StopIteration as end:
            done: Deployed = end.value
            return done


@pytest.mark.parametrize("at", [30, 100, 200])
def test_ctrl_c_leaves_no_part_of_an_image_and_a_board_at_its_prompt(bench: Bench, at: int) -> None:
    image = image_of(FILES)
    with pytest.raises(OperationInterrupted):
        bench.device.drive(with_ctrl_c(romfs.deploy(bench.device.fs.ops, image), at))
    assert not bench.flash().startswith(MARK)
    assert bench.device.exec("print(1)") == "1\n"
    bench.deploy(image)
    assert bench.flash().startswith(image)


class PowerCut(Recorder):
    """Cuts the power when the first 32 kB are written."""

    def __init__(self, rig: Qemu) -> None:
        super().__init__()
        self._rig, self.done = rig, False

    def emit(self, event: Event) -> None:
        if isinstance(event, TaskAdvanced) and event.done >= 32768 and not self.done:
            self.done = True
            self._rig.kill()


@pytest.mark.slow
def test_a_power_cut_in_the_middle_and_the_deployment_goes_on(bench: Bench) -> None:
    image = image_of({"big.bin": random.Random(4).randbytes(60_000)})
    reporter = PowerCut(bench.rig)
    done = bench.deploy(image, reporter=reporter)
    assert reporter.done, "the power was cut while it ran"
    assert bench.flash().startswith(image)
    assert done.written < len(image) + 32768, "what was written before was not written again"


def test_flash_that_loses_a_bit_once_is_written_again(bench: Bench) -> None:
    image = image_of(FILES)
    bench.put_in_front_of_vfs(
        "if a[0] == 4 and a[2] == 8192 and not self.count[0]:\n"
        " self.count[0] = 1\n"
        " bad = bytearray(a[3])\n"
        " bad[5] = 0\n"
        " return real(a[0], a[1], a[2], bad)\n"
        "return real(*a)"
    )
    done = bench.deploy(image)
    assert bench.flash().startswith(image)
    assert done.written == len(image) + 2 * 4096


def test_flash_that_keeps_losing_a_bit_is_reported_and_holds_no_image(bench: Bench) -> None:
    image = image_of(FILES)
    bench.put_in_front_of_vfs(
        "if a[0] == 4 and a[2] == 8192:\n"
        " bad = bytearray(a[3])\n"
        " bad[5] = 0\n"
        " return real(a[0], a[1], a[2], bad)\n"
        "return real(*a)"
    )
    recorder = Recorder()
    with pytest.raises(FlashError, match="does not keep what is written, from byte 0x2000 on"):
        bench.deploy(image, reporter=recorder)
    assert bench.flash()[:4096] == b"\xff" * 4096
    assert [event.ok for event in recorder.of(TaskFinished)] == [False]


def test_flash_that_refuses(bench: Bench) -> None:
    bench.put_in_front_of_vfs("return -5 if a[0] == 4 and a[2] == 4096 else real(*a)")
    with pytest.raises(RemoteOSError, match="input/output"):
        bench.deploy(image_of(FILES))
    assert not bench.flash().startswith(MARK)
    bench.put_in_front_of_vfs("return -30 if a[0] == 3 else real(*a)")
    with pytest.raises(RemoteOSError, match="read-only"):
        bench.deploy(image_of(FILES))
    assert bench.device.exec("print(1)") == "1\n"


def test_flash_written_in_large_pieces_goes_the_slow_way(bench: Bench) -> None:
    """8192 bytes at least are more than the transfer program's 4096 hold."""
    bench.put_in_front_of_vfs(
        "if a[0] == 4 and (a[2] % 8192 or len(a[3]) % 8192): return -22\n"
        "if a[0] == 6: return 8192\n"
        "r = real(*a)\n"
        "return 8192 if a[0] == 3 and r > 0 else r"
    )
    image = image_of(FILES)
    bench.deploy(image)
    assert bench.flash().startswith(image)


MRAM = """
import sys
class Vfs:
    memory = bytearray(b'{mark}' + bytes(32765))
    left = [{writes}]
    def rom_ioctl(self, op, i=0, at=0, data=None):
        if op == 1: return 1
        if op == 2: return memoryview(self.memory)
        if op == 3: return 16
        if op == 4:
            self.left[0] -= 1
            if self.left[0] < 0: return -5
            self.memory[at:at + len(data)] = data
            return 0
        return -22
    def umount(self, path): raise OSError(22)
sys.modules['vfs'] = Vfs()
"""


def test_memory_that_needs_no_erasing_loses_its_mark_first(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of MRAM on the board: preparing it changes nothing (ports/alif), so that the old mark stays."""
    image = image_of({"a": random.Random(5).randbytes(9000)})
    real = romfs._state

    def on_an_alif(session: Session) -> Op[romfs._State]:
        return (yield from real(session))._replace(port="alif")

    monkeypatch.setattr(romfs, "_state", on_an_alif)
    bench.take_vfs_from_the_board()
    bench.device.exec(MRAM.format(mark="\\xd2\\xcd\\x31", writes=2))
    with pytest.raises(RemoteOSError):
        bench.deploy(image, reset=False)
    assert bench.device.eval("bytes(__import__('sys').modules['vfs'].memory[:16])") == b"\xff" * 16
    bench.device.exec("__import__('sys').modules['vfs'].left[0] = 1000")
    bench.deploy(image, reset=False)
    digest = bench.device.eval(
        f"__import__('binascii').hexlify(__import__('hashlib').sha256("
        f"__import__('sys').modules['vfs'].memory[:{len(image)}]).digest())"
    )
    assert digest == hashlib.sha256(image).hexdigest().encode()


def test_a_board_that_runs_code_from_its_romfs_is_reset_first(bench: Bench) -> None:
    bench.deploy(image_of(FILES))
    bench.device.exec("import mod")
    recorder = Recorder()
    bench.deploy(image_of({**FILES, "mod.py": b"value = 'new'\n"}), reset=False, reporter=recorder)
    assert [event.message for event in recorder.of(Notice) if event.level == "warning"] == [
        "the board runs code from its ROMFS (mod): it may fail until its next reset"
    ]
    bench.device.soft_reset()
    bench.device.exec("import mod; kept = mod")
    recorder = Recorder()
    bench.deploy(image_of(FILES), reporter=recorder)
    assert recorder.of(Notice) == []
    assert bench.device.exec("import mod; print(mod.value, 'kept' in globals())") == "first False\n"


def test_without_a_reset_the_board_goes_on(bench: Bench) -> None:
    bench.device.exec("kept = 1")
    done = bench.deploy(image_of(FILES), reset=False)
    assert (done.reset, done.mounted) == (False, None)
    assert bench.device.exec("print(kept)") == "1\n"
    bench.device.soft_reset()
    assert bench.device.exec("import mod; print(mod.value)") == "first\n"


def test_what_is_read_is_what_was_deployed(bench: Bench, tmp_path: Path) -> None:
    bench.deploy(image_of(FILES))
    device = bench.device
    part = device.drive(romfs.partition(device.session, 0))
    assert dict(read_romfs(device.drive(romfs.read(device.fs.ops, part))).files()) == FILES


def test_a_partition_is_a_value() -> None:
    part = romfs.RomPartition(0, 8192, 8192, False, MARK)
    assert not part.by_parts
    assert replace(part, unit=4096).by_parts
