"""The qemu rig: MicroPython's qemu port on an emulated MPS2 AN385 board (Cortex-M3), made into a usual board.

The firmware is Debian's source package plus the small C module in firmware/qemu: a file system (FAT or
LittleFS) on a "flash" that outlives resets and power cuts, boot.py and main.py, a receive interrupt with a
ring and Ctrl-C. The UART is the master side of a pty that this process holds; a client opens the slave side,
and no byte passes through Python on its way.
"""

from __future__ import annotations

import inspect
import os
import pty
import select
import shutil
import struct
import subprocess
import tempfile
import termios
import threading
import time
import tty
from pathlib import Path
from types import TracebackType
from typing import Literal

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
from tests.rigs.debian_source import micropython_tree

Variant = Literal["full", "stock", "bare"]
FLASH_BYTES = 16 * 1024 * 1024
PARAMS_AT = FLASH_BYTES - 4096
ROM_AT = 14 * 1024 * 1024
ROM_MODES = ("none", "ranges", "whole", "blocks")
PACKAGES = (
    "make",
    "python3",
    "gcc",
    "libc6-dev",
    "gcc-arm-none-eabi",
    "libnewlib-arm-none-eabi",
    "qemu-system-arm",
)

# variant -> (RIG_FEATURES in rig_config.h, heap in bytes)
VARIANTS: dict[Variant, tuple[int, int]] = {
    "full": (2, 192 * 1024),
    "stock": (1, 140 * 1024),
    "bare": (0, 64 * 1024),
}


def build(variant: Variant = "full") -> Path:
    """The firmware.elf of a variant, from the cache or built now (about 20 s on two cores)."""
    apt_install(*PACKAGES)
    version, source = micropython_tree()
    features, heap = VARIANTS[variant]
    module = FIRMWARE / "qemu" / "rig"

    def make(directory: Path) -> None:
        flags = f'-DMP_CONFIGFILE="<rig_config.h>" -DRIG_FEATURES={features} -I{module}'
        run_step(
            [
                "make",
                jobs(),
                "-C",
                str(source / "ports" / "qemu"),
                f"BUILD={directory / 'build'}",
                "FROZEN_MANIFEST=",
                f"USER_C_MODULES={module.parent}",
                f"LDSCRIPT={module / 'rig.ld'}",
                "MICROPY_VFS_FAT=1",
                "MICROPY_VFS_LFS2=1",
                f"MICROPY_HEAP_SIZE={heap}",
                f"CFLAGS_EXTRA={flags}",
            ],
            env=build_environment(),
        )
        (directory / "build" / "firmware.elf").rename(directory / "firmware.elf")
        shutil.rmtree(directory / "build")

    key = recipe_key(version, str(VARIANTS[variant]), inspect.getsource(build), files=module.iterdir())
    return cached_build(f"qemu-{variant}", key, make) / "firmware.elf"


