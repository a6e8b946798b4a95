"""Where each board keeps its file systems, computed from linker scripts, partition tables and headers.

One function a port, after the port's own code: ports/rp2/rp2_flash.c, ports/esp32/{main.c,modules/flashbdev.py},
ports/esp8266/{modesp.c,modules/flashbdev.py}, ports/stm32/{flashbdev.c,main.c}, ports/samd/samd_flash.c,
ports/nrf/boards/memory.ld and modules/nrf/flashbdev.c, ports/mimxrt/boards/*.ld and mimxrt_flash.c.
"""

from __future__ import annotations

import re
from typing import Any

from tests.rigs.base import cache_root
from tests.rigs.board_tree import TreeBoard, arithmetic, assigned, boards_of, defines, read, size_of, trees

Row = dict[str, Any]
LFS: Row = {"kind": "littlefs", "block_size": 4096, "prog_size": 32, "on_failure": "formats"}
NO_FS = "its firmware has no file system"
OUTSIDE = "its file system is on a flash chip of its own, which no firmware file reaches"

# Read again in the sources at 1.29.0-preview (August 2026), with the same numbers.
# fmt: off
AT_HEAD = (
    "RPI_PICO", "RPI_PICO_W", "RPI_PICO2", "RPI_PICO2_W", "ESP32_GENERIC", "ESP32_GENERIC_C3",
    "ESP32_GENERIC_S2", "ESP32_GENERIC_S3", "ESP8266_GENERIC", "PYBV11", "NUCLEO_F401RE", "NUCLEO_F411RE",
    "NUCLEO_F446RE", "NUCLEO_F746ZG", "NUCLEO_F767ZI", "NUCLEO_F429ZI", "NUCLEO_H743ZI", "NUCLEO_L476RG",
    "NUCLEO_WB55", "NUCLEO_G474RE", "STM32H573I_DK", "NUCLEO_F091RC", "NUCLEO_L432KC", "SAMD_GENERIC_D21X18",
    "PCA10056", "TEENSY41",
)
# fmt: on
HEAD = "1.29"


def minor(tag: str) -> str:
    """1.26 of 1.26.1: layouts do not change with a bug fix."""
    return ".".join(tag.split(".")[:2])


# -- rp2 ----------------------------------------------------------------------------------------------


def rp2_flash_size(board: TreeBoard, variant: str) -> int | None:
    text = board.cmake + read(board.folder / "mpconfigvariant.cmake") + board.variant_text(variant, "cmake")
    named = re.findall(r'set\(PICO_BOARD "?(\w+)"?\)', text)
    name = named[-1] if named else board.id.lower()
    sdk = cache_root() / "src-pico-sdk/src/boards/include/boards"
    for source in (board.header, read(board.folder / f"{name}.h"), read(sdk / f"{name}.h")):
        value = defines(source).get("PICO_FLASH_SIZE_BYTES")
        if value:
            return arithmetic(value)
    return None


def rp2(board: TreeBoard, variant: str) -> list[Row] | str:
    flash = rp2_flash_size(board, variant)
    if flash is None:
        return "the size of its flash is not known"
    size = arithmetic(
        board.defines.get("MICROPY_HW_FLASH_STORAGE_BYTES", "1408 * 1024"), {"PICO_FLASH_SIZE_BYTES": flash}
    )
    rows = [LFS | {"name": "flash", "start": 0x10000000 + flash - size, "size": size, "prog_size": 256, "mount": "/"}]
    romfs = arithmetic(board.defines.get("MICROPY_HW_ROMFS_BYTES", "0"))
    if romfs:
        rows.append({"name": "romfs", "kind": "romfs", "start": 0x10000000 + flash - size - romfs, "size": romfs})
    return rows


# -- esp32, esp8266 -----------------------------------------------------------------------------------


