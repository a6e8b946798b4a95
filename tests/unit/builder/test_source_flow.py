"""build_source from end to end, quickly: the tree is a model whose makefiles write down what they were asked for.

Real trees, real compilers and real boards are in tests/builder/test_from_source.py.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.container_program import DIGEST, calls, install
from tests.unit.builder.test_source_preflight import programs
from tests.unit.builder.test_source_tree import plain_tree
from upytool.builder import staging
from upytool.builder.base import BuildResult, Item, Recipe, SourceOptions
from upytool.builder.build_folders import alone, forget_old
from upytool.builder.freeze_manifest import FreezeManifest
from upytool.builder.from_source import build_source
from upytool.builder.manifest_runner import run_manifest
from upytool.errors import BuildError, OfflineError, UsageError
from upytool.events import Notice
from upytool.testing import Recorder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the makefiles are for a POSIX shell")

CROSS = """PROG = mpy-cross
all:
\tmkdir -p $(BUILD)
\tprintf '#!/bin/sh\\nwhile [ $$# -gt 0 ]; do\\n[ "$$1" = -o ] && out=$$2\\nshift\\ndone\\n' > $(BUILD)/mpy-cross
\techo 'echo M > $$out' >> $(BUILD)/mpy-cross
\tchmod +x $(BUILD)/mpy-cross
\techo made >> $(BUILD)/count
"""
PORT = """BOARD_DIR ?= boards/$(BOARD)
FROZEN_MANIFEST ?= boards/manifest.py
GIT_SUBMODULES += $(WANTED)
include $(BOARD_DIR)/mpconfigboard.mk
all:
\t@echo "CC main.c"
\t@[ -z "$(FAIL)" ] || { echo "main.c:3:1: error: $(FAIL)"; exit 1; }
\techo "$(BOARD) $(BOARD_VARIANT) $(FLAG) $$SOURCE_DATE_EPOCH $$MICROPY_GIT_TAG" > $(BUILD)/firmware.elf
\tcat $(dir $(FROZEN_MANIFEST))frozen/*.py >> $(BUILD)/firmware.elf
\tenv > $(BUILD)/environment
\techo built >> $(BUILD)/count
"""


class Workshop:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.tree = plain_tree(home / "mp")
        port = self.tree / "ports" / "qemu"
        files = {
            self.tree / "mpy-cross" / "Makefile": CROSS,
            port / "Makefile": PORT,
            port / "boards" / "manifest.py": "",
            port / "boards" / "ONE" / "mpconfigboard.mk": "QEMU_ARCH = arm\n",
            port / "boards" / "ONE" / "mpconfigvariant_BIG.mk": "\n",
            self.tree / "lib" / "micropython-lib" / "README.md": "",
        }
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.item = Item("app.py", b"first = 1\n", "src/app.py", True)
        self.recipe = Recipe("source", (self.item,), board="ONE", tree=self.tree, root=home / "project")
        self.recipe.root.mkdir()

    def build(self, recipe: Recipe | None = None, source: str = "", **options: Any) -> BuildResult:
        chosen = SourceOptions(**{"container": "none", "jobs": 1, **options})
        return build_source(recipe or self.recipe, source, chosen, cache=self.home / "cache")

    def folders(self) -> list[Path]:
        return sorted(each for each in (self.home / "cache" / "source").glob("ONE*") if each.is_dir())


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    def same(_tree: Path, manifest: Path, variables: dict[str, str]) -> FreezeManifest:
        return run_manifest(manifest, variables=variables)

    monkeypatch.setattr(staging, "run_tree_manifest", same)
    programs(tmp_path / "bin", "arm-none-eabi-gcc")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("MODEL_HOME", str(tmp_path))
    return Workshop(tmp_path)


def test_one_file_beside_the_project(shop: Workshop) -> None:
    result = shop.build()
    assert result.output == shop.recipe.root / "build" / "project-ONE.elf"
    assert result.output.read_text() == "ONE   946684800 v1.27.0\nfirst = 1\n"
    assert not result.unchanged
    assert shop.build().unchanged
    assert (result.report.kind, result.report.board, result.report.version) == ("source", "ONE", "1.27.0")
    json.dumps(result.pins)
    assert [each.name for each in result.output.parent.iterdir()] == ["project-ONE.elf"]


def test_the_build_folder_and_the_compiler_are_kept(shop: Workshop) -> None:
    shop.build()
    shop.build(replace(shop.recipe, items=(replace(shop.item, data=b"second = 2\n"),)))
    (folder,) = shop.folders()
    assert (folder / "count").read_text() == "built\nbuilt\n"
    (cross,) = (shop.home / "cache" / "source").glob("mpy-cross-*/count")
    assert cross.read_text() == "made\n"
    shop.build(clean=True)
    assert (folder / "count").read_text() == "built\n"
    os.utime(shop.tree / "py" / "mpconfig.h", (4e9, 4e9))
    shop.build()
    assert cross.read_text() == "made\nmade\n", "a newer source makes the compiler anew"


