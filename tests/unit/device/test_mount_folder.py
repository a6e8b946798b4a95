"""What a board can reach of this computer through a mounted folder, and what not."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from upytool.device import folder as module
from upytool.device.folder import Folder

posix = pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need rights on Windows")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_text("outside")
    place = tmp_path / "root"
    place.mkdir()
    (place / "f.py").write_text("x = 1\n")
    return place


@pytest.fixture
def folder(root: Path) -> Iterator[Folder]:
    made = Folder(root)
    yield made
    made.close_all()


def refused(number: int, call: object, *arguments: object) -> None:
    with pytest.raises(OSError) as caught:
        call(*arguments)  # type: ignore[operator]
    assert caught.value.errno == number


def test_dots_stop_at_the_top(folder: Folder, root: Path) -> None:
    for path in ("/../secret", "../secret", "/a/../../secret", "/../../../../etc/passwd"):
        refused(errno.ENOENT, folder.stat, path)
        refused(errno.ENOENT, folder.open, path, "r")
    assert folder.stat("/../f.py")[1] == 6
    assert folder.directory("/..") == "/"


def test_names_with_a_nul(folder: Folder) -> None:
    refused(errno.EINVAL, folder.stat, "/a\0b")


@posix
def test_links_that_lead_out(folder: Folder, root: Path, tmp_path: Path) -> None:
    (root / "dir").symlink_to(tmp_path / "out")
    (root / "file").symlink_to("../secret")
    (root / "nowhere").symlink_to(tmp_path / "new")
    (root / "inner").symlink_to("f.py")
    refused(errno.EACCES, folder.stat, "/dir/file")
    refused(errno.EACCES, folder.open, "/file", "r")
    refused(errno.EACCES, folder.open, "/file", "w")
    refused(errno.EACCES, folder.open, "/nowhere", "w")  # would make a file outside
    refused(errno.EACCES, folder.open, "/dir/new", "w")
    refused(errno.EACCES, folder.mkdir, "/dir/new")
    refused(errno.EACCES, folder.rename, "/f.py", "/dir/f.py")
    refused(errno.EACCES, folder.entries, "/dir")
    assert not (tmp_path / "new").exists()
    assert sorted(name for name, *_ in folder.entries("/")) == ["f.py", "inner"]
    assert folder.stat("/inner")[1] == 6
    folder.remove("/file")  # the link itself is inside
    assert (tmp_path / "secret").exists()
    loose = Folder(root, unsafe_links=True)
    assert loose.stat("/dir/file")[1] == 7


@posix
def test_only_regular_files_are_opened(folder: Folder, root: Path) -> None:
    os.mkfifo(root / "pipe")
    refused(errno.EACCES, folder.open, "/pipe", "r+")
    refused(errno.EISDIR, folder.open, "/", "r")


def test_read_only(root: Path) -> None:
    folder = Folder(root, read_only=True)
    for call, arguments in (
        (folder.open, ("/f.py", "r+")),
        (folder.open, ("/new", "w")),
        (folder.open, ("/new", "a")),
        (folder.mkdir, ("/d",)),
        (folder.rmdir, ("/d",)),
        (folder.remove, ("/f.py",)),
        (folder.rename, ("/f.py", "/g.py")),
    ):
        refused(errno.EROFS, call, *arguments)
    handle, _ = folder.open("/f.py", "rb")
    assert folder.read(handle, 0, 9) == b"x = 1\n"
    refused(errno.EBADF, folder.write, handle, 0, b"y")
    folder.close_all()
    assert (root / "f.py").read_text() == "x = 1\n"


def test_the_top_cannot_be_removed(folder: Folder) -> None:
    refused(errno.EBUSY, folder.rmdir, "/")
    refused(errno.EBUSY, folder.rename, "/..", "/x")


def test_modes(folder: Folder, root: Path) -> None:
    refused(errno.EEXIST, folder.open, "/f.py", "x")
    refused(errno.EINVAL, folder.open, "/f.py", "q")
    refused(errno.ENOENT, folder.open, "/none", "r+")
    handle, _ = folder.open("/f.py", "w")
    refused(errno.EBADF, folder.read, handle, 0, 1)
    handle, _ = folder.open("/f.py", "r")
    refused(errno.EBADF, folder.write, handle, 0, b"")
    handle, at = folder.open("/log", "a+b")
    folder.write(handle, 99, b"one")
    folder.write(handle, 0, b"two")
    assert (at, folder.read(handle, 0, 9)) == (0, b"onetwo")


def test_more_files_than_descriptors(folder: Folder, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OPEN", 8)
    handles = [folder.open("/f.py", "r")[0] for _ in range(200)]
    writer, _ = folder.open("/w", "w")
    handles += [folder.open("/f.py", "r")[0] for _ in range(20)]
    assert sum(file.fd is not None for file in folder._files.values()) <= 9
    assert all(folder.read(handle, 0, 3) == b"x =" for handle in handles)
    folder.write(writer, 0, b"abc")  # opened again, and not truncated again
    folder.read(handles[0], 0, 1)
    for handle in handles:
        folder.read(handle, 0, 1)
    folder.write(writer, 3, b"def")
    assert (root / "w").read_bytes() == b"abcdef"


def test_a_board_that_never_closes(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HANDLES", 50)
    first = folder.open("/f.py", "r")[0]
    for _ in range(300):
        last = folder.open("/f.py", "r")[0]
    assert folder.open_files == 50
    assert folder.read(last, 0, 1) == b"x"
    refused(errno.EBADF, folder.read, first, 0, 1)


def test_an_open_file_follows_its_new_name(folder: Folder, root: Path) -> None:
    handle, _ = folder.open("/a", "w")
    folder.rename("/a", "/b")
    folder.write(handle, 0, b"x")
    assert (root / "b").read_bytes() == b"x"


def test_no_folder(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    refused(errno.ENOTDIR, Folder, tmp_path / "f")
    refused(errno.ENOENT, Folder, tmp_path / "none")


class TestCompiled:
    @pytest.fixture
    def calls(self) -> list[str]:
        return []

    @pytest.fixture
    def folder(self, root: Path, calls: list[str]) -> Iterator[Folder]:
        def compile(source: bytes, name: str) -> bytes | None:
            calls.append(name)
            return None if b"bad" in source else b"M" + source

        made = Folder(root, compile=compile)
        yield made
        made.close_all()

    def test_import_finds_the_mpy_and_open_the_source(self, folder: Folder, calls: list[str]) -> None:
        refused(errno.ENOENT, folder.stat, "/f.py")
        assert folder.stat("/f.mpy")[:2] == (False, 7)
        handle, _ = folder.open("/f.mpy", "rb")
        assert folder.read(handle, 0, 99) == b"Mx = 1\n"
        assert folder.size(handle) == 7
        assert folder.read(folder.open("/f.py", "r")[0], 0, 9) == b"x = 1\n"
        assert [name for name, *_ in folder.entries("/")] == ["f.py"]
        assert calls == ["f.py"]

    def test_an_edited_file_is_compiled_again(self, folder: Folder, root: Path, calls: list[str]) -> None:
        folder.stat("/f.mpy")
        (root / "f.py").write_text("longer = 2\n")
        assert folder.stat("/f.mpy")[1] == 12
        assert len(calls) == 2

    def test_what_does_not_compile_is_served_as_source(self, folder: Folder, root: Path) -> None:
        (root / "f.py").write_text("bad")
        refused(errno.ENOENT, folder.stat, "/f.mpy")
        assert folder.stat("/f.py")[1] == 3

    def test_main_and_real_mpy_files_are_left_alone(self, folder: Folder, root: Path) -> None:
        (root / "main.py").write_text("x")
        (root / "f.mpy").write_bytes(b"real")
        assert folder.stat("/main.py")[1] == 1
        refused(errno.ENOENT, folder.stat, "/main.mpy")
        assert folder.stat("/f.mpy")[1] == 4
        assert folder.stat("/f.py")[1] == 6
