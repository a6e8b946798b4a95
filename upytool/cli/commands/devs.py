"""`upytool devs`, also called `devices` and `ports`."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from ...errors import UpytoolError, UsageError
from ..app import App, pass_app
from ..group import define
from ..ui.style import Style
from ..ui.text import plural, rows

if TYPE_CHECKING:
    from ...discovery.air import AirBoard
    from ...discovery.ports import SerialPort
    from ...discovery.usb_devices import UsbDevice
    from ...sim.registry import SimInfo


@define(
    "devs",
    examples=[
        ("upytool devs", "the boards that are connected"),
        ("upytool devices --probe", "ask each of them what it is"),
        ("upytool devices --air", "also those on the network, by mDNS"),
        ("upytool devices --all --json", "every serial port, for a program"),
    ],
)
@click.option("--all", "-a", "every", is_flag=True, help="Also the ports that are no boards.")
@click.option("--probe", "-p", is_flag=True, help="Connect to each board and ask what it runs.")
@click.option("--air", is_flag=True, help="Also look for boards on the network, for three seconds.")
@pass_app
def command(app: App, every: bool, probe: bool, air: bool) -> None:
    """List the boards that are connected, and how to name each of them.

    No port is opened for it, except with --probe those of boards. When `devs` does not write to a terminal,
    it prints every serial port as mpremote does; `devices` prints the table, separated by tabs.

    With --air, hosts of the network that announce WebREPL or have one of MicroPython's names are listed as well. A
    board that was given another name is found if one of your aliases has that name: ws://NAME.local.
    """
    from ...discovery.ports import list_ports
    from ...discovery.usb_devices import boards_in_bootloader

    ports = list_ports()
    name = click.get_current_context().info_name
    if name == "devs" and not (app.style.tty or every or probe or air or app.settings.json):
        app.emit(None, mpremote_lines(ports))
        return
    taken = {(port.vid, port.pid) for port in ports}
    loaders = [device for device in boards_in_bootloader() if (device.vid, device.pid) not in taken]
    simulated = _simulated()
    on_air = _on_air(app) if air else []
    known = [port.path for port in ports if port.kind == "micropython"] + [info.port for info in simulated]
    answers = _probe(app, [*known, *(board.selector for board in on_air)]) if probe else {}
    shown = [port for port in ports if every or port.kind not in ("foreign",)]
    data = {
        "ports": [{**port_data(port), "alias": _alias(app, port), "board": answers.get(port.path)} for port in shown],
        "simulated": [
            {
                "selector": f"sim:{info.name}",
                "path": info.port,
                "alias": _alias_of(app, {info.port, f"sim:{info.name}"}),
                "board": answers.get(info.port),
            }
            for info in simulated
        ],
        "bootloaders": [
            {
                "location": device.location,
                "usb_id": f"{device.vid:04x}:{device.pid:04x}",
                "what": device.bootloader,
            }
            for device in loaders
        ],
        "air": [
            {**board.data(), "alias": _alias_on_air(app, board), "board": answers.get(board.selector)}
            for board in on_air
        ],
    }
    app.emit(data, lambda style: _table(app, style, shown, simulated, loaders, on_air, answers))
    if air and not on_air:
        app.note("No board was found on the network; one that runs can be named by its address: -d ws://ADDRESS")
    hidden = len(ports) - len(shown)
    if not (shown or simulated or loaders or air):
        app.note("No board is connected; without hardware: `upytool sim start`")
    elif hidden and app.style.tty:
        others = plural(hidden, "other serial port is not a board", "other serial ports are not boards")
        app.note(f"{others}; --all shows {'it' if hidden == 1 else 'them'}")


def port_data(port: SerialPort) -> dict[str, Any]:
    """A port as JSON."""
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


def mpremote_lines(ports: list[SerialPort]) -> list[str]:
    """The lines of `mpremote connect list`: port, serial number, USB id, maker, product."""
    return [
        f"{port.path} {port.serial_number} {port.usb_id or '0000:0000'} {port.manufacturer} {port.product}"
        for port in ports
    ]


def _simulated() -> list[SimInfo]:
    try:
        from ...sim.registry import list_running
    except ImportError:
        return []
    return list_running()


def _alias(app: App, port: SerialPort) -> str | None:
    names = {port.selector, port.path, f"port:{port.path}", f"usb:{port.usb_id}", f"usb:{port.location}"}
    return _alias_of(app, names)


def _alias_of(app: App, names: set[str]) -> str | None:
    """The user's own name for a board that may be selected by any of `names`."""
    return next((alias for alias, selector in app.settings.devices.items() if selector in names), None)


def _on_air(app: App) -> list[AirBoard]:
    from ...discovery.air import SECONDS, find_boards
    from ...events import notice

    notice(app.reporter, f"looking for boards on the network ({SECONDS:g} s)", "wait")
    return find_boards(host for host, _ in _aliases_on_air(app))


def _aliases_on_air(app: App) -> dict[tuple[str, int], str]:
    """The user's names for boards on the network, by host and port."""
    from ...transport.webrepl_address import is_webrepl, parse_address

    named: dict[tuple[str, int], str] = {}
    for alias, selector in app.settings.devices.items():
        with suppress(UsageError):  # what is wrong with it is said where it is used
            if is_webrepl(selector):
                address = parse_address(selector)
                named.setdefault((address.host, address.port), alias)
    return named


def _alias_on_air(app: App, board: AirBoard) -> str | None:
    named = _aliases_on_air(app)
    return named.get((board.address, board.port)) or named.get((f"{board.host}.local", board.port))


def _probe(app: App, addresses: Iterable[str]) -> dict[str, str]:
    """What each board says it is, by address; why not where it does not say."""
    from ...device.connect import connect

    answers = {}
    for path in addresses:
        try:
            with connect(path, baud=app.settings.baud, reporter=app.reporter, aliases=app.settings.devices) as board:
                info = board.info
            answers[path] = " ".join(
                part for part in (info.build or info.machine, info.version_text and "v" + info.version_text) if part
            )
        except UpytoolError as error:
            answers[path] = f"({error})"
    return answers


def _table(
    app: App,
    style: Style,
    ports: list[SerialPort],
    simulated: list[SimInfo],
    loaders: list[UsbDevice],
    on_air: list[AirBoard],
    answers: dict[str, str],
) -> list[str]:
    body = []
    for port in ports:
        selector = _alias(app, port) or port.selector
        body.append([port.path, selector, port.kind, answers.get(port.path) or port.what, port.usb_id])
    for info in simulated:
        what = answers.get(info.port) or f"simulated board ({info.kind})"
        selector = _alias_of(app, {info.port, f"sim:{info.name}"}) or f"sim:{info.name}"
        body.append([info.port, selector, "simulated", what, ""])
    for device in loaders:
        usb_id = f"{device.vid:04x}:{device.pid:04x}"
        body.append([f"usb {device.location}", "", "bootloader", device.bootloader, usb_id])
    for board in on_air:
        what = answers.get(board.selector) or (
            f"announces {board.service}" if board.service else "a name of MicroPython's"
        )
        host = f"{board.host}.local" if board.host else board.address
        body.append([host, _alias_on_air(app, board) or board.selector, "network", what, ""])
    return rows(style, ["port", "selector", "kind", "what", "usb id"], body) if body else []
