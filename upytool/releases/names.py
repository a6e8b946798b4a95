"""The names of firmware files and the order of versions.

A published file is called BOARD[-VARIANT]-YYYYMMDD-vX.Y.Z[-preview.N.gHASH].EXT (MicroPython's
tools/autobuild). Until 1.21 builds between releases were called unstable-vX.Y.Z-N-gHASH; their N counts commits
after the release that they name, so they come after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

EXTENSIONS = ("uf2", "bin", "dfu", "hex", "app-bin", "zip", "elf", "map")
FIRMWARE = EXTENSIONS[:6]  # elf and map are for debuggers

_NAME = re.compile(
    r"(?P<board>[A-Za-z0-9][A-Za-z0-9_]{0,60})(?:-(?P<variant>[A-Z0-9_]{1,40}))?"
    r"-(?P<date>(?:19|20)\d{6})-(?P<unstable>unstable-)?v(?P<version>\d{1,4}\.\d{1,4}(?:\.\d{1,4})?"
    r"(?:-preview\.\d{1,6}(?:\.g[0-9a-f]{4,40})?|-\d{1,6}-g[0-9a-f]{4,40})?)"
    r"\.(?P<ext>" + "|".join(sorted(EXTENSIONS, key=len, reverse=True)) + ")",
    re.ASCII,
)
_VERSION = re.compile(
    r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:-preview(?:\.(\d{1,6}))?(?:\.g([0-9a-f]{4,40}))?|-(\d{1,6})-g([0-9a-f]{4,40}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version, in order: a preview comes before its release, N by number.

    Attributes:
        release: (1, 28, 0).
        final: 1 for a release, 0 for a preview of it, 2 for a build after it (the old way).
        number: N of the preview or of the build.
        commit: without the g, "" for a release.
    """

    release: tuple[int, int, int]
    final: int = 1
    number: int = 0
    commit: str = ""

    @property
    def preview(self) -> bool:
        return self.final != 1


def version(text: str) -> Version | None:
    """The version in a file's name or a user's words; None where it is none."""
    found = _VERSION.fullmatch(text)
    if found is None:
        return None
    release = int(found[1]), int(found[2]), int(found[3] or "0")
    if found[6]:
        return Version(release, 2, int(found[6]), found[7])
    if "-preview" in text:
        return Version(release, 0, int(found[4] or "0"), found[5] or "")
    return Version(release)


@dataclass(frozen=True, slots=True)
class FileName:
    """A file's name, taken apart."""

    name: str
    board: str
    variant: str
    date: str
    version: str
    ext: str


def parse(name: str) -> FileName | None:
    """The parts of a published file's name; None for any other name."""
    if len(name) > 200:
        return None
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return FileName(name, found["board"], found["variant"] or "", found["date"], found["version"], found["ext"])


def join(board: str, variant: str, date: str, version: str, ext: str) -> str:
    """The name of a published file."""
    return f"{board}{'-' if variant else ''}{variant}-{date}-v{version}.{ext}"
