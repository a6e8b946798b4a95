"""Packages without the command line: everything that `mip` does is a call of upytool.api.packages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.device.boards import board_device
from upytool.api import packages
from upytool.errors import OfflineError, PackageError, UsageError


@pytest.fixture
def settings(index_url: str, tmp_path: Path) -> packages.PackageSettings:
    return packages.PackageSettings(indexes=(index_url,), cache=tmp_path / "cache")


def test_from_an_empty_board_and_back(settings: packages.PackageSettings, tmp_path: Path) -> None:
    with board_device() as board:
        dry = packages.plan_install(board, ["ringlog@1.0.0"], settings=settings, write=False)
        assert {each.name for each in dry.packages} == {"ringlog", "bytering"}
        assert packages.installed(board) == []
        done = packages.install(board, ["ringlog@1.0.0"], settings=settings)
        assert done.data() == {**dry.data(), "target": done.target}
        assert sorted(each.name for _, each in packages.installed(board)) == ["bytering", "ringlog"]
        assert [branch.name for branch in packages.tree(board)] == ["ringlog"]
        assert packages.check(board) == []

        newer, notes = packages.outdated(board, settings=settings)
        assert [(each.name, each.newest, notes) for each in newer] == [("ringlog", "1.1.0", [])]
        packages.apply(board, packages.plan_upgrade(board, settings=settings))
        versions = {each.name: each.version for _, each in packages.installed(board)}
        assert versions["ringlog"] == "1.1.0"

        lock = packages.lock(board, tmp_path / "mip.lock", ["ringlog"], settings=settings)
        assert [name for name, _, _ in lock.packages] == ["bytering", "ringlog"]
        packages.apply(board, packages.plan_uninstall(board, ["ringlog"], unused=True))
        assert packages.installed(board) == []
        packages.install(board, lock_file=lock.path, settings=replace(settings, offline=True))
        assert packages.check(board) == []

        path = f"{done.target}/ringlog/__init__.mpy"
        board.fs.write_bytes(path, b"changed")
        assert [each.data()["path"] for each in packages.check(board)] == [path]


def test_what_is_wrong_is_said_before_a_board_is_asked(settings: packages.PackageSettings, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("ringlog==1.0.0\n# nothing\n")
    assert [each.text() for each in packages.parse(lists=[listed], settings=settings)] == ["ringlog@1.0.0"]
    for wrong in ([], ["github:user"]):
        with pytest.raises(UsageError):
            packages.parse(wrong, settings=settings)


def test_without_a_board(settings: packages.PackageSettings) -> None:
    assert [each.name for each in packages.search(["ring", "log"], settings=settings)] == ["ringlog"]
    (found,) = packages.show(["ringlog"], mpy=False, settings=settings)
    assert (found.name, found.deps, [path for path, _ in found.files]) == (
        "ringlog",
        ("bytering",),
        ["ringlog/__init__.py", "ringlog/levels.py"],
    )
    with pytest.raises(PackageError):
        packages.show(["nothing-of-that-name"], settings=settings)
    with pytest.raises(OfflineError):
        packages.search(["x"], settings=replace(settings, cache=settings.cache and settings.cache / "no", offline=True))
