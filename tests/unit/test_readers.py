"""Every reader of a file from outside: whatever is in it ends in a value or in one error of the table of exit codes.

Records and caches of our own count as empty where they are damaged; what a user wrote is refused with its name.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from upytool import limits
from upytool.builder import fs_cache, source_compile, staging
from upytool.builder.manifest_runner import run_manifest
from upytool.config import edit, load, macros, paths
from upytool.device.backup_file import Reader
from upytool.discovery.remembered import Remembered
from upytool.errors import BuildError, ConfigError, LocalFileError, UpytoolError
from upytool.flashers.volumes import _plist, mac_places
from upytool.image.volume import open_image
from upytool.project.build_lock import moved, read_lock
from upytool.project.build_table import load_build_table
from upytool.project.load import load_project
from upytool.project.output import project_firmware

Read = Callable[[Path], object]


def _settings(file: Path) -> object:
    made = load.Settings()
    load._apply_user(made, str(file))
    return made


def _project_settings(file: Path) -> object:
    made = load.Settings()
    load._apply_project(made, str(file))
    return made


def _lock(file: Path) -> object:
    lock = read_lock(file)
    assert lock is not None
    moved(lock.pins, {"layout": {"filesystem": {"start": 0, "size": 1, "kind": "fat"}}, "firmware": {"sha256": "x"}})
    (file.parent / "upytool.toml").write_text("[build]\nboard='X'\n")
    try:
        return project_firmware(file.parent / "upytool.toml")
    except BuildError:
        return None


def _staged(file: Path) -> object:
    home = file.parent / staging.HOME
    home.mkdir(exist_ok=True)
    os.replace(file, home / "frozen.json")
    return staging.frozen_digests(file.parent)


# file name, reader, its error (None: a damaged file is an empty one)
READERS: dict[str, tuple[str, Read, type[UpytoolError] | None]] = {
    "config": ("config.toml", _settings, ConfigError),
    "project settings": ("upytool.toml", _project_settings, ConfigError),
    "shared settings": ("pyproject.toml", _project_settings, ConfigError),
    "edit": ("config.toml", lambda file: edit.set_value(str(file), "", "baud", 9600), ConfigError),
    "unset": ("config.toml", lambda file: edit.unset_value(str(file), "devices", "x"), ConfigError),
    "project": ("upytool.toml", load_project, ConfigError),
    "shared project": ("pyproject.toml", load_project, ConfigError),
    "build table": ("upytool.toml", load_build_table, ConfigError),
    "build lock": ("upytool.lock", _lock, ConfigError),
    "find": ("pyproject.toml", lambda file: paths.find_project_file(str(file.parent)), None),
    "remembered": ("devices.json", lambda file: Remembered(str(file)).entries, None),
    "file systems": ("x.fs", fs_cache._read, None),
    "compiled": ("compiled.json", source_compile._read, None),
    "frozen": ("frozen.json", _staged, None),
    "manifest": ("manifest.py", run_manifest, BuildError),
    "backup": ("b.tar", lambda file: Reader(file).close(), LocalFileError),
    "image": ("a.bin", open_image, UpytoolError),
    "diskutil": ("a.plist", lambda file: _plist(file.read_bytes()), None),
    "ioreg": ("a.plist", lambda file: mac_places(file.read_bytes()), None),
}  # fmt: skip
DEEP = b"[" * 20_000
HOSTILE = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", DEEP, b"a = " + DEEP, b"a=1e999", b"a=" + b"9" * 5000, b"[1e999]",
    b'{"a":' * 3000, b'["\\ud800"]', b"tool = 1", b"[tool]\nupytool = 1", b"[build]\nmake = {'--eval' = 'x'}",
    '[tool.upytool]\nbaud = "'.encode("utf-16"), b"x = " + b"(" * 20_000, b"x = " + b"-" * 100_000 + b"1",
    b"[devices]\nx = 3", b"devices = 3", b"macros = {a = 3}", b"device = 'exec:x'",
    b'{"v": 1, "request": {}, "pins": {"firmware": 3}, "output": {}}',
    b'{"v": 1, "request": {}, "pins": {"layout": {"filesystem": 3}}, "output": {}}',
    b'{"v": 1, "request": {}, "pins": {"layout": {"filesystem": {"start": "x"}}}, "output": {}}',
    b'{"v": 1, "request": {}, "pins": {}, "output": {"file": "../../x", "sha256": ""}}',
    b'{"v": 1, "request": {}, "pins": {}, "output": {"file": "a\\u0000b"}}',
    b'{"version": 1, "devices": {"k": {"seen": 1e999}}}', b'{"files": {"a": 3}}', b'{"files": 3}',
]  # fmt: skip


def _check(name: str, folder: Path, data: bytes) -> None:
    file, read, wrong = READERS[name]
    (folder / file).write_bytes(data)
    with contextlib.suppress(*(() if wrong is None else (wrong,))):
        read(folder / file)


@pytest.mark.parametrize("name", READERS)
def test_what_is_hostile_is_one_error(name: str, tmp_path: Path) -> None:
    for number, data in enumerate(HOSTILE):
        folder = tmp_path / str(number)
        folder.mkdir()
        _check(name, folder, data)


@pytest.mark.parametrize("name", [name for name in READERS if name != "manifest"])  # random bytes are not to be run
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300))
@example(data=b"\xef\xbb\xbf# a byte order mark\n")
def test_any_bytes_end_in_a_value_or_the_named_error(name: str, tmp_path: Path, data: bytes) -> None:
    _check(name, tmp_path, data)


# Bytes of a program; moved by the helper above; told by a warning (see below).
NOT_HERE = ("diskutil", "ioreg", "frozen", "shared settings")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [name for name in READERS if name not in NOT_HERE])
def test_a_fifo_a_directory_and_a_huge_file_are_not_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, read, wrong = READERS[name]

    def fifo(path: Path) -> None:
        os.mkfifo(path)

    def huge(path: Path) -> None:
        path.touch()
        os.truncate(path, limits.IMAGE_BYTES + 1)

    for number, make in enumerate((fifo, Path.mkdir, huge)):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(folder / file)
        if wrong is None:
            read(folder / file)
            continue
        with pytest.raises(wrong):
            read(folder / file)


def test_a_byte_order_mark_hides_nothing(tmp_path: Path) -> None:
    file = tmp_path / "upytool.toml"
    file.write_bytes(b'\xef\xbb\xbfbaud = 9600\r\n[sync]\r\nlocal = "."\r\n')
    assert _project_settings(file).baud == 9600  # type: ignore[attr-defined]
    assert load_project(file).has_sync
    edit.set_value(str(file), "", "baud", 57600)
    assert _project_settings(file).baud == 57600  # type: ignore[attr-defined]
    assert b"\r\n[sync]\r\n" in file.read_bytes()
    (tmp_path / "config.py").write_bytes(b"\xef\xbb\xbfcommands = {'go': 'ls'}\n")
    made = macros.Macros()
    macros._run_file(made, str(tmp_path), str(tmp_path / "config.py"))
    assert list(made.by_name) == ["go"]
    assert not made.warnings


@pytest.mark.parametrize(
    "text",
    [b"[tool.upytool\nbaud = 9600\n", "[tool.upytool]\nbaud = 9600\n".encode("utf-16"), b"[tool]\nupytool = [\n"],
)
def test_a_broken_pyproject_is_told_and_blocks_no_settings(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(text)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    found = load.load(environ={}, cwd=str(below))
    assert found.baud != 9600
    assert [str(tmp_path / "pyproject.toml") in warning for warning in found.warnings] == [True]
    with pytest.raises(ConfigError):  # what needs the project refuses
        load_project(tmp_path / "pyproject.toml")


@pytest.mark.parametrize("text", ["[tool.other]\nx = [", 'dependencies = ["upytool"]\n', "", "[tool.upytool-x]\n"])
def test_another_tools_pyproject_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    found = load.load(environ={}, cwd=str(tmp_path))
    assert (found.project_file, found.warnings) == ("", [])


@pytest.mark.parametrize(
    "text", ["tool.upytool.baud = 9600\n", "[tool]\nupytool.baud = 9600\n", '["tool"."upytool"]\nbaud=9600']
)
def test_every_spelling_of_the_table_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert load.load(environ={}, cwd=str(tmp_path)).baud == 9600


def test_macros_in_a_removed_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    (tmp_path / "config.py").write_text("commands = {}\n")
    made: Any = macros.Macros()
    macros._run_file(made, str(tmp_path), str(tmp_path / "config.py"))
    assert len(made.warnings) == 1
