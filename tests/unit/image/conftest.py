"""Images made by esptool itself, and the real RPI_PICO firmware where its rig can be built."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.image.parts import (
    GENERIC_4MB,
    RISCV,
    XTENSA,
    app_descriptor,
    elf,
    micropython_texts,
    vfs_table,
)

CHIPS = {
    "esp32": (XTENSA, 0x3F400020, 0x400D0020, 0x3FFB0000, 0x40080000),
    "esp32s3": (XTENSA, 0x3C000020, 0x42000020, 0x3FC90000, 0x40374000),
    "esp32c3": (RISCV, 0x3C000020, 0x42000020, 0x3FC80000, 0x40380000),
}


@pytest.fixture(scope="session")
def esptool() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import esptool.cmds
        from esptool.logger import log

    log.set_verbosity("silent")
    return esptool.cmds


@dataclass
class EspParts:
    bootloader: bytes
    table: bytes
    app: bytes
    merged: bytes
    bootloader_at: int


@pytest.fixture(scope="session")
def esp_parts(esptool: Any) -> Callable[[str], EspParts]:
    """Bootloader, table, application and merged firmware of a chip; images and merge are esptool's."""
    made: dict[str, EspParts] = {}

    def make(chip: str) -> EspParts:
        if chip not in made:
            from upytool.image.chips import ESP_BY_NAME

            machine, drom, irom, dram, iram = CHIPS[chip]
            code = bytes(range(256)) * 40
            read_only = app_descriptor() + micropython_texts(build=f"{chip.upper()}_GENERIC") + bytes(3)
            app = elf(
                [
                    (".flash.appdesc", drom, read_only + bytes(-len(read_only) % 4)),
                    (".flash.text", irom + 0x10000, code),
                    (".dram0.data", dram, b"data" * 20),
                    (".iram0.text", iram, code[:1000]),
                ],
                machine=machine,
                entry=iram,
            )
            boot = elf(
                [(".dram0.data", dram, b"boot" * 9), (".iram0.text", iram, code[:500])],
                machine=machine,
                entry=iram,
            )
            images = [
                esptool.elf2image(each, chip, None, flash_size="4MB", flash_mode="dio", flash_freq="40m")
                for each in (boot, app)
            ]
            table = vfs_table(GENERIC_4MB)
            place = ESP_BY_NAME[chip].bootloader
            merged = esptool.merge_bin(
                [(place, images[0]), (0x8000, table), (0x10000, images[1])], chip, None, target_offset=place
            )
            made[chip] = EspParts(images[0], table, images[1], merged, place)
        return made[chip]

    return make


@pytest.fixture(scope="session")
def image_info(esptool: Any) -> Callable[[bytes], str]:
    """esptool's `image-info` of some bytes, as text."""

    def info(data: bytes) -> str:
        from esptool.logger import log

        log.set_verbosity("auto")
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                esptool.image_info(data)
        finally:
            log.set_verbosity("silent")
        return out.getvalue()

    return info


@pytest.fixture(scope="session")
def pico_uf2() -> Path:
    """The real firmware of RPI_PICO."""
    pytest.importorskip("fcntl")
    from tests.rigs.pico import pico_image

    return pico_image()
