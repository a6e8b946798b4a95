"""What the flashers have in common when they fail: the state that a board is left in, and what goes on from there."""

from __future__ import annotations

from typing import NoReturn

from ..errors import FlashError, UpytoolError
from ..words import Said

UNCHANGED = Said("flash.state.unchanged")
# Hints whose code begins with this one say to run the command again; chain.py names the exact command in their place.
AGAIN = Said("flash.hint.again")


def broken_off(error: UpytoolError, state: str | Said, *hints: str | Said) -> NoReturn:
    """Raise the error of a step with what is on the board now, which only who took the step knows.

    Args:
        error: what ended the step. A FlashError keeps its code; any other becomes the cause of one.
        state: what is on the board now.
        hints: what to do next, behind the error's own hints.

    Raises: FlashError.
    """
    if isinstance(error, FlashError):
        error.state = state
        raise error.advise(*hints)
    raise FlashError("flash.broke-off", cause=error, hint=[*error.hints, *hints], state=state) from error
