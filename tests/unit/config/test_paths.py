"""Our own rule for Linux says what platformdirs says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from upytool.config import paths

KINDS = ("config", "cache", "state", "data")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere platformdirs itself is asked")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [None, "", "  ", "/some/where", "relative/path", "/with/slash/"])
def test_equal_to_platformdirs(kind: str, value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    from platformdirs.unix import Unix

    variable = paths._XDG[kind][0]
    monkeypatch.delenv(f"UPYTOOL_{kind.upper()}_DIR", raising=False)
    if value is None:
        monkeypatch.delenv(variable, raising=False)
    else:
        monkeypatch.setenv(variable, value)
    expected = getattr(Unix("upytool", False), f"user_{kind}_dir")
    assert Path(getattr(paths, f"{kind}_dir")()) == Path(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_variables_win(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"UPYTOOL_{kind.upper()}_DIR", "/mine")
    assert getattr(paths, f"{kind}_dir")() == "/mine"


def test_mpremote_directory_is_mpremotes(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    assert paths.mpremote_config_dir() == platformdirs.user_config_dir(appname="mpremote", appauthor=False)


def test_other_platforms_ask_platformdirs(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    monkeypatch.setattr(paths, "_LINUX", False)
    monkeypatch.delenv("UPYTOOL_CACHE_DIR", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda appname, appauthor: f"<{appname}>")
    assert paths.cache_dir() == "<upytool>"


def test_made_for_this_user_only(tmp_path: Path) -> None:
    made = Path(paths.ensure_dir(str(tmp_path / "a" / "b")))
    assert made.is_dir()
    if sys.platform != "win32":
        assert made.stat().st_mode & 0o077 == 0
