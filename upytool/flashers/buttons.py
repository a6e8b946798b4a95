"""How a person gets a board into its bootloader, and which boards listen to the 1200-baud touch.

Sources: the deploy*.md files of MicroPython's ports/*/boards; `MICROPY_HW_USB_CDC_1200BPS_TOUCH` in
ports/*/mpconfigport.h and boards/*/mpconfigboard.h (XIAO_NRF52 sets it, its USB driver ignores it); the makers'
handbooks for the names of the buttons; esptool's documentation, "Boot Mode Selection", for Espressif's pins.
"""

from __future__ import annotations

# Every board of these ports listens to the touch, and these boards of other ports.
TOUCH_PORTS = frozenset(("samd", "mimxrt"))
TOUCH_BOARDS = frozenset(
    (
        "ARDUINO_NANO_RP2040_CONNECT",
        "ARDUINO_NANO_ESP32",
        "ARDUINO_NANO_33_BLE_SENSE",
        "ARDUINO_GIGA",
        "ARDUINO_OPTA",
        "ARDUINO_PORTENTA_H7",
        "ARDUINO_NICLA_VISION",
    )
)
# Their touch leads nowhere: Teensy's loader is another chip, the EVKs' the debug probe.
_NO_TOUCH = frozenset(("TEENSY40", "TEENSY41"))

_DOUBLE = "press its reset button twice, quickly (within half a second)"
_BOOTSEL = (
    "hold the BOOTSEL button (BOOT on some boards), press and let go of RESET, or plug the USB cable in, "
    "then let go of BOOTSEL"
)
_ESP = "hold BOOT ({pin} to ground), press and let go of RESET (EN), then let go of BOOT"
_ESP8266 = "hold FLASH (GPIO0 to ground), press and let go of RST, then let go of FLASH"
_STM32 = "connect BOOT0 to 3V3 (or hold the BOOT0 button), then press and let go of RESET"
_PYBD = "hold USR, press and let go of RST; let go of USR while the LED is white (the fourth colour)"
_TEENSY = "press the button on the board"

_BY_BOARD = {
    "TEENSY40": _TEENSY,
    "TEENSY41": _TEENSY,
    "ARDUINO_GIGA": _DOUBLE,
    "ARDUINO_OPTA": _DOUBLE,
    "ARDUINO_PORTENTA_H7": _DOUBLE,
    "ARDUINO_NICLA_VISION": _DOUBLE,
    "ARDUINO_PORTENTA_C33": _DOUBLE,
    "ARDUINO_NANO_ESP32": _DOUBLE,  # Arduino's DFU bootloader; the ROM's is reached otherwise (esp_advice.py)
    "OLIMEX_RT1010": "hold BOOT, press RESET, then let go of both (the chip's own loader); with a UF2 bootloader: "
    + _DOUBLE,
}
_BY_PORT = {
    "rp2": _BOOTSEL,
    "samd": _DOUBLE,
    "mimxrt": _DOUBLE,
    "nrf": _DOUBLE,
    "esp8266": _ESP8266,
    "stm32": _STM32,
    "renesas-ra": _DOUBLE,
}
_ANY = (
    "Raspberry Pi's chips: " + _BOOTSEL,
    "Espressif's chips: " + _ESP.format(pin="GPIO0, on most newer chips GPIO9"),
    "STM32: " + _STM32,
    "most others: " + _DOUBLE,
)


# The pin that chooses the ROM's bootloader.
_PINS = dict.fromkeys(("esp8266", "esp32", "esp32s2", "esp32s3"), 0) | {"esp32c5": 28, "esp32p4": 35}
_PINS |= dict.fromkeys(("esp32c2", "esp32c3", "esp32c6", "esp32c61", "esp32h2"), 9)


def boot_pin(chip: str) -> int | None:
    """The GPIO that has to be low at reset for an Espressif chip's bootloader; None where it is not known."""
    return _PINS.get(chip)


def buttons(board: str = "", mcu_port: str = "", chip: str = "") -> str:
    """What to press on a board, words that follow "to get there,"; "" where nothing is known of it.

    Args:
        board: MicroPython's name, "RPI_PICO".
        mcu_port: MicroPython's port, "rp2".
        chip: as in FirmwareImage.chip, "esp32c3".
    """
    name = board.upper()
    if name in _BY_BOARD:
        return _BY_BOARD[name]
    if name.startswith("PYBD"):
        return _PYBD
    if mcu_port == "esp32":
        pin = boot_pin(chip)
        return _ESP.format(pin="GPIO0, on most newer chips GPIO9," if pin is None else f"GPIO{pin}")
    return _BY_PORT.get(mcu_port, "")


def all_buttons() -> tuple[str, ...]:
    """For a board of which nothing is known: the usual ways, a line each."""
    return _ANY


def has_touch(board: str = "", mcu_port: str = "") -> bool:
    """Whether its firmware starts the bootloader when its port is closed at 1200 baud."""
    name = board.upper()
    return name in TOUCH_BOARDS or (mcu_port in TOUCH_PORTS and name not in _NO_TOUCH)
