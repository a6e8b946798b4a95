"""Where the password of a board over the air comes from, and where WebREPL's is kept on this computer.

The first of: UPYTOOL_WEBREPL_PASSWORD, the table [webrepl-passwords] of the user's configuration file, the system's
keyring where the package `keyring` is installed, a question. A project's file is never asked: it is shared, and may be
a mere download. A password is kept under an alias of the board, `HOST:PORT` or `HOST`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from ..errors import ConfigError, NotAuthorizedError, UpytoolError, UsageError
from ..secret import Secret
from ..transport.webrepl_address import is_webrepl, parse_address
from ..words import Said
from .edit import set_value, unset_value
from .load import PASSWORDS, read_toml
from .paths import config_file

VARIABLE = "UPYTOOL_WEBREPL_PASSWORD"
BLE_VARIABLE = "UPYTOOL_BLE_PASSWORD"
SERVICE = "upytool"
# extmod/modwebrepl.c: webrepl_passwd[10], the end of the string in it.
LONGEST = 9
# A keyring that is locked asks the user in a window of its own.
KEYRING_SECONDS = 60.0

Ask = Callable[[str], "str | None"]
Tell = Callable[[str], object]
T = TypeVar("T")


def webrepl_password(
    address: str, aliases: Mapping[str, str], *, ask: Ask | None = None, tell: Tell = lambda _: None
) -> Secret:
    """The password of the board at an address.

    Args:
        address: `ws://HOST[:PORT]` or `wss://...`.
        aliases: the user's names of boards, name to selector.
        ask: asks a person without echo; returns None where there is nobody to ask.
        tell: is told a warning, or what is waited for.

    Raises:
        NotAuthorizedError: nobody knows one.
        UsageError, ConfigError: what was found cannot be a password.
    """
    found = find_password(address, aliases, tell=tell)
    if found is not None:
        return found
    board = str(parse_address(address))
    typed = ask(f"WebREPL password of {board}: ") if ask is not None else None
    if typed is None:
        raise NotAuthorizedError("transport.password.unknown", board=board, variable=VARIABLE)
    return check_password(typed)


def find_password(address: str, aliases: Mapping[str, str], *, tell: Tell = lambda _: None) -> Secret | None:
    """`webrepl_password` without a question: None where none is known."""
    text = os.environ.get(VARIABLE, "")
    if text:
        return check_password(text, VARIABLE, error=ConfigError)
    keys = names_of(address, aliases)
    for store in stores(tell):
        for key in keys:
            kept = store.get(key)
            if kept is not None:
                return check_password(kept, f"{store.name} ({key})", error=ConfigError)
    return None


def ble_password(board: str, *, ask: Ask | None = None) -> Secret:
    """The password of a board over Bluetooth LE: from UPYTOOL_BLE_PASSWORD, or a question.

    Args:
        board: `ble://NAME` or `ble://ADDRESS`.
        ask: as of `webrepl_password`.

    Raises:
        NotAuthorizedError: nobody knows one.
    """
    kept = os.environ.get(BLE_VARIABLE, "")
    text = kept or (ask(f"Password of {board}: ") if ask is not None else None)
    if not text:
        raise NotAuthorizedError("transport.password.unknown", board=board, variable=BLE_VARIABLE)
    return Secret(text, BLE_VARIABLE if kept else "")


def check_password(text: str, source: str = "", *, error: type[UpytoolError] = UsageError) -> Secret:
    """A password that WebREPL can take: 1 to 9 bytes, no control characters.

    Args:
        text: the password.
        source: where it comes from.
        error: the class to raise.
    """
    which = Said("config.password-in", source=source) if source else Said("config.password")
    if not text:
        raise error("password.empty", which=which, limit=LONGEST)
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        raise error("password.characters", which=which)
    size = len(text.encode())
    if size > LONGEST:
        raise error("password.too-long", which=which, size=size, limit=LONGEST)
    return Secret(text, source)


def names_of(address: str, aliases: Mapping[str, str]) -> list[str]:
    """The names under which the password of a board may be kept: its aliases, HOST:PORT, and HOST for any port."""
    there = parse_address(address)
    names = []
    for alias, selector in aliases.items():
        with contextlib.suppress(UsageError):
            if is_webrepl(selector) and parse_address(selector).place == there.place:
                names.append(alias)
    return [*names, there.place, there.host]


# -- where passwords are kept --------------------------------------------------------------------


class Store(Protocol):
    """A place for passwords: what the user calls it, and one text for each name."""

    name: str

    def get(self, key: str) -> str | None: ...

    def set(self, key: str, password: Secret) -> None: ...

    def remove(self, key: str) -> bool: ...


def stores(tell: Tell = lambda _: None) -> Iterator[Store]:
    """The places of this computer, in the order in which they are asked."""
    yield FileStore(tell)
    keyring = system_keyring(tell)
    if keyring is not None:
        yield keyring


class FileStore:
    """The table [webrepl-passwords] of the user's configuration file."""

    def __init__(self, tell: Tell = lambda _: None) -> None:
        self.name = config_file()
        self._tell = tell

    def get(self, key: str) -> str | None:
        table = read_toml(self.name).get(PASSWORDS, {})
        if not isinstance(table, dict):
            raise ConfigError("config.not-a-table", path=self.name, table=PASSWORDS)
        text = table.get(key)
        if text is None:
            return None
        if not isinstance(text, str):
            raise ConfigError("config.not-a-string", path=self.name, key=f"{PASSWORDS}.{key}")
        if os.name == "posix" and os.stat(self.name).st_mode & 0o077:
            self._tell(
                f"{self.name} holds a password and other users can read it: `chmod 600 {shlex.quote(self.name)}`"
            )
        return text

    def set(self, key: str, password: Secret) -> None:
        set_value(self.name, PASSWORDS, key, password.reveal(), private=True)

    def remove(self, key: str) -> bool:
        return unset_value(self.name, PASSWORDS, key)


