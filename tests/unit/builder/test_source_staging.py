"""What is frozen, as it is laid out in a build folder; the tree's own tool is a model here, the rigs run a real one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from upytool.builder import staging
from upytool.builder.base import SAFE_BOOT, Item, Recipe
from upytool.builder.freeze_manifest import FreezeManifest
from upytool.builder.manifest_runner import ManifestError, run_manifest
from upytool.builder.source_board import BoardFacts, SourceBoard
from upytool.builder.source_ports import PORTS
from upytool.builder.staging import Staged, frozen_digests, split_items, stage
from upytool.errors import BuildError

APP = Item("app.py", b"X = 1\n", "src/app.py", True)
LIB = Item("lib/net.py", b"Y = 1\n", "net: net.py", True, "net")


class Workshop:
    """A port with one board in a folder, and a build folder."""

    def __init__(self, home: Path) -> None:
        self.home, self.build, self.port = home, home / "build", home / "mp" / "ports" / "rp2"
        self.boards = self.port / "boards"
        (self.boards / "B").mkdir(parents=True)
        (self.boards / "manifest.py").write_text('freeze("$(PORT_DIR)/modules")\n')
        (self.port / "modules").mkdir()
        (self.port / "modules" / "_boot.py").write_text("pass\n")
        self.variables = {
            "MPY_DIR": str(home / "mp"), "PORT_DIR": str(self.port), "BOARD_DIR": str(self.boards / "B"),
        }  # fmt: skip
        self.facts = BoardFacts(self.boards / "manifest.py", False, self.variables, (), (), "")
        self.board = SourceBoard("B", "", PORTS["rp2"], self.port, self.boards / "B")

    def stage(self, *items: Item, compiled: dict[str, bytes] | None = None, cross: str = "c", **more: Any) -> Staged:
        facts = more.pop("facts", self.facts)
        recipe = Recipe("source", items, root=self.home, **more)
        return stage(self.build, recipe, self.home / "mp", self.board, facts, compiled or {}, cross)

    def pretend(self, *names: str) -> None:
        """A build that froze these."""
        for name in (*(f"frozen_mpy/{each}.mpy" for each in names), "frozen_content.c"):
            (self.build / name).parent.mkdir(parents=True, exist_ok=True)
            (self.build / name).write_text("made")

    def left(self) -> set[str]:
        return {each.stem for each in self.build.rglob("frozen_mpy/**/*.mpy")} | {
            each.name for each in self.build.glob("frozen_content.c")
        }


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    def same(_tree: Path, manifest: Path, variables: dict[str, str]) -> FreezeManifest:
        return run_manifest(manifest, variables=variables)

    monkeypatch.setattr(staging, "run_tree_manifest", same)
    return Workshop(tmp_path)


def test_the_boards_manifest_comes_first_then_the_projects_then_the_items(shop: Workshop) -> None:
    own = shop.home / "own"
    own.mkdir()
    (own / "extra.py").write_text("E = 1\n")
    (own / "manifest.py").write_text('module("extra.py", opt=2)\n')
    staged = shop.stage(replace(APP, optimize=3), LIB, manifest=own / "manifest.py")
    assert [file.target for file in staged.frozen.files] == ["_boot.py", "app.py", "extra.py", "net.py"]
    levels = {file.target: file.optimize for file in staged.frozen.files}
    assert (levels["app.py"], levels["net.py"], levels["extra.py"]) == (3, 0, 2)
    assert 'include("$(PORT_DIR)/boards/manifest.py")' in staged.manifest.read_text()
    assert str(shop.home) not in staged.manifest.read_text(), "the same manifest in every directory"


def test_what_is_right_is_not_written_again(shop: Workshop) -> None:
    shop.stage(APP, LIB)
    file = shop.build / "upytool" / "frozen" / "app.py"
    os.utime(file, (1, 1))
    shop.pretend("app", "net", "_boot")
    staged = shop.stage(APP, LIB)
    assert not staged.changed
    assert file.stat().st_mtime == 1
    assert shop.left() == {"app", "net", "_boot", "frozen_content.c"}


@pytest.mark.parametrize(
    ("items", "left"),
    [
        ((replace(APP, data=b"X = 2\n"), LIB), {"net", "_boot"}),
        ((replace(APP, optimize=1), LIB), {"net", "_boot"}),
        ((LIB,), {"net", "_boot"}),
        ((APP, LIB, Item("new.py", b"", "new", True)), {"app", "net", "_boot"}),
        ((replace(APP, keep_source=True), LIB), {"net", "_boot"}),
    ],
    ids=["content", "option", "gone", "new", "kind"],
)
def test_only_what_changed_is_frozen_anew(shop: Workshop, items: tuple[Item, ...], left: set[str]) -> None:
    shop.stage(APP, LIB)
    shop.pretend("app", "net", "_boot")
    assert shop.stage(*items).changed
    assert shop.left() == left


def test_an_older_file_in_place_of_a_newer_one_counts(shop: Workshop) -> None:
    shop.stage(APP)
    shop.pretend("app", "_boot")
    boot = shop.port / "modules" / "_boot.py"
    boot.write_text("changed = True\n")
    os.utime(boot, (1, 1))
    assert shop.stage(APP).changed
    assert shop.left() == {"app"}


def test_another_compiler_freezes_everything_anew(shop: Workshop) -> None:
    shop.stage(APP)
    shop.pretend("app", "_boot")
    shop.stage(APP, cross="another")
    assert shop.left() == set()


def test_a_module_that_is_gone_leaves_no_file(shop: Workshop) -> None:
    shop.stage(APP, Item("lib/a/b/c.py", b"", "c", True))
    shop.stage(APP)
    assert [each.name for each in (shop.build / "upytool" / "frozen").iterdir()] == ["app.py"]


def test_ready_made_modules_and_sources(shop: Workshop) -> None:
    ready = Item("ready.mpy", b"M\x06\0\x1f", "ready.mpy")
    fast = Item("fast.py", b"", "fast", True, emitter="native")
    staged = shop.stage(ready, fast, replace(APP, keep_source=True), compiled={"fast.py": b"M\x06\0\x1fcode"})
    kinds = {file.target: file.kind for file in staged.frozen.files}
    assert (kinds["ready.mpy"], kinds["fast.mpy"], kinds["app.py"]) == ("mpy", "mpy", "text")
    assert (shop.build / "upytool" / "frozen" / "fast.mpy").read_bytes().endswith(b"code")


def test_data_cannot_freeze() -> None:
    page = Item("static/page.html", b"<p>", "page")
    assert split_items((APP, page)) == ({"app.py": APP}, (page,))


def test_two_modules_of_one_name_are_refused() -> None:
    with pytest.raises(BuildError, match=r"net: net\.py and src/net\.py would be frozen as the same module"):
        split_items((LIB, Item("net.py", b"", "src/net.py", True)))
    with pytest.raises(BuildError, match="the same module"):
        split_items((APP, Item("app.mpy", b"M", "app.mpy")))


def test_a_module_that_the_board_freezes_too_is_refused(shop: Workshop) -> None:
    with pytest.raises(ManifestError, match=r"_boot\.py comes from two files"):
        shop.stage(Item("_boot.py", b"other", "src/_boot.py", True))


def test_a_lint_error_stops_the_build(shop: Workshop) -> None:
    with pytest.raises(BuildError, match="starts without a file system"):
        shop.stage(APP, facts=replace(shop.facts, manifest=None))
    with pytest.raises(BuildError, match="there is no manifest"):
        shop.stage(APP, manifest=shop.home / "nowhere.py")


def test_where_the_trees_tool_differs_it_is_said(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        staging, "run_tree_manifest", lambda *_: FreezeManifest(shop.home / "m.py", "freeze", ())
    )  # fmt: skip
    assert any("app.py" in note for note in shop.stage(APP).notes)


def test_the_digests_for_a_lock_hold_no_folders(shop: Workshop) -> None:
    shop.stage(APP)
    found = frozen_digests(shop.build)
    assert set(found) == {"app.py", "_boot.py"}
    assert set(found["app.py"]) == {"sha256", "kind", "optimize"}
    assert str(shop.home) not in str(found)


def test_safe_boot_is_frozen_with_or_around_the_projects_own(shop: Workshop) -> None:
    frozen = {file.target: file.source for file in shop.stage(APP, safe_boot=True).frozen.files}
    assert frozen["safe_boot.py"].parent.name == "safe_boot"
    assert frozen["boot.py"].parent.name == "safe_boot"
    own = Item("boot.py", b"import app\n", "src/boot.py", True)
    frozen = {file.target: file.source for file in shop.stage(APP, own, safe_boot=True).frozen.files}
    assert frozen["boot.py"].read_bytes() == SAFE_BOOT + own.data
    assert "safe_boot.py" in frozen
