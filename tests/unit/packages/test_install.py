"""Install and uninstall on the model: every way it can go wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fixtures.make_index import IndexBuilder
from tests.unit.packages.model import MPY_63, ModelBoard, ShortModelBoard
from tests.unit.packages.web import Answer, Web
from upytool.errors import ConnectionLostError, PackageError, RemoteOSError
from upytool.packages.apply import apply
from upytool.packages.download import Fetcher
from upytool.packages.plan import InstallPlan
from upytool.packages.record import parse_record
from upytool.packages.uninstall import plan_uninstall

Install = Callable[..., InstallPlan]


def record(board: ModelBoard, target: str = "/lib") -> Any:
    return json.loads(board.files[f"{target}/.upytool.json"])["packages"]


def uninstall(board: ModelBoard, *names: str, **options: Any) -> InstallPlan:
    plan = plan_uninstall(board, names, **options)
    apply(board, plan)
    return plan


def test_install_writes_files_and_a_record(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a/__init__.py": b"x = 1\n", "a/b.txt": b"text"})
    plan = install("a")
    assert sorted(board.tree()) == ["/lib/a/__init__.mpy", "/lib/a/b.txt"]
    entry = record(board)["a"]
    assert entry["version"] == "1.0"
    assert entry["requested"] is True
    text = hashlib.sha256(b"text").hexdigest()
    assert entry["files"]["a/b.txt"] == text[:16]
    assert not [name for name in board.storage.folders if "stage" in name]
    assert [file.action for file in plan.files()] == ["new", "new"]


def test_a_file_system_without_put_many(
    board: ModelBoard, index: IndexBuilder, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add("a", "1.0", {"a.txt": b"1", "b.txt": b"2"})
    plain = SimpleNamespace(hash=board.hash, write_bytes=board.write_bytes)
    monkeypatch.setattr(ModelBoard, "fs", property(lambda _: plain))
    install("a")
    assert board.tree() == {"/lib/a.txt": b"1", "/lib/b.txt": b"2"}


def test_dry_run_changes_nothing(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"x = 1\n"})
    plan = install("a", dry_run=True)
    assert board.storage.changes == 0
    assert plan.data()["written"] == 1
    assert plan.data()["packages"][0]["files"][0]["path"] == "/lib/a.mpy"


def test_unchanged_files_are_not_written_again(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"x = 1\n", "b.py": b"y = 2\n"})
    install("a")
    board.storage.writes.clear()
    trips = board.trips
    plan = install("a")
    assert plan.empty
    assert board.storage.writes == []
    # Look, hash; the short way reads the record by a program of its own.
    assert board.trips - trips == (3 if isinstance(board, ShortModelBoard) else 2)


def test_an_index_file_that_is_there_is_not_even_fetched(
    web: Web, board: ModelBoard, index: IndexBuilder, install: Install
) -> None:
    index.add("a", "1.0", {"a.py": b"x = 1\n"}, mpy=False)
    data = b"x = 1\n"
    digest = hashlib.sha256(data).hexdigest()[:8]
    web.add("/package/py/a/latest.json", json.dumps({"hashes": [["a.py", digest]], "version": "1"}))
    board.storage.put("/lib/a.py", data)
    install("a", index_url=web.address, mpy=False)
    assert web.paths() == ["/package/py/a/latest.json"]
    assert not [path for path in board.storage.writes if path.rpartition("/")[2].isdigit()]


def test_urls_that_are_there_are_not_written_again(board: ModelBoard, web: Web, install: Install) -> None:
    web.add("/package.json", '{"urls": [["a.py", "a.py"]]}')
    web.add("/a.py", b"x = 1\n")
    install(web.address + "/package.json")
    board.storage.writes.clear()
    assert install(web.address + "/package.json").empty
    assert board.storage.writes == []


def test_upgrade_replaces_and_removes(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a/__init__.py": b"v = 1", "a/old/gone.py": b"", "a/old/mine.py": b"1"}, mpy=False)
    install("a", mpy=False)
    board.storage.put("/lib/a/old/mine.py", "by hand")
    index.add("a", "2.0", {"a/__init__.py": b"v = 2"}, mpy=False)
    plan = install("a", mpy=False)
    assert board.tree() == {"/lib/a/__init__.py": b"v = 2", "/lib/a/old/mine.py": b"by hand"}
    assert plan.packages[0].before == "1.0"
    assert any("mine.py was changed" in note for note in plan.notes)
    assert list(record(board)["a"]["files"]) == ["a/__init__.py"]


def test_nothing_is_written_before_every_file_is_here(board: ModelBoard, web: Web, install: Install) -> None:
    web.add("/package.json", '{"urls": [["a.py", "a.py"], ["b.py", "b.py"]]}')
    web.add("/a.py", b"x = 1\n")
    with pytest.raises(PackageError, match=r"b\.py"):
        install(web.address + "/package.json")
    assert board.tree("/") == {}
    assert board.storage.writes == []


def test_a_wrong_hash_names_file_and_both_digests(board: ModelBoard, web: Web, install: Install) -> None:
    web.add("/package/6/a/latest.json", '{"hashes": [["a.mpy", "01234567"]]}')
    web.add("/file/01/01234567", b"something else")
    with pytest.raises(PackageError) as caught:
        install("a", index_url=web.address)
    got = hashlib.sha256(b"something else").hexdigest()
    for part in ("a.mpy", "01234567", got, "/file/01/01234567"):
        assert part in caught.value.message
    assert board.storage.writes == []


def test_a_circle_is_installed_once(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"import b"}, deps=[["b", "latest"]], mpy=False)
    index.add("b", "1.0", {"b.py": b"import a"}, deps=[["a", "latest"]], mpy=False)
    install("a", mpy=False)
    assert sorted(board.tree()) == ["/lib/a.py", "/lib/b.py"]
    staged = {path for path in board.storage.writes if path[-1].isdigit()}
    assert len(staged) == 2


def test_local_file(board: ModelBoard, install: Install, tmp_path: Path) -> None:
    (tmp_path / "pkg.py").write_bytes(b"x = 1\n")
    install(str(tmp_path / "pkg.py"))
    data = board.files["/lib/pkg.mpy"]
    assert data[:2] == b"M\x06"
    assert b"/lib/pkg.py" in data


@pytest.mark.parametrize("name", ["main.py", "boot.py"])
def test_started_by_name_stays_a_source(board: ModelBoard, install: Install, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x = 1\n")
    install(str(tmp_path / name), target="/")
    assert board.files[f"/{name}"] == b"x = 1\n"
    assert "/.upytool.json" in board.files


def test_no_mpy_installs_sources(board: ModelBoard, index: IndexBuilder, install: Install, tmp_path: Path) -> None:
    (tmp_path / "pkg.py").write_bytes(b"x = 1\n")
    index.add("a", "1.0", {"a.py": b"y = 1\n"})
    install("a", str(tmp_path / "pkg.py"), mpy=False)
    assert board.tree() == {"/lib/a.py": b"y = 1\n", "/lib/pkg.py": b"x = 1\n"}


@pytest.mark.parametrize(
    ("mpy", "note"), [(0, ""), (7 | 3 << 8, "version 7"), (5, "version 5")], ids=["none", "newer", "older"]
)
def test_boards_that_take_no_mpy_of_ours(
    board: ModelBoard, index: IndexBuilder, install: Install, mpy: int, note: str
) -> None:
    board.mpy = mpy
    index.add("a", "1.0", {"a.py": b"y = 1\n"})
    plan = install("a")
    assert board.tree() == {"/lib/a.py": b"y = 1\n"}
    assert all(note in each for each in plan.notes)


def test_sources_of_an_index_are_compiled_here(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"y = 1\n"}, mpy=False)
    plan = install("a")
    assert list(board.tree()) == ["/lib/a.mpy"]
    assert any("its sources are used" in note for note in plan.notes)


NATIVE = b"import micropython\n@micropython.native\ndef f():\n    return 1\n"


@pytest.mark.parametrize(
    ("mpy", "name"),
    [(MPY_63 | 6 << 10, "n.mpy"), (6 | 1 << 8 | 4 << 10, "n.mpy"), (MPY_63, "n.py"), (6, "n.py")],
    ids=["6.3 armv7em", "6.1 armv6m", "6.3 without", "6.0 without"],
)
def test_native_code_fits_the_board_or_stays_a_source(
    board: ModelBoard, install: Install, tmp_path: Path, mpy: int, name: str
) -> None:
    board.mpy = mpy
    (tmp_path / "n.py").write_bytes(NATIVE)
    install(str(tmp_path / "n.py"))
    assert list(board.tree()) == [f"/lib/{name}"]
    if name == "n.mpy":
        flags = board.files["/lib/n.mpy"][2]
        assert (flags & 3, flags >> 2) == (mpy >> 8 & 3, mpy >> 10 & 0xF)


def test_a_syntax_error_names_file_and_line(board: ModelBoard, install: Install, tmp_path: Path) -> None:
    (tmp_path / "pkg.py").write_bytes(b"x = 1\ny = = 2\n")
    with pytest.raises(PackageError, match=r"/lib/pkg\.py, line 2: SyntaxError"):
        install(str(tmp_path / "pkg.py"))
    assert board.storage.writes == []


def test_optimize_takes_asserts_away(board: ModelBoard, install: Install, tmp_path: Path) -> None:
    (tmp_path / "pkg.py").write_bytes(b"assert 1 == 2, 'message here'\n")
    install(str(tmp_path / "pkg.py"))
    plain = board.files["/lib/pkg.mpy"]
    install(str(tmp_path / "pkg.py"), optimize=3)
    assert b"message here" in plain
    assert b"message here" not in board.files["/lib/pkg.mpy"]


def test_a_stale_source_is_removed_and_reported(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("foo", "1.0", {"foo.py": b"new = 1\n"})
    board.storage.put("/lib/foo.py", "old = 1\n")
    plan = install("foo")
    assert list(board.tree()) == ["/lib/foo.mpy"]
    assert plan.removals[0].path == "/lib/foo.py"
    assert "in place of foo.mpy" in plan.removals[0].reason


def test_switching_to_sources_and_back_leaves_one(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("foo", "1.0", {"foo.py": b"x = 1\n"})
    install("foo", mpy=False)
    assert list(board.tree()) == ["/lib/foo.py"]
    install("foo")
    assert list(board.tree()) == ["/lib/foo.mpy"]
    install("foo", mpy=False)
    assert list(board.tree()) == ["/lib/foo.py"]


def test_a_folder_that_shadows_is_reported(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("foo", "1.0", {"foo.py": b"x = 1\n"})
    board.storage.put("/lib/foo/__init__.py", "old")
    plan = install("foo")
    assert any("/lib/foo/__init__.py is imported in place of" in note for note in plan.notes)
    assert "/lib/foo/__init__.py" in board.files


def test_target_is_made(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"x = 1\n"}, mpy=False)
    assert "/lib" not in board.storage.folders
    install("a", target=":ext/deep/", mpy=False)
    assert list(board.tree("/ext/deep")) == ["/ext/deep/a.py"]


def test_target_is_the_first_lib_that_can_be_written(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"x = 1\n"}, mpy=False)
    board.sys_path = ("", ".frozen", "/rom", "/rom/lib", "/sd/lib", "/flash/lib", "/lib")
    board.storage.read_only = ("/sd",)
    install("a", mpy=False)
    assert [path for path in board.files if path.endswith("a.py")] == ["/flash/lib/a.py"]
    assert "/sd" not in board.storage.folders


def test_a_lib_that_is_a_file_is_passed_over(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"x = 1\n"}, mpy=False)
    board.sys_path = ("/flash/lib", "/sd/lib")
    board.storage.put("/lib", "a file that is in no path")
    board.storage.put("/flash/lib", "a file")
    for dry in (True, False):
        assert install("a", mpy=False, dry_run=dry).target == "/sd/lib"
    assert "/sd/lib/a.py" in board.files
    with pytest.raises(RemoteOSError):
        install("a", target="/flash/lib")


def test_romlike_names_are_no_rom(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"x = 1\n"}, mpy=False)
    board.sys_path = ("/romeo/lib",)
    install("a", mpy=False)
    assert "/romeo/lib/a.py" in board.files


def test_no_lib_in_sys_path(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"x = 1\n"}, mpy=False)
    board.sys_path = ("", ".frozen", "/rom/lib")
    with pytest.raises(PackageError, match="no directory that ends in /lib") as caught:
        install("a")
    assert "--target" in caught.value.hint


def test_a_read_only_board_is_explained(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"x = 1\n"}, mpy=False)
    board.storage.read_only = ("",)
    with pytest.raises(RemoteOSError, match="read-only") as caught:
        install("a")
    assert "CircuitPython" in caught.value.hint


def test_space_is_checked_first(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.txt": b"x" * 5000, "b.txt": b"y" * 5000}, mpy=False)
    board.storage.capacity = 8 * 1024
    with pytest.raises(PackageError, match=r"need 10240 bytes in /lib, and 8192 are free"):
        install("a")
    assert board.storage.writes == []


def test_an_upgrade_without_room_for_both_goes_file_by_file(
    board: ModelBoard, index: IndexBuilder, install: Install
) -> None:
    index.add("a", "1.0", {f"{n}.txt": b"x" * 2000 for n in range(4)}, mpy=False)
    install("a")
    board.storage.capacity = board.storage.used() + 4 * 1024
    index.add("a", "2.0", {f"{n}.txt": b"y" * 2000 for n in range(4)}, mpy=False)
    plan = install("a")
    assert not plan.staged
    assert set(board.tree().values()) == {b"y" * 2000}


def test_a_folder_in_the_way(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"x/a.txt": b"1", "b.txt": b"1"}, mpy=False)
    board.storage.put("/lib/b.txt/file", "")
    before = set(board.storage.folders)
    with pytest.raises(PackageError) as caught:
        install("a")
    assert (caught.value.code, caught.value.fields) == ("package.is-directory", {"path": "/lib/b.txt"})
    assert board.storage.folders == before


def test_a_file_in_the_way_of_a_folder(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a/x.txt": b"1"}, mpy=False)
    board.storage.put("/lib/a", "a file")
    with pytest.raises((PackageError, RemoteOSError)):
        install("a")
    assert board.tree() == {"/lib/a": b"a file"}


def test_files_of_other_packages_are_safe(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"x.py": b"1"}, mpy=False)
    index.add("b", "1.0", {"x.py": b"2"}, mpy=False)
    install("a", mpy=False)
    with pytest.raises(PackageError, match=r"x\.py belongs to a"):
        install("b", mpy=False)
    install("b", mpy=False, force=True)
    assert board.files["/lib/x.py"] == b"2"


def test_uninstall_removes_what_it_owns(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a/__init__.py": b"1", "a/b/c.py": b"2", "shared.py": b"s"}, mpy=False)
    index.add("b", "1.0", {"b.py": b"3", "shared.py": b"s"}, mpy=False)
    install("a", "b", mpy=False)
    board.storage.put("/lib/own.py", "mine")
    uninstall(board, "a")
    assert sorted(board.tree()) == ["/lib/b.py", "/lib/own.py", "/lib/shared.py"]
    assert list(record(board)) == ["b"]
    assert "/lib/a" not in board.storage.folders
    uninstall(board, "b")
    assert board.tree("/") == {"/lib/own.py": b"mine"}
    assert "/lib/.upytool.json" not in board.files


def test_uninstall_keeps_changed_files(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"1", "b.py": b"2"}, mpy=False)
    install("a", mpy=False)
    board.storage.put("/lib/a.py", "by hand")
    plan = uninstall(board, "a")
    assert board.tree() == {"/lib/a.py": b"by hand"}
    assert any("was changed" in note for note in plan.notes)
    install("a", mpy=False)
    board.storage.put("/lib/a.py", "by hand")
    uninstall(board, "a", force=True)
    assert board.tree() == {}


def test_uninstall_of_a_needed_package(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"1"}, deps=[["b", "latest"]], mpy=False)
    index.add("b", "1.0", {"b.py": b"2"}, mpy=False)
    install("a", mpy=False)
    with pytest.raises(PackageError, match="b is needed by a"):
        uninstall(board, "b")
    plan = uninstall(board, "a")
    assert any("no longer needed: b" in note for note in plan.notes)
    assert list(board.tree()) == ["/lib/b.py"]
    install("a", mpy=False)
    uninstall(board, "a", unused=True)
    assert board.tree() == {}


def test_uninstall_of_something_else(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("ringlog", "1.0", {"a.py": b"1"}, mpy=False)
    install("ringlog", mpy=False)
    with pytest.raises(PackageError, match="ringlg is not installed") as caught:
        uninstall(board, "ringlg")
    assert "ringlog" in caught.value.hint


def test_uninstall_from_a_full_board(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"1" * 3000}, mpy=False)
    index.add("b", "1.0", {"b.py": b"2"}, mpy=False)
    install("a", "b", mpy=False)
    board.storage.capacity = board.storage.used()
    uninstall(board, "a")
    assert list(board.tree()) == ["/lib/b.py"]
    assert list(record(board)) == ["b"]


def test_a_damaged_record_is_no_empty_one(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"1"}, mpy=False)
    board.storage.put("/lib/.upytool.json", '{"v": 1, "packages"')
    with pytest.raises(PackageError) as caught:
        install("a")
    assert caught.value.code == "package.record-damaged"
    with pytest.raises(PackageError, match="newer upytool"):
        parse_record(b'{"v": 2}', "x")
    with pytest.raises(PackageError, match="not a path below"):
        parse_record(
            b'{"v":1,"packages":{"a":{"source":"a","version":null,"requested":true,"deps":[],"abi":"",'
            b'"digest":"","files":{"../../boot.py":"00"}}}}',
            "x",
        )


# --- nothing half-installed ---

OLD = {f"/lib/p/{n}.py": b"old %d" % n for n in range(3)} | {"/lib/p/gone.py": b"gone"}
NEW = {f"/lib/p/{n}.py": b"new %d" % n for n in range(4)}


def ready(board: ModelBoard, index: IndexBuilder, install: Install, upgrade: bool) -> dict[str, bytes]:
    if upgrade:
        index.add("p", "1.0", {path[5:]: data for path, data in OLD.items()}, mpy=False)
        install("p", mpy=False)
    index.add("p", "2.0", {path[5:]: data for path, data in NEW.items()}, mpy=False)
    board.storage.changes = 0
    return board.tree()


def committed(board: ModelBoard) -> bool:
    """Whether the board holds an install that the next command finishes: a journal, or a whole record that waits."""
    if "/lib/.upytool-stage/journal" in board.files:
        return True
    try:
        return bool(parse_record(board.files.get("/lib/.upytool.new"), "").packages)
    except PackageError:
        return False


def left(board: ModelBoard) -> list[str]:
    """What only an install that was cut off leaves."""
    return [each for each in (*board.files, *board.storage.folders) if "/.upytool" in each and "json" not in each]


@pytest.mark.parametrize("upgrade", [False, True], ids=["fresh", "upgrade"])
def test_power_cut_at_every_change(board: ModelBoard, index: IndexBuilder, install: Install, upgrade: bool) -> None:
    """After the next command the package is whole, and before it no file is anything but old or new."""
    import copy

    before = ready(board, index, install, upgrade)
    start = copy.deepcopy(board.storage)
    finished = 0
    for cut in range(1, 200):
        board.storage = copy.deepcopy(start)
        board.storage.changes, board.storage.cut_at = 0, cut
        try:
            install("p", mpy=False)
            break
        except ConnectionLostError:
            pass
        for path, data in board.tree().items():
            assert data in (before.get(path), NEW.get(path))
        board.power_up()
        journal = committed(board)
        if not journal:
            state = board.tree()
            assert state in (before, NEW)
        finished += journal
        install("p", mpy=False)
        assert board.tree() == NEW
        assert record(board)["p"]["version"] == "2.0"
        assert not left(board)
    else:
        pytest.fail("the install never got through")
    assert cut > 10
    assert finished > 3


@pytest.mark.parametrize("upgrade", [False, True], ids=["fresh", "upgrade"])
def test_an_error_at_every_change_takes_all_back(
    board: ModelBoard, index: IndexBuilder, install: Install, upgrade: bool
) -> None:
    import copy

    before = ready(board, index, install, upgrade)
    start = copy.deepcopy(board.storage)
    taken_back = 0
    for number in range(1, 200):
        board.storage = copy.deepcopy(start)
        board.storage.changes, board.storage.fail_at = 0, number
        try:
            install("p", mpy=False)
        except (RemoteOSError, PackageError):
            board.storage.fail_at = None
            if not committed(board):
                assert board.tree() == before
                assert not left(board)
                taken_back += 1
            install("p", mpy=False)
        else:
            if board.storage.changes < number:
                break
            # The short way takes all back itself, and the long one gets through.
            board.storage.fail_at = None
            install("p", mpy=False)
        assert board.tree() == NEW
        assert not left(board)
    assert taken_back > 5 or (isinstance(board, ShortModelBoard) and not upgrade)


def test_a_full_board_in_the_middle(board: ModelBoard, index: IndexBuilder, install: Install, monkeypatch: Any) -> None:
    """The board does not tell its space, and is full after two files."""
    index.add("p", "1.0", {f"{n}.txt": b"x" * 1000 for n in range(5)}, mpy=False)

    def none(path: str) -> tuple[int, ...]:
        raise OSError(95)

    monkeypatch.setattr(board.storage, "statvfs", none, raising=False)
    board.storage.capacity = 3000
    with pytest.raises(RemoteOSError, match="no space left"):
        install("p")
    assert board.files == {}
    assert board.storage.folders == {"/"}


def test_ctrl_c_takes_all_back(board: ModelBoard, index: IndexBuilder, install: Install, monkeypatch: Any) -> None:
    from upytool.errors import OperationInterrupted

    index.add("p", "1.0", {"a.txt": b"1", "b.txt": b"2"}, mpy=False)
    real = board.storage.write

    def write(path: str, data: bytes) -> None:
        real(path, data)
        raise OperationInterrupted

    monkeypatch.setattr(board.storage, "write", write)
    with pytest.raises(OperationInterrupted):
        install("p")
    assert board.files == {}


def test_a_damaged_journal_is_an_error(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"1"}, mpy=False)
    board.storage.put("/lib/.upytool-stage/journal", "{")
    with pytest.raises(PackageError, match="unreadable journal"):
        install("a")


def test_refused_downloads_do_not_touch_an_installed_package(
    board: ModelBoard, web: Web, install: Install, fetcher: Fetcher
) -> None:
    web.add("/package.json", '{"version": "1", "urls": [["a.txt", "a.txt"]]}')
    web.add("/a.txt", b"old")
    install(web.address + "/package.json")
    web.routes["/a.txt"] = Answer(b"new", claim=500)
    fetcher._fresh.clear()
    with pytest.raises(PackageError):
        install(web.address + "/package.json")
    assert board.tree() == {"/lib/a.txt": b"old"}


def test_a_journal_of_an_earlier_upytool_is_finished(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    index.add("a", "1.0", {"a.py": b"1"}, mpy=False)
    index.add("b", "1.0", {"b.py": b"2"}, mpy=False)
    install("a", mpy=False)
    stage = "/lib/.upytool-stage"
    moves = [[f"{stage}/0", "/lib/c.py"]]
    journal = {"v": 1, "moves": moves, "new": 1, "removes": ["/lib/a.py"], "folders": []}
    board.storage.put(f"{stage}/journal", json.dumps(journal))
    board.storage.put(f"{stage}/0", "c")
    install("b", mpy=False)
    assert board.tree() == {"/lib/b.py": b"2", "/lib/c.py": b"c"}


@pytest.mark.parametrize(
    "journal",
    [
        b"((('/lib/.upytool-stage/../x','/lib/a'),),1,(),(),())",
        b"((('/lib/.upytool-stage/0','/main.py'),),1,(),(),())",
        b"((),0,('/boot.py',),(),())",
        b"((),0,(),('/',),())",
        b"((),0,(),(),('/lib/../x',))",
        b"((),0,(),())",
        b"__import__('os')",
        b"\xff",
        b"",
    ],
)
def test_a_journal_leads_nowhere_else(board: ModelBoard, index: IndexBuilder, install: Install, journal: bytes) -> None:
    index.add("a", "1.0", {"a.py": b"1"}, mpy=False)
    board.storage.put("/lib/.upytool-stage/journal", journal)
    board.storage.put("/lib/.upytool-stage/0", "c")
    before = dict(board.files)
    with pytest.raises(PackageError, match="unreadable journal"):
        install("a")
    assert board.files == before


def test_a_package_that_is_not_there_leaves_no_trace(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    with pytest.raises(PackageError):
        install("nothing")
    assert board.storage.changes == 0


def test_a_refused_install_leaves_no_stage(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    """The commit finds something in the way: power that goes while it is taken back finds nothing to be finished."""
    index.add("a", "1.0", {"a/x.txt": b"1", "b.txt": b"2"}, mpy=False)
    board.storage.put("/lib/a", "a file")
    before = dict(board.files)
    for cut in range(1, 40):
        board.storage.changes, board.storage.cut_at = 0, cut
        try:
            install("a")
        except (ConnectionLostError, PackageError, RemoteOSError):
            if not board.lost:
                break
            board.power_up()
        assert board.tree() in ({"/lib/a": b"a file"}, {"/lib/a": b"a file", "/lib/b.txt": b"2"})
    else:
        pytest.fail("it was never refused")
    assert board.files == before
