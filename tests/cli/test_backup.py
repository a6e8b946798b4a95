"""`backup`, `restore` and `diff` on a simulated board."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from tests.cli.conftest import BoardCli


@pytest.fixture
def filled(board: BoardCli) -> BoardCli:
    board.ok("mkdir", ":/lib")
    board.put("/main.py", b"print(1)\n")
    board.put("/lib/a.py", b"A = 1\n")
    return board


def test_before_and_after(filled: BoardCli) -> None:
    run = filled("backup", "before.tar")
    assert (run.code, run.out) == (0, "")
    assert "Saved 2 files (15 B) in before.tar" in run.err
    filled.put("/main.py", b"print(2)\n")
    filled.put("/lib/b.py", b"")
    run = filled("diff", "before.tar")
    assert run.code == 1
    assert run.out.splitlines() == ["+ lib/b.py", "~ main.py  (9 B)"]
    assert "before.tar and :/ differ: 1 changed, 1 added" in run.err
    run = filled("diff", "before.tar", "--text")
    assert run.out.splitlines()[-2:] == ["-print(1)", "+print(2)"]
    assert "--- before.tar/main.py" in run.out.splitlines()
    plan = filled("restore", "before.tar", "--delete", "--dry-run")
    assert plan.code == 0
    assert [line.split()[:2] for line in plan.out.splitlines()] == [["write", ":/main.py"], ["delete", ":/lib/b.py"]]
    assert filled.get("/main.py") == b"print(2)\n"
    filled.ok("restore", "before.tar")
    assert filled.names("/lib") == ["a.py", "b.py"]
    filled.ok("restore", "before.tar", "--delete")
    assert filled.names("/lib") == ["a.py"]
    assert filled.get("/main.py") == b"print(1)\n"
    run = filled("diff", "before.tar")
    assert (run.code, run.out) == (0, "")
    assert "No differences (2 files)" in run.err


def test_what_programs_get(filled: BoardCli) -> None:
    made = filled.json("backup", "b.zip", "--path", ":/lib")
    assert (made["file"], made["root"], made["bytes"]) == ("b.zip", "/lib", 6)
    assert [file["path"] for file in made["files"]] == ["/lib/a.py"]
    found = filled.json("diff", "b.zip")
    assert (found["equal"], found["same"], found["differences"]) == (True, 1, [])
    done = filled.json("restore", "b.zip", "--path", ":/lib/a.py")
    assert (done["write"], done["unchanged"], done["dry_run"]) == (0, 1, False)
    filled.put("/lib/a.py", b"A = 2\n")
    run = filled("diff", "b.zip", "--json")
    assert run.code == 1
    assert '"changed"' in run.out


def test_the_name_is_made_and_printed(filled: BoardCli) -> None:
    name = filled.ok("backup").strip()
    assert name.startswith("UPYTOOL-WASM-")
    assert os.listdir(".") == [name]
    with tarfile.open(name) as tar:
        assert "files/main.py" in tar.getnames()


def test_a_backup_is_not_replaced_unasked(filled: BoardCli) -> None:
    Path("b.tar").write_bytes(b"precious")
    run = filled("backup", "b.tar", "--no-input")
    assert run.code == 2
    assert Path("b.tar").read_bytes() == b"precious"
    filled.ok("backup", "b.tar", "--yes")
    assert tarfile.is_tarfile("b.tar")


def test_damage_is_one_error(filled: BoardCli) -> None:
    filled.ok("backup", "b.tar")
    Path("b.tar").write_bytes(Path("b.tar").read_bytes()[:2000])
    error = filled.error("restore", "b.tar", "--delete")
    assert error["exit_code"] == 6
    assert "damaged" in error["message"]
    assert "nothing was changed" in error["hint"]
    assert filled.names() == ["lib", "main.py"]


def test_a_folder_and_the_board(filled: BoardCli) -> None:
    Path("src/lib").mkdir(parents=True)
    Path("src/main.py").write_text("print(1)\n")
    Path("src/lib/a.py").write_text("A = 1\n")
    Path("src/.git").mkdir()
    assert filled("diff", "src", ":/").code == 0
    assert filled("diff", ":/", "src/").code == 0
    Path("src/lib/a.py").write_text("A = 22\n")
    run = filled("diff", "src", ":/")
    assert (run.code, run.out) == (1, "~ lib/a.py  (7 B -> 6 B)\n")
    run = filled("diff", "src/lib/a.py", ":/lib/")
    assert (run.code, run.out) == (1, "~ src/lib/a.py  (7 B -> 6 B)\n")
    assert filled("diff", "src", ":/", "--ignore", "a.py").code == 0
    assert filled("diff", "src").code == 2
    assert filled("diff", "src", "src").code == 2
    assert filled("diff", "a", "b", ":c").code == 2
    assert filled("diff", "src", ":/none").code == 6


def test_in_a_chain(filled: BoardCli) -> None:
    filled.ok("backup", "b.tar", "rm", ":/main.py", "+", "restore", "b.tar", "diff", "b.tar")
    assert filled.names() == ["lib", "main.py"]
