"""Rigs: serial ports with a real MicroPython behind them, for the tests and the benches.

A rig is a context manager with a `port` attribute, the path a client opens. See README.md here.
"""

from __future__ import annotations

from tests.rigs.base import RegistryRefused, RigBroken, RigUnavailable

__all__ = ["RegistryRefused", "RigBroken", "RigUnavailable"]
