"""`upytool monitor`."""

from __future__ import annotations

import contextlib

import click

from ..app import App, pass_app
from ..capture import capture_file
from ..group import define
from ..params import LocalPath


@define(
    "monitor",
    examples=[
        ("upytool monitor", "until Ctrl-C"),
        ("upytool monitor --timestamps --capture board.log", "with the time of each line, into a file too"),
        ("upytool monitor --seconds 10", "for ten seconds"),
    ],
)
@click.option("--timestamps", "-t", is_flag=True, help="Prefix each line with the time.")
@click.option("--capture", type=LocalPath(), default=None, help="Write the output to FILE too.")
@click.option("--seconds", type=click.FloatRange(min=0), default=None, help="Time to watch (default: until Ctrl-C).")
@click.option(
    "--escape-non-printable/--no-escape-non-printable",
    "-e",
    default=False,
    help="Show unprintable bytes as [xx].",
)
@click.option("--once", is_flag=True, help="Exit when the board disconnects, instead of waiting for it.")
@pass_app
def command(
    app: App,
    timestamps: bool,
    capture: str | None,
    seconds: float | None,
    escape_non_printable: bool,
    once: bool,
) -> None:
    """Watch what the board prints. Nothing is sent to it: its program goes on undisturbed."""
    from ...api.console import monitor

    device = app.device()
    with capture_file(capture) as log:

        def show(data: bytes) -> None:
            app.out(data)
            if log is not None:
                log.write(data)

        if app.streams.err_tty:
            app.note(f"Watching {device.name}; Ctrl-C stops")
        with contextlib.suppress(KeyboardInterrupt):  # the usual way to end it
            monitor(
                device,
                show,
                seconds=seconds,
                stamp=_time if timestamps else None,
                escape=escape_non_printable,
                reopen=None if once else app.reopener(),
                say=app.note,
            )


def _time() -> str:
    from datetime import datetime

    return datetime.now().strftime("%H:%M:%S.%f")[:-3] + " "
