"""`upytool sleep`."""

from __future__ import annotations

import time

import click

from ...errors import UsageError
from ..app import App, pass_app
from ..group import define


@define("sleep", examples=[("upytool reset sleep 2 exec 1", "give the board time to start")])
@click.argument("seconds", type=float)
@pass_app
def command(app: App, seconds: float) -> None:
    """Wait some seconds between two commands."""
    if not 0 <= seconds <= 86400:
        raise UsageError("usage.sleep-seconds")
    time.sleep(seconds)
