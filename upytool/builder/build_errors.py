"""What a failed build means for who started it: their own file and line, the compiler's words, the bytes over."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import BuildError, CompileError
from ..words import Said
from .base import Item, ModuleSize
from .sizes import kilobytes

_FROZEN = re.compile(r"^error compiling (.+?):\s*$", re.MULTILINE)
_PLACE = re.compile(r'File "([^"]*)", line (\d+)')
_COMPILER = re.compile(r"^(.+?):(\d+):(?:\d+:)? (?:fatal )?error: (.+)$", re.MULTILINE)
_DRIVER = re.compile(r"^(?:.*/)?((?:[\w-]*(?:cc1|cc1plus|gcc|g\+\+|clang)): (?:fatal )?error: .+)$", re.MULTILINE)
_OVER = re.compile(r"region [`']?(\w+)'? overflowed by (\d+) bytes?")
_LINKER = re.compile(r"^(?:.*?/?(?:[\w.-]*-)?ld(?:\.bfd|\.gold)?: |collect2: error: )(.+)$", re.MULTILINE)
_UNDEFINED = re.compile(r"undefined reference to [`'](.+?)'")
_MULTIPLE = re.compile(r"multiple definition of [`'](.+?)'")
_CMAKE = re.compile(r"^CMake Error(?: at (\S+?):(\d+) \(\w+\))?:?\s*\n?\s*(.+)$", re.MULTILINE)
_MAKE = re.compile(r"^(?:.*?): \*\*\* (.+?)(?:  Stop\.)?$", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def explain(
    said: str, log: Path, modules: Mapping[str, Item], sizes: Sequence[ModuleSize] = (), missing: Sequence[str] = ()
) -> BuildError:
    """A failed step as one error.

    Args:
        said: all that it printed.
        log: the file with all of it.
        modules: the project's, by frozen target.
        sizes: of frozen modules as far as they are known, for a firmware that is too large.
        missing: submodules that the tree lacks.
    """
    text = _COLOUR.sub("", said)
    where = Said("builder.log", log=log)
    if frozen := _FROZEN.search(text):
        return module_error(text[frozen.end() :], frozen[1], modules)
    overs = {name: int(count) for name, count in _OVER.findall(text)}
    if overs:
        name, count = max(overs.items(), key=lambda row: row[1])
        rows = [f"{row.target} ({kilobytes(row.flash)})" for row in sizes[:3]]
        hints = [*([Said("builder.largest-modules", modules=rows)] if rows else []), where]
        return BuildError("build.too-large", over=count, region=name, hint=hints)
    if found := _COMPILER.findall(text):
        file, line, words = found[0]
        hints = [where]
        if len(found) > 1:
            hints.append(Said("builder.and-more", count=len(found) - 1))
        hints += [Said("builder.tree-lacks", submodules=name) for name in missing if name + "/" in text][:1]
        return BuildError("build.at-line", file=file, line=line, reason=words, hint=hints)
    if names := list(dict.fromkeys(_UNDEFINED.findall(text))):
        return BuildError("build.undefined", names=names[:3], hint=where)
    if names := list(dict.fromkeys(_MULTIPLE.findall(text))):
        return BuildError("build.defined-twice", names=names[:3], hint=where)
    if said_first := _DRIVER.search(text):
        return BuildError("build.failed", reason=said_first[1].strip(), hint=_lacking(missing, where))
    if found_cmake := _CMAKE.search(text):
        file, line, words = found_cmake.groups()
        return BuildError(
            "build.cmake",
            reason=f"{file}:{line}: {words.strip()}" if file else words.strip(),
            hint=_lacking(missing, where),
        )
    for pattern in (_LINKER, _MAKE):
        if said_last := pattern.search(text):
            return BuildError("build.failed", reason=said_last[1].strip(), hint=_lacking(missing, where))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    return BuildError("build.failed", reason=last, hint=_lacking(missing, where))


def _lacking(missing: Sequence[str], where: Said) -> list[Said]:
    return [Said("builder.tree-lacks", submodules=list(missing)), where] if missing else [where]


def module_error(text: str, target: str, modules: Mapping[str, Item]) -> CompileError:
    """mpy-cross's words about a module: `File "x.py", line 3` and `SyntaxError: invalid syntax`."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(("make", "ninja", "FAILED", "gmake")) or (lines and not line.strip()):
            break
        if line.strip():
            lines.append(line.strip())
    places = _PLACE.findall("\n".join(lines))
    item = modules.get(target)
    shown = item.origin if item is not None and item.origin else target
    words = next((line for line in reversed(lines) if not line.startswith('File "')), "mpy-cross gave no reason")
    return CompileError(
        shown, words, line=int(places[-1][1]) if places else 0, native="invalid arch" in text, output="\n".join(lines)
    )
