"""`upytool eval`."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Callable

import click

from ..app import App, pass_app
from ..group import define


@define(
    "eval",
    examples=[
        ('upytool eval "1 + 1"', "prints 2"),
        ('upytool eval "machine.freq()" --json', "the value as JSON where it is a literal"),
    ],
)
@click.argument("expression", help="MicroPython expression, evaluated on the board.")
@pass_app
def command(app: App, expression: str) -> None:
    """Evaluate an expression on the board and print its value.

    The text is what the board's print() makes of it. With --json numbers, text, lists and the like come as
    JSON, other values as their repr.
    """
    device = app.device()
    if app.settings.json:
        app.emit({"value": _json_value(device.eval(expression, timeout=app.settings.timeout))})
        return
    line_ends = LineEnds(_to_terminal(app) if app.streams.out_tty else app.out)
    device.run(f"print({expression})", on_output=line_ends.feed, timeout=app.settings.timeout)


def _to_terminal(app: App) -> Callable[[bytes], None]:
    """A value is data, unlike what `exec` lets a program print: a person is shown its escapes, not their effect."""
    decoder = getincrementaldecoder("utf-8")("backslashreplace")
    return lambda data: app.streams.write(decoder.decode(data))


class LineEnds:
    """Passes text on with the line ends of Unix, so that `x=$(upytool eval ...)` holds no carriage return."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink, self._held = sink, b""

    def feed(self, data: bytes) -> None:
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        text = data[: len(data) - len(self._held)].replace(b"\r\n", b"\n")
        if text:
            self._sink(text)


def _json_value(value: object) -> object:
    """`value` with what JSON has no word for as its repr."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _json_value(item) for key, item in value.items()}
    return repr(value)
