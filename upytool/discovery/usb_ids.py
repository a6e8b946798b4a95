"""Which USB devices are MicroPython boards, which might be, and which are something else.

Facts from MicroPython's sources: `MICROPY_HW_USB_VID/PID` and the USB strings in
ports/*/boards/*/mpconfigboard.h and .mk, the defaults of shared/tinyusb and of
ports/{stm32,rp2,esp32,renesas-ra}. Bootloaders: pico-sdk, ports/stm32/mboot,
Espressif's udev rules, NXP's ROM. Bridges: the id tables of Linux's usb-serial drivers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["micropython", "possible", "bridge", "probe", "bootloader", "foreign"]

# What each kind means for "auto": see selector.py.
KINDS: dict[Kind, str] = {
    "micropython": "a MicroPython board, by its USB id or its USB strings",
    "possible": "a board that can run MicroPython, and may run something else",
    "bridge": "a USB-serial bridge; what is behind it only shows when it talks",
    "probe": "the serial port of a debug probe",
    "bootloader": "a board in its bootloader: no REPL, but it can be flashed",
    "foreign": "something else; it is only opened when named",
}


@dataclass(frozen=True, slots=True)
class Likely:
    """What a port is likely to be: its kind, and a few words for the user."""

    kind: Kind
    what: str


# The ids that MicroPython alone uses.
_OWN: dict[tuple[int, int], str] = {
    (0x2E8A, 0x0005): "RP2040/RP2350 board",
    (0x303A, 0x4001): "ESP32 board, native USB",
    (0x37C5, 0x1206): "OpenMV N6",
    (0x37C5, 0x16E3): "OpenMV AE3",
    (0x1209, 0xABD1): "OpenMV camera",
    (0x1209, 0xF502): "Silicognition RP2040-Shim",
    (0x15BA, 0x0046): "Olimex RT1010-Py",
    (0x1FFB, 0x2043): "Pololu 3pi+ 2040",
    (0x1FFB, 0x2044): "Pololu Zumo 2040",
}

# Vendors' ids: the same board has the same id with CircuitPython or an Arduino sketch on it.
_SHARED: dict[tuple[int, int], str] = {
    (0x16D0, 0x08C7): "Pimoroni Tiny 2040",
    (0x1B4F, 0x0025): "SparkFun Thing Plus RP2040",
    (0x1B4F, 0x0026): "SparkFun Pro Micro RP2040",
    (0x1B4F, 0x0038): "SparkFun Thing Plus RP2350",
    (0x1B4F, 0x0039): "SparkFun Pro Micro RP2350",
    (0x1B4F, 0x0044): "SparkFun IoT Node LoRaWAN",
    (0x1B4F, 0x0046): "SparkFun XRP Controller",
    (0x1B4F, 0x0047): "SparkFun IoT RedBoard RP2350",
    (0x2341, 0x025A): "Arduino Nano 33 BLE Sense",
    (0x2341, 0x025E): "Arduino Nano RP2040 Connect",
    (0x2341, 0x0468): "Arduino Portenta C33",
    (0x2341, 0x055B): "Arduino Portenta H7",
    (0x2341, 0x055F): "Arduino Nicla Vision",
    (0x2341, 0x0564): "Arduino Opta",
    (0x2341, 0x0566): "Arduino GIGA R1 WiFi",
    (0x2341, 0x056B): "Arduino Nano ESP32",
    (0x239A, 0x80F2): "Adafruit Feather RP2040",
    (0x239A, 0x80F8): "Adafruit QT Py RP2040",
    (0x239A, 0x80FE): "Adafruit ItsyBitsy RP2040",
    (0x239A, 0x8106): "Adafruit KB2040",
    (0x2886, 0x0045): "Seeed XIAO nRF52840 Sense",
    (0x2E8A, 0x1002): "Pimoroni Pico LiPo",
    (0x2E8A, 0x1003): "Pimoroni Pico LiPo 16MB",
    (0x2E8A, 0x000B): "RP2040 board with CircuitPython's id",
}

BOOTLOADERS: dict[tuple[int, int], str] = {
    (0x2E8A, 0x0003): "RP2040 in BOOTSEL mode",
    (0x2E8A, 0x000F): "RP2350 in BOOTSEL mode",
    (0x0483, 0xDF11): "STM32 in DFU mode",
    (0xF055, 0xDF11): "MicroPython's mboot (DFU)",
    (0x303A, 0x0002): "ESP32-S2 in its ROM loader",
    (0x303A, 0x0009): "ESP32-S3 in its ROM loader (USB-OTG)",
    (0x2341, 0x035B): "Arduino Portenta H7 in DFU mode",
    (0x2341, 0x035F): "Arduino Nicla Vision in DFU mode",
    (0x2341, 0x0364): "Arduino Opta in DFU mode",
    (0x2341, 0x0366): "Arduino GIGA in DFU mode",
    (0x2341, 0x0368): "Arduino Portenta C33 in DFU mode",
    (0x2341, 0x0070): "Arduino Nano ESP32 in DFU mode",
    (0x0694, 0x0008): "LEGO hub in DFU mode",
    (0x0694, 0x000C): "LEGO hub in DFU mode",
    (0x16C0, 0x0478): "Teensy in its HalfKay loader",
    (0x1FC9, 0x0130): "NXP i.MX RT in serial download mode",
    (0x1FC9, 0x0135): "NXP i.MX RT in serial download mode",
    (0x1FC9, 0x0145): "NXP i.MX RT in serial download mode",
}

_BRIDGES: dict[tuple[int, int], str] = {
    (0x303A, 0x1001): "Espressif USB-Serial-JTAG",
    (0x303A, 0x1002): "Espressif USB bridge",
    (0x1A86, 0x7523): "CH340",
    (0x1A86, 0x7522): "CH340",
    (0x1A86, 0x5523): "CH341",
    (0x1A86, 0x55D2): "CH342",
    (0x1A86, 0x55D3): "CH343",
    (0x1A86, 0x55D4): "CH9102",
    (0x1A86, 0x55D5): "CH344",
    (0x10C4, 0xEA60): "CP210x",
    (0x10C4, 0xEA61): "CP210x",
    (0x10C4, 0xEA63): "CP210x",
    (0x10C4, 0xEA70): "CP2105",
    (0x10C4, 0xEA71): "CP2108",
    (0x0403, 0x6001): "FTDI FT232R",
    (0x0403, 0x6010): "FTDI FT2232",
    (0x0403, 0x6011): "FTDI FT4232",
    (0x0403, 0x6014): "FTDI FT232H",
    (0x0403, 0x6015): "FTDI FT-X",
    (0x067B, 0x2303): "PL2303",
    (0x067B, 0x2304): "PL2303",
    (0x067B, 0x23A3): "PL2303",
    (0x067B, 0x23C3): "PL2303",
    (0x04D8, 0x00DD): "MCP2221",
    (0x04D8, 0x00DF): "MCP2200",
}

_PROBES: dict[tuple[int, int], str] = {
    (0x0D28, 0x0204): "DAPLink (micro:bit, NXP EVK)",
    (0x2E8A, 0x000C): "Raspberry Pi Debug Probe",
    (0x2E8A, 0x0004): "Raspberry Pi Picoprobe",
    (0x0483, 0x374B): "ST-LINK/V2-1",
    (0x0483, 0x374D): "ST-LINK/V3",
    (0x0483, 0x374E): "ST-LINK/V3",
    (0x0483, 0x374F): "ST-LINK/V3",
    (0x0483, 0x3753): "ST-LINK/V3",
    (0x0483, 0x3754): "ST-LINK/V3",
    (0x03EB, 0x2111): "Microchip EDBG",
    (0x1D50, 0x6018): "Black Magic Probe",
}

_MICROPYTHON_PRODUCTS = (
    "board in fs mode",
    "board in hs mode",
    "virtual comm port in fs mode",
    "virtual comm port in hs mode",
    "micropython",
)

VID_MICROPYTHON, VID_SEGGER, VID_ADAFRUIT, VID_SILABS = 0xF055, 0x1366, 0x239A, 0x10C4
USB_SERIAL_JTAG = (0x303A, 0x1001)


def bootloader(vid: int | None, pid: int | None) -> str:
    """Which bootloader has this USB id; '' for none."""
    if vid is None or pid is None:
        return ""
    known = BOOTLOADERS.get((vid, pid))
    if known:
        return known
    # Adafruit gives bootloaders the id of the board without bit 15.
    return "UF2 bootloader" if vid == VID_ADAFRUIT and pid < 0x8000 else ""


def classify(
    vid: int | None,
    pid: int | None,
    manufacturer: str | None = None,
    product: str | None = None,
    interface: str | None = None,
) -> Likely:
    """What a serial port with these USB facts is likely to be; a fact that is not known is None."""
    if vid is None or pid is None:
        return Likely("foreign", "not a USB device")
    loader = bootloader(vid, pid)
    if loader:
        return Likely("bootloader", loader)
    usb_id = (vid, pid)
    name = (product or "").lower()
    says_so = (manufacturer or "").lower() == "micropython" or any(word in name for word in _MICROPYTHON_PRODUCTS)
    if says_so or vid == VID_MICROPYTHON or usb_id in _OWN:
        return Likely("micropython", _OWN.get(usb_id) or _SHARED.get(usb_id) or "MicroPython board")
    if "circuitpython" in (interface or "").lower():
        return Likely("micropython", f"CircuitPython board {product or ''}".strip())
    if usb_id in _SHARED:
        # Windows does not tell the product: then the id alone has to do.
        known = bool(product)
        return Likely("possible" if known else "micropython", _SHARED[usb_id])
    if vid == VID_ADAFRUIT:
        return Likely("possible", product or "Adafruit board")
    if usb_id in _BRIDGES:
        return Likely("bridge", _BRIDGES[usb_id])
    if usb_id in _PROBES or vid == VID_SEGGER:
        return Likely("probe", _PROBES.get(usb_id, "SEGGER J-Link"))
    if "cmsis-dap" in name:
        return Likely("probe", "CMSIS-DAP probe")
    return Likely("foreign", product or "unknown USB device")
