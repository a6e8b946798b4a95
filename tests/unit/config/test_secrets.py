"""Where a WebREPL password comes from, in which order, and that nothing shows it."""

from __future__ import annotations

import os
import stat
import threading
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upytool.config import secrets
from upytool.config.load import load
from upytool.config.secrets import FileStore, check_password, find_password, system_keyring, webrepl_password
from upytool.errors import ConfigError, NotAuthorizedError, UsageError
from upytool.secret import Secret

ADDRESS = "ws://192.168.4.1"
PLACE = "192.168.4.1:8266"


class Home:
    """The user's configuration, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "config.toml"
        self.told: list[str] = []

    def write(self, text: str, mode: int = 0o600) -> None:
        self.file.write_text(text, encoding="utf-8")
        self.file.chmod(mode)

    def find(self, address: str = ADDRESS, **aliases: str) -> Secret | None:
        return find_password(address, aliases, tell=self.told.append)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in [name for name in os.environ if name.startswith("UPYTOOL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UPYTOOL_CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr(secrets, "system_keyring", lambda tell: None)
    return Home(tmp_path)


def said(secret: Secret | None) -> str:
    assert secret is not None
    return secret.reveal()


def test_nobody_knows(home: Home) -> None:
    assert home.find() is None
    with pytest.raises(NotAuthorizedError) as caught:
        webrepl_password(ADDRESS, {})
    assert "UPYTOOL_WEBREPL_PASSWORD" in caught.value.hint
    with pytest.raises(NotAuthorizedError):
        webrepl_password(ADDRESS, {}, ask=lambda question: None)


def test_a_person_is_asked_last(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return "typed"

    assert said(webrepl_password(ADDRESS, {}, ask=ask)) == "typed"
    assert "192.168.4.1" in asked[0]
    home.write(f'[webrepl-passwords]\n"{PLACE}" = "file"\n')
    assert said(webrepl_password(ADDRESS, {}, ask=ask)) == "file"
    monkeypatch.setenv("UPYTOOL_WEBREPL_PASSWORD", "env")
    found = webrepl_password(ADDRESS, {}, ask=ask)
    assert (said(found), found.source) == ("env", "UPYTOOL_WEBREPL_PASSWORD")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("key", "address", "hit"),
    [
        (PLACE, "ws://192.168.4.1", True),
        (PLACE, "ws://192.168.4.1:8266/x", True),
        (PLACE, "ws://192.168.4.1:80", False),
        ("192.168.4.1", "ws://192.168.4.1:80", True),
        ("192.168.4.1", "ws://192.168.4.2", False),
        ("kitchen", "ws://192.168.4.1", True),
        ("kitchen", "ws://192.168.4.2", False),
    ],
)
def test_names(home: Home, key: str, address: str, hit: bool) -> None:
    home.write(f'[webrepl-passwords]\n"{key}" = "x"\n')
    assert (home.find(address, kitchen="ws://192.168.4.1:8266", usb="id:1") is not None) is hit


def test_the_alias_wins(home: Home) -> None:
    home.write(f'[webrepl-passwords]\n"{PLACE}" = "place"\nkitchen = "alias"\n')
    assert said(home.find(kitchen=ADDRESS)) == "alias"


@pytest.mark.skipif(os.name != "posix", reason="no permissions like these")
@pytest.mark.parametrize(("mode", "warnings"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o644, 1), (0o604, 1)])
def test_a_file_that_others_read(home: Home, mode: int, warnings: int) -> None:
    home.write(f'[webrepl-passwords]\n"{PLACE}" = "hunter2"\n', mode)
    assert said(home.find()) == "hunter2"
    assert len(home.told) == warnings
    assert "hunter2" not in "".join(home.told)
    home.told.clear()
    assert home.find("ws://other") is None
    assert home.told == []


def test_a_project_has_no_say(home: Home) -> None:
    project = home.folder / "project"
    project.mkdir()
    (project / "upytool.toml").write_text(f'[webrepl-passwords]\n"{PLACE}" = "hunter2"\n', encoding="utf-8")
    settings = load(environ={}, cwd=str(project))
    assert home.find() is None
    assert len(settings.warnings) == 1
    assert "hunter2" not in str(settings.warnings)


def test_settings_hold_no_password(home: Home) -> None:
    home.write(f'[webrepl-passwords]\n"{PLACE}" = "hunter2"\n')
    settings = load(environ={}, cwd=str(home.folder))
    assert settings.warnings == []
    assert "hunter2" not in repr(vars(settings))


@pytest.mark.parametrize("text", ["webrepl-passwords = 1", '[webrepl-passwords]\n"192.168.4.1" = 12345'])
def test_a_wrong_file(home: Home, text: str) -> None:
    home.write(text)
    with pytest.raises(ConfigError) as caught:
        home.find()
    assert "12345" not in str(caught.value.data())


# -- what can be a password -----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "0123456789", "ääääää"[:5], "a\n", "a\0b", "\x7f", "a\x85", "\udc80"])
def test_what_webrepl_cannot_take(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_password(text)
    assert not text or text not in str(caught.value.data())


@given(st.text(max_size=12))
def test_what_is_taken_fits(text: str) -> None:
    """What passes is what the board's own test of it takes: 1 to 9 bytes, none of which ends its line."""
    try:
        secret = check_password(text)
    except UsageError:
        return
    data = secret.reveal().encode()
    assert 1 <= len(data) <= 9
    assert not set(data) & {*range(32), 127}


