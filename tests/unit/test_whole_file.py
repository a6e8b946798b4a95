"""Files that are there whole or not at all: permissions, links, full disks, what a killed run leaves."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

import pytest

import upytool
from upytool import whole_file
from upytool.config.edit import set_value
from upytool.whole_file import open_beside, sweep, write_whole

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")


@pytest.fixture(autouse=True)
def nothing_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_file, "_swept", set())


def left(name: str = ".upytool-0123456789abcdef.part", *, folder: Path, age: float = 2 * 24 * 3600) -> Path:
    path = folder / name
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_content_and_missing_directories(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    for data in (b"one", b"two", b""):
        write_whole(path, data, parents=True, durable=True)
        assert path.read_bytes() == data
    assert [each.name for each in path.parent.iterdir()] == ["b"]


@POSIX
def test_permissions_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_whole(path, b"", private=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for mode in (0o600, 0o640, 0o755):
        path.chmod(mode)
        write_whole(path, b"new")
        assert stat.S_IMODE(path.stat().st_mode) == mode
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "y", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "y").stat().st_mode) == 0o640


@POSIX
def test_a_configuration_with_secrets_stays_private(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("baud = 1\n", encoding="utf-8")
    path.chmod(0o600)
    set_value(str(path), "", "baud", 9600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text(encoding="utf-8") == "baud = 9600\n"


@POSIX
def test_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    target, link = tmp_path / "dotfiles" / "real", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    write_whole("/dev/null", b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@POSIX
def test_no_link_under_the_temporary_name_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    monkeypatch.setattr(os, "urandom", lambda count: b"\0" * count)
    trap = tmp_path / (".upytool-" + "00" * 8 + ".part")
    trap.symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "x", b"evil")
    assert victim.read_bytes() == b"mine"
    assert trap.is_symlink()


@POSIX
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="space"):
        write_whole(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    assert path.read_bytes() == b"old"


def test_what_a_killed_run_left_goes_with_the_next_write(tmp_path: Path) -> None:
    old = left(folder=tmp_path)
    write_whole(tmp_path / "x", b"")
    assert not old.exists()


@pytest.mark.parametrize(
    "name",
    [
        ".upytool-0123456789abcdef", ".upytool-0123456789abcde.part", ".upytool-0123456789abcdeg.part",
        "upytool-0123456789abcdef.part", ".upytool-.part", "main.py",
    ],
)  # fmt: skip
def test_only_our_names_go(tmp_path: Path, name: str) -> None:
    kept = left(name, folder=tmp_path)
    sweep(str(tmp_path))
    assert kept.exists()


def test_only_old_regular_files_go(tmp_path: Path) -> None:
    young = left(folder=tmp_path, age=10)
    folder = tmp_path / ".upytool-aaaaaaaaaaaaaaaa.part"
    folder.mkdir()
    os.utime(folder, (0, 0))
    sweep(str(tmp_path))
    assert young.exists()
    assert folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no open file")
def test_a_file_that_somebody_writes_stays_however_old(tmp_path: Path) -> None:
    file, name = open_beside(tmp_path / "x")
    os.utime(name, (0, 0))
    whole_file._swept.clear()
    sweep(str(tmp_path))
    assert Path(name).exists()
    file.close()
    whole_file._swept.clear()
    sweep(str(tmp_path))
    assert not Path(name).exists()


def test_a_sweep_is_bounded_and_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_file, "LOOKED_AT", 0)
    kept = left(folder=tmp_path)
    sweep(str(tmp_path))
    monkeypatch.setattr(whole_file, "LOOKED_AT", 100)
    sweep(str(tmp_path))
    assert kept.exists()


def test_a_missing_directory_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        open_beside(tmp_path / "nowhere" / "x")
    with pytest.raises(OSError, match="nowhere"):
        write_whole(tmp_path / "nowhere" / "x", b"")
    assert not list(tmp_path.iterdir())


# Where a process id is not part of a file's name: a container's name; signals; what holds a port; what serves a board.
PROCESSES = ("builder/run_build.py", "cli/ui/terminal.py", "transport/open_errors.py", "sim/server.py")


def test_nothing_else_makes_temporary_files() -> None:
    """No process id in a name, no temporary file of another kind."""
    package = Path(upytool.__file__).parent
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if name.startswith(("ondevice/", "_firmware/")) or name in PROCESSES:
            continue
        text = path.read_text(encoding="utf-8")
        assert "getpid()" not in text, name
        assert "mkstemp" not in text, name


@pytest.mark.skipif(os.name == "nt", reason="POSIX")
def test_a_fifo_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError) as caught:
        write_whole(tmp_path / "fifo", b"x")
    assert caught.value.errno == errno.ENXIO
