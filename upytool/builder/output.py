"""The finished file: whole under its name, or not there at all."""

from __future__ import annotations

from pathlib import Path

from ..config.paths import inside_project
from ..errors import BuildError
from ..whole_file import write_whole
from .base import Recipe


def default_output(recipe: Recipe, board: str, suffix: str) -> Path:
    """`build/BOARD.EXT` below the project's folder. Raises: BuildError where a link leads out of it."""
    name = recipe.root.resolve().name or "firmware"
    file = f"build/{name}-{board or 'firmware'}{suffix}"
    return Path(inside_project(recipe.root, file, "the output", error=BuildError))


def write_output(path: Path, data: bytes) -> bool:
    """Write in one step; True when the file held these very bytes already. Raises: BuildError."""
    try:
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return True
    except OSError:
        pass
    try:
        write_whole(path, data, durable=True, parents=True)
    except OSError as error:
        reason = error.strerror or error
        raise BuildError("build.cannot-write", path=path, reason=reason) from error
    return False
