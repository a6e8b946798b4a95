"""Packages, records and journals that mean harm, and boards that refuse: nothing outside is written, nor stuck."""

from __future__ import annotations

import errno
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.make_index import IndexBuilder
from tests.unit.packages.model import ModelBoard
from tests.unit.packages.web import Web
from upytool import limits
from upytool.errors import ConfigError, LocalFileError, PackageError, RemoteOSError
from upytool.events import Event, Notice
from upytool.packages.apply import recover
from upytool.packages.board import CommitRefused
from upytool.packages.cache import PackageCache
from upytool.packages.download import Fetcher
from upytool.packages.hosts import Hosts, hosts_from
from upytool.packages.index import PackageIndex, search, suggest
from upytool.packages.inspect import check, outdated, tree, upgrades
from upytool.packages.installer import context_for
from upytool.packages.lockfile import locked, read_lock, write_lock
from upytool.packages.plan import InstallPlan
from upytool.packages.record import Installed, Record, parse_record
from upytool.packages.requirements import read_requirements
from upytool.packages.resolver import resolve
from upytool.packages.sources import parse_source
from upytool.packages.survey import survey
from upytool.packages.uninstall import plan_uninstall

Install = Callable[..., InstallPlan]
places = itertools.count()  # an address is fetched once
STAGE = "/lib/.upytool-stage"


def package(web: Web, *files: tuple[str, bytes]) -> str:
    """The address of a package.json with these files, each from an address of its own."""
    place = f"/{next(places)}/pkg"
    for number, (_, data) in enumerate(files):
        web.add(f"{place}/{number}", data)
    urls = [[path, str(number)] for number, (path, _) in enumerate(files)]
    return web.add(f"{place}/package.json", json.dumps({"urls": urls}))


# -- out of the target -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tail",
    ["..%2Fmain.py", "..%2f..%2fboot.py", "..%5Cmain.py", "a%2Fb.py", "%2Fmain.py", "a%00.py", ".upytool.json%2Fx.py",
     "%0Amain.py", "C%3Amain.py", "%FF%2F..%2Fx.py", ".upytool-stage%2Fjournal.py"],
)  # fmt: skip
@pytest.mark.parametrize("way", ["asked", "dependency"])
def test_a_url_cannot_name_a_place(web: Web, board: ModelBoard, install: Install, tail: str, way: str) -> None:
    board.storage.put("/main.py", "mine")
    before = dict(board.files)
    web.add("/x/" + tail, b"evil")
    spec = f"{web.address}/x/{tail}"
    if way == "dependency":
        spec = web.add("/package.json", json.dumps({"deps": [[spec, ""]]}))
    with pytest.raises(PackageError):
        install(spec)
    assert board.files == before


@pytest.mark.parametrize("path", ["../main.py", "a/../../main.py", "..\\main.py", "a\\..\\..\\main.py", "C:main.py"])
@pytest.mark.parametrize("field", ["urls", "hashes"])
def test_a_package_json_cannot_name_a_place(
    web: Web, board: ModelBoard, install: Install, path: str, field: str
) -> None:
    board.storage.put("/main.py", "mine")
    before = dict(board.files)
    with pytest.raises(PackageError):
        install(web.add("/package.json", json.dumps({field: [[path, "01234567"]]})))
    assert board.files == before


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
evil = st.sampled_from(["/main.py", "/lib/../main.py", "/lib/a.py", STAGE + "/0", STAGE + "/../../main.py", "0", ""])
journals = st.fixed_dictionaries(
    {"v": st.just(1) | json_values},
    optional={
        "moves": st.lists(st.lists(evil | json_values, max_size=3), max_size=3) | json_values,
        "removes": st.lists(evil | json_values, max_size=3) | json_values,
        "folders": st.lists(evil | json_values, max_size=3) | json_values,
        "new": st.integers() | json_values,
    },
)


