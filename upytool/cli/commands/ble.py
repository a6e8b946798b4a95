"""`upytool ble`: boards over Bluetooth LE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..app import App, pass_app
from ..group import define_group
from ..ui.style import Style
from ..ui.text import plural, rows

if TYPE_CHECKING:
    from ...api.boards import BleDevice


@define_group("ble", examples=[("upytool ble scan", "then `upytool -d ble://NAME ls`")])
def command() -> None:
    """Find boards over Bluetooth LE.

    A board needs `ble_repl` on it (docs/guides/over-the-air.md); `-d ble://NAME` then works with every command.
    """


@command.command(
    "scan",
    examples=[
        ("upytool ble scan", "the boards that are in range"),
        ("upytool ble scan --all --seconds 15", "every device, listening longer"),
        ("upytool ble scan --json", ""),
    ],
)
@click.option("--all", "-a", "every", is_flag=True, help="List all devices, not only those known to have a REPL.")
@click.option(
    "--seconds", type=click.FloatRange(0.5, 120), default=5.0, metavar="SECONDS", help="Time to listen (default: 5)."
)
@pass_app
def scan(app: App, every: bool, seconds: float) -> None:
    """List the boards that can be reached over Bluetooth LE, the strongest signal first.

    Nothing is connected to. A board is listed when it has the Nordic UART service or a name that begins with `mpy-`.
    """
    from ...api import boards

    found, hidden = boards.over_ble(seconds, every=every, reporter=app.reporter)
    app.emit([device.data() for device in found], lambda style: _table(style, found))
    if not found:
        app.note("No board was found; its program has to start `ble_repl`, and one that is connected is not listed")
    if hidden:
        others = plural(hidden, "other device was heard", "other devices were heard")
        app.note(f"{others}; --all lists {'it' if hidden == 1 else 'them'}")


def _table(style: Style, devices: list[BleDevice]) -> list[str]:
    body = [
        [
            device.selector,
            device.address,
            "" if device.rssi is None else f"{device.rssi} dBm",
            "UART" if device.uart else "",
        ]
        for device in devices
    ]
    return rows(style, ["selector", "address", "signal", "service"], body) if body else []
