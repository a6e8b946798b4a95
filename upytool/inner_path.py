"""A path below some directory, read from outside: a package, a record, a lock, a journal, an archive, an address.

A value of these types was checked when it was made, and cannot be made otherwise; what is computed from one (a
slice, a sum) is a plain `str` again and has to pass the check anew.

    InnerPath      what a board's file system may hold: members of a backup
    PackagePath    also the same file on every board: no two spellings of it, no name that FAT refuses or changes
    LocalName      also the name of one file on this computer, whichever system it runs
"""

from __future__ import annotations

import re
from typing import Self

from . import limits

# FatFs (lib/oofatfs/ff.c, create_name) takes both slashes as separators, refuses these, and cuts trailing blanks and
# dots off, so that "main.py." is main.py.
_FAT_REFUSES = frozenset('"*:<>?|\\')
# FatFs also finds a file by the short name that it made up for it: UPYTOO~1.JSO is .upytool.json.
_SHORT_NAME = re.compile(r"[^.]{0,6}~[0-9]{1,6}(?:\.[^.]{0,3})?")
# Windows: "Naming Files, Paths, and Namespaces".
_DEVICES = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\..*)?", re.IGNORECASE)


class InnerPath(str):
    """A relative path with "/" that stays below the directory it is joined to.

    Raises:
        ValueError: it is empty, absolute, has empty parts, `.` or `..` (with either slash, as FAT reads both), NUL, a
            lone surrogate that is not an undecodable byte, or is longer than file systems take. One clause.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        problem = cls.problem(text)
        if problem:
            raise ValueError(problem)
        return super().__new__(cls, text)

    @classmethod
    def problem(cls, text: str) -> str:
        """Why this is no such path, one clause; "" where it is one."""
        if not text:
            return "it is empty"
        if text[0] in "/\\":
            return "it is absolute"
        try:
            size = len(text.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError:
            return "it is not valid Unicode"
        if size > limits.PATH_BYTES:
            return f"it is longer than {limits.PATH_BYTES} bytes"
        if "\0" in text:
            return "it holds a NUL"
        for part in text.split("/"):
            if not part:
                return "a part of it is empty"
            if len(part.encode("utf-8", "surrogateescape")) > limits.NAME_BYTES:
                return f"a name in it is longer than {limits.NAME_BYTES} bytes"
            if part == "." or ".." in part.split("\\") or part == "..":
                return f"it holds {part!r}"
        if {*text.replace("\\", "/").split("/")} <= {"", "."}:  # a dot and backslashes: FAT takes them for separators
            return "it names the directory itself"
        return ""


class PackagePath(InnerPath):
    """An InnerPath that names the same file on every board. Raises: ValueError."""

    __slots__ = ()

    @classmethod
    def problem(cls, text: str) -> str:
        found = super().problem(text)
        if found:
            return found
        if not text.isprintable():  # control characters, and surrogates
            return "it holds a character that cannot be printed"
        if len(text.encode()) > limits.PACKAGE_PATH_BYTES:
            return f"it is longer than {limits.PACKAGE_PATH_BYTES} bytes"
        refused = sorted(_FAT_REFUSES & set(text))
        if refused:
            return f"it holds {refused[0]!r}"
        if any(part[-1] in ". " or part[0] == " " for part in text.split("/")):
            return "a name in it begins or ends with a blank, or ends with a dot"
        if any(_SHORT_NAME.fullmatch(part) for part in text.split("/")):
            return "a name in it is a short name, which stands for another file on FAT"
        return ""

    @classmethod
    def below(cls, text: str) -> Self:
        """The path that a package.json means: mip joins it to the target, so slashes in front and `.` fall away.

        Raises: ValueError.
        """
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if text.endswith("/"):
            raise ValueError("it names a directory")
        return cls("/".join(parts))


class LocalName(PackagePath):
    """One name, without directories, that a file may have on Linux, macOS and Windows. Raises: ValueError."""

    __slots__ = ()

    @classmethod
    def problem(cls, text: str) -> str:
        found = super().problem(text)
        if found:
            return found
        if "/" in text:
            return "it holds '/'"
        return "Windows keeps this name for a device" if _DEVICES.fullmatch(text) else ""
