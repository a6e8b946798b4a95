"""Names that a file system of this computer takes for one. Linux tells all apart, so another one is made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.device.boards import board_device
from upytool.device.copy import CopyOptions
from upytool.device.copy_local import copy_locally
from upytool.device.spelling import Same, local_same, local_spelling, twins
from upytool.errors import UsageError

NFC, NFD = "caf\u00e9.py", "cafe\u0301.py"


@pytest.mark.parametrize(
    ("one", "other", "case", "forms"),
    [("a.py", "A.py", True, False), ("d/x", "D/x", True, False), (NFC, NFD, False, True),
     (NFC.upper(), NFD, True, True), ("a", "b", False, False), ("a/b", "ab", False, False), ("ß", "ss", False, False)],
)  # fmt: skip
def test_twins(one: str, other: str, case: bool, forms: bool) -> None:
    for same in (Same(False, False), Same(True, False), Same(False, True), Same(True, True)):
        found = twins([one, "between", other], same)
        wanted = (case or forms) and same.case >= case and same.forms >= forms
        assert found == ((one, other) if wanted else None), same


@pytest.mark.parametrize("same", [Same(True, False), Same(False, True)])
def test_a_copy_to_this_computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: Same) -> None:
    monkeypatch.setattr("upytool.device.spelling.local_same", lambda folder: same)
    names = ("A.py", "a.py") if same.case else (NFC, NFD)
    with board_device() as device:
        for name in names:
            device.fs.write_bytes(name, name.encode())
        for dry in (True, False):
            with pytest.raises(UsageError):
                device.fs.copy(":/", str(tmp_path / "out"), recursive=True, dry_run=dry)
            with pytest.raises(UsageError):
                device.fs.sync(tmp_path / "out", "/", pull=True, dry_run=dry)
        assert not (tmp_path / "out").exists()
        monkeypatch.undo()
        if not any(local_same(str(tmp_path))):
            device.fs.sync(tmp_path / "out", "/", pull=True)
            assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)
            monkeypatch.setattr("upytool.device.spelling.local_same", lambda folder: same)
            with pytest.raises(UsageError):
                copy_locally([str(tmp_path / "out")], str(tmp_path / "two"), CopyOptions(recursive=True))


def test_what_is_there_under_another_spelling(tmp_path: Path) -> None:
    """`local_spelling` is asked for paths that exist: on Linux it is told so."""
    for name in ("main.py", NFD):
        (tmp_path / name).write_text("1")
    assert local_spelling(str(tmp_path / "Main.py"), {}) == "main.py"
    assert local_spelling(str(tmp_path / "main.py"), {}) == ""
    assert local_spelling(str(tmp_path / NFC), {}) == "", "HFS+ gives every name back decomposed"
    (tmp_path / "MAIN.py").write_text("2")
    assert local_spelling(str(tmp_path / "main.py"), {}) == ""


def test_a_file_system_is_tried_out_and_left_as_it_was(tmp_path: Path) -> None:
    assert local_same(str(tmp_path / "not" / "there")) == local_same(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
