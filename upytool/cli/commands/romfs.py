"""`upytool romfs`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...config.paths import working_dir
from ...errors import DeviceSelectionError, TransportError, UsageError
from ..app import App, pass_app
from ..group import define_group
from ..imaging import entry_rows, show_extracted
from ..params import LocalPath
from ..ui.text import plural, rows, size

if TYPE_CHECKING:
    from ...api.images import FsVolume
    from ...api.romfs import BoardInfo, Deployed, Partition

Option = Callable[[Callable[..., Any]], Callable[..., Any]]

partition_option: Option = click.option(
    "--partition", "-p", type=click.IntRange(0), default=0, metavar="N", help="ROMFS partition (default: 0)."
)
mpy_option: Option = click.option(
    "--mpy/--no-mpy", "-m", default=None, help="Compile .py files to .mpy (default), or keep the sources."
)
folder_options: tuple[Option, ...] = (
    click.option("--ignore", multiple=True, metavar="PATTERN", help="Pattern of files to leave out; repeatable."),
    click.option("--all", "everything", is_flag=True, help="Include dot files, __pycache__ and the like."),
)


def _folder_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(folder_options):
        command = option(command)
    return command


@define_group(
    "romfs",
    examples=[
        ("upytool romfs deploy lib", "a directory, compiled for this board, into its ROMFS"),
        ("upytool romfs query", "what ROMFS the board has"),
        ("upytool romfs build lib", "only make the image, lib.romfs"),
    ],
)
def command() -> None:
    """Read-only file systems in flash: modules that run in place and data that needs no memory.

    The firmware decides whether a board has a partition for one; it appears as /rom.
    """


@command.command(
    "query",
    examples=[
        ("upytool romfs query", "size and content of each partition"),
        ("upytool romfs query lib.romfs", "of an image in a file"),
    ],
)
@click.argument("path", type=LocalPath(), required=False, help="Image file (default: the board's partitions).")
@click.option("--partition", "-p", type=click.IntRange(0), metavar="N", help="Limit to this partition.")
@pass_app
def query(app: App, path: str | None, partition: int | None) -> None:
    """Show the ROMFS partitions of the board and what is in them."""
    from ...api import images, romfs

    if path is not None:
        (listed,) = images.ls(romfs.fetch(path))
        image, files = listed.volume.size, sum(not entry.directory for entry in listed.entries or ())
        data = {"file": path, "size": image, "files": files}
        app.emit(data, f"{path}: {image} bytes, {plural(files, 'file')}")
        return
    found = romfs.query(app.device(), partition)
    body = [(each.number, each.size, each.unit, _holds(each)) for each in found]
    app.emit(
        [each.data() for each in found],
        lambda style: rows(style, ["partition", "size", "erase unit", "image"], body, align="rrrl"),
    )


def _holds(part: Partition) -> str:
    if part.image_size is None:
        return "damaged" if part.damaged else "none"
    return f"{part.image_size} bytes ({100 * part.image_size / part.size:.0f} %)"


@command.command(
    "build",
    examples=[
        ("upytool romfs build lib", "makes lib.romfs"),
        ("upytool romfs build -o app.romfs src", "under another name"),
        ("upytool romfs build --arch armv7emsp src", "with native code, no board needed"),
        ("upytool romfs build --no-mpy data", "without compiling anything"),
    ],
)
@click.argument("path", type=LocalPath(directories=True), required=False, help="Directory of files.")
@click.option("--output", "-o", metavar="FILE", help="Output image (default: PATH.romfs).")
@mpy_option
@click.option("--arch", metavar="NAME", help="Architecture for native code, as mpy-cross names it.")
@click.option("--mpy-version", metavar="VERSION", help=".mpy version to compile for (default: 6.3).")
@_folder_options
@pass_app
def build(
    app: App,
    path: str | None,
    output: str | None,
    mpy: bool | None,
    arch: str | None,
    mpy_version: str | None,
    ignore: tuple[str, ...],
    everything: bool,
) -> None:
    """Make an image of a directory. No board is needed.

    The same directory gives the same image. Modules are compiled for the board that -d or `connect` names, for --arch
    and --mpy-version, or as bytecode for any board of .mpy version 6. Nothing is written beside the sources.
    """
    if path is None:
        raise UsageError("usage.romfs-build-arguments")
    if mpy is False and (arch or mpy_version):
        raise UsageError("usage.romfs-no-mpy")
    from ...api import romfs

    made = romfs.build(
        path,
        output or _default_output(path),
        mpy=mpy is not False,
        board=None if mpy is False or arch or mpy_version else _board_to_build_for(app),
        mpy_version=mpy_version or "",
        arch=arch or "",
        ignore=ignore,
        everything=everything,
        reporter=app.reporter,
    )
    app.emit(made.data(), made.output)
    compiled = f", {len(made.compiled)} compiled" if made.compiled else ""
    app.note(f"{plural(len(made.files), 'file')}{compiled}, {size(made.size)}")


def _default_output(path: str) -> Path:
    folder = Path(path)
    return folder.with_name(folder.name + ".romfs") if folder.name else Path(Path(working_dir(), path).name + ".romfs")


def _board_to_build_for(app: App) -> BoardInfo | None:
    """The board whose modules are compiled; it is only asked where one was named. None is any board."""
    if app.connected or app.settings.origins.get("device", ("",))[0] == "flag":
        return app.device().info
    if app.selector:
        try:
            return app.device().info
        except (DeviceSelectionError, TransportError) as error:
            app.warn(f"{error}: compiled for any board of .mpy version 6, without native code")
    return None


@command.command(
    "deploy",
    examples=[
        ("upytool romfs deploy lib", "a directory, compiled for this board"),
        ("upytool romfs deploy lib.romfs", "an image that is made already"),
        ("upytool romfs deploy -p 1 data", "into the second partition"),
        ("upytool romfs deploy lib --no-reset", "the board goes on (as with `resume`), and sees it after a reset"),
    ],
)
@click.argument("path", type=LocalPath(), required=False, help="Directory or image.")
@partition_option
@mpy_option
@_folder_options
@pass_app
def deploy(
    app: App, path: str | None, partition: int, mpy: bool | None, ignore: tuple[str, ...], everything: bool
) -> None:
    """Put an image into a ROMFS partition of the board, then soft-reset the board so that it uses it.

    Only the blocks that differ are erased and written, where the firmware can erase parts; afterwards all is compared
    on the board. When it stops half way, the partition holds no image, never a damaged one.
    """
    if path is None:
        raise UsageError("usage.romfs-deploy-arguments")
    from ...api import romfs

    # A file is checked before a board is asked.
    image = path if os.path.isdir(path) else romfs.fetch(path)
    result = romfs.deploy(
        app.device(),
        image,
        partition,
        mpy=mpy is not False,
        ignore=ignore,
        everything=everything,
        reset=app.settings.reset and not app.resumed,
        reporter=app.reporter,
    )
    app.emit(result.data(), "")
    _tell(app, result)


def _tell(app: App, result: Deployed) -> None:
    if not result.written:
        app.note(f"ROMFS partition {result.partition} holds this image already ({size(result.size)})")
    elif result.written < result.size:
        app.note(f"Wrote {size(result.written)} of the image's {size(result.size)}; the rest was there already")
    else:
        app.note(f"Wrote {size(result.written)}")
    if result.reset:
        app.note("The board was soft-reset" + (" and has the image at /rom" if result.mounted else ""))
    elif result.written:
        app.note("The board uses it after a soft reset: `upytool soft-reset`")
    if result.mounted is False:
        app.warn("the board did not mount the image at /rom: its firmware may be too old for what is in it")


@command.command(
    "ls",
    examples=[
        ("upytool romfs ls lib.romfs", "what is in an image"),
        ("upytool romfs ls", "in the board's partition"),
    ],
)
@click.argument("path", type=LocalPath(), required=False, help="Image file (default: the board's partition).")
@partition_option
@pass_app
def ls(app: App, path: str | None, partition: int) -> None:
    """List what is in an image, in a file or on the board."""
    from ...api import images

    listed = images.ls(_image(app, path, partition))
    app.emit([entry.data() for entry in listed[0].entries or ()], lambda style: entry_rows(style, listed))


@command.command(
    "extract",
    examples=[
        ("upytool romfs extract lib.romfs", "into the directory lib"),
        ("upytool romfs extract -o saved", "what the board has"),
    ],
)
@click.argument("path", type=LocalPath(), required=False, help="Image file (default: the board's partition).")
@click.option(
    "--output", "-o", metavar="DIR", help="Output directory (default: the image's name without .romfs, or romfs-N)."
)
@click.option("--force", "-f", is_flag=True, help="Write into a directory that is not empty, overwriting files.")
@partition_option
@pass_app
def extract(app: App, path: str | None, output: str | None, force: bool, partition: int) -> None:
    """Write the files of an image into a directory."""
    from ...api import images

    image = _image(app, path, partition)
    if output is None:
        output = f"romfs-{partition}" if path is None else str(Path(path).with_suffix(""))
    show_extracted(app, images.extract(image, output, force=force))


def _image(app: App, path: str | None, partition: int) -> FsVolume:
    """The image of a file, or of a partition of the board."""
    from ...api import romfs

    return romfs.fetch(app.device() if path is None else path, partition, reporter=app.reporter)