def test_other_options_are_another_folder(shop: Workshop) -> None:
    shop.build()
    assert "yes" in shop.build(replace(shop.recipe, options=(("FLAG", "yes"),))).output.read_text()
    assert "BIG" in shop.build(replace(shop.recipe, variant="BIG")).output.read_text()
    assert len(shop.folders()) == 3


def test_folders_that_nobody_uses_go(shop: Workshop) -> None:
    shop.build()
    shop.build(replace(shop.recipe, variant="BIG"))
    old, young = shop.folders()
    os.utime(old, (1e9, 1e9))
    assert forget_old(shop.home / "cache") == [old]
    assert shop.folders() == [young]
    os.utime(young, (1e9, 1e9))
    with alone(young):
        os.utime(young, (1e9, 1e9))
        removed = forget_old(shop.home / "cache")
    assert removed == []


def test_what_the_shell_has_set_does_not_reach_the_build(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BOARD_VARIANT", "PORT", "USER_C_MODULES", "MAKEFLAGS", "DEBUG", "CFLAGS_EXTRA", "MICROPY_PY_BTREE",
                 "PICO_BOARD"):  # fmt: skip
        monkeypatch.setenv(name, "strange")
    monkeypatch.setenv("PICO_TOOLCHAIN_PATH", "/somewhere")
    shop.build()
    environment = (shop.folders()[0] / "environment").read_text()
    assert "strange" not in environment
    assert "PICO_TOOLCHAIN_PATH=/somewhere" in environment
    assert "MICROPY_MPYCROSS=" in environment
    assert "SOURCE_DATE_EPOCH=946684800" in environment
    flags = next(line for line in environment.splitlines() if line.startswith("CFLAGS="))
    assert f"-ffile-prefix-map={shop.folders()[0]}=build" in flags, "no path of this computer in the firmware"
    assert f"-ffile-prefix-map={shop.tree}=micropython" in flags


def test_a_failed_build_leaves_no_output(shop: Workshop) -> None:
    with pytest.raises(BuildError, match=r"main\.c:3: broken") as raised:
        shop.build(replace(shop.recipe, options=(("FAIL", "broken"),)))
    log = Path(raised.value.hint.removeprefix("the log: "))
    assert "main.c:3:1: error: broken" in log.read_text()
    assert not (shop.recipe.root / "build").exists()


def test_an_output_of_before_is_left_alone(shop: Workshop) -> None:
    before = shop.build().output.read_bytes()
    with pytest.raises(BuildError):
        shop.build(replace(shop.recipe, options=(("FAIL", "broken"),)))
    assert shop.build().output.read_bytes() == before


def test_data_has_no_place_in_an_elf(shop: Workshop) -> None:
    page = Item("page.html", b"<p>", "page.html")
    with pytest.raises(BuildError, match=r"page\.html is data"):
        shop.build(replace(shop.recipe, items=(shop.item, page)))


def test_a_submodule_that_is_missing(shop: Workshop) -> None:
    wanted = replace(shop.recipe, options=(("WANTED", "lib/tinyusb"),))
    with pytest.raises(BuildError, match="lacks lib/tinyusb"):
        shop.build(wanted)
    with pytest.raises(BuildError, match="lacks lib/tinyusb") as caught:
        shop.build(wanted, keep_tree=True)
    assert "--source" in caught.value.hint
    (shop.tree / "lib" / "tinyusb").mkdir()
    (shop.tree / "lib" / "tinyusb" / "README").touch()
    shop.build(wanted)


def test_a_missing_compiler_is_told_before_anything_is_made(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop.home / "bin" / "arm-none-eabi-gcc").unlink()
    tools = programs(shop.home / "tools", "make", "python3", "gcc", "apt-get")
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(BuildError, match="lacks arm-none-eabi-gcc"):
        shop.build()
    with pytest.raises(BuildError, match="lacks arm-none-eabi-gcc"):
        shop.build(container="auto")
    install(tools)
    monkeypatch.setenv("MODEL_DOWN", "1")  # docker is installed, its service does not run
    with pytest.raises(BuildError, match="lacks arm-none-eabi-gcc"):
        shop.build(container="auto")
    assert not shop.folders()