def _sdkconfig(board: TreeBoard, variant: str) -> dict[str, str]:
    """The options of all sdkconfig files of a board, later ones winning."""
    text = board.cmake + board.variant_text(variant, "cmake")
    text = text.replace("${MICROPY_BOARD_DIR}", f"boards/{board.id}")
    found: dict[str, str] = {}
    for name in re.findall(r"boards/[\w/.]*sdkconfig[\w.]*", text):
        for line in read(board.tree / "ports/esp32" / name).splitlines():
            option, _, value = line.partition("=")
            if option.startswith("CONFIG_ESPTOOLPY_FLASHSIZE_") and value == "y":
                found["flash"] = option.rpartition("_")[2]
            elif option == "CONFIG_PARTITION_TABLE_CUSTOM_FILENAME":
                found["table"] = value.strip('"')
    return found


def esp32_flash_size(board: TreeBoard, variant: str) -> int | None:
    text = _sdkconfig(board, variant).get("flash")
    return size_of(text) if text else None


def esp32(board: TreeBoard, variant: str) -> list[Row] | str:
    table = board.tree / "ports/esp32" / _sdkconfig(board, variant)["table"]
    parts = [
        [cell.strip() for cell in line.split(",")]
        for line in read(table).splitlines()
        if line.strip() and not line.startswith("#")
    ]
    assert parts, table
    rows: list[Row] = []
    end = 0
    for label, _, _, offset, size, *_ in parts:
        start, length = size_of(offset), size_of(size)
        end = max(end, start + length)
        place: Row = {"name": label, "start": start, "size": length}
        if label == "vfs":
            rows.append(LFS | place | {"mount": "/", "on_failure": "stops"})
        elif label == "ffat":
            rows.append(place | {"kind": "fat", "block_size": 512, "mount": "/", "on_failure": "stops"})
        elif label == "romfs":
            rows.append(place | {"kind": "romfs"})
    if not any(row["name"] in ("vfs", "ffat") for row in rows):  # boardctrl_startup of main.c makes one
        rows.append(LFS | {"name": "vfs", "start": end, "size": None, "tail": 0, "mount": "/", "on_failure": "stops"})
    return rows


def esp8266(board: TreeBoard, variant: str) -> list[Row] | str:
    if variant == "FLASH_512K":
        return NO_FS
    text = read(board.boards.parent / assigned(board.variant_text(variant, "mk"), "LD_FILES"))
    found = re.search(r"irom0_0_seg\s*:\s*org = (.+?), len = (.+)", text)
    assert found is not None
    origin, length = (
        arithmetic(re.sub(r"(\d+)([KM])\b", lambda each: str(size_of(each[0])), part)) for part in found.groups()
    )
    firmware = origin + length - 0x40200000
    rows: list[Row] = []
    romfs = re.search(r"FLASH_ROMFS\s*:\s*org = (\w+), len = (\w+)", text)
    user = firmware
    if romfs is not None:
        rows.append({"name": "romfs", "kind": "romfs", "start": firmware, "size": size_of(romfs[2])})
        user += size_of(romfs[2])
    sector = user // 4096
    start = (sector + (sector < 256)) * 4096  # flashbdev.py keeps a sector for native code
    place: Row = {"name": "flash", "start": start, "size": None, "tail": 20480}
    return [LFS | place | {"mount": "/", "on_failure": "stops"}, *rows]


# -- stm32 --------------------------------------------------------------------------------------------


def _memory(text: str) -> dict[str, tuple[int, int]]:
    """Regions of MEMORY with plain numbers."""
    found = re.findall(r"^\s*(\w+)\s*\(\w+\)\s*:\s*ORIGIN\s*=\s*(0x\w+),\s*LENGTH\s*=\s*(\w+)", text, re.M)
    return {name: (int(start, 16), size_of(size)) for name, start, size in found}


