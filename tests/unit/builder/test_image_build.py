"""Modules into firmware of every port. The bases are models (see bases.py); layouts are the board table's."""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.builder.bases import (
    CASES,
    FACTORY,
    FLASH,
    ITEMS,
    NVS,
    OTA,
    PHY,
    VFS,
    Case,
    esp32,
    esp8266,
    hexfile,
    holds,
    made,
    pico,
    samd,
    stm32,
)  # fmt: skip
from upytool.builder.base import Item, Recipe
from upytool.builder.boot_rom import after_drop
from upytool.builder.from_image import build_image
from upytool.errors import BuildError, ImageError
from upytool.image.base import FirmwareImage
from upytool.image.chips import ABSOLUTE, RP2040, RP2350_ARM_S, RP2350_RISCV
from upytool.image.dfuse import DfuFile
from upytool.image.esp import EspFirmware
from upytool.image.littlefs import read_superblock
from upytool.image.memory import Memory
from upytool.image.uf2 import E10_ADDRESS, write_uf2
from upytool.image.volume import Region, volumes_on_flash
from upytool.mpy.abi import Abi
from upytool.mpy.cross import Cross, Module

NAMES = ["app.mpy", "lib/thing.mpy", "main.py", "static/page.html"]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_port(tmp_path: Path, case: Case) -> None:
    result = made(tmp_path, case.base, case.suffix, **case.options)
    kind, files, volume = holds(result.output, case.start, case.size)
    assert (kind, volume.block_size) == (case.kind, case.block)
    assert sorted(files) == NAMES
    assert files["main.py"] == ITEMS[2].data
    assert files["app.mpy"][:2] == b"M\x06"
    base, image = FirmwareImage.read(case.base), FirmwareImage.read(result.output)
    image.require_valid()
    for segment in base.memory:
        kept = image.memory.get(segment.address, len(segment.data))
        if base.port == "esp32":  # the table has a row more, and the flash size in the header may be another
            kept, segment = (kept or b"")[0x9000:], replace(segment, data=segment.data[0x9000:])
        elif base.port == "esp8266":
            kept, segment = (kept or b"")[4:], replace(segment, data=segment.data[4:])
        assert kept == segment.data
    assert (image.format, image.families) == (base.format, base.families)
    assert result.keeps_files is False
    assert any(row.start == case.start and row.used > 0 for row in result.report.regions)
    firmware = next(row for row in result.report.regions if row.name == "firmware")
    assert 0 < firmware.used <= firmware.size


