"""How a running board gets into its bootloader, and how it is found again there (and back: comeback.py).

A board changes its USB id, its serial number and the name of its port on the way; the one thing that stays is
where it is plugged in. So the board that left and the loader that came are paired by USB location, which keeps
several boards side by side apart. A simulated board has a bus of its own, with nothing else on it.

Facts: `machine.bootloader()` waits 250 ms, then leaves (shared/tinyusb/mp_usbd_cdc.c for the touch; ports/*/
modmachine.c); Espressif's chips are brought there by DTR and RTS, which esptool does when it opens the port.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ..discovery.usb_ids import USB_SERIAL_JTAG
from ..errors import (
    AmbiguousDeviceError,
    ConnectionLostError,
    FlashError,
    OperationInterrupted,
    TransportError,
    UpytoolError,
)
from ..events import NULL, Reporter, notice
from ..words import Said
from .base import FlashTarget
from .buttons import all_buttons, buttons, has_touch
from .failure import UNCHANGED
from .sight import Sight as Sight
from .sight import same_place

if TYPE_CHECKING:
    from ..device.device import Device
    from ..transport.base import Transport

WayKind = Literal["here", "repl", "touch", "serial", "button"]
OpenAt = Callable[[str, int], "Transport"]

POLL = 0.2
LEAVES = 10.0  # a board that was told to leave shows its loader within this
PATIENCE = 120.0  # for a person who looks for a button
SETTLE = 0.4
TOUCH_BAUD, TOUCH_PAUSE = 1200, 0.25
_ESP_PORTS = frozenset(("esp32", "esp8266"))
_NO_LOADER = frozenset(("alif", "cc3200", "psoc-edge", "zephyr", "unix"))


@dataclass(frozen=True, slots=True)
class WayIn:
    """How a board gets into its bootloader.

    Attributes:
        kind: "here" (it is there), "repl" (MicroPython starts it), "touch" (its port is closed at 1200 baud),
            "serial" (the flasher resets it by DTR and RTS when it opens the port), "button" (a person does it).
        sentence: the same for people; "" for "here".
        automatic: nobody has to press anything.
        then: what is tried when that does not lead there.
    """

    kind: WayKind
    sentence: str
    automatic: bool
    then: tuple[WayKind, ...] = ()


def plan_way_in(target: FlashTarget) -> WayIn:
    """How to get `target` into its bootloader; nothing is opened or sent."""
    if target.state == "bootloader" or _is_probe_drive(target):
        return WayIn("here", "", True)
    if _by_lines(target):
        if target.address.startswith("socket://"):
            return WayIn("serial", "by hand, beforehand (socket:// carries no reset)", True)
        return WayIn("serial", "reset into its ROM loader by DTR and RTS", True, ("button",))
    touch = has_touch(target.board, target.mcu_port) and bool(target.address)
    after: tuple[WayKind, ...] = ("touch", "button") if touch else ("button",)
    if target.state == "running" and _has_bootloader(target):
        return WayIn("repl", "by machine.bootloader() from the REPL", True, after)
    if touch:
        return WayIn("touch", "by opening its port at 1200 baud", True, ("button",))
    return WayIn("button", press(target), False)


def _is_probe_drive(target: FlashTarget) -> bool:
    """A debug probe's drive takes firmware at any time."""
    return target.volume is not None and target.volume.info.kind == "daplink"


def _by_lines(target: FlashTarget) -> bool:
    """Whether DTR and RTS lead into the ROM loader: a bridge, or the USB-Serial-JTAG unit of the chip."""
    if target.board == "ARDUINO_NANO_ESP32":
        return False
    port = target.port
    bridge = port is not None and (port.kind in ("bridge", "probe") or (port.vid, port.pid) == USB_SERIAL_JTAG)
    if target.mcu_port in _ESP_PORTS or target.chip.startswith("esp"):
        # Native USB: the chip's port goes away for the ROM's own, so MicroPython starts it and esptool comes after.
        native = port is not None and port.kind in ("micropython", "possible") and not bridge
        return not (native and target.state == "running")
    return target.state == "unknown" and bridge and not target.mcu_port


def _has_bootloader(target: FlashTarget) -> bool:
    return target.mcu_port not in _NO_LOADER


def press(target: FlashTarget | None = None) -> str:
    """The button procedure for a board, as words after "to get there,"; several lines where it is not known."""
    known = buttons(target.board, target.mcu_port, target.chip) if target is not None else ""
    return known or "\n".join(all_buttons())


