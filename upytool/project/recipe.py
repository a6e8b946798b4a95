"""A project as a Recipe: its modules, packages and data read, each under the path that it has in the firmware."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from .. import documents, limits
from ..builder.base import SAFE_BOOT, Item
from ..config.shipped import shipped
from ..device.ignore import Ignore
from ..errors import BuildError, UsageError
from .build_table import BuildTable

if TYPE_CHECKING:  # a project without packages needs none of that
    from ..packages.download import Fetcher
    from ..packages.hosts import Hosts
    from ..packages.resolver import Resolution

LIBRARY = "lib"  # where packages go, as `mip install` puts them
_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?")


@dataclass(frozen=True)
class PackageFiles:
    """The packages of a build: their files as Items, and what was resolved (with whole digests)."""

    items: tuple[Item, ...]
    resolution: Resolution


def collect_items(table: BuildTable, packages: PackageFiles | None = None) -> tuple[Item, ...]:
    """Everything that goes in, sorted by target: each target once.

    Args:
        packages: from `fetch_packages`.

    Raises: BuildError: a file is missing, two files have one target, an entry is none.
    """
    found: dict[str, Item] = {}
    own = (*_modules(table), *_data(table), *_entry(table))
    if table.safe_boot and table.kind != "source":  # from source it is frozen (build/staging.py)
        own = _with_safe_boot(own)
    for item in (*own, *(packages.items if packages else ())):
        before = found.setdefault(item.target, item)
        if before.data != item.data:
            raise BuildError("build.same-target", target=item.target, one=before.origin, other=item.origin)
    stems = {item.target.removesuffix(".py"): item for item in found.values() if item.module}
    for target, item in found.items():
        if target.endswith(".mpy") and target[:-4] in stems:
            one, two = item.origin, stems[target[:-4]].origin
            raise BuildError("build.same-import", one=one, other=two)
    return tuple(_tuned(found[target], table) for target in sorted(found))


def fetch_packages(table: BuildTable, fetcher: Fetcher, hosts: Hosts, indexes: tuple[str, ...]) -> PackageFiles | None:
    """The project's [packages] as sources, resolved and fetched; None where it has none.

    Sources and not .mpy files: the build compiles them for its board, with the project's options.

    Raises: PackageError, NetworkError, OfflineError, ConfigError.
    """
    if not table.packages:
        return None
    from ..packages.index import SOURCES
    from ..packages.installer import context_for
    from ..packages.lockfile import locked
    from ..packages.requirements import packages_from_table
    from ..packages.resolver import resolve

    origin = table.file.name if table.file else "[packages]"
    wanted = packages_from_table(table.packages, hosts, base=table.root, origin=origin)
    resolution = locked(resolve(wanted, context_for(fetcher, hosts, indexes, SOURCES)), fetcher)
    return PackageFiles(tuple(_package_items(resolution, fetcher)), resolution)


def fetch_resolved(resolution: Resolution, fetcher: Fetcher) -> PackageFiles:
    """The files of packages that a lock names; a file counts only with the digest that the lock has."""
    return PackageFiles(tuple(_package_items(resolution, fetcher)), resolution)


def _package_items(resolution: Resolution, fetcher: Fetcher) -> Iterator[Item]:
    from ..packages.content import verified

    wanted = {file.location: file.immutable for package in resolution.packages for file in package.files}
    contents = fetcher.fetch_all(wanted.items())
    for package in resolution.packages:
        for file in package.files:
            data = verified(file, contents[file.location])
            yield Item(
                f"{LIBRARY}/{file.path}", data, f"{package.name}: {file.path}",
                module=file.path.endswith(".py"), package=package.name,
            )  # fmt: skip


def _modules(table: BuildTable) -> Iterator[Item]:
    for name in table.modules:
        place = _inside(table, name, "modules")
        if os.path.isdir(place):
            for path, target in _walk(place, table):
                if target.endswith((".py", ".mpy")):
                    yield _file(path, target, table, module=target.endswith(".py"))
        elif place.suffix not in (".py", ".mpy"):
            raise BuildError("build.not-a-module", name=name)
        else:
            yield _file(place, place.name, table, module=place.suffix == ".py")


def _data(table: BuildTable) -> Iterator[Item]:
    for name in table.data:
        place = _inside(table, name, "data")
        at = place.relative_to(table.root).as_posix()
        if os.path.isdir(place):
            for path, target in _walk(place, table):
                yield _file(path, target if at == "." else f"{at}/{target}", table, module=False)
        else:
            yield _file(place, at, table, module=False)


def _entry(table: BuildTable) -> Iterator[Item]:
    if not table.entry:
        return
    if not _ENTRY.fullmatch(table.entry):
        raise BuildError("build.not-an-entry", entry=table.entry)
    yield Item("main.py", entry_source(table.entry), f'entry = "{table.entry}"', module=True)


def _with_safe_boot(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """A boot.py that keeps a main.py from starting which fails again and again, before the project's own boot.py.

    The one of `firmware/modules/safe_boot` is made to be frozen: it runs the boot.py of the file system, and so would
    run itself there.
    """
    own = next((item for item in items if item.target == "boot.py"), None)
    module = shipped("modules", "safe_boot", "safe_boot.py").read_bytes()
    return (
        *(item for item in items if item is not own),
        Item("boot.py", SAFE_BOOT + (own.data if own else b""), own.origin if own else "safe_boot = true", module=True),
        Item(f"{LIBRARY}/safe_boot.py", module, "safe_boot = true", module=True),
    )


def entry_source(entry: str) -> bytes:
    """The main.py that starts an entry: "app" is imported, "app:main" is called as well."""
    module, _, call = entry.partition(":")
    if not call:
        return f"import {module}\n".encode()
    first = call.partition(".")[0]
    return f"from {module} import {first}\n\n{call}()\n".encode()


def _tuned(item: Item, table: BuildTable) -> Item:
    if not item.module:
        return item
    optimize, emitter = table.optimize, ""
    for pattern, level in table.optimize_each:
        if fnmatchcase(item.target, pattern):
            optimize = level
    for pattern, name in table.emit:
        if fnmatchcase(item.target, pattern):
            emitter = "" if name == "bytecode" else name
    return replace(item, optimize=optimize, emitter=emitter)


def _inside(table: BuildTable, name: str, key: str) -> Path:
    """A path of the project's file, which is there."""
    place = table.locate(name, key)
    if not os.path.exists(place):
        raise BuildError("build.no-such-path", key=key, name=name, root=table.root)
    return place


