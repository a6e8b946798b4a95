"""Compile .py files on this computer for the board that a package is installed on."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import CompileError, MissingCompilerError, PackageError
from ..mpy.abi import Abi
from ..mpy.cross import Cross, Module, never_compiled

__all__ = ["FORMAT", "Compiled", "Compiler", "never_compiled"]

FORMAT = 6


@dataclass(frozen=True, slots=True)
class Compiled:
    """The .mpy, or None and why the source is to be installed instead."""

    data: bytes | None
    reason: str = ""


class Compiler:
    """Compiles for one board; where that cannot be, sources are installed as they are.

    Args:
        abi: what the board loads.
        optimize: mpy-cross's -O level, 0 to 3 (3 leaves line numbers away).

    Attributes:
        unusable: why nothing can be compiled for this board, "" where it can.
    """

    def __init__(self, abi: Abi, optimize: int = 0) -> None:
        self.abi, self.optimize, self.unusable = abi, optimize, ""
        self._cross: Cross | None = None
        if abi.version != FORMAT:  # version 5 and older depend on more of the firmware than `_mpy` tells
            self.unusable = f"the board takes .mpy version {abi.version}, and upytool compiles version {FORMAT}"
            return
        from ..config.paths import cache_dir

        try:
            self._cross = Cross(abi, os.path.join(cache_dir(), "mpy"))
        except MissingCompilerError as error:
            self.unusable = f"{error} ({error.hint})"

    def compile(self, source: bytes, board_path: str) -> Compiled:
        """One file.

        Args:
            source: the text of the .py.
            board_path: where it would be on the board; tracebacks of the board show it.

        Raises:
            PackageError: it is not valid MicroPython; the message has file and line.
        """
        if self._cross is None:
            return Compiled(None, self.unusable)
        try:
            return Compiled(self._cross.compile(Module(source, board_path, self.optimize)))
        except CompileError as error:
            if error.native:
                return Compiled(None, "it holds native code, which mpy-cross cannot make for this board")
            if not error.line:
                raise PackageError("package.cannot-compile", path=board_path, reason=error.reason) from error
            raise PackageError(
                "package.cannot-compile-line", path=board_path, line=error.line, reason=error.reason
            ) from error
        except MissingCompilerError as error:
            raise PackageError("package.no-compiler", cause=error) from error
