"""`upytool.lock`: everything that decided a build, so that it can be had again, and proven to be the same.

JSON with sorted keys. `request` is what the project asked for; as long as it asks for the same, the pins count.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import documents
from ..builder.base import BuildResult
from ..config.paths import inside_project
from ..errors import ConfigError, LocalFileError, PackageError
from ..whole_file import write_whole
from .build_table import BuildTable

if TYPE_CHECKING:
    from ..packages.resolver import Resolution

NAME = "upytool.lock"


@dataclass(frozen=True)
class BuildLock:
    """A read lock.

    Attributes:
        request: what was asked for: board, variant, version, firmware, source, packages.
        pins: what it came to, as the builder recorded it.
        packages: resolved, with whole digests; None where there are none.
        output: "file" (below the project), "sha256" and "bytes" of what was built.
    """

    request: Mapping[str, Any]
    pins: Mapping[str, Any] = field(default_factory=dict)
    packages: Resolution | None = None
    output: Mapping[str, Any] = field(default_factory=dict)


def lock_path(table: BuildTable) -> Path:
    """The lock of a project. Raises: ConfigError where a link of that name leads out of the project."""
    return Path(inside_project(table.root, NAME, "the lock"))


def request_of(table: BuildTable) -> dict[str, Any]:
    """What of a project decides which firmware and packages are taken."""
    request = {
        "kind": table.kind or "image",
        "board": table.board,
        "variant": table.variant,
        "version": table.version,
        "firmware": table.firmware,
        "source": table.source,
        "flash_size": table.flash_size,
        "manifest": table.manifest,
        "c_modules": list(table.c_modules),
        "make": dict(table.make),
        "container": table.container,
        "packages": dict(table.packages or {}),
    }
    return {key: _redacted(value) for key, value in request.items()}


def _redacted(value: Any) -> Any:
    """A value without the passwords and tokens of the addresses in it: the lock goes under version control."""
    from ..secret import redact

    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(each) for key, each in value.items()}
    return [_redacted(each) for each in value] if isinstance(value, list) else value


def read_lock(path: Path) -> BuildLock | None:
    """The lock, None where there is none. Raises: ConfigError when it is damaged or newer."""
    if not os.path.lexists(path):
        return None
    try:
        raw = documents.read_json(path)
    except ConfigError as error:
        raise ConfigError("config.build-lock-unreadable", cause=error) from None
    try:
        if raw["v"] != 1:
            raise ConfigError("config.build-lock-newer", path=path)
        packages = raw.get("packages")
        resolution = None
        if packages is not None:
            from ..packages.lockfile import package_from
            from ..packages.resolver import Resolution

            resolution = Resolution(tuple(package_from(each, path.parent) for each in packages))
        return BuildLock(dict(raw["request"]), _checked_pins(raw["pins"]), resolution, dict(raw["output"]))
    except (KeyError, TypeError, ValueError, AttributeError, PackageError) as error:
        raise ConfigError("config.build-lock-damaged", path=path, reason=error) from None


def _checked_pins(raw: Any) -> dict[str, Any]:
    """The pins, those that are read again of the right shape. Raises what `read_lock` takes for damage."""
    pins = dict(raw)
    for name in ("firmware", "source", "layout"):
        if not isinstance(pins.get(name) or {}, dict):
            raise TypeError(name)
    filesystem = (pins.get("layout") or {}).get("filesystem")
    if filesystem:
        index(filesystem["start"]), index(filesystem["size"]), str(filesystem["kind"])
    return pins


def write_lock(path: Path, table: BuildTable, packages: Resolution | None, result: BuildResult) -> bool:
    """Write what a build was made of; False where the file says so already. Raises: LocalFileError."""
    document = {
        "v": 1,
        "request": request_of(table),
        "pins": _redacted(result.pins),
        "packages": None if packages is None else _package_data(packages, path.parent),
        "output": {"file": _below(result.output, path.parent), "sha256": result.sha256, "bytes": result.bytes},
    }
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    try:
        if path.is_file() and documents.read_bytes(path) == text.encode():
            return False
        write_whole(path, text.encode(), durable=True)
    except OSError as error:
        raise LocalFileError("local-file.cannot-write", path=path, reason=error.strerror or error) from error
    return True


def _package_data(packages: Resolution, folder: Path) -> list[Any]:
    from ..packages.lockfile import package_data

    return [package_data(each, folder) for each in packages.packages]


def _below(output: Path, root: Path) -> str:
    """The output as the lock names it: relative, the same on every computer; "" for one elsewhere."""
    place, top = output.resolve(), root.resolve()
    return place.relative_to(top).as_posix() if place.is_relative_to(top) else ""


def moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What another firmware means for the files of a board that has the old one, a sentence; "" for nothing.

    Args:
        old, new: pins of two builds.
    """
    before, after = (dict(pins.get("layout") or {}).get("filesystem") for pins in (old, new))
    if not before or dict(old.get("firmware") or {}).get("sha256") == dict(new.get("firmware") or {}).get("sha256"):
        return ""
    save = "save them first: `upytool backup`"
    was = f"{before['start']:#x}, {before['size'] >> 10} KiB"
    if not after:
        return f"the new firmware has no file system where the old one has ({was}): a board's files are lost, {save}"
    if (before["start"], before["size"], before["kind"]) != (after["start"], after["size"], after["kind"]):
        now = f"{after['start']:#x}, {after['size'] >> 10} KiB"
        return f"the file system moves from {was} to {now} with this firmware: a board's files are lost, {save}"
    return "the new firmware looks for the board's files where the old one does"


def changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Where two sets of pins differ, a line each: `files.app.mpy.sha256: 1234... is now 5678...`."""
    found: list[str] = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        name = f"{prefix}{key}"
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += changes(before, after, name + ".")
        elif before != after:
            found.append(f"{name}: {_short(before)} is now {_short(after)}")
    return found


def _short(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value, sort_keys=True)
    return text if len(text) <= 40 else text[:37] + "..."
