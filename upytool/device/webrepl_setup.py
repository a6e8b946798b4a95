"""Setting up WebREPL on a board that is connected by another way: look, plan, apply, prove.

A plan is a list of whole files (law 4 of the house); `apply` writes each under another name and renames it. The order
of writing leaves no board that starts a WebREPL without a password, wherever it is cut.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config.secrets import check_password
from ..errors import RemoteError, RemoteOSError, TransportError, UsageError
from ..events import NULL, Reporter, notice
from ..protocol.raw_repl import ReplState
from ..secret import Secret
from ..transport.registry import open_transport
from ..transport.webrepl_address import WebreplAddress
from ..words import Said
from .answers import sensible
from .webrepl_boot import read_boot, value_of, with_start, with_value, without_start

if TYPE_CHECKING:
    from .device import Device
    from .info import BoardInfo

BOOT, CONFIG = "boot.py", "webrepl_cfg.py"
ENOENT = 2
# After boot.py, which waits five seconds itself, a board may still be joining its Wi-Fi or asking for an address.
JOIN_SECONDS = 15.0
_STATUS = {
    "STAT_WRONG_PASSWORD": "device.wifi-password",
    "STAT_NO_AP_FOUND": "device.wifi-not-found",
    "STAT_CONNECT_FAIL": "device.wifi-refused",
    "STAT_ASSOC_FAIL": "device.wifi-refused",
    "STAT_HANDSHAKE_TIMEOUT": "device.wifi-timeout",
}


class Wifi(NamedTuple):
    """A network to join; no password for an open one."""

    ssid: str
    password: Secret | None

    def literal(self) -> tuple[str, ...]:
        """What WLAN.connect() is called with."""
        return (self.ssid,) if self.password is None else (self.ssid, self.password.reveal())


@dataclass(frozen=True, slots=True)
class WebreplState:
    """What a board has.

    Attributes:
        home: the directory that boot.py is in, "" for the root.
        network, server, module: it has `network`, `_webrepl` (in C) and `webrepl` (in Python).
        running: a WebREPL was started and not stopped.
        addresses: where it can be reached, IP addresses.
        hostname: its name on the network, "" where it tells none.
        joined: whether it is in a Wi-Fi; None where it has none.
        wifi_status: the name of the firmware's STAT_ constant, "" for none.
        boot, config: boot.py and webrepl_cfg.py, None where there is none.
    """

    home: str
    network: bool
    server: bool
    module: bool
    running: bool
    addresses: tuple[str, ...]
    hostname: str
    joined: bool | None
    wifi_status: str
    boot: bytes | None = field(repr=False)
    config: bytes | None = field(repr=False)

    @property
    def password(self) -> Secret | None:
        """The password in webrepl_cfg.py, where it is one that WebREPL takes."""
        kept = value_of(self.config or b"", "PASS")
        try:
            return check_password(kept, CONFIG) if isinstance(kept, str) else None
        except UsageError:
            return None

    @property
    def ssid(self) -> str:
        """The Wi-Fi that our block in boot.py joins, "" for none."""
        kept = value_of(self.config or b"", "WIFI")
        known = isinstance(kept, tuple) and kept and read_boot(self.boot or b"").wifi
        return str(kept[0]) if known and isinstance(kept, tuple) else ""

    def selectors(self) -> list[str]:
        """The addresses as selectors of upytool."""
        return [self._selector(address) for address in self.addresses]

    def all_selectors(self) -> list[str]:
        """The same and its name on the network, which computers find by mDNS."""
        return self.selectors() + ([self._selector(f"{self.hostname.lower()}.local")] if self.hostname else [])

    def _selector(self, host: str) -> str:
        return str(WebreplAddress(False, host, read_boot(self.boot or b"").port, "/"))

    def data(self) -> dict[str, Any]:
        """As JSON; no password in it."""
        boot = read_boot(self.boot or b"")
        return {
            "network": self.network,
            "installed": self.server and self.module,
            "password_set": self.password is not None,
            "at_boot": boot.starts,
            "port": boot.port,
            "running": self.running,
            "wifi": self.ssid or None,
            "joined": self.joined,
            "hostname": self.hostname or None,
            "addresses": self.selectors(),
        }


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is written as a whole, or removed.

    Attributes:
        path: absolute, on the board.
        content: None removes it.
        what: what changes in it, for a person.
    """

    path: str
    content: bytes | None = field(repr=False)
    what: str

    def data(self) -> dict[str, Any]:
        """As JSON, without the content."""
        return {"path": self.path, "action": "remove" if self.content is None else "write", "what": self.what}


