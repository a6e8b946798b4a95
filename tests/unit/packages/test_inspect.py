"""list, tree, check, outdated; lists of packages; locks."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fixtures.make_index import IndexBuilder
from tests.unit.packages.model import MPY_63, ModelBoard
from tests.unit.packages.web import Web
from upytool import limits
from upytool.errors import ConfigError, LocalFileError, PackageError, RemoteException
from upytool.packages.apply import apply
from upytool.packages.download import Fetcher
from upytool.packages.hosts import Hosts
from upytool.packages.inspect import Branch, check, outdated, places, tree, upgrades
from upytool.packages.installer import InstallOptions, context_for, plan_install
from upytool.packages.lockfile import locked, read_lock, write_lock
from upytool.packages.plan import InstallPlan
from upytool.packages.record import Record
from upytool.packages.requirements import read_requirements
from upytool.packages.resolver import Resolution, resolve
from upytool.packages.sources import parse_source

Install = Callable[..., InstallPlan]
HOSTS = Hosts()


def only(board: ModelBoard) -> Record:
    found = places(board)
    assert len(found) == 1
    return found[0].record


def test_an_empty_board(board: ModelBoard) -> None:
    assert places(board) == []
    assert check(board) == []


def test_every_folder_of_sys_path_counts(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1", {"a.py": b"1"}, mpy=False)
    board.sys_path = ("", ".frozen", "/sd/lib", "/lib")
    install("a", mpy=False)
    install("a", mpy=False, target="/lib")
    install("a", mpy=False, target="/elsewhere")
    assert [place.path for place in places(board)] == ["/sd/lib", "/lib"]
    assert [place.path for place in places(board, ":/elsewhere")] == ["/elsewhere"]


def test_tree_with_a_circle(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1", {"a.py": b"1"}, deps=[["b", "latest"], ["c", "latest"]], mpy=False)
    index.add("b", "2", {"b.py": b"1"}, deps=[["c", "latest"]], mpy=False)
    index.add("c", "3", {"c.py": b"1"}, deps=[["a", "latest"]], mpy=False)
    install("a", mpy=False)
    roots = tree(only(board))
    assert [line for root in roots for line in root.lines()] == [
        "a 1",
        "├── b 2",
        "│   └── c 3",
        "│       └── a 1 (see above)",
        "└── c 3 (see above)",
    ]
    assert isinstance(roots[0], Branch)
    assert json.dumps(roots[0].data())


def test_check_finds_what_is_wrong(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1", {"a.py": b"x = 1\n", "gone.py": b"", "p/__init__.py": b""}, deps=[["b", "latest"]])
    index.add("b", "1", {"b.py": b"y = 1\n"})
    install("a")
    assert check(board) == []
    board.storage.put("/lib/a.mpy", "changed")
    del board.files["/lib/gone.mpy"]
    board.storage.put("/p.py", "in the root, which is searched first")
    board.storage.put("/lib/b.py", "old")
    entry = json.loads(board.files["/lib/.upytool.json"])
    del entry["packages"]["b"]
    found = {(each.kind, each.package) for each in check(board)}
    assert found == {("modified", "a"), ("missing", "a"), ("shadowed", "a"), ("shadowed", "b")}
    board.files["/lib/.upytool.json"] = json.dumps(entry).encode()
    assert ("dependency", "a") in {(each.kind, each.package) for each in check(board)}


def test_check_knows_the_firmware(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1", {"a.py": b"x = 1\n"})
    install("a")
    board.mpy = 7
    assert [each.kind for each in check(board)] == ["abi"]
    board.mpy = 0
    assert "takes no .mpy files" in check(board)[0].message


def test_check_finds_a_module_earlier_in_sys_path(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1", {"a.py": b"x = 1\n", "data.txt": b""})
    install("a")
    board.sys_path = ("", ".frozen", "/flash", "/lib")
    board.storage.put("/flash/a/__init__.mpy", "")
    board.storage.put("/flash/data.txt", "")
    assert [each.message for each in check(board)] == ["/flash/a/__init__.mpy is imported in place of /lib/a.mpy"]


def test_a_board_without_hashlib(
    board: ModelBoard, index: IndexBuilder, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("a", "1", {"a.py": b"x = 1\n"})

    def none(*_: object) -> dict[str, str | None]:
        raise RemoteException("ImportError: no module named 'hashlib'\n")

    monkeypatch.setattr(ModelBoard, "hash", none)
    install("a")
    assert check(board) == []
    assert install("a").empty


def test_outdated_by_version(board: ModelBoard, index: IndexBuilder, install: Install, fetcher: Fetcher) -> None:
    index.add("a", "1.0", {"a.py": b"v = 1\n"})
    index.add("b", "1.0", {"b.py": b"v = 1\n"})
    install("a@1.0", "b")
    indexes = [str(index.folder)]
    assert outdated(board, fetcher, HOSTS, indexes) == ([], [])
    index.add("a", "1.1", {"a.py": b"v = 2\n"})
    found, notes = outdated(board, fetcher, HOSTS, indexes)
    assert [(each.name, each.installed, each.newest) for each in found] == [("a", "1.0", "1.1")]
    assert notes == []
    seen, sources, _ = upgrades(board, [], HOSTS)
    assert (seen.target, [each.text() for each in sources]) == ("/lib", ["a", "b"])
    with pytest.raises(PackageError, match="zz is not installed"):
        upgrades(board, ["zz"], HOSTS)


def test_outdated_by_content(board: ModelBoard, web: Web, install: Install, fetcher: Fetcher) -> None:
    web.add("/p/package.json", '{"urls": [["a.py", "a.py"]]}')
    web.add("/p/a.py", b"v = 1\n")
    install(web.address + "/p/")
    assert outdated(board, fetcher, HOSTS, ["unused"]) == ([], [])
    web.add("/p/a.py", b"v = 2\n")
    fetcher._fresh.clear()
    assert [each.name for each in outdated(board, fetcher, HOSTS, ["unused"])[0]] == ["p"]
    del web.routes["/p/package.json"]
    fetcher._fresh.clear()
    found, notes = outdated(board, fetcher, HOSTS, ["unused"])
    assert found == []
    assert "not found" in notes[0]


# --- lists ---


def test_a_plain_list(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("aioble\n")
    (tmp_path / "list.txt").write_text(
        "# what we need\numqtt.simple==1.3.0\n-r more.txt\ngithub:a/b@v1#frag  # a tag\n\n./x.py\n"
    )
    found = read_requirements(tmp_path / "list.txt", HOSTS)
    assert [each.text() for each in found[:3]] == ["umqtt.simple@1.3.0", "aioble", "github:a/b@v1#frag"]
    assert found[3].key == str((tmp_path / "x.py").resolve())


@pytest.mark.parametrize(
    ("text", "message"),
    [("ok\nname@1@2\n", "line 2"), ("--index x\n", "line 1"), ("-r list.txt\n", "includes itself")],
)
def test_a_wrong_list(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_requirements(tmp_path / "list.txt", HOSTS)


def test_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(LocalFileError):
        read_requirements(tmp_path / "none.txt", HOSTS)


PROJECT = """
ringlog = "1.0"
aioble = "*"
driver = "github:someone/driver@v2"
sensors = { source = "github:someone/sensors", ref = "main" }
pinned = { version = "2" }
mine = "./mine.py"
"""


@pytest.mark.parametrize(
    ("name", "head"), [("upytool.toml", "[packages]"), ("pyproject.toml", "[tool.upytool.packages]")]
)
def test_a_project(tmp_path: Path, name: str, head: str) -> None:
    (tmp_path / name).write_text(head + PROJECT)
    found = [each.text() for each in read_requirements(tmp_path / name, HOSTS)]
    assert found == [
        "ringlog@1.0",
        "aioble",
        "github:someone/driver@v2",
        "github:someone/sensors@main",
        "pinned@2",
        "./mine.py",
    ]


@pytest.mark.parametrize("value", ["1", "{ version = 1 }", "{ sauce = 'x' }", "'svn:a/b'"])
def test_a_wrong_project(tmp_path: Path, value: str) -> None:
    (tmp_path / "upytool.toml").write_text(f"[packages]\nx = {value}\n")
    with pytest.raises(ConfigError, match=r"packages\.x"):
        read_requirements(tmp_path / "upytool.toml", HOSTS)


# --- locks ---


def resolved(fetcher: Fetcher, index: IndexBuilder, *specs: str, abi: str = "6") -> Resolution:
    context = context_for(fetcher, HOSTS, [str(index.folder)], abi)
    return locked(resolve([parse_source(each, HOSTS) for each in specs], context), fetcher)


def install_locked(board: ModelBoard, fetcher: Fetcher, lock: Path, abi: str = "6") -> InstallPlan:
    plan = plan_install(board, [], fetcher, HOSTS, InstallOptions(), fixed=lambda _: read_lock(lock, abi))
    apply(board, plan)
    return plan


def test_a_lock_repeats_an_install(
    board: ModelBoard, index: IndexBuilder, install: Install, fetcher: Fetcher, tmp_path: Path, web: Web
) -> None:
    index.add("a", "1.0", {"a.py": b"v = 1\n"}, deps=[["b", "latest"]])
    index.add("b", "1.0", {"b.py": b"v = 1\n"})
    (tmp_path / "mine.py").write_bytes(b"x = 1\n")
    url = web.add("/u.py", b"u = 1\n")
    specs = ("a", str(tmp_path / "mine.py"), url)
    lock = tmp_path / "mip.lock"
    write_lock(lock, resolved(fetcher, index, *specs), "6")
    first = lock.read_bytes()
    install(*specs)
    wanted = board.tree()
    index.add("a", "2.0", {"a.py": b"v = 2\n"})
    other = ModelBoard()
    install_locked(other, fetcher, lock)
    assert other.tree() == wanted
    assert json.loads(other.files["/lib/.upytool.json"])["packages"]["a"]["version"] == "1.0"
    again = read_lock(lock, "6")
    write_lock(lock, again, "6")
    assert lock.read_bytes() == first
    assert str(tmp_path) not in first.decode().replace(str(index.folder), "").replace(specs[1], "")


def test_a_lock_needs_the_whole_digest(
    board: ModelBoard, web: Web, index: IndexBuilder, fetcher: Fetcher, tmp_path: Path
) -> None:
    url = web.add("/u.py", b"u = 1\n")
    lock = tmp_path / "mip.lock"
    write_lock(lock, resolved(fetcher, index, url), "6")
    install_locked(board, fetcher, lock)
    assert board.tree()
    web.add("/u.py", b"u = 2\n")
    fetcher._fresh.clear()
    for path in (fetcher.cache.folder / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(PackageError, match="not what was promised"):
        install_locked(ModelBoard(), fetcher, lock)


def test_a_lock_installs_offline(index: IndexBuilder, web: Web, fetcher: Fetcher, tmp_path: Path) -> None:
    lock = tmp_path / "mip.lock"
    write_lock(lock, resolved(fetcher, index, web.add("/u.py", b"u = 1\n")), "6")
    with Fetcher(fetcher.cache, offline=True) as offline:
        board = ModelBoard()
        install_locked(board, offline, lock)
    assert list(board.tree()) == ["/lib/u.mpy"]


def test_a_lock_for_other_boards(index: IndexBuilder, fetcher: Fetcher, tmp_path: Path) -> None:
    index.add("a", "1.0", {"a.py": b"v = 1\n"})
    lock = tmp_path / "mip.lock"
    write_lock(lock, resolved(fetcher, index, "a"), "6")
    with pytest.raises(PackageError, match=r"made for \.mpy version 6, and this install takes sources"):
        read_lock(lock, "py")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"v": 1}',
        '{"v": 2, "abi": "6", "order": [], "packages": []}',
        '{"v": 1, "abi": "6", "order": ["x"], "packages": []}',
    ],
)
def test_a_damaged_lock(tmp_path: Path, text: str) -> None:
    (tmp_path / "mip.lock").write_text(text)
    with pytest.raises(ConfigError):
        read_lock(tmp_path / "mip.lock", "6")


def test_a_lock_stays_below_the_target(index: IndexBuilder, web: Web, fetcher: Fetcher, tmp_path: Path) -> None:
    lock = tmp_path / "mip.lock"
    write_lock(lock, resolved(fetcher, index, web.add("/u.py", b"u = 1\n")), "6")
    lock.write_text(lock.read_text().replace('"path": "u.py"', '"path": "../u.py"'))
    with pytest.raises(ConfigError, match="not a path below"):
        read_lock(lock, "6")


def test_plans_are_values(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"v = 1\n"}, deps=[["b", "latest"]])
    index.add("b", "1.0", {"b.py": b"v = 1\n"})
    board.mpy = MPY_63
    plan = install("a", dry_run=True)
    text = plan.lines(dry_run=True)
    assert "  new        /lib/a.mpy" in text
    assert text[-1] == "Would go to /lib"
    assert json.dumps(plan.data())
    apply(board, plan)
    assert sorted(board.tree()) == ["/lib/a.mpy", "/lib/b.mpy"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_list_may_come_through_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-r <(command)`; local paths and `-r` lines in it are relative to the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more.txt").write_text("two\n")
    told: list[str] = []

    def read(text: bytes) -> list[str]:
        end, start = os.pipe()

        def write() -> None:
            with open(start, "wb") as file, suppress(BrokenPipeError):
                file.write(text)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            return [each.text() for each in read_requirements(Path(f"/dev/fd/{end}"), HOSTS, pipes=True)]
        finally:
            os.close(end)
            writer.join(10)

    assert read(b"one==1.0\n-r more.txt\n./x.py\n" + b"# filler\n" * 50_000) == ["one@1.0", "two", "./x.py"]
    with pytest.raises(ConfigError, match="line 2"):
        read(b"one\n-x\n")
    monkeypatch.setattr(limits, "DOCUMENT_BYTES", 1000)
    with pytest.raises(LocalFileError, match="limit"):
        read(b"#" * 500_000)
    assert told == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_pipe_that_nobody_named_is_no_list(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "list.txt").write_text("-r fifo\n")
    for name in ("fifo", "list.txt"):
        with pytest.raises((LocalFileError, ConfigError), match="not a regular file"):
            read_requirements(tmp_path / name, HOSTS)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_wait_for_a_pipe_is_told(tmp_path: Path) -> None:
    """Nothing is written until it is told that this is waited for."""
    end, start = os.pipe()
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        os.write(start, b"one\n")
        os.close(start)

    found = read_requirements(Path(f"/dev/fd/{end}"), HOSTS, pipes=True, tell=tell)
    os.close(end)
    assert [each.text() for each in found] == ["one"]
    assert len(told) == 1
