"""Two names that a board's file system takes for one: refused, and nothing is lost. On FAT and on others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.conftest import Bench
from upytool.device.device import Device
from upytool.errors import UsageError


@pytest.fixture
def folds(bench: Bench, device: Device, home: str) -> bool:
    """Whether MicroPython itself finds a file by another spelling."""
    device.fs.write_bytes(f"{home}/probe", b"")
    found = device.fs.exists(f"{home}/PROBE")
    device.fs.remove(f"{home}/probe")
    assert found == (bench.name in ("qemu", "qemu-uart", "qemu-stock", "qemu-bare"))
    return found


def contents(device: Device, home: str) -> dict[str, bytes]:
    names = [entry.name for entry in device.fs.walk(home) if not entry.is_dir]
    return {name[len(home) + 1 :]: device.fs.read_bytes(name) for name in names}


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("names", [("a.py", "A.py"), ("d/x", "D/y"), ("d/x.py", "d/X.PY", "z")], ids=" ".join)
def test_two_files_for_one(device: Device, home: str, tmp_path: Path, folds: bool, names: tuple[str, ...]) -> None:
    source = put(tmp_path / "src", *names)
    if not folds:
        device.fs.sync(source, f":{home}")
        assert contents(device, home) == {name: name.encode() for name in names}
        return
    for dry in (True, False):
        with pytest.raises(UsageError):
            device.fs.sync(source, f":{home}", dry_run=dry)
        with pytest.raises(UsageError):
            device.fs.copy([f"{source}/"], f":{home}/new", recursive=True, dry_run=dry)
    assert contents(device, home) == {}


@pytest.mark.parametrize("there", ["main.py", "lib/main.py"])
def test_one_that_is_there_under_another_spelling(
    device: Device, home: str, tmp_path: Path, folds: bool, there: str
) -> None:
    device.fs.mkdir(f"{home}/lib")
    device.fs.write_bytes(f"{home}/{there}", b"old")
    name = there.replace("main", "Main")
    source = put(tmp_path / "src", name, "lib/other")
    for work in (
        lambda: device.fs.copy([str(source / name)], f":{home}/{name}"),
        lambda: device.fs.sync(source, f":{home}", delete=True),
    ):
        if folds:
            with pytest.raises(UsageError):
                work()
            assert contents(device, home) == {there: b"old"}
    if not folds:
        device.fs.sync(source, f":{home}")
        assert contents(device, home) == {there: b"old", name: name.encode(), "lib/other": b"lib/other"}
    # The spelling that is there goes on to work.
    device.fs.copy([str(source / name)], f":{home}/{there}")
    assert contents(device, home)[there] == name.encode()


def test_a_backup_of_both_is_not_restored_as_one(device: Device, home: str, tmp_path: Path, folds: bool) -> None:
    import hashlib

    from upytool.device.backup_file import FILES, Backup, SavedFile, Writer

    saved = []
    writer = Writer(tmp_path / "b.tar")
    for name in ("A.py", "a.py"):
        writer.begin(f"{FILES}{home}/{name}", 4, 0)
        writer.write(name.encode())
        saved.append(SavedFile(f"{home}/{name}", 4, 0, hashlib.sha256(name.encode()).hexdigest(), "/"))
    writer.finish(Backup(home, "2026-01-01", {}, [], [], saved))
    if not folds:
        device.fs.restore(tmp_path / "b.tar")
        assert contents(device, home) == {"A.py": b"A.py", "a.py": b"a.py"}
        return
    with pytest.raises(UsageError):
        device.fs.restore(tmp_path / "b.tar")
    assert contents(device, home) == {}
