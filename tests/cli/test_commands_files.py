"""The file commands, on a simulated board (a real MicroPython): what they do, print and answer."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import pytest

from .conftest import BoardCli, Cli

BYTES = bytes(range(256)) + b"\r\n\x04\x03\x18\xff" * 3


# -- cp ---------------------------------------------------------------------------------------------


def test_cp_to_the_board_and_back(board: BoardCli) -> None:
    Path("data.bin").write_bytes(BYTES)
    run = board("cp", "data.bin", ":")
    assert (run.code, run.out, run.err) == (0, "", "cp data.bin :\n")
    assert board.get("data.bin") == BYTES
    assert board("cp", "data.bin", ":").err == "cp data.bin :\nUp to date: data.bin\n"
    assert board("cp", "-f", "data.bin", ":other.bin").err == "cp data.bin :other.bin\n"
    assert board.ok("cp", ":other.bin", "back.bin") == ""
    assert Path("back.bin").read_bytes() == BYTES
    assert board.names() == ["data.bin", "other.bin"]


def test_cp_says_nothing_with_q_and_with_no_verbose(board: BoardCli) -> None:
    Path("a.py").write_text("a = 1\n")
    for words in (("-q", "cp", "a.py", ":"), ("cp", "--no-verbose", "a.py", ":b.py")):
        run = board(*words)
        assert (run.code, run.out, run.err) == (0, "", "")


def test_cp_json_is_the_plan_that_was_done(board: BoardCli) -> None:
    Path("a.py").write_text("a = 1\n")
    done = board.json("cp", "a.py", ":")
    assert done["actions"] == [{"action": "write", "path": ":a.py", "size": 6, "why": "new", "source": "a.py"}]
    assert (done["write"], done["bytes"], done["dry_run"]) == (1, 6, False)
    assert board.json("cp", "a.py", ":")["unchanged"] == 1


def test_cp_of_trees_leaves_dot_files_and_caches_out(board: BoardCli) -> None:
    for name in ("p/x.py", "p/sub/y.py", "p/.git/config", "p/__pycache__/x.pyc", "p/.hidden"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    board.ok("cp", "-r", "p", ":")
    assert board.names("/p") == ["sub", "x.py"]
    board.ok("cp", "-r", "p/", ":q", "+", "mkdir", "r", "+", "cp", "-r", "p/", ":r")
    assert board.names("/q") == board.names("/r") == ["sub", "x.py"], "a trailing slash means what is in it"
    board.ok("cp", "-r", "--all", "p", ":r")
    assert board.names("/r/p") == [".git", ".hidden", "__pycache__", "sub", "x.py"]
    board.ok("cp", "-r", ":p", "back")
    assert Path("back/sub/y.py").read_text() == "p/sub/y.py"


def test_cp_dry_run_changes_nothing(board: BoardCli) -> None:
    Path("p").mkdir()
    Path("p/x.py").write_text("1")
    run = board("cp", "-r", "--dry-run", "p", ":new")
    assert run.code == 0
    assert run.out.splitlines() == ["make   :new  (new)", "write  :new/x.py  (new)"]
    assert "nothing was changed" in run.err
    plan = board.json("cp", "-r", "--dry-run", "p", ":new")
    assert (plan["dry_run"], plan["write"]) == (True, 1)
    assert board.names() == []


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("cp", "missing.py", ":"), 6, "missing.py: no such file"),
        (("cp", ":missing.py", "."), 6, "missing.py: no such file or directory on the board"),
        (("cp", "here.py", ":no/such/x.py"), 6, "no/such: no such file or directory on the board"),
        (("cp", "here.py", ":here/"), 2, ":here/ does not exist"),
        (("cp", "folder", ":"), 2, "folder is a directory"),
        (("cp", "here.py"), 2, "cp needs at least one source and a target"),
        (("cp", "here.py", ":x", ":y"), 2, ":y does not exist"),
        (("cp", "-", "-"), 2, "the other one on the board"),
        (("cp", "--frob", "here.py", ":"), 2, "cp has no option --frob"),
    ],
)  # fmt: skip
def test_cp_failures(board: BoardCli, words: tuple[str, ...], code: int, says: str) -> None:
    Path("here.py").write_text("1")
    Path("folder").mkdir()
    if words[-1] == ":y":
        board.put("x", b"1")
    run = board(*words)
    assert (run.code, run.out) == (code, ""), run.err
    assert says in run.err
    assert "Traceback" not in run.err
    assert board.error(*words)["message"]


def test_cp_refuses_what_has_no_room_and_keeps_the_old_file(board: BoardCli) -> None:
    board.put("big", b"old")
    Path("big").write_bytes(b"\0" * (17 << 20))
    run = board("cp", "big", ":")
    assert (run.code, "no space left on the board" in run.err) == (6, True)
    assert board.get("big") == b"old"


def test_cp_pipes_byte_for_byte(board: BoardCli) -> None:
    """d7: what goes through stdin and stdout is not decoded, and no CR is added."""
    sent = board.process("cp", "-", ":f", stdin=BYTES)
    assert (sent.returncode, sent.stdout) == (0, b""), sent.stderr
    assert board.get("f") == BYTES
    for words in (("cp", ":f", "-"), ("cat", ":f"), ("cat", "f", "f")):
        read = board.process(*words)
        assert read.returncode == 0, read.stderr
        assert read.stdout == BYTES * words.count("f") or read.stdout == BYTES


def test_cp_from_here_to_here_asks_no_board(cli: Cli) -> None:
    Path("a").write_bytes(BYTES)
    run = cli("cp", "--local", "a", "b")
    assert run.code == 0, run.err
    assert Path("b").read_bytes() == BYTES


@pytest.mark.parametrize("words", [("a", "b"), ("a", "."), ("-r", "a", "d/"), ("a", "/lib/b"), ("-f", "a", "d", "e")])
def test_cp_with_a_forgotten_colon_copies_nothing(cli: Cli, words: tuple[str, ...]) -> None:
    Path("a").write_text("new")
    Path("b").write_text("old")
    run = cli("cp", *words)
    assert (run.code, run.out) == (2, "")
    assert f":{words[-1].strip('.')}" in run.err
    assert Path("b").read_text() == "old"
    assert sorted(path.name for path in Path().iterdir()) == ["a", "b"]


def test_cp_names_the_board_where_the_source_is_not_here(cli: Cli) -> None:
    assert "`upytool cp :log.txt .`" in cli("cp", "log.txt", ".").err
    assert cli("cp", "--local", "log.txt", ":").code == 2


def test_cp_from_here_to_here_in_mpremotes_form(cli: Cli) -> None:
    Path("a").write_bytes(BYTES)
    assert cli("cp", "--no-verbose", "a", "b").code == 0
    assert Path("b").read_bytes() == BYTES


# -- cat, ls, tree ----------------------------------------------------------------------------------


def test_ls(board: BoardCli) -> None:
    board.put("b.txt", b"12345")
    board.ok("mkdir", "adir", "+", "touch", ":adir/x")
    run = board("ls")
    assert (run.out, run.err) == ("           0 adir/\n           5 b.txt\n", "ls :\n")
    assert board.ok("ls", ":b.txt") == "           5 b.txt\n"
    both = board("ls", ":adir", "/")
    assert both.out == "           0 x\n           0 adir/\n           5 b.txt\n"
    assert both.err == "ls :adir\nls :/\n"
    assert board.json("ls", "adir", "/") == [
        {"path": "adir", "entries": [{"name": "x", "kind": "file", "size": 0}]},
        {
            "path": "/",
            "entries": [{"name": "adir", "kind": "dir", "size": 0}, {"name": "b.txt", "kind": "file", "size": 5}],
        },
    ]


def test_tree(board: BoardCli) -> None:
    board.ok("mkdir", "-p", "d/e")
    board.put("d/e/x", b"x" * 2000)
    board.put("d/y", b"1")
    assert board.ok("tree") == ":/\n└── d\n    ├── e\n    │   └── x\n    └── y\n"
    assert board.ok("tree", "d", ".") == board.ok("tree", ":d") + board.ok("tree", ":")
    assert board.ok("tree", "-s", "d") == ":d\n├── e\n│   └── [     2000]  x\n└── [        1]  y\n"
    assert board.ok("tree", "-h", "d") == ":d\n├── e\n│   └── [  2.0K]  x\n└── [     1]  y\n"
    assert board("-v", "tree", "d").out.splitlines()[0] == f":d on {board.port}"
    found = board.json("tree", "d")[0]
    assert [child["name"] for child in found["children"]] == ["e", "y"]
    assert found["children"][0]["children"][0]["size"] == 2000


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("cat", "no"), 6, "no: no such file or directory on the board"),
        (("cat", "dir"), 6, "dir: is a directory on the board"),
        (("cat", ":"), 6, ".: is a directory"),
        (("cat",), 2, "missing argument"),
        (("ls", "no"), 6, "no: no such file or directory on the board"),
        (("tree", "no"), 6, "no: no such file or directory on the board"),
        (("tree", "file"), 6, "file: not a directory on the board"),
        (("tree", "-s", "--human"), 2, "--size cannot be used with --human"),
        (("rm", "no"), 6, "no: no such file or directory on the board"),
        (("rm", "dir"), 6, "dir: is a directory on the board"),
        (("rm", "-r", "no"), 6, "no: no such file or directory on the board"),
        (("rm",), 2, "missing argument"),
        (("mkdir", "dir"), 6, "dir: exists already on the board"),
        (("mkdir", "no/deep"), 6, "no: no such file or directory on the board"),
        (("mkdir", "-p", "file/x"), 6, "not a directory"),
        (("rmdir", "dir"), 6, "dir: directory not empty on the board"),
        (("rmdir", "file"), 6, "file: not a directory on the board"),
        (("rmdir", "no"), 6, "no: no such file or directory on the board"),
        (("touch", "no/x"), 6, "no: no such file or directory on the board"),
        (("mv", "no", "x"), 6, "no: no such file or directory on the board"),
        (("mv", "file"), 2, "mv needs at least one source and a target"),
        (("mv", "file", "dir/x", "no"), 2, ":no is not a directory"),
        (("cd", "no"), 6, "no: no such file or directory on the board"),
        (("sha256sum", "no"), 6, "no: no such file or directory on the board"),
        (("sha256sum", "dir"), 6, "dir: is a directory on the board"),
        (("nosuchsum", "file"), 1, "hashlib has no nosuch"),
        (("fs",), 2, "fs needs a command"),
        (("fs", "frob"), 2, "fs has no command frob"),
    ],
)  # fmt: skip
def test_failures_say_what_and_change_nothing(board: BoardCli, words: tuple[str, ...], code: int, says: str) -> None:
    board.put("file", b"1")
    board.ok("mkdir", "dir", "+", "touch", "dir/x")
    run = board(*words)
    assert run.code == code, run.err
    assert says in run.err
    assert run.out == ""
    assert "Traceback" not in run.err
    error = board.error(*words)
    assert says in error["message"] or "." in says
    assert board.names() == ["dir", "file"]
    assert board.names("dir") == ["x"]


# -- the small ones ---------------------------------------------------------------------------------


def test_mkdir_touch_rmdir_rm(board: BoardCli) -> None:
    run = board("mkdir", "a", ":b", "+", "mkdir", "-p", "a", "c/d", "+", "touch", "a/x", ":y")
    assert (run.code, run.out) == (0, "")
    assert run.err.splitlines() == ["mkdir :a", "mkdir :b", "mkdir :a", "mkdir :c/d", "touch :a/x", "touch :y"]
    board.put("y", b"kept")
    board.ok("touch", "y")
    assert board.get("y") == b"kept"
    assert board("rmdir", "b", "c/d").err == "rmdir :b\nrmdir :c/d\n"
    assert board("rm", "y", "a/x").err == "rm :y\nrm :a/x\n"
    assert board.ok("rm", "-f", "y") == ""
    assert board.names() == ["a", "c"]


def test_rm_of_trees(board: BoardCli) -> None:
    board.ok("mkdir", "-p", "a/b", "keep", "+", "touch", "a/x", "a/b/y")
    run = board("rm", "-rv", "a")
    assert run.code == 0
    assert sorted(run.err.splitlines()) == [
        "removed directory: 'a'", "removed directory: 'a/b'", "removed: 'a/b/y'", "removed: 'a/x'", "rm :a",
    ]  # fmt: skip
    assert board.names() == ["keep"]


def test_rm_of_everything(board: BoardCli) -> None:
    board.ok("mkdir", "-p", "d/e", "+", "touch", "x", "d/y")
    run = board("cd", "d", "rm", "-rv", ":", "--yes", "+", "pwd")
    assert (run.code, run.out) == (0, "/d\n"), "the working directory itself stays"
    assert sorted(run.err.splitlines()) == ["removed directory: './e'", "removed: './y'", "rm :"]
    assert board.names() == ["d", "x"]
    # As with mpremote the root is emptied, and that it cannot be removed itself is an error.
    run = board("rm", "-r", ":/", "--yes")
    assert (run.code, "the root itself cannot be removed" in run.err) == (6, True)
    assert board.names() == []
    assert board.ok("pwd") == "/\n", "not left in a directory that is gone"
    assert board("rm", "-rf", ":/", "--yes").code == 0


EVERYTHING = (":", ":/", "", ".", "./", "//", ":.", "d/..", "/d/../", "./d/./..", "/./")


@pytest.mark.parametrize("flags", [(), ("--no-input",), ("--json",), ("-f",)])
@pytest.mark.parametrize("path", EVERYTHING)
def test_rm_of_everything_needs_a_yes(board: BoardCli, path: str, flags: tuple[str, ...]) -> None:
    board.ok("mkdir", "-p", "d/e", "+", "touch", "x")
    run = board("rm", "-r", path, *flags)
    assert run.code == 2
    assert "--yes" in run.err + run.out
    assert board.names() == ["d", "x"]


def test_rm_of_the_working_directory_by_its_name_needs_a_yes(board: BoardCli) -> None:
    board.ok("mkdir", "-p", "d/e/f", "+", "touch", "d/e/x")
    for path in ("/d/e", "/d", "..", "../e"):
        assert board("cd", "/d/e", "rm", "-r", path).code == 2
    assert board("cd", "/d/e", "rm", "-r", "f").code == 0
    assert board.names("/d/e") == ["x"]


def test_rm_of_everything_in_mpremotes_form(board: BoardCli) -> None:
    """mpremote's test_filesystem.sh has these lines."""
    board.put("x", b"1")
    assert board("--no-input", "resume", "rm", "-r", ":").code == 2
    assert board.names() == ["x"]
    assert board("resume", "rm", "-r", "-v", ":").code == 0
    assert board.names() == []
    assert board("resume", "rm", "-r", ":/").code == 6


