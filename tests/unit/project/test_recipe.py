"""A project's files as what goes into firmware."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from upytool.errors import BuildError, UsageError
from upytool.project.build_table import BuildTable
from upytool.project.recipe import collect_items, entry_source, require_project


def project(folder: Path, files: dict[str, str], **options: Any) -> BuildTable:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return BuildTable(folder.resolve(), **options)


FILES = {
    "src/app.py": "x = 1\n", "src/net/__init__.py": "", "src/net/wifi.py": "y = 2\n", "src/notes.txt": "no module",
    "src/.hidden.py": "", "src/__pycache__/app.pyc": "", "static/a/b.html": "<p>", "config.json": "{}",
}  # fmt: skip


def test_targets(tmp_path: Path) -> None:
    table = project(tmp_path, FILES, modules=("src",), data=("static", "config.json"), entry="app:run")
    items = collect_items(table)
    assert [item.target for item in items] == [
        "app.py", "config.json", "main.py", "net/__init__.py", "net/wifi.py", "static/a/b.html",
    ]  # fmt: skip
    assert [item.origin for item in items][:3] == ["src/app.py", "config.json", 'entry = "app:run"']
    assert [item.module for item in items] == [True, False, True, True, True, False]


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    one = project(tmp_path / "a", FILES, modules=("src",), data=("static",))
    two = project(tmp_path / "b", dict(reversed(FILES.items())), modules=("src",), data=("static",))
    assert collect_items(one) == collect_items(two)
    (tmp_path / "b/src/app.py").write_text("x = 2\n")
    assert collect_items(one) != collect_items(two)


@pytest.mark.parametrize(
    ("entry", "source"),
    [
        ("app", "import app\n"),
        ("app:main", "from app import main\n\nmain()\n"),
        ("web.server:App.run", "from web.server import App\n\nApp.run()\n"),
    ],
)
def test_entries(entry: str, source: str) -> None:
    assert entry_source(entry).decode() == source


@pytest.mark.parametrize(
    "entry", ["a b", "app:", ":main", "app:main()", "1app", "app::x", "app:main\nimport os", "../app"]
)
def test_bad_entries(tmp_path: Path, entry: str) -> None:
    with pytest.raises(BuildError, match="is not an entry"):
        collect_items(project(tmp_path, FILES, modules=("src",), entry=entry))


def test_patterns(tmp_path: Path) -> None:
    table = project(
        tmp_path, FILES, modules=("src",), optimize=1, optimize_each=(("net/*.py", 3),),
        emit=(("*.py", "native"), ("app.py", "bytecode")), ignore=("net/wifi.py",),
    )  # fmt: skip
    found = {item.target: (item.optimize, item.emitter) for item in collect_items(table)}
    assert found == {"app.py": (1, ""), "net/__init__.py": (3, "native")}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"modules": ("gone",)}, "there is no gone"),
        ({"modules": ("..",)}, "leads out of the project"),
        ({"data": ("/etc/hostname",)}, "leads out of the project"),
        ({"modules": ("config.json",)}, "is not a module"),
        ({"modules": ("src", "src/net/wifi.py"), "data": ("src/app.py",)}, ""),
    ],
)
def test_bad_paths(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    table = project(tmp_path, FILES, **options)
    if not words:
        assert "wifi.py" in [item.target for item in collect_items(table)]
        return
    with pytest.raises(BuildError, match=words):
        collect_items(table)


def test_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("key = 1\n")
    (tmp_path / "p").mkdir()
    try:
        (tmp_path / "p" / "lib").symlink_to(tmp_path, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    with pytest.raises(BuildError, match="leads out"):
        collect_items(project(tmp_path / "p", {}, modules=("lib",)))
    table = project(tmp_path / "p", {"src/app.py": "x = 1\n"}, modules=("src",))
    (tmp_path / "p" / "src" / "mine.py").symlink_to(tmp_path / "p" / "src" / "app.py")
    assert [item.target for item in collect_items(table)] == ["app.py", "mine.py"]
    (tmp_path / "p" / "src" / "theirs.py").symlink_to(tmp_path / "secret.py")
    with pytest.raises(BuildError, match=r"theirs\.py is a link that leads out"):
        collect_items(table)


def test_two_files_for_one_place(tmp_path: Path) -> None:
    files = {"a/x.py": "1\n", "b/x.py": "2\n"}
    with pytest.raises(BuildError, match=r"x\.py comes from two places: a/x\.py and b/x\.py"):
        collect_items(project(tmp_path, files, modules=("a", "b")))
    (tmp_path / "b/x.py").write_text("1\n")
    assert len(collect_items(project(tmp_path, {}, modules=("a", "b")))) == 1, "the same twice is not a quarrel"


def test_safe_boot(tmp_path: Path) -> None:
    table = project(tmp_path, FILES, modules=("src",), safe_boot=True)
    items = {item.target: item for item in collect_items(table)}
    assert items["boot.py"].data == b"import safe_boot; safe_boot.start(); safe_boot.check(); del safe_boot\n"
    assert b"def check(" in items["lib/safe_boot.py"].data
    (tmp_path / "src/boot.py").write_text("print('mine')\n")
    items = {item.target: item for item in collect_items(table)}
    assert items["boot.py"].data.splitlines()[1:] == [b"print('mine')"], "the project's own comes behind it"
    frozen = {item.target for item in collect_items(replace(table, kind="source"))}
    assert "lib/safe_boot.py" not in frozen


def test_nothing_to_build(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to put"):
        require_project(BuildTable(tmp_path))
