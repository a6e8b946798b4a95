"""The flash: LittleFS in a file."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import pytest

pytest.importorskip("littlefs")

from upytool.errors import SimulatorError
from upytool.sim.flash import O_CREAT, O_EXCL, O_RDONLY, O_TRUNC, O_WRONLY, TYPE_DIR, TYPE_FILE, Flash

NEW = O_WRONLY | O_CREAT | O_TRUNC


def put(flash: Flash, path: str, data: bytes) -> None:
    file = flash.open(path, NEW)
    file.write(data)
    file.close()


def test_files_survive_and_have_a_time(tmp_path: Path) -> None:
    flash = Flash(tmp_path / "f.img", size=65536)
    flash.mkdir("/d")
    put(flash, "/d/a", b"x" * 5000)
    flash.close()
    flash = Flash(tmp_path / "f.img")
    kind, size, mtime = flash.stat("/d/a")
    assert (kind, size) == (TYPE_FILE, 5000)
    assert abs(mtime - time.time_ns()) < 60e9
    assert flash.listdir("/") == [("d", TYPE_DIR, 0)]
    assert flash.usage()[:2] == (4096, 16)
    flash.close()


def test_rename_replaces_and_errors_have_board_numbers() -> None:
    flash = Flash(size=65536)
    put(flash, "/a", b"old")
    put(flash, "/b", b"new")
    flash.rename("/b", "/a")
    assert flash.open("/a", O_RDONLY).read(10) == b"new"
    for call, number in (
        (lambda: flash.stat("/none"), errno.ENOENT),
        (lambda: flash.open("/a", O_WRONLY | O_CREAT | O_EXCL), errno.EEXIST),
        (lambda: flash.mkdir("/a"), errno.EEXIST),
        (lambda: flash.rename("/none", "/x"), errno.ENOENT),
        (lambda: flash.listdir("/a"), errno.ENOTDIR),
        (lambda: flash.open("/" + "n" * 300, NEW), errno.ENAMETOOLONG),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == number
    flash.close()


def test_a_full_flash_keeps_the_old_file() -> None:
    flash = Flash(size=65536)
    put(flash, "/keep", b"k" * 100)
    file = flash.open("/keep", NEW)

    def fill() -> None:
        for _ in range(100):
            file.write(bytes(4096))

    with pytest.raises(OSError) as caught:
        fill()
    assert caught.value.errno == errno.ENOSPC
    flash.close_files()
    assert flash.stat("/keep")[1] in (0, 100)
    flash.close()


def test_what_is_not_synced_is_lost_with_the_power(tmp_path: Path) -> None:
    path = tmp_path / "f.img"
    flash = Flash(path, size=65536)
    put(flash, "/a", b"first")
    file = flash.open("/a", NEW)
    file.write(b"second")
    copy = tmp_path / "copy.img"
    copy.write_bytes(path.read_bytes())  # the moment of a power cut
    flash.close()
    again = Flash(copy)
    assert again.open("/a", O_RDONLY).read(10) == b"first"
    again.close()


def test_bad_images_and_sizes(tmp_path: Path) -> None:
    with pytest.raises(SimulatorError):
        Flash(size=5000)
    (tmp_path / "bad.img").write_bytes(b"\x55" * 65536)
    with pytest.raises(SimulatorError) as caught:
        Flash(tmp_path / "bad.img")
    assert "--fresh" in caught.value.hint
    Flash(tmp_path / "bad.img", fresh=True).close()