def test_a_container_compiles_where_the_compilers_are_missing(shop: Workshop) -> None:
    native = shop.build()
    install(shop.home / "bin")
    shop.build(container="auto")
    assert not (shop.home / "calls.jsonl").exists(), "the compilers are here: auto takes them"
    result = shop.build(container="docker")
    assert result.sha256 == native.sha256
    assert result.pins["toolchain"]["container"] == DIGEST  # type: ignore[index]
    assert result.pins["toolchain"]["image"] == "micropython/build-micropython-arm"  # type: ignore[index]
    lines = [line for line in calls(shop.home) if line[0] == "run"]
    mounts = {line[at + 1].partition(":")[0] for line in lines for at, word in enumerate(line) if word == "--volume"}
    assert {str(shop.tree), str(shop.home / "cache"), str(shop.recipe.root)} <= mounts
    assert any("MICROPY_MPYCROSS=" in word for word in lines[-1])
    assert len(shop.folders()) == 2, "another compiler, another directory"


def test_an_image_of_ones_own(shop: Workshop) -> None:
    install(shop.home / "bin", "podman")
    result = shop.build(container="podman", image="mine/arm:7", offline=True)
    assert result.pins["toolchain"]["image"] == "mine/arm:7"  # type: ignore[index]


def test_a_cache_that_can_not_be_written_is_one_sentence(shop: Workshop) -> None:
    (shop.home / "cache").write_text("no directory")
    with pytest.raises(BuildError, match=r"the build cannot go on: .*cache") as caught:
        shop.build()
    assert "UPYTOOL_CACHE_DIR" in caught.value.hint


def test_c_modules_are_gathered(shop: Workshop) -> None:
    module = shop.home / "native"
    module.mkdir()
    wanted = replace(shop.recipe, c_modules=(module,))
    with pytest.raises(BuildError, match=r"no micropython\.mk"):
        shop.build(wanted)
    (module / "micropython.mk").touch()
    result = shop.build(wanted)
    assert set(result.pins["c_modules"]) == {"native"}  # type: ignore[call-overload]
    link = shop.folders()[-1] / "upytool" / "usermods" / "native"
    links = [each / "upytool" / "usermods" / "native" for each in shop.folders()]
    assert any(each.is_symlink() and each.resolve() == module for each in links), link
    with pytest.raises(UsageError, match="both given"):
        shop.build(replace(wanted, options=(("USER_C_MODULES", "x"),)))


def test_a_git_source_is_pinned_and_dated(shop: Workshop) -> None:
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"], ["tag", "v1.27.0"]):
        line = ["git", "-C", str(shop.tree), "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
        subprocess.run(line, check=True, timeout=30, env={**os.environ, "GIT_COMMITTER_DATE": "1700000000 +0000"})
    recipe = replace(shop.recipe, tree=None)
    source = f"git+file://{shop.tree}#v1.27.0"
    with pytest.raises(OfflineError):
        shop.build(recipe, source, offline=True)
    recorder = Recorder()
    options = SourceOptions(container="none", jobs=1)
    result = build_source(recipe, source, options, cache=shop.home / "cache", reporter=recorder)
    assert any("file://" in each.message and "run on this computer" in each.message for each in recorder.of(Notice))
    assert result.output.read_text().startswith("ONE   1700000000 v1.27.0\n")
    pins: Any = result.pins["source"]
    assert (pins["origin"], pins["dirty"], len(pins["commit"])) == (f"file://{shop.tree}", False, 40)
    assert shop.build(recipe, source, offline=True).unchanged
    assert shop.build(recipe, "../mp").sha256 == result.sha256, "the same commit in a directory"


def test_the_report_has_what_the_projects_own_manifest_brings_in(shop: Workshop) -> None:
    (shop.recipe.root / "extra.py").write_text("E = 1\n")
    (shop.recipe.root / "manifest.py").write_text('module("extra.py")\n')
    recipe = replace(shop.recipe, manifest=shop.recipe.root / "manifest.py")
    rows = {row.target: row.origin for row in shop.build(recipe).report.modules}
    assert rows == {"app.py": "src/app.py", "extra.py": "manifest.py: extra.py"}
