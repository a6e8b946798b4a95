"""`upytool run`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ... import limits
from ...errors import LocalFileError
from ..app import App, pass_app
from ..group import define
from ..params import LocalPath


@define(
    "run",
    examples=[
        ("upytool run blink.py", "run a local program without copying it"),
        ("upytool run - < blink.py", "the program comes from stdin"),
        ("upytool run --no-follow server.py", "start it and leave it running"),
        ("upytool run test.py --timeout 30", "stop it after 30 s, with exit code 124"),
    ],
)
@click.argument("file", type=LocalPath(), help="Local MicroPython program; `-` is stdin.")
@click.option("--follow/--no-follow", "-f", default=True, help="Wait for the program and show its output (default).")
@pass_app
def command(app: App, file: str, follow: bool) -> None:
    """Run a local program on the board, without storing it there.

    The exit code is the program's: what it gave to sys.exit(), or 1 after an exception, whose traceback names
    the local file. Nothing is stored, so the board forgets the program at its next reset; to keep it, copy it:
    `upytool cp blink.py :main.py`.
    """
    source = read_program(file)
    name = "<stdin>" if file == "-" else file
    app.device().run(source, filename=name, on_output=app.out, timeout=app.settings.timeout, follow=follow)


def read_program(file: str) -> bytes:
    """The bytes of a local program; `-` is stdin. Errors: LocalFileError."""
    try:
        if file == "-":
            data = sys.stdin.buffer.read(limits.DOCUMENT_BYTES + 1)
        else:
            with open(file, "rb") as stream:  # a FIFO is welcome: `run <(generator)`
                data = stream.read(limits.DOCUMENT_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise LocalFileError(f"{file} cannot be read: {reason.lower()}", hint="check the path") from error
    if len(data) > limits.DOCUMENT_BYTES:
        raise LocalFileError(f"{file} is larger than the limit of {limits.DOCUMENT_BYTES:,} bytes")
    if file == "-":
        return data
    if file.endswith(".mpy") or data[:2] == b"M\x06":
        raise LocalFileError(
            f"{file} is compiled, and the REPL takes source only",
            hint=f"copy it and import it: upytool cp {file} : + exec 'import {Path(file).stem}'",
        )
    return data
