"""`upytool edit`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from ...errors import LocalFileError, UpytoolError, UsageError
from ...words import Said
from ..app import App, pass_app
from ..group import define
from ..params import RemotePath

if TYPE_CHECKING:
    from pathlib import Path


@define(
    "edit",
    examples=[
        ("upytool edit :main.py", "in $VISUAL, $EDITOR, or what this system has"),
        ("upytool edit :new.py", "a file that does not exist yet"),
    ],
)
@click.argument("files", type=RemotePath(named=True), nargs=-1, required=True)
@pass_app
def command(app: App, files: tuple[str, ...]) -> None:
    """Edit files of the board in your editor.

    Only what was changed is written back, and as safely as `cp` does it. When that fails, your text is kept on
    this computer, and the error says where.
    """
    from ...api import files as board_files

    device = app.device()
    for file in files:
        app.echo(f"edit :{file}")
        before = board_files.read_or_none(device.fs, file)
        path = _scratch(file, before or b"")
        try:
            _open_editor(path)
            after = _read(path)
            # An empty file that did not exist was not made on purpose: the editor was left without saving.
            if after != (before or b""):
                device.fs.write_bytes(file, after)
            else:
                app.note(f"{file} was not changed" if before is not None else f"{file} was not created: it is empty")
        except BaseException as error:
            if _holds(path, before or b""):
                _throw_away(path)
            elif isinstance(error, UpytoolError):
                error.advise(Said("cli.your-text", path=str(path)), first=True)
            else:
                app.warn(f"your text is in {path}")
            raise
        _throw_away(path)


def _holds(path: Path, contents: bytes) -> bool:
    """Whether there is nothing in the file that is not on the board."""
    try:
        return path.read_bytes() == contents
    except OSError:
        return False


def _throw_away(path: Path) -> None:
    """The scratch file and its folder, with what the editor left beside it."""
    from shutil import rmtree

    rmtree(path.parent, ignore_errors=True)


def _scratch(file: str, contents: bytes) -> Path:
    """A local file with the board's contents, named as on the board, for the editor to see what it is."""
    import tempfile
    from pathlib import Path

    name = file.rstrip("/").rpartition("/")[2]
    if os.name == "nt":
        name = "".join("_" if char in '\\:*?"<>|' else char for char in name)
    folder = ""
    try:
        # No scratch directory: what somebody wrote is not swept away after a crash.
        folder = tempfile.mkdtemp(prefix="upytool-edit-")
        path = Path(folder) / (name if name not in ("", ".", "..") else "file")
        path.write_bytes(contents)
    except OSError as error:
        if folder:
            _throw_away(Path(folder) / "file")
        raise LocalFileError("local-file.no-copy-to-edit", reason=error.strerror or str(error)) from error
    return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LocalFileError("local-file.after-editing", path=path, reason=error.strerror or str(error)) from error


def _open_editor(path: Path) -> None:
    import shlex
    import subprocess

    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    try:
        words = shlex.split(chosen, posix=os.name != "nt") if chosen else []
    except ValueError as error:
        raise UsageError("usage.editor-command", command=chosen) from error
    words = words or _default_editor()
    try:
        status = subprocess.call([*words, str(path)])
    except OSError as error:
        raise UsageError("usage.editor-not-started", editor=words[0], reason=error.strerror) from error
    if status:
        raise UsageError("usage.editor-failed", status=status)


def _default_editor() -> list[str]:
    if os.name == "nt":
        return ["notepad"]
    if sys.platform == "darwin":
        return ["open", "-W", "-t"]
    from shutil import which

    for name in ("sensible-editor", "nano", "vim", "vi"):
        if which(name):
            return [name]
    raise UsageError("usage.no-editor")
