"""The UF2 flasher on the real boot ROM of the RP2040, which runs in the emulator."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("rp2040py")

from upytool.errors import FlashError, ImageError, SimulatorError
from upytool.flashers.base import FlashOptions, FlashTarget
from upytool.flashers.uf2_drive import parse_info
from upytool.flashers.uf2_volume import Uf2Flasher, Uf2Loader
from upytool.image.base import FirmwareImage
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2
from upytool.sim.pico import PicoBoard
from upytool.sim.usb_drive import Drive, DriveGone

RP2040, RP2350, FLASH = 0xE48BFF56, 0xE48BFF59, 0x10000000


class RomVolume:
    """The drive of the emulated chip, plugged in as long as the test lasts."""

    path, location, has_current = "the drive", "sim:pico", False

    def __init__(self, board: PicoBoard) -> None:
        self._drive = Drive(board.backend())
        self.label, self.info = self._drive.label, parse_info(self._drive.info_text())

    def send(self, name: str, data: bytes, advance: Callable[[int], None]) -> int:
        through = 0

        def progress(written: int) -> None:
            nonlocal through
            advance(written - through)
            through = written

        try:
            self._drive.write_uf2(data, name, progress)
        except DriveGone:
            pass
        return through

    def read(self, name: str, limit: int) -> bytes:
        return self._drive.read_file(name)

    def present(self) -> bool:
        try:
            self._drive.disk.read(0)
        except SimulatorError:
            return False
        return True


@pytest.fixture
def board() -> Iterator[PicoBoard]:
    with PicoBoard(None, bootsel=True) as board:
        yield board


def opened(board: PicoBoard) -> Uf2Loader:
    volume = RomVolume(board)
    return Uf2Flasher().open(FlashTarget("bootloader", "sim:pico", "sim:pico", volume=volume), FlashOptions())


def flash(board: PicoBoard, start: int, size: int) -> bytes:
    assert board.chip.flash.view is not None
    return bytes(board.chip.flash.view[start : start + size])


def image(*pieces: tuple[int, bytes], family: int = RP2040) -> FirmwareImage:
    return FirmwareImage.read(write_uf2([(family, Memory.of(pieces))]), name="x.uf2")


def test_what_the_rom_says_of_itself(board: PicoBoard) -> None:
    loader = opened(board)
    assert (loader.chip.name, loader.info.board_id, loader.volume.label) == ("rp2040", "RPI-RP2", "RPI-RP2")
    assert loader.abilities == {"program"}


def test_an_image_lands_and_the_drive_goes(board: PicoBoard) -> None:
    data = random.Random(7).randbytes(30_000)
    loader = opened(board)
    assert loader.program(image((FLASH, data)), FlashOptions()).written == 118 * 256  # whole pages
    assert flash(board, 0, len(data)) == data
    assert not loader.volume.present()
    loader.leave("run")


def test_sparse_images_do_not_erase_what_they_wrote(board: PicoBoard) -> None:
    """The ROM erases by block NUMBER: as it stands, this file would leave the second run in an unerased sector. It is
    numbered anew (with the file as it is, this test fails)."""
    assert board.chip.flash.view is not None
    board.chip.flash.view[:0x10000] = bytes(0x10000)  # something that has to be erased
    one, two = random.Random(8).randbytes(4096 + 512), random.Random(9).randbytes(2048)
    loader = opened(board)
    loader.program(image((FLASH, one), (FLASH + 0x8000, two)), FlashOptions())
    assert flash(board, 0, len(one)) == one
    assert flash(board, 0x8000, len(two)) == two


def test_a_foreign_family_is_refused_by_us_and_ignored_by_the_rom(board: PicoBoard) -> None:
    before = flash(board, 0, 8192)
    foreign = image((FLASH, b"x" * 8192), family=RP2350)
    loader = opened(board)
    with pytest.raises(ImageError, match="would ignore all of it"):
        loader.program(foreign, FlashOptions())
    # Past our own check: the ROM takes the file without a word, and the drive stays.
    loader.info = parse_info("")
    with pytest.raises(FlashError, match="did not take the file"):
        loader.program(foreign, FlashOptions())
    assert flash(board, 0, 8192) == before
