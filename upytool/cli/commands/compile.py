"""`upytool compile`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ... import documents
from ...errors import LocalFileError, UsageError
from ..app import App, pass_app
from ..group import define
from ..params import LocalPath
from ..ui.text import plural, rows

if TYPE_CHECKING:
    from ...mpy.abi import Abi


@define(
    "compile",
    examples=[
        ("upytool compile lib --output build", "for the connected board"),
        ("upytool compile app.py --version 1.25 --arch armv6m", "for a board that is not here"),
        ("upytool compile fast.py --board RPI_PICO2 --emitter native -O2", "machine code, without asserts"),
    ],
)
@click.argument("paths", type=LocalPath(directories=True), nargs=-1, required=True, help=".py files and directories.")
@click.option("--output", "-o", type=LocalPath(directories=True), metavar="PATH",
              help="Output file (one module) or directory (default: beside the sources).")  # fmt: skip
@click.option("--version", metavar="X.Y", help="MicroPython version to compile for, instead of the connected board's.")
@click.option(
    "--board", metavar="BOARD", help="Board whose architecture to compile for (with --version; default: the newest)."
)
@click.option("--arch", metavar="ARCH", help="Architecture of machine code: armv6m, armv7emsp, xtensawin, rv32imc ...")
@click.option("--arch-flags", multiple=True, type=click.Choice(["zba", "zcmp"]), help="Extensions of rv32imc.")
@click.option("--optimize", "-O", type=click.IntRange(0, 3), default=0, metavar="N",
              help="Optimization level: 1 drops asserts, 3 line numbers too (default: 0).")  # fmt: skip
@click.option("--emitter", type=click.Choice(["bytecode", "native", "viper"]), help="Code emitter for whole modules.")
@click.option("--name", metavar="NAME", help="Module name in tracebacks (default: its path).")
@pass_app
def command(
    app: App,
    paths: tuple[str, ...],
    output: str | None,
    version: str | None,
    board: str | None,
    arch: str | None,
    arch_flags: tuple[str, ...],
    optimize: int,
    emitter: str | None,
    name: str | None,
) -> None:
    """Compile modules to .mpy files for a board: the connected one, or one that you name.

    The compiler is the one for that board's version of .mpy files. `main.py` and `boot.py` are left as they are,
    for a board starts them by these names. What was compiled before and has not changed is taken from a cache.
    """
    from ...config.paths import cache_dir
    from ...mpy.cross import Cross, Module

    abi = _abi(app, version, board, arch, arch_flags)
    if not abi.version:
        raise UsageError(f"MicroPython {version} loads no .mpy files that can be made here", hint="1.9 is the first")
    if arch_flags and abi.arch != "rv32imc":
        raise UsageError("--arch-flags are for rv32imc alone", hint="leave them out, or add --arch rv32imc")
    if emitter in ("native", "viper") and not abi.arch:
        raise UsageError(
            f"--emitter {emitter} makes machine code: for which processor?",
            hint="name it: --arch armv6m, or --board NAME",
        )
    work = _collect(paths, output, name)
    modules = [
        Module(_read(source), called, optimize, "" if emitter in (None, "bytecode") else str(emitter), str(source))
        for source, _, called in work
    ]
    cross = Cross(abi, Path(cache_dir()) / "mpy")
    made = cross.compile_all(modules)
    for (_, target, _), data in zip(work, made, strict=True):
        _write(target, data)
    body = [(str(source), str(target), len(data)) for (source, target, _), data in zip(work, made, strict=True)]
    app.emit(
        {
            "mpy": {"version": abi.version, "sub_version": abi.sub_version, "arch": abi.arch},
            "compiled": cross.compiled,
            "files": [{"source": source, "target": target, "size": size} for source, target, size in body],
        },
        lambda style: rows(style, ["source", "compiled", "bytes"], body, align="llr"),
    )
    unchanged = len(made) - cross.compiled
    cached = "" if not unchanged else ", unchanged" if not cross.compiled else f", {unchanged} of them unchanged"
    app.note(f"{plural(len(made), 'module')} for .mpy {abi.text}{cached}")


def _abi(app: App, version: str | None, board: str | None, arch: str | None, flags: tuple[str, ...]) -> Abi:
    from dataclasses import replace

    from ...image.identity import release_of
    from ...mpy.abi import ARCH_FLAGS, Abi

    bits = sum(ARCH_FLAGS[flag] for flag in set(flags))
    if version is None and board is None:
        if arch is not None:
            abi = Abi.for_release((99,), arch, bits)
        else:
            info = app.device().info
            found = Abi.of(info.mpy, info.small_int_bits)
            if found is None:
                raise UsageError("this board loads no .mpy files", hint="copy the sources as they are")
            abi = found
            bits |= abi.arch_flags
        return replace(abi, arch_flags=bits)
    numbers = (99,) if version is None else release_of(version)
    if numbers is None:
        raise UsageError(f"{version!r} is not a version of MicroPython", hint="write 1.25 or 1.25.0")
    if board is not None and arch is None:
        from ...boards.catalogue import find
        from ...builder.arch import arch_of

        arch, own = arch_of(find(board), numbers)
        bits = bits or own
    return Abi.for_release(numbers, arch or "", bits)


def _collect(paths: tuple[str, ...], output: str | None, name: str | None) -> list[tuple[Path, Path, str]]:
    """(source, target, what tracebacks call it) for every module."""
    from ...mpy.cross import never_compiled

    found: list[tuple[Path, Path, str]] = []
    single = len(paths) == 1 and not os.path.isdir(paths[0])
    if output is not None and not single and (output.endswith(".mpy") or os.path.isfile(output)):
        raise UsageError(f"-o {output} is one file, for one module", hint="name a directory for several: -o build")
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
            raise UsageError(f"there is no file {text}", hint="name .py files, or a directory of them")
        if path.suffix.lower() != ".py":
            raise UsageError(f"{text} is no .py file", hint="only Python modules are compiled")
        if output is None:
            target = path.with_suffix(".mpy")
        elif single and output.endswith(".mpy"):
            target = Path(output)
        else:
            target = Path(output) / path.with_suffix(".mpy").name
        found.append((path, target, path.name))
    if name is not None:
        if len(found) != 1:
            raise UsageError("--name is for one module", hint="leave it out: each gets its own path")
        found = [(found[0][0], found[0][1], name)]
    if not found:
        raise UsageError("there is no module to compile", hint="main.py and boot.py stay sources")
    return found


def _modules(folder: Path) -> Iterator[Path]:
    """Every .py file below. Raises: LocalFileError where a directory cannot be read."""
    from ...device.local import local_error

    def unreadable(error: OSError) -> None:
        raise local_error(error, error.filename) from error

    for place, _, names in os.walk(folder, onerror=unreadable):
        yield from (Path(place, name) for name in names if name.endswith(".py"))


def _read(path: Path) -> bytes:
    return documents.read_bytes(path, error=LocalFileError)


def _write(path: Path, data: bytes) -> None:
    """In one step: the file is the old or the new one."""
    from ...device.local import local_error
    from ...whole_file import write_whole

    try:
        write_whole(path, data, durable=True, parents=True)
    except OSError as error:
        raise local_error(error, path) from error
