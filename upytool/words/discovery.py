"""What the discovery room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "device.ambiguous.boards": ("{count} boards are connected",),
    "device.ambiguous.maybe": ("{count} devices may be boards",),
    "device.ambiguous.selector": ("{count} devices match {selector}",),
    "device.none.connected": ("no board is connected",),
    "device.none.in-bootloader": (
        "no board with a REPL is connected, but one is in its bootloader: {boards}",
        "put firmware on it: `upytool flash`; or reset it to leave the bootloader",
    ),
    "device.none.no-match": ("no connected device matches {selector}", "see `upytool devs`"),
    "device.none.no-simulators": ("there are no simulated boards here", "name a port or a URL instead"),
    "device.none.unknown": ("unknown board {name!r}",),
    "device.none.unknown-ports": ("no board found among the serial ports",),
    "transport.missing.not-appeared": (
        "{address} did not appear within {seconds:g} s",
        "see what is plugged in: `upytool devs`",
    ),
    "transport.network-search": (
        "cannot search the network: {reason}",
        "check that this computer is in a network, or name the board by its address: -d ws://ADDRESS",
    ),
    "usage.alias-circle": ("the alias {alias!r} refers to itself", "see `upytool config list`"),
    "usage.baud": ("invalid baud rate: {baud}", "boards default to 115200"),
    "usage.baud-1200": (
        "1200 baud makes many boards start their bootloader",
        "to get there on purpose: `upytool bootloader`",
    ),
    "usage.selector-id": ("id: needs a serial number", "`upytool devs` shows them"),
    "usage.selector-not-port": ("{address!r} is not a port", "drop the leading `port:`: -d {address!r}"),
    "usage.selector-port": ("port: needs the name of a port", "port:/dev/ttyACM0"),
    "usage.selector-usb": (
        "{selector!r} is not a USB selector",
        "usb:2e8a:0005, usb:2e8a:0005/SERIAL or usb:1-2.3 (a place)",
    ),
}

NOTES: dict[str, str] = {
    "discovery.choose-one": "choose one:\n{rows}",
    "discovery.flash-it": "to flash it, run `upytool flash`",
    "discovery.in-bootloader": "a board is in its bootloader, waiting for firmware: {boards}",
    "discovery.network-board": "for a board on the network, use ws://{host}; `upytool devs --air` finds boards",
    "discovery.plug-in": "plug one in with a USB cable that carries data, and see `upytool devs`",
    "discovery.see-selectors": "see `upytool devs` and `upytool help selectors`",
    "discovery.similar": "did you mean {names}?",
    "discovery.simulate": "without hardware: `upytool sim start`",
    "discovery.simulated-runs": "a simulated board is running: upytool -d {selector} ...",
    "discovery.unknown-ports": "these are not known as boards; if one of them is, name it:\n{rows}",
}
