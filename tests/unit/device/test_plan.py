"""The pure parts of a copy: ignore rules, targets, plans, what is extra, space, .mpy headers."""

from __future__ import annotations

import pytest

from upytool.device.compile import mpy_problem
from upytool.device.copy import Destination, plan_copy, targets
from upytool.device.ignore import Ignore
from upytool.device.info import BoardInfo
from upytool.device.mover import Space, Status, check_space
from upytool.device.sync import extras
from upytool.device.tree import Tree, board_tree, join
from upytool.errors import LocalFileError, RemoteOSError, UsageError

FOLDER = Tree("src", "dir", "src", files={"a.py": 3, "lib/b.py": 5}, dirs=("lib",), remote=True)
FILE = Tree("x/m.py", "file", "m.py", files={"": 7}, remote=True)


@pytest.mark.parametrize(
    ("patterns", "path", "is_dir", "out"),
    [
        ((), "a.py", False, False),
        ((), ".git", True, True),
        ((), "lib/.env", False, True),
        ((), "x/__pycache__", True, True),
        ((), "__pycache__", False, False),
        ((), "m.pyc", False, True),
        (("*.log",), "deep/er/x.log", False, True),
        (("/top.py",), "top.py", False, True),
        (("/top.py",), "sub/top.py", False, False),
        (("docs/*.md",), "docs/x.md", False, True),
        (("docs/*.md",), "docs/deep/x.md", False, False),
        (("docs/**/x.md",), "docs/a/b/x.md", False, True),
        (("build/",), "build", True, True),
        (("build/",), "build", False, False),
        (("*.log", "!keep.log"), "keep.log", False, False),
        (("!.env",), ".env", False, False),
        (("[ab].py",), "b.py", False, True),
        (("[!ab].py",), "b.py", False, False),
        (("a?c",), "abc", False, True),
        (("# no", "", "\\#x"), "#x", False, True),
    ],
)
def test_ignore(patterns: tuple[str, ...], path: str, is_dir: bool, out: bool) -> None:
    assert Ignore(patterns)(path, is_dir) is out


@pytest.mark.parametrize(
    ("tree", "to", "dirs", "files"),
    [
        (FILE, Destination("", "dir", False, True), [], ["m.py"]),
        (FILE, Destination("/d", "dir", False, True), [], ["/d/m.py"]),
        (FILE, Destination("/d/n.py", "none", False, True), [], ["/d/n.py"]),
        (FILE, Destination("/d/n.py", "file", False, True), [], ["/d/n.py"]),
        (FOLDER, Destination("/", "dir", False, True), ["/src", "/src/lib"], ["/src/a.py", "/src/lib/b.py"]),
        (FOLDER, Destination("/n", "none", False, True), ["/n", "/n/lib"], ["/n/a.py", "/n/lib/b.py"]),
        (FOLDER, Destination("", "dir", False, True), ["src", "src/lib"], ["src/a.py", "src/lib/b.py"]),
    ],
)
def test_targets(tree: Tree, to: Destination, dirs: list[str], files: list[str]) -> None:
    wanted = targets([tree], to)
    assert list(wanted.dirs) == dirs
    assert [item.path for item in wanted.files] == files


def test_two_files_for_one_name() -> None:
    other = Tree("y/m.py", "file", "m.py", files={"": 7}, remote=True)
    with pytest.raises(UsageError, match="would both become"):
        targets([FILE, other], Destination("/d", "dir", False, True))


def test_a_plan() -> None:
    wanted = targets([FOLDER], Destination("/n", "dir", False, True))
    there = {
        "/n/src": Status("dir"),
        "/n/src/a.py": Status("file", 3, b"d"),
        "/n/src/lib": Status("none"),
        "/n/src/lib/b.py": Status("none"),
    }
    plan = plan_copy(wanted, there, {"/n/src/a.py"}, remote=True, extra={"/n/src/z": 4, "/n/old": -1})
    assert [(a.what, a.path, a.why) for a in plan.actions] == [
        ("mkdir", ":/n/src/lib", "new"),
        ("skip", ":/n/src/a.py", "unchanged"),
        ("write", ":/n/src/lib/b.py", "new"),
        ("delete", ":/n/src/z", "extra"),
        ("rmdir", ":/n/old", "extra"),
    ]
    assert plan.bytes == 5
    assert plan.data()["delete"] == 2
    forced = plan_copy(wanted, there, {"/n/src/a.py"}, remote=True, force=True)
    assert [a.why for a in forced.of("write")] == ["forced", "new"]
    with pytest.raises(UsageError) as caught:
        plan_copy(wanted, {"/n/src/a.py": Status("dir")}, (), remote=True)
    assert caught.value.code == "usage.directory-in-the-way"
    with pytest.raises(UsageError) as caught:
        plan_copy(wanted, {"/n/src": Status("file", 1)}, (), remote=True)
    assert caught.value.code == "usage.file-in-the-way"