@given(st.one_of(journals.map(lambda each: json.dumps(each).encode()), st.binary(max_size=20), st.just(b"[" * 9000)))
@settings(max_examples=150)
def test_a_journal_moves_nothing_outside(journal: bytes) -> None:
    board = ModelBoard()
    board.storage.put("/main.py", "mine")
    board.storage.put(STAGE + "/0", "staged")
    board.storage.put(STAGE + "/journal", journal)
    try:
        recover(board, survey(board, None, write=False))
    except (PackageError, RemoteOSError):
        pass
    assert board.files["/main.py"] == b"mine"
    assert not [path for path in board.files if not path.startswith(("/lib/", "/main.py"))]


installed = st.dictionaries(
    st.text(max_size=4) | st.just("a"),
    st.fixed_dictionaries(
        {},
        optional={
            "source": st.just("a") | json_values,
            "version": st.just("1") | json_values,
            "requested": st.booleans(),
            "deps": st.just([]) | json_values,
            "abi": st.just("") | json_values,
            "digest": st.just("0" * 16) | json_values,
            "files": st.dictionaries(evil | st.text(max_size=5), st.just("0" * 16) | json_values, max_size=3)
            | json_values,
        },
    )
    | json_values,
    max_size=3,
)


@given(st.one_of(installed.map(lambda each: json.dumps({"v": 1, "packages": each}).encode()), st.binary(max_size=20)))
@settings(max_examples=200)
def test_a_record_is_read_or_refused(data: bytes) -> None:
    board = ModelBoard()
    board.storage.put("/lib/.upytool.json", data)
    before = dict(board.files)
    try:
        record = parse_record(data, "/lib/.upytool.json")
        check(board)
        for name in record.packages:
            plan_uninstall(board, [name], write=False, force=True)
    except PackageError:
        pass
    assert board.files == before


def test_a_deep_and_a_huge_record() -> None:
    entry = {"source": "a", "version": "1", "requested": True, "deps": [], "abi": "", "digest": "", "files": {}}
    for data in (
        b"[" * 100_000,
        b"\xff{",
        json.dumps({"v": 1, "packages": {str(n): entry for n in range(501)}}).encode(),
    ):
        with pytest.raises(PackageError, match="damaged"):
            parse_record(data, "x")


# -- names that the board refuses --------------------------------------------------------------------


@pytest.mark.parametrize("path", ["n" * 300 + ".py", "d" * 300 + "/a.py", "é" * 127 + ".py", "n" * 252 + ".py"])
def test_a_name_too_long_leaves_no_journal(web: Web, board: ModelBoard, install: Install, path: str) -> None:
    index_before = dict(board.files)
    with pytest.raises(PackageError):
        install(package(web, (path, b"x = 1\n")))
    assert board.files == index_before
    install(package(web, ("good.txt", b"1")))
    assert board.tree() == {"/lib/good.txt": b"1"}


@pytest.mark.parametrize("name", ["odd name.txt", "ü.txt", "n" * 200 + ".txt"])
def test_a_name_that_the_board_refuses_is_found_before_the_journal(
    web: Web, board: ModelBoard, install: Install, name: str
) -> None:
    board.storage.refuses = name[:3]
    with pytest.raises(RemoteOSError) as caught:
        install(package(web, ("first.txt", b"1"), (name, b"2")))
    assert caught.value.exit_code == 6
    assert board.files == {}
    assert not [path for path in board.storage.writes if path.endswith("journal")]


