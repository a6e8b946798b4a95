"""What the transport room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "device.ambiguous.ble-name": ("{count} devices are called {name!r}",),
    "transport.busy.ble": (
        "{name} is in use by another program",
        "close it there, or remove the board from the paired devices",
    ),
    "transport.busy.held": (
        "{port} is in use by {holder}",
        "close it there (a REPL, an IDE, a serial monitor), then try again",
    ),
    "transport.busy.port": (
        "{port} is in use by another program",
        "close it there (a REPL, an IDE, a serial monitor), then try again",
    ),
    "transport.certificate.verification": (
        "certificate verification failed for {host}: {reason}",
        "use the host name in the certificate; SSL_CERT_FILE adds certificates of your own",
    ),
    "transport.lost.baud": ("{name} cannot run at {baud} baud", "choose another rate"),
    "transport.lost.ble": (
        "connection to {name} lost",
        "the board is out of range or was reset; run the command again",
    ),
    "transport.lost.closed": ("{name} closed the connection", "run the command again"),
    "transport.lost.no-reconnect.ble": (
        "connection to {name} lost; could not reconnect within {seconds:.0f} s",
        "check that the board is on and in range, then retry",
    ),
    "transport.lost.no-reconnect.webrepl": (
        "connection to {name} lost; could not reconnect within {seconds:.0f} s",
        "check that the board is on and in the same network, then retry",
    ),
    "transport.lost.program-closed": ("the program behind {name} ended", "start it again"),
    "transport.lost.program-ended": ("the program behind {name} ended (status {status})", "start it again"),
    "transport.lost.program-stalled": ("{name} stopped reading", "end the program: it hangs"),
    "transport.lost.serial": ("connection to {name} lost", "the board was unplugged or reset; reconnect it and retry"),
    "transport.lost.webrepl": (
        "connection to {name} lost",
        "a reset of the board or a loss of Wi-Fi ends a WebREPL session: retry",
    ),
    "transport.lost.write-timeout": (
        "write to {name} timed out after {seconds:.0f} s",
        "reset the board, then try again",
    ),
    "transport.lost.write-timeout-serial": (
        "write to {name} timed out after {seconds:.0f} s",
        "reset the board, or unplug it and plug it in again",
    ),
    "transport.missing.ble-board": (
        "{name} not found",
        "check that it is on, in range and not connected elsewhere; `upytool ble scan` lists boards",
    ),
    "transport.missing.bluetooth-adapter": ("no Bluetooth adapter found", "plug in one of version 4.0 or newer"),
    "transport.missing.command-line": ("{name} is not a command line: {reason}", "quote it as for a POSIX shell"),
    "transport.missing.host": ("host not found: {host}", "check the spelling"),
    "transport.missing.no-command": ("exec: names no program", "write exec:PROGRAM ARG ..."),
    "transport.missing.nothing-listens": (
        "nothing listens at {url}",
        "check that the server is running, and the port number",
    ),
    "transport.missing.port": ("port not found: {port}", "see what is plugged in: `upytool devs`"),
    "transport.missing.port-name": ("{port!r} is not a port name", "see what is plugged in: `upytool devs`"),
    "transport.missing.program": ("program not found: {program}", "check the path"),
    "transport.missing.scheme": ("unknown transport {scheme!r}", "see `upytool help selectors` for the known ones"),
    "transport.missing.socket-address": (
        "{url!r} is not the address of a serial server",
        "write it as socket://HOST:PORT",
    ),
    "transport.missing.unknown-address": (
        "{url!r} is not an address that upytool knows",
        "see `upytool help selectors`",
    ),
    "transport.missing.webrepl-host": ("host not found: {host}", "check the name; `upytool devs --air` finds boards"),
    "transport.missing.webrepl-refused": (
        "cannot connect to {address}: connection refused",
        "start WebREPL on the board: over USB, run `upytool webrepl setup`",
    ),
    "transport.password.ble": ("access denied: wrong password for {name}",),
    "transport.password.none-given": ("{address} requires a password, and none was given", "pass `password`"),
    "transport.password.pairing": ("pairing with {name} was refused",),
    "transport.permission.bluetooth": ("permission denied: Bluetooth",),
    "transport.permission.port": ("permission denied: {port}",),
    "transport.tls.handshake": (
        "TLS handshake with {host} failed: {cause}",
        "boards have no TLS: use ws://, or the address of the proxy in front of it",
    ),
    "transport.unusable.ble-connect": (
        "cannot connect to {name}: {reason}",
        "move closer, or reset the board, then try again",
    ),
    "transport.unusable.ble-timeout": (
        "timed out connecting to {name}",
        "move closer, or reset the board, then try again",
    ),
    "transport.unusable.bluetooth": ("Bluetooth is not available: {reason}", "try again in a moment"),
    "transport.unusable.bluetooth-off": ("Bluetooth is off",),
    "transport.unusable.bluetooth-service-stopped": (
        "the Bluetooth service is not running",
        "install and start BlueZ: `sudo systemctl start bluetooth`",
    ),
    "transport.unusable.connect": ("cannot connect to {url}: {cause}", "check host, port and network"),
    "transport.unusable.driver": (
        "the driver refuses to open {port}: {reason}",
        "unplug the board and plug it in again; another cable or USB port may help",
    ),
    "transport.unusable.no-ble": (
        "the Bluetooth adapter does not support Bluetooth LE",
        "plug in one of version 4.0 or newer",
    ),
    "transport.unusable.no-dbus": (
        "the Bluetooth service cannot be reached: no D-Bus system bus",
        "start it: `sudo systemctl start dbus bluetooth`; containers and WSL have no Bluetooth of their own",
    ),
    "transport.unusable.no-uart-service": (
        "{name} has no UART service",
        "install ble_repl on the board (docs/guides/over-the-air.md)",
    ),
    "transport.unusable.not-serial": ("{port} is not a serial port", "see what is plugged in: `upytool devs`"),
    "transport.unusable.open": ("cannot open {url}: {cause}", "check host, port and network"),
    "transport.unusable.plugin": ("cannot load the plug-in {plugin} for {scheme}://: {cause}", "update or remove it"),
    "transport.unusable.process-platform": (
        "programs as devices need a POSIX system",
        "use socket://HOST:PORT on Windows",
    ),
    "transport.unusable.program": ("cannot start {program}: {cause}", "check the command"),
    "transport.unusable.webrepl-connect": (
        "cannot connect to {address}: {cause}",
        "check that the board is on and in the same network",
    ),
    "transport.unusable.webrepl-login": (
        "{name} did not answer within {seconds:.0f} s",
        "a program that never pauses keeps WebREPL from answering: reset the board and retry",
    ),
    "transport.unusable.webrepl-timeout": (
        "timed out connecting to {name}",
        "check the name, the network and the board's power",
    ),
    "usage.ble-name": ("{url} has no name", "write ble://NAME; `upytool ble scan` lists what is there"),
    "usage.connection-in-use": (
        "the connection is in use by the operation that is calling back",
        "start another operation after this one has ended",
    ),
    "usage.password-in-address": (
        "the address of {host} was given with a password, which others can see in the list of processes",
        "leave it out: upytool asks for it, or takes it from UPYTOOL_WEBREPL_PASSWORD",
    ),
    "usage.webrepl-address": ("{text!r} is not a valid address", "write it as ws://HOST or ws://HOST:PORT"),
}

NOTES: dict[str, str] = {
    "transport.ask-administrator": "ask the administrator for access to serial ports",
    "transport.bluetooth-allow": "allow it in the system's privacy settings",
    "transport.bluetooth-allow-linux": "join the group that may, then log in again: sudo usermod -aG bluetooth $USER",
    "transport.bluetooth-allow-mac": "allow it for your terminal: System Settings > Privacy & Security > Bluetooth",
    "transport.bluetooth-on": "turn it on in the system's settings",
    "transport.bluetooth-on-linux": (
        "turn it on: `bluetoothctl power on`; `rfkill unblock bluetooth` where it is blocked"
    ),
    "transport.choose-by-address": "choose one by its address:\n{rows}",
    "transport.join-group": "join the group that owns it, then log in again: sudo usermod -aG {group} $USER",
    "transport.log-in-again": "you are in the group {group}, but not since this login: log out and in again",
    "transport.owner-only": "only {owner} may open it: a udev rule has to give serial ports to a group",
    "transport.pair-linux": (
        "pair with it: `bluetoothctl`, then `scan on` and `pair ADDRESS`; where it was paired before, remove "
        "it there first"
    ),
    "transport.pair-settings": (
        "pair with it in the system's Bluetooth settings; where it was paired before, remove it there first"
    ),
    "transport.password-from": "it came from {source}",
    "transport.password-of-ble": "it is PASSWORD in ble_repl_cfg.py on the board",
}
