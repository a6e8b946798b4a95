"""The flashers by name. Each is imported when it is asked for; plug-ins are looked for when no name of ours fits."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from ..errors import ConfigError, UsageError
from .base import Flasher

# name: module, class. In the order in which "auto" tries them.
FLASHERS: dict[str, tuple[str, str]] = {
    "picoboot": ("picoboot", "PicobootFlasher"),
    "dfu": ("dfu", "DfuFlasher"),
    "esptool": ("esp", "EspFlasher"),
    "uf2": ("uf2_volume", "Uf2Flasher"),
    "daplink": ("daplink", "DaplinkFlasher"),
    "picotool": ("picotool", "PicotoolFlasher"),
    "dfu-util": ("dfu_util", "DfuUtilFlasher"),
}
# These run another program, or do worse what one above does: used when asked for by name.
ON_REQUEST = ("picotool", "dfu-util")
GROUP = "upytool.flashers"


def names() -> list[str]:
    """What --tool takes."""
    return list(FLASHERS)


def automatic() -> list[Flasher]:
    """Those that are tried where nobody named one, the best first."""
    return [load(name) for name in FLASHERS if name not in ON_REQUEST]


def _parts(name: str) -> tuple[object, ...]:
    """What a flasher is made with."""
    if name == "daplink":
        from .volumes import find_volumes

        return (find_volumes,)
    return ()


def load(name: str) -> Flasher:
    """A flasher by name, ours or a plug-in's (entry point group `upytool.flashers`: a class without arguments).

    Raises: UsageError when there is none; ConfigError when a plug-in is broken.
    """
    own = FLASHERS.get(name)
    if own is not None:
        module, attribute = own
        return cast(Flasher, getattr(import_module(f".{module}", __package__), attribute)(*_parts(name)))
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP, name=name):
        try:
            return cast(Flasher, entry.load()())
        except Exception as error:
            raise ConfigError(
                "config.flasher", name=name, kind=type(error).__name__, cause=error, origin=entry.value
            ) from error
    raise UsageError("usage.flasher", name=name, known=["auto", *FLASHERS])