def stm32(board: TreeBoard, variant: str) -> list[Row] | str:
    switch = re.findall(r"MICROPY_HW_ENABLE_INTERNAL_FLASH_STORAGE\s+\(?(\d)", board.header)
    if board.id == "WEACT_F411_BLACKPILL":  # both in its header, by the size of the SPI flash
        switch = ["0" if "FLASH_" in variant else "1"]
    if switch and switch[-1] == "0":
        return OUTSIDE if "SPIFLASH" in board.header else NO_FS
    files = assigned(board.make, "LD_FILES") or assigned(_parent_make(board), "LD_FILES")
    script, common = [*files.split(), ""][:2]
    memory = _memory(read(board.boards.parent / script))
    if "FLASH_FS" not in memory:
        return NO_FS
    start, size = memory["FLASH_FS"]
    flash_start, flash_size = memory.get("FLASH", (0, 0))
    if "common_basic" in common and flash_start <= start and start + size < flash_start + flash_size:
        return "its linker script gives the same flash to the program and to the file system"
    make = board.make + board.variant_text(variant, "mk")
    row: Row = {"name": "flash", "start": start, "size": size, "mount": "/flash"}
    if "FLASH_FS2" in memory and "STORAGE_SEGMENT2" in board.header:
        row |= {"segments": [list(memory["FLASH_FS"]), list(memory["FLASH_FS2"])]}
        row["size"] = size + memory["FLASH_FS2"][1]
    if assigned(make, "MICROPY_VFS_FAT") != "0":
        return [row | {"kind": "fat", "block_size": 512, "on_failure": "formats"}]
    for option, kind in (("MICROPY_VFS_LFS1", "littlefs1"), ("MICROPY_VFS_LFS2", "littlefs")):
        if assigned(make, option) == "1":
            return [row | {"kind": kind, "block_size": 512, "prog_size": 32, "on_failure": "none"}]
    return NO_FS


def _parent_make(board: TreeBoard) -> str:
    parent = re.search(r"include (?:\$\(TOP\)/ports/stm32/)?boards/(\w+)/mpconfigboard.mk", board.make)
    return read(board.boards / parent[1] / "mpconfigboard.mk") if parent else ""


# -- samd, nrf, mimxrt --------------------------------------------------------------------------------


