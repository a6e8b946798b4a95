"""Trees: folders, and commits that git fetches; the repositories here are local, and small models of MicroPython's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from upytool.builder.source_tree import Tree, describe, fetch_submodules, open_tree, submodule_state
from upytool.errors import BuildError, NetworkError, OfflineError, UsageError

HEAD = """#define MICROPY_VERSION_MAJOR 1
#define MICROPY_VERSION_MINOR {minor}
#define MICROPY_VERSION_MICRO 0
#define MICROPY_VERSION_PRERELEASE {preview}
"""


def git(place: Path, *words: str) -> str:
    line = ["git", "-C", str(place), "-c", "user.name=test", "-c", "user.email=test@example.org"]
    done = subprocess.run(
        [*line, "-c", "protocol.file.allow=always", *words], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout.strip()


def plain_tree(place: Path, minor: int = 27, preview: int = 0) -> Path:
    (place / "py").mkdir(parents=True, exist_ok=True)
    (place / "ports").mkdir(exist_ok=True)
    (place / "ports" / "README").write_text("ports")
    (place / "py" / "mpconfig.h").write_text(HEAD.format(minor=minor, preview=preview))
    return place


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A repository with a release and a branch that is ahead of it."""
    place = plain_tree(tmp_path / "upstream")
    git(place, "init", "-q", "-b", "master")
    git(place, "add", ".")
    git(place, "commit", "-q", "-m", "one")
    git(place, "tag", "v1.27.0")
    plain_tree(place, 28, 1)
    git(place, "commit", "-q", "-a", "-m", "two")
    return place


def fetched(source: str, tmp_path: Path, version: str = "", *, offline: bool = False) -> Tree:
    return open_tree(source, version, tmp_path, tmp_path / "cache", offline=offline, tree=None)


def test_a_folder_without_git(tmp_path: Path) -> None:
    tree = describe(plain_tree(tmp_path / "mp"))
    assert (tree.version, tree.tag, tree.commit, tree.release) == ("1.27.0", "v1.27.0", "", (1, 27, 0))


def test_a_folder_below_somebodys_repository_is_not_its_tree(upstream: Path) -> None:
    inner = plain_tree(upstream / "inner" / "mp", 26)
    assert describe(inner) == Tree(inner.resolve(), "1.26.0", tag="v1.26.0")


def test_a_checkout_says_commit_and_changes(upstream: Path) -> None:
    tree = describe(upstream)
    assert tree.commit == git(upstream, "rev-parse", "HEAD")
    assert not tree.dirty
    assert tree.time > 1_600_000_000
    (upstream / "ports" / "README").write_text("changed")
    changed = describe(upstream)
    assert changed.dirty
    assert changed.tag.endswith(".dirty")


@pytest.mark.parametrize("missing", ["py", "ports"])
def test_what_is_no_tree(tmp_path: Path, missing: str) -> None:
    place = plain_tree(tmp_path / "mp")
    (place / missing).rename(tmp_path / "gone")
    with pytest.raises(UsageError, match="is not a MicroPython tree"):
        describe(place)


def test_a_tag_is_fetched_once(upstream: Path, tmp_path: Path) -> None:
    source = f"git+file://{upstream}#v1.27.0"
    tree = fetched(source, tmp_path)
    assert (tree.version, tree.tag, tree.ref) == ("1.27.0", "v1.27.0", "v1.27.0")
    assert tree.commit == git(upstream, "rev-parse", "v1.27.0")
    assert tree.path.is_relative_to(tmp_path / "cache")
    upstream.rename(tmp_path / "gone")
    assert fetched(source, tmp_path) == tree
    assert fetched(source, tmp_path, offline=True) == tree


def test_a_branch_moves(upstream: Path, tmp_path: Path) -> None:
    source = f"file://{upstream}#master"
    before = fetched(source, tmp_path)
    assert before.version == "1.28.0-preview"
    (upstream / "ports" / "README").write_text("more")
    git(upstream, "commit", "-q", "-a", "-m", "three")
    assert fetched(source, tmp_path, offline=True).commit == before.commit
    assert fetched(source, tmp_path).commit == git(upstream, "rev-parse", "HEAD") != before.commit


@pytest.mark.parametrize("length", [40, 10])
def test_a_commit(upstream: Path, tmp_path: Path, length: int) -> None:
    commit = git(upstream, "rev-parse", "HEAD~1")
    assert fetched(f"git+file://{upstream}#{commit[:length]}", tmp_path).commit == commit


def test_the_newest_release(upstream: Path, tmp_path: Path) -> None:
    git(upstream, "tag", "v1.9.4", "HEAD~1")
    git(upstream, "tag", "v1.28.0-preview", "HEAD")
    assert fetched(f"git+file://{upstream}", tmp_path, "latest").ref == "v1.27.0"
    assert fetched(f"git+file://{upstream}", tmp_path, "1.27").tag == "v1.27.0"


@pytest.mark.parametrize("source", ["git+file:///nowhere/at/all#v1.27.0", "git+file://{}#no-such-branch"])
def test_what_git_does_not_find(upstream: Path, tmp_path: Path, source: str) -> None:
    with pytest.raises(NetworkError):
        fetched(source.format(upstream), tmp_path)


@pytest.mark.parametrize("source", ["git+file://x#--upload-pack=touch", "git+--upload-pack=touch://x#v1"])
def test_options_of_git_are_no_sources(tmp_path: Path, source: str) -> None:
    with pytest.raises(UsageError, match="git source"):
        fetched(source, tmp_path)


def test_programs_are_no_transport(tmp_path: Path) -> None:
    with pytest.raises(NetworkError):
        fetched(f"ext::touch://{tmp_path}/made#v1.27.0", tmp_path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("source", ["", "v1.27.0", "latest", "git+file:///x#v1.27.0"])
def test_offline_refuses_what_is_not_here(tmp_path: Path, source: str) -> None:
    with pytest.raises(OfflineError):
        fetched(source, tmp_path, offline=True)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no directory"):
        fetched("../micropython", tmp_path)


def test_submodules_are_named_and_fetched(upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "README.md").write_text("a library")
    git(library, "init", "-q", "-b", "master")
    git(library, "add", ".")
    git(library, "commit", "-q", "-m", "one")
    git(upstream, "submodule", "--quiet", "add", f"file://{library}", "lib/library")
    git(upstream, "commit", "-q", "-a", "-m", "with a submodule")
    tree = fetched(f"git+file://{upstream}#master", tmp_path)
    names = ["lib/library"]
    assert submodule_state(tree, names) == (names, {})
    with pytest.raises(OfflineError, match="lib/library"):
        fetch_submodules(tree, names, offline=True)
    # Git lets a submodule come from a folder only where it is told so.
    for key, value in (("COUNT", "1"), ("KEY_0", "protocol.file.allow"), ("VALUE_0", "always")):
        monkeypatch.setenv(f"GIT_CONFIG_{key}", value)
    fetch_submodules(tree, names, offline=False)
    assert submodule_state(tree, names) == ([], {"lib/library": git(library, "rev-parse", "HEAD")})


def test_a_tree_without_git_names_what_it_lacks(tmp_path: Path) -> None:
    tree = describe(plain_tree(tmp_path / "mp"))
    (tree.path / "lib" / "tinyusb").mkdir(parents=True)
    with pytest.raises(BuildError, match="lib/tinyusb") as raised:
        fetch_submodules(tree, submodule_state(tree, ["lib/tinyusb"])[0], offline=False)
    assert "git checkout" in raised.value.hint
