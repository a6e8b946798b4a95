"""What .mpy files a firmware loads, as a value.

Sources: MicroPython `py/modsys.c` (`sys.implementation._mpy`: version in bits 0-7, sub-version of machine code in
8-9, architecture in 10-13, its extensions from 16), `py/persistentcode.h`, `docs/reference/mpyfiles.rst`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ImageError, UsageError
from .header import ARCHES, MpyHeader, arch_name, check, read_head, version_for

# rv32imc's extensions by the bits of the architecture flags (py/persistentcode.h, since 1.27).
ARCH_FLAGS = {"zba": 1, "zcmp": 2}


@dataclass(frozen=True, slots=True)
class Abi:
    """What .mpy files a firmware loads.

    Attributes:
        version: of the bytecode.
        sub_version: of machine code.
        arch: of machine code, as mpy-cross names it; "" where none is taken.
        arch_flags: extensions of the architecture.
        small_int_bits: 31 on every 32-bit port, 63 on a 64-bit computer.
    """

    version: int
    sub_version: int = 0
    arch: str = ""
    arch_flags: int = 0
    small_int_bits: int = 31

    @classmethod
    def of(cls, mpy: int | None, small_int_bits: int = 31) -> Abi | None:
        """From a board's `sys.implementation._mpy`; None for a board that loads no .mpy files."""
        if not mpy or not mpy & 0xFF:
            return None
        arch = arch_name(mpy >> 10 & 0xF)
        return cls(mpy & 0xFF, mpy >> 8 & 3, arch if arch in ARCHES else "", mpy >> 16, small_int_bits)

    @classmethod
    def for_release(cls, release: tuple[int, ...], arch: str = "", arch_flags: int = 0) -> Abi:
        """What a MicroPython release, such as (1, 25, 0), loads. Raises: UsageError for an unknown architecture."""
        if arch not in ARCHES:
            raise UsageError("usage.unknown-arch", arch=arch, known=[name for name in ARCHES if name])
        version, sub = version_for(release)
        return cls(version, sub, arch, arch_flags)

    @property
    def text(self) -> str:
        """`6.3 armv7em`, as lists show it."""
        number = f"{self.version}.{self.sub_version}" if self.version >= 6 else str(self.version)
        return f"{number} {self.arch}".rstrip()

    @property
    def mpy(self) -> int:
        """As `sys.implementation._mpy` has it."""
        return self.version | self.sub_version << 8 | ARCHES.index(self.arch) << 10 | self.arch_flags << 16

    def refuses(self, header: MpyHeader) -> str:
        """Why a firmware does not load a file with this header, one clause; "" when it does."""
        return check(header, self.mpy, self.small_int_bits) or ""


def refusal(abi: Abi | None, head: bytes) -> str:
    """Why a board does not load a .mpy file, one clause; "" when it does.

    Args:
        abi: what the board loads, None for no .mpy files.
        head: the file's first 16 bytes.
    """
    if abi is None:
        return "this board loads no .mpy files"
    try:
        return abi.refuses(read_head(head))
    except ImageError as error:
        return error.message
