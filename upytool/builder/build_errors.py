"""What a failed build means for who started it: their own file and line, the compiler's words, the bytes over."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import BuildError, CompileError
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
    where = f"the log: {log}"
    if frozen := _FROZEN.search(text):
        return module_error(text[frozen.end() :], frozen[1], modules)
    overs = {name: int(count) for name, count in _OVER.findall(text)}
    if overs:
        name, count = max(overs.items(), key=lambda row: row[1])
        rows = [f"{row.target} ({kilobytes(row.flash)})" for row in sizes[:3]]
        hint = ("the largest modules: " + ", ".join(rows) + "\n" if rows else "") + where
        return BuildError(f"the firmware is {count} bytes too large for its flash (region {name})", hint=hint)
    if found := _COMPILER.findall(text):
        file, line, words = found[0]
        more = f"\nand {len(found) - 1} more" if len(found) > 1 else ""
        lacks = next((name for name in missing if name + "/" in text), "")
        note = f"\nthe tree lacks {lacks}" if lacks else ""
        return BuildError(f"{file}:{line}: {words}", hint=where + more + note)
    for pattern, sentence in (
        (_UNDEFINED, "nothing defines {}, which the firmware calls"),
        (_MULTIPLE, "{} is defined twice"),
    ):
        if names := list(dict.fromkeys(pattern.findall(text))):
            return BuildError(sentence.format(", ".join(names[:3])), hint=where)
    if said_first := _DRIVER.search(text):
        return BuildError(f"the build failed: {said_first[1].strip()}", hint=_lacking(missing, where))
    if found_cmake := _CMAKE.search(text):
        file, line, words = found_cmake.groups()
        place = f"{file}:{line}: " if file else ""
        return BuildError(f"cmake: {place}{words.strip()}", hint=_lacking(missing, where))
    for pattern in (_LINKER, _MAKE):
        if said_last := pattern.search(text):
            return BuildError(f"the build failed: {said_last[1].strip()}", hint=_lacking(missing, where))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    return BuildError(f"the build failed: {last}", hint=_lacking(missing, where))


def _lacking(missing: Sequence[str], where: str) -> str:
    return f"the tree lacks {', '.join(missing)}\n{where}" if missing else where


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
