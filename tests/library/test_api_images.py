"""File systems in images without the command line: everything that `image` does is a call of upytool.api.images.

The board is a MODEL (tests/fakes/loader_model.py); its file systems are real. A real boot ROM: tests/cli/test_image.py.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.loader_model import BASE, ModelBoard, ModelLoader, program, uf2
from upytool.api import images
from upytool.errors import ConnectionLostError, FlashError, ImageError, LocalFileError, UpytoolError, UsageError
from upytool.events import Notice
from upytool.image.romfs import build_romfs
from upytool.image.tree import NoRoomError
from upytool.testing import Recorder

START, SIZE = BASE + 0xA0000, 0x160000
MAIN, DATA = b"print('hello')\n", bytes(range(256)) * 40


@pytest.fixture
def src(tmp_path: Path) -> Path:
    """A project's directory with what goes in, and what stays out."""
    made = tmp_path / "src"
    (made / "lib" / "__pycache__").mkdir(parents=True)
    (made / "main.py").write_bytes(MAIN)
    (made / "lib" / "data.bin").write_bytes(DATA)
    (made / "lib" / "__pycache__" / "x.pyc").write_bytes(b"x")
    return made


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    """An RP2040's firmware, which tells a region that is empty."""
    made = tmp_path / "firmware.uf2"
    made.write_bytes(uf2("1.27.0"))
    return made


class Board:
    """A model of a board: an Opener, with how often it was opened and let go."""

    def __init__(self) -> None:
        self.model = ModelBoard(state="bootloader").load(program("1.27.0"))
        self.opened = self.closed = 0

    @contextmanager
    def __call__(self) -> Iterator[images.BoardFlash]:
        assert self.opened == self.closed, "it is opened twice at a time"
        self.opened += 1
        try:
            yield images.BoardFlash(self.model.target(), ModelLoader(self.model))
        finally:
            self.closed += 1

    def holds(self, image: Path) -> Board:
        """Put the file system of a file into its flash."""
        (volume,) = (each.volume for each in images.ls(image) if each.volume.kind)
        self.model.load(volume.blocks.read(0, volume.size), START)
        return self


def contents(source: images.Source) -> dict[str, bytes]:
    with images.opened(source) as found:
        return found.tree().files()


def test_a_firmware_file_from_empty_to_empty(firmware: Path, src: Path, tmp_path: Path) -> None:
    before, mine, out = firmware.read_bytes(), tmp_path / "mine.uf2", tmp_path / "out"
    (empty,) = images.ls(firmware)
    assert (empty.volume.start, empty.volume.size, empty.entries, empty.damage) == (START, SIZE, None, "")
    assert (empty.data()["kind"], empty.data()["entries"]) == (None, None)

    added = images.add(firmware, [f"{src}/"], output=mine)
    assert (added.output, added.on_board, sorted(added.paths)) == (str(mine), False, ["lib/data.bin", "main.py"])
    assert added.made is not None
    assert (added.made.kind, added.data()) == ("littlefs2", {"output": str(mine), "written": mine.stat().st_size})
    assert firmware.read_bytes() == before
    (listed,) = images.ls(mine)
    assert [each.path for each in listed.entries or ()] == ["lib", "lib/data.bin", "main.py"]
    assert listed.usage is not None
    assert listed.data()["used"] + listed.data()["free"] == SIZE
    assert images.read(mine, "/main.py") == MAIN

    again = images.add(mine, [src], to="/x/")
    assert (again.made, sorted(again.paths)) == (None, ["x/src/lib/data.bin", "x/src/main.py"])
    with pytest.raises(ImageError):
        images.rm(mine, ["x"])
    images.rm(mine, ["x", "main.py"], recursive=True)
    assert contents(mine) == {"lib/data.bin": DATA}

    done = images.extract(mine, out)
    assert (done.data(), done.files, done.others) == (
        {"output": str(out), "files": ["lib/data.bin"]},
        {"lib/data.bin": len(DATA)},
        (),
    )
    assert (out / "lib" / "data.bin").read_bytes() == DATA
    with pytest.raises(UsageError):
        images.extract(mine, out)
    images.extract(mine, out, force=True)


