"""A board of ours as an ESP32 with two slots: a MODEL of its flash, `esp32.Partition` and bootloader is put on it.

The model is esp32_board/esp32.py; real are the MicroPython that runs it, the transport and all that upytool sends.
Which slot runs is a word in a file: the VM stays the one that it is, so every image here is "its" version.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fakes.esp_firmware import code_like, esp_image
from upytool.device import ondevice
from upytool.device.device import Device
from upytool.image.esp_partitions import DATA, Partition, write_table

HERE = Path(__file__).parent / "esp32_board"
SLOT = 0x40000
OTA = (
    Partition("nvs", DATA, 2, 0x9000, 0x4000),
    Partition("otadata", DATA, 0, 0xD000, 0x2000),
    Partition("phy_init", DATA, 1, 0xF000, 0x1000),
    Partition("ota_0", 0, 0x10, 0x10000, SLOT),
    Partition("ota_1", 0, 0x11, 0x10000 + SLOT, SLOT),
    Partition("vfs", DATA, 0x81, 0x10000 + 2 * SLOT, 0x80000),
)
MEGABYTE = 1 << 20


def application(
    version: str = "1.26.1", size: int = 100_000, *, seed: int = 1, chip: str = "esp32", flash: int = 0x20
) -> bytes:
    """An application that says which MicroPython it is, about `size` bytes long."""
    text = b"\0" * 8 + b"3.4.0; MicroPython v" + version.encode() + b" on 2025-09-11\0"
    return esp_image(chip, text + code_like(size, seed), app=True, flash=flash)


def combined(app: bytes, table: Sequence[Partition] = OTA, *, chip: str = "esp32") -> bytes:
    """A firmware.bin: bootloader, table and application, from the bootloader's place on (ESP32)."""
    first = next(row for row in table if row.type == 0)
    boot = esp_image(chip, code_like(0x4000, 99))
    base = 0x1000 if chip == "esp32" else 0
    data = boot.ljust(0x8000 - base, b"\xff") + write_table(table)
    return data.ljust(first.offset - base, b"\xff") + app


class SlotBoard:
    """The model on a board.

    Args:
        device: a connection; used here alone while nothing else talks.
        runs: what is in the first slot.
        rows: the partition table.
        rollback: ESP-IDF's setting.
    """

    def __init__(
        self,
        device: Device,
        runs: bytes,
        *,
        rows: Sequence[Partition] = OTA,
        rollback: bool = True,
        encrypted: bool = False,
        flash_size: int = 4 * MEGABYTE,
    ) -> None:
        self.device = device
        self.settings: dict[str, object] = {
            "rows": [
                (row.type, row.subtype, row.offset, row.size, row.label, encrypted and row.type == 0) for row in rows
            ],
            "rollback": rollback,
            "cut": 0,
            "worn": -1,
            "flash_size": flash_size,
        }
        first = next((row for row in rows if row.type == 0), None)
        parts = [(f"/model/{name}.py", (HERE / f"{name}.py").read_bytes()) for name in ("esp32", "esp")]
        parts += [("/boot.py", (HERE / "boot.py").read_bytes()), ("/flash/settings", self._text())]
        parts += [(f"/flash/{first.label}", runs)] if first is not None else []
        device.fs.put_many(parts, ["/model", "/flash"])
        device.exec("exec(open('/boot.py').read())")

    def _text(self) -> bytes:
        return json.dumps(self.settings).encode()

    def set(self, **values: object) -> None:
        """Change settings: `cut` blocks until the power goes, a `worn` block that keeps nothing."""
        self.settings |= values
        self.device.fs.write_bytes("/flash/settings", self._text())

    def log(self) -> list[str]:
        """What happened, in order: "write ota_1 0", "set_boot ota_1", "start ota_1", "valid"."""
        return self.device.fs.read_text("/flash/log").splitlines()

    def flash(self, label: str) -> bytes:
        """What a partition holds, as far as it was ever written."""
        return self.device.fs.read_bytes(f"/flash/{label}")

    def put(self, label: str, data: bytes) -> None:
        """Put something into a partition."""
        self.device.fs.write_bytes(f"/flash/{label}", data)

    @property
    def running(self) -> str:
        """The label of the slot that runs."""
        return self.device.fs.read_text("/flash/running")

    def power_on(self) -> None:
        """What the bootloader does at a start."""
        self.device.exec("exec(open('/boot.py').read())")


@pytest.fixture
def finds_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of ours, which see the firmware's modules alone, find the model where those would be."""
    monkeypatch.setattr(ondevice, "NOWHERE", "/model")
