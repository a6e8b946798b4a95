"""The UF2 drive of a simulated board as the flashers see drives: sim and flash do not know each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import LocalFileError, SimulatorError, UpytoolError
from ..sim.usb import drive
from ..sim.usb_drive import DriveGone

if TYPE_CHECKING:
    from ..flashers.uf2_drive import DriveInfo

INFO = "INFO_UF2.TXT"


class SimulatedVolume:
    """The drive of `sim:NAME` (the Volume of flash.uf2_drive).

    Args:
        selector: of the board.
    """

    has_current = False  # Raspberry Pi's boot ROMs offer none

    def __init__(self, selector: str) -> None:
        self.location = selector

    @property
    def path(self) -> str:
        return f"the drive of {self.location}"

    @property
    def label(self) -> str:
        return "RPI-RP2"

    @cached_property
    def info(self) -> DriveInfo:
        from ..flashers.uf2_drive import parse_info

        return parse_info(self.read(INFO, 16 << 10).decode("utf-8", "replace"))

    def present(self) -> bool:
        from ..sim.registry import state

        try:
            return state(self.location.partition(":")[2]) == "bootloader"
        except UpytoolError:
            return False

    def read(self, name: str, limit: int) -> bytes:
        try:
            with drive(self.location) as opened:
                data = opened.read_file(name)
        except UpytoolError as error:
            raise LocalFileError("local-file.drive-read", name=name, path=self.path, cause=error) from error
        if len(data) > limit:
            raise LocalFileError("local-file.drive-too-large", name=name, path=self.path, limit=limit)
        return data

    def send(self, name: str, data: bytes, advance: Callable[[int], None]) -> int:
        through = 0

        def count(done: int) -> None:
            nonlocal through
            advance(done - through)
            through = done

        try:
            with drive(self.location) as opened:
                opened.write_uf2(data, name, count)
        except SimulatorError as error:
            if not isinstance(error, DriveGone):
                raise LocalFileError("local-file.drive-write", name=name, path=self.path, cause=error) from error
        return through
