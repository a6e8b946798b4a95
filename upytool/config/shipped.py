"""Files of `firmware/` that upytool brings along: in a checkout beside the package, in a wheel inside of it."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError


def shipped(*names: str) -> Path:
    """The path of a file or folder below `firmware/`. In a wheel that is `upytool/_firmware` (see .hatch_build.py).

    Raises: ConfigError when the installation lacks it.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_firmware", package.parent / "firmware"):
        place = folder.joinpath(*names)
        if place.exists():
            return place
    raise ConfigError("config.not-shipped", path="/".join(names))
