"""Chips by the numbers that firmware files carry: UF2 families and Espressif's chip ids.

Sources: microsoft/uf2 `utils/uf2families.json`; pico-sdk `boot/uf2.h`; the ids and offsets of Espressif's
chips are constants of their ROMs, as esptool's `targets/` list them. A chip's name is written the way its
maker does, in small letters and without dashes; `port` is MicroPython's name of the port.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """A UF2 family: which bootloaders take the file."""

    id: int
    name: str
    chip: str
    port: str

    def __str__(self) -> str:
        return f"{self.name} {self.id:08x}"


RP2040, ABSOLUTE, DATA = 0xE48BFF56, 0xE48BFF57, 0xE48BFF58
RP2350_ARM_S, RP2350_RISCV, RP2350_ARM_NS = 0xE48BFF59, 0xE48BFF5A, 0xE48BFF5B

_TABLE = """
e48bff56 RP2040 rp2040 rp2
e48bff57 ABSOLUTE - rp2
e48bff58 DATA - rp2
e48bff59 RP2350-ARM-S rp2350 rp2
e48bff5a RP2350-RISCV rp2350 rp2
e48bff5b RP2350-ARM-NS rp2350 rp2
e48bff55 CYW43 - rp2
68ed2b88 SAMD21 samd21 samd
55114460 SAMD51 samd51 samd
1851780a SAML21 saml21 samd
ada52840 NRF52840 nrf52840 nrf
1b57745f NRF52 nrf52 nrf
621e937a NRF52833 nrf52833 nrf
820d9a5f NRF52820 nrf52820 nrf
4fb2d5bd MIMXRT10xx mimxrt mimxrt
7be8976d RA4M1 ra4m1 renesas-ra
7eab61ed ESP8266 esp8266 esp8266
1c5f21b0 ESP32 esp32 esp32
bfdd4eee ESP32-S2 esp32s2 esp32
c47e5767 ESP32-S3 esp32s3 esp32
2b88d29c ESP32-C2 esp32c2 esp32
d42ba06c ESP32-C3 esp32c3 esp32
f71c0343 ESP32-C5 esp32c5 esp32
540ddf62 ESP32-C6 esp32c6 esp32
77d850c4 ESP32-C61 esp32c61 esp32
332726f6 ESP32-H2 esp32h2 esp32
9e0baa8a ESP32-H4 esp32h4 esp32
b6dd00af ESP32-H21 esp32h21 esp32
3d308e94 ESP32-P4 esp32p4 esp32
3101f7c1 ESP32-S31 esp32s31 esp32
647824b6 STM32F0 stm32f0 stm32
5ee21072 STM32F1 stm32f1 stm32
5d1a0a2e STM32F2 stm32f2 stm32
6b846188 STM32F3 stm32f3 stm32
57755a57 STM32F4 stm32f4 stm32
6d0922fa STM32F407 stm32f4 stm32
8fb060fe STM32F407VG stm32f4 stm32
06d1097b STM32F411xC stm32f4 stm32
2dc309c5 STM32F411xE stm32f4 stm32
53b80f00 STM32F7 stm32f7 stm32
300f5633 STM32G0 stm32g0 stm32
4c71240a STM32G4 stm32g4 stm32
4e8f1c5d STM32H5 stm32h5 stm32
6db66082 STM32H7 stm32h7 stm32
202e3a91 STM32L0 stm32l0 stm32
1e1f432d STM32L1 stm32l1 stm32
00ff6919 STM32L4 stm32l4 stm32
04240bdf STM32L5 stm32l5 stm32
70d16653 STM32WB stm32wb stm32
21460ff0 STM32WL stm32wl stm32
"""


def _families() -> dict[int, Family]:
    table: dict[int, Family] = {}
    for line in _TABLE.split("\n"):
        if line:
            number, name, chip, port = line.split()
            table[int(number, 16)] = Family(int(number, 16), name, "" if chip == "-" else chip, port)
    return table


FAMILIES: dict[int, Family] = _families()


def family(number: int) -> Family:
    """The family of a number; an unknown one gets its number for a name."""
    return FAMILIES.get(number) or Family(number, "unknown family", "", "")


@dataclass(frozen=True, slots=True)
class EspChip:
    """An Espressif chip.

    Attributes:
        id: the chip id of the image header; -1 for the ESP8266, whose header has none.
        bootloader: where the first image lies in flash, and so where MicroPython's firmware.bin is written.
        freq: the flash frequencies by the low nibble of header byte 3.
    """

    id: int
    name: str
    bootloader: int
    freq: tuple[tuple[int, str], ...] = ((0xF, "80m"), (0, "40m"), (1, "26m"), (2, "20m"))


_FREQ_C2 = ((0xF, "60m"), (0, "30m"), (1, "20m"), (2, "15m"))
_FREQ_H2 = ((0xF, "48m"), (0, "24m"), (1, "16m"), (2, "12m"))
_FREQ_C5 = ((0xF, "80m"), (0, "40m"), (2, "20m"))
_FREQ_H4 = ((0xF, "48m"), (0, "24m"))
_FREQ_C6 = ((0, "80m"), (2, "20m"))  # a fault of its ROM: 40m is written as 0 as well

ESP_CHIPS: dict[int, EspChip] = {
    chip.id: chip
    for chip in (
        EspChip(0, "esp32", 0x1000),
        EspChip(2, "esp32s2", 0x1000),
        EspChip(5, "esp32c3", 0x0),
        EspChip(9, "esp32s3", 0x0),
        EspChip(12, "esp32c2", 0x0, _FREQ_C2),
        EspChip(13, "esp32c6", 0x0, _FREQ_C6),
        EspChip(16, "esp32h2", 0x0, _FREQ_H2),
        EspChip(18, "esp32p4", 0x2000),
        EspChip(20, "esp32c61", 0x0, _FREQ_C5),
        EspChip(23, "esp32c5", 0x2000, _FREQ_C5),
        EspChip(25, "esp32h21", 0x0, _FREQ_H4),
        EspChip(28, "esp32h4", 0x2000, _FREQ_H4),
        EspChip(31, "esp32e22", 0x0),
        EspChip(32, "esp32s31", 0x2000, _FREQ_C5),
    )
}
ESP8266 = EspChip(-1, "esp8266", 0x0)
ESP_BY_NAME: dict[str, EspChip] = {chip.name: chip for chip in (*ESP_CHIPS.values(), ESP8266)}


def chip_at(address: int) -> str:
    """The maker's family that maps flash at `address`, or "" where several do.

    Sources: the chips' memory maps (reference manuals); MicroPython's linker scripts.
    """
    if 0x08000000 <= address < 0x08400000 or 0x90000000 <= address < 0xA0000000:
        return "stm32"
    if 0x60000000 <= address < 0x70000000:
        return "mimxrt"
    if 0x10000000 <= address < 0x12000000:
        return "rp2"
    return ""
