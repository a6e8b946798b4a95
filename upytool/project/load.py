"""The tables of a project's file that say what goes to the board.

[sync]
local = "src"           # below the file's folder
remote = "/app"
delete = true
keep = ["*.log", "data/"]
mpy = false

[ignore]
patterns = ["tests/", "*.md"]
defaults = true         # dot files, __pycache__, *.pyc
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import documents
from ..config.paths import find_project_file, inside_project
from ..errors import ConfigError

_SYNC = {"local": str, "remote": str, "delete": bool, "keep": list, "mpy": bool}
_IGNORE = {"patterns": list, "defaults": bool}
_TYPES = {str: "a text", bool: "true or false", list: "a list of texts"}


@dataclass(frozen=True, slots=True)
class Project:
    """What a project says about copying.

    Attributes:
        file: where it was read.
        local: the folder to be synced, an absolute path.
        remote: the folder of the board.
        delete, keep, mpy, ignore, default_ignores: as for RemoteFS.sync.
        has_sync: whether there is a [sync] table; without one nothing says that the folder belongs on a board.
    """

    file: Path
    local: Path
    remote: str = "/"
    delete: bool = False
    keep: tuple[str, ...] = ()
    mpy: bool = False
    ignore: tuple[str, ...] = ()
    default_ignores: bool = True
    has_sync: bool = False


def find_project(start: Path) -> Project | None:
    """The project that `start` is in, None where there is none. Errors: ConfigError."""
    found = find_project_file(str(start))
    return load_project(Path(found)) if found else None


def read_project_table(file: Path) -> Mapping[str, Any]:
    """All of `upytool.toml`, or `[tool.upytool]` of a pyproject.toml. Errors: ConfigError with the file's name."""
    try:
        data: Mapping[str, Any] = documents.read_toml(file)
    except ConfigError as error:
        if not error.hints:
            error.advise("project.fix-it")
        raise
    return _table(_table(data, "tool", file), "upytool", file) if file.name == "pyproject.toml" else data


def load_project(file: Path) -> Project:
    """What a project's file says about copying. Errors: ConfigError with the file's name."""
    data = read_project_table(file)
    sync = _checked(_table(data, "sync", file), _SYNC, "sync", file)
    ignore = _checked(_table(data, "ignore", file), _IGNORE, "ignore", file)
    remote = str(sync.get("remote", "/")).removeprefix(":")
    local = Path(inside_project(file.parent, str(sync.get("local", ".")), "sync.local")).resolve()
    return Project(
        file,
        local,
        remote,
        bool(sync.get("delete", False)),
        tuple(sync.get("keep", ())),
        bool(sync.get("mpy", False)),
        tuple(ignore.get("patterns", ())),
        bool(ignore.get("defaults", True)),
        "sync" in data,
    )


def _table(data: Mapping[str, Any], name: str, file: Path) -> Mapping[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError("config.project-table", path=file, table=name)
    return table


def _checked(table: Mapping[str, Any], known: Mapping[str, type[Any]], name: str, file: Path) -> Mapping[str, Any]:
    for key, value in table.items():
        kind = known.get(key)
        if kind is None:
            raise ConfigError("config.unknown-key", path=file, table=name, key=key, known=list(known))
        items = value if isinstance(value, list) else []
        if not isinstance(value, kind) or not all(isinstance(item, str) for item in items):
            raise ConfigError("config.wrong-value", path=file, key=f"{name}.{key}", expected=_TYPES[kind])
    return table
