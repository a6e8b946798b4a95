"""Simulated boards: start, list, reset and stop them. They run in the background, until they are stopped.

    import upytool
    from upytool.api import sims

    board = sims.start("wasm")
    with upytool.connect(board.selector) as device:
        print(device.exec("print(1 + 1)"))
    sims.stop()

`wasm` is MicroPython in WebAssembly, `pico` an emulated RP2040 that can be flashed. Their flash is kept.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import BootloaderError, NoDeviceError, SimulatorError, UsageError
from ..events import NULL, Reporter
from ..words import Said

if TYPE_CHECKING:
    from ..sim.registry import Kind as Kind
    from ..sim.registry import SimInfo

__all__ = ["Simulated", "address", "reset", "running", "selectors", "start", "stop"]


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated board that runs.

    Attributes:
        info: its name, kind, port, process and directory.
        state: `repl`, `bootloader`, `starting`, or `mute` where it does not answer; "" where it was not asked.
        started: whether this call of `start` started it.
    """

    info: SimInfo
    state: str = ""
    started: bool = False

    @property
    def name(self) -> str:
        """Its name: its kind unless another was given."""
        return self.info.name

    @property
    def kind(self) -> Kind:
        """`wasm` or `pico`."""
        return self.info.kind

    @property
    def port(self) -> str:
        """Where its REPL is, for any tool: the path of a pty, or `socket://127.0.0.1:PORT`."""
        return self.info.port

    @property
    def selector(self) -> str:
        """What `upytool.connect` takes."""
        return f"sim:{self.name}"

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {**self.info.data(), "state": self.state}


def start(
    kind: Kind = "wasm",
    *,
    name: str | None = None,
    image: str | os.PathLike[str] | None = None,
    fresh: bool = False,
    bootsel: bool = False,
    tcp: bool = False,
    flash_size: int | None = None,
    reporter: Reporter = NULL,
) -> Simulated:
    """Start a simulated board; one of that name that runs already is returned as it is.

    Args:
        kind: `wasm` or `pico`.
        name: None: its kind.
        image: the UF2 file that a pico runs; None: what is in its flash. A new one waits in its bootloader.
        fresh: begin with an empty flash.
        bootsel: hold the button of a pico, so that it waits in its bootloader.
        tcp: a TCP port in place of a pty (always so on Windows).
        flash_size: bytes of a new wasm board's flash, a multiple of 4096; None: 16 MiB.

    Raises: SimulatorError; MissingExtraError without the extra `sim`; UsageError for what that kind does not have.
    """
    from ..sim import registry

    known = registry.find(name or kind)
    info = registry.start(
        kind, name=name, image=image, fresh=fresh, bootsel=bootsel, tcp=tcp, flash_size=flash_size, reporter=reporter
    )
    return Simulated(info, registry.state(info), known is None)


def running(*, ask: bool = True) -> list[Simulated]:
    """List the simulated boards that run, by name.

    Args:
        ask: ask each for its state, too.
    """
    from ..sim.registry import list_running

    return [Simulated(info, _state(info) if ask else "") for info in list_running()]


def _state(info: SimInfo) -> str:
    from ..sim.registry import state

    try:
        return state(info)
    except SimulatorError:
        return "mute"  # it hangs, or ends this very moment


def stop(names: Sequence[str] = (), *, every: bool = False) -> list[str]:
    """Stop simulated boards; their flash is kept. Returns their names.

    Args:
        names: NAME or sim:NAME; none: the only one that runs.
        every: all that run.

    Raises: NoDeviceError where one does not run; UsageError where several run and none is named; SimulatorError.
    """
    from ..sim import registry

    chosen = [info.name for info in registry.list_running()] if every else _chosen(names)
    for name in chosen:
        registry.stop(name)
    return chosen


def reset(names: Sequence[str] = (), *, bootsel: bool = False) -> list[str]:
    """Press the reset button of simulated boards, whatever their program does. Returns their names.

    Args:
        names: NAME or sim:NAME; none: the only one that runs.
        bootsel: hold the other button of a pico, so that it waits in its bootloader.

    Raises: as `stop`; UsageError for a board without that button.
    """
    from ..sim import registry

    chosen = _chosen(names)
    for name in chosen:
        registry.reset(name, bootsel=bootsel)
    return chosen


def _chosen(names: Sequence[str]) -> list[str]:
    """The names, or that of the only board that runs."""
    if names:
        return [name.removeprefix("sim:") for name in names]
    from ..sim.registry import list_running

    here = list_running()
    if not here:
        raise NoDeviceError("device.none.simulated-any", hint=Said("sim.start-kind", kind="wasm"))
    if len(here) > 1:
        raise UsageError("usage.several-simulated", names=[info.name for info in here])
    return [here[0].name]


# -- for who looks for boards -------------------------------------------------------------------------


def address(selector: str) -> str:
    """Find the port of a simulated board that runs.

    Args:
        selector: `sim`, `sim:KIND` or `sim:NAME`.

    Raises: NoDeviceError, AmbiguousDeviceError; BootloaderError for one that waits for firmware: its port is silent.
    """
    from ..sim.registry import resolve_info, state

    info = resolve_info(selector)
    if info.kind == "pico" and state(info) == "bootloader":
        raise BootloaderError(selector)
    return info.port


def selectors() -> list[str]:
    """List the selectors of the simulated boards that run; none where they cannot be listed."""
    try:
        return [each.selector for each in running(ask=False)]
    except OSError:
        return []
