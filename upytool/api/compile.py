"""Compile modules to .mpy files for a board, the one that is connected or one that is named.

    from upytool.api import compile

    made = compile.compile_files(["lib"], compile.abi_for(board="RPI_PICO2"), output="build", optimize=2)
    for each in made.files:
        print(each.target, each.size)

The compiler is the one for that board's version of .mpy files. What has not changed is taken from a cache.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .. import documents
from ..errors import LocalFileError, UsageError

if TYPE_CHECKING:
    from ..device.device import Device
    from ..mpy.abi import Abi as Abi

__all__ = ["Compiled", "CompiledFile", "abi_for", "abi_of", "compile_files"]

Emitter = Literal["bytecode", "native", "viper"]
_NEWEST = (99,)  # a release that takes the newest .mpy files


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """A module that was compiled: its file, the .mpy file, and how many bytes that has."""

    source: Path
    target: Path
    size: int


@dataclass(frozen=True, slots=True)
class Compiled:
    """What was compiled, for which .mpy version; `fresh` modules of them were not in the cache."""

    abi: Abi
    files: tuple[CompiledFile, ...]
    fresh: int

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        abi = self.abi
        return {
            "mpy": {"version": abi.version, "sub_version": abi.sub_version, "arch": abi.arch},
            "compiled": self.fresh,
            "files": [{"source": str(e.source), "target": str(e.target), "size": e.size} for e in self.files],
        }


def abi_of(board: Device, arch_flags: Sequence[str] = ()) -> Abi:
    """Ask a board which .mpy files it loads.

    Args:
        arch_flags: further extensions of its processor, as of `abi_for`.

    Raises: UsageError for a board that loads none.
    """
    from ..mpy.abi import Abi

    info = board.info
    found = Abi.of(info.mpy, info.small_int_bits)
    if found is None:
        raise UsageError("usage.no-mpy")
    return _checked(replace(found, arch_flags=found.arch_flags | _bits(arch_flags)), arch_flags)


def abi_for(
    *, version: str | None = None, board: str | None = None, arch: str | None = None, arch_flags: Sequence[str] = ()
) -> Abi:
    """Say which .mpy files a board loads that is not here.

    Args:
        version: of its MicroPython, `1.25` or `1.25.0`; None: the newest.
        board: by any of its names; its processor is `arch` where that is None.
        arch: for machine code: `armv6m`, `xtensawin` ...; None without a board: bytecode alone.
        arch_flags: extensions of rv32imc: `zba`, `zcmp`; (): what the board has.

    Raises: UsageError.
    """
    from ..image.identity import release_of
    from ..mpy.abi import Abi

    release = _NEWEST if version is None else release_of(version)
    if release is None:
        raise UsageError("usage.micropython-version", version=version)
    bits = _bits(arch_flags)
    if board is not None and arch is None:
        from ..boards.catalogue import find
        from ..builder.arch import arch_of

        arch, own = arch_of(find(board), release)
        bits = bits or own
    abi = Abi.for_release(release, arch or "", bits)
    if not abi.version:
        raise UsageError("usage.no-mpy-for-version", version=version)
    return _checked(abi, arch_flags)


def _bits(names: Sequence[str]) -> int:
    from ..mpy.abi import ARCH_FLAGS

    for name in names:
        if name not in ARCH_FLAGS:
            raise UsageError("usage.arch-flag", name=name, known=list(ARCH_FLAGS))
    return sum(ARCH_FLAGS[name] for name in set(names))


def _checked(abi: Abi, arch_flags: Sequence[str]) -> Abi:
    if arch_flags and abi.arch != "rv32imc":
        raise UsageError("usage.arch-flags")
    return abi


def compile_files(
    paths: Sequence[str | os.PathLike[str]],
    abi: Abi,
    *,
    output: str | os.PathLike[str] | None = None,
    optimize: int = 0,
    emitter: Emitter = "bytecode",
    name: str | None = None,
    cache: Path | None = None,
) -> Compiled:
    """Compile modules. `main.py` and `boot.py` of a directory stay sources: a board starts them by these names.

    Args:
        paths: .py files and directories of them.
        abi: for which board (`abi_of`, `abi_for`).
        output: a directory, or for one module a file; None: beside the sources.
        optimize: level 0 to 3: 1 drops asserts, 3 line numbers too.
        emitter: `native` and `viper` make machine code of whole modules.
        name: what tracebacks call the only module; None: its path.
        cache: the directory that keeps what was compiled; None: upytool's own.

    Raises: UsageError, CompileError (with path and line), MissingCompilerError, LocalFileError.
    """
    from ..config.paths import cache_dir
    from ..mpy.cross import Cross, Module

    if emitter != "bytecode" and not abi.arch:
        raise UsageError("usage.emitter-architecture", emitter=emitter)
    work = _collect([os.fspath(path) for path in paths], None if output is None else os.fspath(output), name)
    modules = [
        Module(
            documents.read_bytes(source, error=LocalFileError),
            called,
            optimize,
            "" if emitter == "bytecode" else emitter,
            str(source),
        )
        for source, _, called in work
    ]
    cross = Cross(abi, (cache or Path(cache_dir())) / "mpy")
    made = cross.compile_all(modules)
    for (_, target, _), data in zip(work, made, strict=True):
        _write(target, data)
    files = [CompiledFile(source, target, len(data)) for (source, target, _), data in zip(work, made, strict=True)]
    return Compiled(abi, tuple(files), cross.compiled)


def _collect(paths: Sequence[str], output: str | None, name: str | None) -> list[tuple[Path, Path, str]]:
    """(source, target, what tracebacks call it) for every module."""
    from ..mpy.cross import never_compiled

    found: list[tuple[Path, Path, str]] = []
    single = len(paths) == 1 and not os.path.isdir(paths[0])
    if output is not None and not single and (output.endswith(".mpy") or os.path.isfile(output)):
        raise UsageError("usage.output-one-file", output=output)
    for text in paths:
        path = Path(text)
        if os.path.isdir(path):
            into = Path(output) if output is not None else path
            for source in sorted(_modules(path)):
                relative = source.relative_to(path)
                if "__pycache__" not in relative.parts and not never_compiled(relative.as_posix()):
                    found.append((source, (into / relative).with_suffix(".mpy"), relative.as_posix()))
            continue
        if not os.path.isfile(path):
            raise UsageError("usage.no-source", path=text)
        if path.suffix.lower() != ".py":
            raise UsageError("usage.not-py", path=text)
        if output is None:
            target = path.with_suffix(".mpy")
        elif single and output.endswith(".mpy"):
            target = Path(output)
        else:
            target = Path(output) / path.with_suffix(".mpy").name
        found.append((path, target, path.name))
    if name is not None:
        if len(found) != 1:
            raise UsageError("usage.name-of-several")
        found = [(found[0][0], found[0][1], name)]
    if not found:
        raise UsageError("usage.no-modules")
    return found


def _modules(folder: Path) -> Iterator[Path]:
    """Every .py file below. Raises: LocalFileError where a directory cannot be read."""
    from ..device.local import local_error

    def unreadable(error: OSError) -> None:
        raise local_error(error, error.filename) from error

    for place, _, names in os.walk(folder, onerror=unreadable):
        yield from (Path(place, name) for name in names if name.endswith(".py"))


def _write(path: Path, data: bytes) -> None:
    """In one step: the file is the old or the new one."""
    from ..device.local import local_error
    from ..whole_file import write_whole

    try:
        write_whole(path, data, durable=True, parents=True)
    except OSError as error:
        raise local_error(error, path) from error
