"""`upytool compile`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from ..app import App, pass_app
from ..group import define
from ..params import LocalPath
from ..ui.text import plural, rows

if TYPE_CHECKING:
    from ...api.compile import Emitter


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
    from ...api import compile

    if version is None and board is None and arch is None:
        abi = compile.abi_of(app.device(), arch_flags)
    else:
        abi = compile.abi_for(version=version, board=board, arch=arch, arch_flags=arch_flags)
    made = compile.compile_files(
        paths, abi, output=output, optimize=optimize, emitter=cast("Emitter", emitter or "bytecode"), name=name
    )
    body = [(str(each.source), str(each.target), each.size) for each in made.files]
    app.emit(made.data(), lambda style: rows(style, ["source", "compiled", "bytes"], body, align="llr"))
    unchanged = len(made.files) - made.fresh
    cached = "" if not unchanged else ", unchanged" if not made.fresh else f", {unchanged} of them unchanged"
    app.note(f"{plural(len(made.files), 'module')} for .mpy {abi.text}{cached}")
