"""`upytool dirs`."""

from __future__ import annotations

import click

from ...config import paths
from ..app import App, pass_app
from ..group import define
from ..ui.text import rows


@define(
    "dirs",
    examples=[
        ("upytool dirs", "every directory"),
        ("upytool dirs cache", "one of them, for a script"),
    ],
)
@click.argument("which", type=click.Choice(("config", "cache", "state", "data")), required=False)
@pass_app
def command(app: App, which: str | None) -> None:
    """Show where upytool keeps its configuration, cache, state and data.

    The environment variables UPYTOOL_CONFIG_DIR, UPYTOOL_CACHE_DIR, UPYTOOL_STATE_DIR and UPYTOOL_DATA_DIR
    put them elsewhere. The cache may be deleted at any time.
    """
    found = {
        "config": paths.config_dir(),
        "cache": paths.cache_dir(),
        "state": paths.state_dir(),
        "data": paths.data_dir(),
    }
    if which:
        app.emit(found[which], found[which])
    else:
        app.emit(found, lambda style: rows(style, ["what", "where"], found.items()))
