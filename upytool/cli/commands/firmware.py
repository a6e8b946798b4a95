"""`upytool firmware`: firmware files."""

from __future__ import annotations

import click

from ...errors import ImageError
from ..app import App, pass_app
from ..group import define_group
from ..params import LocalPath


@define_group(
    "firmware",
    examples=[("upytool firmware inspect firmware.uf2", "what is in a firmware file")],
)
def command() -> None:
    """Look at firmware files."""


@command.command(
    "inspect",
    examples=[
        ("upytool firmware inspect firmware.uf2", "chip, version, board, frozen modules, file system"),
        ("upytool firmware inspect ESP32_GENERIC.bin --json", "the same for programs"),
    ],
)
@click.argument(
    "file", type=LocalPath(), help="A firmware file: UF2, DfuSe, Intel HEX, ESP image or raw image."
)
@pass_app
def inspect(app: App, file: str) -> None:
    """Say all that a firmware file tells about itself.

    The format is told by the content, not by the name. Fails when a check sum in the file does not agree.
    """
    from ...image.base import FirmwareImage
    from ...image.inspect import inspect as look

    image = FirmwareImage.read(file)
    found = look(image)
    app.emit(found)
    if not found.valid:
        if app.settings.json:  # the document says so already, a second one would follow it
            click.get_current_context().exit(ImageError.exit_code)
        image.require_valid()
