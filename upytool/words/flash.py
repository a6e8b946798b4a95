"""What the flashers room says about a run: its plan, its steps, and the states that they leave a board in."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "flash.broke-off": ("{cause}",),
    "image.ota-flash-size": (
        "the firmware is built for {stated:MB} of flash, this board has {size:MB}",
        "use the variant for a smaller flash",
    ),
}

NOTES: dict[str, str] = {
    "flash.hint.again": "run the same command again: what is there already is not written twice",
    "flash.state.unchanged": "nothing was changed on the board",
}