def test_the_same_bytes_from_other_places_and_orders(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    first, second = made(one, pico()), made(two, pico(), items=ITEMS[::-1])
    assert first.sha256 == second.sha256
    assert first.output.read_bytes() == second.output.read_bytes()
    os.utime(two / "base.uf2", (1, 1))
    assert made(two, pico()).unchanged is True


# -- traps (design notes, 3.3): each of these fails without its remedy --------------------------------------------


def test_names_are_no_longer_than_the_firmwares(tmp_path: Path) -> None:
    """A superblock with a larger name_max, or another number of blocks, is formatted by the firmware."""
    case = CASES["rp2040"]
    _, _, volume = holds(made(tmp_path, case.base).output, case.start, case.size)
    found = read_superblock(volume.blocks)
    assert found is not None
    assert (found.name_max, found.block_count, found.version) == (255, 352, 0x20001)


def test_disk_version_by_release(tmp_path: Path) -> None:
    case = CASES["rp2040 1.20"]
    _, _, volume = holds(made(tmp_path, case.base).output, case.start, case.size)
    found = read_superblock(volume.blocks)
    assert found is not None
    assert found.version == 0x20000, "1.21 and older mount no 2.1"


def flash_after_drop(uf2: bytes, flash: bytes, *, by_number: bool) -> bytes:
    """The flash after a drop on a chip that was in use: an own, plain model of both boot ROMs' erasing."""
    out, erased = bytearray(flash), set()
    for at in range(0, len(uf2), 512):
        _, _, _, address, size, number, _, family = struct.unpack_from("<8I", uf2, at)
        if family == ABSOLUTE:
            continue
        offset = address - FLASH
        key = number * 256 // 4096 if by_number else offset // 4096
        if key not in erased:
            erased.add(key)
            sector = offset // 4096 * 4096
            out[sector : sector + 4096] = b"\xff" * 4096
        for index in range(size):
            out[offset + index] &= uf2[at + 32 + index]
    return bytes(out)


@pytest.mark.parametrize("name", ["rp2040", "rp2040 unfilled", "rp2350"])
def test_over_a_used_file_system(tmp_path: Path, name: str) -> None:
    """Old halves of metadata pairs, and sectors that the ROM does not erase, must not show through."""
    case = CASES[name]
    size = 4 << 20
    (tmp_path / "old").mkdir(), (tmp_path / "new").mkdir()
    old = made(tmp_path / "old", case.base)
    used = flash_after_drop(old.output.read_bytes(), b"\xff" * size, by_number=name != "rp2350")
    used = rewritten(used, case, 40)
    new = made(tmp_path / "new", case.base).output.read_bytes()
    flash = flash_after_drop(new, used, by_number=name != "rp2350")
    assert sorted(mounted(flash, case)) == NAMES
    for segment in FirmwareImage.read(case.base).memory:
        assert flash[segment.address - FLASH : segment.end - FLASH] == segment.data, "the program is whole"
    thin = write_uf2([(FirmwareImage.read(new).families[-1], sparse(FirmwareImage.read(new).memory))])
    try:
        left = sorted(mounted(flash_after_drop(thin, used, by_number=name != "rp2350"), case))
    except ImageError:
        left = []
    assert left != NAMES, "without the other halves of pairs and whole sectors it goes wrong"


def mounted(flash: bytes, case: Case) -> dict[str, bytes]:
    start = case.start - FLASH
    part = flash[start : start + case.size]
    found = volumes_on_flash(lambda at, count: part[at : at + count], base=0, size=len(part),
                             regions=[Region(0, len(part), "fs")])  # fmt: skip
    return found[0].open().files()


def rewritten(flash: bytes, case: Case, times: int) -> bytes:
    """Directories committed again and again, so that their revisions outrun those of any new ones."""
    start = case.start - FLASH
    part = bytearray(flash[start : start + case.size])
    for _ in range(times):
        found = volumes_on_flash(lambda at, count: bytes(part[at : at + count]), base=0, size=len(part),
                                 regions=[Region(0, len(part), "fs")])  # fmt: skip
        tree = found[0].open()
        for name in ("counter.txt", "lib/counter.txt", "static/counter.txt"):
            tree.write(name, bytes(part[:4]) * 90)
        for offset, data in tree.steps():
            part[offset : offset + len(data)] = data
    return flash[:start] + bytes(part) + flash[start + case.size :]


def sparse(memory: Memory) -> Memory:
    """As a naive tool writes: pages that are not blank, and nothing else."""
    pieces = []
    for segment in memory:
        for at in range(0, len(segment.data), 256):
            page = segment.data[at : at + 256]
            if page.strip(b"\xff"):
                pieces.append((segment.address + at, page))
    return Memory.of(pieces)


def test_blocks_are_numbered_through(tmp_path: Path) -> None:
    """Both ROMs restart when `count` blocks have come: files put one behind the other end in the middle."""
    data = made(tmp_path, pico(filled=False)).output.read_bytes()
    heads = [struct.unpack_from("<8I", data, at) for at in range(0, len(data), 512)]
    assert [head[5] for head in heads] == list(range(len(heads)))
    assert {head[6] for head in heads} == {len(heads)}
    sectors: dict[int, int] = {}
    for head in heads:
        sectors[head[3] // 4096] = sectors.get(head[3] // 4096, 0) + 1
        assert head[5] % 16 == head[3] // 256 % 16, "numbers and sectors are in step"
    assert set(sectors.values()) == {16}
    joined = pico() + data
    with pytest.raises(BuildError, match="restart in the middle"):
        after_drop(joined, 2 << 20)


@pytest.mark.parametrize(("family", "arch"), [(RP2350_ARM_S, "armv7m"), (RP2350_RISCV, "rv32imc")])
def test_the_erratum_block_stays_first(tmp_path: Path, family: int, arch: str) -> None:
    base = pico(family=family, erratum=True)
    result = made(tmp_path, base)
    data = result.output.read_bytes()
    assert data[:512] == base[:512], "as it was, not renumbered"
    assert struct.unpack_from("<8I", data)[3:] == (E10_ADDRESS, 256, 0, 2, ABSOLUTE)
    first = struct.unpack_from("<8I", data, 512)
    assert (first[5], first[6], first[7]) == (0, len(data) // 512 - 1, family)
    assert result.report.abi is not None
    assert result.report.abi.arch == arch
    assert len(data[512:]) % (16 * 512) == 0


def test_main_is_never_compiled(tmp_path: Path) -> None:
    items = (
        Item("boot.py", b"x = 1\n", module=True), Item("main.py", b"x = 1\n", module=True),
        Item("pkg/main.py", b"x = 1\n", module=True),
    )  # fmt: skip
    case = CASES["rp2040"]
    result = made(tmp_path, case.base, items=items)
    assert sorted(holds(result.output, case.start, case.size)[1]) == ["boot.py", "main.py", "pkg/main.mpy"]
    with pytest.raises(BuildError, match=r"main\.mpy would never start"):
        made(tmp_path, case.base, items=(Item("main.mpy", b"M\x06\x00\x1f", "src/main.mpy"),))


# -- ESP ---------------------------------------------------------------------------------------------------------


def esp(path: Path) -> EspFirmware:
    detail = FirmwareImage.read(path).detail
    assert isinstance(detail, EspFirmware)
    return detail


def test_an_esp32_gets_a_row_of_its_own(tmp_path: Path) -> None:
    """From 1.26 on the file system reaches to the end of the real flash, which a file can't know."""
    result = made(tmp_path, esp32(), ".bin")
    table = esp(result.output).table
    assert table is not None
    row = table.find("vfs")
    assert row is not None
    assert (row.offset, row.size, row.type, row.subtype) == (0x200000, 0x200000, 1, 0x81)
    assert table.md5_ok
    assert table.rows[:-1] == (NVS, PHY, FACTORY)
    assert any("`vfs` row" in note for note in result.report.notes)


def test_a_table_with_a_row_stays_as_it_is(tmp_path: Path) -> None:
    base = esp32((NVS, PHY, FACTORY, VFS), version="v1.25.0")
    data = made(tmp_path, base, ".bin").output.read_bytes()
    assert data[: len(base)] == base


@pytest.mark.parametrize(("table", "end"), [(OTA, 0x400000), ((NVS, PHY, FACTORY), 0x400000)])
def test_the_row_ends_with_the_flash_of_the_header(tmp_path: Path, table: tuple, end: int) -> None:
    made_table = esp(made(tmp_path, esp32(table), ".bin").output).table
    assert made_table is not None
    assert made_table.end == end
    assert not made_table.problems(end)


def test_another_flash_size_is_written_into_the_header(tmp_path: Path) -> None:
    found = esp(made(tmp_path, esp32(), ".bin", flash_size=16 << 20).output)
    assert found.bootloader is not None
    assert found.table is not None
    assert found.bootloader.flash_size == found.table.end == 16 << 20
    assert found.bootloader.digest_ok, "the bootloader's SHA-256 is made again"
    with pytest.raises(BuildError, match="Espressif"):
        made(tmp_path, pico(), flash_size=4 << 20)


def test_a_table_that_fills_the_flash_has_no_room(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"not known|does not say|no room|leaves"):
        made(tmp_path, esp32(nibble=0x10), ".bin")


def test_an_official_esp8266_file_does_not_say_its_flash(tmp_path: Path) -> None:
    """Its header says 1 MB, and the flasher fixes that: what is built must say the truth."""
    with pytest.raises(BuildError, match="header states 1 MiB") as caught:
        made(tmp_path, esp8266(0x20, size=640_000), ".bin")
    assert "--flash-size" in caught.value.hint
    result = made(tmp_path, esp8266(0x20, size=640_000), ".bin", flash_size=4 << 20)
    found = esp(result.output)
    assert found.app is not None
    assert found.app.flash_size == 4 << 20
    assert any("access point" in note for note in result.report.notes)


@pytest.mark.parametrize("data", [pytest.param("app", id="application"), pytest.param("boot", id="bootloader")])
def test_a_part_of_a_firmware_is_refused(tmp_path: Path, data: str) -> None:
    whole = esp32()
    part = whole[0x10000 - 0x1000 :] if data == "app" else whole[:0x6000]
    with pytest.raises((BuildError, ImageError)) as caught:
        made(tmp_path, part, ".bin")
    assert "alone" in caught.value.message or "cut short" in caught.value.message


# -- STM32 -------------------------------------------------------------------------------------------------------


def test_a_third_element_between_the_others(tmp_path: Path) -> None:
    case = CASES["pyboard"]
    detail = FirmwareImage.read(made(tmp_path, case.base, ".dfu").output).detail
    assert isinstance(detail, DfuFile)
    addresses = [part.address for part in detail.targets[0].elements]
    assert (addresses[0], addresses[-1]) == (0x08000000, 0x08020000)
    assert 0x08004000 in addresses
    assert detail.crc_ok


def test_a_file_system_in_two_pieces_of_flash(tmp_path: Path) -> None:
    """NUCLEO_F413ZH: 176 KiB before the program and 64 KiB behind it make one FAT."""
    big = Item("big.bin", bytes(range(256)) * 800, "big.bin")  # reaches into the second piece
    base = stm32("NUCLEO_F413ZH", text=0x08030000)
    result = made(tmp_path, base, ".dfu", (*ITEMS, big))
    memory = FirmwareImage.read(result.output).memory
    pieces = ((0x08004000, 180224), (0x08040000, 65536))
    flash = b"".join(memory.read(*piece) for piece in pieces)
    found = volumes_on_flash(lambda at, count: flash[at : at + count], base=0, size=len(flash),
                             regions=[Region(0, len(flash), "fat")])  # fmt: skip
    assert found[0].open().files()["big.bin"] == big.data
    assert memory.touches(*pieces[1])
    assert memory.get(0x08030000, 40_000) == FirmwareImage.read(base).memory.get(0x08030000, 40_000)


# -- ROMFS -------------------------------------------------------------------------------------------------------


def test_romfs_takes_the_modules(tmp_path: Path) -> None:
    result = made(tmp_path, pico(romfs=True))
    kind, files, _ = holds(result.output, 0x10080000, 0x20000)
    assert (kind, sorted(files)) == ("romfs", ["app.mpy", "lib/thing.mpy"])
    _, files, _ = holds(result.output, 0x100A0000, 0x160000)
    assert sorted(files) == ["main.py", "static/page.html"], "what starts, and data, where programs look for it"
    rams = {row.target: row.ram for row in result.report.modules}
    assert (rams["app.mpy"], rams["main.py"], rams["static/page.html"]) == ("in place", "loaded", "on demand")
    assert any("nothing starts from a ROMFS" in note for note in result.report.notes)


def test_all_in_romfs_when_asked(tmp_path: Path) -> None:
    result = made(tmp_path, pico(romfs=True), items=(ITEMS[0], ITEMS[3]), filesystem="romfs")
    assert sorted(holds(result.output, 0x10080000, 0x20000)[1]) == ["app.mpy", "static/page.html"]
    assert result.keeps_files is True, "the file system is left alone"
    assert not FirmwareImage.read(result.output).memory.touches(0x100A0000, 0x160000)
    assert any("/rom" in note for note in result.report.notes)
    assert any("leaves the files" in note for note in result.report.notes)


def test_too_much_for_the_romfs_goes_into_the_file_system(tmp_path: Path) -> None:
    big = Item("data.py", b"X = b'" + b"a" * 200_000 + b"'\n", "data.py", module=True)
    result = made(tmp_path, pico(romfs=True), items=(*ITEMS, big))
    assert "data.mpy" in holds(result.output, 0x100A0000, 0x160000)[1]
    assert any("bytes too many" in note for note in result.report.notes)
    with pytest.raises(BuildError, match="bytes too many"):
        made(tmp_path, pico(romfs=True), items=(big,), filesystem="romfs")


def test_a_region_without_the_driver_is_no_romfs(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no ROMFS"):
        made(tmp_path, pico(), filesystem="romfs")


# -- what is refused ---------------------------------------------------------------------------------------------


REFUSED = {
    "unknown board": (samd("MY_OWN_BOARD"), ".uf2", {}, "MY_OWN_BOARD is not known"),
    "no board": (hexfile("x", 0, version="v1.24.0"), ".hex", {}, "does not say where its file system is"),
    "no room for files": (samd("SAMD_GENERIC_D51X20", version="v1.25.0"), ".uf2", {}, "leaves no flash"),
    "unknown release": (samd("SAMD_GENERIC_D51X20", version="v1.29.0"), ".uf2", {}, "not known for MicroPython 1.29"),
    "unknown release of stm32": (stm32("PYBV11", version="v1.20.0"), ".dfu", {"board": "PYBV11"}, "not known for"),
    "no file system at all": (esp8266(0x00, "ESP8266_GENERIC-FLASH_512K", 300_000), ".bin", {}, "no file system"),
    "another board": (pico(), ".uf2", {"board": "RPI_PICO_W"}, "the firmware is for RPI_PICO"),
    "fat on rp2": (pico(), ".uf2", {"filesystem": "fat"}, "mounts LittleFS there, not FAT"),
    "littlefs on samd21 as fat": (samd("SAMD_GENERIC_D21X18", family=0x68ED2B88, at=0x2000), ".uf2",
                                  {"filesystem": "fat"}, "not FAT"),
    "a region over the program": (pico(), ".uf2", {"region": (0x10000000, 0x100000), "filesystem": "romfs"},
                                "reaches .* bytes into"),
    "no region": (pico(), ".uf2", {"region": (0x100A0000, 0)}, "is none"),
    "a region behind the flash": (esp32(), ".bin", {"region": (0x300000, 0x200000), "filesystem": "romfs"},
                                  "behind the 4 MiB"),
    "a region where the firmware does not look": (pico(), ".uf2", {"region": (0x100A0000, 0x15C000)},
                                                  r"says where its file system is \(0x100a0000"),
    "a region where the table does not say": (esp32((NVS, PHY, FACTORY, VFS), version="v1.25.0"), ".bin",
                                              {"region": (0x300000, 0x100000)}, "says where its file system is"),
    "half a sector": (pico(), ".uf2", {"region": (0x100A0100, 0x160000)}, "whole number of sectors"),
    "another chip's address": (pico(), ".uf2", {"region": (0x30000000, 0x10000)}, "is none"),
    "nothing to put in": (pico(), ".uf2", {"items": ()}, "nothing to put into"),
    "another release": (pico(), ".uf2", {"version": "1.26"}, "MicroPython v1.27.0, the project asks for 1.26"),
    "no such entry": (pico(), ".uf2", {"entry": "ap:main"}, "module ap that is not there"),
    "main as entry": (pico(), ".uf2", {"entry": "main"}, "starts by itself"),
}  # fmt: skip


@pytest.mark.parametrize(("base", "suffix", "options", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(tmp_path: Path, base: bytes, suffix: str, options: dict, words: str) -> None:
    with pytest.raises(BuildError, match=words) as caught:
        made(tmp_path, base, suffix, **options)
    assert caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"base{suffix}"]


def test_the_users_own_region(tmp_path: Path) -> None:
    result = made(tmp_path, samd("SAMD_GENERIC_D51X20", version="v1.29.0"), region=(0xC0000, 0x40000))
    kind, files, volume = holds(result.output, 0xC0000, 0x40000)
    assert (kind, volume.block_size, sorted(files)) == ("littlefs2", 2048, NAMES)


def test_a_frozen_entry(tmp_path: Path) -> None:
    base = samd("SAMD_GENERIC_D51X19")
    image = FirmwareImage.read(base)
    frozen = image.memory.replaced(image.memory.start + 2000, b"\0webapp.py\0")
    assert made(tmp_path, image.encode(frozen), entry="webapp:start").output.is_file()


@pytest.mark.parametrize("name", ["rp2040", "pyboard", "samd21", "esp32 fat", "stm32f0", "nrf51"])
def test_too_large(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    items = (Item("small.py", b"x = 1\n", "small.py", module=True), Item("big.bin", bytes(case.size), "big.bin"),
             Item("half.bin", bytes(case.size // 2), "half.bin"))  # fmt: skip
    with pytest.raises(BuildError, match=r": \d+ bytes too many") as caught:
        made(tmp_path, case.base, case.suffix, items, **case.options)
    over = int(caught.value.message.split(": ")[-1].split()[0])
    assert case.size // 2 <= over < case.size
    assert caught.value.hint.startswith("the largest are big.bin (")
    assert not (tmp_path / f"out{case.suffix}").exists()


def test_files_in_a_base_are_replaced(tmp_path: Path) -> None:
    """A base may be an output of another build, or a dump."""
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    first = made(tmp_path / "a", pico(), items=(*ITEMS, Item("old.bin", bytes(range(256)) * 900, "old.bin")))
    second = made(tmp_path / "b", first.output.read_bytes())
    plain = made(tmp_path / "a", pico())
    assert second.sha256 == plain.sha256, "nothing of the old files is left"


def test_the_base_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "base.uf2").write_bytes(pico())
    with pytest.raises(BuildError, match=r"choose|is the firmware") as caught:
        build_image(Recipe("image", ITEMS, firmware=tmp_path / "base.uf2", output=tmp_path / "base.uf2"))
    assert "--output" in caught.value.hint
    assert (tmp_path / "base.uf2").read_bytes() == pico()


# -- .mpy files of the user --------------------------------------------------------------------------------------


def test_given_mpy_files(tmp_path: Path) -> None:
    def module(release: tuple[int, ...], arch: str, emitter: str = "") -> bytes:
        return Cross(Abi.for_release(release, arch)).compile(
            Module(b"def f(x):\n    return x + 1\n", "m.py", 0, emitter)
        )

    def build(data: bytes) -> None:
        made(tmp_path, pico(), items=(Item("lib/m.mpy", data, "vendor/m.mpy"),))

    build(module((1, 27), ""))
    build(module((1, 27), "armv6m", "native"))
    for data, words in (
        (module((1, 18), ""), "it is .mpy version 5"),
        (module((1, 27), "xtensawin", "native"), "its machine code is for xtensawin"),
        (module((1, 20), "armv6m", "native"), "for .mpy 6.1"),
        (b"not one", "not a .mpy file"),
        (b"C\x06\x00\x1f", "CircuitPython"),
    ):
        with pytest.raises(BuildError, match=words) as caught:
            build(data)
        assert caught.value.message.startswith("vendor/m.mpy")
        assert caught.value.hint


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"src/bad\.py:2: SyntaxError"):
        made(tmp_path, pico(), items=(Item("bad.py", b"x = 1\ndef f(:\n", "src/bad.py", module=True),))
    assert not (tmp_path / "out.uf2").exists()


@pytest.mark.parametrize("name", ["rp2040", "pyboard", "esp32 without a row", "samd51", "nrf52840"])
def test_nothing_is_left_when_writing_fails(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(BuildError, match="No space left"):
        made(tmp_path, case.base, case.suffix, **case.options)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"base{case.suffix}"]


def test_a_fault_of_ours_is_caught_before_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The finished file is opened and compared: whatever goes wrong on the way, no bad file is written."""
    real = FirmwareImage.encode

    def lossy(self: FirmwareImage, memory: Memory) -> bytes:
        last = memory.segments[-1]
        return real(self, memory.replaced(last.address, bytes(8192)))

    for name in ("rp2040", "pyboard", "samd21"):
        case = CASES[name]
        with monkeypatch.context() as patch:
            patch.setattr(FirmwareImage, "encode", lossy)
            with pytest.raises(BuildError, match="finished image"):
                made(tmp_path, case.base, case.suffix, **case.options)
        assert not (tmp_path / f"out{case.suffix}").exists()


def test_what_a_boot_rom_would_spoil_is_caught_before_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose blocks are right, and which an RP2040 would not flash as they are: its sectors are not filled."""

    def thin(self: FirmwareImage, memory: Memory) -> bytes:
        rows = [(each.address, each.data.rstrip(b"\xff")) for each in memory]
        return write_uf2([(RP2040, Memory.of(rows))], sector=0)

    monkeypatch.setattr(FirmwareImage, "encode", thin)
    with pytest.raises(BuildError, match="finished image"):
        made(tmp_path, pico(filled=False))
    assert not (tmp_path / "out.uf2").exists()
