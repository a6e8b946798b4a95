"""Debian's own picotool and dfu-suffix as oracles for files, and a count of what goes over a USB back end.

The programs are those of usb_shim.py: unpacked from Debian's packages with the libc that they were linked with, kept
in the rigs' cache, never installed. Without a shim they find no USB device, and need none for a file.

    tools = UsbTools()
    print(tools.run("picotool", "info", "-a", "firmware.uf2").stdout)
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rigs.base import RigBroken
from tests.rigs.usb_shim import programs, shim_library

NAMES = ("picotool", "dfu-util", "dfu-suffix", "dfu-prefix")


class UsbTools:
    """Runs the programs on files. Attribute: version, of picotool ("2.1.1").

    Raises: RigUnavailable where Debian's registry refuses them, or this machine cannot have them.
    """

    def __init__(self) -> None:
        self._root = programs().parent / "root"
        loaders = sorted(self._root.glob("usr/lib/*/ld-linux-*.so.*"))
        missing = [name for name in NAMES if not (self._root / "usr" / "bin" / name).is_file()]
        if not loaders or missing:
            raise RigBroken(f"Debian's packages have no {', '.join(missing) or 'loader'} where it was expected")
        self._loader = loaders[0]
        self._libraries = f"{shim_library()}:{self._loader.parent}"
        self.version = self.run("picotool", "version").stdout.split()[1].removeprefix("v")

    def command(self, name: str, *arguments: str | os.PathLike[str]) -> list[str]:
        """The command line that runs one of NAMES, for whoever starts it himself."""
        loader = [str(self._loader), "--argv0", name, "--library-path", self._libraries]
        return [*loader, str(self._root / "usr" / "bin" / name), *(os.fspath(each) for each in arguments)]

    def run(
        self, name: str, *arguments: str | os.PathLike[str], code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run one of NAMES on a file; fails with what it said unless it ends with `code` (None: any)."""
        environment = {key: value for key, value in os.environ.items() if key != "UPYTOOL_USB_SHIM"}
        done = subprocess.run(
            self.command(name, *arguments), env={**environment, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        if code is not None and done.returncode != code:
            said = (done.stdout + done.stderr).strip()
            raise AssertionError(f"{name} {' '.join(map(str, arguments))} ended with {done.returncode}: {said}")
        return done


def picotool_fields(text: str) -> dict[str, list[str]]:
    """What `picotool info` printed, field by field: name -> its lines ("features" has several)."""
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if line.startswith("  "):
            if last is not None:
                last.append(line.strip())
        elif line.startswith(" ") and colon:
            last = found.setdefault(name.strip(), [])
            last.append(value.strip())
        else:
            last = None
    return found


@dataclass
class Traffic:
    """What went over the bus: transfers as the host asks for them (control and bulk, failed ones too), and the bytes
    of data in them, to the device and from it."""

    transfers: int = 0
    bytes_out: int = 0
    bytes_in: int = 0


class CountingBackend:
    """A pyusb back end that counts what passes through it, whoever uses it. Attribute: traffic.

    What a system's libusb does on its own when a device is opened (descriptors) is not counted, for nobody.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.traffic = Traffic()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def ctrl_transfer(
        self, handle: Any, kind: int, request: int, value: int, index: int, data: Any, timeout: int
    ) -> int:
        self.traffic.transfers += 1
        count = int(self._backend.ctrl_transfer(handle, kind, request, value, index, data, timeout))
        self._count(kind, count)
        return count

    def bulk_write(self, handle: Any, endpoint: int, interface: int, data: Any, timeout: int) -> int:
        self.traffic.transfers += 1
        count = int(self._backend.bulk_write(handle, endpoint, interface, data, timeout))
        self._count(endpoint, count)
        return count

    def bulk_read(self, handle: Any, endpoint: int, interface: int, data: Any, timeout: int) -> int:
        self.traffic.transfers += 1
        count = int(self._backend.bulk_read(handle, endpoint, interface, data, timeout))
        self._count(endpoint, count)
        return count

    def clear_halt(self, handle: Any, endpoint: int) -> Any:
        self.traffic.transfers += 1
        return self._backend.clear_halt(handle, endpoint)

    def set_configuration(self, handle: Any, value: int) -> Any:
        self.traffic.transfers += 1
        return self._backend.set_configuration(handle, value)

    def set_interface_altsetting(self, handle: Any, interface: int, alternate: int) -> Any:
        self.traffic.transfers += 1
        return self._backend.set_interface_altsetting(handle, interface, alternate)

    def reset_device(self, handle: Any) -> Any:
        self.traffic.transfers += 1
        return self._backend.reset_device(handle)

    def _count(self, direction: int, count: int) -> None:
        if direction & 0x80:
            self.traffic.bytes_in += count
        else:
            self.traffic.bytes_out += count


def prepare() -> Path:
    """Fetch and build what the tests need of this; returns the folder of the programs."""
    shim_library()
    return programs()
