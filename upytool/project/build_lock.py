"""`upytool.lock`: everything that decided a build, so that it can be had again, and proven to be the same.

JSON with sorted keys. `request` is what the project asked for; as long as it asks for the same, the pins count.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..build.base import BuildResult
from ..errors import ConfigError, LocalFileError, PackageError
from ..packages.lockfile import package_data, package_from
from ..packages.resolver import Resolution
from .build_table import BuildTable

NAME = "upytool.lock"


@dataclass(frozen=True)
class BuildLock:
    """A read lock.

    Attributes:
        request: what was asked for: board, variant, version, firmware, source, packages.
        pins: what it came to, as the builder recorded it.
        packages: resolved, with whole digests; None where there are none.
        output: "sha256" and "bytes" of the file that was built.
    """

    request: Mapping[str, Any]
    pins: Mapping[str, Any] = field(default_factory=dict)
    packages: Resolution | None = None
    output: Mapping[str, Any] = field(default_factory=dict)


def lock_path(table: BuildTable) -> Path:
    return table.root / NAME


def request_of(table: BuildTable) -> dict[str, Any]:
    """What of a project decides which firmware and packages are taken."""
    return {
        "kind": table.kind or "image",
        "board": table.board,
        "variant": table.variant,
        "version": table.version,
        "firmware": table.firmware,
        "source": table.source,
        "packages": dict(table.packages or {}),
    }


def read_lock(path: Path) -> BuildLock | None:
    """The lock, None where there is none. Raises: ConfigError when it is damaged or newer."""
    try:
        raw = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="remove it: the next build makes it anew") from error
    try:
        if raw["v"] != 1:
            raise ConfigError(f"{path} was written by a newer upytool", hint="pip install -U upytool")
        packages = raw.get("packages")
        resolution = None
        if packages is not None:
            resolution = Resolution(tuple(package_from(each, path.parent) for each in packages))
        return BuildLock(dict(raw["request"]), dict(raw["pins"]), resolution, dict(raw["output"]))
    except (KeyError, TypeError, ValueError, AttributeError, PackageError) as error:
        raise ConfigError(f"{path} is damaged: {error!r}", hint="remove it: the next build makes it anew") from None


def write_lock(path: Path, table: BuildTable, packages: Resolution | None, result: BuildResult) -> bool:
    """Write what a build was made of; False where the file says so already. Raises: LocalFileError."""
    document = {
        "v": 1,
        "request": request_of(table),
        "pins": result.pins,
        "packages": None if packages is None else [package_data(each, path.parent) for each in packages.packages],
        "output": {"sha256": result.sha256, "bytes": result.bytes},
    }
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return False
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise LocalFileError(f"{path} cannot be written: {error.strerror or error}") from error
    return True


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
