"""Boards without hardware: start, find, reset and stop simulated boards.

    from upytool.sim import start

    board = start("wasm")       # a background process; board.port is a pty (a socket:// URL on Windows)

`upytool.sim.wasm.WasmBoard` is the same board inside this process, for tests. `upytool.sim.usb` has the USB of a
pico.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["SimInfo", "list_running", "reset", "resolve", "start", "state", "stop"]

if TYPE_CHECKING:
    from .registry import SimInfo, list_running, reset, resolve, start, state, stop


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'upytool.sim' has no attribute {name!r}")
    from . import registry

    return getattr(registry, name)
