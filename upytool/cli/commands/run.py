"""`upytool run`."""

from __future__ import annotations

import sys

import click

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
    from ...api import run

    program = run.read_program(sys.stdin.buffer if file == "-" else file)
    run.run_file(app.device(), program, on_output=app.out, timeout=app.settings.timeout, follow=follow)
