"""The rigs' own tests use the same fixtures as everybody."""

from tests.rigs.fixtures import (
    boards,
    pico,
    qemu,
    qemu_bare,
    qemu_lfs,
    qemu_port,
    qemu_stock,
    qemu_uart,
    unix,
    unix_port,
)

__all__ = [
    "boards",
    "pico",
    "qemu",
    "qemu_bare",
    "qemu_lfs",
    "qemu_port",
    "qemu_stock",
    "qemu_uart",
    "unix",
    "unix_port",
]
