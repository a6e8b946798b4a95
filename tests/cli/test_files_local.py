"""The local side of the file commands: special files, links, names, disks that are full or read-only."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from upytool.api.run import read_program
from upytool.errors import LocalFileError

from .conftest import BoardCli, Cli

pytestmark = pytest.mark.timeout(60)
posix = pytest.mark.skipif(os.name == "nt", reason="no FIFOs and devices in the file system")


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


def link_to_fifo(path: Path) -> None:
    os.mkfifo(path.parent.parent / "outside")
    path.symlink_to("../outside")


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


SPECIAL = [fifo, unix_socket, link_to_fifo, link_to_device]


@posix
@pytest.mark.parametrize("make", SPECIAL)
@pytest.mark.parametrize(
    "words",
    [("cp", "-r", "src", ":"), ("sync", "src", ":/"), ("sync", "src", ":/", "--check"), ("diff", "src", ":/"),
     ("cp", "--local", "-r", "src", "copy"), ("cp", "src/x", ":"), ("romfs", "build", "src")],
)  # fmt: skip
def test_what_is_no_file_is_refused_before_anything_is_written(
    board: BoardCli, make: Callable[[Path], None], words: tuple[str, ...]
) -> None:
    Path("src").mkdir()
    Path("src/a.py").write_text("1")
    make(Path("src/x"))
    run = board(*words)
    assert (run.code, "src/x" in run.err, "Traceback" in run.err) == (6, True, False), run.err
    assert board.names() == []
    assert not Path("copy").exists()
    if (words[0] in ("cp", "sync") and "-r" in words) or words[0] == "sync":
        ignored = board(*words, "--ignore", "x")
        assert ignored.code == (1 if "--check" in words else 0), ignored.err


@posix
def test_a_file_that_becomes_a_fifo_meanwhile_is_refused(tmp_path: Path) -> None:
    from upytool.device.hashes import local_digest
    from upytool.device.local import opener, read_local
    from upytool.errors import LocalFileError

    place = tmp_path / "x"
    place.write_text("1")
    later = opener(place)
    later().close()
    place.unlink()
    os.mkfifo(place)
    for use in (later, lambda: local_digest(place), lambda: read_local(place)):
        with pytest.raises(LocalFileError):
            use()


@posix
def test_a_fifo_as_target_waits_for_no_reader(board: BoardCli) -> None:
    board.put("x", b"1")
    os.mkfifo("pipe")
    assert board("cp", ":x", "pipe").code == 6
    board.ok("cp", ":x", "/dev/null")
    assert not Path("/dev/null").is_file()
    Path("out").mkdir()
    os.mkfifo("out/x")
    run = board("sync", ":/", "out")
    assert run.code == 6, run.err


# -- links in the target ----------------------------------------------------------------------------


@pytest.fixture
def outside(board: BoardCli) -> Path:
    """A tree on the board, and a directory outside of the target to which a link in the target leads."""
    board.ok("mkdir", "lib", "+", "touch", "top.py")
    board.put("/lib/a.py", b"board")
    Path("mine").mkdir()
    Path("mine/a.py").write_text("mine")
    Path("out").mkdir()
    return Path("mine")


@pytest.mark.parametrize("words", [("cp", "-r", ":/", "out"), ("sync", ":/", "out"), ("cp", "-r", ":lib", "out")])
@pytest.mark.parametrize("link", ["lib", "lib/a.py"])
def test_nothing_is_written_through_links_in_the_target(
    board: BoardCli, outside: Path, words: tuple[str, ...], link: str
) -> None:
    place = Path("out", link)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(Path("mine" if link == "lib" else "mine/a.py").resolve())
    run = board(*words)
    assert (run.code, str(place) in run.err) == (6, True), run.err
    assert (outside / "a.py").read_text() == "mine"
    assert sorted(os.listdir(outside)) == ["a.py"]
    assert place.is_symlink()
    assert not Path("out/top.py").exists(), "before anything is written"


def test_a_dangling_link_in_the_target_makes_no_file_elsewhere(board: BoardCli, outside: Path) -> None:
    Path("out/top.py").symlink_to(outside.resolve() / "new.py")
    assert board("sync", ":/", "out").code == 6
    assert not (outside / "new.py").exists()


def test_a_link_that_the_user_names_is_followed(board: BoardCli, outside: Path) -> None:
    Path("way").symlink_to("out")
    board.ok("sync", ":/", "way")
    assert Path("out/lib/a.py").read_text() == "board"
    Path("file").symlink_to("mine/a.py")
    board.ok("cp", ":lib/a.py", "file")
    assert (outside / "a.py").read_text() == "board"
    assert Path("file").is_symlink()


# -- names ------------------------------------------------------------------------------------------

BAD_NAMES = ["x" * 256, "d/" + "ä" * 200, "/".join(["x" * 200] * 30), "\udc80\udcff", "a\udcc3", "", "no/where/x"]
FILE_COMMANDS = [
    ("cp", "NAME", ":"), ("cp", "-r", "NAME", ":"), ("cp", ":x", "NAME"), ("cp", "-r", ":/", "NAME"),
    ("cp", "x", ":NAME"), ("cp", ":x", ":NAME"), ("cp", ":NAME", "."), ("cp", "--local", "NAME", "y"),
    ("cp", "--local", "x", "NAME"), ("sync", "NAME", ":d"), ("sync", ":d", "NAME"), ("sync", "src", ":NAME"),
    ("sync", ":NAME", "src"), ("diff", "NAME", ":x"), ("diff", "x", ":NAME"), ("diff", "NAME"),
    ("backup", "NAME"), ("backup", "b.tar", "--path", ":NAME"), ("restore", "NAME"), ("cat", "NAME"), ("ls", "NAME"),
    ("rm", "NAME"), ("rm", "-rf", "NAME"), ("mkdir", "NAME"), ("mkdir", "-p", "NAME"), ("rmdir", "NAME"),
    ("touch", "NAME"), ("mv", "x", "NAME"), ("mv", "NAME", "x"), ("tree", "NAME"), ("sha256sum", "NAME"),
    ("cd", "NAME"), ("edit", "NAME"), ("run", "NAME"), ("romfs", "build", "NAME"), ("romfs", "deploy", "NAME"),
    ("compile", "NAME"), ("cp", "-r", "--mpy", "NAME", ":"),
]  # fmt: skip


@posix
@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[:12])
@pytest.mark.parametrize("words", FILE_COMMANDS, ids=" ".join)
def test_no_name_ends_in_a_traceback(
    board: BoardCli, name: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "true")
    Path("x").write_text("1")
    Path("src").mkdir()
    Path("src/x").write_text("1")
    board.put("x", b"1")
    board.ok("mkdir", "d")
    run = board(*(word.replace("NAME", name) for word in words))
    assert run.code in (0, 1, 2, 6, 7, 8), run.err
    assert "Traceback" not in run.err
    assert "bug in upytool" not in run.err


def test_an_empty_path_is_no_directory(board: BoardCli, cli: Cli) -> None:
    """`sync "$SRC" : --delete` with an unset variable."""
    board.put("x", b"1")
    for words in (("sync", "", ":"), ("sync", ":", ""), ("cp", "-r", "", ":"), ("cp", ":x", ""), ("diff", "", ":")):
        assert board(*words).code == 2, words
    assert board.names() == ["x"]
    assert list(Path().iterdir()) == []


# -- what editors leave at the beginning of a file --------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_first_line_of_an_ignore_file_counts(board: BoardCli, encoding: str) -> None:
    Path("src").mkdir()
    Path("src/secret.py").write_text("1")
    Path("src/a.py").write_text("1")
    Path("src/.upytoolignore").write_text("secret.py\r\n*.md\r\n", encoding=encoding)
    board.ok("sync", "src", ":")
    assert board.names() == ["a.py"]


@posix
def test_an_ignore_file_that_is_none_is_refused(board: BoardCli) -> None:
    Path("src").mkdir()
    os.mkfifo("src/.upytoolignore")
    assert board("sync", "src", ":").code == 6
    os.unlink("src/.upytoolignore")
    Path("src/.upytoolignore").write_bytes(b"\xff\xfe")
    assert board("sync", "src", ":").code == 6


def test_a_requirements_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    from upytool.packages.hosts import Hosts
    from upytool.packages.requirements import read_requirements

    file = tmp_path / "list.txt"
    file.write_text("first\nsecond\n", encoding="utf-8-sig")
    assert [source.name for source in read_requirements(file, Hosts())] == ["first", "second"]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_a_program_without_end_is_refused() -> None:
    with pytest.raises(LocalFileError):
        read_program("/dev/zero")