def test_extras_keep_what_is_to_be_kept() -> None:
    to = Destination("/", "dir", False, True)
    wanted = targets([Tree("s", "dir", "s", True, {"main.py": 1}, ())], to)
    listing = {"/main.py": 1, "/old": -1, "/old/x": 2, "/sd": -1, "/sd/photo": 3, "/log": -1, "/log/1.txt": 1,
               "/.upytool": -1, "/.upytool/list": 2, "/.secret": 5, "/e": -1}  # fmt: skip
    there = board_tree("/", "dir", 0, listing, recursive=True)
    gone = extras(there, wanted, to, ["*.txt"], Ignore(), {"sd"})
    assert gone == {"/old/x": 2, "/old": -1, "/e": -1}


@pytest.mark.parametrize(
    ("free", "sizes", "old", "in_place", "fits"),
    [
        (3, [8192], 0, False, True),
        (1, [8192], 0, False, False),
        (2, [8192, 4096], 0, False, False),
        (1, [8192], 8192, False, False),
        (1, [8192], 8192, True, True),
        (0, [100] * 50, 0, False, True),
        (2, [8192, 8192], 8192, False, True),
    ],
)
def test_space(free: int, sizes: list[int], old: int, in_place: bool, fits: bool) -> None:
    status = Status("file", old) if old else Status("none")
    space = Space(4096, free)
    writes = [(f"/{number}", size, status, in_place) for number, size in enumerate(sizes)]
    if fits:
        check_space(space, writes)
        return
    with pytest.raises(RemoteOSError) as caught:
        check_space(space, writes)
    assert caught.value.errno == 28
    assert caught.value.filename == f"/{len(sizes) - 1}", "the one that does not fit"
    assert caught.value.hint


PICO = BoardInfo(mpy=6 | 3 << 8 | 4 << 10, small_int_bits=31)


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        (b"M\x06\x00\x1f", ""),
        (b"M\x05\x00\x1f", "version 5"),
        (b"M\x06\x00\x3f", "63 bits"),
        (b"M\x06" + bytes([3 | 4 << 2]) + b"\x1f", ""),
        (b"M\x06" + bytes([2 | 4 << 2]) + b"\x1f", "6.2"),
        (b"M\x06" + bytes([3 | 9 << 2]) + b"\x1f", "xtensa"),
        (b"M\x06" + bytes([3 | 6 << 2]) + b"\x1f", "armv7em"),
        (b"imp", "not a .mpy"),
    ],
)
def test_mpy_headers(head: bytes, problem: str) -> None:
    found = mpy_problem(head, PICO)
    assert problem in found
    assert bool(found) is bool(problem)


def test_a_board_without_mpy() -> None:
    assert "no .mpy files" in mpy_problem(b"M\x06\x00\x1f", BoardInfo())


def test_a_smaller_thumb_core_is_understood() -> None:
    cortex_m4 = BoardInfo(mpy=6 | 3 << 8 | 7 << 10)
    assert mpy_problem(b"M\x06" + bytes([3 | 4 << 2]) + b"\x1f", cortex_m4) == ""


def test_join() -> None:
    assert (join("", "a"), join("/", "a"), join("/b/", "a")) == ("a", "/a", "/b/a")


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "a//b", "x\0y", ".."])
def test_a_board_cannot_name_files_outside_of_the_folder(name: str) -> None:
    tree = Tree("/", "dir", "", contents=True, files={name: 1}, remote=True)
    with pytest.raises(LocalFileError, match="not a valid file name"):
        targets([tree], Destination("here", "dir", False, False))


def test_the_parent_of_a_folder_of_the_board_means_its_contents() -> None:
    tree = board_tree("/lib/..", "dir", 0, {"/lib/../x": 1}, recursive=True)
    assert [item.path for item in targets([tree], Destination("here", "dir", False, False)).files] == ["here/x"]


def test_a_pattern_that_is_none_is_told() -> None:
    with pytest.raises(UsageError, match="ignore pattern"):
        Ignore(["[z-a]"])