class Qemu:
    """A running board. Attributes: port (path), flash (Path, the board's flash as a file), boots (how often
    it was switched on).

    variant: "full" (as a Pico), "stock" (no stdin buffer, select, time), "bare" (also no deflate, hashlib,
    binascii, json). fs: "fat" (512-byte sectors) or "lfs" (LittleFS v2). disk: bytes of the file system, at
    most 15 MB. overrun: what a full receive ring of `ring` bytes does: "hold" the sender (as USB CDC) or
    "drop" (as a UART). rom: ROM partitions of 512 and 256 kB at ROM_AT of the flash (not in "bare"), erased by
    "ranges", as a "whole" or as a device of "blocks"; the disk has 14 MB then.
    """

    def __init__(
        self,
        variant: Variant = "full",
        *,
        fs: Literal["fat", "lfs"] = "fat",
        disk: int = 1024 * 1024,
        overrun: Literal["hold", "drop"] = "hold",
        ring: int = 512,
        rom: Literal["none", "ranges", "whole", "blocks"] = "none",
    ) -> None:
        if disk > (ROM_AT if rom != "none" else PARAMS_AT) or disk % 4096 or not 64 <= ring <= 4096:
            raise ValueError("disk is at most 15 MB in whole 4096-byte blocks, ring 64 to 4096 bytes")
        self.firmware = build(variant)
        self.boots = 0
        self._params = struct.pack(
            "<4sIIIII", b"1GIR", fs == "lfs", disk, overrun == "drop", ring, ROM_MODES.index(rom)
        )
        self._home = Path(tempfile.mkdtemp(prefix="upytool-qemu-"))
        self.flash = self._home / "flash.bin"
        self._write_blank_flash()
        # Holding the slave open keeps the line up while no client has it, as a USB-UART bridge does.
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._state = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = True
        self._failure = ""
        self._watch = threading.Thread(target=self._keep_running, name="qemu rig", daemon=True)

    def __enter__(self) -> Qemu:
        self._watch.start()
        try:
            self._await_prompt()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Switch the board off and remove its flash."""
        self._wanted = False
        self.kill()
        if self._watch.is_alive():
            self._watch.join(10)
        os.close(self._master)
        os.close(self._slave)
        shutil.rmtree(self._home, ignore_errors=True)

    def kill(self) -> None:
        """Cut the power at once (SIGKILL). The board comes up again by itself, its flash as it was left."""
        with self._state:
            if self._process is not None:
                self._process.kill()

    def power_cycle(self) -> None:
        """Cut the power and wait until the board is at its prompt again."""
        self._switch(blank=False)

    def blank(self) -> None:
        """Power cycle with an erased flash: a new board with an empty file system."""
        self._switch(blank=True)

    def _switch(self, *, blank: bool) -> None:
        """Off and on again. An earlier prompt that nobody has read must not pass for the new one."""
        with self._state:
            before = self.boots
            if self._process is not None:
                self._process.kill()
                self._process.wait(10)
            if blank:
                self._write_blank_flash()
            termios.tcflush(self._slave, termios.TCIOFLUSH)
        self._await_reset(before)

    def drain(self) -> bytes:
        """Take what the board has printed and nobody has read."""
        out = b""
        while select.select([self._slave], [], [], 0)[0]:
            out += os.read(self._slave, 4096)
        return out

    def _await_reset(self, before: int) -> None:
        end = time.monotonic() + 15
        while self.boots == before:
            if time.monotonic() > end or self._failure:
                raise RigBroken(f"the qemu board did not come back: {self._failure or 'timeout'}")
            time.sleep(0.005)
        self._await_prompt()

    def _await_prompt(self) -> None:
        """Read the board's start-up text up to its prompt; 15 s bound."""
        seen = b""
        end = time.monotonic() + 15
        while not seen.endswith(b">>> "):
            if self._failure or time.monotonic() > end:
                raise RigBroken(f"the qemu board shows no prompt: {self._failure or seen!r}")
            if select.select([self._slave], [], [], 0.05)[0]:
                seen += os.read(self._slave, 4096)
        termios.tcflush(self._slave, termios.TCIOFLUSH)

    def _write_blank_flash(self) -> None:
        with open(self.flash, "r+b" if self.flash.exists() else "w+b") as file:
            file.truncate(0)
            file.truncate(FLASH_BYTES)
            file.seek(PARAMS_AT)
            file.write(self._params)

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL"),  # dies with this process, however that dies
                *("qemu-system-arm", "-machine", "mps2-an385,memory-backend=mps.ram"),
                "-object",
                f"memory-backend-file,id=mps.ram,size={FLASH_BYTES >> 20}M,mem-path={self.flash},share=on",
                *("-display", "none", "-monitor", "none", "-semihosting", "-kernel", str(self.firmware)),
                *("-add-fd", f"fd={self._master},set=1", "-chardev", "serial,id=uart,path=/dev/fdset/1"),
                *("-serial", "chardev:uart"),
            ],
            pass_fds=[self._master],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def _keep_running(self) -> None:
        # machine.reset() ends qemu with status 0; a reset button is kill(). Both come back as a power on.
        quick = 0
        while True:
            with self._state:
                if not self._wanted:
                    return
                process = self._process = self._start()
                self.boots += 1
            began = time.monotonic()
            _, text = process.communicate()
            quick = quick + 1 if time.monotonic() - began < 0.2 and process.returncode not in (0, -9) else 0
            if quick > 3 or process.returncode not in (0, -9):
                self._failure = f"qemu ended with {process.returncode}: {text.decode('utf-8', 'replace')[-500:]}"
                return
