"""Backup, restore and diff of a real LittleFS."""

from __future__ import annotations

import json
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.device.boards import board_device
from upytool.device.backup import backup, diff, restore
from upytool.device.device import Device
from upytool.errors import LocalFileError


@pytest.fixture
def device() -> Iterator[Device]:
    with board_device() as device:
        yield device


def names(device: Device, path: str = "/") -> list[str]:
    return [entry.name for entry in device.fs.ls(path)]


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "zip"])
def test_backup_and_restore(device: Device, tmp_path: Path, ending: str) -> None:
    fs = device.fs
    fs.mkdir("/lib/empty", parents=True)
    big = os.urandom(30_000)
    fs.write_bytes("/lib/big.bin", big)
    fs.write_bytes("/main.py", b"print(1)\n")
    file = str(tmp_path / f"b.{ending}")
    info = device.drive(backup(fs.ops, file))
    assert set(info.files) == {"lib/big.bin", "main.py"}
    assert info.board["build"] == "UPYTOOL_WASM"
    assert os.listdir(tmp_path) == [f"b.{ending}"]
    fs.write_bytes("/main.py", b"other\n")
    fs.write_bytes("/more", b"x")
    fs.rmtree("/lib")
    found = {(d.path, d.how) for d in device.drive(diff(fs.ops, file))}
    assert {(":/main.py", "changed"), (":/more", "board"), (":/lib/big.bin", "local")} <= found
    device.drive(restore(fs.ops, file, delete=True))
    assert fs.read_bytes("/lib/big.bin") == big
    assert fs.read_bytes("/main.py") == b"print(1)\n"
    assert fs.is_dir("/lib/empty")
    assert names(device) == ["lib", "main.py"]
    assert device.drive(diff(fs.ops, file)) == []


def test_a_damaged_backup_does_not_touch_the_board(device: Device, tmp_path: Path) -> None:
    device.fs.write_bytes("/main.py", b"good")
    file = str(tmp_path / "b.zip")
    device.drive(backup(device.fs.ops, file))
    with zipfile.ZipFile(file) as old:
        manifest = old.read("upytool-backup.json")
    with zipfile.ZipFile(file, "w") as new:
        new.writestr("main.py", b"evil")
        new.writestr("upytool-backup.json", manifest)
    with pytest.raises(LocalFileError, match="damaged"):
        device.drive(restore(device.fs.ops, file))
    with zipfile.ZipFile(file, "w") as new:
        new.writestr("../evil", b"evil")
        new.writestr("upytool-backup.json", json.dumps({}))
    with pytest.raises(LocalFileError):
        device.drive(restore(device.fs.ops, file))
    assert not (tmp_path / "evil").exists()
    with tarfile.open(tmp_path / "x.tar", "w"):
        pass
    with pytest.raises(LocalFileError):
        device.drive(restore(device.fs.ops, str(tmp_path / "x.tar")))
    assert device.fs.read_bytes("/main.py") == b"good"