def test_a_journal_that_the_board_refuses_is_undone(
    web: Web, board: ModelBoard, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    board.storage.put("/lib/old.txt", "old")
    install(package(web, ("a.txt", b"1")))
    before, folders = dict(board.files), set(board.storage.folders)
    rename = type(board.storage).rename

    def refuse(storage: Any, source: str, path: str) -> None:
        if path.endswith("/c.txt"):
            raise OSError(errno.EINVAL)
        rename(storage, source, path)

    monkeypatch.setattr(type(board.storage), "rename", refuse)
    with pytest.raises(CommitRefused) as caught:
        install(package(web, ("a.txt", b"changed"), ("b/b.txt", b"2"), ("c.txt", b"3")))
    assert caught.value.undone
    assert (board.files, board.storage.folders) == (before, folders)
    monkeypatch.undo()
    install(package(web, ("a.txt", b"changed"), ("b/b.txt", b"2"), ("c.txt", b"3")))
    assert board.tree()["/lib/b/b.txt"] == b"2"


def test_a_file_of_the_users_survives_an_install_that_is_given_up(board: ModelBoard) -> None:
    """It was written between the power cut and the next mip command, at a place that was free before."""
    board.storage.put(STAGE + "/0", "staged")
    board.storage.put(STAGE + "/1", "staged")
    board.storage.put("/lib/a.txt", "mine")
    journal = {"v": 1, "moves": [[f"{STAGE}/0", "/lib/a.txt"], [f"{STAGE}/1", "/lib/bad.txt"]], "new": 2}
    board.storage.put(STAGE + "/journal", json.dumps(journal | {"removes": [], "folders": []}))
    board.storage.refuses = "bad"
    recover(board, survey(board, None, write=False))
    assert board.files == {"/lib/a.txt": b"mine"}


class Heard:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def test_a_journal_that_can_never_be_finished_is_given_up(web: Web, board: ModelBoard, install: Install) -> None:
    """What an older upytool left: each later mip command tried it again, and failed."""
    board.storage.put(STAGE + "/0", "staged")
    journal = {"v": 1, "moves": [[STAGE + "/0", "/lib/" + "n" * 255]], "removes": [], "folders": []}
    board.storage.put(STAGE + "/journal", json.dumps(journal))
    board.storage.refuses = "nnn"
    heard = Heard()
    recover(board, survey(board, None, write=False), heard)
    assert [each.level for each in heard.events if isinstance(each, Notice)][-1] == "warning"
    assert board.files == {}
    install(package(web, ("good.txt", b"1")))
    assert board.tree() == {"/lib/good.txt": b"1"}


def test_a_replacement_that_is_refused_loses_nothing(
    web: Web, board: ModelBoard, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(package(web, ("a.txt", b"1")))
    rename = type(board.storage).rename

    def refuse(storage: Any, source: str, path: str) -> None:
        if path.endswith("/a.txt"):
            raise OSError(errno.EIO)
        rename(storage, source, path)

    monkeypatch.setattr(type(board.storage), "rename", refuse)
    with pytest.raises(CommitRefused) as caught:
        install(package(web, ("a.txt", b"2")))
    assert not caught.value.undone
    assert board.files["/lib/a.txt"] == b"1"
    monkeypatch.undo()
    plan_uninstall(board, ["pkg"])  # finishes the install first, as the hint says
    assert board.files["/lib/a.txt"] == b"2"


# -- names that differ in case -----------------------------------------------------------------------


def test_two_files_that_are_one_on_fat(web: Web, board: ModelBoard, install: Install) -> None:
    board.storage.folds = True
    board.storage.put("/lib/x.txt", "x")
    with pytest.raises(PackageError):
        install(package(web, ("A.txt", b"1"), ("a.txt", b"2")))
    assert board.tree() == {"/lib/x.txt": b"x"}


def test_two_files_that_are_two_elsewhere(web: Web, board: ModelBoard, install: Install) -> None:
    board.storage.put("/lib/x.txt", "x")
    install(package(web, ("A.txt", b"1"), ("a.txt", b"2")))
    assert board.tree() == {"/lib/x.txt": b"x", "/lib/A.txt": b"1", "/lib/a.txt": b"2"}


def test_a_file_of_the_users_in_another_case(web: Web, board: ModelBoard, install: Install) -> None:
    board.storage.folds = True
    board.storage.put("/lib/Tool.txt", "mine")
    with pytest.raises(PackageError):
        install(package(web, ("tool.txt", b"1")))
    assert board.files == {"/lib/Tool.txt": b"mine"}
    install(package(web, ("tool.txt", b"1")), force=True)
    assert board.files["/lib/Tool.txt"] == b"1"


def test_a_package_that_changes_the_case_of_its_file(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    """The old name is stale, and is the new file: it stays."""
    board.storage.folds = True
    index.add("a", "1.0", {"Tool.txt": b"1"}, mpy=False)
    install("a")
    index.add("a", "2.0", {"tool.txt": b"2"}, mpy=False)
    install("a")
    assert list(board.tree().values()) == [b"2"]
    assert check(board) == []


def test_a_file_of_another_package_in_another_case(board: ModelBoard, index: IndexBuilder, install: Install) -> None:
    board.storage.folds = True
    index.add("a", "1.0", {"Tool.txt": b"1"}, mpy=False)
    index.add("b", "1.0", {"tool.txt": b"2"}, mpy=False)
    install("a")
    with pytest.raises(PackageError):
        install("b")
    assert list(board.tree().values()) == [b"1"]


# -- nothing to do -----------------------------------------------------------------------------------


def test_an_install_that_changes_nothing_changes_nothing(web: Web, board: ModelBoard, install: Install) -> None:
    spec = package(web, ("a.txt", b"1"))
    install(spec)
    changes = board.storage.changes
    assert install(spec).empty
    assert board.storage.changes == changes


# -- what is told and kept ---------------------------------------------------------------------------

SECRET = "hunter2hunter2"


@pytest.mark.parametrize("way", ["login", "query"])
def test_no_secret_is_kept(
    web: Web, board: ModelBoard, fetcher: Fetcher, index: IndexBuilder, install: Install, tmp_path: Path, way: str
) -> None:
    query = f"?token={SECRET}" if way == "query" else ""
    base = web.address.replace("//", f"//me:{SECRET}@") if way == "login" else web.address
    web.add("/pkg/package.json" + query, '{"urls": [["a.py", "a.py"]], "deps": [["dep.json", ""]]}')
    web.add("/pkg/a.py", b"x = 1\n")
    web.add("/pkg/dep.json", '{"urls": [["d.txt", "d.txt"]]}')
    web.add("/pkg/d.txt", b"d")
    web.add("/one.txt.py" + query, b"1")
    specs = (f"{base}/pkg/package.json{query}", f"{base}/one.txt.py{query}")
    plan = install(*specs)
    logins = {path: "authorization" in headers for path, headers in web.seen}
    assert set(logins.values()) == {way == "login"}
    found, _ = outdated(board, fetcher, Hosts(), [str(index.folder)])
    resolution = resolve([parse_source(each, Hosts()) for each in specs], context_for(fetcher, Hosts(), [], "6"))
    write_lock(tmp_path / "mip.lock", locked(resolution, fetcher), "6")
    assert read_lock(tmp_path / "mip.lock", "6").packages
    told = [str(plan.data()), *plan.lines(), str([each.data() for each in found]), repr(plan), repr(resolution)]
    kept = [*board.files.values(), *(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())]
    for text in told:
        assert SECRET not in text
    for data in kept:
        assert SECRET.encode() not in data


def test_a_password_of_a_plain_host_comes_from_the_environment(web: Web, cache: PackageCache) -> None:
    """How a package is installed again whose address had a password: with nothing of it in any file."""
    table = {"corp": {"kind": "http", "url": web.address, "token-env": "CORP_TOKEN"}}
    hosts = hosts_from(table, {"CORP_TOKEN": f"me:{SECRET}"})
    web.add("/a.py", b"1")
    with Fetcher(cache, credentials=hosts.credentials) as fetcher:
        fetcher.fetch(f"{web.address}/a.py")
    assert web.seen[0][1]["authorization"].startswith("Basic ")
    with pytest.raises(ConfigError) as caught:
        hosts_from({"corp": {"kind": "http", "url": f"https://me:{SECRET}@h/"}}, {})
    assert SECRET not in str(caught.value.data())


def test_a_board_gets_no_file_because_it_says_so(web: Web, board: ModelBoard, install: Install, tmp_path: Path) -> None:
    private = tmp_path / "private.py"
    private.write_text("key = 1\n")
    board.storage.put("/lib/.upytool.json", Record({"evil": Installed("evil", str(private))}).to_bytes())
    _, sources, notes = upgrades(board, [], Hosts())
    assert (sources, len(notes)) == ([], 1)
    assert [each.name for each in upgrades(board, ["evil"], Hosts())[1]] == ["private"]


@pytest.mark.parametrize(
    "source", ["", "ftp://h/x", "a@", "github:x", "http://[::1/", "~nosuchuser/x", "n" * 5000, "\0"]
)
def test_a_record_with_a_source_that_is_none(
    board: ModelBoard, fetcher: Fetcher, index: IndexBuilder, source: str
) -> None:
    board.storage.put("/lib/.upytool.json", Record({"evil": Installed("evil", source)}).to_bytes())
    with pytest.raises(PackageError):
        upgrades(board, ["evil"], Hosts())
    found, notes = outdated(board, fetcher, Hosts(), [str(index.folder)])
    assert (found, len(notes)) == ([], 1)


# -- graphs and lists --------------------------------------------------------------------------------


def test_many_dependencies_are_refused_at_once(web: Web, board: ModelBoard, install: Install) -> None:
    deps = [[f"dep{number}", ""] for number in range(20_000)]
    with pytest.raises(PackageError):
        install(web.add("/package.json", json.dumps({"deps": deps})))
    assert len(web.seen) == 1


def test_many_edges_are_refused(index: IndexBuilder, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PACKAGE_ENTRIES", 20)
    names = [f"p{number}" for number in range(10)]
    for name in names:
        index.add(name, "1.0", {f"{name}.txt": b""}, deps=[[each, "1.0"] for each in names])
    with pytest.raises(PackageError):
        install("p0")


def test_a_deep_chain_on_the_board_is_one_error() -> None:
    names = [f"p{number}" for number in range(400)]
    packages = {name: Installed(name, name, deps=(f"p{number + 1}",)) for number, name in enumerate(names)}
    with pytest.raises(PackageError):
        tree(Record({**packages, "p400": Installed("p400", "p400")}))


def test_lists_that_take_one_another_in(tmp_path: Path) -> None:
    """Two lines in each of 40 files are 2**40 ways, and 40 files."""
    for number in range(40):
        (tmp_path / f"{number}.txt").write_bytes(b"\xef\xbb\xbf" + f"-r {number + 1}.txt\r\n".encode() * 2)
    (tmp_path / "40.txt").write_text("name@1.0\n")
    assert [each.text() for each in read_requirements(tmp_path / "0.txt", Hosts())] == ["name@1.0"]


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe", b"a\0b", b"n" * 5000, b"./" + b"n" * 300 + b".py", b"~nosuchuser/x.py", b"-r ~nosuchuser/x",
     b"-r \0", b"http://[::1/", b"github:u/r/\xed\xb3\xbf", b"-", b"a==", b"x" * (9 << 20)],
)  # fmt: skip
@pytest.mark.parametrize("name", ["list.txt", "upytool.toml", "pyproject.toml"])
def test_a_list_that_is_none(tmp_path: Path, data: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises((ConfigError, LocalFileError)):
        read_requirements(tmp_path / name, Hosts())


@pytest.mark.parametrize(
    "data", [b"[packages]\na = [" + b"[" * 5000, b"tool = 3", b"[tool]\nupytool = 3", b"a = 1e999"]
)
def test_a_project_that_is_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(data)
    try:
        assert read_requirements(tmp_path / "pyproject.toml", Hosts()) == []
    except ConfigError:
        pass


@given(json_values | st.just([{"name": "\x1b[2J"}]), st.binary(max_size=10))
@settings(max_examples=100)
def test_an_index_is_read_or_refused(packages: Any, noise: bytes) -> None:
    class Given:
        def find(self, location: str) -> bytes:
            return noise or json.dumps({"packages": packages}).encode()

    try:
        entries = PackageIndex("https://h/pi").entries(Given())  # type: ignore[arg-type]
    except PackageError:
        return
    assert all(isinstance(each.name, str) for each in entries)
    search(entries, ["a"])


def test_suggestions_are_names() -> None:
    known = ["ringlog\x1b[2J", "ring log", "--yes", "ringlog; rm", "ringlog", "ringlo" + "g" * 200]
    assert suggest("ringlogg", known) == ["ringlog"]


def test_a_mpy_file_that_the_board_refuses(board: ModelBoard, install: Install, tmp_path: Path) -> None:
    for name, head in (("old.mpy", b"M\x05\x00\x1f"), ("none.mpy", b"text"), ("good.mpy", b"M\x06\x00\x1f")):
        (tmp_path / name).write_bytes(head + bytes(12))
        notes = install(str(tmp_path / name)).notes
        assert bool(notes) is (name != "good.mpy")
        assert (f"/lib/{name}" in "".join(notes)) is (name != "good.mpy")
