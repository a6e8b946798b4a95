"""Files: between this computer and a board, and what a project says of them.

    with upytool.connect() as board:
        board.fs.copy("main.py", ":")
        project = files.project_sync(Path("."))              # [sync] of upytool.toml
        board.fs.sync(project.local, project.remote, delete=project.delete)

Everything about the files of one board is a method of `board.fs` (upytool.device.fs).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..events import NULL, Reporter
from ..place import Place

if TYPE_CHECKING:
    from ..device.copy import CopyResult as CopyResult
    from ..device.diff import Difference as Difference
    from ..device.diff import DiffResult as DiffResult
    from ..project.load import Project as Project

__all__ = ["Place", "copy_here", "project_sync"]


def copy_here(
    sources: Sequence[str],
    dest: str,
    *,
    recursive: bool = False,
    force: bool = False,
    dry_run: bool = False,
    ignore: Sequence[str] = (),
    default_ignores: bool = True,
    reporter: Reporter = NULL,
) -> CopyResult:
    """Copy from this computer to this computer; no board is needed.

    Arguments and errors are those of `RemoteFS.copy`.
    """
    from ..device.copy import CopyOptions
    from ..device.copy_local import copy_locally

    options = CopyOptions(recursive, force, dry_run, ignore=tuple(ignore), default_ignores=default_ignores)
    return copy_locally(sources, dest, options, reporter)


def project_sync(start: Path) -> Project:
    """The project of a directory, with its [sync]. Errors: ConfigError; UsageError where there is none."""
    from ..project.load import find_project

    project = find_project(start)
    if project is None or not project.has_sync:
        where = f"{project.file} has no [sync] table" if project else "there is no upytool.toml here or above"
        raise UsageError(f"sync needs two directories: {where}", hint="upytool sync src :/app")
    return project
