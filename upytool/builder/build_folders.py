"""Build folders in the cache: one for all that a compiler sees, one build at a time in each, unused ones removed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from ..errors import BuildError
from ..events import NULL, Reporter, notice
from .base import Recipe
from .container import Container
from .run_build import LIMIT
from .source_board import SourceBoard
from .source_tree import Tree

UNUSED = 45 * 86400.0  # seconds: a build folder takes up to a hundred megabytes


def build_folder(cache: Path, tree: Tree, board: SourceBoard, recipe: Recipe, container: Container | None) -> Path:
    """Where a board is built: two builds of one folder differ by frozen modules alone."""
    parts = [str(tree.path), tree.commit, board.build_name, str(board.directory), str(recipe.epoch), tree.tag]
    parts += [f"{name}={value}" for name, value in recipe.options if "MANIFEST" not in name]
    parts += [str(each.resolve()) for each in recipe.c_modules]
    parts.append(container.digest if container is not None else "")
    return cache / "source" / f"{board.build_name}-{sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"


@contextmanager
def alone(build: Path, reporter: Reporter = NULL) -> Iterator[None]:
    """Hold a build folder. Raises: BuildError when another build does so for hours."""
    from filelock import FileLock, Timeout

    build.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{build}.lock")
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            notice(reporter, "another upytool builds this board: waiting for it")
            lock.acquire(timeout=LIMIT)
    except Timeout:
        raise BuildError("build.locked", path=build) from None
    try:
        if build.is_dir():
            os.utime(build)
        yield
    finally:
        lock.release()


def forget_old(cache: Path, now: float | None = None) -> list[Path]:
    """Remove the build folders that nobody used for weeks; gives their paths."""
    from filelock import FileLock, Timeout

    limit = (time.time() if now is None else now) - UNUSED
    removed = []
    for folder in (cache / "source").iterdir():
        try:
            if not folder.is_dir() or folder.stat().st_mtime > limit:
                continue
            with FileLock(f"{folder}.lock", timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
                removed.append(folder)
        except (OSError, Timeout):
            continue
    return removed
