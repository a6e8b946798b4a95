"""The data files of this room: in the checkout's `firmware/boards`, or in the wheel's copy."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

from ..errors import ConfigError


def data_dir() -> str:
    """The folder. In a wheel it is `upytool/_firmware/boards` (see .hatch_build.py).

    Raises: ConfigError when the installation lacks it.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for folder in (os.path.join(package, "_firmware"), os.path.join(os.path.dirname(package), "firmware")):
        if os.path.isfile(os.path.join(folder, "boards", "catalogue.json")):
            return os.path.join(folder, "boards")
    raise ConfigError("the list of boards is missing from this installation", hint="install upytool again")


@cache
def load(name: str) -> Any:
    """The content of one file, read once."""
    with open(os.path.join(data_dir(), name), encoding="utf-8") as file:
        return json.load(file)
