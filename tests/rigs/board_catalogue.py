"""Writes firmware/boards/catalogue.json and layouts.json from the MicroPython trees of the rigs.

    python -m tests.rigs.board_catalogue          # needs the trees in the rigs' cache (Debian's source packages)

What the trees do not say in a form for programs (which bootloader, how to enter it) stands in the tables
here, after their deploy.md files. A test compares the files with a fresh run.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.rigs.board_layouts import esp32_flash_size, layouts, rp2_flash_size
from tests.rigs.board_tree import TreeBoard, assigned, boards_of, numbers, trees

FOLDER = Path(__file__).resolve().parents[2] / "firmware" / "boards"

# By port: what writes it, and the kinds of files (tools/autobuild/build-boards.sh), the best of both first.
PORTS: dict[str, tuple[list[str], list[str]]] = {
    "rp2": (["picoboot", "uf2"], ["uf2"]),
    "esp32": (["esptool"], ["bin", "app-bin", "uf2"]),
    "esp8266": (["esptool"], ["bin"]),
    "stm32": (["dfu"], ["dfu", "hex"]),
    "samd": (["uf2"], ["uf2"]),
    "nrf": (["swd"], ["hex", "bin", "uf2"]),
    "mimxrt": (["daplink", "uf2"], ["hex", "bin", "uf2"]),
    "renesas-ra": (["swd"], ["hex", "bin"]),
    "alif": (["vendor"], ["zip"]),
    "cc3200": (["vendor"], ["zip"]),
    "psoc-edge": (["vendor"], ["zip"]),
}
# Boards that differ from their port.
SPECIAL: dict[str, tuple[list[str], list[str]]] = {
    "ADAFRUIT_METRO_M7": (["uf2"], ["uf2", "hex", "bin"]),
    "MAKERDIARY_RT1011_NANO_KIT": (["uf2"], ["uf2", "hex", "bin"]),
    "OLIMEX_RT1010": (["uf2"], ["uf2", "hex", "bin"]),
    "TEENSY40": (["teensy"], ["hex"]),
    "TEENSY41": (["teensy"], ["hex"]),
    "ARDUINO_NANO_33_BLE_SENSE": (["bossac"], ["bin", "hex"]),
    "SEEED_XIAO_NRF52": (["uf2"], ["uf2", "hex"]),
    "NRF52840_MDK_USB_DONGLE": (["nrfutil"], ["hex"]),
    "PCA10059": (["nrfutil"], ["hex"]),
    "FEATHER52": (["nrfutil"], ["hex"]),
    "MICROBIT": (["daplink"], ["hex"]),
    "ARDUINO_PORTENTA_C33": (["dfu"], ["bin", "hex"]),
}
# How a person brings the board into its bootloader.
ENTER: dict[str, list[str]] = {
    "picoboot": ["hold the BOOTSEL (or BOOT) button while you plug the board in"],
    "esptool": ["hold BOOT (or IO0), press RESET, let go of BOOT"],
    "dfu": ["connect BOOT0 to 3.3 V (or hold the BOOT button) and press RESET"],
    "uf2": ["press RESET twice, quickly"],
    "teensy": ["press the button on the Teensy"],
    "bossac": ["press RESET twice, quickly"],
    "nrfutil": ["hold the button, press RESET"],
}
STEPS: dict[str, list[str]] = {
    "swd": ["connect a J-Link (or another SWD probe) and write the .hex file with its maker's program"],
    "teensy": ["run PJRC's `teensy_loader_cli --mcu=BOARD -v -w FILE.hex`, then press the button"],
    "daplink": ["copy the .hex file to the drive of the board's debug USB port, then press RESET"],
    "bossac": ["run Arduino's `bossac -e -w --offset=0x16000 --port=PORT -i -d -U -R FILE.bin`"],
    "nrfutil": ["make a package of the .hex file with Nordic's nrfutil and send it: `nrfutil dfu usb-serial`"],
    "stlink": ["write the .hex file with `st-flash --format ihex write FILE.hex` or STM32CubeProgrammer"],
    "vendor": ["this board needs its maker's own tool: see its page on micropython.org"],
}
OWN_STEPS: dict[str, list[str]] = {
    "SAMD21_XPLAINED_PRO": ["the first time: copy the .hex file of a UF2 bootloader to the drive of the debug port"],
    "OLIMEX_RT1010": ["the first time: install the UF2 bootloader (tinyuf2 for the imxrt1010) with NXP's sdphost"],
    "ARDUINO_NANO_33_BLE_SENSE": [
        "update the bootloader first (it has to lie at the end of the flash): Arduino's page for OpenMV tells how",
        *STEPS["bossac"],
    ],
    "WIPY": ["send the image over FTP to /flash/sys/mcuimg.bin of the running board"],
    "ALIF_ENSEMBLE": ["write both images of the .zip file with Alif's SE tools"],
    "TEENSY40": ["run PJRC's `teensy_loader_cli --mcu=TEENSY40 -v -w FILE.hex`, then press the button"],
    "TEENSY41": ["run PJRC's `teensy_loader_cli --mcu=TEENSY41 -v -w FILE.hex`, then press the button"],
}
_TWICE = ["press RESET twice, quickly"]
_PYBD = ["hold USR, press RST, keep USR down until the LED is white (the 4th colour), let go while it is"]
OWN_ENTER: dict[str, list[str]] = {
    **dict.fromkeys(("PYBD_SF2", "PYBD_SF3", "PYBD_SF6"), _PYBD),
    **dict.fromkeys(("ARDUINO_GIGA", "ARDUINO_NICLA_VISION", "ARDUINO_OPTA"), _TWICE),
    **dict.fromkeys(("ARDUINO_PORTENTA_H7", "ARDUINO_PORTENTA_C33", "ARDUINO_NANO_ESP32"), _TWICE),
    "UM_TINYC6": ["hold BOOT while you plug the board in"],
}
# Bootloaders' USB ids (pico-sdk; ST's ROM; Arduino's deploy.md and mpconfigboard.mk; LEGO's mboot; PJRC).
LOADER_IDS: dict[str, list[str]] = {
    "rp2040": ["2e8a:0003"],
    "rp2350": ["2e8a:000f"],
    "ARDUINO_PORTENTA_H7": ["2341:035b"],
    "ARDUINO_GIGA": ["2341:0366"],
    "ARDUINO_NICLA_VISION": ["2341:035f"],
    "ARDUINO_OPTA": ["2341:0364"],
    "ARDUINO_PORTENTA_C33": ["2341:0368"],
    "ARDUINO_NANO_ESP32": ["2341:0070"],
    "LEGO_HUB_NO6": ["0694:0008"],
    "LEGO_HUB_NO7": ["0694:000c"],
    "TEENSY40": ["16c0:0478"],
    "TEENSY41": ["16c0:0478"],
}
# Names that people use, besides id, product and vendor with product.
ALIASES: dict[str, list[str]] = {
    "RPI_PICO": ["pico", "pi pico", "pico1", "raspberry pico"],
    "RPI_PICO_W": ["pico w", "pi pico w", "pico1 w", "pico wh"],
    "RPI_PICO2": ["pico 2", "pi pico 2"],
    "RPI_PICO2_W": ["pico 2 w", "pi pico 2 w"],
    "ESP32_GENERIC": ["esp32", "esp32 wroom", "esp32 wroom32", "esp32 wrover", "esp32 devkit", "nodemcu 32s"],
    "ESP32_GENERIC_C2": ["esp8684"],
    "ESP32_GENERIC_C3": ["esp32 c3 devkit"],
    "ESP32_GENERIC_S3": ["esp32 s3 devkit", "esp32 s3 wroom1"],
    "ESP8266_GENERIC": ["esp8266", "nodemcu", "wemos d1 mini", "d1 mini", "esp01", "esp12"],
    "PYBV11": ["pyboard", "pyboard 1.1", "pyb"],
    "PYBV10": ["pyboard 1.0"],
    "PYBD_SF2": ["pyboard d", "pybd"],
    "TEENSY40": ["teensy 4", "teensy 4.0"],
    "TEENSY41": ["teensy 4.1"],
    "WEACT_F411_BLACKPILL": ["blackpill", "black pill", "weact blackpill"],
    "ARDUINO_GIGA": ["giga r1", "giga r1 wifi"],
    "ARDUINO_OPTA": ["opta"],
    "MICROBIT": ["microbit", "microbit v1"],
    "PCA10056": ["nrf52840 dk"],
    "PCA10059": ["nrf52840 dongle"],
    "PCA10040": ["nrf52 dk"],
    "SEEED_XIAO_SAMD21": ["seeeduino xiao"],
    "SEEED_XIAO_NRF52": ["xiao nrf52840", "xiao ble sense"],
    "WIPY": ["wipy 1"],
}
# What older releases (before 1.21) called them, in file names and links.
OLD_IDS: dict[str, list[str]] = {
    "RPI_PICO": ["rp2-pico"],
    "RPI_PICO_W": ["rp2-pico-w"],
    "ESP32_GENERIC": ["GENERIC"],
    "ESP32_GENERIC_C3": ["GENERIC_C3"],
    "ESP32_GENERIC_S2": ["GENERIC_S2"],
    "ESP32_GENERIC_S3": ["GENERIC_S3"],
    "ESP8266_GENERIC": ["ESP8266"],
}
_NATIVE_USB = ("esp32s2", "esp32s3", "esp32p4")


def entry(board: TreeBoard, seen: list[TreeBoard]) -> dict[str, Any]:
    """One line of the catalogue, from the newest tree that has the board."""
    raw = board.json
    deploy, kinds = SPECIAL.get(board.id) or PORTS[board.port]
    if board.port == "stm32" and not re.search(r"MICROPY_HW_ENABLE_USB\s+\(?1", board.header):
        deploy, kinds = ["stlink"], ["hex", "dfu"]
    elif re.match(r"NUCLEO|STM32.*(DISC|DK)|B_L", board.id):  # boards of ST with an ST-LINK on them
        deploy = ["dfu", "stlink"]
    if board.port == "esp32" and raw["mcu"] not in ("esp32s2", "esp32s3"):
        kinds = [each for each in kinds if each != "uf2"]
    steps = OWN_STEPS.get(board.id, [])
    if not steps:
        steps = next((STEPS[each] for each in deploy if each in STEPS), [])
    old: dict[str, None] = {}
    for each in seen:
        old.update(dict.fromkeys(each.json.get("old_variants", [])))
    if len(seen) == len(trees()):  # variants that a later tag dropped are found under their old names
        for each in seen[:-1]:
            gone = set(each.json.get("variants", {})) - set(raw.get("variants", {}))
            old.update(dict.fromkeys(sorted(gone)))
    offset = raw.get("deploy_options", {}).get("flash_offset")
    return {
        "id": board.id,
        "port": board.port,
        "mcu": str(raw["mcu"]).lower(),
        "vendor": raw["vendor"],
        "product": raw["product"].split(". ")[0],
        "url": raw["url"],
        "features": raw["features"],
        "variants": raw.get("variants", {}),
        "old_variants": list(old),
        "aliases": ALIASES.get(board.id, []) + OLD_IDS.get(board.id, []),
        "machines": machines(board),
        "deploy": deploy,
        "kinds": kinds,
        "flash_offset": None if offset is None else int(offset, 0),
        "flash_size": flash_sizes(board),
        "touch_1200": touch(board),
        "usb": usb(board),
        "bootloader_usb": loader_ids(board, deploy),
        "enter": OWN_ENTER.get(board.id) or next((ENTER[each] for each in deploy if each in ENTER), []),
        "steps": steps,
        "tags": [each.tag for each in seen],
        "source": f"{board.tag}: {board.file(board.folder / 'board.json')}",
    }


def loader_ids(board: TreeBoard, deploy: list[str]) -> list[str]:
    known = LOADER_IDS.get(board.id) or LOADER_IDS.get(board.json["mcu"])
    return known or (["0483:df11"] if "dfu" in deploy else [])


def machines(board: TreeBoard) -> dict[str, str]:
    """Variant to what `sys.implementation._machine` says: MICROPY_HW_BOARD_NAME " with " MICROPY_HW_MCU_NAME."""
    port_mcu = {"rp2": str(board.json["mcu"]).upper(), "samd": ""}.get(board.port, "")
    found: dict[str, str] = {}
    for variant in board.variants:
        values = dict(board.defines)
        if board.id == "ESP8266_GENERIC":  # one header for all variants, by the flash size
            names = {"FLASH_1M": " (1M)", "OTA": " (1M)", "FLASH_512K": " (512K)"}
            values["MICROPY_HW_BOARD_NAME"] = f'"ESP module{names.get(variant, "")}"'
        text = board.cmake + board.variant_text(variant, "cmake")
        for name, value in re.findall(r'(MICROPY_HW_(?:BOARD|MCU)_NAME)="([^"]+)"', text):
            values[name] = f'"{value}"'
        name, mcu = (values.get(f"MICROPY_HW_{each}_NAME", "").strip('"') for each in ("BOARD", "MCU"))
        if board.port == "rp2":
            mcu = f"{port_mcu}-RISCV" if variant == "RISCV" else port_mcu
        if board.port == "samd":
            mcu = assigned(board.make, "CMSIS_MCU")
        if name and mcu and '"' not in name + mcu:
            found[variant] = f"{name} with {mcu}"
    return found


def flash_sizes(board: TreeBoard) -> dict[str, int]:
    """Variant to bytes of programmable flash, where the tree says it."""
    found: dict[str, int] = {}
    for variant in board.variants:
        size: int | None = None
        if board.port == "rp2":
            size = rp2_flash_size(board, variant)
        elif board.port == "esp32":
            size = esp32_flash_size(board, variant)
        elif board.port == "mimxrt":
            size = int(assigned(board.make, "MICROPY_HW_FLASH_SIZE"), 0)
        if size is not None:
            found[variant] = size
    return found


def touch(board: TreeBoard) -> bool:
    """Whether opening the port at 1200 baud starts the bootloader."""
    if board.id == "SEEED_XIAO_NRF52":  # says so, its USB driver does not do it (comment in its header)
        return False
    return board.port in ("samd", "mimxrt") or "MICROPY_HW_USB_CDC_1200BPS_TOUCH" in board.header


def usb(board: TreeBoard) -> list[str]:
    """USB ids with MicroPython running: the board's own, else the port's where that is one."""
    vids = re.findall(r"MICROPY_HW_USB_VID\s*=?\s*\(?(0x[0-9a-fA-F]{1,4})", board.header + board.make)
    pids = re.findall(r"MICROPY_HW_USB_PID(?:_CDC\w*|_MSC)?\s*=?\s*\(?(0x[0-9a-fA-F]{1,4})", board.header + board.make)
    if vids and pids:
        return list(dict.fromkeys(f"{int(vids[-1], 16):04x}:{int(each, 16):04x}" for each in pids))
    if board.port == "rp2":
        return ["2e8a:0005"]
    return ["303a:4001"] if board.json["mcu"] in _NATIVE_USB else []


def newer() -> list[dict[str, Any]]:
    """Boards of newer.json, filled up with what their port gives."""
    found = []
    for raw in json.loads((FOLDER / "newer.json").read_text(encoding="utf-8"))["boards"]:
        deploy, kinds = PORTS[raw["port"]]
        native = raw["mcu"] in _NATIVE_USB
        blank: dict[str, Any] = {
            "variants": {},
            "old_variants": [],
            "aliases": [],
            "machines": {},
            "deploy": deploy,
            "kinds": [each for each in kinds if each != "uf2" or raw["port"] == "rp2"],
            "flash_size": {},
            "touch_1200": False,
            "usb": ["303a:4001"] if native else [],
            "bootloader_usb": [],
            "enter": ENTER[deploy[0]],
            "steps": [],
            "tags": [],
        }
        found.append(blank | raw | {"flash_offset": int(raw["flash_offset"], 0)})
    return found


def catalogue() -> dict[str, Any]:
    """The whole of catalogue.json."""
    seen: dict[str, list[TreeBoard]] = {}
    tags = []
    for tag, tree in trees():
        tags.append(tag)
        for board in boards_of(tag, tree):
            seen.setdefault(board.id, []).append(board)
    entries = [entry(versions[-1], versions) for versions in seen.values()]
    entries += [each for each in newer() if each["id"] not in seen]
    return {"version": 1, "tags": tags, "boards": sorted(entries, key=lambda each: (each["port"], each["id"]))}


def render(content: dict[str, Any], key: str) -> str:
    """JSON with one line an entry: small, and a change shows as one line."""
    head = json.dumps({name: value for name, value in content.items() if name != key}, ensure_ascii=False)
    lines = ",\n".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in content[key])
    return f'{head[:-1]}, "{key}": [\n{lines}\n]}}\n'


def outputs() -> dict[str, str]:
    """File name to content."""
    return {"catalogue.json": render(catalogue(), "boards"), "layouts.json": render(layouts(), "layouts")}


def main() -> None:
    tags = [tag for tag, _ in trees()]
    if len(tags) < 2 or numbers(tags[-1]) < (1, 26, 1):
        raise SystemExit(f"the source trees of 1.25.0 and 1.26.1 are needed, here are: {tags}")
    for name, text in outputs().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