def samd(board: TreeBoard, variant: str) -> list[Row] | str:
    header = board.header + read(board.folder / f"mpconfigvariant_{variant}.h")
    make = board.make + board.variant_text(variant, "mk")
    if re.search(r"MICROPY_HW_QSPIFLASH\b", header + make):
        return OUTSIDE
    if re.search(r"MICROPY_HW_SPIFLASH\b", header + make) and "MICROPY_HW_SPIFLASH_ID" in header + make:
        return OUTSIDE
    series = assigned(make, "MCU_SERIES").lower()
    mcu = board.boards.parent / "mcu" / series
    default = assigned(read(mcu / "mpconfigmcu.mk"), "MICROPY_HW_CODESIZE")
    code = size_of(assigned(make, "MICROPY_HW_CODESIZE") or default)
    text = read(board.boards.parent / assigned(make, "LD_FILES").split()[0])
    flash, boot = (size_of(re.search(rf"{name}\s*=\s*(\w+)", text)[1]) for name in ("_flashsize", "_bootloader"))  # type: ignore[index]
    size = flash - code - boot
    if size <= 0:
        return "its firmware leaves no flash for a file system"
    block = arithmetic(defines(read(mcu / "mpconfigmcu.h"))["VFS_BLOCK_SIZE_BYTES"])
    kind = "littlefs1" if assigned(read(mcu / "mpconfigmcu.mk"), "MICROPY_VFS_LFS1") == "1" else "littlefs"
    place: Row = {"name": "flash", "start": boot + code, "size": size // block * block, "mount": "/"}
    return [LFS | place | {"kind": kind, "block_size": block, "prog_size": 256}]


def nrf(board: TreeBoard, variant: str) -> list[Row] | str:
    if assigned(board.make, "MICROPY_VFS_LFS2") != "1":
        return NO_FS
    names = [each for line in re.findall(r"^LD_FILES\s*\+=\s*(.*)$", board.make, re.M) for each in line.split()]
    if not re.search(r"^SD\s*=", board.make, re.M):
        names = [each for each in names if "s110" not in each]
    else:
        names.append(f"boards/{assigned(board.make, 'SD')}_{assigned(board.make, 'SOFTDEV_VERSION')}.ld")
    loader = assigned(board.make, "BOOTLOADER")
    if loader:
        versions = [assigned(board.make, f"BOOTLOADER_VERSION_{each}") for each in ("MAJOR", "MINOR")]
        chip = assigned(board.make, "MCU_SUB_VARIANT")
        names.append(f"boards/{chip}_{loader}_{versions[0]}.{versions[1]}.x.ld")
    text = "".join(read(board.boards.parent / name) for name in names)

    def value(name: str, default: int) -> int:
        found = re.search(rf"{name}\s*=\s*(?:DEFINED\(\w+\) \? \w+ : )?(\w+);", text)
        return size_of(found[1]) if found else default

    page = 1024 if "nrf51" in assigned(board.make, "MCU_SUB_VARIANT") else 4096
    size = value("_fs_size", 64 << 10)
    start = value("_flash_size", 0) - value("_bootloader_tail_size", 0) - size
    assert start > 0, board.id
    return [LFS | {"name": "flash", "start": start, "size": size, "block_size": page, "mount": "/flash"}]


def mimxrt(board: TreeBoard, variant: str) -> list[Row] | str:
    text = read(board.boards / f"{assigned(board.make, 'MCU_SERIES')}.ld")
    bases = re.findall(r"flash_start\s*=\s*(0x\w+)", text)
    base = int(bases[0], 16) if bases else int(assigned(board.make, "MICROPY_HW_FLASH_BASE") or "0x70000000", 16)
    first = re.search(r"vfs_start\s*=\s*flash_start \+ (0x\w+)", text)
    assert first is not None, board.id
    start = int(first[1], 16)
    size = int(assigned(board.make, "MICROPY_HW_FLASH_SIZE"), 0) - int(
        assigned(board.make, "MICROPY_HW_FLASH_RESERVED") or "0", 0
    )
    block = 256 << 10 if "hyper" in assigned(board.make, "MICROPY_HW_FLASH_TYPE") else 4096
    place: Row = {"name": "flash", "start": base + start, "size": size - start, "block_size": block}
    return [LFS | place | {"prog_size": 256, "mount": "/flash"}]


PORTS = {
    "rp2": rp2,
    "esp32": esp32,
    "esp8266": esp8266,
    "stm32": stm32,
    "samd": samd,
    "nrf": nrf,
    "mimxrt": mimxrt,
}


def layouts() -> dict[str, Any]:
    """The whole of layouts.json: a row for each board, variant and range of versions with the same layout."""
    rows: dict[tuple[str, str], list[Row]] = {}
    for tag, tree in trees():
        for board in boards_of(tag, tree):
            if board.port not in PORTS:
                continue
            for variant in board.variants:
                found = PORTS[board.port](board, variant)
                row: Row = {"board": board.id, "variant": variant, "from": minor(tag), "to": minor(tag)}
                row |= {"none": found} if isinstance(found, str) else {"regions": found}
                row["source"] = f"{tag}: {board.file(board.folder)}"
                before = rows.setdefault((board.id, variant), [])
                last = before[-1] if before else {}
                if last.get("regions") == row.get("regions") and last.get("none") == row.get("none") and last:
                    last["to"] = row["to"]
                    last["source"] = f"{last['source'].partition(':')[0]} and {row['source']}"
                else:
                    before.append(row)
    for (name, _), each in rows.items():
        if name in AT_HEAD:
            each[-1]["to"] = HEAD
            each[-1]["source"] += "; the same at 1.29.0-preview"
    return {"version": 1, "layouts": [row for each in rows.values() for row in each]}
