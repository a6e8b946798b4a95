"""Every board that could be flashed now, in whatever state it is.

Running boards by their serial ports, boards in a bootloader by USB class (DFU's fe/01, PICOBOOT's vendor interface)
and id, UF2 drives, and ports that say nothing, behind which an ESP without firmware may wait. Looking
claims nothing and writes nothing; `identify` then asks the one board that was chosen.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..discovery.listen import listen
from ..discovery.ports import PortLister, SerialPort, devices, find_path, list_ports
from ..errors import (
    AmbiguousDeviceError,
    ConnectionLostError,
    FlashError,
    NoDeviceError,
    OperationInterrupted,
    PortBusyError,
    PortPermissionError,
    PortUnusableError,
    ProtocolError,
    TransportError,
    UpytoolError,
    UsageError,
)
from ..events import NULL, Reporter, notice
from ..words import Said
from .base import FileSystem, FlashTarget
from .buttons import all_buttons
from .sight import Sight, same_place, with_device

if TYPE_CHECKING:
    from ..device.device import Device
    from ..device.info import BoardInfo
    from .uf2_volume import Volume
    from .usb import UsbBus

_AIR = ("ws://", "wss://", "ble://")
_URL = re.compile(r"\w+://")
_SHORTCUT = re.compile(r"([auc])(\d{1,3})")
_SHORT_PATHS = {"a": "/dev/ttyACM", "u": "/dev/ttyUSB", "c": "COM"}
_LOCATION = re.compile(r"\d+-[\d.]+(:\w+\.\w+)?")
_USB_ID = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?:/(.+))?")
PATIENCE = 4.0  # seconds for the prompt of a port that may have none
COMES = 3.0  # seconds from a bootloader's first sign until it can be looked at


def no_board_hint() -> list[Said]:
    """What to do where there is no board, a line each."""
    return [Said("flash.hint.plug-in"), *(Said("flash.hint.way", steps=each) for each in all_buttons())]


def list_drives() -> Sequence[Volume]:
    """The UF2 drives that are mounted."""
    from .volumes import find_volumes

    return find_volumes()


def _usb() -> list[UsbBus]:
    from .usb import UsbBus

    return [UsbBus()]


@dataclass(frozen=True)
class Surroundings:
    """What is looked at; the command line adds simulated boards, a test gives its own.

    Attributes:
        aliases: name -> selector.
        ports: lists the serial ports.
        buses: the USB buses.
        volumes: lists the UF2 drives.
        simulators: selectors of simulated boards -> their address, "" while they have no REPL.
        baud: of UARTs.
        connect: opens a running board by its address.
        by_class: also look for bootloaders with unknown ids.
        listen: why what is behind a port is not a board, "" where it may be one; writes nothing.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    ports: PortLister = list_ports
    buses: Callable[[], Sequence[UsbBus]] = _usb
    volumes: Callable[[], Sequence[Volume]] = list_drives
    simulators: Mapping[str, str] = field(default_factory=dict)
    baud: int = 115200
    connect: Callable[[str, int], Device] | None = None
    by_class: bool = True
    listen: Callable[[SerialPort], str] = listen

    def sight(self) -> Sight:
        """The same, for what waits for bootloaders."""
        return Sight(self.buses(), self.volumes, self.ports, by_class=self.by_class)

    def open(self, address: str) -> Device:
        if self.connect is not None:
            return self.connect(address, self.baud)
        from ..device.connect import connect

        return connect(address, baud=self.baud)


# -- what there is --------------------------------------------------------------------------------


def find_targets(around: Surroundings, *, reporter: Reporter = NULL) -> list[FlashTarget]:
    """Every board there is, without asking one: bootloaders first, then running boards, then silent ports."""
    waiting = in_bootloader(around, reporter=reporter)
    taken = {target.location for target in waiting if target.location}
    ports = [port for port in devices(around.ports()) if port.hub_port not in taken or not port.hub_port]
    # a simulated board that waits in its bootloader has no REPL behind its address
    buses = {bus.name: bus for bus in around.buses() if bus.name}
    simulated = [
        FlashTarget("running", selector, selector, address, bus=buses.get(selector))
        for selector, address in around.simulators.items()
        if selector not in taken and address
    ]
    return waiting + simulated + [of_port(port) for port in ports if port.kind in ("micropython", "possible", "bridge")]


