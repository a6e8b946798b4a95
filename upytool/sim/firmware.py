"""Where the modules for boards lie: in the checkout's `firmware/`, or in the wheel's copy of that part."""

from __future__ import annotations

from pathlib import Path

from ..errors import SimulatorError


def modules_dir() -> Path:
    """The folder `firmware/modules`. In a wheel it is `upytool/_firmware/modules` (see pyproject.toml).

    Raises: SimulatorError when the installation lacks it.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_firmware" / "modules", package.parent / "firmware" / "modules"):
        if (folder / "simboard" / "main.py").is_file():
            return folder
    raise SimulatorError(
        "the simulated board's modules are missing from this installation", hint="install upytool again"
    )
