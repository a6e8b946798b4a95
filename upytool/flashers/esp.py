"""The serial bootloader of Espressif's chips, spoken by esptool: the only file that imports it.

esptool is used as a library: the functions of `esptool.cmds` (its documentation, "Embedding into Custom Scripts"), and
of its chip objects what those functions themselves use (`change_baud`, `flash_md5sum`, the security flags), which is
why the version is pinned to one minor series. It logs through one object for the whole process; here that object
hands every line to the job of the thread that it comes from, is put in place for the length of a call, and taken away
after it, whatever happens.

esptool and what it brings take about a third of a second to import, so that happens when a bootloader is opened.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtraError
from ..events import NULL, Reporter, notice
from ..image.base import FirmwareImage
from . import esp_plan
from .base import Chip, FlashOptions, FlashTarget

if TYPE_CHECKING:
    from .esp_loader import EspLoader

_AT = re.compile(r"0x([0-9a-fA-F]+)\s*$")


class EspFlasher:
    """Opens the ROM bootloader of an ESP8266 or ESP32 on a serial port, a `socket://` or an `rfc2217://` URL."""

    name = "esptool"

    def declines(self, target: FlashTarget, image: FirmwareImage | None) -> str:
        if not port_of(target):
            return "there is no serial port to speak to the chip's bootloader"
        if target.chip and not target.chip.startswith("esp"):
            return f"{target.chip} is not an Espressif chip"
        return str(esp_plan.why_not(image)) if image is not None else ""

    def open(self, target: FlashTarget, options: FlashOptions, *, reporter: Reporter = NULL) -> EspLoader:
        """Reset the chip into its bootloader (by DTR and RTS where the port has them) and connect.

        Raises: FlashError with the steps by hand where the bootloader does not answer; TransportError where the
            port does not open; FlashError where the chip is locked (Secure Download Mode).
        """
        from .esp_link import EspLink
        from .esp_loader import EspLoader

        link = EspLink(target, options, reporter)
        try:
            link.connect()
            return EspLoader(link, options, reporter)
        except BaseException:
            link.close()
            raise


def probe(target: FlashTarget, options: FlashOptions | None = None, *, reporter: Reporter = NULL) -> Chip:
    """Which chip is behind a port that says nothing; it runs its firmware again afterwards.

    Returns: its name, and in `features` what helps to choose a variant: revision, flash size, PSRAM in the package.

    Raises: as EspFlasher.open.
    """
    from .esp_link import EspLink

    link = EspLink(target, options or FlashOptions(), reporter, wants_stub=False)
    try:
        link.connect()
        chip = link.chip
        link.restart()
        return chip
    finally:
        link.close()


def port_of(target: FlashTarget) -> str:
    """What to open for a target: a path or a URL, "" where there is none."""
    return target.address or (target.port.path if target.port is not None else "")


# -- esptool's logger, one for the process --------------------------------------------------------------------------


class Job:
    """Where the words of one call go: progress as the flash address reached, notes as details, the rest nowhere."""

    def __init__(self, reporter: Reporter, progress: Callable[[int], None] | None, said: list[str]) -> None:
        self.reporter, self.progress, self.said = reporter, progress, said

    def note(self, text: str) -> None:
        plain = re.sub(r"\\(\[)", r"\1", text).strip()
        self.said.append(plain)
        del self.said[:-20]
        notice(self.reporter, f"esptool: {plain}", "detail")


_here = threading.local()
_lock = threading.Lock()
_users = 0
_before: Any = None
_logger: Any = None


@contextlib.contextmanager
def listening(job: Job) -> Iterator[None]:
    """esptool's words on this thread go to `job`; the logger that was there before is back afterwards."""
    global _users, _before
    cmds()
    from esp_pylib.logger import EspLog

    with _lock:
        if _users == 0:
            _before, EspLog.instance = EspLog.instance, _logger
        _users += 1
    outer, _here.job = getattr(_here, "job", None), job
    try:
        yield
    finally:
        _here.job = outer
        with _lock:
            _users -= 1
            if _users == 0:
                EspLog.instance, _before = _before, None


def cmds() -> Any:
    """`esptool.cmds`, imported with our logger in place: esptool keeps some of its logger's methods at import."""
    global _logger
    if _logger is not None:
        return sys.modules["esptool.cmds"]
    with _lock:
        if _logger is None:
            _logger = _import()
    return sys.modules["esptool.cmds"]


def _import() -> Any:
    try:
        from esp_pylib.logger import EspLog, EspLogBase
    except ImportError:
        raise MissingExtraError("flashing Espressif's chips", "all") from None

    class Listener(EspLogBase):
        """Hands each line to the job of its thread."""

        def _note(self, *args: object, **options: object) -> None:
            job = getattr(_here, "job", None)
            if job is not None:
                job.note(" ".join(str(arg) for arg in args))

        def _nothing(self, *args: object, **options: object) -> None:
            return

        print = hint = debug = set_verbosity = _nothing
        note = warn = err = warning = error = _note

        def die(self, *args: object, **options: object) -> Any:
            raise RuntimeError(" ".join(str(arg) for arg in args))

        def progress_bar(self, cur_iter: int, total_iters: int, prefix: str = "", *_: object, **__: object) -> None:
            job = getattr(_here, "job", None)
            found = _AT.search(prefix)
            if job is not None and job.progress is not None and found:
                job.progress(int(found.group(1), 16))

    listener = Listener()
    before, EspLog.instance = EspLog.instance, listener
    try:
        import esptool.cmds  # noqa: F401
        from esptool.logger import EsptoolLogger
    except ImportError:
        raise MissingExtraError("flashing Espressif's chips", "all") from None
    finally:
        EspLog.instance = before
    if before is None:
        EspLog.instance = EsptoolLogger()  # what importing esptool would have left behind
    return listener
