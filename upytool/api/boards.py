"""Boards: which are there, and what each of them is.

    from upytool.api import boards

    for board in boards.find():
        print(board.selector, board.kind, board.what)

A selector is what `upytool.connect` takes. Nothing is opened to find boards, unless they are asked what they run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UpytoolError, UsageError
from ..events import NULL, Reporter, notice
from . import sims

if TYPE_CHECKING:
    from ..device.device import Device
    from ..device.fs_types import Mount
    from ..device.info import BoardInfo
    from ..discovery.air import AirBoard
    from ..discovery.ports import SerialPort as SerialPort
    from ..discovery.usb_devices import UsbDevice
    from ..transport.ble_scan import BleDevice as BleDevice

__all__ = ["Boards", "Facts", "Found", "facts", "find", "over_ble", "port_data", "serial_ports"]


@dataclass(frozen=True, slots=True)
class Found:
    """One place where a board is, or may be.

    Attributes:
        place: the port's path, the host on the network, or the place on the USB bus.
        selector: what `connect` takes; '' for a bootloader, which has no REPL.
        kind: a serial port's kind (discovery.ports), or `simulated`, `bootloader`, `network`.
        what: what is known of it without asking; the board's own answer where it was asked.
        usb_id: `vid:pid` in hexadecimal digits, '' where it is not a USB device.
        alias: the user's own name for it, '' where there is none.
    """

    place: str
    selector: str
    kind: str
    what: str
    usb_id: str = ""
    alias: str = ""


@dataclass(frozen=True)
class Boards:
    """What `find` found; iterating gives a `Found` for each, serial ports first."""

    found: tuple[Found, ...]
    ports: tuple[dict[str, Any], ...] = ()
    simulated: tuple[dict[str, Any], ...] = ()
    bootloaders: tuple[dict[str, Any], ...] = ()
    air: tuple[dict[str, Any], ...] = ()
    hidden: int = 0

    def __iter__(self) -> Iterator[Found]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "ports": list(self.ports),
            "simulated": list(self.simulated),
            "bootloaders": list(self.bootloaders),
            "air": list(self.air),
        }


def serial_ports() -> list[SerialPort]:
    """Every serial port of this computer; none is opened."""
    from ..discovery.ports import list_ports

    return list_ports()


def find(
    *,
    every: bool = False,
    air: bool = False,
    probe: bool = False,
    aliases: Mapping[str, str] | None = None,
    baud: int = 115200,
    reporter: Reporter = NULL,
) -> Boards:
    """Find the boards that are connected, simulated ones that run, and bootloaders that wait.

    Args:
        every: also serial ports that are surely no boards.
        air: also look on the network, for three seconds: hosts that announce WebREPL or have one of MicroPython's
            names, and those that an alias names.
        probe: connect to each board and ask what it runs.
        aliases: the user's names, alias to selector.
        baud: of UARTs, for `probe`.

    Errors: MissingExtraError where `air` needs the extra `net`.
    """
    from ..discovery.usb_devices import boards_in_bootloader

    names = _Names(aliases or {})
    ports = serial_ports()
    shown = [port for port in ports if every or port.kind != "foreign"]
    taken = {(port.vid, port.pid) for port in ports}
    loaders = [device for device in boards_in_bootloader() if (device.vid, device.pid) not in taken]
    simulated = sims.running(ask=False)
    on_air = _on_air(names, reporter) if air else []
    known = [port.path for port in ports if port.kind == "micropython"] + [info.port for info in simulated]
    known += [board.selector for board in on_air]
    answers = _probe(known, names.given, baud, reporter) if probe else {}

    found = [
        Found(p.path, p.selector, p.kind, answers.get(p.path) or p.what, p.usb_id, names.of_port(p)) for p in shown
    ]
    for info in simulated:
        what = answers.get(info.port) or f"simulated board ({info.kind})"
        found.append(Found(info.port, info.selector, "simulated", what, alias=names.of_sim(info)))
    found += [Found(f"usb {d.location}", "", "bootloader", d.bootloader, _usb_id(d)) for d in loaders]
    for board in on_air:
        place = f"{board.host}.local" if board.host else board.address
        what = f"announces {board.service}" if board.service else "a name of MicroPython's"
        what = answers.get(board.selector) or what
        found.append(Found(place, board.selector, "network", what, alias=names.on_air(board)))
    return Boards(
        tuple(found),
        tuple({**port_data(p), "alias": names.of_port(p) or None, "board": answers.get(p.path)} for p in shown),
        tuple(
            {
                "selector": info.selector,
                "path": info.port,
                "alias": names.of_sim(info) or None,
                "board": answers.get(info.port),
            }
            for info in simulated
        ),
        tuple({"location": d.location, "usb_id": _usb_id(d), "what": d.bootloader} for d in loaders),
        tuple({**b.data(), "alias": names.on_air(b) or None, "board": answers.get(b.selector)} for b in on_air),
        len(ports) - len(shown),
    )


class _Names:
    """The user's own names for boards."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = given
        self.air: dict[tuple[str, int], str] = {}

    def of_port(self, port: SerialPort) -> str:
        names = {port.selector, port.path, f"port:{port.path}", f"usb:{port.usb_id}", f"usb:{port.location}"}
        return self._of(names)

    def of_sim(self, info: sims.Simulated) -> str:
        return self._of({info.port, info.selector})

    def _of(self, names: set[str]) -> str:
        """The name for a board that may be selected by any of `names`."""
        return next((alias for alias, selector in self.given.items() if selector in names), "")

    def hosts(self) -> list[str]:
        """The hosts of boards on the network that have a name."""
        from ..transport.webrepl_address import is_webrepl, parse_address

        for alias, selector in self.given.items():
            with suppress(UsageError):  # what is wrong with it is said where it is used
                if is_webrepl(selector):
                    address = parse_address(selector)
                    self.air.setdefault((address.host, address.port), alias)
        return [host for host, _ in self.air]

    def on_air(self, board: AirBoard) -> str:
        found = self.air.get((board.address, board.port)) or self.air.get((f"{board.host}.local", board.port))
        return found or ""


