"""Boards by name, by what runs on them, and the data behind it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from upytool.boards import catalogue
from upytool.boards.catalogue import all_boards, find, from_machine, get, search, split_name, suggest
from upytool.errors import UsageError


@pytest.mark.parametrize(
    ("name", "board"),
    [
        ("RPI_PICO", "RPI_PICO"),
        ("rpi_pico", "RPI_PICO"),
        ("rpi-pico", "RPI_PICO"),
        ("pico", "RPI_PICO"),
        ("pico w", "RPI_PICO_W"),
        ("Pico 2 W", "RPI_PICO2_W"),
        ("pico2", "RPI_PICO2"),
        ("Raspberry Pi Pico W", "RPI_PICO_W"),
        ("esp32", "ESP32_GENERIC"),
        ("esp32 s3", "ESP32_GENERIC_S3"),
        ("ESP32-C3", "ESP32_GENERIC_C3"),
        ("esp32c6", "ESP32_GENERIC_C6"),
        ("esp8266", "ESP8266_GENERIC"),
        ("d1 mini", "ESP8266_GENERIC"),
        ("teensy 4.1", "TEENSY41"),
        ("pyboard", "PYBV11"),
        ("black pill", "WEACT_F411_BLACKPILL"),
        ("xiao rp2350", "SEEED_XIAO_RP2350"),
        ("unexpected maker tinys3", "UM_TINYS3"),
        ("3pi+ 2040 robot", "POLOLU_3PI_2040_ROBOT"),
        ("nucleo f411re", "NUCLEO_F411RE"),
        ("esp32 p4", "ESP32_GENERIC_P4"),
    ],
)
def test_any_name(name: str, board: str) -> None:
    assert find(name).id == board


def test_every_id_and_every_nickname_is_one_boards() -> None:
    for board in all_boards():
        assert find(board.id) is board
        assert get(board.id.lower()) is board
        for alias in board.aliases:
            assert find(alias) is board, alias
        for variant in board.variants:
            assert split_name(f"{board.id}-{variant}") == (board, variant)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("pcio", "RPI_PICO"),
        ("pico v", "RPI_PICO_W"),
        ("rpi_picow2", "RPI_PICO_W"),
        ("esp23", "ESP32_GENERIC"),
        ("teensy41x", "TEENSY41"),
        ("esp32_generic_s4", "ESP32_GENERIC_S2"),
        ("RPI_PICO_2W", "RPI_PICO2_W"),
        ("feather m4", "ADAFRUIT_FEATHER_M4_EXPRESS"),
    ],
)
def test_near_names(name: str, first: str) -> None:
    assert first in suggest(name)[:3]
    if not catalogue.named(name):
        with pytest.raises(UsageError) as caught:
            find(name)
        assert caught.value.code == "usage.unknown-board"
        assert first in caught.value.hint


@pytest.mark.parametrize("name", ["", "xyzzyq", "-", "🥧", "\0", "q" * 5000])
def test_names_of_nothing(name: str) -> None:
    assert suggest(name) == []
    with pytest.raises(UsageError) as caught:
        find(name)
    assert (caught.value.code, caught.value.fields) == ("usage.unknown-board", {"name": name})


def test_variants() -> None:
    assert split_name("pico2-riscv") == (find("pico2"), "RISCV")
    assert split_name("esp32-c3") == (find("ESP32_GENERIC_C3"), "")
    with pytest.raises(UsageError, match="ESP32_GENERIC has no variant FOO") as caught:
        split_name("ESP32_GENERIC-FOO")
    assert "SPIRAM" in caught.value.hint
    with pytest.raises(UsageError, match="has no variants"):
        find("RPI_PICO").variant("W")


def test_search() -> None:
    assert [each.id for each in search(["pico", "w"])][:2] == ["RPI_PICO2_W", "RPI_PICO_W"]
    assert {each.mcu for each in search(["esp32s3", "usb-c"])} == {"esp32s3"}
    assert search(["pico", "no such thing"]) == []


@pytest.mark.parametrize(
    ("machine", "names"),
    [
        ("Raspberry Pi Pico with RP2040", ["RPI_PICO"]),
        ("Raspberry Pi Pico2 with RP2350", ["RPI_PICO2"]),
        ("Raspberry Pi Pico2 with RP2350-RISCV", ["RPI_PICO2-RISCV"]),
        ("Generic ESP32 module with ESP32", ["ESP32_GENERIC"]),
        ("Generic ESP32 module with SPIRAM with ESP32", ["ESP32_GENERIC-SPIRAM"]),
        ("PYBv1.1 with STM32F405RG", ["PYBV11"]),
        ("ESP module with ESP8266", ["ESP8266_GENERIC"]),
        ("Teensy 4.1 with MIMXRT1062DVJ6A", ["TEENSY41"]),
        ("Olimex ESP32 ETH with ESP32", ["OLIMEX_ESP32_EVB", "OLIMEX_ESP32_POE"]),
        ("Somebody's board with RP2040", []),
        ("", []),
    ],
)
def test_boards_that_run(machine: str, names: list[str]) -> None:
    found = from_machine(machine)
    assert [each.name for each in found] == names
    assert not any(each.sure for each in found)


def test_boards_that_say_their_name() -> None:
    (match,) = from_machine("Raspberry Pi Pico2 with RP2350-RISCV", "RPI_PICO2-RISCV")
    assert (match.board.id, match.variant, match.sure) == ("RPI_PICO2", "RISCV", True)
    assert from_machine("Raspberry Pi Pico with RP2040", "MY_OWN_BOARD") == []  # it says that it is another one
    assert [each.name for each in from_machine("Raspberry Pi Pico with RP2040", "?")] == ["RPI_PICO"]


def test_the_data_is_whole() -> None:
    ports = {"rp2", "esp32", "esp8266", "stm32", "samd", "nrf", "mimxrt", "renesas-ra", "alif", "cc3200"}
    boards = all_boards()
    assert len(boards) > 190
    assert {each.port for each in boards} == ports
    for board in boards:
        assert board.id == board.id.upper()
        assert board.kinds
        assert board.deploy
        assert board.source
        assert all(0 < number < 0x10000 for pair in (*board.usb, *board.bootloader_usb) for number in pair)
        assert all(sentence[-1] != "." for sentence in (*board.enter, *board.steps))
        if board.deploy[0] in ("swd", "teensy", "bossac", "nrfutil", "vendor", "stlink"):
            assert board.steps, board.id


def test_facts_of_some_boards() -> None:
    pico = find("RPI_PICO")
    assert (pico.port, pico.mcu, pico.kind, pico.flash_size()) == ("rp2", "rp2040", "uf2", 2 << 20)
    assert (0x2E8A, 0x0005) in pico.usb
    assert (0x2E8A, 0x0003) in pico.bootloader_usb
    assert not pico.touch_1200
    assert find("ARDUINO_NANO_RP2040_CONNECT").touch_1200
    assert not find("SEEED_XIAO_NRF52").touch_1200
    assert find("PIMORONI_TINY2040").flash_size("FLASH_8M") == 8 << 20
    assert find("PIMORONI_TINY2040").flash_size() == 2 << 20
    esp = find("ESP32_GENERIC")
    assert (esp.kind, esp.flash_offset, esp.deploy) == ("bin", 0x1000, ("esptool",))
    assert "uf2" not in esp.kinds
    assert "uf2" in find("ESP32_GENERIC_S3").kinds
    assert find("ESP32_GENERIC_C5").flash_offset == 0x2000
    assert find("PYBV11").kind == "dfu"
    assert find("NUCLEO_F401RE").deploy == ("stlink",)
    assert find("NUCLEO_H743ZI").deploy == ("dfu", "stlink")
    assert find("PYBD_SF6").enter[0].startswith("hold USR")
    assert find("ARDUINO_GIGA").bootloader_usb == ((0x2341, 0x0366),)
    assert find("TEENSY41").kind == "hex"
    assert "BOARD" not in find("TEENSY41").steps[0]


def test_looking_up_is_quick() -> None:
    code = (
        "import upytool.errors, dataclasses, functools, json, re, time\n"
        "start = time.process_time()\n"
        "from upytool.boards.catalogue import find\nfind('pico w')\n"
        "print(time.process_time() - start)"
    )
    runs = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(runs) < 0.06  # 10 ms on an idle machine
