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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from upytool import documents, limits
from upytool.errors import ConfigError, LocalFileError, UpytoolError

from .hosts import Hosts
from .sources import IndexSource, Source, is_index_name, parse_source

_COMMENT = re.compile(r"(^|\s)#.*")


def read_requirements(
    path: Path, hosts: Hosts, *, pipes: bool = False, tell: Callable[[str], object] = lambda _: None
) -> list[Source]:
    """The sources that a file lists; a `.toml` is a project's, anything else a plain list.

    Args:
        pipes: `path` may be a pipe, whose local paths are relative to the current folder; where the user named it.
        tell: see `documents.read_pipe`.

    Raises:
        LocalFileError: it cannot be read.
        ConfigError: a line is wrong; the message has its number.
    """
    if pipes and documents.is_pipe(path):
        text = documents.decode(
            documents.read_pipe(path, error=LocalFileError, tell=tell), str(path), error=LocalFileError
        )
        return _listed(text, str(path), Path.cwd(), hosts, (), set())
    return _read(path, hosts, (), set())


def _read(path: Path, hosts: Hosts, above: tuple[Path, ...], done: set[Path]) -> list[Source]:
    """`above` are the lists that take this one in; `done` all that were read: none is read twice."""
    try:
        path = path.expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # no such user, a loop of links, NUL
        raise LocalFileError("local-file.requirements", path=str(path), cause=error) from None
    if path in above:
        raise ConfigError("config.requirements-circle", name=path.name)
    if path in done:
        return []
    done.add(path)
    if len(done) > limits.REQUIREMENT_LISTS:
        raise ConfigError("config.requirements-lists", limit=limits.REQUIREMENT_LISTS)
    if path.suffix == ".toml":
        return _from_toml(path, hosts)
    text = documents.read_text(path, error=LocalFileError)
    return _listed(text, path.name, path.parent, hosts, (*above, path), done)


def _listed(text: str, name: str, base: Path, hosts: Hosts, above: tuple[Path, ...], done: set[Path]) -> list[Source]:
    """The sources of a plain list called `name`, whose local paths are relative to `base`."""
    found: list[Source] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = _COMMENT.sub("", line).strip()
        if not line:
            continue
        try:
            if line.startswith("-"):
                option, _, other = line.partition(" ")
                if option not in ("-r", "--requirement") or not other.strip():
                    raise ConfigError("config.requirements-option", option=option)
                found += _read(base / other.strip(), hosts, above, done)
                continue
            package, equals, version = line.partition("==")
            if equals and is_index_name(package.strip()):
                line = f"{package.strip()}@{version.strip()}"
            found.append(parse_source(line, hosts, base=base))
        except UpytoolError as error:
            if error.code == "config.requirements-line":  # of a list below this one
                raise
            raise ConfigError(
                "config.requirements-line", name=name, number=number, cause=error, hint=error.hints
            ) from error
    return found


def _from_toml(path: Path, hosts: Hosts) -> list[Source]:
    data = documents.read_bytes(path, error=LocalFileError)
    raw: Any = documents.parse_toml(data, str(path), error=ConfigError)
    for key in ("tool", "upytool") if path.name == "pyproject.toml" else ():
        raw = raw.get(key, {}) if isinstance(raw, dict) else {}
    if not isinstance(raw, dict):
        raise ConfigError("config.requirements-table", path=path)
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
        raise ConfigError("config.packages-table", origin=origin)
    found = []
    for name, value in table.items():
        try:
            found.append(_entry(str(name), value, hosts, base))
        except UpytoolError as error:
            raise ConfigError("config.package", origin=origin, name=name, cause=error, hint=error.hints) from error
    return found


def _entry(name: str, value: Any, hosts: Hosts, base: Path) -> Source:
    if isinstance(value, Mapping):
        if not set(value) <= {"version", "source", "ref"} or not all(isinstance(v, str) for v in value.values()):
            raise ConfigError("config.package-keys")
        if "source" in value:
            source = parse_source(value["source"], hosts, base=base)
            ref = value.get("ref") or value.get("version")
            return source.at(ref) if ref else source
        value = value.get("version", "*")
    if not isinstance(value, str):
        raise ConfigError("config.package-text", value=value)
    if value in ("", "*", "latest"):
        return IndexSource(name)
    version = value.removeprefix("==").strip()
    if is_index_name(version) and ":" not in value and "/" not in value:
        return IndexSource(name, version)
    return parse_source(value, hosts, base=base)
