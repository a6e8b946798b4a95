"""Models of MicroPython firmware for every port: what a file says of itself is as real ones say it, nothing runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fakes.esp_firmware import code_like, esp_image
from tests.fakes.esp_rom_model import KINDS
from tests.unit.image.parts import Rp2Program, micropython_texts, pico_like
from upytool.builder.base import BuildResult, Item, Recipe
from upytool.builder.from_image import build_image
from upytool.image.base import FirmwareImage
from upytool.image.chips import RP2040, RP2350_ARM_S, RP2350_RISCV
from upytool.image.dfuse import DfuElement, DfuTarget, write_dfu
from upytool.image.esp_partitions import DATA, Partition, write_table
from upytool.image.intel_hex import write_hex
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2
from upytool.image.volume import Region, volumes

FLASH = 0x10000000
SAMD21, SAMD51, MIMXRT = 0x68ED2B88, 0x55114460, 0x4FB2D5BD
NVS, PHY = Partition("nvs", DATA, 2, 0x9000, 0x6000), Partition("phy_init", DATA, 1, 0xF000, 0x1000)
FACTORY = Partition("factory", 0, 0, 0x10000, 0x1F0000)
VFS = Partition("vfs", DATA, 0x81, 0x200000, 0x200000)
OTA = (
    NVS,
    Partition("otadata", DATA, 0, 0xF000, 0x2000),
    Partition("ota_0", 0, 0x10, 0x20000, 0x180000),
    Partition("ota_1", 0, 0x11, 0x1A0000, 0x170000),
)
ITEMS = (
    Item("app.py", b"import lib\ndef main():\n    print('here')\n", "src/app.py", module=True),
    Item("lib/thing.py", b"x = 1\n" * 300, "thing: thing.py", module=True, package="thing"),
    Item("main.py", b"from app import main\n\nmain()\n", 'entry = "app:main"', module=True),
    Item("static/page.html", b"<p>" * 900, "static/page.html"),
)


def program(build: str, version: str = "v1.27.0", *, size: int = 40_000, more: bytes = b"") -> bytes:
    """Code with MicroPython's texts in it."""
    text = micropython_texts(version, build, f"{build} with CHIP") + more + b"\0"
    return text + bytes(-len(text) % 4) + code_like(size, 3)


def pico(
    version: str = "v1.27.0",
    *,
    romfs: bool = False,
    family: int = RP2040,
    erratum: bool = False,
    filled: bool = True,
) -> bytes:
    """A UF2 file for an RP2 chip.

    Args:
        romfs: its program has the driver as well as the region.
        filled: whole sectors, as the SDK's tools write them for the RP2040.
    """
    if family == RP2040 and version == "v1.27.0" and not romfs:
        data = pico_like()
    else:
        name = "RPI_PICO" if family == RP2040 else "RPI_PICO2"
        made = Rp2Program()
        start = 0x100A0000 if family == RP2040 else 0x10100000
        made.device("MicroPython", start, 0x160000 if family == RP2040 else 0x300000, 3)
        if romfs:
            made.device("ROMFS", 0x10080000, 0x20000, 1)
        variant = "-RISCV" if family == RP2350_RISCV else ""
        made.blob += micropython_texts(version, name + variant, f"{name} with RP2")
        made.blob += b"VfsRom\0" if romfs else b""
        made.blob += bytes(-len(made.blob) % 4)
        data = made.build(end=0x10050000, rp2350=family != RP2040)
    sector = 4096 if family == RP2040 and filled else 0
    return write_uf2([(family, Memory.of([(FLASH, data)]))], sector=sector, erratum_block=erratum)


def esp32(
    table: tuple[Partition, ...] = (NVS, PHY, FACTORY), *, chip: str = "esp32", version: str = "v1.27.0",
    build: str = "ESP32_GENERIC", nibble: int = 0x20,
) -> bytes:  # fmt: skip
    base = KINDS[chip].base
    at = next(row.offset for row in table if row.type == 0)
    data = esp_image(chip, code_like(0x5000, 99), flash=nibble).ljust(0x8000 - base, b"\xff") + write_table(table)
    return data.ljust(at - base, b"\xff") + esp_image(chip, program(build, version), app=True, flash=nibble)


def esp8266(nibble: int = 0x40, build: str = "ESP8266_GENERIC", size: int = 600_000) -> bytes:
    """4 MB is 0x40; official files say 0x20, 1 MB, whatever the board has."""
    first = esp_image("esp8266", code_like(0x7000, 5), flash=nibble)
    return first.ljust(0x9000, b"\xff") + program(build, size=size)


def stm32(build: str, *, text: int = 0x08020000, more: bytes = b"", version: str = "v1.26.1") -> bytes:
    parts = (DfuElement(0x08000000, code_like(0x3000, 7)), DfuElement(text, program(build, version, more=more)))
    return write_dfu((DfuTarget(parts),))


def samd(build: str, *, family: int = SAMD51, at: int = 0x4000, version: str = "v1.26.1", size: int = 60_000) -> bytes:
    return write_uf2([(family, Memory.of([(at, program(build, version, size=size))]))])


def hexfile(build: str, at: int, *, version: str = "v1.26.1", before: bytes = b"", config: bytes = b"") -> bytes:
    """`before`: a SoftDevice at 0; `config`: nRF's UICR."""
    pieces = [(at, program(build, version)), (0, before), (0x10001014, config)]
    return write_hex(Memory.of(pieces))


