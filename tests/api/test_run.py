"""Local programs and directories on a board, and watching it, without the command line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import upytool
from upytool.api import console, run
from upytool.errors import LocalFileError, RemoteException, UsageError


def test_a_file_runs_and_its_traceback_names_it(board: upytool.Device, tmp_path: Path) -> None:
    heard = bytearray()
    path = tmp_path / "main.py"
    path.write_text("print('ran')\nraise ValueError\n")
    with pytest.raises(RemoteException) as raised:
        run.run_file(board, path, on_output=heard.extend)
    assert heard == b"ran\r\n"
    assert f'File "{path}", line 2' in raised.value.traceback
    run.run_file(board, io.BytesIO(b"print(2)"), on_output=heard.extend)
    assert heard.endswith(b"2\r\n")


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    compiled = tmp_path / "x.mpy"
    compiled.write_bytes(b"M\x06")
    for wrong in (compiled, tmp_path / "missing.py", tmp_path, io.BytesIO(b"M\x06\x00")):
        with pytest.raises(LocalFileError):
            run.read_program(wrong)


@pytest.mark.parametrize("mpy", [False, True])
def test_a_directory_is_mounted_and_goes(board: upytool.Device, tmp_path: Path, mpy: bool) -> None:
    (tmp_path / "answer.py").write_text("VALUE = 42\n")
    made = run.mount(board, tmp_path, mpy=mpy, read_only=True)
    assert made.data() == {"directory": str(tmp_path.resolve()), "point": "/remote", "read_only": True}
    assert board.exec("import answer\nprint(answer.VALUE)") == "42\n"
    assert run.unmount(board) == [made]
    assert run.unmount(board) == []
    with pytest.raises(UsageError):
        run.unmount(board, "/remote")


def test_watching(board: upytool.Device) -> None:
    heard = bytearray()
    board.run("import time\nfor i in range(3):\n time.sleep(0.2)\n print(i, end='\\n\\x01')", follow=False)
    console.monitor(board, heard.extend, seconds=2, stamp=lambda: "> ", escape=True)
    assert b"> [01]1\r\n> [01]2\r\n" in heard
