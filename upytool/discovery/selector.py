"""From what the user typed (or did not type) to one address.

The forms, in the order in which they are tried (docs/reference/selectors.md):

    (nothing), auto              the only board there is
    sim, sim:NAME                a simulated board
    port:PATH                    this port
    id:SERIAL                    the USB device with this serial number
    usb:VID:PID[/SERIAL]         the USB device with this id
    usb:LOCATION                 what is plugged in there (1-2.3)
    exec:COMMAND execpty:COMMAND a program as the board
    anything://...               a URL; ws:// and wss:// are WebREPL
    NAME                         an alias of the configuration
    a0 u1 c3                     /dev/ttyACM0 /dev/ttyUSB1 COM3
    PATH, COM3                   this port

Law: only `auto` decides by itself, and it never opens what is foreign, nor writes to what it does not know.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ..errors import AmbiguousDeviceError, NoDeviceError, TransportError, UsageError
from ..events import NULL, Reporter, notice
from ..transport.serial import Lines
from ..words import Said
from .advice import missing, no_device
from .lines import lines_for
from .listen import OpenPort, listen
from .ports import PortLister, SerialPort, devices, find_path, list_ports
from .remembered import Remembered

SimResolver = Callable[[str], str]

_SHORTCUT = re.compile(r"([auc])(\d{1,3})")
_USB_ID = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?:/(.+))?")
_LOCATION = re.compile(r"\d+-[\d.]+(:\w+\.\w+)?")
# An IP address, a name with a domain, or either with a port.
_HOST = re.compile(r"(\d{1,3}(\.\d{1,3}){3}|[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}|\[[0-9A-Fa-f:]+\])(:\d+)?")
_SHORT_PATHS = {"a": "/dev/ttyACM", "u": "/dev/ttyUSB", "c": "COM"}


@dataclass(frozen=True, slots=True)
class Target:
    """What to open.

    Attributes:
        address: a port's path or a URL, for transport.registry.open_transport.
        port: what is known of the serial port, None where it is none or is not plugged in.
        lines: DTR and RTS.
        baud: the rate this device was reached with before, None where nothing is remembered.
    """

    address: str
    port: SerialPort | None = None
    lines: Lines | None = None
    baud: int | None = None

    def with_lines(self, lines: Lines) -> Target:
        """The same with the user's DTR and RTS."""
        return replace(self, lines=lines)


@dataclass(frozen=True)
class Finder:
    """What `resolve` looks at; a test gives it other ports.

    Attributes:
        aliases: name -> selector.
        simulators: `sim:NAME` -> address; None where there are none.
        running: selectors of the simulated boards that run, for advice.
        remembered: the devices that answered before.
        ports: lists the serial ports.
        open_port: opens one to listen.
        reporter: is told which board was chosen (with -v).
        heard: what listening to a port said; no port is opened twice for it.
    """

    aliases: Mapping[str, str]
    simulators: SimResolver | None = None
    running: Callable[[], list[str]] | None = None
    remembered: Remembered | None = None
    ports: PortLister = list_ports
    open_port: OpenPort | None = None
    reporter: Reporter = NULL
    heard: dict[SerialPort, str] = field(default_factory=dict)


def resolve(
    selector: str | None,
    *,
    aliases: Mapping[str, str] | None = None,
    simulators: SimResolver | None = None,
    running: Callable[[], list[str]] | None = None,
    remembered: Remembered | None = None,
    ports: PortLister = list_ports,
    open_port: OpenPort | None = None,
    wait: float = 0.0,
    reporter: Reporter = NULL,
) -> Target:
    """The one board that `selector` names.

    Args:
        wait: seconds to wait for it to be plugged in; 0 answers at once.
        (the others: see Finder)

    Errors: NoDeviceError, AmbiguousDeviceError (its `choices` are selectors), UsageError for a selector
    that is none; with `auto` also the TransportError of the only candidate.
    """
    finder = Finder(aliases or {}, simulators, running, remembered, ports, open_port, reporter)
    if wait > 0:
        from .waiting import wait_for

        return wait_for(finder, selector, wait)
    return find(finder, selector)


def find(finder: Finder, selector: str | None) -> Target:
    """`resolve` without waiting."""
    text = (selector or "auto").strip()
    for _ in range(8):  # an alias may name an alias
        if text in ("", "auto"):
            return _auto(finder)
        named = _by_form(finder, text)
        if named is not None:
            return named
        if text not in finder.aliases:
            return _by_path(finder, text)
        text = finder.aliases[text].strip()
    raise UsageError("usage.alias-circle", alias=selector)


def _by_form(finder: Finder, text: str) -> Target | None:
    """The forms that no alias can hide."""
    head, colon, rest = text.partition(":")
    if text == "sim" or (colon and head == "sim"):
        if finder.simulators is None:
            raise NoDeviceError("device.none.no-simulators")
        return Target(finder.simulators(text))
    if "://" in text or (colon and head in ("exec", "execpty")):
        return Target(text)
    if colon and head == "port":
        return _port(finder, rest)
    if colon and head == "id":
        if not rest:
            raise UsageError("usage.selector-id")
        return _one(finder, text, [port for port in finder.ports() if port.serial_number == rest])
    if colon and head == "usb":
        return _by_usb(finder, text, rest)
    return None


def _by_usb(finder: Finder, text: str, rest: str) -> Target:
    usb_id = _USB_ID.fullmatch(rest)
    if usb_id:
        vid, pid, serial = int(usb_id[1], 16), int(usb_id[2], 16), usb_id[3]
        fitting = [port for port in finder.ports() if (port.vid, port.pid) == (vid, pid)]
        fitting = [port for port in fitting if serial in (None, port.serial_number)]
    elif _LOCATION.fullmatch(rest):
        fitting = [port for port in finder.ports() if rest in (port.location, port.hub_port)]
    else:
        raise UsageError("usage.selector-usb", selector=text)
    return _one(finder, text, fitting)