@dataclass(frozen=True)
class Case:
    """A base and where its modules have to go."""

    base: bytes
    suffix: str
    kind: str
    start: int
    size: int
    block: int
    options: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "rp2040 unfilled": Case(pico(filled=False), ".uf2", "littlefs2", 0x100A0000, 0x160000, 4096),
    "rp2040": Case(pico(), ".uf2", "littlefs2", 0x100A0000, 0x160000, 4096),
    "rp2040 1.20": Case(pico("v1.20.0"), ".uf2", "littlefs2", 0x100A0000, 0x160000, 4096),
    "rp2350": Case(pico(family=RP2350_ARM_S, erratum=True), ".uf2", "littlefs2", 0x10100000, 0x300000, 4096),
    "rp2350 risc-v": Case(pico(family=RP2350_RISCV), ".uf2", "littlefs2", 0x10100000, 0x300000, 4096),
    "esp32 without a row": Case(esp32(), ".bin", "littlefs2", 0x200000, 0x200000, 4096),
    "esp32 with a row": Case(esp32((NVS, PHY, FACTORY, VFS), version="v1.25.0"), ".bin", "littlefs2", 0x200000,
                             0x200000, 4096),
    "esp32 of 2 MB": Case(
        esp32((NVS, PHY, Partition("factory", 0, 0, 0x10000, 0x160000)), build="ESP32_GENERIC-D2WD", nibble=0x10),
        ".bin", "littlefs2", 0x170000, 0x90000, 4096,
    ),
    "esp32 ota": Case(esp32(OTA, build="ESP32_GENERIC-OTA"), ".bin", "littlefs2", 0x310000, 0xF0000, 4096),
    "esp32 8 MB": Case(esp32(), ".bin", "littlefs2", 0x200000, 0x600000, 4096, {"flash_size": 8 << 20}),
    "esp32c3": Case(esp32(chip="esp32c3", build="ESP32_GENERIC_C3"), ".bin", "littlefs2", 0x200000, 0x200000, 4096),
    "esp32 fat": Case(esp32(), ".bin", "fat", 0x200000, 0x200000, 4096, {"filesystem": "fat"}),
    "esp8266": Case(esp8266(), ".bin", "littlefs2", 0x100000, 0x2FB000, 4096),
    "esp8266 2 MB": Case(esp8266(0x20, size=640_000), ".bin", "littlefs2", 0x100000, 0xFB000, 4096,
                         {"flash_size": 2 << 20}),
    "esp8266 1 MB": Case(esp8266(0x20, "ESP8266_GENERIC-FLASH_1M", 560_000), ".bin", "littlefs2", 0x99000, 0x62000,
                         4096),
    "esp8266 ota": Case(esp8266(build="ESP8266_GENERIC-OTA"), ".bin", "littlefs2", 0xD5000, 0x326000, 4096),
    "pyboard": Case(stm32("PYBV11"), ".dfu", "fat", 0x08004000, 112 << 10, 512),
    "pyboard littlefs": Case(stm32("PYBV11"), ".dfu", "littlefs2", 0x08004000, 112 << 10, 512,
                             {"filesystem": "littlefs"}),
    "stm32f7": Case(stm32("NUCLEO_F767ZI"), ".dfu", "fat", 0x08008000, 96 << 10, 512),
    "stm32l4": Case(stm32("NUCLEO_L476RG", text=0x08004000), ".dfu", "fat", 0x08080000, 512 << 10, 512),
    "stm32h7": Case(stm32("NUCLEO_H743ZI", text=0x08040000), ".dfu", "fat", 0x08180000, 512 << 10, 512),
    "stm32f0": Case(stm32("NUCLEO_F091RC", text=0x08008000), ".dfu", "littlefs1", 0x0803B000, 20 << 10, 512),
    "samd51": Case(samd("SAMD_GENERIC_D51X19"), ".uf2", "littlefs2", 0x60000, 0x20000, 2048),
    "samd51 1.25": Case(samd("SAMD_GENERIC_D51X19", version="v1.25.0"), ".uf2", "littlefs2", 0x60000, 130560, 1536),
    "samd21": Case(samd("SAMD_GENERIC_D21X18", family=SAMD21, at=0x2000), ".uf2", "littlefs1", 0x30000, 64512, 1536),
    "nrf52840": Case(hexfile("PCA10056", 0, config=b"\0\0\1\0"), ".hex", "littlefs2", 0xF0000, 0x10000, 4096),
    "nrf52 with a SoftDevice": Case(
        hexfile("PCA10040", 0x26000, before=code_like(0x25000, 8)), ".hex", "littlefs2", 0x70000, 0x10000, 4096
    ),
    "nrf51": Case(hexfile("PCA10031", 0), ".hex", "littlefs2", 0x30000, 0x10000, 1024),
    "mimxrt hex": Case(hexfile("TEENSY41", 0x60000000), ".hex", "littlefs2", 0x60100000, 7335936, 4096),
    "mimxrt uf2": Case(samd("TEENSY41", family=MIMXRT, at=0x60000400), ".uf2", "littlefs2", 0x60100000, 7335936, 4096),
}  # fmt: skip


def made(
    folder: Path, base: bytes, suffix: str = ".uf2", items: tuple[Item, ...] = ITEMS, **options: Any
) -> BuildResult:
    """Build into a base; compiled modules are kept for the whole session."""
    firmware = folder / f"base{suffix}"
    firmware.write_bytes(base)
    recipe = Recipe("image", items, firmware=firmware, output=folder / f"out{suffix}", root=folder, **options)
    return build_image(recipe, cache=folder.parent / "mpy")


def holds(path: Path | bytes, start: int, size: int) -> tuple[str, dict[str, bytes], Any]:
    """(kind, files, file system) at a place of a firmware file, by its own content."""
    image = FirmwareImage.read(path)
    found = volumes(image, [Region(start, size, "expected")], flash_size=1 if image.port == "esp8266" else None)
    volume = next(each for each in found if each.start == start)
    assert not volume.problem, volume.problem
    assert volume.size == size
    return volume.kind, volume.open().files(), volume