def test_too_long_from_the_environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPYTOOL_WEBREPL_PASSWORD", "hunter2hunter2")
    with pytest.raises(ConfigError) as caught:
        home.find()
    assert "UPYTOOL_WEBREPL_PASSWORD" in caught.value.message
    assert "hunter2" not in str(caught.value.data())


# -- keeping one -----------------------------------------------------------------------------------


def test_the_file_becomes_private(home: Home) -> None:
    home.write("baud = 9600  # mine\n", 0o644)
    store = FileStore()
    store.set(PLACE, Secret('a"b\\c'))
    assert tomllib.loads(home.file.read_text()) == {"baud": 9600, "webrepl-passwords": {PLACE: 'a"b\\c'}}
    assert "# mine" in home.file.read_text()
    assert said(home.find()) == 'a"b\\c'
    if os.name == "posix":
        assert stat.S_IMODE(home.file.stat().st_mode) == 0o600
    assert store.remove(PLACE)
    assert not store.remove(PLACE)
    assert home.find() is None


def test_a_new_file_is_private(home: Home) -> None:
    FileStore().set("kitchen", Secret("x"))
    if os.name == "posix":
        assert stat.S_IMODE(home.file.stat().st_mode) == 0o600


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=9))
def test_what_is_stored_is_found(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPYTOOL_CONFIG_FILE", str(tmp_path_factory.mktemp("c") / "config.toml"))
        store = FileStore()
        store.set(PLACE, Secret(text))
        assert store.get(PLACE) == text


# -- the keyring: the real package, with a back end of the test's ----------------------------------


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend

    kept: dict[tuple[str, str], str] = {}

    class Memory(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del kept[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    try:
        yield kept  # type: ignore[misc]
    finally:
        keyring.set_keyring(before)


@pytest.fixture
def real_lookup(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "system_keyring", system_keyring)


def test_the_keyring_is_asked(home: Home, real_lookup: None, backend: dict[tuple[str, str], str]) -> None:
    backend["upytool", PLACE] = "ring"
    found = home.find()
    assert (said(found), found and found.source) == ("ring", f"the system keyring ({PLACE})")
    home.write(f'[webrepl-passwords]\n"{PLACE}" = "file"\n')
    assert said(home.find()) == "file"


def test_the_keyring_keeps(backend: dict[tuple[str, str], str]) -> None:
    store = system_keyring()
    assert store is not None
    store.set(PLACE, Secret("x"))
    assert backend == {("upytool", PLACE): "x"}
    assert store.remove(PLACE)
    assert not store.remove(PLACE)
    assert backend == {}


def test_no_usable_keyring(home: Home, real_lookup: None) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.backends.fail import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        assert system_keyring() is None
        assert home.find() is None
    finally:
        keyring.set_keyring(before)
    assert home.told == []


class Broken:
    """A keyring that raises, with the password in its words, or waits without end."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.waits = False

    def get_password(self, service: str, key: str) -> str:
        if self.waits:
            self.release.wait(30)
        raise RuntimeError("hunter2")

    def set_password(self, service: str, key: str, password: str) -> None:
        raise RuntimeError(password)


def test_a_broken_keyring_is_passed_over(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken()
    monkeypatch.setattr(secrets, "system_keyring", lambda tell: secrets.KeyringStore(broken, tell))
    assert home.find() is None
    assert home.told
    assert "hunter2" not in str(home.told)
    with pytest.raises(ConfigError) as caught:
        secrets.KeyringStore(broken).set(PLACE, Secret("hunter2"))
    assert "hunter2" not in str(caught.value.data())
    assert caught.value.__suppress_context__


def test_a_locked_keyring_has_an_end(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Broken()
    broken.waits = True
    monkeypatch.setattr(secrets, "KEYRING_SECONDS", 0.3)
    try:
        assert secrets.KeyringStore(broken, home.told.append).get(PLACE) is None
    finally:
        broken.release.set()
    assert any("TimeoutError" in text for text in home.told)
