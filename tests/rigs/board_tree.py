"""Reading facts about boards from a MicroPython source tree: make, CMake, C headers, linker scripts.

No general parsers: each reads just the forms that the trees use, and says so by failing on anything else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.rigs.base import cache_root

_UNITS = {"": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20}


def trees() -> list[tuple[str, Path]]:
    """(tag, directory) of every source tree of the rigs, oldest first."""
    found = sorted(cache_root().glob("src-micropython-*"), key=lambda each: numbers(each.name.rpartition("-")[2]))
    return [(each.name.rpartition("-")[2], each) for each in found if (each / "ports").is_dir()]


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in version.split("."))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def size_of(text: str) -> int:
    """A linker script's number: 0x100, 112K, 24M."""
    found = re.fullmatch(r"(0x[0-9a-fA-F]+|\d+)\s*([kKmM]?[bB]?)", text.strip())
    if found is None:
        raise ValueError(f"no number: {text!r}")
    return int(found[1], 0) * _UNITS[found[2].lower()]


def arithmetic(text: str, names: dict[str, int] | None = None) -> int:
    """A C expression of numbers, known names, + - * / << and parentheses."""
    plain = re.sub(r"//.*|/\*.*?\*/", "", text).strip()
    plain = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)[uUlL]+\b", r"\1", plain)
    for name, value in (names or {}).items():
        plain = re.sub(rf"\b{name}\b", str(value), plain)
    if not re.fullmatch(r"[0-9a-fA-FxX+\-*/()<\s]+", plain):
        raise ValueError(f"no plain arithmetic: {text!r}")
    return int(eval(plain.replace("/", "//"), {"__builtins__": {}}))


def defines(text: str) -> dict[str, str]:
    """#define NAME VALUE, the last of each name; functions and conditions are ignored."""
    found = re.findall(r"^[ \t]*#define[ \t]+(\w+)[ \t]+(.+?)[ \t]*$", text.replace("\\\n", " "), re.M)
    return {name: re.sub(r"\s*(//.*|/\*.*?\*/\s*)$", "", value) for name, value in found}


def assigned(text: str, name: str) -> str:
    """NAME = value, NAME ?= value or NAME := value of a makefile; the last one."""
    found = re.findall(rf"^\s*{name}\s*[?:+]?=\s*(.*?)\s*(?:#.*)?$", text, re.M)
    return str(found[-1]) if found else ""


@dataclass(frozen=True)
class TreeBoard:
    """One board of one tree."""

    tag: str
    tree: Path
    port: str
    id: str

    @property
    def folder(self) -> Path:
        return self.tree / "ports" / self.port / "boards" / self.id

    @property
    def boards(self) -> Path:
        return self.folder.parent

    @cached_property
    def json(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "board.json").read_text(encoding="utf-8")))

    @property
    def variants(self) -> list[str]:
        return ["", *self.json.get("variants", {})]

    @cached_property
    def header(self) -> str:
        """mpconfigboard.h, with what it includes from a sister board in front of it."""
        text = read(self.folder / "mpconfigboard.h")
        parents = re.findall(r'#include "(?:boards/|\.\./)?([A-Z0-9_]+)/mpconfigboard\.h"', text)
        return "\n".join([*(read(self.boards / each / "mpconfigboard.h") for each in parents), text])

    @cached_property
    def defines(self) -> dict[str, str]:
        return defines(self.header)

    @cached_property
    def make(self) -> str:
        return read(self.folder / "mpconfigboard.mk")

    @cached_property
    def cmake(self) -> str:
        return read(self.folder / "mpconfigboard.cmake")

    def variant_text(self, variant: str, kind: str) -> str:
        """mpconfigvariant[_X].cmake or .mk; also the default variant's."""
        name = f"mpconfigvariant_{variant}" if variant else "mpconfigvariant"
        return read(self.folder / f"{name}.{kind}")

    def file(self, path: Path) -> str:
        return path.relative_to(self.tree).as_posix()


def boards_of(tag: str, tree: Path) -> list[TreeBoard]:
    found = sorted(tree.glob("ports/*/boards/*/board.json"))
    return [TreeBoard(tag, tree, each.parts[-4], each.parts[-2]) for each in found]
