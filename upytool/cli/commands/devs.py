"""`upytool devs`, also called `devices` and `ports`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..app import App, pass_app
from ..group import define
from ..ui.style import Style
from ..ui.text import plural, rows

if TYPE_CHECKING:
    from ...api.boards import Boards, SerialPort


@define(
    "devs",
    examples=[
        ("upytool devs", "the boards that are connected"),
        ("upytool devices --probe", "ask each of them what it is"),
        ("upytool devices --air", "also those on the network, by mDNS"),
        ("upytool devices --all --json", "every serial port, for a program"),
    ],
)
@click.option("--all", "-a", "every", is_flag=True, help="List ports that are not boards too.")
@click.option("--probe", "-p", is_flag=True, help="Connect to each board and show what it runs.")
@click.option("--air", is_flag=True, help="Search the network too, for three seconds.")
@pass_app
def command(app: App, every: bool, probe: bool, air: bool) -> None:
    """List the boards that are connected, and how to name each of them.

    No port is opened for it, except with --probe those of boards. When `devs` does not write to a terminal,
    it prints every serial port as mpremote does; `devices` prints the table, separated by tabs.

    With --air, hosts of the network that announce WebREPL or have one of MicroPython's names are listed as well. A
    board that was given another name is found if one of your aliases has that name: ws://NAME.local.
    """
    from ...api import boards

    name = click.get_current_context().info_name
    if name == "devs" and not (app.style.tty or every or probe or air or app.settings.json):
        app.emit(None, mpremote_lines(boards.serial_ports()))
        return
    settings = app.settings
    found = boards.find(
        every=every, air=air, probe=probe, aliases=settings.devices, baud=settings.baud, reporter=app.reporter
    )
    app.emit(found.data(), lambda style: _table(style, found))
    if air and not found.air:
        app.note("No board was found on the network; one that runs can be named by its address: -d ws://ADDRESS")
    if not (found.ports or found.simulated or found.bootloaders or air):
        app.note("No board is connected; without hardware: `upytool sim start`")
    elif found.hidden and app.style.tty:
        others = plural(found.hidden, "other serial port is not a board", "other serial ports are not boards")
        app.note(f"{others}; --all shows {'it' if found.hidden == 1 else 'them'}")


def mpremote_lines(ports: list[SerialPort]) -> list[str]:
    """The lines of `mpremote connect list`: port, serial number, USB id, maker, product."""
    return [
        f"{port.path} {port.serial_number} {port.usb_id or '0000:0000'} {port.manufacturer} {port.product}"
        for port in ports
    ]


def _table(style: Style, found: Boards) -> list[str]:
    body = [[each.place, each.alias or each.selector, each.kind, each.what, each.usb_id] for each in found]
    return rows(style, ["port", "selector", "kind", "what", "usb id"], body)