def in_bootloader(around: Surroundings, *, reporter: Reporter = NULL) -> list[FlashTarget]:
    """The boards that wait in a bootloader: USB devices, also those with ids of their makers', and UF2 drives."""
    sight = around.sight()
    found = [_with_address(each, around) for each in sight.loaders()]
    if sight.unlisted:
        notice(reporter, f"USB devices are left out: {sight.unlisted}", "detail")
    return found


def _with_address(target: FlashTarget, around: Surroundings) -> FlashTarget:
    """A simulated board has its REPL at the same address whatever it does."""
    address = around.simulators.get(target.location, "")
    return replace(target, address=address) if address and not target.address else target


def of_port(port: SerialPort) -> FlashTarget:
    """A serial port that was not asked yet; what its kind is not sure of is "unknown"."""
    sure = port.kind == "micropython"
    return FlashTarget("running" if sure else "unknown", port.selector, port.hub_port, port.path, port)


# -- which one ------------------------------------------------------------------------------------


def over_the_air(selector: str) -> bool:
    """Whether a selector names a board that is reached without a cable."""
    return selector.strip().lower().startswith(_AIR)


def choose(selector: str | None, around: Surroundings, *, reporter: Reporter = NULL) -> FlashTarget:
    """The one board that `selector` names (None, "auto": the only one there is); it is not asked anything yet.

    Raises: NoDeviceError with what to do, AmbiguousDeviceError with `choices`, UsageError; FlashError for a board over
        the air: nobody could talk to it once it is in its bootloader.
    """
    text = (selector or "auto").strip()
    for _ in range(8):
        if text not in around.aliases:
            break
        text = around.aliases[text].strip()
    if text in ("", "auto"):
        return _only(find_targets(around, reporter=reporter), around, reporter)
    if text.startswith("sim:") or text == "sim":
        return _simulated(text, around)
    if over_the_air(text):
        raise FlashError("flash.bootloader-needs-cable", address=text)
    if _URL.match(text):
        return FlashTarget("unknown", text, "", text)
    waiting = in_bootloader(around, reporter=reporter)
    if text.startswith("usb:"):
        return _by_usb(text, waiting, around)
    if text.startswith("id:"):
        return _one(text, [
            *(each for each in waiting if each.usb is not None and each.usb.serial_number == text[3:]),
            *(of_port(port) for port in around.ports() if port.serial_number == text[3:]),
        ])  # fmt: skip
    path = text.removeprefix("port:")
    shortcut = _SHORTCUT.fullmatch(path)
    if shortcut:
        path = _SHORT_PATHS[shortcut[1]] + shortcut[2]
    for each in waiting:
        if path == each.address or (each.volume is not None and _same_path(os.fspath(each.volume.path), path)):
            return each
    if os.path.isdir(path):
        raise NoDeviceError("device.none.no-drive", path=path, hint=no_board_hint())
    ports = around.ports()
    port = find_path(path, ports) or next((each for each in ports if each.path.endswith("/" + path)), None)
    if port is not None:
        return of_port(port)
    if "/" in path or os.sep in path or path.upper().startswith("COM"):
        return FlashTarget("unknown", path, "", path)  # opening it tells best what is wrong with it
    raise NoDeviceError("device.none.unknown", name=text, hint=Said("flash.hint.selectors"))


