"""`flash` on an ESP over the network: unmodified esptool against the MODEL of the ROM loader (esp_rom_model)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.fakes.esp_firmware import firmware
from tests.fakes.esp_rom_model import EspRomModel
from tests.fakes.esp_rom_wire import TcpWire


def upytool(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "upytool", *argv], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


def test_a_socket_with_an_esp_in_its_boot_loader() -> None:
    Path("s3.bin").write_bytes(firmware("esp32s3"))
    Path("c3.bin").write_bytes(firmware("esp32c3"))
    model = EspRomModel("esp32s3")
    with TcpWire(model) as wire:
        refused = upytool("-d", wire.address, "flash", "c3.bin", "--yes")
        assert refused.returncode == 7
        assert f"the firmware is for ESP32-C3, the board on {wire.address} has an ESP32-S3" in refused.stderr
        assert "nothing was changed on the board" in refused.stderr
    model = EspRomModel("esp32s3")
    with TcpWire(model) as wire:
        done = upytool("-d", wire.address, "flash", "s3.bin", "--yes")
        assert done.returncode == 0, done.stderr
        assert "esptool: write what differs" in done.stderr
        assert "verified: MD5" in done.stderr
    image = Path("s3.bin").read_bytes()
    assert model.flash[: len(image)] == image