def _by_path(finder: Finder, text: str) -> Target:
    shortcut = _SHORTCUT.fullmatch(text)
    if shortcut:
        return _port(finder, _SHORT_PATHS[shortcut[1]] + shortcut[2])
    if os.sep in text or "/" in text or re.fullmatch(r"COM\d+", text, re.I):
        return _port(finder, text)
    ports = finder.ports()
    known = [port.path.rpartition("/")[2] for port in ports]
    if text in known:  # ttyACM0 for /dev/ttyACM0
        return _target(finder, ports[known.index(text)])
    name = text.rpartition("@")[2]  # what stands before it may be a password
    raise missing(NoDeviceError("device.none.unknown", name=name, hint=_similar(finder, text, known)))


def _similar(finder: Finder, text: str, known: list[str]) -> Said:
    from difflib import get_close_matches

    if _HOST.fullmatch(text):
        return Said("discovery.network-board", host=text)
    near = get_close_matches(text, [*finder.aliases, *known, "auto", "sim"], n=3)
    return Said("discovery.similar", names=near) if near else Said("discovery.see-selectors")


def _port(finder: Finder, path: str) -> Target:
    """A port by name, whether it is there or not: opening it tells best what is wrong."""
    if not path:
        raise UsageError("usage.selector-port")
    if re.match(r"exec(pty)?:|\w+://", path):
        raise UsageError("usage.selector-not-port", address=path)
    port = find_path(path, finder.ports())
    return _target(finder, port) if port is not None else Target(path)


def _target(finder: Finder, port: SerialPort) -> Target:
    entry = finder.remembered.get(port) if finder.remembered else None
    return Target(port.path, port, lines_for(port), entry.baud if entry else None)


def _one(finder: Finder, text: str, fitting: list[SerialPort]) -> Target:
    """Of the ports that fit, the only device."""
    boards = devices(fitting)
    if not boards:
        raise missing(NoDeviceError("device.none.no-match", selector=text))
    if len(boards) > 1:
        names, hint = _options(boards)
        raise AmbiguousDeviceError(
            "device.ambiguous.selector", count=len(boards), selector=text, choices=names, hint=hint
        )
    return _target(finder, boards[0])


def _options(boards: list[SerialPort]) -> tuple[tuple[str, ...], Said]:
    """What to type for each of `boards`: the selectors, and the hint that lists them."""
    names = unique_selectors(boards)
    width = max(len(name) for name in names)
    rows = [f"  -d {name:<{width}}  {port.path}  {port.what}" for name, port in zip(names, boards)]
    return tuple(names), Said("discovery.choose-one", rows="\n".join(rows))


def unique_selectors(boards: list[SerialPort]) -> list[str]:
    """For each board a selector that names it alone: two may share a serial number, or have none."""
    names = [port.selector for port in boards]
    return [name if names.count(name) == 1 else f"port:{port.path}" for name, port in zip(names, boards)]


# -- auto ---------------------------------------------------------------------------------------


def _auto(finder: Finder) -> Target:
    ports = finder.ports()
    sure = devices([port for port in ports if port.kind == "micropython"])
    if len(sure) > 1:
        names, hint = _options(sure)
        raise AmbiguousDeviceError("device.ambiguous.boards", count=len(sure), choices=names, hint=hint)
    if sure:
        return _chosen(finder, sure[0])
    maybe = devices([port for port in ports if port.kind in ("possible", "bridge")])
    probes = devices([port for port in ports if port.kind == "probe"])
    for group in ([port for port in maybe + probes if _answered_before(finder, port)], maybe, probes):
        if not group:
            continue
        fit, failure = _not_foreign(finder, group)
        if len(fit) > 1:
            names, hint = _options(fit)
            raise AmbiguousDeviceError("device.ambiguous.maybe", count=len(fit), choices=names, hint=hint)
        if fit:
            return _chosen(finder, fit[0])
        if failure is not None and len(group) == 1:
            raise failure
    raise no_device(ports, finder.running() if finder.running else [])


def _answered_before(finder: Finder, port: SerialPort) -> bool:
    return finder.remembered is not None and finder.remembered.get(port) is not None


def _not_foreign(finder: Finder, group: list[SerialPort]) -> tuple[list[SerialPort], TransportError | None]:
    """Those of `group` that are no modem, GPS or the like by what they say; why one did not open."""
    fit: list[SerialPort] = []
    failure: TransportError | None = None
    for port in group:
        if _answered_before(finder, port):
            fit.append(port)
            continue
        try:
            verdict = finder.heard.get(port)
            if verdict is None:
                verdict = finder.heard[port] = listen(port, finder.open_port)
        except TransportError as error:
            failure = error
            notice(finder.reporter, f"{port.path} is left out: {error}", "detail")
            continue
        if verdict == "":
            fit.append(port)
        else:
            notice(finder.reporter, f"{port.path} is left out: {verdict}", "detail")
    return fit, failure


def _chosen(finder: Finder, port: SerialPort) -> Target:
    notice(finder.reporter, f"using {port.path} ({port.what})", "debug")
    return _target(finder, port)


def is_present(target: Target) -> bool:
    """Whether what `target` names can be opened as far as names tell (a URL always can)."""
    if target.port is not None or "://" in target.address or sys.platform == "win32":
        return True
    head = target.address.partition(":")[0]
    return head in ("exec", "execpty") or os.path.exists(target.address)
