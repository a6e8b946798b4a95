"""What a project's file names is read and written inside of the project alone, whatever it says."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from upytool.builder.base import Recipe
from upytool.builder.output import default_output
from upytool.cli.commands.mip import _lock_path as mip_lock_path
from upytool.config.paths import inside_project
from upytool.errors import BuildError, ConfigError
from upytool.project.build_lock import lock_path
from upytool.project.build_table import load_build_table
from upytool.project.load import load_project
from upytool.project.output import project_firmware
from upytool.project.pipeline import build_project

OUT = ("../x", "/x", "a/../../x", "link/x", "link", "a/../link/x", "..", "")
SERVICES: Any = SimpleNamespace(fetcher=None, hosts=None, indexes=())  # nothing is fetched before paths are checked


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project beside somebody's directory, with a link that leads there."""
    root = tmp_path / "project"
    (root / "a").mkdir(parents=True)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "x").write_text("precious")
    (root / "link").symlink_to(tmp_path / "theirs", target_is_directory=True)
    (root / "app.py").write_text("pass\n")
    return root


def _named(root: Path, name: str) -> str:
    return str(root.parent / "theirs" / "x") if name == "/x" else name


@pytest.mark.parametrize("name", [name for name in OUT if name])
def test_a_path_that_leads_out_is_refused(root: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        inside_project(root, _named(root, name), "build.output")


@pytest.mark.parametrize("name", ["x", "a/x", "a/../x", "./a", ".", "", "a/new/er"])
def test_a_path_inside_is_whole(root: Path, name: str) -> None:
    assert inside_project(root, name, "k") == os.path.normpath(os.path.join(os.path.realpath(root), name))


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 5000, "loop/x"])
def test_a_name_that_no_file_can_have_is_no_crash(root: Path, name: str) -> None:
    (root / "loop").symlink_to("loop")
    with contextlib.suppress(ConfigError):
        inside_project(root, name, "k")


@pytest.mark.parametrize("name", ["../x", "/x", "link/x"])
@pytest.mark.parametrize("key", ["output", "manifest", "c_modules", "modules", "data"])
def test_no_key_of_build_leads_out(root: Path, key: str, name: str) -> None:
    value = _named(root, name)
    lines = {"entry": "app", key: [value] if key in ("c_modules", "modules", "data") else value}
    (root / "upytool.toml").write_text("[build]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in lines.items()))
    with pytest.raises(BuildError, match=f"build.{key}"):
        build_project(load_build_table(root / "upytool.toml"), SERVICES)
    assert (root.parent / "theirs" / "x").read_text() == "precious"


def test_sync_and_a_lock_do_not_lead_out(root: Path) -> None:
    file = root / "upytool.toml"
    for name in ("..", "link"):
        file.write_text(f"[sync]\nlocal = '{name}'\n")
        with pytest.raises(ConfigError):
            load_project(file)
    file.write_text("[build]\nboard = 'X'\n")
    for name in ("../theirs/x", "link/x"):
        lock = {"v": 1, "request": {}, "pins": {}, "output": {"file": name, "sha256": "0" * 64}}
        (root / "upytool.lock").write_text(json.dumps(lock))
        with pytest.raises(ConfigError):
            project_firmware(file)


def test_a_lock_that_is_a_link_out_is_neither_read_nor_written(root: Path) -> None:
    file = root / "upytool.toml"
    file.write_text("[build]\nboard = 'X'\n")
    for name in ("upytool.lock", "mip.lock"):
        (root / name).symlink_to(root.parent / "theirs" / "x")
    with pytest.raises(ConfigError):
        lock_path(load_build_table(file))
    app: Any = SimpleNamespace(settings=SimpleNamespace(project_file=str(file)))
    with pytest.raises(ConfigError):
        mip_lock_path(app, None)
    assert mip_lock_path(app, "typed.lock") == Path("typed.lock")


def test_the_usual_output_does_not_follow_a_link_out(root: Path) -> None:
    (root / "build").symlink_to(root.parent / "theirs")
    with pytest.raises(BuildError):
        default_output(Recipe("image", (), root=root), "RPI_PICO", ".uf2")
    with pytest.raises(BuildError):
        default_output(Recipe("image", (), root=root), "/../../../theirs/x", "")


def test_a_tree_outside_is_read_and_not_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "upytool.toml").write_text("[build]\nkind = 'source'\nentry = 'app'\nsource = '../theirs'\n")
    seen = []

    def built(recipe: Recipe, source: str, options: Any, **rest: Any) -> Any:
        seen.append(options.keep_tree)
        raise BuildError("enough")

    monkeypatch.setattr("upytool.builder.from_source.build_source", built)
    table = load_build_table(root / "upytool.toml")
    for each in (table, replace(table, anywhere=("source",)), replace(table, source="a")):
        with pytest.raises(BuildError, match="enough"):
            build_project(each, SimpleNamespace(fetcher=None, hosts=None, indexes=(), cache=root, reporter=None))
    assert seen == [True, False, False]


def test_what_the_user_typed_goes_where_it_says(root: Path) -> None:
    (root / "upytool.toml").write_text("[build]\nmodules = ['app.py']\n")
    table = load_build_table(root / "upytool.toml")
    assert replace(table, anywhere=("manifest",)).locate("../theirs/x", "manifest") == root.parent / "theirs" / "x"