def _same_path(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _simulated(text: str, around: Surroundings) -> FlashTarget:
    sight = around.sight()
    name = text if text in around.simulators or any(bus.name == text for bus in sight.buses) else ""
    if text == "sim":  # the only one that can be flashed
        names = [bus.name for bus in sight.buses if bus.name] or list(around.simulators)
        if len(names) > 1:
            found = [_simulated(each, around) for each in names]
            raise ambiguous(AmbiguousDeviceError("device.ambiguous.simulators", count=len(names)), found)
        name = names[0] if names else ""
    if not name:
        raise NoDeviceError("device.none.simulated", name=text, hint=Said("flash.hint.sim-list"))
    bus = next((each for each in sight.buses if each.name == name), None)
    end = time.monotonic() + COMES
    while bus is not None:
        waiting = next((each for each in sight.loaders() if each.location == name), None)
        if waiting is not None:
            return _with_address(waiting, around)
        if time.monotonic() >= end or not any(each.location == name for each in sight.volumes()):
            break
        time.sleep(0.1)  # it says that it is there, and does not let itself be looked at: it comes just now
    return FlashTarget("running", name, name, around.simulators.get(name, ""), bus=bus)


def _by_usb(text: str, waiting: Iterable[FlashTarget], around: Surroundings) -> FlashTarget:
    rest = text[4:]
    usb_id = _USB_ID.fullmatch(rest)
    if usb_id is None and not _LOCATION.fullmatch(rest):
        raise UsageError("usage.usb-selector", text=text)

    def fits(vid: int | None, pid: int | None, serial: str | None, place: str) -> bool:
        if usb_id is None:
            return same_place(place, rest)
        return (vid, pid) == (int(usb_id[1], 16), int(usb_id[2], 16)) and usb_id[3] in (None, serial)

    loaders = [
        each
        for each in waiting
        if (each.usb is not None and fits(each.usb.vid, each.usb.pid, each.usb.serial_number, each.location))
        or (each.usb is None and usb_id is None and each.location == rest)
    ]
    places = {each.location for each in loaders}
    ports = [
        of_port(port)
        for port in devices(around.ports())
        if fits(port.vid, port.pid, port.serial_number, port.hub_port) and port.hub_port not in places
    ]
    return _one(text, loaders + ports)


def _one(text: str, found: Sequence[FlashTarget]) -> FlashTarget:
    if not found:
        raise NoDeviceError("device.none.no-match", selector=text)
    if len(found) > 1:
        raise ambiguous(AmbiguousDeviceError("device.ambiguous.selector", count=len(found), selector=text), found)
    return found[0]


def _only(found: Sequence[FlashTarget], around: Surroundings, reporter: Reporter) -> FlashTarget:
    sure = [each for each in found if each.state != "unknown"]
    if len(sure) > 1:
        raise ambiguous(AmbiguousDeviceError("device.ambiguous.boards", count=len(sure)), sure)
    if sure:
        return sure[0]
    maybe = [each for each in found if not _is_foreign(each, around, reporter)]
    if len(maybe) > 1:
        raise ambiguous(AmbiguousDeviceError("device.ambiguous.maybe", count=len(maybe)), maybe)
    if maybe:
        return maybe[0]
    raise NoDeviceError("device.none.connected", hint=no_board_hint())


def _is_foreign(target: FlashTarget, around: Surroundings, reporter: Reporter) -> bool:
    """Whether a port that nobody named talks like a GPS receiver, a modem, a printer: nothing is written to those."""
    if target.port is None:
        return False
    try:
        reason = around.listen(target.port)
    except TransportError:
        return False  # opening it later tells what is wrong
    if reason:
        notice(reporter, f"{target.address} is left out: {reason}", "detail")
    return bool(reason)


def selectors(found: Sequence[FlashTarget]) -> list[str]:
    """For each target what names it alone."""
    names = [each.selector for each in found]
    unique = []
    for each, name in zip(found, names, strict=True):
        if names.count(name) > 1:
            name = f"usb:{each.location}" if each.location else f"port:{each.address}"
        unique.append(name)
    return unique


def ambiguous(error: AmbiguousDeviceError, found: Sequence[FlashTarget]) -> AmbiguousDeviceError:
    """Add what to type for each board: a hint `flash.hint.choice` that names it, in the order of `choices`."""
    names = selectors(found)
    error.choices = tuple(names)
    error.fields["choices"] = error.choices
    width = max(len(name) for name in names)
    rows = [
        Said("flash.hint.choice", selector=name, width=width, name=each.name)
        for name, each in zip(names, found, strict=True)
    ]
    return error.advise(Said("flash.hint.name-one"), *rows)


# -- what it is -----------------------------------------------------------------------------------


def identify(target: FlashTarget, around: Surroundings, *, reporter: Reporter = NULL) -> FlashTarget:
    """Ask the REPL of a board that may have one: what it is, what runs, where its files are.

    One that does not answer is "unknown" then; a board in its bootloader is returned as it is.

    Raises: PortBusyError, PortPermissionError, PortUnusableError: nothing would get through to it.
    """
    if target.state == "bootloader":
        # RP2's boot ROM has both; with the drive alone nothing could be read back.
        halves = target.mcu_port == "rp2" and target.usb is None and target.location
        return with_device(target, around.sight) if halves else target
    if not target.address:
        return target
    if target.state == "unknown":
        notice(reporter, f"Asking {target.address} what it is")
    try:
        with around.open(target.address) as device:
            if target.state == "unknown":  # what answers at all does so at once; an ESP without firmware never will
                device.session.enter_timeout = PATIENCE
            info = device.info
            return described(target, info, filesystems(device))
    except (PortBusyError, PortPermissionError, PortUnusableError):
        raise
    except OperationInterrupted:  # with the traceback of our own question
        raise OperationInterrupted("interrupted.while-identifying", name=target.selector) from None
    except (ProtocolError, ConnectionLostError) as error:
        if isinstance(error, ConnectionLostError) and not _is_there(target.address, around):
            raise ConnectionLostError("transport.lost.while-identifying", name=target.selector) from error
        notice(reporter, f"{target.address} has no REPL that answers: {error}", "detail")
        return replace(target, state="unknown")


def _is_there(address: str, around: Surroundings) -> bool:
    """Whether a port can still be found; a network's is taken to be there."""
    return "://" in address or os.path.exists(address) or any(port.path == address for port in around.ports())


def filesystems(device: Device) -> tuple[FileSystem, ...]:
    """Where the firmware that runs keeps its files; () where it does not tell."""
    try:
        answer = device.call("fs_flash", again=True)
    except (ConnectionLostError, OperationInterrupted):
        raise
    except UpytoolError:
        return ()
    found = []
    try:
        for start, size, flags in answer:
            if flags & 2 and isinstance(start, int) and isinstance(size, int) and size > 0:
                found.append(FileSystem(start, size, "", "board"))
    except (TypeError, ValueError):
        return ()
    # rp2: ROMFS is not writable and was left out above; the writable one comes first in effect()
    return tuple(found)


def described(target: FlashTarget, info: BoardInfo, systems: tuple[FileSystem, ...]) -> FlashTarget:
    """The target with what its REPL said."""
    board, _, variant = info.build.partition("-")
    return replace(
        target,
        state="running",
        board=board,
        variant=variant,
        version=version_of(info),
        machine=info.machine,
        chip=chip_of(info) or target.chip,
        mcu_port={"pyboard": "stm32"}.get(info.platform, info.platform),
        unique_id=info.unique_id,
        filesystems=systems,
    )


def version_of(info: BoardInfo) -> str:
    """ "1.25.0", "1.27.0-preview.12.gabc": as the firmware was tagged, without the v."""
    found = re.search(r"Python (?:\(.*?\) )?v?(\d\S*) on ", info.firmware)
    return found[1] if found else info.version_text


_STM32 = re.compile(r"stm32([a-z]{1,2}\d|wb|wl|mp\d)")


def chip_of(info: BoardInfo) -> str:
    """The chip's name as in image/chips.py, "" where it does not follow from what the board calls itself."""
    words = info.machine.rpartition(" with ")[2].lower()
    tight = re.sub(r"[^a-z0-9]", "", words)
    for name in ("rp2040", "rp2350"):
        if name in tight:
            return name
    if info.platform == "esp8266":
        return "esp8266"
    if info.platform == "esp32":
        found = re.search(r"esp32(?:p4|s2|s31|s3|c61|c2|c3|c5|c6|h21|h2|h4)?", tight)
        return found[0] if found else "esp32"
    stm = _STM32.search(tight)
    if stm:
        return stm[0][:7]
    found = re.search(r"samd(?:21|51)|nrf52\d+|nrf51|nrf91|mimxrt", tight)
    return found[0] if found else ""
