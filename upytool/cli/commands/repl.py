"""`upytool repl`."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from ...errors import UsageError
from ..app import App, pass_app
from ..capture import capture_file
from ..group import define
from ..params import LocalPath


@define(
    "repl",
    examples=[
        ("upytool repl", "the board's prompt; Ctrl-] or Ctrl-X leaves"),
        ("upytool repl --capture session.log", "keep what the board prints"),
        ("upytool repl --inject-code 'import app\\napp.main()'", "Ctrl-J types this"),
        ("upytool mount . repl --exit-key ctrl-q", "another key to leave; Ctrl-X goes to the board then"),
        ("upytool repl < lines.txt", "type the lines of a file and show what the board answers"),
    ],
)
@click.option("--capture", type=LocalPath(), default=None, help="Write the output to FILE too.")
@click.option("--inject-code", default=None, metavar="CODE", help="Text that Ctrl-J types; \\n is Enter.")
@click.option("--inject-file", type=LocalPath(), default=None, help="Program that Ctrl-K runs.")
@click.option(
    "--escape-non-printable/--no-escape-non-printable",
    "-e",
    default=False,
    help="Show unprintable bytes as [xx].",
)
@click.option("--exit-key", multiple=True, metavar="KEY", help="Exit key (default: ctrl-]), such as ctrl-q.")
@click.option("--once", is_flag=True, help="Exit when the board disconnects, instead of waiting for it.")
@pass_app
def command(
    app: App,
    capture: str | None,
    inject_code: str | None,
    inject_file: str | None,
    escape_non_printable: bool,
    exit_key: tuple[str, ...],
    once: bool,
) -> None:
    """Talk to the board's prompt. Ctrl-] or Ctrl-X leaves, all other keys go to the board.

    Ctrl-C stops the program that runs there, Ctrl-D restarts MicroPython. When the board is unplugged or
    reset, the REPL waits until it is back. Where the input is not a terminal, its lines are typed one by one.
    """
    from ...api.console import Console, ConsoleOptions
    from ..ui.terminal import open_terminal

    keys, name = exit_keys(exit_key)
    device = app.device()
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(capture_file(capture))
        options = ConsoleOptions(
            exit_keys=keys,
            exit_name=name,
            inject_code=inject_code.replace("\\n", "\r\n").encode() if inject_code is not None else None,
            inject_file=Path(inject_file) if inject_file is not None else None,
            escape=escape_non_printable,
            capture=sink,
            reopen=None if once else app.reopener(),
        )
        terminal = stack.enter_context(open_terminal(app.streams))
        if terminal.interactive:
            app.note(f"Connected to {device.name}; Enter shows the prompt, {name} leaves")
        Console(device, terminal, options).run()
    if terminal.interactive:
        app.streams.err("")


def exit_keys(names: tuple[str, ...]) -> tuple[bytes, str]:
    """The bytes of `ctrl-q`, `^q` or `q`-like names, and how to call them. Errors: UsageError."""
    if not names:
        return b"\x1d\x18", "Ctrl-] or Ctrl-X"
    keys = b""
    for name in names:
        letter = name.lower().removeprefix("ctrl-").removeprefix("ctrl+").removeprefix("^").upper()
        if len(letter) != 1 or len(letter) == len(name) or not "@" < letter <= "_":
            raise UsageError("usage.exit-key", name=name)
        keys += bytes((ord(letter) & 0x1F,))
    return keys, " or ".join(f"Ctrl-{chr(key | 0x40)}" for key in keys)
