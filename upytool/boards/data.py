"""The data files of this room: in the checkout's `firmware/boards`, or in the wheel's copy."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

from ..config.shipped import shipped


def data_dir() -> str:
    """The folder `firmware/boards`. Raises: ConfigError when the installation lacks it."""
    return str(shipped("boards"))


@cache
def load(name: str) -> Any:
    """The content of one file, read once."""
    with open(os.path.join(data_dir(), name), encoding="utf-8") as file:
        return json.load(file)
