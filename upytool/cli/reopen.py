"""The board again after it went away, for commands that stay connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import TransportError
from .app import App

if TYPE_CHECKING:
    from ..transport.base import Transport


class Reopener:
    """Finds and opens the board again after it went away, also where it comes back under another name.

    Args:
        address: the port or URL it was opened with.
    """

    def __init__(self, app: App, address: str) -> None:
        from ..discovery.ports import find_path, list_ports

        self._app, self._address = app, address
        self._port = None if "://" in address else find_path(address, list_ports())

    def __call__(self) -> Transport | None:
        """The open transport, or None while the board is not there."""
        from ..device.connect import open_address
        from ..discovery.lines import lines_for
        from ..discovery.ports import list_ports

        address, port, settings = self._address, self._port, self._app.settings
        if port is not None:
            again = [other for other in list_ports() if port.same_device(other)]
            if not again:
                return None
            address = again[0].path
        try:
            lines = lines_for(port, dtr=settings.dtr, rts=settings.rts)
            return open_address(
                address,
                baud=settings.baud,
                lines=lines,
                aliases=settings.devices,
                ask=self._app.ask_password,
            )
        except TransportError:
            return None
