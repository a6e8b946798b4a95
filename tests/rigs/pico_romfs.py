"""RPI_PICO firmware with a ROMFS of 128 KiB, for the emulator: what no official image of the rp2 port has.

Built like the Pico rig's image (tests/rigs/pico.py), from MicroPython 1.26.1, the first whose firmware says in its
binary info where its ROMFS is; the board's header has one line more. About a minute on two idle cores.
"""

from __future__ import annotations

import inspect
import shutil
import sys
from pathlib import Path

from tests.rigs.base import FIRMWARE, apt_install, cached_build, jobs, recipe_key, run_step
from tests.rigs.debian_source import PINS, source_tree
from tests.rigs.pico import PACKAGES, RP2040_FAMILY, SUBMODULES

SOURCE = "micropython-1.26.1"
ROMFS_BYTES = 128 * 1024
ROMFS_START = 0x10000000 + 0xA0000 - ROMFS_BYTES  # below the file system


def pico_romfs_image() -> Path:
    """The firmware.uf2, from the cache or built now. Raises: RigUnavailable when Debian has no 1.26.1 any more."""
    manifest = FIRMWARE / "pico" / "manifest.py"
    pins = [str(PINS[name]) for name in (SOURCE, *SUBMODULES)]
    key = recipe_key(*pins, str(ROMFS_BYTES), inspect.getsource(_make), files=[manifest])
    return cached_build("pico-romfs", key, _make) / "firmware.uf2"


def _make(directory: Path) -> None:
    apt_install(*PACKAGES)
    tree = directory / "micropython"
    leave = shutil.ignore_patterns("docs", "tests", "examples")
    shutil.copytree(source_tree(SOURCE), tree, symlinks=True, ignore=leave)
    for name in SUBMODULES:
        place = tree / "lib" / name
        if place.is_dir():
            place.rmdir()  # an empty folder where the submodule was
        place.symlink_to(source_tree(name))
    library = tree / "lib" / "micropython-lib"
    library.mkdir(exist_ok=True)
    (library / "README.md").touch()
    with open(tree / "ports" / "rp2" / "boards" / "RPI_PICO" / "mpconfigboard.h", "a") as file:
        file.write(f"#define MICROPY_HW_ROMFS_BYTES ({ROMFS_BYTES})\n")
    env = {"SOURCE_DATE_EPOCH": "1756684800"}
    run_step(["make", jobs(), "-C", str(tree / "mpy-cross")], timeout=240, env=env)
    build = directory / "build"
    run_step(
        [
            *("cmake", "-S", str(tree / "ports" / "rp2"), "-B", str(build), "-DMICROPY_BOARD=RPI_PICO"),
            f"-DMICROPY_FROZEN_MANIFEST={FIRMWARE / 'pico' / 'manifest.py'}",
            f"-DPICO_SDK_PATH={tree / 'lib' / 'pico-sdk'}",
            *("-DPICO_NO_PICOTOOL=1", "-DCMAKE_BUILD_TYPE=MinSizeRel"),
        ],
        timeout=120,
        env=env,
    )
    run_step(["cmake", "--build", str(build), jobs()], timeout=600, env=env)
    converter = [sys.executable, str(tree / "tools" / "uf2conv.py"), "-b", "0x10000000", "-f", RP2040_FAMILY, "-c"]
    run_step([*converter, "-o", str(directory / "firmware.uf2"), str(build / "firmware.bin")], timeout=60)
    shutil.rmtree(build)
    shutil.rmtree(tree)