class KeyringStore:
    """The keyring of the system: Keychain, Credential Locker, Secret Service or KWallet."""

    name = "the system keyring"

    def __init__(self, keyring: Any, tell: Tell = lambda _: None) -> None:
        self._keyring, self._tell = keyring, tell

    def get(self, key: str) -> str | None:
        try:
            found = self._within(lambda: self._keyring.get_password(SERVICE, key))
        except Exception as error:  # a back end may raise anything; the next source is asked
            self._tell(f"the system keyring was not asked: {type(error).__name__}")
            return None
        return found if isinstance(found, str) else None

    def set(self, key: str, password: Secret) -> None:
        try:
            self._within(lambda: self._keyring.set_password(SERVICE, key, password.reveal()))
        except Exception as error:
            raise ConfigError("config.keyring-set", reason=type(error).__name__) from None

    def remove(self, key: str) -> bool:
        if self.get(key) is None:
            return False
        try:
            self._within(lambda: self._keyring.delete_password(SERVICE, key))
        except Exception as error:
            raise ConfigError("config.keyring-remove", reason=type(error).__name__) from None
        return True

    def _within(self, work: Callable[[], T]) -> T:
        """The result of `work`, waited for in another thread: a keyring has no time limit of its own."""
        results: list[T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(work())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run, name="keyring", daemon=True)
        begun, told = time.monotonic(), False
        thread.start()
        while thread.is_alive():
            thread.join(0.2)  # short waits: on Windows no Ctrl-C comes through a long one
            waited = time.monotonic() - begun
            if waited > 1 and not told and thread.is_alive():
                told = True
                self._tell("waiting for the system keyring (Ctrl-C to stop)")
            if waited > KEYRING_SECONDS:
                raise TimeoutError
        if errors:
            raise errors[0]
        return results[0]


def system_keyring(tell: Tell = lambda _: None) -> KeyringStore | None:
    """The system's keyring, None where there is none or the package `keyring` is not installed."""
    try:
        import keyring
        from keyring.backends import fail, null
    except ImportError:
        return None
    try:
        usable = not isinstance(keyring.get_keyring(), (fail.Keyring, null.Keyring))
    except Exception as error:  # a back end that does not load
        tell(f"the system keyring was not asked: {type(error).__name__}")
        return None
    return KeyringStore(keyring, tell) if usable else None
