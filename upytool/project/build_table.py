"""The [build] table of a project's file: what firmware to make of the project.

[build]
board = "RPI_PICO"             # BOARD or BOARD-VARIANT
version = "1.27"               # of MicroPython; latest if left out
kind = "image"                 # into official firmware; "source" builds MicroPython itself
firmware = "base.uf2"          # a file or URL in place of board and version
source = "../micropython"      # for kind "source": a tree, or git+URL#ref
modules = ["src"]              # .py files; of a folder, what is in it
data = ["static", "config.json"]   # go in under their own paths
entry = "app:main"             # what a start runs
filesystem = "auto"            # romfs, littlefs, fat
safe_boot = true               # a bad main.py can't lock you out
optimize = 0                   # mpy-cross's -O
output = "build/app.uf2"
flash_size = "8MB"             # an Espressif board's, where its firmware is made for less
manifest = "manifest.py"       # kind "source": frozen besides
c_modules = ["native"]         # kind "source"
ignore = ["tests/"]
[build.optimize-each]
"lib/*.py" = 3
[build.emit]
"fast.py" = "viper"
[build.make]                   # kind "source": make variables
MICROPY_PY_BTREE = "0"
[packages]                     # as for mip
aioble = "*"
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.paths import inside_project, working_dir
from ..errors import BuildError, ConfigError
from .load import read_project_table

_TEXT, _FLAG, _LIST, _LEVEL, _TABLE = "a text", "true or false", "a list of texts", "0 to 3", "a table of texts"
_SIZE = "a size of flash, 4MB for instance"
_FLASH = re.compile(r"([1-9]\d{0,3}) ?([KM])(?:i?B)?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # of a make variable: what begins with - would be an option of make's
_KEYS = {
    "board": _TEXT, "variant": _TEXT, "version": _TEXT, "kind": _TEXT, "firmware": _TEXT, "source": _TEXT,
    "modules": _LIST, "data": _LIST, "entry": _TEXT, "filesystem": _TEXT, "safe_boot": _FLAG, "optimize": _LEVEL,
    "output": _TEXT, "manifest": _TEXT, "c_modules": _LIST, "ignore": _LIST, "optimize-each": _TABLE, "emit": _TABLE,
    "make": _TABLE, "container": _TEXT, "flash_size": _SIZE,
}  # fmt: skip
_CHOICES = {"kind": ("image", "source"), "filesystem": ("auto", "romfs", "littlefs", "fat")}


@dataclass(frozen=True)
class BuildTable:
    """A project's [build], checked; paths are absolute. What it does not say is "" or empty.

    Attributes:
        root: the folder of the project's file.
        file: the project's file, None where there is none.
        anywhere: the keys whose paths the user named, not the file: they may lead out of `root`.
    """

    root: Path
    file: Path | None = None
    board: str = ""
    variant: str = ""
    version: str = ""
    kind: str = ""
    firmware: str = ""
    source: str = ""
    modules: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    entry: str = ""
    filesystem: str = "auto"
    safe_boot: bool = False
    optimize: int = 0
    output: str = ""
    manifest: str = ""
    c_modules: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    optimize_each: tuple[tuple[str, int], ...] = ()
    emit: tuple[tuple[str, str], ...] = ()
    make: tuple[tuple[str, str], ...] = ()
    container: str = ""
    flash_size: str = ""
    packages: Mapping[str, Any] | None = None
    anywhere: tuple[str, ...] = ()

    def locate(self, name: str, key: str) -> Path:
        """The path that the table's `key` names. Raises: BuildError where the file, not the user, leads out."""
        if key in self.anywhere:
            return Path(os.path.normpath(self.root / name))
        return Path(inside_project(self.root, name, f"build.{key}", error=BuildError))

    def may_write(self, key: str, name: str) -> bool:
        """Whether the path of `key` lies in the project, or is the user's own choice."""
        try:
            self.locate(name, key)
        except BuildError:
            return False
        return True

    @property
    def flash_bytes(self) -> int | None:
        """`flash_size` in bytes."""
        return parse_flash_size(self.flash_size) if self.flash_size else None

    @property
    def local_firmware(self) -> Path | None:
        """`firmware` as a path, None where it is none or a URL."""
        if not self.firmware or "://" in self.firmware:
            return None
        return self.root / Path(self.firmware).expanduser()


def parse_flash_size(text: str) -> int | None:
    """4194304 of "4MB"; None where it is not a size of a flash."""
    found = _FLASH.fullmatch(text.strip())
    return int(found[1]) << {"K": 10, "M": 20}[found[2].upper()] if found else None


def load_build_table(file: Path | None, root: Path | None = None) -> BuildTable:
    """The table of a project's file; without a file an empty one for `root`.

    Raises: ConfigError with the file's name.
    """
    if file is None:
        return BuildTable((root or Path(working_dir())).resolve())
    document = read_project_table(file)
    table = document.get("build", {})
    if not isinstance(table, dict):
        raise ConfigError("config.project-table", path=file, table="build")
    values: dict[str, Any] = {}
    for key, value in table.items():
        want = _KEYS.get(key)
        if want is None:
            raise ConfigError("config.unknown-key", path=file, key=key, known=list(_KEYS), table="build")
        if not _fits(want, key, value):
            raise ConfigError("config.wrong-value", path=file, key=f"build.{key}", expected=_what(key, want))
        name = key.replace("-", "_")
        if want is _LIST:
            values[name] = tuple(value)
        elif want is _TABLE:
            values[name] = tuple(value.items())
        else:
            values[name] = value
    return BuildTable(file.parent.resolve(), file, **values, packages=document.get("packages"))


def _fits(want: str, key: str, value: object) -> bool:
    if want is _TEXT:
        return isinstance(value, str) and value in _CHOICES.get(key, (value,))
    if want is _SIZE:
        return isinstance(value, str) and parse_flash_size(value) is not None
    if want is _FLAG:
        return isinstance(value, bool)
    if want is _LIST:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if want is _LEVEL:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 3
    if not isinstance(value, dict):
        return False
    if key == "optimize-each":
        return all(isinstance(each, int) and not isinstance(each, bool) and 0 <= each <= 3 for each in value.values())
    if key == "emit":
        return all(each in ("bytecode", "native", "viper") for each in value.values())
    return all(isinstance(each, str) for each in value.values()) and all(_NAME.fullmatch(each) for each in value)


def _what(key: str, want: str) -> str:
    if key in _CHOICES:
        return "one of " + ", ".join(_CHOICES[key])
    if key == "optimize-each":
        return 'a table of levels, "lib/*.py" = 3'
    if key == "emit":
        return 'a table of emitters, "fast.py" = "native"'
    return want
