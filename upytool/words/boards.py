"""What the boards room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "build.layout.no-room": ("a flash of {size} bytes has no room for a file system behind the firmware",),
    "build.layout.none": ("{board} with MicroPython {version}: {reason}",),
    "build.layout.not-a-version": ("{version!r} is not a version of MicroPython", "such as 1.26.1"),
    "build.layout.unknown-board": (
        "the flash layout of {board} is not known",
        "say where its file system is, if you know it",
    ),
    "build.layout.unknown-variant": (
        "the flash layout of {board} is not known for a variant {variant}",
        "known: {known}",
    ),
    "build.layout.unknown-version": (
        "the flash layout of {board} is not known for MicroPython {version}",
        "known are the releases {first} to {last}",
    ),
    "usage.ambiguous-board": ("{name} is the name of {count} boards", "take one of {boards}"),
    "usage.no-variants": ("{board} has no variants, so no {variant}",),
    "usage.unknown-board": ("unknown board {name}",),
    "usage.unknown-variant": ("{board} has no variant {variant}", "its variants: {known}"),
}

NOTES: dict[str, str] = {
    "boards.did-you-mean": "did you mean {names}?",
    "boards.search": "`upytool firmware search WORDS` looks for boards",
}
