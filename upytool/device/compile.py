"""Python modules on their way to a board: compiled to .mpy where wanted, and checked where they are .mpy already."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..events import Reporter, notice
from ..mpy.abi import Abi, refusal
from ..mpy.cross import Cross, Module, never_compiled
from ..protocol.ops import Op, on_host
from .copy import Target, Targets
from .fs_ops import FsOps
from .info import BoardInfo
from .local import local_error, open_local, read_local
from .mover import Mover

HEAD = 16


def abi_of(board: BoardInfo) -> Abi | None:
    """What .mpy files a board loads; None where it loads none."""
    return Abi.of(board.mpy, board.small_int_bits)


def mpy_problem(head: bytes, board: BoardInfo) -> str:
    """Why a board refuses a .mpy file that begins with `head` (16 bytes do); '' when it takes it."""
    return refusal(abi_of(board), head)


def compiler_for(board: BoardInfo) -> Cross:
    """The compiler for `board`. Errors: UsageError where it loads no .mpy files; MissingCompilerError."""
    from ..config.paths import cache_dir

    abi = abi_of(board)
    if abi is None:
        raise UsageError("usage.no-mpy")
    return Cross(abi, os.path.join(cache_dir(), "mpy"))


def compile_module(cross: Cross, source: Path, name: str) -> bytes:
    """A .py file as .mpy; tracebacks call it `name`. Errors: CompileError, LocalFileError."""
    return cross.compile(Module(read_local(source), name, shown=str(source)))


def prepare_modules(
    fs: FsOps, mover: Mover, wanted: Targets, *, compile_py: bool, reporter: Reporter
) -> Op[tuple[Targets, list[str]]]:
    """Compile what is to be compiled and warn of .mpy files that the board would refuse.

    Returns the targets, and the .py files of the board that would hide a .mpy file which is copied.
    """
    modules = [item for item in wanted.files if item.path.endswith(".mpy") and not item.tree.remote]
    scripts = [item for item in wanted.files if compile_py and _compiles(item)]
    if not modules and not scripts:
        return wanted, []
    if fs.session.board is None:
        yield from mover.close()
    board = yield from fs.session.info()
    for item in modules:
        problem = mpy_problem((yield from on_host(_head, item)), board)
        if problem:
            notice(reporter, f"{item.source}: the board will refuse it: {problem}", "warning")
    cross = compiler_for(board) if scripts else None
    files: list[Target] = []
    paths = {item.path for item in wanted.files}
    for item in wanted.files:
        if cross is not None and item in scripts and item.path[:-3] + ".mpy" not in paths:
            path = item.path[:-3] + ".mpy"
            data = yield from on_host(compile_module, cross, Path(item.source), item.relative or item.tree.name)
            item = item._replace(path=path, content=data, size=len(data))
        files.append(item)
    return wanted._replace(files=tuple(files)), _shadows(files)


def _compiles(item: Target) -> bool:
    return item.path.endswith(".py") and not never_compiled(item.path) and not item.tree.remote


def _shadows(files: Sequence[Target]) -> list[str]:
    own = {item.path for item in files}
    beside = (item.path[:-4] + ".py" for item in files if item.path.endswith(".mpy"))
    return [path for path in beside if path not in own]


def _head(item: Target) -> bytes:
    with open_local(item.source) as file:
        try:
            return file.read(HEAD)
        except OSError as error:
            raise local_error(error, item.source) from error
