"""UF2 drives: what is refused before a byte is written, what is written, and what it means when the drive goes."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from upytool.errors import FlashError, ImageError
from upytool.flashers.base import FlashOptions, FlashTarget
from upytool.flashers.uf2_drive import parse_info
from upytool.flashers.uf2_volume import VANISH, Uf2Flasher, Uf2Loader, families_of, to_uf2
from upytool.image.base import FirmwareImage
from upytool.image.intel_hex import write_hex
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2

from .drives import INFOS, NRF52840, RP2040, RP2350, SAMD51, ModelDrive

OPTIONS = FlashOptions()


def firmware(family: int | None, start: int, size: int = 20_000, *, seed: int = 1) -> FirmwareImage:
    data = random.Random(seed).randbytes(size)
    return FirmwareImage.read(write_uf2([(family, Memory.of([(start, data)]))]), name="firmware.uf2")


def pico(size: int = 20_000, seed: int = 1) -> FirmwareImage:
    return firmware(RP2040, 0x10000000, size, seed=seed)


def opened(drive: ModelDrive) -> Uf2Loader:
    loader = Uf2Flasher(clock=drive.now, sleep=drive.sleep).open(target(drive), OPTIONS)
    return loader


def target(drive: ModelDrive | None, **facts: Any) -> FlashTarget:
    facts.setdefault("state", "bootloader")
    return FlashTarget(selector="usb:1-2", location="1-2", volume=drive, **facts)


# -- INFO_UF2.TXT ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("board", "chip", "port"),
    [
        ("RPI-RP2", "rp2040", "rp2"),
        ("RP2350", "rp2350", "rp2"),
        ("SAMD21G18A-Feather-v0", "samd21", "samd"),
        ("SAMD51J19A-Metro-v0", "samd51", "samd"),
        ("SAME54P20A-x", "samd51", "samd"),
        ("nRF52840-Feather-revD", "nrf52840", "nrf"),
        ("ESP32S3-Feather-revA", "esp32s3", "esp32"),
        ("MIMXRT1011-Metro", "mimxrt", "mimxrt"),
        ("STM32F405-Feather-rev", "stm32f4", "stm32"),
        ("Something-New", "", ""),
    ],
)
def test_the_chip_of_a_board_id(board: str, chip: str, port: str) -> None:
    info = parse_info(f"UF2 Bootloader v1\nModel: A board\nBoard-ID: {board}\n")
    assert (info.chip, info.mcu_port, info.board_id) == (chip, port, board)


@pytest.mark.parametrize("text", ["", "\0\0\0", ":::", "Board-ID", "Model: " + "x" * 5000, "\ufffd" * 100])
def test_odd_infos_say_nothing(text: str) -> None:
    assert parse_info(text).chip == ""


def test_a_missing_softdevice() -> None:
    assert parse_info("SoftDevice: not found\n").softdevice == ""
    assert parse_info(INFOS["nrf52840"]).softdevice == "S140 7.3.0"


def test_families() -> None:
    assert families_of("rp2040") == {RP2040}
    assert RP2350 in families_of("rp2350")
    assert families_of("") == set()
    assert 0x57755A57 in families_of("stm32f4")


# -- refusing --------------------------------------------------------------------------------------


def test_a_wrong_family_is_refused_before_anything_is_written() -> None:
    drive = ModelDrive("rp2350")
    with pytest.raises(ImageError, match=r"for RP2040 e48bff56, .* would ignore all of it"):
        opened(drive).program(pico(), OPTIONS)
    assert drive.files == 0
    assert "for RP2040" in Uf2Flasher().declines(target(drive), pico())


def test_a_boot_rom_needs_a_family_and_others_do_not() -> None:
    with pytest.raises(ImageError, match="names no family"):
        opened(ModelDrive("rp2040")).check(firmware(None, 0x10000000))
    opened(ModelDrive("samd51")).check(firmware(None, 0x4000))


def test_an_unknown_board_is_warned_of() -> None:
    drive = ModelDrive("odd")
    assert "does not tell the chip" in opened(drive).check(pico())[0]


@pytest.mark.parametrize("start", [0x26000, 0x28000])
def test_nrf_firmware_off_its_softdevice_is_refused(start: int) -> None:
    with pytest.raises(ImageError, match="begins at"):
        opened(ModelDrive("nrf52840")).check(firmware(NRF52840, start))


def test_nrf_firmware_in_its_place() -> None:
    loader = opened(ModelDrive("nrf52840"))
    assert loader.check(firmware(NRF52840, 0x27000)) == []
    assert "brings a SoftDevice" in loader.check(firmware(NRF52840, 0x1000))[0]
    drive = ModelDrive("nrf52840")
    drive.info = parse_info(INFOS["nrf52840"].replace("S140 7.3.0", "not found"))
    assert "not known" in opened(drive).check(firmware(NRF52840, 0x27000))[0]


def test_hex_is_never_made_into_uf2_for_nrf() -> None:
    image = FirmwareImage.read(write_hex(Memory.of([(0x27000, bytes(range(256)) * 8)])), name="firmware.hex")
    with pytest.raises(ImageError, match="SoftDevice"):
        opened(ModelDrive("nrf52840")).program(image, OPTIONS)
    assert "takes UF2 files" in Uf2Flasher().declines(target(ModelDrive("nrf52840")), image)


def test_raw_files_have_no_place_elsewhere() -> None:
    image = FirmwareImage.read(write_hex(Memory.of([(0x4000, bytes(2048))])), name="firmware.hex")
    with pytest.raises(ImageError, match="does not say where"):
        opened(ModelDrive("samd51")).check(image)


# -- what is sent ----------------------------------------------------------------------------------


def test_a_uf2_file_stays_as_it_is() -> None:
    image = firmware(SAMD51, 0x4000)
    assert to_uf2(image, ModelDrive("samd51").info) is image.raw


def test_rp2040_files_that_leave_their_sectors_are_numbered_anew() -> None:
    pieces = [(0x10000000, b"a" * 5000), (0x10008000, b"b" * 300)]
    image = FirmwareImage.read(write_uf2([(RP2040, Memory.of(pieces))]), name="x.uf2")
    drive = ModelDrive("rp2040")
    loader = opened(drive)
    assert any("filled up" in warning for warning in loader.check(image))
    loader.program(image, OPTIONS)
    for index, address in enumerate(sorted(drive.flash)):
        assert (index % 16 == 0) == (address % 4096 == 0)  # what the boot ROM erases by
    assert drive.memory.read(0x10008000, 300) == b"b" * 300


def test_a_raw_image_becomes_uf2() -> None:
    source = pico(8192)
    drive = ModelDrive("rp2040")
    raw = FirmwareImage(source.memory.segments[0].data, "bin", source.memory, "rp2040", "rp2")
    result = opened(drive).program(raw, OPTIONS)
    assert drive.memory.read(0x10000000, 8192) == source.memory.read(0x10000000, 8192)
    assert result.written == 8192


def test_programming_ends_when_the_drive_is_gone() -> None:
    drive = ModelDrive("rp2040")
    loader, image = opened(drive), pico()
    result = loader.program(image, OPTIONS)
    assert drive.memory.read(image.start, image.size) == image.memory.read(image.start, image.size)
    assert (result.total, result.written, result.unchanged, result.verified) == (image.size, image.size, 0, "")
    assert loader.touched(image.memory) == [(0x10000000, 5 * 4096)]
    loader.leave("run")  # it runs already
    assert drive.files == 1


# -- when it goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [0, 1, 40, 78])
def test_a_cable_that_comes_out(blocks: int) -> None:
    drive = ModelDrive("rp2040", lost_after=512 * blocks)
    image = pico()
    with pytest.raises(FlashError, match="went away after") as caught:
        opened(drive).program(image, OPTIONS)
    assert caught.value.state.code == "flash.state.incomplete"
    # and the same again, when it is back
    drive.there, drive.lost_after = True, None
    opened(drive).program(image, OPTIONS)
    assert drive.memory.read(image.start, image.size) == image.memory.read(image.start, image.size)


def test_a_drive_that_stays_has_refused_the_file() -> None:
    drive = ModelDrive("rp2040")
    drive.info = parse_info("Board-ID: what nobody knows")  # so that no check of ours is in the way
    with pytest.raises(FlashError, match="did not take the file") as caught:
        opened(drive).program(firmware(SAMD51, 0x4000), OPTIONS)
    assert caught.value.state.code == "flash.state.in-bootloader-as-before"
    assert drive.clock == pytest.approx(VANISH, abs=0.5)


def test_a_read_only_drive() -> None:
    drive = ModelDrive("rp2040", refuses="it is read-only")
    with pytest.raises(FlashError, match="read-only"):
        opened(drive).program(pico(), OPTIONS)


def test_a_drive_that_is_not_there_any_more() -> None:
    drive = ModelDrive("rp2040")
    drive.there = False
    with pytest.raises(FlashError, match="not there"):
        opened(drive)


# -- CURRENT.UF2 -----------------------------------------------------------------------------------


def test_what_is_on_the_board_already_is_not_written() -> None:
    image = firmware(SAMD51, 0x4000, 8192)
    drive = ModelDrive("samd51", flash=image.memory.segments[0].data + bytes(512), base=0x4000)
    loader = opened(drive)
    result = loader.program(image, OPTIONS)
    assert (result.written, result.unchanged, drive.files) == (0, image.size, 0)
    assert result.verified
    loader.leave("run")  # a UF2 bootloader restarts for a file alone
    assert drive.files == 1
    assert not drive.there


def test_whole_writes_all_the_same() -> None:
    image = firmware(SAMD51, 0x4000, 8192)
    drive = ModelDrive("samd51", flash=image.memory.segments[0].data, base=0x4000)
    assert opened(drive).program(image, FlashOptions(whole=True)).written == image.size


def test_reading_back() -> None:
    flash = os.urandom(4096)
    drive = ModelDrive("samd51", flash=flash, base=0x4000)
    loader = opened(drive)
    assert "read" in loader.abilities
    assert loader.read(0x4100, 1000) == flash[0x100 : 0x100 + 1000]
    other = bytearray(flash)
    other[700] ^= 1
    assert loader.differences(Memory.of([(0x4000, bytes(other))])) == [(0x4200, 256)]
    assert loader.differences(Memory.of([(0x4000, flash)])) == []
    with pytest.raises(FlashError, match="does not hold"):
        loader.read(0x100000, 16)


def test_a_damaged_current_file_is_no_hindrance_to_writing() -> None:
    image = firmware(SAMD51, 0x4000, 8192)
    drive = ModelDrive("samd51", flash=bytes(512), base=0x4000)
    drive.read = lambda name, limit: b"no UF2 at all"  # type: ignore[method-assign]
    with pytest.raises(FlashError, match="cannot be read"):
        opened(drive).read(0x4000, 16)
    assert opened(drive).program(image, OPTIONS).written == image.size


def test_boot_roms_are_not_read() -> None:
    loader = opened(ModelDrive("rp2040"))
    assert loader.abilities == {"program"}
    with pytest.raises(FlashError, match="no CURRENT"):
        loader.read(0x10000000, 16)
    with pytest.raises(FlashError, match="cannot erase"):
        loader.erase(0x10000000, 4096)
    with pytest.raises(FlashError, match="cannot be told"):
        loader.leave("run")


# -- bare bytes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("chip", ["rp2040", "rp2350"])
def test_bare_sectors(chip: str) -> None:
    drive = ModelDrive(chip)
    data = os.urandom(8192)
    opened(drive).program_memory(Memory.of([(0x10100000, data)]), OPTIONS)
    assert drive.memory.read(0x10100000, 8192) == data


def test_bare_bytes_that_would_take_others_along_are_refused() -> None:
    with pytest.raises(FlashError, match="whole sectors"):
        opened(ModelDrive("rp2040")).program_memory(Memory.of([(0x10100100, b"x")]), OPTIONS)
    with pytest.raises(FlashError, match="whole firmware files"):
        opened(ModelDrive("samd51")).program_memory(Memory.of([(0x4000, bytes(4096))]), OPTIONS)


# -- choosing --------------------------------------------------------------------------------------


def test_what_the_flasher_declines() -> None:
    flasher = Uf2Flasher()
    assert flasher.declines(target(ModelDrive("rp2040")), pico()) == ""
    assert "no UF2 drive" in flasher.declines(target(None, mcu_port="rp2"), pico())
    assert flasher.declines(target(None, state="running", mcu_port="rp2", chip="rp2040"), pico()) == ""
    assert "esp32" in flasher.declines(target(None, state="running", mcu_port="esp32"), pico())
    assert "not known" in flasher.declines(target(None, state="unknown"), pico())
    assert "erase" in flasher.declines(target(ModelDrive("rp2040")), None)
