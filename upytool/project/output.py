"""The firmware that a project was built into last, for `upytool flash` without a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from ..config.paths import inside_project
from ..errors import BuildError
from .build_lock import NAME, read_lock
from .load import read_project_table


@dataclass(frozen=True, slots=True)
class ProjectFirmware:
    """A finished build; `path` holds the very bytes that the lock names."""

    path: Path
    sha256: str
    board: str


def project_firmware(file: Path) -> ProjectFirmware | None:
    """The output of the project whose file this is; None where it is not a project that builds firmware.

    Args:
        file: upytool.toml or pyproject.toml.

    Raises: BuildError when it was not built, or the file is not the one that was built; ConfigError.
    """
    if not read_project_table(file).get("build"):
        return None
    lock = read_lock(file.parent / NAME)
    name = str(lock.output.get("file") or "") if lock is not None else ""
    if lock is not None and not name:
        raise BuildError("build.output-outside")
    if lock is None:
        raise BuildError("build.not-built", file=file.name)
    path = Path(inside_project(file.parent, name, f"{NAME}: output"))
    if not os.path.isfile(path):
        raise BuildError("build.output-gone", name=name)
    with open(path, "rb") as stream:
        digest = file_digest(stream, "sha256").hexdigest()
    if digest != lock.output.get("sha256"):
        raise BuildError("build.output-changed", name=name, lock=NAME)
    firmware = lock.pins.get("firmware")
    return ProjectFirmware(path, digest, str(firmware.get("build", "")) if isinstance(firmware, dict) else "")
