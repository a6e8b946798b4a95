"""Unmodified picotool and dfu-util against a pyusb back end of the tests (an emulated chip, a model).

The programs are Debian's (trixie), unpacked from their packages and run with trixie's own libc beside them, so
the machine's release does not matter and nothing is installed. Where they expect libusb they find usb_shim.c,
which sends every call over a local socket to a `UsbShim`, and that counts what goes by.

    with UsbShim(board.backend()) as shim:
        done = shim.run(["picotool", "info", "-a"])
    print(done.stdout, shim.stats.transfers)
"""

from __future__ import annotations

import contextlib
import errno
import inspect
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from array import array
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.rigs.base import RigBroken, RigUnavailable, apt_install, cached_build, recipe_key, run_step
from tests.rigs.debian_source import Archive, Pin

SOURCE = Path(__file__).with_suffix(".c")
PROGRAMS = (Pin("picotool", "deb", "picotool", "2.1.1+dfsg"), Pin("dfu-util", "deb", "dfu-util", "0.11"))
LIBRARIES = (
    Pin("libc6", "deb", "libc6", "2.41"),
    Pin("libstdc++6", "deb", "libstdc++6", "14.2.0"),
    Pin("libgcc-s1", "deb", "libgcc-s1", "14.2.0"),
)
LIST, OPEN, CLOSE, CONTROL, BULK, CLAIM, RELEASE, ALTERNATE, CLEAR_HALT, RESET = range(1, 11)
SET_CONFIGURATION, GET_CONFIGURATION, DRIVER_ACTIVE, DETACH_DRIVER = range(11, 15)
HEAD = struct.Struct("<B6I")
IO, INVALID, NO_DEVICE, NOT_SUPPORTED, OTHER = -1, -2, -4, -12, -99
BY_ERRNO = {
    errno.EPIPE: -9,
    errno.ETIMEDOUT: -7,
    errno.ENODEV: NO_DEVICE,
    errno.EBUSY: -6,
    errno.EACCES: -3,
    errno.ENOENT: -5,
    errno.EOVERFLOW: -8,
    errno.EINVAL: INVALID,
}


def shim_library() -> Path:
    """The folder with our libusb-1.0.so.0, built with this machine's gcc."""
    apt_install("gcc", "libc6-dev")

    def make(directory: Path) -> None:
        library = directory / "libusb-1.0.so.0"
        command = ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-Wl,-soname,libusb-1.0.so.0"]
        run_step([*command, "-o", str(library), str(SOURCE)])

    return cached_build("usbshim", recipe_key(files=[SOURCE]), make)


def programs() -> Path:
    """The folder with `picotool` and `dfu-util`: scripts that run Debian's programs with their own libc."""

    def make(directory: Path) -> None:
        root, archive = directory / "root", Archive()
        for pin in (*PROGRAMS, *LIBRARIES):
            with tempfile.TemporaryDirectory() as scratch:
                archive.fetch(pin, Path(scratch))
                for package in Path(scratch).glob("*.deb"):
                    run_step(["dpkg-deb", "-x", str(package), str(root)])
        if not list(root.glob("usr/lib/*/ld-linux-*.so.*")):
            raise RigBroken("trixie's libc6 has no loader where it was expected")
        # The cache moves the folder to its final name, so a script finds its things from where it lies.
        script = (
            '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nset -- "$(basename "$0")" "$@"\nname=$1\nshift\n'
            'for loader in "$here"/../root/usr/lib/*/ld-linux-*.so.*; do\n'
            'exec "$loader" --argv0 "$name" --library-path "$UPYTOOL_USB_SHIM_LIBRARY:$(dirname "$loader")" \\\n'
            '"$here/../root/usr/bin/$name" "$@"\ndone\n'
        )
        (directory / "bin").mkdir()
        for pin in PROGRAMS:
            wrapper = directory / "bin" / pin.name
            wrapper.write_text(script)
            wrapper.chmod(0o755)

    key = recipe_key(*map(str, (*PROGRAMS, *LIBRARIES)), inspect.getsource(make))
    return cached_build("usbtools", key, make) / "bin"