def by_hand(target: FlashTarget | None = None) -> Said:
    """The same as a whole: "by hand: ..."; a line for each kind of board where this one's is not known."""
    words = press(target)
    if "\n" not in words:
        return Said("flash.hint.by-hand", steps=words)
    return Said("flash.hint.by-hand-any", steps=words.replace("\n", "\n  "))


# -- the ways ------------------------------------------------------------------------------------


def enter(
    target: FlashTarget,
    device: Device | None = None,
    *,
    sight: Sight,
    patience: float = PATIENCE,
    reporter: Reporter = NULL,
    open_at: OpenAt | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FlashTarget:
    """Bring a board into its bootloader by the way that `plan_way_in` names, then by those behind it.

    Args:
        target: the board.
        device: its open REPL, for the way "repl"; it is closed when its port goes away.
        sight: where loaders show.
        patience: seconds for a person to press buttons; 0 forbids to ask for it.
        open_at: opens an address at a baud rate (a test's).

    Returns: the target in its bootloader, with what was known of it (board, version, file systems). For the way
    "serial" the port is let go of, and the flasher does the rest.

    Raises: FlashError when it did not come; AmbiguousDeviceError when two came and no place tells them apart.
    """
    way = plan_way_in(target)
    if way.kind == "here":
        return target
    if way.kind == "serial":
        if device is not None:
            device.close()
        return target
    before = sight.loaders()
    for kind in (way.kind, *way.then):
        if kind == "button":
            if patience <= 0:
                break
            words = press(target)
            notice(reporter, by_hand(target).text if "\n" in words else f"now {words}", "warning")
            seconds = patience
        elif kind == "repl":
            if device is None or device.closed or not _ask_repl(device, reporter):
                continue
            seconds = LEAVES
        else:
            if device is not None:
                device.close(leave=False)
            if not touch(target.address, open_at=open_at, reporter=reporter, sleep=sleep):
                continue
            seconds = LEAVES
        try:
            return wait_for_bootloader(
                target, sight, seconds, before=before, reporter=reporter, clock=clock, sleep=sleep
            )
        except FlashError as error:
            notice(reporter, str(error), "detail")
    if device is not None:
        device.close(leave=False)
    raise FlashError(
        "flash.not-in-bootloader",
        name=target.name,
        hint=[by_hand(target), Said("flash.hint.then-again"), Said("flash.hint.not-seen")],
        state=UNCHANGED,
    )


def _ask_repl(device: Device, reporter: Reporter) -> bool:
    """Let MicroPython start the bootloader; False where it cannot, and the REPL is as it was."""
    code = (
        "found=[False,False]\n"
        "try:\n import machine\n found[0]=hasattr(machine,'bootloader')\nexcept ImportError:\n pass\n"
        "try:\n import pyb\n found[1]=hasattr(pyb,'bootloader')\nexcept ImportError:\n pass\n"
        "print('\\x1e'+repr(found))"
    )
    try:
        has = device.ask(code, timeout=10)
        if not isinstance(has, list) or True not in has:
            notice(reporter, "this firmware has no machine.bootloader()", "detail")
            return False
        if has[0] is True:
            device.bootloader()
        else:  # before 1.12 stm32 had it in pyb alone
            device.run("import pyb,time\ntime.sleep_ms(100)\npyb.bootloader()", follow=False)
    except ConnectionLostError:
        pass
    except OperationInterrupted:
        raise
    except UpytoolError as error:
        notice(reporter, f"the REPL does not start the bootloader: {error}", "detail")
        return False
    # The port has to be free before it goes away: an open one would come back under another name.
    device.close(leave=False)
    return True


def touch(
    address: str,
    *,
    open_at: OpenAt | None = None,
    reporter: Reporter = NULL,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Open a port at 1200 baud, drop DTR and RTS and close it; False where it cannot be opened."""
    from ..transport.base import ModemLines

    opener = open_at or _open_at
    try:
        transport = opener(address, TOUCH_BAUD)
    except TransportError as error:
        notice(reporter, f"{address} cannot be opened at 1200 baud: {error}", "detail")
        return False
    with contextlib.suppress(TransportError):
        # The firmware looks at the rate when both lines are off.
        if isinstance(transport, ModemLines):
            transport.set_lines(dtr=False, rts=False)
        sleep(TOUCH_PAUSE)
    transport.close()
    return True


def _open_at(address: str, baud: int) -> Transport:
    from ..transport.registry import open_transport

    return open_transport(address, baud=baud)


def wait_for_bootloader(
    target: FlashTarget | None,
    sight: Sight,
    timeout: float = LEAVES,
    *,
    before: Sequence[FlashTarget] = (),
    reporter: Reporter = NULL,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FlashTarget:
    """Wait for the bootloader of `target` (None: of any board), and pair the two.

    Args:
        before: the loaders that were there already; they are other boards, unless they stand in this one's place.

    Raises: FlashError after `timeout` seconds; AmbiguousDeviceError.
    """
    start = clock()
    told = 0.0
    held = {_key(each) for each in before}
    while True:
        found = _paired(target, sight, held)
        if found is not None:
            return _settled(found, target, sight, clock, sleep)
        passed = clock() - start
        if passed >= timeout:
            break
        if passed - told >= 10.0:
            told = passed
            notice(reporter, f"waiting for the bootloader ({timeout - passed:.0f} s more, Ctrl-C stops)", "wait")
        sleep(min(POLL, max(0.0, timeout - passed)))
    who = "a board" if target is None else target.name
    raise FlashError("flash.no-bootloader-came", name=who, seconds=timeout, hint=by_hand(target))


def _key(target: FlashTarget) -> tuple[str, str, int]:
    """What tells one look at a loader from another: a new one in the same place has another id, or is not there
    before."""
    usb = target.usb
    return (target.location, target.selector, (usb.vid << 16 | usb.pid) if usb is not None else 0)


def _paired(target: FlashTarget | None, sight: Sight, held: Collection[tuple[str, str, int]]) -> FlashTarget | None:
    found = sight.loaders()
    if target is not None and target.bus is not None and target.bus.name:
        return next((each for each in found if each.location == target.bus.name), None)
    if target is not None and target.location:
        here = [each for each in found if same_place(each.location, target.location, sight.platform)]
        if here and (len(here) == 1 or sight.platform != "win32"):
            return here[0]
        if target.mcu_port == "esp32" and (rom := _rom_port(target, sight)) is not None:
            return rom
    fresh = [each for each in found if _key(each) not in held]
    if target is not None and target.location:
        # Only a drive whose place the system does not tell may be this board's.
        fresh = [each for each in fresh if not each.location]
    if target is not None and target.mcu_port:
        fresh = [each for each in fresh if each.mcu_port in ("", target.mcu_port)]
    if len(fresh) > 1:
        raise AmbiguousDeviceError(
            "device.ambiguous.bootloaders", count=len(fresh), choices=tuple(each.selector for each in fresh)
        )
    return fresh[0] if fresh else None


def _rom_port(target: FlashTarget, sight: Sight) -> FlashTarget | None:
    """The port of a ROM loader that shows as the chip's USB-Serial-JTAG unit, which firmware may use as well: it
    is the loader's where it came in the place of another device."""
    was = target.port
    if was is None or (was.vid, was.pid) == USB_SERIAL_JTAG:
        return None
    for port in sight.ports():
        at_home = same_place(port.hub_port, target.location, sight.platform)
        if at_home and (port.vid, port.pid) == USB_SERIAL_JTAG:
            return FlashTarget("bootloader", port.selector, port.hub_port, port.path, port, mcu_port="esp32")
    return None


def _settled(
    found: FlashTarget,
    target: FlashTarget | None,
    sight: Sight,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> FlashTarget:
    """The loader with what was known of the board; udev gives a new device its rights a moment after it came."""
    if found.bus is None or not found.bus.name:
        sleep(SETTLE)
    if target is None:
        return found
    usable = found.chip if not target.chip or found.chip.startswith(target.chip) else target.chip
    return replace(
        found,
        selector=target.selector or found.selector,
        location=found.location or target.location,
        address=found.address or (target.address if found.bus is not None and found.bus.name else ""),
        board=target.board,
        variant=target.variant,
        version=target.version,
        machine=target.machine,
        chip=usable or target.chip,
        mcu_port=target.mcu_port or found.mcu_port,
        unique_id=target.unique_id or found.unique_id,
        filesystems=target.filesystems,
    )


def wait_for_volume(
    target: FlashTarget,
    sight: Sight,
    timeout: float = 8.0,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FlashTarget:
    """The same target with its UF2 drive, which the system mounts some seconds after the device came; unchanged
    where none came."""
    end = clock() + timeout
    while target.volume is None:
        drives = [each for each in sight.loaders() if each.volume is not None]
        here = [each for each in drives if same_place(each.location, target.location, sight.platform)]
        # One whose place is not told is this board's where no other can be meant.
        loose = [each for each in drives if not each.location or not target.location]
        loose = [each for each in loose if not target.chip or each.chip in ("", target.chip)]
        if here or len(loose) == 1:
            found = (here or loose)[0]
            return replace(target, volume=found.volume, chip=target.chip or found.chip)
        if clock() >= end:
            break
        sleep(POLL)
    return target
