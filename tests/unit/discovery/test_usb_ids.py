"""What an id and its strings say."""

from __future__ import annotations

import pytest

from upytool.discovery.usb_ids import BOOTLOADERS, KINDS, Kind, bootloader, classify


@pytest.mark.parametrize(
    ("usb_id", "strings", "kind"),
    [
        # ids of MicroPython's own
        ("2e8a:0005", ("MicroPython", "Board in FS mode", "Board CDC"), "micropython"),
        ("2e8a:0005", (None, None, None), "micropython"),
        ("f055:9802", (None, None, None), "micropython"),
        ("303a:4001", ("Espressif Systems", "Espressif Device", None), "micropython"),
        ("37c5:1206", (None, "OpenMV Camera", None), "micropython"),
        # strings of MicroPython behind a vendor's id
        ("2341:025e", ("Arduino", "Board in FS mode", None), "micropython"),
        ("2341:0566", ("Arduino", "Giga Virtual Comm Port in FS Mode", None), "micropython"),
        ("1ffb:9999", ("Pololu Corporation", "Pololu 3pi+ MicroPython", None), "micropython"),
        ("1b4f:0026", ("SparkFun", "Pro Micro", "CircuitPython CDC control"), "micropython"),
        # the same id with something else on it
        ("2341:025e", ("Arduino", "Nano RP2040 Connect", None), "possible"),
        ("239a:80f2", ("Adafruit", "Feather RP2040", None), "possible"),
        ("239a:8023", ("Adafruit", "Feather M0", None), "possible"),
        # bridges and probes
        ("10c4:ea60", ("Silicon Labs", "CP2102 USB to UART Bridge Controller", None), "bridge"),
        ("1a86:7523", (None, "USB Serial", None), "bridge"),
        ("1a86:55d4", (None, None, None), "bridge"),
        ("0403:6001", ("FTDI", "FT232R USB UART", None), "bridge"),
        ("303a:1001", ("Espressif", "USB JTAG/serial debug unit", None), "bridge"),
        ("0d28:0204", ("ARM", '"BBC micro:bit CMSIS-DAP"', None), "probe"),
        ("0483:374b", ("STMicroelectronics", "STM32 STLink", None), "probe"),
        ("1366:0105", ("SEGGER", "J-Link", None), "probe"),
        ("1234:5678", ("X", "Foo CMSIS-DAP", None), "probe"),
        # bootloaders
        ("2e8a:0003", (None, "RP2 Boot", None), "bootloader"),
        ("2e8a:000f", (None, "RP2350 Boot", None), "bootloader"),
        ("303a:0002", (None, None, None), "bootloader"),
        ("f055:df11", ("MicroPython", "Pyboard DFU", None), "bootloader"),
        ("239a:0015", ("Adafruit", "Feather M0", None), "bootloader"),
        # everything else
        ("1546:01a8", ("u-blox AG", "u-blox GNSS receiver", None), "foreign"),
        ("2c7c:0125", ("Quectel", "EC25-EU", None), "foreign"),
        ("2341:0043", ("Arduino", "Uno", None), "foreign"),
        ("2e8a:000a", ("Raspberry Pi", "Pico", None), "foreign"),
    ],
)
def test_kinds(usb_id: str, strings: tuple[str | None, str | None, str | None], kind: Kind) -> None:
    vid, pid = (int(part, 16) for part in usb_id.split(":"))
    likely = classify(vid, pid, *strings)
    assert likely.kind == kind
    assert likely.what
    assert kind in KINDS


def test_a_port_without_usb_is_foreign() -> None:
    assert classify(None, None).kind == "foreign"


def test_on_windows_a_vendors_id_has_to_do() -> None:
    assert classify(0x2341, 0x025E, None, None).kind == "micropython"


def test_a_boot_loader_is_named() -> None:
    assert bootloader(0x2E8A, 0x0003) == "RP2040 in BOOTSEL mode"
    assert bootloader(0x0483, 0xDF11) == "STM32 in DFU mode"
    assert bootloader(0x2E8A, 0x0005) == ""
    assert bootloader(None, None) == ""
    assert all(BOOTLOADERS.values())
