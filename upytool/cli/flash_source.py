"""Which firmware the command line means: a project's own, and names of boards for the shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .app import App

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from ..api.flash import FirmwareSettings, FirmwareWish


def complete_boards(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Names of boards for the shell, in the case that they have."""
    from click.shell_completion import CompletionItem

    from ..api.firmware_source import board_names

    start = incomplete.upper().replace("-", "_")
    return [CompletionItem(name, help=product) for name, product in board_names().items() if name.startswith(start)]


def firmware_settings(app: App) -> FirmwareSettings:
    """Where this run gets firmware from."""
    from ..api.flash import FirmwareSettings

    return FirmwareSettings(app.settings.firmware_url, app.settings.offline)


def of_project(app: App, which: FirmwareWish) -> FirmwareWish:
    """In a project that builds firmware, the firmware that it built is what is meant where nothing else is named."""
    from ..api import flash

    if not app.settings.project_file:
        return which
    found = flash.of_project(Path(app.settings.project_file), which)
    if found != which:
        app.note(f"This project's firmware: {found.file}")
    return found
