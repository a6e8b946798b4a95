"""Which file systems are in a file, by whom it is told, and putting changes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.image.fs_samples import sample
from tests.unit.image.parts import pico_like
from upytool.errors import ImageError
from upytool.image.base import FirmwareImage
from upytool.image.blocks import BytesBlocks
from upytool.image.chips import RP2040
from upytool.image.compare import Side, difference
from upytool.image.dfuse import DfuElement, DfuTarget, write_dfu
from upytool.image.esp_partitions import DATA, Partition, write_table
from upytool.image.intel_hex import write_hex
from upytool.image.littlefs import build_littlefs, lfs_parameters
from upytool.image.memory import Memory
from upytool.image.romfs import build_romfs
from upytool.image.uf2 import write_uf2
from upytool.image.volume import (
    FsVolume,
    Region,
    build_fs,
    default_kind,
    kind_of,
    open_image,
    volumes,
    volumes_on_flash,
    with_volume,
)

FILES = sample(4)
PICO = Memory.of([(0x10000000, pico_like())])


def only(found: list[FsVolume]) -> FsVolume:
    (volume,) = found
    return volume


def place() -> Region:
    """The file system of the pico-like firmware."""
    found = volumes(FirmwareImage.read(write_uf2([(RP2040, PICO)]), name="x"))
    assert [each.name for each in found] == ["ROMFS", "MicroPython"]
    volume = found[1]
    assert (volume.kind, volume.present, volume.source, volume.problem) == ("", False, "binary info", "")
    return Region(volume.start, volume.size)


def with_files(region: Region, kind: str = "littlefs") -> Memory:
    built = build_fs(kind, region.size, FILES, port="rp2")
    pieces = [(each.address, each.data) for memory in (PICO, built.memory(region.start)) for each in memory]
    return Memory.of(pieces)


def test_binary_info_says_where() -> None:
    region = place()
    image = FirmwareImage.read(write_uf2([(RP2040, with_files(region))], sector=4096), name="x")
    volume = next(each for each in volumes(image) if each.start == region.start)
    assert (volume.kind, volume.size, volume.problem) == ("littlefs2", region.size, "")
    assert volume.open().files() == FILES
    assert "MemoryBlocks" not in repr(volume)


def test_a_wrong_block_count_is_told() -> None:
    region = place()
    built = build_littlefs(FILES, lfs_parameters("rp2", region.size - 4096))
    memory = Memory.of([(s.address, s.data) for m in (PICO, built.memory(region.start)) for s in m])
    volume = next(each for each in volumes(FirmwareImage.read(write_uf2([(RP2040, memory)]), name="x")) if each.kind)
    assert "firmware formats it" in volume.problem


def test_changes_come_back_complete() -> None:
    region = place()
    image = FirmwareImage.read(write_uf2([(RP2040, with_files(region))], sector=4096), name="x")
    volume = next(each for each in volumes(image) if each.kind)
    tree = volume.open()
    tree.rename("main.py", "main.py.off-1")
    tree.write("new", b"n" * 9000)
    memory = with_volume(image.memory, volume, tree)
    for offset in tree.used_blocks():
        assert memory.get(volume.start + offset, 4096) is not None  # also the halves that are still erased
    again = FirmwareImage.read(image.encode(memory), name="x")
    there = next(each for each in volumes(again) if each.kind).open()
    assert [(c.path, c.what) for c in difference([Side.of(volume.open())], [Side.of(there)])] == [
        ("main.py", "removed"),
        ("main.py.off-1", "added"),
        ("new", "added"),
    ]
    assert all(again.memory.get(each.address, len(each.data)) == each.data for each in PICO)


@pytest.mark.parametrize("kind", ["littlefs", "fat"])
def test_dfu_and_hex_by_a_region_or_by_content(kind: str) -> None:
    start, size = 0x08004000, 112 << 10
    built = build_fs(kind, size, FILES, port="stm32")
    code = (0x08020000, b"\x5a" * 4096)
    memory = Memory.of([code, *((each.address, each.data) for each in built.memory(start))])
    parts = tuple(DfuElement(each.address, each.data) for each in memory)
    for raw in (write_dfu((DfuTarget(parts, 0, "flash"),)), write_hex(memory)):
        image = FirmwareImage.read(raw, name="x")
        for regions in ([Region(start, size, "flash", source="board table")], []):
            volume = only(volumes(image, regions))
            assert (volume.start, volume.source) == (start, "board table" if regions else "content")
            assert volume.kind == ("fat" if kind == "fat" else "littlefs2")
            tree = volume.open()
            tree.write("x", b"1")
            changed = FirmwareImage.read(image.encode(with_volume(image.memory, volume, tree)), name="x")
            assert only(volumes(changed, regions)).open().files() == {**FILES, "x": b"1"}
            assert changed.memory.get(code[0], 4096) == code[1]


def esp_flash(rows: list[Partition], size: int = 4 << 20) -> bytearray:
    flash = bytearray(b"\xff" * size)
    flash[0x8000:0x8C00] = write_table(rows)
    return flash


NVS = Partition("nvs", DATA, 2, 0x9000, 0x6000)


@pytest.mark.parametrize("subtype", [0x81, 0x83])
def test_the_label_of_a_partition_does_not_say_what_is_in_it(subtype: int) -> None:
    flash = esp_flash([NVS, Partition("vfs", DATA, subtype, 0x200000, 0x200000)])
    flash[0x200000:] = build_fs("littlefs", 0x200000, FILES, port="esp32").to_bytes()
    volume = only(volumes_on_flash(lambda a, n: bytes(flash[a : a + n]), base=0, size=len(flash), chip="esp32"))
    assert (volume.name, volume.kind, volume.source) == ("vfs", "littlefs2", "partition table")
    assert volume.open().files() == FILES


def test_the_vfs_that_no_row_names() -> None:
    """From 1.26 on it is what is behind the last partition."""
    flash = esp_flash([NVS, Partition("factory", 0, 0, 0x10000, 0x1F0000)])
    flash[0x200000:] = build_fs("littlefs", 0x200000, FILES, port="esp32").to_bytes()
    read: list[int] = []

    def fetch(address: int, size: int) -> bytes:
        read.append(size)
        return bytes(flash[address : address + size])

    volume = only(volumes_on_flash(fetch, base=0, size=len(flash), chip="esp32s3"))
    assert (volume.start, volume.size, volume.kind) == (0x200000, 0x200000, "littlefs2")
    assert volume.open().entries()
    assert sum(read) < 128 << 10


def test_a_whole_esp32_firmware_file(esp_parts: object) -> None:
    parts = esp_parts("esp32")  # type: ignore[operator]
    image = FirmwareImage.read(parts.merged, name="x")
    found = volumes(image, flash_size=4 << 20)
    assert [volume.source for volume in found] == ["partition table"] * len(found)
    assert found


def test_esp8266() -> None:
    flash = bytearray(b"\xff" * (4 << 20))
    size = (4 << 20) - 0x5000 - 0x100000
    flash[0x100000 : 0x100000 + size] = build_fs("littlefs", size, FILES, port="esp8266").to_bytes()
    volume = only(volumes_on_flash(lambda a, n: bytes(flash[a : a + n]), base=0, size=len(flash), chip="esp8266"))
    assert (volume.start, volume.kind, volume.problem) == (0x100000, "littlefs2", "")


@pytest.mark.parametrize("kind", ["littlefs", "littlefs1", "fat", "romfs"])
def test_a_dump_without_firmware(kind: str) -> None:
    data = build_fs(kind, 128 << 10, FILES).to_bytes()
    image = open_image(data, name="dump.bin")
    volume = only(volumes(image))
    assert (volume.start, volume.kind) == (0, {"littlefs": "littlefs2"}.get(kind, kind))
    assert volume.open().files() == FILES
    shifted = open_image(b"\xff" * 0x3000 + data, name="dump.bin")
    assert only(volumes(shifted)).start == 0x3000


def test_several_in_one_dump() -> None:
    rom = build_romfs(FILES)
    data = b"\0" * 0x1000 + rom.ljust(0x20000, b"\xff") + build_fs("fat", 128 << 10, FILES).to_bytes()
    data += build_fs("littlefs", 128 << 10, FILES).to_bytes()
    found = volumes(open_image(data, name="x"))
    assert [(each.start, each.kind) for each in found] == [
        (0x1000, "romfs"), (0x21000, "fat"), (0x41000, "littlefs2"),
    ]  # fmt: skip
    assert all(each.open().files() == FILES for each in found)


def test_romfs_changes() -> None:
    data = build_fs("romfs", 64 << 10, FILES).to_bytes()
    image = open_image(data, name="x")
    volume = replace(only(volumes(image, [Region(0, 64 << 10)])))
    tree = volume.open()
    tree.write("lib/new.mpy", b"x" * 500)
    tree.remove("pkg", recursive=True)
    tree.rename("main.py", "old.py")
    memory = with_volume(image.memory, volume, tree)
    files = only(volumes(open_image(image.encode(memory), name="x"))).open().files()
    wanted = {path: data for path, data in FILES.items() if not path.startswith("pkg/")} | {"lib/new.mpy": b"x" * 500}
    wanted["old.py"] = wanted.pop("main.py")
    assert files == wanted
    tree.write("big", bytes(70000))
    with pytest.raises(ImageError, match="bytes too many"):
        tree.steps()


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ImageError):
        open_image(b"nothing of the kind" * 100, name="x")
    with pytest.raises(ImageError, match="cannot read"):
        open_image("/nowhere/file.bin")
    with pytest.raises(ImageError, match="no file system in"):
        FsVolume("vfs", 0, 4096, "", "you", 0, BytesBlocks(b"")).open()
    with pytest.raises(ImageError, match="file system that can be made"):
        build_fs("ext4", 1 << 20, {})
    assert kind_of(BytesBlocks(b"\xff" * 9000)) == ("", 0, 0)


def test_what_a_port_formats_with() -> None:
    assert default_kind("stm32") == default_kind("stm32", ["VfsFat", "VfsLfs2"]) == "fat"
    assert default_kind("stm32", ["VfsLfs2"]) == default_kind("rp2") == "littlefs"