def test_rm_never_reaches_a_mounted_directory_of_this_computer(board: BoardCli) -> None:
    Path("mine/deep").mkdir(parents=True)
    Path("mine/deep/precious").write_text("1")
    for path in ("deep", ":", "/remote", "/remote/deep", ".."):
        run = board("mount", "mine", "rm", "-rf", path, "--yes")
        assert run.code in (0, 2), run.err
        assert Path("mine/deep/precious").read_text() == "1", path


def test_rm_of_everything_asks_on_a_terminal(board: BoardCli, monkeypatch: pytest.MonkeyPatch) -> None:
    import upytool.cli.ui.prompt as prompt
    import upytool.cli.ui.streams as streams

    board.put("x", b"1")
    asked: list[str] = []

    def no(question: str, *_: object, **__: object) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr(streams, "_is_tty", lambda stream: stream is sys.stdin)
    monkeypatch.setattr(prompt, "confirm", no)
    assert board("rm", "-r", ":").code == 130
    assert asked == ["Remove everything on the board?"]
    assert board.names() == ["x"]
    assert board("rm", "-r", ":", "--yes").code == 0
    assert board.names() == []


def test_mv(board: BoardCli) -> None:
    board.ok("touch", "a", "b", "+", "mkdir", "d")
    run = board("mv", ":a", "c", "+", "mv", "b", ":c", ":d/")
    assert (run.code, run.err.splitlines()) == (0, ["mv :a :c", "mv :b :d/", "mv :c :d/"])
    assert board.names("d") == ["b", "c"]
    board.ok("mv", "d", "e")
    assert board.names() == ["e"]
    assert board.names("e") == ["b", "c"]


