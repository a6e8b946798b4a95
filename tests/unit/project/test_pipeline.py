"""A lock's firmware is what a build takes; half of a file is never one."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from upytool.builder.base import Recipe
from upytool.builder.fs_cache import cached_fs
from upytool.builder.output import write_output
from upytool.errors import BuildError
from upytool.image.tree import BuiltFs
from upytool.project.build_lock import BuildLock
from upytool.project.build_table import BuildTable
from upytool.project.pipeline import _with_firmware


def test_the_locks_firmware_by_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def find(name: str, *_: Any, **options: Any) -> Any:
        asked.append((name, options))
        return SimpleNamespace(url=name)

    def fetch(release: Any, _source: Any, *, sha256: str = "") -> Any:
        asked.append(sha256)
        return SimpleNamespace(path=tmp_path / "x.uf2", release=release, warnings=())

    monkeypatch.setattr("upytool.releases.resolve.find_release", find)
    monkeypatch.setattr("upytool.releases.download.fetch", fetch)
    table, services = BuildTable(tmp_path, board="RPI_PICO"), SimpleNamespace(releases=None, reporter=None)
    lock = BuildLock({}, {"firmware": {"origin": "https://x/1.uf2", "sha256": "12ab"}})
    made = _with_firmware(Recipe("image", ()), table, services, lock, False)  # type: ignore[arg-type]
    assert (made.firmware_origin, asked) == ("https://x/1.uf2", [("https://x/1.uf2", {}), "12ab"])
    asked.clear()
    _with_firmware(Recipe("image", ()), table, services, None, False)  # type: ignore[arg-type]
    assert asked == [("RPI_PICO", {"variant": "", "version": ""}), ""]


def test_an_output_is_the_old_one_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "out.uf2"
    write_output(place, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BuildError, match="No space left"):
        write_output(place, b"new and longer")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("out.uf2", b"old")]


def test_a_damaged_file_system_of_the_cache_is_made_again(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> BuiltFs:
        made.append(1)
        return BuiltFs("littlefs2", 8192, 4096, {0: b"a" * 4096})

    first = cached_fs(tmp_path, {}, {"x": b"1"}, make)
    assert cached_fs(tmp_path, {}, {"x": b"1"}, make) == first
    (kept,) = tmp_path.glob("*.fs")
    kept.write_bytes(kept.read_bytes()[:-1] + b"b")
    assert (cached_fs(tmp_path, {}, {"x": b"1"}, make), len(made)) == (first, 2)
