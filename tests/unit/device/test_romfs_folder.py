"""Folders as the content of a ROMFS image, and back, with the real mpy-cross."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from upytool.device.local import FileSink
from upytool.device.romfs_folder import check_modules, collect, save, target_board
from upytool.errors import BuildError, LocalFileError, UsageError
from upytool.events import Notice
from upytool.image.romfs import build_romfs
from upytool.testing import Recorder

NATIVE = "import micropython\n\n@micropython.native\ndef f():\n    return 1\n"


def fill(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def warnings(recorder: Recorder) -> list[str]:
    return [event.message for event in recorder.of(Notice) if event.level == "warning"]


def test_what_goes_in(tmp_path: Path) -> None:
    folder = fill(
        tmp_path / "src",
        {
            "main.py": "import app\n",
            "app/__init__.py": "x = 1\n",
            "app/main.py": "y = 2\n",
            "Grüße.txt": "hi",
            "data.bin": b"\0\1",
            "app/__pycache__/x.pyc": "no",
            ".git/config": "no",
            ".hidden": "no",
            "notes.log": "no",
            ".upytoolignore": "*.log\n",
            "skip/me.txt": "no",
        },
    )
    (folder / "empty").mkdir()
    before = listing(folder)
    content = collect(folder, target_board(), ignore=["skip/"])
    assert sorted(content.files) == ["Grüße.txt", "app/__init__.mpy", "app/main.mpy", "data.bin", "main.py"]
    assert content.directories == ("app", "empty")
    assert content.compiled == ("app/__init__.mpy", "app/main.mpy")
    assert content.files["main.py"] == b"import app\n", "started by its name, where ROMFS starts anything"
    assert content.files["app/main.mpy"][:2] == b"M\x06"
    assert b"app/main.py" in content.files["app/main.mpy"], "tracebacks name the file ..."
    assert str(tmp_path).encode() not in b"".join(content.files.values()), "... and no path of this computer"
    assert listing(folder) == before, "nothing is written beside the sources"

    plain = collect(folder, None, default_ignores=False)
    assert ".git/config" in plain.files
    assert plain.files["app/__init__.py"] == b"x = 1\n"
    assert plain.compiled == ()


def test_the_image_itself_stays_out(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"a": "1", "out.romfs": "old image"})
    assert list(collect(folder, None, leave_out=folder / "out.romfs").files) == ["a"]
    assert len(collect(folder, None, leave_out=tmp_path.parent / "out.romfs").files) == 2


def test_the_same_folder_gives_the_same_image(tmp_path: Path) -> None:
    files = {f"m{number}.py": f"x = {number}\n" for number in range(6)} | {"b/c": "1", "a": "2"}
    one = fill(tmp_path / "one", files)
    two = fill(tmp_path / "elsewhere" / "two", dict(reversed(files.items())))
    os.utime(two / "a", (1, 1))
    images = [build_romfs(collect(folder, target_board()).files) for folder in (one, two)]
    assert images[0] == images[1]


def test_composed_and_decomposed_names_are_one(tmp_path: Path) -> None:
    folder = fill(tmp_path / "mac", {"u\u0308.txt": "1"})
    assert list(collect(folder, None).files) == ["ü.txt"]
    fill(folder, {"ü.txt": "2"})
    if len(list(folder.iterdir())) == 2:  # not on a file system that makes them one
        with pytest.raises(UsageError, match="differ only in how"):
            collect(folder, None)


@pytest.mark.parametrize("name", ["bad.py", "pkg/bad.py"])
def test_a_module_that_does_not_compile(tmp_path: Path, name: str) -> None:
    folder = fill(tmp_path / "src", {"good.py": "x = 1\n", name: "x = 1\ny = 2\ndef f(:\n"})
    before = listing(folder)
    with pytest.raises(BuildError) as caught:
        collect(folder, target_board())
    assert str(caught.value) == f"{folder / name}:3: SyntaxError: invalid syntax"
    assert listing(folder) == before


def test_native_code_is_for_the_architecture(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"n.py": NATIVE})
    with pytest.raises(BuildError, match=r"n\.py:3: SyntaxError: invalid arch") as caught:
        collect(folder, target_board())
    assert "--arch" in caught.value.hint
    made = collect(folder, target_board(arch="armv7emsp")).files["n.mpy"]
    assert made[2] >> 2 & 0xF == 7
    older = collect(folder, target_board("6.1", "armv7m")).files["n.mpy"]
    assert older[:3] == b"M\x06" + bytes([1 | 5 << 2]), "made by the mpy-cross of that sub-version"


def test_boards_that_are_not_there() -> None:
    board = target_board("6.2", "xtensawin")
    assert (board.mpy_version, board.mpy_sub_version, board.arch) == (6, 2, "xtensawin")
    assert target_board("6").mpy & 0xFC00 == 0
    with pytest.raises(UsageError) as caught:
        target_board("5")
    assert caught.value.code == "usage.mpy-version"
    with pytest.raises(UsageError) as caught:
        target_board(arch="z80")
    assert caught.value.code == "usage.mpy-architecture"


def test_mpy_files_of_the_folder_are_looked_at(tmp_path: Path) -> None:
    made = collect(fill(tmp_path / "n", {"n.py": NATIVE}), target_board(arch="xtensawin")).files["n.mpy"]
    other: dict[str, str | bytes] = {"old.mpy": b"M\x05\x00\x1f", "both.py": "x=1\n", "both.mpy": b"M\x06\0\x1f"}
    folder = fill(tmp_path / "src", {"n.mpy": made, **other})
    recorder = Recorder()
    board = target_board(arch="armv6m")
    content = collect(folder, board, reporter=recorder)
    assert content.files["both.py"] == b"x=1\n"
    check_modules(content, board, recorder)
    assert warnings(recorder) == [
        "both.py is kept as it is beside both.mpy, and is imported in its place",
        "n.mpy: the board will refuse it: its machine code is for xtensawin, the board's is armv6m",
        "old.mpy: the board will refuse it: it is .mpy version 5, the board takes version 6",
    ]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a directory"):
        collect(tmp_path / "nothing", None)
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(LocalFileError, match="link"):
        collect(tmp_path, None)


def test_saving(tmp_path: Path) -> None:
    files = {"a.txt": b"1", "d/e/f.bin": b"2"}
    target = tmp_path / "new" / "out"
    save(files, ["d", "d/e", "empty"], target)
    assert listing(target) == ["a.txt", "d", "d/e", "d/e/f.bin", "empty"]
    assert listing(tmp_path / "new") == sorted(["out", *(f"out/{name}" for name in listing(target))]), "no scratch"
    with pytest.raises(UsageError) as caught:
        save(files, [], target)
    assert caught.value.code == "usage.romfs-target"
    (target / "mine").write_text("kept")
    save({"a.txt": b"3"}, [], target, force=True)
    assert (target / "a.txt").read_bytes() == b"3"
    assert (target / "mine").read_text() == "kept"
    shutil.rmtree(target)
    target.mkdir()
    save(files, [], target)
    assert (target / "d/e/f.bin").read_bytes() == b"2"


@pytest.mark.parametrize("name", ["../evil", "/etc/x", "a/../../b", "", "./a"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LocalFileError, match="not a valid file name"):
        save({"good": b"", name: b"1"}, [], tmp_path / "out")
    assert listing(tmp_path) == []


def test_windows_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from upytool.device import romfs_folder

    for name in ("C:evil", "a\\b"):
        romfs_folder._usable(name)
        with monkeypatch.context() as patch:
            patch.setattr("upytool.device.romfs_folder.os.name", "nt")
            with pytest.raises(LocalFileError):
                romfs_folder._usable(name)


def test_a_folder_is_saved_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from upytool.device import romfs_folder

    class Sink(FileSink):
        def done(self) -> None:
            if self._path.name == "b":
                self.drop()
                raise LocalFileError("no space left")
            super().done()

    monkeypatch.setattr(romfs_folder, "FileSink", Sink)
    with pytest.raises(LocalFileError, match="no space"):
        save({"a": b"1", "b": b"2"}, [], tmp_path / "out")
    assert listing(tmp_path) == []
