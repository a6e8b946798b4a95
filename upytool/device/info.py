"""What a board says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# py/persistentcode.h: MP_NATIVE_ARCH_*, the number in bits 10-13 of sys.implementation._mpy.
ARCHITECTURES = {
    1: "x86",
    2: "x64",
    3: "armv6",
    4: "armv6m",
    5: "armv7m",
    6: "armv7em",
    7: "armv7emsp",
    8: "armv7emdp",
    9: "xtensa",
    10: "xtensawin",
    11: "rv32imc",
    12: "rv64imc",
}


@dataclass(frozen=True, slots=True)
class BoardInfo:
    """The answers of ondevice/probe.py; what the board does not know is empty, 0 or None.

    Attributes:
        implementation: `micropython` or `circuitpython`.
        version: three numbers.
        machine: the text of `sys.implementation._machine`.
        build: the board id, `RPI_PICO` or `BOARD-VARIANT` (since 1.25), else ''.
        mpy: `sys.implementation._mpy`, 0 where the board loads no .mpy files.
        unique_id: of `machine.unique_id()`, hexadecimal.
        modules: those of a fixed list that can be imported.
        has_buffer: sys.stdin and sys.stdout have `.buffer` (MICROPY_PY_SYS_STDIO_BUFFER).
        mem_free: bytes of heap after a collection.
        frequency: of the CPU in Hz.
    """

    implementation: str = ""
    version: tuple[int, ...] = ()
    machine: str = ""
    build: str = ""
    platform: str = ""
    firmware: str = ""
    mpy: int = 0
    unique_id: str = ""
    sys_path: tuple[str, ...] = ()
    modules: frozenset[str] = field(default_factory=frozenset)
    has_buffer: bool = False
    mem_free: int = 0
    mem_alloc: int = 0
    frequency: int = 0
    small_int_bits: int = 31

    @classmethod
    def from_probe(cls, answer: Mapping[str, Any]) -> BoardInfo:
        """From the dictionary of ondevice/probe.py."""

        def text(key: str) -> str:
            return str(answer.get(key) or "")

        def number(key: str) -> int:
            return int(answer.get(key) or 0)

        uname: tuple[Any, ...] = tuple(answer.get("uname") or ())
        uid = answer.get("uid")
        maxsize = number("maxsize")
        return cls(
            implementation=text("name"),
            version=tuple(int(part) for part in answer.get("version") or ()),
            machine=text("machine") or (str(uname[4]) if len(uname) > 4 else ""),
            build=text("build"),
            platform=text("platform"),
            firmware=text("sysver").partition("; ")[2] or (str(uname[3]) if len(uname) > 3 else text("sysver")),
            mpy=number("mpy") or number("mpy_old"),
            unique_id=bytes(uid).hex() if isinstance(uid, (bytes, bytearray)) else "",
            sys_path=tuple(str(part) for part in answer.get("path") or ()),
            modules=frozenset(str(name) for name in answer.get("modules") or ()),
            has_buffer=bool(answer.get("buffer")),
            mem_free=number("mem_free"),
            mem_alloc=number("mem_alloc"),
            frequency=number("freq"),
            small_int_bits=63 if maxsize > 1 << 40 else 31,
        )

    @property
    def mpy_version(self) -> int:
        """The bytecode version of .mpy files it loads, 0 for none."""
        return self.mpy & 0xFF

    @property
    def mpy_sub_version(self) -> int:
        """The version of native code in .mpy files."""
        return self.mpy >> 8 & 3

    @property
    def arch(self) -> str:
        """The architecture of native code in .mpy files, '' for none, as mpy-cross names it."""
        return ARCHITECTURES.get(self.mpy >> 10 & 0xF, "")

    @property
    def takes_bytecode(self) -> bool:
        """Whether it may load our programs as bytecode (device.precompiled): .mpy version 6, MicroPython since 1.19."""
        return self.mpy_version == 6

    @property
    def has_transfer(self) -> bool:
        """Whether the transfer program is among its modules (device.frozen)."""
        return "upytool_transfer" in self.modules

    @property
    def version_text(self) -> str:
        return ".".join(str(part) for part in self.version)
