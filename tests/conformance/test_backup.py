"""Backup, diff and restore of a folder on every real MicroPython; and what our programs leave behind there: nothing."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.conftest import Bench
from upytool.device.device import Device


def test_there_and_back(bench: Bench, device: Device, home: str, tmp_path: Path) -> None:
    before = device.exec("print(sorted(globals()))")
    fs = device.fs
    fs.mkdir(f"{home}/a")
    files = {f"{home}/m.py": b"print(1)\n", f"{home}/a/x.bin": bytes(range(256)) * 2, f"{home}/a/none": b""}
    fs.put_many(list(files.items()))
    made = fs.backup(tmp_path / "b.tar", home)
    assert {file.path: file.size for file in made.backup.files} == {path: len(data) for path, data in files.items()}
    fs.write_bytes(f"{home}/m.py", b"print(2)\n")
    fs.touch(f"{home}/extra")
    fs.remove(f"{home}/a/x.bin")
    found = [(difference.how, difference.path) for difference in fs.diff(tmp_path / "b.tar").differences]
    assert found == [("removed", "a/x.bin"), ("added", "extra"), ("changed", "m.py")]
    fs.restore(tmp_path / "b.tar", delete=True)
    assert fs.get_many(list(files)) == files
    assert fs.diff(tmp_path / "b.tar").equal
    assert not fs.exists(f"{home}/extra")
    assert device.exec("print(sorted(globals()))") == before