@dataclass
class ShimStats:
    """What a program did: transfers that it asked for (control and bulk), payload bytes, and resets."""

    transfers: int = 0
    control: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    errors: int = 0
    resets: int = 0


class UsbShim:
    """Serves one back end to programs. Attributes: stats; env: the environment that makes them come here."""

    def __init__(self, backend: Any, *, real_programs: bool = True) -> None:
        self.stats = ShimStats()
        self._backend = backend
        self._devices: dict[int, Any] = {}
        self._handles: dict[int, Any] = {}
        self._home = Path(tempfile.mkdtemp(prefix="upytool-shim-"))
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._channels: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        library = str(shim_library())
        path = os.environ.get("PATH", "")
        self.env = {
            **os.environ,
            "UPYTOOL_USB_SHIM": str(self._home / "usb"),
            "UPYTOOL_USB_SHIM_LIBRARY": library,
            "PATH": f"{programs()}{os.pathsep}{path}" if real_programs else path,
        }
        if not real_programs:
            self.env["LD_LIBRARY_PATH"] = library
        self._listener.bind(str(self._home / "usb"))
        self._listener.listen()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> UsbShim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, command: list[str], timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a program with this bus, for its output (text)."""
        found = shutil.which(command[0], path=self.env["PATH"])
        if found is None:
            raise RigUnavailable(f"there is no {command[0]}")
        return subprocess.run(
            [found, *command[1:]],
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for channel in self._channels:
            with contextlib.suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)
        for thread in (self._accepting, *self._threads):
            thread.join(10)
        shutil.rmtree(self._home, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            self._channels.append(channel)
            thread = threading.Thread(target=self._serve, args=(channel,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, channel: socket.socket) -> None:
        claimed: set[tuple[int, int]] = set()
        with channel, channel.makefile("rb") as words:
            while True:
                try:
                    head = words.read(HEAD.size)
                    if len(head) < HEAD.size:
                        break
                    *request, length = HEAD.unpack(head)
                    data = words.read(length)
                    status, answer = self._answer(request, data, claimed)
                    channel.sendall(struct.pack("<iI", status, len(answer)) + answer)
                except OSError:
                    break
        for handle, interface in claimed:  # the program ended without a word
            with contextlib.suppress(Exception):
                self._backend.release_interface(self._handles[handle], interface)

    def _answer(self, request: list[int], data: bytes, claimed: set[tuple[int, int]]) -> tuple[int, bytes]:
        operation, subject, a, b, c, timeout = request
        with self._lock:
            try:
                if operation == LIST:
                    return self._list()
                if operation == OPEN:
                    number = len(self._handles) + 1
                    self._handles[number] = self._backend.open_device(self._devices[subject])
                    return number, b""
                return self._on_handle(operation, self._handles[subject], subject, (a, b, c, timeout), data, claimed)
            except KeyError:
                return INVALID, b""
            except NotImplementedError:
                return NOT_SUPPORTED, b""
            except OSError as err:
                self.stats.errors += 1
                code = getattr(err, "backend_error_code", None)
                return code if isinstance(code, int) and code < 0 else BY_ERRNO.get(err.errno or 0, IO), b""

    def _on_handle(
        self,
        operation: int,
        handle: Any,
        number: int,
        words: tuple[int, int, int, int],
        data: bytes,
        claimed: set[tuple[int, int]],
    ) -> tuple[int, bytes]:
        backend, stats = self._backend, self.stats
        a, b, c, timeout = words
        if operation == CONTROL:
            kind, code, length = a >> 24, a >> 16 & 255, a & 0xFFFF
            buffer = array("B", bytes(length) if kind & 0x80 else data)
            stats.transfers += 1
            stats.control += 1
            count = int(backend.ctrl_transfer(handle, kind, code, b, c, buffer, timeout))
            self._count(kind & 0x80, count)
            return count, bytes(buffer[:count]) if kind & 0x80 else b""
        if operation == BULK:
            stats.transfers += 1
            if a & 0x80:
                buffer = array("B", bytes(b))
                count = int(backend.bulk_read(handle, a, 0, buffer, timeout))
            else:
                buffer, count = array("B"), int(backend.bulk_write(handle, a, 0, array("B", data), timeout))
            self._count(a & 0x80, count)
            return count, bytes(buffer[:count])
        if operation == CLAIM:
            backend.claim_interface(handle, a)
            claimed.add((number, a))
        elif operation == RELEASE:
            claimed.discard((number, a))
            backend.release_interface(handle, a)
        elif operation == CLOSE:
            backend.close_device(handle)
        elif operation == ALTERNATE:
            backend.set_interface_altsetting(handle, a, b)
        elif operation == CLEAR_HALT:
            backend.clear_halt(handle, a)
        elif operation == RESET:
            stats.resets += 1
            backend.reset_device(handle)
        elif operation == SET_CONFIGURATION:
            backend.set_configuration(handle, a)
        elif operation == GET_CONFIGURATION:
            return int(backend.get_configuration(handle)), b""
        elif operation == DRIVER_ACTIVE:
            return int(bool(backend.is_kernel_driver_active(handle, a))), b""
        elif operation == DETACH_DRIVER:
            backend.detach_kernel_driver(handle, a)
        else:
            return INVALID, b""
        return 0, b""

    def _count(self, inward: int, count: int) -> None:
        if inward:
            self.stats.bytes_in += count
        else:
            self.stats.bytes_out += count

    def _list(self) -> tuple[int, bytes]:
        answer, count = b"", 0
        for device in self._backend.enumerate_devices():
            number = len(self._devices) + 1
            self._devices[number] = device
            answer += struct.pack("<I", number) + self._describe(device)
            count += 1
        return count, answer

    def _describe(self, device: Any) -> bytes:
        found = self._backend.get_device_descriptor(device)
        ports = tuple(getattr(found, "port_numbers", None) or ())[:7]
        place = [getattr(found, name, None) or 1 for name in ("bus", "address")]
        speed = getattr(found, "speed", None) or 2
        names = (
            *("bLength", "bDescriptorType", "bcdUSB", "bDeviceClass", "bDeviceSubClass", "bDeviceProtocol"),
            *("bMaxPacketSize0", "idVendor", "idProduct", "bcdDevice", "iManufacturer", "iProduct"),
            *("iSerialNumber", "bNumConfigurations"),
        )
        raw = struct.pack("<BBHBBBBHHHBBBB", *(int(getattr(found, name)) for name in names))
        configuration = self._configuration(device)
        head = struct.pack("<BBBB7s", *place, speed, len(ports), bytes(ports))
        return head + raw + struct.pack("<H", len(configuration)) + configuration

    def _configuration(self, device: Any) -> bytes:
        """The configuration descriptor in one piece, from what the back end gives in parts."""
        backend = self._backend
        found = backend.get_configuration_descriptor(device, 0)
        body = _extra(found)
        for interface in range(found.bNumInterfaces):
            for alternate in range(256):
                try:
                    setting = backend.get_interface_descriptor(device, interface, alternate, 0)
                except IndexError:
                    break
                names = ("bInterfaceNumber", "bAlternateSetting", "bNumEndpoints", "bInterfaceClass")
                names += ("bInterfaceSubClass", "bInterfaceProtocol", "iInterface")
                body += bytes((9, 4, *(int(getattr(setting, name)) for name in names))) + _extra(setting)
                for number in range(setting.bNumEndpoints):
                    endpoint = backend.get_endpoint_descriptor(device, number, interface, alternate, 0)
                    where = (endpoint.bEndpointAddress, endpoint.bmAttributes, endpoint.wMaxPacketSize)
                    body += struct.pack("<BBBBHB", 7, 5, *where, endpoint.bInterval) + _extra(endpoint)
        values = (found.bNumInterfaces, found.bConfigurationValue, found.iConfiguration)
        return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), *values, found.bmAttributes, found.bMaxPower) + body


def _extra(descriptor: Any) -> bytes:
    return bytes(getattr(descriptor, "extra_descriptors", None) or ())


def run_with_shim(
    command: list[str], backend: Any, *, timeout: float = 60.0
) -> tuple[subprocess.CompletedProcess[str], ShimStats]:
    """Run `picotool ...` or `dfu-util ...` against a back end: what it said, and what it did on the bus."""
    with UsbShim(backend) as shim:
        return shim.run(command, timeout), shim.stats
