"""MODELS of what pyserial says of ports: strings and ids as real devices report them on Linux."""

from __future__ import annotations

from typing import Any

from upytool.discovery.ports import SerialPort


def port(path: str, usb: str = "", **facts: Any) -> SerialPort:
    """A SerialPort; `usb` is "vid:pid" in hexadecimal."""
    if usb:
        vid, _, pid = usb.partition(":")
        facts.update(vid=int(vid, 16), pid=int(pid, 16))
    return SerialPort(path, **facts)


def pico(path: str = "/dev/ttyACM0", serial: str = "e6605838834f2a30", place: str = "1-2") -> SerialPort:
    return port(
        path,
        "2e8a:0005",
        serial_number=serial,
        manufacturer="MicroPython",
        product="Board in FS mode",
        location=f"{place}:1.0",
    )


def pyboard(path: str = "/dev/ttyACM1", place: str = "1-3") -> SerialPort:
    return port(
        path,
        "f055:9800",
        serial_number="206437A1304E",
        manufacturer="MicroPython",
        product="Pyboard Virtual Comm Port in FS Mode",
        location=f"{place}:1.1",
    )


def cp2102(path: str = "/dev/ttyUSB0", serial: str = "0001", place: str = "1-4") -> SerialPort:
    return port(
        path,
        "10c4:ea60",
        serial_number=serial,
        manufacturer="Silicon Labs",
        product="CP2102 USB to UART Bridge Controller",
        location=place,
    )


def ch340(path: str = "/dev/ttyUSB1", place: str = "1-5") -> SerialPort:
    return port(path, "1a86:7523", product="USB Serial", location=place)


def gps(path: str = "/dev/ttyACM3", place: str = "1-6") -> SerialPort:
    return port(
        path,
        "1546:01a8",
        manufacturer="u-blox AG",
        product="u-blox GNSS receiver",
        location=f"{place}:1.0",
    )


def modem(path: str = "/dev/ttyUSB4", place: str = "1-7") -> SerialPort:
    return port(path, "2c7c:0125", manufacturer="Quectel", product="EC25-EU", location=f"{place}:1.2")


def microbit(path: str = "/dev/ttyACM4", place: str = "1-8") -> SerialPort:
    return port(
        path,
        "0d28:0204",
        serial_number="9906360200052820a8fdb5e413abb276",
        manufacturer="ARM",
        product='"BBC micro:bit CMSIS-DAP"',
        location=f"{place}:1.1",
    )


def builtin(path: str = "/dev/ttyS0") -> SerialPort:
    return port(path, description="ttyS0")
