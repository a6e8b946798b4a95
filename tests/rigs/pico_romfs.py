"""RPI_PICO firmware with a ROMFS of 128 KiB, for the emulator: what no official image of the rp2 port has.

Built like the Pico rig's image (tests/rigs/pico.py), from MicroPython 1.26.1, the first whose firmware says in its
binary info where its ROMFS is; the board's header has one line more.
"""

from __future__ import annotations

import inspect
from pathlib import Path

from tests.rigs.base import cached_build, recipe_key
from tests.rigs.pico import MANIFEST, build_rpi_pico, pins

SOURCE = "micropython-1.26.1"
ROMFS_BYTES = 128 * 1024
ROMFS_START = 0x10000000 + 0xA0000 - ROMFS_BYTES  # below the file system


def pico_romfs_image() -> Path:
    """The firmware.uf2, from the cache or built now. Raises: RigUnavailable when Debian has no 1.26.1 any more."""
    config = f"#define MICROPY_HW_ROMFS_BYTES ({ROMFS_BYTES})\n"

    def make(directory: Path) -> None:
        build_rpi_pico(directory, MANIFEST, name=SOURCE, config=config)

    key = recipe_key(*pins(SOURCE), config, inspect.getsource(build_rpi_pico), files=[MANIFEST])
    return cached_build("pico-romfs", key, make) / "firmware.uf2"
