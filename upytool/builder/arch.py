"""Which machine code a board's firmware loads.

Sources: the ports' Makefiles and mpconfigport files (MPY_CROSS_FLAGS, MICROPY_EMIT_*): what each port gives mpy-cross
for the modules that it freezes is what its loader takes. A Cortex-M4 or M7 takes more (armv7emsp, armv7emdp); what
is named here runs on every board of the port.
"""

from __future__ import annotations

import re

from ..boards.catalogue import Board
from ..image.base import FirmwareImage
from ..image.chips import RP2350_RISCV
from ..mpy.abi import ARCH_FLAGS

_BY_PORT = {
    "esp8266": "xtensa",
    "mimxrt": "armv7m",
    "renesas-ra": "armv7m",
    "alif": "armv7emdp",
    "psoc-edge": "armv7emsp",
    "cc3200": "",
}
_ESP_RISCV = re.compile(r"esp32-?(c|h|p)\d+", re.IGNORECASE)
_STM_SMALL = re.compile(r"stm32(f0|g0|l0)", re.IGNORECASE)


def arch_of(board: Board, release: tuple[int, ...], variant: str = "") -> tuple[str, int]:
    """(architecture, extension bits) of a board; "" where its firmware loads no machine code.

    Args:
        release: of the firmware; extensions of rv32imc are known since 1.27.
        variant: "RISCV" of an RP2350 board, for instance.
    """
    mcu, port = board.mcu.lower(), board.port
    if port == "rp2":
        if "rp2350" not in mcu:
            return "armv6m", 0
        return _rp2350("RISCV" in variant.upper(), release)
    if port == "esp32":
        return ("rv32imc" if _ESP_RISCV.search(mcu) else "xtensawin"), 0
    if port == "stm32":
        return ("armv6m" if _STM_SMALL.search(mcu) else "armv7m"), 0
    if port == "samd":
        return ("armv6m" if "21" in mcu else "armv7m"), 0
    if port == "nrf":
        return "", 0
    return _BY_PORT.get(port, ""), 0


def arch_of_image(image: FirmwareImage, release: tuple[int, ...]) -> tuple[str, int]:
    """The same for a firmware of no known board, by its chip; "" where that is not enough to tell."""
    chip = image.chip.lower()
    if chip == "rp2040":
        return "armv6m", 0
    if chip == "rp2350":
        return _rp2350(image.uf2_family == RP2350_RISCV, release)
    if image.port == "esp32":
        return ("rv32imc" if _ESP_RISCV.search(chip) else "xtensawin"), 0
    if image.port == "samd" and chip:
        return ("armv6m" if "21" in chip else "armv7m"), 0
    return _BY_PORT.get(image.port, ""), 0


def _rp2350(riscv: bool, release: tuple[int, ...]) -> tuple[str, int]:
    if riscv:
        return "rv32imc", (ARCH_FLAGS["zba"] | ARCH_FLAGS["zcmp"]) if release >= (1, 27) else 0
    return "armv7m", 0