def test_cd_and_pwd(board: BoardCli) -> None:
    board.ok("mkdir", "-p", "a/b")
    assert board.ok("cd", "a/b", "pwd") == "/a/b\n"
    assert board.json("pwd") == {"path": "/a/b"}, "it lasts until the next reset"
    Path("x").write_text("1")
    board.ok("cp", "x", ":")
    assert board.ok("cd", ":", "pwd") == "/\n"
    assert board.names("a/b") == ["x"]
    assert board.ok("soft-reset", "pwd") == "/\n"


def test_df(board: BoardCli) -> None:
    found = board.json("df")
    assert [mount["path"] for mount in found] == ["/"]
    assert found[0]["total"] == found[0]["used"] + found[0]["free"] > found[0]["free"] > 0
    assert re.fullmatch(r"/\t\S+ MB\t\S+ kB\t\S+ MB\t\d+%\n", board.ok("df"))


def test_hashes(board: BoardCli) -> None:
    """The board makes those that its hashlib has; this computer makes the others from the same bytes."""
    board.put("f", BYTES)
    for name in ("sha256", "sha1", "md5", "sha512", "blake2b"):
        run = board(f"{name}sum", ":f")
        assert (run.code, run.err) == (0, f"{name}sum :f\n")
        assert run.out == hashlib.new(name, BYTES).hexdigest() + "\n"
    digest = hashlib.sha256(BYTES).hexdigest()
    assert board.json("sha256sum", "f") == [{"path": "f", "algorithm": "sha256", "digest": digest}]
    assert board.ok("fs", "sha256sum", "f", "f") == f"{digest}\n{digest}\n"


