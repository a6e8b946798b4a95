"""Addresses of the web whose text never holds a password or a token.

An `Address` is the text that may be shown and stored; what is secret in what the user wrote is beside it and goes to
the server alone. So no message, list, record, lock or cache has to think of it.
"""

from __future__ import annotations

from typing import Self
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from ..errors import UsageError
from ..secret import HIDDEN, hide_values, redact


class Address(str):
    """An http or https address without what is secret in it.

    Attributes:
        user, password: from `https://USER:PASSWORD@HOST/`, "" for none.
        full: what the server is asked for: with the values of a query such as `?token=...`, without user and password.
    """

    __slots__ = ("full", "password", "user")

    full: str
    password: str
    user: str

    @classmethod
    def of(cls, text: str) -> Self:
        """The address that a text is. An Address is returned as it is.

        Raises:
            UsageError: it is not an address.
        """
        if isinstance(text, cls):
            return text
        if not text.isprintable() or " " in text:
            raise UsageError("usage.url-characters", url=redact(text))
        try:
            parts = urlsplit(text)
            _ = parts.port
            if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
                raise UsageError("usage.url-scheme", url=redact(text))
        except ValueError as error:
            raise UsageError("usage.url", url=redact(text), reason=redact(str(error))) from None
        login, _, host = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        full = urlunsplit(parts._replace(netloc=host, fragment=""))
        made = super().__new__(cls, hide_values(full))
        made.full, made.user, made.password = full, unquote(user), unquote(password)
        return made

    @property
    def origin(self) -> tuple[str, str]:
        """Scheme and host, with the port where it is named."""
        parts = urlsplit(self.full)
        return parts.scheme.lower(), parts.netloc.lower()

    @property
    def stripped(self) -> bool:
        """Its secret was taken away when it was stored: the server will not give what it gave."""
        return f"={HIDDEN}" in self.full

    def beside(self, relative: str) -> Address:
        """The address that `relative` is beside this one, with its user and password on the same host.

        Raises:
            UsageError: it is not an address.
        """
        try:
            there = urljoin(self.full, relative)
        except ValueError as error:
            raise UsageError("usage.url", url=redact(relative), reason=redact(str(error))) from None
        return self._same_login(Address.of(there))

    def below(self, tail: str) -> Address:
        """The address of `tail`, a path with "/", below this one's path; a query stays."""
        parts = urlsplit(self.full)
        made = Address.of(urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{tail}")))
        return self._same_login(made)

    def _same_login(self, other: Address) -> Address:
        if not other.user and other.origin == self.origin:
            other.user, other.password = self.user, self.password
        return other

    def login(self) -> str:
        """`USER:PASSWORD` for HTTP's basic authentication, "" for none."""
        return f"{self.user}:{self.password}" if self.user or self.password else ""
