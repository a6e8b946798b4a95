"""What the testing room says when something fails."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "transport.lost.model": ("the connection to {name} was lost", "it is a model"),
}

NOTES: dict[str, str] = {}
