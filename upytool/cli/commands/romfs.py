"""`upytool romfs`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ... import documents, limits
from ...config.paths import working_dir
from ...errors import DeviceSelectionError, ImageError, LocalFileError, TransportError, UsageError
from ..app import App, pass_app
from ..group import define_group
from ..params import LocalPath
from ..ui.text import plural, rows, size

if TYPE_CHECKING:
    from ...device.info import BoardInfo
    from ...device.romfs import Deployed, RomPartition
    from ...device.romfs_folder import Content
    from ...image.romfs import Romfs

Option = Callable[[Callable[..., Any]], Callable[..., Any]]

partition_option: Option = click.option(
    "--partition", "-p", type=click.IntRange(0), default=0, metavar="N", help="Which ROMFS partition (0)."
)
mpy_option: Option = click.option(
    "--mpy/--no-mpy", "-m", default=None, help="Compile .py files to .mpy (the default), or keep the sources."
)
folder_options: tuple[Option, ...] = (
    click.option("--ignore", multiple=True, metavar="PATTERN", help="Leave these out as well; may be given again."),
    click.option("--all", "everything", is_flag=True, help="Take dot files, __pycache__ and the like too."),
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
@click.argument("path", type=LocalPath(), required=False, help="An image file; the board's partitions if left out.")
@click.option("--partition", "-p", type=click.IntRange(0), metavar="N", help="Only this partition.")
@pass_app
def query(app: App, path: str | None, partition: int | None) -> None:
    """Show the ROMFS partitions of the board and what is in them."""
    if path is not None:
        image = _image_file(path)
        files = sum(1 for entry in image.entries if not entry.directory)
        data = {"file": path, "size": image.size, "files": files}
        app.emit(data, f"{path}: {image.size} bytes, {plural(files, 'file')}")
        return
    from ...device import romfs

    device = app.device()
    if partition is None:
        found = device.drive(romfs.query(device.session))
    else:
        found = [device.drive(romfs.partition(device.session, partition))]
    body = [(part.number, part.size, part.unit, _holds(part)[1]) for part in found]
    app.emit(
        [_partition_data(part) for part in found],
        lambda style: rows(style, ["partition", "size", "erase unit", "image"], body, align="rrrl"),
    )


def _partition_data(part: RomPartition) -> dict[str, object]:
    return {
        "partition": part.number,
        "size": part.size,
        "unit": part.unit,
        "block_device": part.block_device,
        "image_size": _holds(part)[0],
        "head": part.head.hex(),
    }


def _holds(part: RomPartition) -> tuple[int | None, str]:
    """The size of the image in a partition, None for none, and the same in words."""
    from ...image.romfs import image_size

    if not part.holds_image:
        return None, "none"
    try:
        length = image_size(part.head)
    except ImageError:
        return None, "damaged"
    if length > part.size:
        return None, "damaged"
    return length, f"{length} bytes ({100 * length / part.size:.0f} %)"


@command.command(
    "build",
    examples=[
        ("upytool romfs build lib", "makes lib.romfs"),
        ("upytool romfs build -o app.romfs src", "under another name"),
        ("upytool romfs build --arch armv7emsp src", "with native code, no board needed"),
        ("upytool romfs build --no-mpy data", "as it is"),
    ],
)
@click.argument("path", type=LocalPath(directories=True), required=False, help="The directory.")
@click.option("--output", "-o", metavar="FILE", help="The image; PATH.romfs where not given.")
@mpy_option
@click.option("--arch", metavar="NAME", help="Compile native code for this architecture, as mpy-cross names it.")
@click.option("--mpy-version", metavar="VERSION", help="Compile for boards that load this version of .mpy (6.3).")
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
        raise UsageError("romfs build needs the directory to make an image of", hint="upytool romfs build lib")
    if mpy is False and (arch or mpy_version):
        raise UsageError("--no-mpy compiles nothing: --arch and --mpy-version have no meaning with it")
    from ...device.local import FileSink

    board = None if mpy is False else _board_to_build_for(app, arch, mpy_version)
    target = Path(output) if output else _default_output(path)
    content, image = _make(app, path, board, ignore, everything, target)
    sink = FileSink(target)
    sink.write(image)
    sink.done()
    app.emit(
        {
            "output": str(target),
            "size": len(image),
            "files": sorted(content.files),
            "compiled": list(content.compiled),
        },
        str(target),
    )
    app.note(f"{_counted(content)}, {size(len(image))}")


def _default_output(path: str) -> Path:
    folder = Path(path)
    return folder.with_name(folder.name + ".romfs") if folder.name else Path(Path(working_dir(), path).name + ".romfs")


def _board_to_build_for(app: App, arch: str | None, mpy_version: str | None) -> BoardInfo | None:
    """What to compile for; a board is only asked where one was named."""
    from ...device.romfs_folder import target_board

    if arch or mpy_version:
        return target_board(mpy_version or "6.3", arch or "")
    if app.connected or app.settings.origins.get("device", ("",))[0] == "flag":
        return _loads_mpy(app, app.device().info)
    if app.selector:
        try:
            return _loads_mpy(app, app.device().info)
        except (DeviceSelectionError, TransportError) as error:
            app.warn(f"{error}: compiled for any board of .mpy version 6, without native code")
    return target_board()


def _loads_mpy(app: App, board: BoardInfo) -> BoardInfo | None:
    if board.mpy_version:
        return board
    app.warn("this board loads no .mpy files: the sources are taken")
    return None


def _make(
    app: App,
    path: str,
    board: BoardInfo | None,
    ignore: tuple[str, ...],
    everything: bool,
    output: Path | None = None,
) -> tuple[Content, bytes]:
    """Content and image of a folder, read back before anybody gets it."""
    from ...device.romfs_folder import check_modules, collect
    from ...image.romfs import build_romfs, read_romfs

    content = collect(
        path,
        board,
        ignore=ignore,
        default_ignores=not everything,
        leave_out=output,
        reporter=app.reporter,
    )
    if board is not None:
        check_modules(content, board, app.reporter)
    image = build_romfs(content.files, directories=content.directories)
    if dict(read_romfs(image).files()) != content.files:
        raise ImageError("the image does not read back as what was put in", hint="please report this")
    for name in sorted(content.files):
        app.detail(f"{name}  {len(content.files[name])} bytes")
    return content, image


def _counted(content: Content) -> str:
    said = plural(len(content.files), "file")
    return f"{said}, {len(content.compiled)} compiled" if content.compiled else said


@command.command(
    "deploy",
    examples=[
        ("upytool romfs deploy lib", "a directory, compiled for this board"),
        ("upytool romfs deploy lib.romfs", "an image that is made already"),
        ("upytool romfs deploy -p 1 data", "into the second partition"),
        ("upytool romfs deploy lib --no-reset", "the board goes on (as with `resume`), and sees it after a reset"),
    ],
)
@click.argument("path", type=LocalPath(), required=False, help="A directory, or an image.")
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
        raise UsageError("romfs deploy needs a directory or an image", hint="upytool romfs deploy lib")
    from ...device import romfs

    if os.path.isdir(path):
        device = app.device()
        board = None if mpy is False else _loads_mpy(app, device.info)
        image = _make(app, path, board, ignore, everything)[1]
    else:
        found = _image_file(path)
        image = found.raw[: found.size]
        device = app.device()
    work = romfs.deploy(
        device.fs.ops, image, partition, reset=app.settings.reset and not app.resumed, reporter=app.reporter
    )
    result = device.drive(work)
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
@click.argument("path", type=LocalPath(), required=False, help="An image; the board's partition if left out.")
@partition_option
@pass_app
def ls(app: App, path: str | None, partition: int) -> None:
    """List what is in an image, in a file or on the board."""
    image = _image(app, path, partition)
    entries = sorted(image.entries, key=lambda entry: entry.path.split("/"))
    body = [(entry.path + "/", None) if entry.directory else (entry.path, entry.size) for entry in entries]
    app.emit(
        [{"path": entry.path, "kind": "dir" if entry.directory else "file", "size": entry.size} for entry in entries],
        (lambda style: rows(style, ["path", "size"], body, align="lr")) if body else "",
    )


@command.command(
    "extract",
    examples=[
        ("upytool romfs extract lib.romfs", "into the directory lib"),
        ("upytool romfs extract -o saved", "what the board has"),
    ],
)
@click.argument("path", type=LocalPath(), required=False, help="An image; the board's partition if left out.")
@click.option("--output", "-o", metavar="DIR", help="The directory; the image's name without .romfs, or romfs-N.")
@click.option("--force", "-f", is_flag=True, help="Write into a directory that holds something, over what is there.")
@partition_option
@pass_app
def extract(app: App, path: str | None, output: str | None, force: bool, partition: int) -> None:
    """Write the files of an image into a directory."""
    from ...device.romfs_folder import save

    image = _image(app, path, partition)
    if output is None:
        output = f"romfs-{partition}" if path is None else str(Path(path).with_suffix(""))
    files = dict(image.files())
    save(files, [entry.path for entry in image.entries if entry.directory], Path(output), force=force)
    app.emit({"output": output, "files": sorted(files)}, output)
    app.note(f"{plural(len(files), 'file')}, {size(sum(map(len, files.values())))}")


def _image(app: App, path: str | None, number: int) -> Romfs:
    """The image of a file or of a partition of the board. Errors: ImageError."""
    if path is not None:
        return _image_file(path)
    from ...device import romfs
    from ...image.romfs import image_size, read_romfs

    device = app.device()
    part = device.drive(romfs.partition(device.session, number))
    if not part.holds_image:
        raise ImageError(f"ROMFS partition {number} holds no image", hint="`upytool romfs deploy` puts one there")
    length = min(image_size(part.head), part.size)
    return read_romfs(device.drive(romfs.read(device.fs.ops, part, length, reporter=app.reporter)))


def _image_file(path: str) -> Romfs:
    """A checked image from a file. Errors: LocalFileError, ImageError."""
    from ...image.romfs import read_romfs

    data = documents.read_bytes(path, error=LocalFileError, limit=limits.IMAGE_BYTES)
    try:
        return read_romfs(data)
    except ImageError as error:
        raise ImageError(f"{path}: {error}", hint=error.hint) from error
