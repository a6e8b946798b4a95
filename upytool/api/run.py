"""Programs of this computer on a board: run a file without storing it, and let the board use a local directory.

    import upytool
    from upytool.api import run

    with upytool.connect() as board:
        run.mount(board, "src")                       # `import` on the board finds what is in src
        run.run_file(board, "test.py", timeout=30)    # its output comes as events, or goes to on_output

`board.exec`, `board.run` and `board.eval` take a program's text.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .. import limits
from ..errors import LocalFileError, PackageError, UsageError
from ..events import NULL, Reporter, notice

if TYPE_CHECKING:
    from ..device.device import Device
    from ..device.folder import Compile
    from ..device.session import OutputSink

__all__ = ["Mounted", "Program", "mount", "read_program", "run_file", "unmount"]

Source = str | os.PathLike[str] | BinaryIO


@dataclass(frozen=True, slots=True)
class Program:
    """A program's text, and what tracebacks call it."""

    text: bytes
    name: str


def run_file(
    board: Device,
    program: Program | Source,
    *,
    on_output: OutputSink | None = None,
    timeout: float | None = None,
    follow: bool = True,
) -> None:
    """Run a local program; tracebacks name its file.

    Args:
        program: a file, an open binary stream, or what `read_program` made of one.
        on_output: receives what it prints; None: the board's reporter gets it as events.
        timeout: seconds after which it is stopped.
        follow: False returns as soon as the board has the program.

    Raises: LocalFileError; RemoteException, RemoteExit, TimeLimitError, BoardResetError, OperationInterrupted.
    """
    read = program if isinstance(program, Program) else read_program(program)
    board.run(read.text, filename=read.name, on_output=on_output, timeout=timeout, follow=follow)


def read_program(source: Source) -> Program:
    """Read a program. Raises: LocalFileError, also for a compiled one, which a REPL does not take."""
    try:
        if isinstance(source, (str, os.PathLike)):
            name = os.fspath(source)
            with open(source, "rb") as stream:  # a FIFO is welcome: `run <(generator)`
                data = stream.read(limits.DOCUMENT_BYTES + 1)
        else:
            name = str(getattr(source, "name", "<stdin>"))
            data = source.read(limits.DOCUMENT_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise LocalFileError("local-file.cannot-read", name=name, reason=reason.lower()) from error
    if len(data) > limits.DOCUMENT_BYTES:
        raise LocalFileError("local-file.too-large", name=name, limit=limits.DOCUMENT_BYTES)
    if name.endswith(".mpy") or data[:2] == b"M\x06":
        if name.startswith("<"):
            raise LocalFileError("local-file.compiled-stream", name=name)
        raise LocalFileError("local-file.compiled", name=name, module=Path(name).stem)
    return Program(data, name)


# -- local directories --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mounted:
    """A local directory (its absolute path) that a board uses, and where it is on the board."""

    directory: str
    point: str
    read_only: bool

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"directory": self.directory, "point": self.point, "read_only": self.read_only}


def mount(
    board: Device,
    directory: str | os.PathLike[str],
    point: str = "/remote",
    *,
    read_only: bool = False,
    unsafe_links: bool = False,
    mpy: bool = False,
    reporter: Reporter = NULL,
) -> Mounted:
    """Let a board use a local directory as if it were its own, and make it its working directory.

    Nothing is copied. It is mounted again after a soft reset, and goes when the board is closed.

    Args:
        point: where on the board, an absolute path; what was mounted there before is replaced.
        read_only: the board can change nothing.
        unsafe_links: follow symbolic links that lead out of the directory.
        mpy: compile modules while the board imports them.
        reporter: hears of modules that cannot be compiled, which are served as source.

    Raises: LocalFileError, UsageError, ProtocolError where the firmware lacks what it takes.
    """
    from ..device.mount import mounts_of

    compile = _compiler(board, reporter) if mpy else None
    made = board.drive(
        mounts_of(board).add(directory, point, read_only=read_only, unsafe_links=unsafe_links, compile=compile)
    )
    return Mounted(made.folder.root, made.point, read_only)


def unmount(board: Device, point: str | None = None) -> list[Mounted]:
    """Take a mounted directory away, or all; returns those that went. Raises: UsageError where none is there."""
    from ..device.mount import mounts_of

    gone = board.drive(mounts_of(board).remove(point))
    return [Mounted(each.folder.root, each.point, each.folder.read_only) for each in gone]


def _compiler(board: Device, reporter: Reporter) -> Compile:
    """What makes .mpy files for this board; what does not compile is served as source, with a warning."""
    from ..mpy.abi import Abi
    from ..packages.compile import Compiler

    abi = Abi.of(board.info.mpy)
    if abi is None:
        raise UsageError("usage.no-mpy")
    compiler = Compiler(abi)
    if compiler.unusable:
        raise UsageError("usage.nothing-compiled", reason=compiler.unusable)

    def compile(source: bytes, name: str) -> bytes | None:
        try:
            made = compiler.compile(source, name)
        except PackageError as error:
            notice(reporter, str(error), "warning")
            return None
        if made.data is None:
            notice(reporter, f"{name} is served as source: {made.reason}", "detail")
        return made.data

    return compile