def test_a_change_of_the_callers_own(firmware: Path, src: Path) -> None:
    images.add(firmware, [f"{src}/"])
    with images.opened(firmware) as found:
        volume = found.choose()
        tree = found.tree(volume)
        tree.rename("main.py", "app.py")
        found.save(volume, tree)
    assert contents(firmware) == {"app.py": MAIN, "lib/data.bin": DATA}


def test_differences_are_values(firmware: Path, src: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.uf2", tmp_path / "two.uf2"
    images.add(firmware, [f"{src}/"], output=one)
    assert images.diff(one, src) == images.diff(src, one) == images.diff(one, one) == []
    (src / "main.py").write_bytes(MAIN.upper())
    (src / "new.py").write_bytes(b"")
    (src / "lib" / "data.bin").unlink()
    images.add(one, [f"{src}/"], output=two)
    images.rm(two, ["lib"], recursive=True)
    assert [each.data() for each in images.diff(one, two)] == [
        {"path": "lib", "what": "removed", "old_size": None, "new_size": None},
        {"path": "lib/data.bin", "what": "removed", "old_size": len(DATA), "new_size": None},
        {"path": "main.py", "what": "changed", "old_size": len(MAIN), "new_size": len(MAIN)},
        {"path": "new.py", "what": "added", "old_size": None, "new_size": 0},
    ]
    shutil.rmtree(src / "lib")
    (src / "lib").write_bytes(b"now a file")
    assert [(each.path, each.what) for each in images.diff(one, src)][:2] == [
        ("lib", "changed"),
        ("lib/data.bin", "removed"),
    ]


def test_a_new_file_system(src: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    made = images.mkfs(disk, [f"{src}/"], size=64 << 10)
    assert (made.data()["kind"], made.data()["block_size"], disk.stat().st_size) == ("littlefs2", 4096, 64 << 10)
    assert contents(disk) == {"main.py": MAIN, "lib/data.bin": DATA}
    first = disk.read_bytes()
    images.mkfs(disk, [f"{src}/"], size=64 << 10)
    assert disk.read_bytes() == first
    assert images.mkfs(disk, board="PYBV11", version="1.26").data()["kind"] == "fat"
    assert images.mkfs(disk, [src / "lib"], size=64 << 10, everything=True).files == (
        "lib/__pycache__/x.pyc",
        "lib/data.bin",
    )


def test_which_one_is_meant(tmp_path: Path) -> None:
    """By name, number and address; nothing is guessed where two could be it."""
    disk = tmp_path / "dump.bin"
    images.mkfs(tmp_path / "fs.img", size=64 << 10)
    disk.write_bytes((tmp_path / "fs.img").read_bytes() * 2 + build_romfs({"rom.py": b"1"}).ljust(4096, b"\xff"))
    listed = images.ls(disk)
    assert [each.volume.kind for each in listed] == ["littlefs2", "littlefs2", "romfs"]
    with pytest.raises(UsageError):
        images.rm(disk, ["x"])
    for name in ("2", "0x20000", "128K"):
        assert images.read(disk, "rom.py", images.Place(volume=name)) == b"1"
    (second,) = images.ls(disk, images.Place(region=(0x10000, 0x10000)))
    assert second.volume.start == 0x10000
    for wrong in ("3", "flash"):
        with pytest.raises(UsageError):
            images.ls(disk, images.Place(volume=wrong))
    done = images.extract(disk, tmp_path / "out", images.Place(volume="2"))
    assert (done.volume, done.others) == ("0x20000", ("0x0", "0x10000"))


def test_sizes_and_regions() -> None:
    assert [images.parse_size(text) for text in ("4096", "0x1000", "64K", "2M", "1MiB")] == [
        4096,
        4096,
        65536,
        2 << 20,
        1 << 20,
    ]
    assert images.parse_region("0x100A0000,1408K") == (0x100A0000, 1408 << 10)
    for text in ("", "zz", "-1", "5G", "0x100000000"):
        with pytest.raises(UsageError):
            images.parse_size(text)
    for text in ("5", "0,0", "0,zz", "0xFFFFFFFF,2"):
        with pytest.raises(UsageError):
            images.parse_region(text)


def test_damage_is_in_the_listing_and_nothing_is_changed(src: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    images.mkfs(disk, [src], size=64 << 10)
    with images.opened(disk) as found:
        used = found.tree().used_blocks()
    data = bytearray(disk.read_bytes())
    for offset in used:
        if offset >= 8192:
            data[offset : offset + 64] = bytes(64)
    disk.write_bytes(data)
    (listed,) = images.ls(disk)
    assert listed.damage
    for change in (lambda: images.add(disk, [src]), lambda: images.rm(disk, ["src/main.py"])):
        with pytest.raises(ImageError):
            change()
    assert disk.read_bytes() == data


def test_refusals_leave_all_as_it_is(firmware: Path, src: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    images.mkfs(disk, [src], size=64 << 10)
    (tmp_path / "big").write_bytes(bytes(100 << 10))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    new = tmp_path / "new.img"
    for error, call in {
        NoRoomError: lambda: images.add(disk, [tmp_path / "big"]),
        LocalFileError: lambda: images.add(disk, [tmp_path / "nothere"]),
        UsageError: lambda: images.mkfs(new),
        ImageError: lambda: images.mkfs(new, board="NOBOARD", version="1.26"),
    }.items():
        with pytest.raises(error):
            call()
    for call in (
        lambda: images.mkfs(new, board="PYBV11"),
        lambda: images.mkfs(new, size=64 << 10, version="new"),
        lambda: images.read(firmware, "main.py"),
        lambda: images.read(disk, "nothere"),
        lambda: images.ls(src / "main.py"),
    ):
        with pytest.raises(UpytoolError) as caught:
            call()
        assert caught.value.exit_code in (2, 7)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_board_without_a_known_layout_is_a_warning(tmp_path: Path) -> None:
    disk, seen = tmp_path / "disk.bin", Recorder()
    disk.write_bytes(program("1.27.0", fs=None))
    with pytest.raises(ImageError):
        images.ls(disk, images.Place(board="NOBOARD", version="1.26"), reporter=seen)
    assert [each.level for each in seen.of(Notice)] == ["warning"]


# -- boards -------------------------------------------------------------------------------------------


def test_on_a_board(firmware: Path, src: Path, tmp_path: Path) -> None:
    images.add(firmware, [f"{src}/"])
    board, seen = Board().holds(firmware), Recorder()
    (listed,) = images.ls(board, reporter=seen)
    assert ([each.path for each in listed.entries or ()], listed.usage) == (["lib", "lib/data.bin", "main.py"], None)
    assert images.read(board, "main.py") == MAIN
    assert images.diff(board, board) == images.diff(board, firmware) == []
    (src / "good.py").write_bytes(b"good")
    added = images.add(board, [src / "good.py"], reporter=seen)
    assert (added.on_board, added.written > 0, added.paths) == (True, True, ("good.py",))
    removed = images.rm(board, ["main.py"])
    assert removed.output == board.model.target().name
    assert contents(board) == {"good.py": b"good", "lib/data.bin": DATA}
    assert images.extract(board, tmp_path / "saved").files == {"good.py": 4, "lib/data.bin": len(DATA)}
    assert board.opened == board.closed


def test_a_board_is_not_opened_for_what_is_wrong_before(src: Path, tmp_path: Path) -> None:
    board = Board()
    for error, call in {
        LocalFileError: lambda: images.add(board, [tmp_path / "nothere"]),
        UsageError: lambda: images.add(board, [src], output=tmp_path / "out.uf2"),
    }.items():
        with pytest.raises(error):
            call()
    with pytest.raises(UsageError):
        images.rm(board, ["main.py"], output=tmp_path / "out.uf2")
    assert board.opened == 0


def test_a_board_is_let_go_whatever_happens(firmware: Path, src: Path) -> None:
    images.add(firmware, [f"{src}/"])
    for failing in ("read", "program"):
        board = Board().holds(firmware)

        def fault(step: str, done: int, failing: str = failing) -> None:
            if step == failing:
                raise ConnectionLostError("the model was unplugged")

        board.model.fault = fault
        with pytest.raises(ConnectionLostError):
            images.add(board, [src])
        assert (board.opened, board.closed) == (1, 1)
    board.model.abilities = frozenset(("erase",))
    with pytest.raises(FlashError):
        images.ls(board)
    assert board.opened == board.closed


def test_the_environment_is_not_asked(firmware: Path, src: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("UPYTOOL")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UPYTOOL_DEVICE", "/dev/ttyNOPE")
    images.add(firmware, [src / "main.py"])
    assert contents(firmware) == {"main.py": MAIN}