# -- looking --------------------------------------------------------------------------------------


def look(device: Device) -> WebreplState:
    """Ask a board. Errors: those of Device.call; StreamError for an answer that makes no sense."""
    answer = device.call("webrepl_state", again=True)
    with sensible():
        found: Mapping[str, Any] = dict(answer)
        home = str(found["home"])
        if home not in ("", "/flash", "/sd", "/sdcard"):
            raise ValueError(home)
        joined = found.get("joined")
        return WebreplState(
            home=home,
            network=bool(found["network"]),
            server=bool(found["_webrepl"]),
            module=bool(found["webrepl"]),
            running=bool(found["running"]),
            addresses=tuple(dict.fromkeys(text for each in found["addresses"] if (text := _ip(each)))),
            hostname=_hostname(found.get("hostname")),
            joined=None if joined is None else bool(joined),
            wifi_status=str(found.get("wifi") or ""),
            boot=_content(device, f"{home}/{BOOT}"),
            config=_content(device, f"{home}/{CONFIG}"),
        )


def require_webrepl(state: WebreplState, *, wifi: bool) -> None:
    """Raise RemoteError where the firmware has no WebREPL to set up, or no Wi-Fi where one is to be joined."""
    if not state.network:
        raise RemoteError("remote.no-webrepl-network")
    if not state.server:
        raise RemoteError("remote.no-webrepl-server")
    if not state.module:
        raise RemoteError("remote.no-webrepl-module")
    if wifi and state.joined is None:
        raise RemoteError("remote.no-wifi")


def _ip(text: object) -> str:
    try:
        found = ip_address(str(text))
    except ValueError:
        return ""
    return "" if found.is_unspecified else str(found)


def _hostname(text: object) -> str:
    return (
        text if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", text) else ""
    )


def _content(device: Device, path: str) -> bytes | None:
    try:
        return device.fs.read_bytes(path)
    except RemoteOSError as error:
        if error.errno == ENOENT:
            return None
        raise


# -- planning -------------------------------------------------------------------------------------


def check_wifi(ssid: str, password: str) -> Wifi:
    """A network that a board can be told to join (IEEE 802.11: a name of 1 to 32 bytes; a passphrase of 8 to 63 ASCII
    characters, or a key of 64 hexadecimal digits; "" for an open network). Raises UsageError."""
    try:
        size = len(ssid.encode())
    except UnicodeEncodeError:
        size = 0
    if not 1 <= size <= 32:
        raise UsageError("usage.wifi-name")
    if not password:
        return Wifi(ssid, None)
    printable = all(" " <= letter <= "~" for letter in password)
    if not printable or not (8 <= len(password) <= 63 or re.fullmatch("[0-9a-fA-F]{64}", password)):
        raise UsageError("usage.wifi-password")
    return Wifi(ssid, Secret(password))


def plan_setup(state: WebreplState, password: Secret | None, wifi: Wifi | None = None) -> list[Change]:
    """What makes the board start WebREPL at boot.

    Args:
        password: the new one; None keeps the board's.
        wifi: a network to join.

    Raises:
        RemoteError: a file cannot be edited safely.
    """
    config, said = state.config or b"", []
    if password is not None:
        config = with_value(config, "PASS", password.reveal())
        said.append("the WebREPL password")
    if wifi is not None:
        config = with_value(config, "WIFI", wifi.literal())
        said.append(f"the Wi-Fi {wifi.ssid!r} and its password")
    before = state.boot or b""
    boot = with_start(before, wifi=wifi is not None)
    steps = ["join the Wi-Fi"] if read_boot(boot).wifi and not read_boot(before).wifi else []
    steps += ["start WebREPL"] if not read_boot(before).starts else []
    return [
        *_change(state, CONFIG, state.config, config, "set " + " and ".join(said)),
        *_change(state, BOOT, state.boot, boot, " and ".join(steps) + " at boot"),
    ]