def test_wipe(board: BoardCli) -> None:
    board.ok("mkdir", "-p", "d/e", "+", "touch", "x", "d/y")
    refused = board("wipe")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert board.names() == ["d", "x"]
    run = board("wipe", "--yes")
    assert (run.code, run.out, run.err) == (0, "", "Removed 2 files and 2 directories\n")
    board.put("x", b"1")
    assert board.json("wipe", "--yes") == {"removed": ["/x"]}
    assert board.names() == []


def test_the_commands_of_fs_are_the_same(board: BoardCli) -> None:
    board.put("x", b"1")
    for words in (("ls",), ("cat", "x"), ("tree",), ("df",), ("rm", "no")):
        plain, fs = board(*words), board("fs", *words)
        assert (plain.code, plain.out, plain.err) == (fs.code, fs.out, fs.err)


# -- edit -------------------------------------------------------------------------------------------


def editor(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Make a Python program the editor; `path` is the file."""
    program = Path("editor.py").resolve()
    program.write_text(f"import sys\nfrom pathlib import Path\npath = Path(sys.argv[-1])\n{code}\n")
    monkeypatch.setenv("EDITOR", f'"{sys.executable}" "{program}"')


def test_edit(board: BoardCli, monkeypatch: pytest.MonkeyPatch) -> None:
    board.put("a.py", b"old\r\n\xff")
    editor(monkeypatch, "assert path.name == 'a.py'; path.write_bytes(path.read_bytes().replace(b'old', b'new'))")
    run = board("edit", ":a.py")
    assert (run.code, run.out, run.err) == (0, "", "edit :a.py\n")
    assert board.get("a.py") == b"new\r\n\xff"
    editor(monkeypatch, "path.write_text('made')")
    board.ok("edit", "fresh.py")
    assert board.get("fresh.py") == b"made"


def test_edit_writes_nothing_that_is_unchanged(board: BoardCli, monkeypatch: pytest.MonkeyPatch) -> None:
    board.put("a.py", b"same")
    editor(monkeypatch, "pass")
    monkeypatch.setattr("upytool.device.fs.RemoteFS.write_bytes", None)
    run = board("edit", "a.py")
    assert (run.code, "a.py was not changed" in run.err) == (0, True)


def test_edit_keeps_the_text_when_the_board_refuses_it(
    board: BoardCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """d2: mpremote loses both the file and the text here."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    board.put("a.py", b"old")
    editor(monkeypatch, "path.write_bytes(bytes(17 << 20))")
    run = board("edit", "a.py")
    assert (run.code, "no space left on the board" in run.err) == (6, True)
    kept = re.search(r"your text is in (\S+)", run.err)
    assert kept, run.err
    assert Path(kept[1]).stat().st_size == 17 << 20
    assert board.get("a.py") == b"old"


def test_edit_without_an_editor_that_works(board: BoardCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    board.put("a.py", b"old")
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.setenv("VISUAL", "/no/such/editor")
    error = board.error("edit", "a.py")
    assert (error["code"], error["fields"]["editor"]) == ("usage.editor-not-started", "/no/such/editor")  # d13
    monkeypatch.delenv("VISUAL")
    editor(monkeypatch, "sys.exit(7)")
    error = board.error("edit", "a.py")
    assert (error["code"], error["fields"]) == ("usage.editor-failed", {"status": 7})
    editor(monkeypatch, "path.write_text('half'); sys.exit(7)")
    assert "your text is in" in board("edit", "a.py").err
    assert board.get("a.py") == b"old"
    assert len(list(tmp_path.glob("upytool-edit-*"))) == 1, "what is on the board anyway is not left behind"
    monkeypatch.delenv("EDITOR")
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.platform", "linux")
    assert board.error("edit", "a.py")["code"] == "usage.no-editor"


# -- the project's file -------------------------------------------------------------------------------


# -- what sync and restore delete -------------------------------------------------------------------


def test_sync_of_an_empty_directory_needs_a_yes(board: BoardCli) -> None:
    board.put("a.py", b"1")
    board.ok("mkdir", "d", "+", "touch", "d/b")
    Path("empty").mkdir()
    for words in (("empty", ":"), ("empty", ":/", "--no-input"), ("empty", ":/d")):
        run = board("sync", *words, "--delete")
        assert (run.code, "--yes" in run.err) == (2, True)
    assert board.names() == ["a.py", "d"]
    assert board("sync", "empty", ":", "--delete", "--dry-run").code == 0
    assert board("sync", "empty", ":", "--delete", "--yes").code == 0
    assert board.names() == []


def test_sync_of_something_else_asks_for_the_whole_board_only(board: BoardCli) -> None:
    board.ok("mkdir", "d", "+", "touch", "d/b", "main.py")
    Path("src").mkdir()
    Path("src/a.py").write_text("1")
    assert board("sync", "src", ":", "--delete").code == 2
    assert board("sync", "src", ":d", "--delete").code == 0
    assert board.names("d") == ["a.py"]


@pytest.mark.parametrize("name", ["boot.py", "webrepl_cfg.py", "settings.toml"])
def test_sync_takes_what_the_board_starts_with_only_after_a_yes(board: BoardCli, name: str) -> None:
    Path("src").mkdir()
    Path("src/a.py").write_text("1")
    board.put("a.py", b"1")
    board.put("old.py", b"1")
    board.put(name, b"1")
    run = board("sync", "src", ":", "--delete")
    assert (run.code, name in run.err) == (2, True)
    assert board.names() == sorted(["a.py", "old.py", name])
    assert board("sync", "src", ":", "--delete", "--keep", name).code == 0
    assert board.names() == sorted(["a.py", name])
    assert board("sync", "src", ":", "--delete", "--yes").code == 0
    assert board.names() == ["a.py"]


def test_sync_from_an_empty_board_needs_a_yes(board: BoardCli) -> None:
    Path("here").mkdir()
    Path("here/precious").write_text("1")
    assert board("sync", ":", "here", "--delete").code == 2
    assert Path("here/precious").read_text() == "1"
    assert board("sync", ":", "here", "--delete", "--yes").code == 0
    assert not Path("here/precious").exists()


def test_restore_needs_a_yes_as_well(board: BoardCli) -> None:
    board.put("a.py", b"1")
    board.ok("backup", "a.tar")
    board.put("boot.py", b"1")
    assert board("restore", "a.tar", "--delete").code == 2
    assert board.names() == ["a.py", "boot.py"]
    assert board("restore", "a.tar", "--delete", "--yes").code == 0
    assert board.names() == ["a.py"]


def test_sync_without_words_does_what_the_project_says(board: BoardCli) -> None:
    Path("src").mkdir()
    Path("src/a.py").write_text("a = 1\n")
    Path("src/notes.md").write_text("no")
    Path("upytool.toml").write_text(
        '[sync]\nlocal = "src"\nremote = "/app"\ndelete = true\nkeep = ["*.log"]\n[ignore]\npatterns = ["*.md"]\n'
    )
    board.ok("mkdir", ":app")
    board.ok("touch", ":app/x.log", ":app/old.py")
    assert "old.py" in board.ok("sync", "--dry-run")
    board.ok("sync")
    assert board.names("/app") == ["a.py", "x.log"]


def test_sync_without_words_or_project(board: BoardCli) -> None:
    run = board("sync")
    assert run.code == 2
    assert "no upytool.toml" in run.err
    Path("upytool.toml").write_text("baud = 115200\n")
    run = board("sync")
    assert run.code == 2
    assert "no [sync] table" in run.err


def test_ls_shows_no_escape_sequences(board: BoardCli) -> None:
    board.ok("exec", "open('a\\x1b[31mb','w').close()")
    assert "a\\x1b[31mb" in board.ok("ls")
    assert "\x1b" not in board.ok("ls") + board.ok("tree")
