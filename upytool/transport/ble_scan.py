"""Which boards are in the air: listening to what devices with Bluetooth LE say of themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from .. import limits
from ..errors import AmbiguousDeviceError, MissingExtraError, UpytoolError
from ..protocol.ble import SERVICE
from ..words import Said
from .ble_errors import explain_ble_error, not_found
from .loop_thread import LoopThread

# MicroPython's examples name themselves and do not say which services they have; ours is called mpy-XXXX.
_NAMES = re.compile(r"mpy-")
# How systems name a device: by its address, on macOS by a UUID of its own.
_ADDRESS = re.compile(r"([0-9a-f]{2}[:-]){5}[0-9a-f]{2}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
NAMESAKES = 0.7  # seconds in which a second board of the same name is heard: both say it several times a second


@dataclass(frozen=True, slots=True)
class BleDevice:
    """A device that was heard.

    Attributes:
        address: its address; on macOS a UUID that stands for it on this computer.
        name: what it calls itself, "" where it does not say.
        rssi: strength of its signal in dBm (-40 is beside you, -90 almost gone); None where not known.
        uart: it says that it has the Nordic UART service.
        handle: bleak's BLEDevice, to connect to.
    """

    address: str
    name: str
    rssi: int | None
    uart: bool
    handle: Any = field(default=None, compare=False, repr=False)

    @property
    def selector(self) -> str:
        """What to say after `-d`."""
        return f"ble://{quote(self.name or self.address, safe=':')}"

    @property
    def is_board(self) -> bool:
        """Whether a REPL is to be expected there."""
        return self.uart or _NAMES.match(self.name) is not None

    def data(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {
            "selector": self.selector,
            "name": self.name or None,
            "address": self.address,
            "rssi": self.rssi,
            "uart": self.uart,
        }


def scan(seconds: float, tell: Callable[[str], None] = lambda text: None) -> list[BleDevice]:
    """All devices that are heard within `seconds`, the strongest first.

    Args:
        tell: receives a sentence for the user about what is waited for, once a second.

    Raises: MissingExtraError; TransportError for what the adapter or the system lacks.
    """
    loop = LoopThread("bluetooth")
    try:
        text = "listening for Bluetooth LE devices ({:.0f} s of {:g} s, Ctrl-C stops)"
        found = loop.run(listen(seconds), seconds + 10, lambda passed: tell(text.format(passed, seconds)))
    except UpytoolError:
        raise
    except Exception as error:  # of bleak's and of what is below it: D-Bus, WinRT, CoreBluetooth
        raise explain_ble_error("the device", error, lost=False) from error
    finally:
        loop.close()
    return sorted(found, key=lambda device: (-(device.rssi or -999), device.address))


async def listen(
    seconds: float, enough: Callable[[BleDevice], bool] = lambda _: False, longer: float = 0.0
) -> list[BleDevice]:
    """The devices that are heard within `seconds`: the first `limits.BLE_DEVICES`, and those that are looked for.

    Anybody can invent addresses, so those must neither fill the memory nor hide a board.

    Args:
        enough: whether this device is looked for; then the wait ends after another `longer` seconds.
    """
    import asyncio
    import contextlib

    from_bleak = import_bleak()
    heard: dict[str, BleDevice] = {}
    wanted = asyncio.Event()

    def on_advertisement(device: Any, said: Any) -> None:
        # One advertisement has the name, the next one the services: what was said before still holds.
        before = heard.get(device.address)
        name = said.local_name or (before.name if before else "") or ""
        uart = SERVICE in [uuid.lower() for uuid in said.service_uuids] or (before is not None and before.uart)
        rssi = said.rssi if said.rssi > -127 else None
        said_so = BleDevice(device.address, name, rssi, uart, device)
        fits = enough(said_so)
        if before is None and len(heard) >= limits.BLE_DEVICES:
            if not fits:
                return
            heard.pop(next(iter(heard)))
        heard[device.address] = said_so
        if fits:
            wanted.set()

    async with from_bleak.BleakScanner(on_advertisement):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await wanted.wait()
                await asyncio.sleep(longer)
    return list(heard.values())


async def find(wanted: str, seconds: float) -> BleDevice:
    """The device called `wanted`, or with that address.

    Raises: PortMissingError; AmbiguousDeviceError where several have the name.
    """
    by_address = _ADDRESS.fullmatch(wanted) is not None

    def plain(address: str) -> str:
        return address.lower().replace("-", ":")

    def fits(device: BleDevice) -> bool:
        return plain(device.address) == plain(wanted) if by_address else device.name == wanted

    heard = await listen(seconds, fits, 0.0 if by_address else NAMESAKES)
    fitting = [device for device in heard if fits(device)]
    if not fitting:
        raise not_found(f"ble://{wanted}")
    if len(fitting) > 1:
        choices = tuple(f"ble://{device.address}" for device in fitting)
        raise AmbiguousDeviceError(
            "device.ambiguous.ble-name",
            count=len(fitting),
            name=wanted,
            hint=Said("transport.choose-by-address", rows="\n".join(f"  -d {choice}" for choice in choices)),
            choices=choices,
        )
    return fitting[0]


def import_bleak() -> Any:
    """The module bleak. Raises MissingExtraError without the extra `ble`."""
    try:
        import bleak
    except ImportError as error:
        raise MissingExtraError("Bluetooth LE", "ble") from error
    return bleak
