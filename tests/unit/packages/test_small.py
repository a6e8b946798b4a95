"""Small installs by short programs, on the model of a board: whole, taken back, or not believed."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.make_index import IndexBuilder
from tests.unit.packages.conftest import Install
from tests.unit.packages.model import ModelBoard, ShortModelBoard
from upytool.errors import ConnectionLostError, OperationInterrupted, PackageError, RemoteOSError, StreamError
from upytool.packages.apply import recover
from upytool.packages.record import parse_record
from upytool.packages.survey import survey

FILES = {"p/a.txt": b"first\n\x00\x031", "p/b.txt": b"second"}
TREE = {f"/lib/{path}": data for path, data in FILES.items()}
WAITING = "/lib/.upytool.new"


@pytest.fixture(params=[False, True], ids=["any link", "sure link"])
def board(request: pytest.FixtureRequest) -> ShortModelBoard:
    return ShortModelBoard(sure=request.param)


@pytest.fixture(autouse=True)
def packages(index: IndexBuilder) -> None:
    index.add("p", "1.0", dict(FILES), mpy=False)


def names(board: ModelBoard) -> list[str]:
    """All that has a name of ours beside the record."""
    return [each for each in (*board.files, *board.storage.folders) if "/.upytool" in each and "json" not in each]


def whole(board: ModelBoard) -> bool:
    record = parse_record(board.files.get("/lib/.upytool.json"), "").packages
    return board.tree() == TREE and list(record) == ["p"] and not names(board)


def long_programs(board: ShortModelBoard, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the board by long programs, or given to its mover, from now on."""
    asked: list[str] = []
    ask, put = type(board).ask, type(board).put_many
    monkeypatch.setattr(type(board), "ask", lambda *a, **k: (asked.append("ask"), ask(*a, **k))[1])
    monkeypatch.setattr(type(board), "put_many", lambda *a, **k: (asked.append("put"), put(*a, **k))[1])
    return asked


def test_two_programs_do_it(
    board: ShortModelBoard, install: Install, index: IndexBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = long_programs(board, monkeypatch)
    install("p")
    assert whole(board)
    assert (board.trips, asked) == (2, [])
    index.add("q", "1", {"q.txt": b"q"}, mpy=False)
    install("q")
    assert board.tree() == TREE | {"/lib/q.txt": b"q"}
    assert (board.trips, asked) == (2 + 3, []), "the record is read as well"


@pytest.mark.parametrize("files", [{f"{n}.txt": b"1" for n in range(5)}, {"a.txt": bytes(5000)}, {"odd name.txt": b""}])
def test_what_is_not_small_goes_the_long_way(
    board: ShortModelBoard,
    install: Install,
    index: IndexBuilder,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, bytes],
) -> None:
    index.add("q", "1", files, mpy=False)
    asked = long_programs(board, monkeypatch)
    install("q")
    assert board.tree() == {f"/lib/{name}": data for name, data in files.items()}
    assert "put" in asked


