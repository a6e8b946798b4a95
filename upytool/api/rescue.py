"""Get back a board whose program loops, sleeps, or swallows Ctrl-C.

    from upytool.api import rescue

    saved = rescue.rescue("id:E660", seconds=120)       # the board need not be plugged in yet
    print(saved.renamed)                                # [("/main.py", "/main.py.off-1")]

Nothing is deleted and nothing overwritten; `restore=True` undoes it. `in_bootloader` does it without a prompt, in the
flash of a board whose program does not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import NoDeviceError, PortMissingError, RawReplError
from ..events import NULL, Reporter
from ..words import Said
from . import sims
from .opened_image import ANYWHERE, Opener, Place, opened

if TYPE_CHECKING:
    from ..config.secrets import Ask
    from ..device.rescue import Moved
    from ..discovery.ports import SerialPort
    from ..transport.base import Transport

__all__ = ["FlashRescued", "Rescued", "in_bootloader", "rescue"]


@dataclass(frozen=True, slots=True)
class Rescued:
    """A board that was stopped.

    Attributes:
        port: where it is now.
        seconds: how long it took.
        reset_by_lines: whether DTR and RTS had to reset it.
        renamed: (old path, new path) on the board.
        kept: paths that were not restored, because there is a new file.
    """

    port: str
    seconds: float
    reset_by_lines: bool
    renamed: tuple[tuple[str, str], ...]
    kept: tuple[str, ...]

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "port": self.port,
            "seconds": round(self.seconds, 1),
            "reset_by_lines": self.reset_by_lines,
            "renamed": [list(pair) for pair in self.renamed],
            "kept": list(self.kept),
        }


@dataclass(frozen=True, slots=True)
class FlashRescued:
    """Files that were renamed in a board's flash; `written` counts bytes, the others are those of `Rescued`."""

    board: str
    renamed: tuple[tuple[str, str], ...]
    kept: tuple[str, ...]
    written: int

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "board": self.board,
            "renamed": [list(pair) for pair in self.renamed],
            "kept": list(self.kept),
            "written": self.written,
        }


def rescue(
    selector: str | None = None,
    *,
    boot: bool = False,
    stop_only: bool = False,
    restore: bool = False,
    seconds: float = 60.0,
    pulse: bool | None = None,
    baud: int = 115200,
    dtr: bool | None = None,
    rts: bool | None = None,
    aliases: Mapping[str, str] | None = None,
    ask: Ask | None = None,
    reporter: Reporter = NULL,
) -> Rescued:
    """Send Ctrl-C without pause, over resets and reconnections, until the board stops; then rename its main.py.

    Args:
        boot: rename boot.py, too.
        stop_only: rename nothing.
        restore: give the files that were renamed their names back.
        seconds: how long to try.
        pulse: reset the board by DTR and RTS if need be; None: where it is behind a USB-serial bridge.
        (the others: as of `upytool.connect`)

    Raises: RawReplError with a diagnosis; NoDeviceError, PortMissingError where it never came; TransportError.
    """
    from ..device import rescue as device

    opener = _Opener(selector, baud, (dtr, rts), aliases or {}, ask, reporter)
    try:
        held = device.hold(
            opener, seconds=seconds, pulse=opener.may_pulse if pulse is None else pulse, reporter=reporter
        )
    except RawReplError as error:
        error.advise(Said("api.rescue-without-prompt"))
        raise
    with held.device as board:
        moved: Moved = device.Moved(())
        if restore:
            moved = device.restore(board)
        elif not stop_only:
            moved = device.disable(board, _names(boot))
        return Rescued(board.name, held.seconds, held.pulsed, moved.renamed, moved.kept)


def in_bootloader(
    flash: Opener, place: Place = ANYWHERE, *, boot: bool = False, restore: bool = False, reporter: Reporter = NULL
) -> FlashRescued:
    """Do the same in the flash of a board that is in its bootloader.

    Args:
        flash: opens it (as in `upytool.api.images`).
        place: where the file system is, where nothing else tells.

    Raises: ImageError where no file system can be read; FlashError; what `flash` raises.
    """
    from ..flashers import rescue as flashed

    with opened(flash, place, reporter=reporter) as found:
        assert found.loader is not None
        if restore:
            moved = flashed.restore(found.loader, found.volumes, reporter=reporter)
        else:
            moved = flashed.disable(found.loader, found.volumes, _names(boot), reporter=reporter)
        return FlashRescued(found.name, moved.renamed, moved.kept, moved.written)


def _names(boot: bool) -> tuple[str, ...]:
    from ..device.rescue import START_FILES

    return (*START_FILES, "boot.py") if boot else START_FILES


class _Opener:
    """Opens the board's port, also when it comes back under another name."""

    def __init__(
        self,
        selector: str | None,
        baud: int,
        wish: tuple[bool | None, bool | None],
        aliases: Mapping[str, str],
        ask: Ask | None,
        reporter: Reporter,
    ) -> None:
        self._selector, self._baud, self._wish = selector, baud, wish
        self._aliases, self._ask, self._reporter = aliases, ask, reporter
        self._port: SerialPort | None = None
        self.may_pulse = self._look()

    def _look(self) -> bool:
        """Whether the port is there already and its lines may reset the board."""
        try:
            self._find()
        except (NoDeviceError, PortMissingError):
            return False
        return self._port is not None and self._port.kind == "bridge"

    def _find(self) -> str:
        from ..discovery.ports import list_ports
        from ..discovery.selector import resolve

        if self._port is not None and self._port.usb_id:
            again = [port for port in list_ports() if self._port.same_device(port)]
            if again:
                return again[0].path
        target = resolve(self._selector, aliases=self._aliases, simulators=sims.address, reporter=self._reporter)
        self._port = target.port
        return target.address

    def __call__(self) -> Transport:
        from ..device.connect import open_address
        from ..discovery.lines import check_baud, lines_for

        address = self._find()
        dtr, rts = self._wish
        return open_address(
            address,
            baud=check_baud(self._baud),
            lines=lines_for(self._port, dtr=dtr, rts=rts),
            reporter=self._reporter,
            aliases=self._aliases,
            ask=self._ask,
        )
