"""What the file commands say: exit codes, the thing that is named, the next step; and nothing that depends on speed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from upytool.device import oneshot
from upytool.device.ondevice import snippet

from .conftest import BoardCli, Cli

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def here(board: BoardCli) -> None:
    Path("x.py").write_text("1")
    Path("src/sub").mkdir(parents=True)
    Path("src/sub/y.py").write_text("1")
    board.put("x", b"1")
    board.ok("mkdir", "d", "+", "touch", "d/f")


@pytest.mark.parametrize(
    "words",
    [("cp", "x.py", ":no/dir/y"), ("cp", "-r", "src", ":no/dir/y"), ("cp", ":x", ":no/dir/y"), ("mkdir", "no/dir/y"),
     ("touch", "no/dir/y"), ("mv", "x", "no/dir/y"), ("edit", "no/dir/y")],
    ids=" ".join,
)  # fmt: skip
def test_the_missing_directory_is_named(board: BoardCli, here: None, words: tuple[str, ...]) -> None:
    error = board.error(*words)
    assert (error["exit_code"], error["errno"], error["path"]) == (6, 2, "no/dir")
    assert "mkdir -p :no/dir" in error["hint"]
    assert board.names() == ["d", "x"]


def test_the_missing_directory_here_is_named(board: BoardCli, here: None) -> None:
    for words in (("cp", ":x", "no/dir/y"), ("backup", "no/dir/y.tar"), ("cp", "-r", ":d", "no/dir/y")):
        error = board.error(*words)
        assert error["exit_code"] == 6
        assert "mkdir -p no/dir" in error["hint"], words


def test_a_missing_file_is_still_the_file(board: BoardCli, here: None) -> None:
    for words in (("cp", ":d/no", "."), ("cat", "d/no"), ("rm", "d/no"), ("mv", "d/no", "y"), ("ls", "d/no")):
        assert board.error(*words)["path"] == "d/no"


def test_a_full_board_names_the_file_and_the_bytes(board: BoardCli) -> None:
    Path("src").mkdir()
    Path("src/a.py").write_text("1")
    Path("src/big.bin").write_bytes(bytes(17 << 20))
    for words in (("cp", "-r", "src/", ":"), ("sync", "src", ":")):
        error = board.error(*words)
        assert (error["errno"], Path(error["path"]).name) == (28, "big.bin")
        assert f"{17 << 20:,} bytes" in error["hint"]
    assert board.names() == []


def test_no_file_system_at_all(board: BoardCli) -> None:
    board.ok("exec", "import vfs\nfs = vfs.mount()\nfor each in fs: vfs.umount(each[1])")
    Path("x").write_text("1")
    try:
        for words in (("cp", "x", ":/x"), ("mkdir", "/d"), ("touch", "/x"), ("cp", "-r", "x", ":/d/x")):
            error = board.error("resume", *words)
            assert error["exit_code"] == 6
            assert error["errno"] in (19, 43), "ENODEV; 43 is that of WASI"
    finally:
        board.ok("resume", "exec", "for each in fs: vfs.mount(*each)")


def test_the_hint_where_there_is_no_file_system() -> None:
    from upytool.device.stream import remote_error

    error = remote_error(b"19", "/x")
    assert (error.errno, error.filename) == (19, "/x")
    assert "upytool df" in error.hint
    assert "file system" in error.message


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """A model of firmware that lacks a name: our programs ask the real one for a name that nobody has."""

    def lack(name: str) -> None:
        def text(program: str) -> str:
            return snippet(program).replace(name, f"no_{name}")

        monkeypatch.setattr("upytool.device.session.snippet", text)
        monkeypatch.setattr("upytool.device.oneshot.snippet", text)
        oneshot._body.cache_clear()

    yield lack
    oneshot._body.cache_clear()


def test_df_without_statvfs(board: BoardCli, lacking: Callable[[str], None]) -> None:
    lacking("statvfs")
    run = board("df")
    assert (run.code, run.out) == (6, "")
    assert "os.statvfs" in run.err


def test_rtc_without_a_clock(board: BoardCli, lacking: Callable[[str], None]) -> None:
    lacking("RTC")
    for words in (("rtc",), ("rtc", "--set")):
        run = board(*words)
        assert (run.code, run.out) == (1, "")
        assert "Traceback" not in run.err
        assert "machine.RTC" in run.err


def test_edit_of_a_new_file_that_stays_empty_makes_none(board: BoardCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", f'"{sys.executable}" -c pass')
    assert board("edit", "nosuch.py").code == 0
    assert board.names() == []
    board.put("empty.py", b"")
    assert board("edit", "empty.py").code == 0
    assert board.get("empty.py") == b""


def test_restore_of_what_is_no_archive(board: BoardCli) -> None:
    Path("main.py").write_text("print(1)\n" * 100)
    Path("short").write_text("")
    Path("d").mkdir()
    for name in ("main.py", "short", "d", "missing.tar"):
        error = board.error("restore", name)
        assert error["exit_code"] == 6
        for word in ("gzip", "lzma", "bz2", "ReadError", "header"):
            assert word not in error["message"]


def test_sync_of_what_is_not_there(board: BoardCli, here: None) -> None:
    missing, file = board.error("sync", "nosuch", ":/x"), board.error("sync", "x.py", ":/x")
    assert (missing["exit_code"], "cp" in missing["hint"].split()) == (6, False)
    assert "not a directory" not in missing["message"]
    assert "not a directory" in file["message"]
    assert "upytool cp x.py" in file["hint"]


def test_a_module_with_a_byte_order_mark_is_told(board: BoardCli) -> None:
    Path("src").mkdir()
    Path("src/m.py").write_text("print(1)\n", encoding="utf-8-sig")
    Path("src/data.txt").write_text("1", encoding="utf-8-sig")
    document = json.loads(board("cp", "-r", "src", ":", "--json").out)
    assert [name for name in ("m.py", "data.txt") for w in document["warnings"] if name in w] == ["m.py"]
    assert json.loads(board("cp", "-r", "src", ":", "--json").out)["warnings"] == [], "what is unchanged was told"


@pytest.mark.parametrize("path", ["C:/Program Files/Git/lib", "C:\\msys64\\lib", ":C:/Program Files/Git/lib"])
@pytest.mark.parametrize("command", [["ls"], ["cat"], ["rm", "-r"], ["mkdir"], ["cp", "x.py"], ["backup", "--path"]])
def test_a_path_that_git_bash_rewrote(cli: Cli, path: str, command: list[str]) -> None:
    if command[0] == "cp":
        path = ";" + path.lstrip(":")
    run = cli(*command, path)
    assert (run.code, run.out) == (2, "")
    assert "MSYS_NO_PATHCONV" in run.err


def test_a_local_path_of_windows_is_none_of_the_boards(cli: Cli) -> None:
    assert "MSYS" not in cli("cp", "C:/x.py", ":").err


# -- logs -------------------------------------------------------------------------------------------


def test_sync_in_a_log_tells_what_it_changed(board: BoardCli, here: None) -> None:
    board.ok("sync", "src", ":app")
    Path("src/new.py").write_text("1")
    board.put("/app/old.py", b"1")
    first = board("sync", "src", ":app", "--delete")
    assert first.out == ""
    *lines, summary = first.err.splitlines()
    changes = [line.split()[:2] for line in lines if line.endswith(")")]
    assert changes == [["write", ":app/new.py"], ["delete", ":app/old.py"]]
    assert "y.py" not in first.err
    assert [word for word in summary.replace(",", "").split() if word.isdigit()] == ["1", "1", "1"]
    assert " s" not in summary, "no time, no rate"
    assert len(board("sync", "src", ":app", "--delete").err.splitlines()) == 1
    assert board("-q", "sync", "src", ":app", "-f").err == ""


def test_a_read_only_directory_and_a_full_disk_here(board: BoardCli, here: None) -> None:
    if os.name == "nt" or not hasattr(os, "geteuid"):
        pytest.skip("permissions are another thing there")
    board.put("big", bytes(3000))
    if os.geteuid():
        Path("ro").mkdir(mode=0o500)
        assert board("cp", ":x", "ro").code == board("backup", "ro/b.tar").code == 6
    assert board("cp", ":big", "/dev/full").code == 6


@pytest.mark.parametrize(("words", "reset"), [((), True), (("resume",), False), (("--no-reset",), False)])
def test_romfs_deploy_resets_nothing_after_resume(
    board: BoardCli, here: None, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], reset: bool
) -> None:
    from upytool.device import romfs
    from upytool.errors import UsageError

    asked: list[object] = []

    def deploy(*_: object, reset: bool, **__: object) -> None:
        asked.append(reset)
        raise UsageError("that is all")

    monkeypatch.setattr(romfs, "deploy", deploy)
    assert board(*words, "romfs", "deploy", "src").code == 2
    assert asked == [reset]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("mkdir", ":"), 2, ":NAME"),
        (("touch", ""), 2, ":NAME"),
        (("rmdir", ":"), 2, ":NAME"),
        (("edit", ":"), 2, ":NAME"),
        (("rm", ":"), 6, "upytool wipe"),
        (("cd", ":x"), 6, "not a directory"),
        (("diff", "x.py"), 6, "upytool diff x.py :"),
        (("cp", "x.py/", ":"), 6, "not a directory"),
        (("cp", "x.py", ":no/"), 2, "`upytool mkdir -p :no`"),
        (("cp", ":x", "no/"), 2, "`mkdir -p no`"),
    ],
)
def test_hints(board: BoardCli, here: None, words: tuple[str, ...], code: int, says: str) -> None:
    run = board(*words)
    assert (run.code, run.out) == (code, "")
    assert says in run.err
    assert board.names() == ["d", "x"]
