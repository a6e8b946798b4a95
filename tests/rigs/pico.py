"""The Pico rig's image: RPI_PICO firmware 1.25.0, built from Debian's packages alone.

MicroPython's source package comes without its submodules, so lib/pico-sdk, lib/tinyusb and lib/mbedtls are put in
from their own packages, and an empty micropython-lib satisfies the check for it. picotool, which the SDK would fetch to
make the UF2, is replaced by MicroPython's own tools/uf2conv.py.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.rigs.base import FIRMWARE, HERE, apt_install, cached_build, jobs, recipe_key, run_step
from tests.rigs.debian_source import PINS, source_tree

PACKAGES = (
    *("make", "cmake", "python3", "gcc", "g++", "libc6-dev"),
    *("gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "libstdc++-arm-none-eabi-newlib"),
)
RP2040_FAMILY = "0xe48bff56"
SUBMODULES = ("pico-sdk", "tinyusb", "mbedtls")


def pico_image() -> Path:
    """The firmware.uf2 of RPI_PICO, from the cache or built now (about a minute on two cores)."""
    manifest = FIRMWARE / "pico" / "manifest.py"
    key = recipe_key(*(str(PINS[name]) for name in ("micropython-1.25.0", *SUBMODULES)), files=[HERE / "pico.py", manifest])
    return cached_build("pico", key, _make) / "firmware.uf2"


def _make(directory: Path) -> None:
    apt_install(*PACKAGES)
    source = source_tree("micropython-1.25.0")
    tree = directory / "micropython"
    shutil.copytree(source, tree, symlinks=True, ignore=shutil.ignore_patterns("docs", "tests", "examples"))
    for name in SUBMODULES:
        place = tree / "lib" / name
        if place.is_dir():
            place.rmdir()  # an empty folder where the submodule was
        place.symlink_to(source_tree(name))
    library = tree / "lib" / "micropython-lib"
    library.mkdir(exist_ok=True)
    (library / "README.md").touch()
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
    (build / "firmware.elf").rename(directory / "firmware.elf")
    shutil.rmtree(build)
    shutil.rmtree(tree)
