"""upytool.lock of a build, and what it says of a change of firmware."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from upytool.builder.base import BuildReport, BuildResult
from upytool.errors import BuildError, ConfigError
from upytool.project.build_lock import changes, lock_path, moved, read_lock, request_of, write_lock
from upytool.project.build_table import BuildTable
from upytool.project.output import project_firmware


def result(output: Path, sha256: str = "ab" * 32, **pins: Any) -> BuildResult:
    return BuildResult(output, 3, sha256, BuildReport("image", "B", "1", None, (), ()), 0.1, pins=pins)


def test_written_and_read(tmp_path: Path) -> None:
    table = BuildTable(tmp_path, tmp_path / "upytool.toml", board="RPI_PICO", packages={"a": "*"})
    path = lock_path(table)
    assert read_lock(path) is None
    assert write_lock(path, table, None, result(tmp_path / "build/x.uf2", epoch=1)) is True
    assert write_lock(path, table, None, result(tmp_path / "build/x.uf2", epoch=1)) is False, "the same is not written"
    lock = read_lock(path)
    assert lock is not None
    assert dict(lock.request) == request_of(table)
    assert (lock.pins["epoch"], lock.packages) == (1, None)
    assert dict(lock.output) == {"file": "build/x.uf2", "sha256": "ab" * 32, "bytes": 3}
    assert str(tmp_path) not in path.read_text(), "the same on every computer"
    assert not list(tmp_path.glob(".upytool*"))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"v": 1}', '{"v": 1, "request": 3, "pins": {}, "output": {}}', "\udcff"]
)
def test_damaged(tmp_path: Path, text: str) -> None:
    path = tmp_path / "upytool.lock"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        read_lock(path)
    assert "remove it" in caught.value.hint


def test_newer(tmp_path: Path) -> None:
    (tmp_path / "upytool.lock").write_text('{"v": 2}')
    with pytest.raises(ConfigError, match="newer upytool"):
        read_lock(tmp_path / "upytool.lock")


def test_changes() -> None:
    old = {"files": {"a": {"sha256": "1"}, "b": {}}, "epoch": 1}
    new = {"files": {"a": {"sha256": "2"}, "c": {}}, "epoch": 1}
    assert changes(old, new) == [
        'files.a.sha256: "1" is now "2"',
        "files.b: {} is now nothing",
        "files.c: nothing is now {}",
    ]
    assert changes(old, old) == []


def pins(digest: str, start: int = 0x100A0000, size: int = 0x160000, kind: str = "littlefs") -> dict[str, Any]:
    where = {"start": start, "size": size, "kind": kind}
    return {"firmware": {"sha256": digest}, "layout": {"filesystem": where} if size else {}}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (pins("a"), pins("a"), ""),
        (pins("a"), pins("b"), "looks for the board's files where the old one does"),
        (pins("a"), pins("b", 0x100C0000, 0x140000), "moves from 0x100a0000, 1408 KiB to 0x100c0000, 1280 KiB"),
        (pins("a"), pins("b", kind="fat"), "lost"),
        (pins("a"), pins("b", size=0), "no file system where the old one has"),
        (pins("a", size=0), pins("b"), ""),
        ({}, pins("b"), ""),
    ],
)
def test_what_becomes_of_the_boards_files(old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    said = moved(old, new)
    assert words in said
    assert bool(words) == bool(said)
    assert ("upytool backup" in said) == ("lost" in said)


def test_the_projects_firmware(tmp_path: Path) -> None:
    file = tmp_path / "upytool.toml"
    file.write_text("[sync]\n")
    assert project_firmware(file) is None, "it builds no firmware"
    file.write_text('[build]\nmodules = ["src"]\n')
    with pytest.raises(BuildError, match="is not built yet") as caught:
        project_firmware(file)
    assert "upytool build" in caught.value.hint
    from hashlib import sha256

    table = BuildTable(tmp_path, file)
    output = tmp_path / "build" / "x.uf2"
    digest = sha256(b"abc").hexdigest()
    write_lock(lock_path(table), table, None, result(output, digest, firmware={"build": "RPI_PICO"}))
    with pytest.raises(BuildError, match=r"build/x\.uf2 is not here"):
        project_firmware(file)
    output.parent.mkdir()
    output.write_bytes(b"abd")
    with pytest.raises(BuildError, match=r"not what upytool\.lock says"):
        project_firmware(file)
    output.write_bytes(b"abc")
    found = project_firmware(file)
    assert found is not None
    assert (found.path, found.sha256, found.board) == (output, digest, "RPI_PICO")
    write_lock(lock_path(table), table, None, result(tmp_path.parent / "x.uf2"))
    with pytest.raises(BuildError, match="outside of the project"):
        project_firmware(file)
    assert json.loads(lock_path(table).read_text())["output"]["file"] == ""


def test_no_password_goes_into_the_lock(tmp_path: Path) -> None:
    secret = "hunter2hunter2"
    url = f"https://me:{secret}@h/x.py?token={secret}"
    packages: dict[str, Any] = {"a": url, "b": {"source": url}}
    table = BuildTable(tmp_path, tmp_path / "upytool.toml", board="RPI_PICO", firmware=url, packages=packages)
    path = lock_path(table)
    write_lock(path, table, None, result(tmp_path / "x.uf2", firmware={"url": url}))
    assert secret not in path.read_text()
    lock = read_lock(path)
    assert lock is not None
    assert dict(lock.request) == request_of(table), "the same request, so the pins count"
