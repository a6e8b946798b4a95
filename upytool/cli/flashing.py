"""Which board a command means that works on its flash: chosen by -d, or by a person who is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import AmbiguousDeviceError
from ..words import Said
from .app import App
from .ui.prompt import may_ask

if TYPE_CHECKING:
    from ..api.flash_target import Doors, Flashable

PATIENCE = 120.0  # seconds for a person who looks for a button


def doors(app: App, *, buttons: bool = True) -> Doors:
    """How boards are reached, simulated ones where -d says so.

    Args:
        buttons: somebody may be asked to press some, where somebody is there.
    """
    from ..api.flash_target import reach

    settings = app.settings
    person = buttons and may_ask(app.streams, settings.no_input)
    return reach(
        app.selector,
        aliases=settings.devices,
        baud=settings.baud,
        patience=PATIENCE if person else 0.0,
        reporter=app.reporter,
    )


def targets(app: App, ways: Doors) -> list[Flashable]:
    """Every board there is, in whatever state; those that may run were asked what they are."""
    from ..api.flash_target import find

    return find(ways, reporter=app.reporter)


def choose(app: App, ways: Doors | None = None) -> Flashable:
    """The one board that -d names, or the only one there is; a person may pick one of several.

    Raises: NoDeviceError with what to do, AmbiguousDeviceError, PortBusyError, PortPermissionError.
    """
    from ..api.flash_target import choose as find

    ways = ways or doors(app)
    app.let_go()  # the port has to be free for the flasher
    try:
        return find(app.selector, ways, reporter=app.reporter)
    except AmbiguousDeviceError as error:
        picked = _pick(app, error)
        if picked is None:
            raise
    return find(picked, ways, reporter=app.reporter)


def _pick(app: App, error: AmbiguousDeviceError) -> str | None:
    """Let a person choose; None where nobody is there."""
    names, shown = list(error.choices), [each for each in error.advice if each.code == "flash.hint.choice"]
    if not names or app.settings.json:
        return None
    from .ui.prompt import choose as ask

    labels = [Said("flash.choice", **each.fields).text for each in shown] if len(shown) == len(names) else names
    number = ask(error.message, labels, app.streams, no_input=app.settings.no_input)
    return None if number is None else names[number]
