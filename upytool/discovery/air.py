"""Boards on the network, by multicast DNS (RFC 6762) and DNS-SD (RFC 6763).

What firmware announces: MicroPython's esp32 port and those with lwIP answer for their host name alone
(ports/esp32/network_wlan.c; extmod/cyw43_config_common.h, network_wiznet5k.c), esp8266 for nothing. The name is
`network.hostname()`, the firmware's own unless a program changes it (MICROPY_PY_NETWORK_HOSTNAME_DEFAULT); so these are
asked for. A service `_webrepl._tcp` is announced by programs and other firmware; `_http._tcp` counts only beside such a
host name. Nothing is connected to, and no answer proves that a WebREPL runs.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from .. import limits
from ..errors import MissingExtraError, TransportError
from ..transport.webrepl_address import DEFAULT_PORTS, WebreplAddress

if TYPE_CHECKING:
    from zeroconf import Zeroconf

_WEBREPL, _HTTP = "_webrepl._tcp", "_http._tcp"
SECONDS = 3.0
# When the questions are asked; a board that saves power may miss the first.
ASKED_AT = (0.0, 0.7, 1.6)
# MicroPython 1.26, ports/*/mpconfigport.h and boards/*/mpconfigboard.h, and the chips that came later.
HOST_NAMES = tuple(
    """
    mpy-esp32 mpy-esp32s2 mpy-esp32s3 mpy-esp32c2 mpy-esp32c3 mpy-esp32c5 mpy-esp32c6 mpy-esp32h2 mpy-esp32p4
    mpy-nano-esp32 mpy-s2-mini mpy-s2-pico mpy-c3-mini mpy-ttgo-lora32 m5stack-atom TinyPICO TinyS2 TinyS3 NanoS3 ProS3
    OMGS3 FeatherS2 FeatherS2-Neo FeatherS3 RGBTouchMini TinyWATCHS3 pybstick26_esp32c3
    PicoW Pico2W mpy-rp2 mpy-nano-rp2040-connect XRP W5100S-EVB W5500-EVB RP2040-Shim ThingPlusRP2350 IoTRedBoardRP2350
    PYBD mpy-stm32 mpy-giga-r1-wifi mpy-opta mpy-portenta-h7 mpy-nicla-vision mpy-ra mpy-portenta-c33 mpy-alif
    mpy-mimxrt mpy-teensy41 mpy-arch-mix mpy-metro-m7 mpy-1020evk mpy-1050evk mpy-1060evk mpy-1064evk mpy-1070evk
    """.lower().split()
)
_PREFIX = "mpy-"
# ESP-IDF's responder gives the second board of a name a number behind it.
_TWINS = tuple(f"{name}-{number}" for name in HOST_NAMES if name.startswith("mpy-esp32") for number in (2, 3, 4))
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
_A, _IN, _QUERY = 1, 1, 0  # RFC 1035, 3.2.2, 3.2.4, 4.1.1


@dataclass(frozen=True, slots=True)
class AirBoard:
    """What answered and may be a board.

    Attributes:
        address: an IP address.
        port: of its WebREPL, the usual one unless it says another.
        host: its name on the network, without `.local`; "" where it gave none that is one.
        service: `_webrepl._tcp` or `_http._tcp` where that named it; "" for its host name alone.
    """

    address: str
    port: int
    host: str
    service: str

    @property
    def selector(self) -> str:
        """`ws://ADDRESS[:PORT]`."""
        return str(WebreplAddress(False, self.address, self.port, "/"))

    def data(self) -> dict[str, Any]:
        """As JSON."""
        host = f"{self.host}.local" if self.host else None
        return {"selector": self.selector, "host": host, "service": self.service or None}


def find_boards(
    hosts: Iterable[str] = (),
    *,
    seconds: float = SECONDS,
    interfaces: Sequence[str] | None = None,
    asked_at: Sequence[float] = ASKED_AT,
) -> list[AirBoard]:
    """Ask the network for boards, and listen.

    Args:
        hosts: more names to ask for, with or without `.local`.
        seconds: how long to listen; a service found last may take a second more.
        interfaces: IP addresses of the interfaces to ask on; None: all.
        asked_at: when to ask, in seconds from the start.

    Errors: MissingExtraError; TransportError where the network cannot be asked.
    """
    try:
        import zeroconf
    except ImportError:
        raise MissingExtraError("finding boards on the network", "net") from None

    mine = {host.lower().rstrip(".").removesuffix(".local") for host in hosts}
    names = sorted({*HOST_NAMES, *_TWINS, *(host for host in mine if _NAME.fullmatch(host))})
    # zeroconf has its messages in its top module, though not in its __all__.
    question = [zeroconf.DNSQuestion(f"{name}.local.", _A, _IN) for name in names]  # type: ignore[attr-defined]
    services: dict[str, str] = {}
    heard = _Addresses(mine)

    def found(**change: Any) -> None:
        if len(services) < limits.AIR_BOARDS:
            services[str(change["name"])] = str(change["service_type"]).removesuffix(".local.")

    try:
        network = zeroconf.Zeroconf(
            interfaces=list(interfaces) if interfaces else zeroconf.InterfaceChoice.All,
            ip_version=zeroconf.IPVersion.V4Only,
        )
        try:
            network.add_listener(heard.listener(zeroconf.RecordUpdateListener), None)
            browser = zeroconf.ServiceBrowser(network, [f"{_WEBREPL}.local.", f"{_HTTP}.local."], handlers=[found])
            begun = time.monotonic()
            for at in (moment for moment in asked_at if moment < seconds):
                time.sleep(max(0.0, begun + at - time.monotonic()))
                packet = zeroconf.DNSOutgoing(_QUERY)  # type: ignore[attr-defined]
                for each in question:
                    packet.add_question(each)
                network.send(packet)
            time.sleep(max(0.0, begun + seconds - time.monotonic()))
            browser.cancel()
            boards = _of_services(network, services, begun + seconds + 1.0, mine)
        finally:
            network.close()
    except (OSError, RuntimeError, zeroconf.Error) as error:
        raise TransportError("transport.network-search", reason=getattr(error, "strerror", None) or error) from error
    named = [AirBoard(address, DEFAULT_PORTS["ws"], host, "") for host, address in heard.found()]
    return _once([*boards, *named])


class _Addresses:
    """The addresses of hosts that may be boards, as they are heard."""

    def __init__(self, mine: Collection[str]) -> None:
        self._mine, self._found = mine, dict[tuple[str, str], None]()
        self._lock = threading.Lock()  # zeroconf calls from a thread of its own

    def listener(self, base: type) -> Any:
        """An object of a subclass of zeroconf's RecordUpdateListener."""
        outer = self

        class Listener(base):  # type: ignore[misc]
            def async_update_records(self, zc: Zeroconf, now: float, records: list[Any]) -> None:
                for record in records:
                    if getattr(record.new, "type", 0) == _A:
                        outer._heard(record.new.name, record.new.address)

            def async_update_records_complete(self) -> None:
                pass

        return Listener()

    def _heard(self, name: str, packed: bytes) -> None:
        host = _host(name)
        address = _address([packed])
        if address and is_board_name(host, self._mine):
            with self._lock:
                if len(self._found) < limits.AIR_BOARDS:
                    self._found[host, address] = None

    def found(self) -> list[tuple[str, str]]:
        with self._lock:
            return list(self._found)


