"""Compile the DFU half of MicroPython's real mboot for this computer.

From `ports/stm32/mboot/main.c` these sections are taken as they are: the flash (which area it guards, erasing,
writing), the address space, the DFU state machine, and USB (descriptors, strings, requests). `ports/stm32/flash.c`
is compiled whole, for an STM32F4 with 1 MB. Replaced are the HAL (memory at the chip's own addresses that can only
be programmed from 1 to 0), the SPI flash driver and the USB core (host.c).
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.rigs.base import RigBroken, apt_install, cached_build, recipe_key, run_step
from tests.rigs.debian_source import micropython_tree

HERE = Path(__file__).resolve().parent
SECTIONS = ("FLASH", "Writable address space interface", "DFU", "USB")
_BANNER = re.compile(r"^/\*{70,}/\n// (.+)\n", re.MULTILINE)


def build(*, packed: bool = False) -> Path:
    """The program, from the cache or built now (about a second); `packed` for an mboot with encrypted firmware."""
    apt_install("gcc", "libc6-dev")
    version, source = micropython_tree()
    key = recipe_key(version, Path(__file__).read_text(), files=HERE.glob("*.[ch]"))

    def make(directory: Path) -> None:
        port = source / "ports" / "stm32"
        (directory / "py").mkdir()
        for name in ("mpconfig.h", "misc.h", "mphal.h"):
            (directory / "py" / name).write_text('#include "hal.h"\n')
        (directory / "flash.h").write_text((port / "flash.h").read_text())
        (directory / "flash.c").write_text((port / "flash.c").read_text())
        (directory / "dfu.h").write_text((port / "mboot" / "dfu.h").read_text())
        (directory / "mboot.c").write_text(_program(port / "mboot"))
        run_step(
            [
                *("gcc", "-O1", "-g", "-w", "-fno-pie", "-no-pie", "-fno-strict-aliasing", "-I", str(directory)),
                *(f"-DMBOOT_ENABLE_PACKING={packed:d}", "-I", str(HERE)),
                *("-o", str(directory / "mboot"), str(directory / "mboot.c")),
                str(directory / "flash.c"),
                "-Wl,-Ttext-segment=0x20000000",  # off the place of the flash; the symbols below are absolute
                # the area that the linker script of a board keeps for mboot: the first two sectors
                "-Wl,--defsym=_mboot_protected_flash_start=0x08000000",
                "-Wl,--defsym=_mboot_protected_flash_end_exclusive=0x08008000",
            ],
            timeout=60,
        )

    return cached_build("mboot-packed" if packed else "mboot", key, make) / "mboot"


def _program(folder: Path) -> str:
    text = (folder / "main.c").read_text()
    marks = list(_BANNER.finditer(text))
    sections = {
        mark[1]: text[mark.end() : following.start() if following else len(text)]
        for mark, following in zip(marks, [*marks[1:], None])
    }
    missing = [name for name in SECTIONS if name not in sections]
    if missing:
        raise RigBroken(f"mboot's main.c has no section {missing} any more")
    numbers = re.search(r"^enum \{\n    MBOOT_ERRNO_FLASH_ERASE_DISALLOWED.*?^\};\n", (folder / "mboot.h").read_text(),
                        re.MULTILINE | re.DOTALL)  # fmt: skip
    words = re.search(r"^uint32_t get_le32\(.*?^\}\n", text, re.MULTILINE | re.DOTALL)
    if numbers is None or words is None:
        raise RigBroken("mboot's sources are not as they were")
    usb, found, _ = sections["USB"].partition("static const USBD_ClassTypeDef pyb_usbdd_class")
    if not found:
        raise RigBroken("mboot's USB class is not where it was")
    guards = "extern uint8_t _mboot_protected_flash_start;\nextern uint8_t _mboot_protected_flash_end_exclusive;\n"
    head = '#include "hal.h"\n#include "flash.h"\n' + numbers[0] + guards + '#include "dfu.h"\n' + words[0]
    body = "".join(f"\n// {name}\n" + (usb if name == "USB" else sections[name]) for name in SECTIONS)
    return head + body + '\n#include "host.c"\n'
