"""The header of .mpy files, and whether a board takes them.

    "M", version, feature byte (sub-version in bits 0-1, architecture in bits 2-5, "flags follow" in bit 6),
    small-int bits, [architecture flags,] number of qstrs, number of constants, qstrs...: the first is the
    source's name

Numbers behind the fourth byte are base 128, big-endian, with bit 7 for "more". Sources: MicroPython
`py/persistentcode.h`, `py/persistentcode.c`, `docs/reference/mpyfiles.rst`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import ImageError

VERSION, SUB_VERSION = 6, 3
ARCHES = (
    "", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin",
    "rv32imc", "rv64imc", "debug",
)  # fmt: skip
_THUMB = range(ARCHES.index("armv6m"), ARCHES.index("armv7emdp") + 1)
_FLAGS_FOLLOW = 0x40
# MicroPython releases by the first that writes a version: (release, .mpy version, sub-version).
RELEASES = (
    ((1, 23), 6, 3), ((1, 22), 6, 2), ((1, 20), 6, 1), ((1, 19), 6, 0), ((1, 12), 5, 0), ((1, 11), 4, 0),
    ((1, 9, 3), 3, 0), ((1, 9), 2, 0), ((1, 5, 1), 0, 0),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MpyHeader:
    """What a .mpy file says of itself.

    Attributes:
        arch: the index of the machine code's architecture in ARCHES; 0 for byte code alone.
        arch_flags: its extensions (rv32imc: 1 zba, 2 zcmp).
        source: the name that tracebacks show; None where the format is older than 6.
    """

    version: int
    sub_version: int
    arch: int
    arch_flags: int
    small_int_bits: int
    qstrs: int = 0
    objects: int = 0
    source: str | None = None

    @property
    def native(self) -> bool:
        """Whether it holds machine code."""
        return self.arch != 0

    @property
    def arch_name(self) -> str:
        return arch_name(self.arch)


def arch_name(number: int) -> str:
    """The name that mpy-cross's -march takes, "" for none."""
    return ARCHES[number] if number < len(ARCHES) else f"architecture {number}"


def read_head(data: bytes) -> MpyHeader:
    """What the first 16 bytes of a .mpy file say: all but the number and names of its contents.

    Raises: ImageError when it is no .mpy file.
    """
    return _head(data)[0]


def read_header(data: bytes) -> MpyHeader:
    """Decode the header of a .mpy file.

    Raises: ImageError when it is none, or is cut short.
    """
    head, at = _head(data)
    if head.version < 6:
        return head
    qstrs, at = _number(data, at)
    objects, at = _number(data, at)
    source: str | None = None
    if qstrs:
        length, at = _number(data, at)
        if not length & 1:  # an odd one is a qstr that every firmware has
            length >>= 1
            if at + length > len(data):
                raise ImageError("image.mpy-truncated", part="source name")
            source = data[at : at + length].decode("utf-8", "replace")
    return replace(head, qstrs=qstrs, objects=objects, source=source)


def _head(data: bytes) -> tuple[MpyHeader, int]:
    """The fixed part, and where the rest begins."""
    if data[:1] == b"C" and len(data) > 3 and data[1] in (5, 6):
        raise ImageError("image.mpy-circuitpython")
    if data[:1] != b"M" or len(data) < 4:
        raise ImageError("image.not-mpy")
    version, feature, bits = data[1], data[2], data[3]
    if version < 6:
        arch = feature >> 2 if version >= 4 else 0
        return MpyHeader(version, 0, arch, 0, bits if version >= 1 else 31), 4
    at, flags = 4, 0
    if feature & _FLAGS_FOLLOW:
        flags, at = _number(data, at)
    return MpyHeader(version, feature & 3, feature >> 2 & 0xF, flags, bits), at


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(at, min(at + 10, len(data))):
        value = value << 7 | data[index] & 0x7F
        if not data[index] & 0x80:
            return value, index + 1
    raise ImageError("image.mpy-truncated", part="header")


def check(header: MpyHeader, board_mpy: int, small_int_bits: int = 31) -> str | None:
    """Why a board does not load the file, one clause without a full stop; None when it does.

    Args:
        board_mpy: the board's `sys.implementation._mpy`.
        small_int_bits: the board's; 31 on every 32-bit port, 63 on a 64-bit computer.
    """
    version, sub, arch, flags = board_mpy & 0xFF, board_mpy >> 8 & 3, board_mpy >> 10 & 0xF, board_mpy >> 16
    if header.version != version:
        return f"it is .mpy version {header.version}, the board takes version {version}"
    if header.native:
        if header.sub_version != sub:
            theirs = f"{version}.{header.sub_version}"
            return f"its machine code is for .mpy {theirs}, the board takes {version}.{sub}"
        if not arch:
            return f"it holds machine code for {header.arch_name}, the board takes none"
        fits = header.arch in _THUMB and header.arch <= arch if arch in _THUMB else header.arch == arch
        if not fits:
            return f"its machine code is for {header.arch_name}, the board's is {arch_name(arch)}"
        if header.arch_flags & ~flags:
            return f"its machine code uses extensions (flags {header.arch_flags:#x}) that the board lacks"
    if header.small_int_bits > small_int_bits:
        return f"it needs small integers of {header.small_int_bits} bits, the board's have {small_int_bits}"
    return None


def version_for(release: tuple[int, ...]) -> tuple[int, int]:
    """(version, sub-version) of the .mpy files that a MicroPython release, such as (1, 25, 0), takes."""
    for first, version, sub in RELEASES:
        if release >= first:
            return version, sub
    return 0, 0