def plan_password(state: WebreplState, password: Secret) -> list[Change]:
    """What changes the password. Raises RemoteError."""
    config = with_value(state.config or b"", "PASS", password.reveal())
    return _change(state, CONFIG, state.config, config, "set the WebREPL password")


def plan_disable(state: WebreplState, *, passwords: bool = False) -> list[Change]:
    """What makes the board start no WebREPL, and join no Wi-Fi by our block.

    Args:
        passwords: webrepl_cfg.py goes as well.

    Raises:
        RemoteError: boot.py cannot be edited safely.
    """
    boot = without_start(state.boot or b"")
    # A file of nothing was made by us.
    after = boot if boot.strip() else None
    changes = [] if boot == (state.boot or b"") else _change(state, BOOT, state.boot, after, "no WebREPL at boot")
    if passwords and state.config is not None:
        changes.append(Change(f"{state.home}/{CONFIG}", None, "with the passwords in it"))
    return changes


def _change(state: WebreplState, name: str, before: bytes | None, after: bytes | None, what: str) -> list[Change]:
    same = before == after or (before is None and not after)
    return [] if same else [Change(f"{state.home}/{name}", after, what)]


# -- doing ----------------------------------------------------------------------------------------


def apply(device: Device, changes: Sequence[Change]) -> None:
    """Write and remove files, each as a whole, in their order."""
    for change in changes:
        if change.content is None:
            device.fs.remove(change.path)
        else:
            device.fs.write_bytes(change.path, change.content)


def restart(device: Device, *, reporter: Reporter = NULL) -> tuple[WebreplState, str]:
    """Soft-reset the board so that its boot.py runs, and wait until it is in its Wi-Fi, where boot.py joins one.

    Returns what the board has then, and the last line that it printed on the way, an error of boot.py for instance.

    Errors: those of Session.soft_reset and `look`; RemoteError where the board did not join.
    """
    printed = bytearray()
    sink, device.session.print = device.session.print, printed.extend
    try:
        device.drive(device.session.soft_reset(show_boot=True))
    finally:
        device.session.print = sink
    said = next((line for line in reversed(printed.decode("utf-8", "replace").splitlines()) if line.strip()), "")
    state = look(device)
    if state.joined or state.joined is None or not read_boot(state.boot or b"").wifi:
        return state, said
    notice(reporter, f"waiting for the board to join its Wi-Fi (up to {JOIN_SECONDS:.0f} s, Ctrl-C stops)", "wait")
    deadline = time.monotonic() + JOIN_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.5)
        state = look(device)
        if state.joined:
            return state, said
    raise RemoteError(
        "remote.wifi-not-joined",
        ssid=state.ssid,
        seconds=JOIN_SECONDS,
        hint=(Said(_STATUS.get(state.wifi_status, "device.wifi-check")), Said("device.files-written")),
    )


def change_running(device: Device, password: Secret | None) -> None:
    """Give the WebREPL that runs now another password; None stops it."""
    device.call("webrepl_do", None if password is None else password.reveal())


def prove(
    device: Device,
    selectors: Sequence[str],
    password: Callable[[str], Secret],
    *,
    reporter: Reporter = NULL,
) -> tuple[str, BoardInfo]:
    """Log in over the air and ask the board what it is, at the first address that can be reached.

    Args:
        device: the same board by its cable. Both see one REPL, so it is left alone meanwhile.
        selectors: the addresses, one at least.
        password: gives the password for an address.

    Errors: TransportError, of the first address where none can be reached; ProtocolError.
    """
    from .device import Device as Connected

    device.drive(device.session.leave())
    failure: TransportError | None = None
    try:
        for selector in selectors:
            try:
                link = open_transport(selector, password=password, tell=lambda text: notice(reporter, text, "wait"))
            except TransportError as error:
                failure = failure or error
                continue
            with Connected(link, reporter=reporter) as board:
                return selector, board.info
    finally:
        # What the other session said came here as well.
        device.session.repl.state = ReplState.UNKNOWN
    assert failure is not None
    raise failure.advise(Said("device.webrepl-unchecked"))