def is_board_name(host: str, mine: Collection[str] = ()) -> bool:
    """Whether a host name is one that MicroPython gives, or one of `mine`."""
    return host in mine or host in HOST_NAMES or (host.startswith(_PREFIX) and host != _PREFIX)


def _of_services(network: Zeroconf, services: dict[str, str], deadline: float, mine: Collection[str]) -> list[AirBoard]:
    """What is behind service names; those whose answer does not come until `deadline` are left out."""
    from zeroconf import Error, ServiceInfo

    boards = []
    for name, kind in services.items():
        try:
            info = ServiceInfo(f"{kind}.local.", name)
            left = max(0.0, deadline - time.monotonic())
            if not info.load_from_cache(network) and not info.request(network, 1000 * left):
                continue
        except (Error, ValueError):  # a name that is against the rules
            continue
        host = _host(info.server or "")
        address = _address(info.addresses)
        if not address or (kind == _HTTP and not is_board_name(host, mine)):
            continue
        port = info.port if kind == _WEBREPL and info.port else DEFAULT_PORTS["ws"]
        boards.append(AirBoard(address, port, host, kind))
    return boards


def _once(boards: Iterable[AirBoard]) -> list[AirBoard]:
    """One for each address and WebREPL port, by name. Where a service says the port, nothing else does."""
    found: dict[tuple[str, int], AirBoard] = {}
    said = {board.address for board in boards if board.service == _WEBREPL}
    for board in boards:
        if board.service == _WEBREPL or board.address not in said:
            found.setdefault((board.address, board.port), board)
    return sorted(found.values(), key=lambda board: (board.host, board.address, board.port))


def _host(name: str) -> str:
    host = name.lower().rstrip(".").removesuffix(".local")
    return host if _NAME.fullmatch(host) else ""


def _address(packed: Iterable[bytes]) -> str:
    """The first address that can be connected to, "" for none."""
    for each in packed:
        try:
            address = ip_address(each)
        except ValueError:
            continue
        if not (address.is_unspecified or address.is_multicast):
            return str(address)
    return ""
