"""Lists of packages in files: a plain list, or the [packages] table of a project.

A plain list (`mip install -r FILE`): one package a line as on the command line, `#` begins a comment,
`-r OTHER` takes another list in; `NAME==1.0` is understood as `NAME@1.0`. Local paths are relative to the
file.

    [packages]                                  # upytool.toml; [tool.upytool.packages] in pyproject.toml
    ringlog = "1.0"                             # an index package; "*" for the newest
    driver = "github:someone/driver@v2"         # any source
    sensors = { source = "github:someone/sensors", ref = "main" }
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from upytool import documents
from upytool.errors import ConfigError, LocalFileError, UpytoolError

from .hosts import Hosts
from .sources import IndexSource, Source, is_index_name, parse_source

_COMMENT = re.compile(r"(^|\s)#.*")


def read_requirements(path: Path, hosts: Hosts) -> list[Source]:
    """The sources that a file lists; a `.toml` is a project's, anything else a plain list.

    Raises:
        LocalFileError: it cannot be read.
        ConfigError: a line is wrong; the message has its number.
    """
    return _read(path, hosts, set())


def _read(path: Path, hosts: Hosts, above: set[Path]) -> list[Source]:
    path = path.expanduser().resolve()
    if path in above:
        raise ConfigError(f"{path.name} takes itself in", hint="remove the circle of -r lines")
    text = documents.read_text(path, error=LocalFileError)
    if path.suffix == ".toml":
        return _from_toml(path, text, hosts)
    found: list[Source] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", line).strip()
        if not line:
            continue
        try:
            if line.startswith("-"):
                option, _, other = line.partition(" ")
                if option not in ("-r", "--requirement") or not other.strip():
                    raise ConfigError(f"{option} is not understood here", hint="a list knows packages and -r")
                found += _read(path.parent / other.strip(), hosts, above | {path})
                continue
            name, equals, version = line.partition("==")
            if equals and is_index_name(name.strip()):
                line = f"{name.strip()}@{version.strip()}"
            found.append(parse_source(line, hosts, base=path.parent))
        except UpytoolError as error:
            if isinstance(error, (ConfigError, LocalFileError)) and "line " in error.message:
                raise
            raise ConfigError(f"{path.name} line {number}: {error.message}", hint=error.hint) from error
    return found


def _from_toml(path: Path, text: str, hosts: Hosts) -> list[Source]:
    raw = documents.parse_toml(text, str(path))
    if path.name == "pyproject.toml":
        raw = raw.get("tool", {}).get("upytool", {})
    return packages_from_table(raw.get("packages", {}), hosts, base=path.parent, origin=path.name)


def packages_from_table(table: object, hosts: Hosts, *, base: Path, origin: str) -> list[Source]:
    """The sources of a [packages] table.

    Args:
        table: name -> version, source text, or {"version"} / {"source", "ref"}.
        base: local paths are relative to it.
        origin: the file's name, for messages.

    Raises:
        ConfigError: an entry has a wrong form.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{origin}: packages should be a table")
    found = []
    for name, value in table.items():
        try:
            found.append(_entry(str(name), value, hosts, base))
        except UpytoolError as error:
            raise ConfigError(f"{origin}: packages.{name}: {error.message}", hint=error.hint) from error
    return found


def _entry(name: str, value: Any, hosts: Hosts, base: Path) -> Source:
    hint = 'Write a version ("1.0", "*"), a source ("github:user/repo@ref"), or { source = ..., ref = ... }.'
    if isinstance(value, Mapping):
        if not set(value) <= {"version", "source", "ref"} or not all(isinstance(v, str) for v in value.values()):
            raise ConfigError("only version, source and ref are known, each a text", hint=hint)
        if "source" in value:
            source = parse_source(value["source"], hosts, base=base)
            ref = value.get("ref") or value.get("version")
            return source.at(ref) if ref else source
        value = value.get("version", "*")
    if not isinstance(value, str):
        raise ConfigError(f"{value!r} is not a text", hint=hint)
    if value in ("", "*", "latest"):
        return IndexSource(name)
    version = value.removeprefix("==").strip()
    if is_index_name(version) and ":" not in value and "/" not in value:
        return IndexSource(name, version)
    return parse_source(value, hosts, base=base)
