"""The drives of DAPLink debug probes: a HEX or raw file that is copied there is programmed into the board's chip.

The probe mounts its drive anew when it is done: then FAIL.TXT is there with the reason, or it is not and all went
well.

Sources: DAPLink's docs/USERS-GUIDE.md and docs/MSD_COMMANDS.md; ports/mimxrt/boards/deploy_mimxrt.md.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from ..errors import FlashError, ImageError, LocalFileError
from ..events import NULL, Reporter, Task, notice
from ..image.base import FirmwareImage
from ..image.memory import Memory
from ..words import Said
from .base import Ability, Chip, FlashOptions, FlashTarget, Leave, Programmed
from .mounted import DriveStuck
from .uf2_drive import Volume

REMOUNT = 60.0  # DAPLink programs some KiB a second
POLL = 0.25
SETTLE = 1.0
INCOMPLETE = Said("flash.state.perhaps-incomplete")


class DaplinkLoader:
    """The Loader of a debug probe's drive.

    Args:
        volume: the drive; `volumes` lists the drives, to find it again after it mounted anew.
    """

    flasher = "daplink"
    abilities: frozenset[Ability] = frozenset(("program",))

    def __init__(
        self,
        volume: Volume,
        volumes: Callable[[], Sequence[Volume]],
        target: FlashTarget,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.volume, self._volumes, self._target = volume, volumes, target
        self._clock, self._sleep = clock, sleep

    @property
    def chip(self) -> Chip:
        return Chip(self._target.chip, description=self.volume.info.loader)

    def check(self, image: FirmwareImage) -> list[str]:
        image.require_valid()
        if image.format not in ("hex", "bin"):
            raise ImageError("image.daplink-format", format=image.format_name)
        wanted = self._target.mcu_port
        if wanted and image.port and image.port != wanted:
            raise ImageError("image.daplink-other-port", port=image.port, board_port=wanted)
        return [] if image.port else ["the file does not say for which chip it is"]

    def touched(self, memory: Memory) -> list[tuple[int, int]]:
        return [(segment.address, len(segment.data)) for segment in memory]

    def read(self, address: int, size: int, *, reporter: Reporter = NULL, label: str = "") -> bytes:
        raise self._cannot("be read")

    def erase(self, address: int, size: int, *, reporter: Reporter = NULL) -> None:
        raise self._cannot("be erased")

    def erase_all(self, *, reporter: Reporter = NULL) -> None:
        raise self._cannot("be erased")

    def differences(self, memory: Memory, *, reporter: Reporter = NULL) -> list[tuple[int, int]]:
        raise self._cannot("be compared")

    def program_memory(self, memory: Memory, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        raise self._cannot("take bare bytes")

    def _cannot(self, what: str) -> FlashError:
        return FlashError("flash.daplink-cannot", step=what)

    def program(self, image: FirmwareImage, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        self.check(image)
        path, before = self.volume.path, _details(self.volume)
        with Task(reporter, "copying", len(image.raw)) as task:
            try:
                through = self.volume.send(f"FIRMWARE.{image.format.upper()}", image.raw, task.advance)
            except LocalFileError as error:
                state = INCOMPLETE if isinstance(error, DriveStuck) else ""
                raise FlashError(
                    "flash.drive-refuses", path=path, cause=error, hint=error.hints, state=state
                ) from error
        notice(reporter, "the debug probe programs the chip", "detail")
        after = self._remounted(before)
        failure = _failure(after)
        if failure or through < len(image.raw):
            if failure:
                raise FlashError("flash.daplink-reports", reason=failure, state=INCOMPLETE)
            raise FlashError("flash.daplink-went-away", path=path, state=INCOMPLETE)
        if _details(after).get("auto reset") == "0":
            notice(reporter, "press the board's reset button: its debug probe does not do it", "warning")
        return Programmed(image.size, image.size, image.size, 0)

    def _remounted(self, before: dict[str, str]) -> Volume:
        """The drive after it came anew: gone in between, or with a higher count of its mounts."""
        end = self._clock() + REMOUNT
        gone = False
        while self._clock() < end:
            self._sleep(POLL)
            gone = gone or not self.volume.present()
            for other in self._volumes():
                if other.info.kind != "daplink" or not self._is_own(other, before):
                    continue
                counted = _details(other).get("remount count", "") != before.get("remount count", "")
                if gone or counted:
                    self._sleep(SETTLE)
                    return next((each for each in self._volumes() if self._is_own(each, before)), other)
        raise FlashError("flash.daplink-gone", seconds=REMOUNT, state=Said("flash.state.unknown"))

    def _is_own(self, other: Volume, before: dict[str, str]) -> bool:
        own = before.get("unique id")
        if own:
            return _details(other).get("unique id") == own
        return other.location == self.volume.location if self.volume.location else other.path == self.volume.path

    def leave(self, mode: Leave = "run") -> None:
        """The probe has restarted the chip."""

    def close(self) -> None:
        """Nothing is held open."""


def _details(volume: Volume) -> dict[str, str]:
    rows = re.findall(r"^#?\s*([\w /()-]+?)\s*[:=]\s*(.*?)\s*$", volume.info.text, re.M)
    return {name.lower(): value for name, value in rows}


def _failure(volume: Volume) -> str:
    for name in ("FAIL.TXT", "ASSERT.TXT"):
        try:
            text = volume.read(name, 4096).decode("utf-8", "replace")
        except LocalFileError:
            continue
        return " ".join(text.split())[:300] or name
    return ""


def _volumes() -> Sequence[Volume]:
    from .volumes import find_volumes

    return find_volumes()


class DaplinkFlasher:
    """Copies HEX and raw files to the drives of DAPLink probes.

    Args:
        volumes: lists the drives; those of this computer where None.
    """

    name = "daplink"

    def __init__(
        self,
        volumes: Callable[[], Sequence[Volume]] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._volumes, self._clock, self._sleep = volumes or _volumes, clock, sleep

    def declines(self, target: FlashTarget, image: FirmwareImage | None) -> str:
        if target.volume is None or target.volume.info.kind != "daplink":
            return "it has no drive of a DAPLink probe"
        if image is None:
            return "the drive of a debug probe cannot erase"
        if image.format not in ("hex", "bin"):
            return f"the drive of a debug probe takes HEX and raw files, this is a {image.format_name}"
        return ""

    def open(self, target: FlashTarget, options: FlashOptions, *, reporter: Reporter = NULL) -> DaplinkLoader:
        if target.volume is None or not target.volume.present():
            raise FlashError("flash.daplink-no-drive", name=target.name)
        return DaplinkLoader(target.volume, self._volumes, target, clock=self._clock, sleep=self._sleep)