def over_ble(seconds: float = 5.0, *, every: bool = False, reporter: Reporter = NULL) -> tuple[list[BleDevice], int]:
    """Listen for boards over Bluetooth LE; nothing is connected to.

    Args:
        seconds: how long.
        every: also devices that are not known to have a REPL.
        reporter: receives what is waited for.

    Returns: the devices, the strongest signal first, and how many others were heard.

    Errors: MissingExtraError without the extra `ble`; TransportError for what the adapter or the system lacks.
    """
    from ..transport.ble_scan import scan

    heard = scan(seconds, lambda text: notice(reporter, text, "wait"))
    found = [device for device in heard if every or device.is_board]
    return found, len(heard) - len(found)


def _on_air(names: _Names, reporter: Reporter) -> list[AirBoard]:
    from ..discovery.air import SECONDS, find_boards

    notice(reporter, f"looking for boards on the network ({SECONDS:g} s)", "wait")
    return find_boards(names.hosts())


def _probe(addresses: Iterable[str], aliases: Mapping[str, str], baud: int, reporter: Reporter) -> dict[str, str]:
    """What each board says it is, by address; why not where it does not say."""
    from .connect import connect

    answers = {}
    for path in addresses:
        try:
            with connect(path, baud=baud, reporter=reporter, aliases=aliases) as board:
                info = board.info
            version = info.version_text and "v" + info.version_text
            answers[path] = " ".join(part for part in (info.build or info.machine, version) if part)
        except UpytoolError as error:
            answers[path] = f"({error})"
    return answers


def _usb_id(device: UsbDevice) -> str:
    return f"{device.vid:04x}:{device.pid:04x}"


def port_data(port: SerialPort) -> dict[str, Any]:
    """A serial port as a JSON value."""
    return {
        "path": port.path,
        "selector": port.selector,
        "kind": port.kind,
        "what": port.what,
        "usb_id": port.usb_id or None,
        "serial_number": port.serial_number,
        "manufacturer": port.manufacturer,
        "product": port.product,
        "location": port.location,
        "interface": port.interface,
        "description": port.description,
    }


# -- one board ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Facts:
    """What a board is: its port, what it says of itself, and its file systems."""

    port: str
    info: BoardInfo
    mounts: tuple[Mount, ...]

    @property
    def mpy(self) -> str:
        """Which compiled files it loads, for a person."""
        info = self.info
        if not info.mpy:
            return "none"
        native = f", native code for {info.arch}" if info.arch else ", no native code"
        return f"version {info.mpy_version}.{info.mpy_sub_version}{native}"

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        info = self.info
        return {
            "implementation": info.implementation,
            "version": list(info.version),
            "firmware": info.firmware,
            "machine": info.machine,
            "build": info.build,
            "platform": info.platform,
            "unique_id": info.unique_id,
            "frequency": info.frequency,
            "mem_free": info.mem_free,
            "mem_alloc": info.mem_alloc,
            "mpy": {"version": info.mpy_version, "sub_version": info.mpy_sub_version, "arch": info.arch},
            "small_int_bits": info.small_int_bits,
            "sys_path": list(info.sys_path),
            "modules": sorted(info.modules),
            "port": self.port,
            "mounts": [
                {"path": mount.path, "total": mount.total, "used": mount.used, "free": mount.free}
                for mount in self.mounts
            ],
        }


def facts(board: Device) -> Facts:
    """Ask a board what it is: firmware, chip, memory, file systems, and which .mpy files it loads."""
    return Facts(board.name, board.info, tuple(board.fs.df()))