def _walk(folder: Path, table: BuildTable) -> Iterator[tuple[Path, str]]:
    ignored: Callable[[str, bool], bool] = Ignore(table.ignore)

    def unreadable(error: OSError) -> None:  # left out in silence it would be missing in the firmware
        reason = str(error.strerror).lower()
        raise BuildError("build.cannot-read-file", path=error.filename, reason=reason)

    for place, folders, names in os.walk(folder, onerror=unreadable):
        base = Path(place).relative_to(folder).as_posix()
        prefix = "" if base == "." else base + "/"
        folders[:] = sorted(each for each in folders if not ignored(prefix + each, True))
        for name in sorted(names):
            if not ignored(prefix + name, False):
                yield Path(place) / name, prefix + name


def _file(path: Path, target: str, table: BuildTable, *, module: bool) -> Item:
    if path.is_symlink() and not path.resolve().is_relative_to(table.root):
        raise BuildError("build.link-outside", path=path)
    data = documents.read_bytes(path, error=BuildError, limit=limits.IMAGE_BYTES)
    try:
        shown = Path(os.path.relpath(path, table.root)).as_posix()
    except ValueError:  # on another drive
        shown = path.name
    return Item(target, data, shown, module=module)


def require_project(table: BuildTable) -> None:
    """Raises: UsageError where there is nothing to build from."""
    if not (table.modules or table.data or table.packages or table.manifest or table.entry):
        raise UsageError("usage.nothing-to-build")
