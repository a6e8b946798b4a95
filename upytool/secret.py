"""What may be used and never shown: passwords, and the logins and tokens in addresses."""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "***"
_SECRET = re.compile(
    r"token|passw|pwd|secret|credential|signature|session|(?:^|[-_])(?:key|auth|sig|jwt|pat)$|^apikey$", re.IGNORECASE
)
_LOGIN = re.compile(r"\b([a-z][a-z0-9+.-]*://)[^\s/?#]*@", re.IGNORECASE)
_QUERY = re.compile(r"([?&;#])([^?&;#=\s]+)=([^&;#\s]*)")


class Secret:
    """A password that no message, log, document or traceback shows by accident: its text is `HIDDEN`.

    Attributes:
        source: where it comes from, for the message that it is wrong.
    """

    __slots__ = ("_text", "source")

    def __init__(self, text: str, source: str = "") -> None:
        self._text, self.source = text, source

    def reveal(self) -> str:
        """The password itself, for the one place that sends or stores it."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self._text == other._text

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")


def redact(text: str) -> str:
    """A text, such as somebody's error message, without the secrets of the addresses and queries in it."""
    return hide_values(_LOGIN.sub(r"\1", text))


def hide_values(url: str) -> str:
    """An address without the secret values in its query."""
    return _QUERY.sub(_hide, url)


def _hide(found: re.Match[str]) -> str:
    name, value = found[2], found[3]
    return f"{found[1]}{name}={HIDDEN}" if _SECRET.search(unquote(name)) and value else found[0]
