"""Which MicroPython is in some bytes: version, board, capabilities, by the texts that every build holds.

Sources: MicroPython `py/modsys.c` (sys.version "3.4.0; MicroPython VERSION on DATE", and since 1.25 the
board's build name BOARD[-VARIANT], compiled side by side), `shared/runtime/pyexec.c` (the banner "; BOARD
with CHIP"), `tools/autobuild` (official file names BOARD[-VARIANT]-DATE-VERSION.EXT). A search, so every
field may be empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from ..mpy.header import version_for
from .memory import Memory

CAPABILITIES = ("VfsFat", "VfsLfs1", "VfsLfs2", "VfsRom", "rom_ioctl")
_MAX_HITS = 2000  # of each anchor: bounds the work on made-up files
_VERSION = re.compile(
    rb"(Micro|Circuit)Python (?:\(with v2\.0 preview\) )?(v?\d[!-~]{0,60}) on (\d{4}-\d\d-\d\d)"
    rb"(?:; ([ -~]{1,100}))?"
)
_MACHINE = re.compile(rb"[ -~]{2,80} with [ -~]{2,48}")
# Pointers may stand right before it, their last byte is not a letter.
_BUILD = re.compile(rb"(?<![A-Za-z0-9_-])[A-Z][A-Z0-9_]{2,47}(?:-[A-Z0-9_]{1,24})?\Z")
_RELEASE = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")
_FILE_NAME = re.compile(r"([A-Za-z][A-Za-z0-9_]*(?:-[A-Z0-9_]+)?)-(\d{8})-(v\d[^/]*)\.[a-z0-9-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """What the bytes say.

    Attributes:
        implementation: "MicroPython", "CircuitPython", or "" for neither.
        version: as the firmware prints it ("v1.25.0", "v1.26.0-preview.12.gabc").
        date: of the build, YYYY-MM-DD.
        build: BOARD or BOARD-VARIANT (`sys.implementation._build`), "" before 1.25.
        machine: the board's and the chip's name for people ("Raspberry Pi Pico with RP2040").
        capabilities: those of CAPABILITIES that it knows by name.
    """

    implementation: str = ""
    version: str = ""
    date: str = ""
    build: str = ""
    machine: str = ""
    capabilities: tuple[str, ...] = ()

    @property
    def release(self) -> tuple[int, int, int] | None:
        """The version as numbers."""
        return release_of(self.version)

    @property
    def mpy(self) -> tuple[int, int] | None:
        """(version, sub-version) of the .mpy files that it takes."""
        return version_for(self.release) if self.release and self.implementation == "MicroPython" else None

    @property
    def mcu(self) -> str:
        """The chip in `machine`."""
        return self.machine.rpartition(" with ")[2] if " with " in self.machine else ""


def release_of(version: str) -> tuple[int, int, int] | None:
    """(1, 25, 0) of "v1.25.0" or "v1.25.0-preview.3"; None where there are no numbers."""
    found = _RELEASE.match(version)
    return (int(found[1][:6]), int(found[2][:6]), int((found[3] or "0")[:6])) if found else None


def identify(memory: Memory) -> Identity:
    """Search an image."""
    implementation = version = date = build = machine = ""
    for data in (segment.data for segment in memory):
        for at in _find(data, b"Python v", b"Python "):
            found = _VERSION.match(data, max(0, at - 7)) or _VERSION.match(data, max(0, at - 5))
            if found is None:
                continue
            first = not version
            if first:
                implementation = found[1].decode() + "Python"
                version, date = found[2].decode(), found[3].decode()
            machine = machine or (found[4] or b"").decode()
            if not build and data[max(0, found.start() - 7) : found.start()] == b"3.4.0; ":
                build = _build_near(data, found.start() - 7, found.end())
        if not machine:
            machine = _machine(data)
    release = release_of(version)
    if release is None or release < (1, 25, 0) or implementation != "MicroPython":
        build = ""
    names = tuple(name for name in CAPABILITIES if any(segment.data.find(name.encode()) >= 0 for segment in memory))
    return Identity(implementation, version, date, build, machine, names)


def _find(data: bytes, *anchors: bytes) -> Iterator[int]:
    """Where the anchors stand; the first kind that stands anywhere is all that is looked at."""
    for anchor in anchors:
        at, hits = data.find(anchor), 0
        while at >= 0 and hits < _MAX_HITS:
            yield at
            hits += 1
            at = data.find(anchor, at + 1)
        if hits:
            return


def _machine(data: bytes) -> str:
    """The banner's second half, a text of its own: "; BOARD with CHIP"."""
    for at in _find(data, b" with "):
        start = data.rfind(b"; ", max(0, at - 82), at)
        if start >= 0:
            found = _MACHINE.match(data, start + 2)
            if found and data[found.end() : found.end() + 1] in (b"\0", b"\r", b"\n"):
                return found[0].decode()
    return ""


def _build_near(data: bytes, start: int, end: int) -> str:
    """The build name is a text of the same source file as sys.version: its neighbour, before or behind."""
    low = max(0, start - 256)
    before = [text for text in data[low:start].split(b"\0") if text]
    behind = [text for text in data[end : end + 256].split(b"\0") if text]
    for near in (before[-1:], behind[:1], before[-3:-1][::-1], behind[1:3]):
        for text in near:
            found = _BUILD.search(text)
            if found is None:
                continue
            name = found[0]
            if name[:1] == b"B" and data.find(name + b"\0", low) % 4 == 3 and b"-IDFv" in data:
                name = name[1:]  # the last byte of an address 42xxxxxx: there, texts begin at multiples of 4
            return name.decode()
    return ""


def from_file_name(path: str) -> tuple[str, str] | None:
    """(BOARD[-VARIANT], version) of an official file name, else None."""
    found = _FILE_NAME.fullmatch(PurePath(path).name)
    return (found[1], found[3]) if found else None