def test_where_names_fold_a_record_is_not_renamed_over_another(
    board: ShortModelBoard, install: Install, index: IndexBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    board.storage.folds = True
    install("p")
    index.add("q", "1", {"q.txt": b"q"}, mpy=False)
    asked = long_programs(board, monkeypatch)
    install("q")
    assert "put" in asked
    assert board.tree() == TREE | {"/lib/q.txt": b"q"}


@pytest.mark.parametrize("error", [StreamError("lost"), RemoteOSError(errno.EIO)])
def test_an_answer_that_was_lost(
    board: ShortModelBoard, install: Install, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It is done already: nothing is written twice."""
    one = ShortModelBoard.one

    def lost(self: Any, *parts: str, **values: object) -> Any:
        answer = one(self, *parts, **values)
        if parts[-1] == "install":
            raise error
        return answer

    monkeypatch.setattr(ShortModelBoard, "one", lost)
    asked = long_programs(board, monkeypatch)
    install("p")
    assert whole(board)
    assert asked == ["ask"], "only to find out"


@pytest.mark.parametrize("lacking", ["rename", "statvfs", "listdir"])
def test_firmware_that_lacks_something(
    board: ShortModelBoard, install: Install, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    """An AttributeError in the middle leaves nothing that the long way would meet."""
    one, storage = ShortModelBoard.one, type(board.storage)

    def without(self: Any, *parts: str, **values: object) -> Any:
        with monkeypatch.context() as patch:
            patch.delattr(storage, lacking)
            return one(self, *parts, **values)

    monkeypatch.setattr(ShortModelBoard, "one", without)
    install("p")
    assert whole(board)


@pytest.mark.parametrize("moment", range(1, 12))
def test_ctrl_c_takes_all_back(
    board: ShortModelBoard, install: Install, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    change = type(board.storage)._change

    def interrupted(storage: Any, path: str) -> None:
        change(storage, path)
        if storage.changes == moment:
            raise OperationInterrupted

    monkeypatch.setattr(type(board.storage), "_change", interrupted)
    try:
        install("p")
    except OperationInterrupted:
        if board.tree():
            assert whole(board), "it came after the last change"
        assert not names(board)
    else:
        assert moment > 9
        assert whole(board)


def positions() -> Iterator[int]:
    yield from range(0, 700, 7)


@pytest.mark.parametrize("kind", ["another", "lost"])
def test_a_byte_that_was_damaged_on_the_way(index: IndexBuilder, install: Install, board: Any, kind: str) -> None:
    """On a link that is not sure the digest tells; whatever else the damage does, the long way ends well."""
    if board.sure:
        pytest.skip("there, nothing is damaged")
    for at in positions():
        board.storage.files.clear()
        board.storage.folders = {"/"}

        def damaged(text: bytes, at: int = at) -> bytes:
            if b".upytool-" not in text or at >= len(text):
                return text
            return text[:at] + (b"~" if kind == "another" else b"") + text[at + 1 :]

        board.damage = damaged
        install("p")
        assert whole(board), at


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
paths = st.sampled_from(["../main.py", "/main.py", "a.py", ".upytool.json", ".upytool-0", "x/../../main.py", "d/b.py"])
entries = st.fixed_dictionaries(
    {"files": st.dictionaries(paths, st.just("0" * 16) | json_values, max_size=3)},
    optional={
        "source": st.just("a"),
        "version": st.just("1"),
        "requested": st.booleans(),
        "deps": st.just([]),
        "abi": st.just(""),
        "digest": st.just("0" * 16),
    },
)
records = st.dictionaries(st.sampled_from(["a", "b"]), entries, max_size=2)


@given(
    st.one_of(records.map(lambda each: json.dumps({"v": 1, "packages": each}).encode()), st.binary(max_size=20)),
    st.lists(st.sampled_from(["0", "1", "2", "x", "99999999999"]), unique=True),
)
@settings(max_examples=150, deadline=None)
def test_a_record_that_waits_moves_nothing_outside(waiting: bytes, numbers: list[str]) -> None:
    board = ShortModelBoard()
    board.storage.put("/main.py", "mine")
    board.storage.put(WAITING, waiting)
    for number in numbers:
        board.storage.put(f"/lib/.upytool-{number}", "part")
    try:
        recover(board, survey(board, None, write=False))
    except (PackageError, RemoteOSError):
        pass
    assert board.files["/main.py"] == b"mine"
    assert not [path for path in board.files if not path.startswith(("/lib/", "/main.py"))]


def test_a_record_that_is_cut_off_is_swept(board: ShortModelBoard, install: Install) -> None:
    board.storage.put(WAITING, '{"v":1,"packa')
    board.storage.put("/lib/.upytool-0", "half")
    board.storage.put("/lib/.upytool-17", "half")
    install("p")
    assert whole(board)


def test_many_names_beside_it(board: ShortModelBoard, install: Install) -> None:
    """A directory that is not listed whole is still searched for what an install left."""
    for number in range(150):
        board.storage.put(f"/lib/own{number}.txt", "mine")
    board.storage.cut_at = 9
    board.storage.changes = 0
    with pytest.raises(ConnectionLostError):
        install("p")
    board.power_up()
    assert names(board)
    install("p")
    assert not names(board)
    assert TREE.items() <= board.tree().items()
