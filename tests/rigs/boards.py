"""The running rigs by name, for the command line, the fixtures and the benches."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol, Self, cast

from tests.rigs.pico import Pico
from tests.rigs.qemu import Qemu
from tests.rigs.unix import Unix
from tests.rigs.webrepl import WebReplBoard

NAMES = {
    "qemu": "Cortex-M3 with FAT, as capable as a Pico",
    "qemu-lfs": "the same with LittleFS v2",
    "qemu-stock": "no sys.stdin.buffer, select, time",
    "qemu-bare": "also no deflate, hashlib, binascii, json; 64 kB of heap",
    "qemu-uart": "as qemu, but a full 260-byte receive ring drops bytes, like an ESP32's UART",
    "qemu-rom": "as qemu, with two ROM partitions that are erased by ranges",
    "qemu-rom-whole": "the same; a partition is erased as a whole, as with firmware before 1.29",
    "qemu-rom-blocks": "the same; a partition is a block device, as on the RP2040",
    "qemu-rom-stock": "as qemu-stock, with two ROM partitions that are erased by ranges",
    "pico": "an emulated Raspberry Pi Pico: USB CDC, LittleFS; slow",
    "unix": "the 64-bit unix port in a chroot, with real files",
    "unix-webrepl": "the same with MicroPython's own WebREPL on a port of 127.0.0.1",
}


class Board(Protocol):
    """What every running rig offers."""

    port: str

    def __enter__(self) -> Self: ...
    def blank(self) -> None:
        """Power cycle with an empty file system."""

    def power_cycle(self) -> None:
        """Cut the power and wait for the prompt."""

    def close(self) -> None:
        """Switch off and clean up."""


def start(name: str) -> AbstractContextManager[Board]:
    """The rig called `name`, to be entered with `with`; builds its firmware if need be."""
    match name:
        case "qemu":
            board: object = Qemu()
        case "qemu-lfs":
            board = Qemu(fs="lfs")
        case "qemu-stock":
            board = Qemu("stock")
        case "qemu-bare":
            board = Qemu("bare")
        case "qemu-uart":
            board = Qemu(overrun="drop", ring=260)
        case "qemu-rom":
            board = Qemu(rom="ranges")
        case "qemu-rom-whole":
            board = Qemu(rom="whole")
        case "qemu-rom-blocks":
            board = Qemu(rom="blocks")
        case "qemu-rom-stock":
            board = Qemu("stock", rom="ranges")
        case "pico":
            board = Pico()
        case "unix":
            board = Unix()
        case "unix-webrepl":
            board = WebReplBoard()
        case _:
            raise ValueError(f"no rig {name}: there are {', '.join(NAMES)}")
    return cast("AbstractContextManager[Board]", board)
