"""ROMFS without the command line: everything that `romfs` does is a call of upytool.api.romfs and .images."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.fixtures import Boards
from tests.unit.device.boards import board_device
from upytool.api import images, romfs
from upytool.device.device import Device
from upytool.device.info import BoardInfo
from upytool.device.romfs import NoRomfsError
from upytool.errors import BuildError, FlashError, ImageError, LocalFileError, UsageError
from upytool.events import Notice
from upytool.image.romfs import build_romfs
from upytool.testing import Recorder
from upytool.transport.registry import open_transport

DATA = random.Random(1).randbytes(9000)


@pytest.fixture
def lib(tmp_path: Path) -> Path:
    made = tmp_path / "lib"
    (made / "pkg").mkdir(parents=True)
    (made / "mod.py").write_text("value = 'first'\n")
    (made / "pkg" / "__init__.py").write_text("from mod import value\n")
    (made / "pkg-data.bin").write_bytes(DATA)
    (made / ".hidden").write_text("x")
    return made


def paths(volume: images.FsVolume) -> list[str]:
    (listed,) = images.ls(volume)
    return [each.path for each in listed.entries or ()]


def test_an_image_is_read_with_the_verbs_of_every_file_system(lib: Path, tmp_path: Path) -> None:
    out = tmp_path / "lib.romfs"
    made = romfs.build(lib, out)
    assert made.data() == {
        "output": str(out),
        "size": out.stat().st_size,
        "files": ["mod.mpy", "pkg-data.bin", "pkg/__init__.mpy"],
        "compiled": ["mod.mpy", "pkg/__init__.mpy"],
    }
    first = out.read_bytes()
    out.write_bytes(first + bytes(100))  # as a partition has it: more than the image
    image = romfs.fetch(out)
    assert (image.kind, image.size) == ("romfs", len(first))
    assert paths(image) == ["mod.mpy", "pkg", "pkg/__init__.mpy", "pkg-data.bin"]
    assert images.read(image, "pkg-data.bin") == DATA
    assert images.extract(image, tmp_path / "saved").files["pkg-data.bin"] == 9000
    assert images.diff(image, tmp_path / "saved") == []
    plain = romfs.build(lib, tmp_path / "plain.romfs", mpy=False, everything=True, ignore=["pkg-data.bin"])
    assert (plain.files, plain.compiled) == ((".hidden", "mod.py", "pkg/__init__.py"), ())


def test_an_image_that_is_open_cannot_be_saved(lib: Path, tmp_path: Path) -> None:
    romfs.build(lib, tmp_path / "lib.romfs")
    with images.opened(romfs.fetch(tmp_path / "lib.romfs")) as found:
        tree = found.tree()
        with pytest.raises(UsageError):
            found.save(found.choose(), tree)


def test_a_board_that_loads_no_mpy_gets_sources(lib: Path, tmp_path: Path) -> None:
    seen = Recorder()
    made = romfs.build(lib, tmp_path / "x", board=BoardInfo(implementation="circuitpython"), reporter=seen)
    assert (made.compiled, [each.level for each in seen.of(Notice)][:1]) == ((), ["warning"])


def test_what_is_wrong_leaves_nothing(lib: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.romfs"
    (lib / "bad.py").write_text("def f(:\n")
    with pytest.raises(BuildError):
        romfs.build(lib, out)
    for wrong in ({"arch": "z80"}, {"mpy_version": "4"}):
        with pytest.raises(UsageError):
            romfs.build(lib, out, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        romfs.build(lib / "mod.py", out)
    with pytest.raises(LocalFileError):
        romfs.fetch(out)
    with pytest.raises(ImageError) as caught:
        romfs.fetch(lib / "mod.py")
    assert str(lib / "mod.py") in caught.value.message
    assert not out.exists()


def test_a_board_without_romfs(lib: Path) -> None:
    with board_device() as board:
        for call in (
            lambda: romfs.query(board),
            lambda: romfs.fetch(board),
            lambda: romfs.deploy(board, lib, mpy=False),
        ):
            with pytest.raises(NoRomfsError):
                call()


@pytest.fixture
def board(boards: Boards) -> Iterator[Device]:
    """Real MicroPython with ROM partitions, on qemu."""
    with Device(open_transport(boards.fresh("qemu-rom").port)) as made:
        yield made


@pytest.mark.rig
def test_a_partition_from_empty_to_full(board: Device, lib: Path, tmp_path: Path) -> None:
    assert [each.data() | {"head": ""} for each in romfs.query(board)] == [
        {"partition": number, "size": size, "unit": 4096, "block_device": False, "image_size": None, "head": ""}
        for number, size in ((0, 524288), (1, 262144))
    ]
    with pytest.raises(ImageError):
        romfs.fetch(board)
    done = romfs.deploy(board, lib)
    assert (done.partition, done.written, done.reset, done.mounted) == (0, done.size, True, True)
    assert board.exec("import mod; print(mod.__file__)").split() == ["/rom/mod.mpy"]
    (first,) = romfs.query(board, 0)
    assert (first.image_size, first.damaged) == (done.size, False)
    image = romfs.fetch(board)
    assert paths(image) == ["mod.mpy", "pkg", "pkg/__init__.mpy", "pkg-data.bin"]
    assert romfs.deploy(board, image).written == 0

    file = tmp_path / "lib.romfs"
    romfs.build(lib, file, mpy=False)
    assert romfs.deploy(board, file, 1, reset=False).reset is False
    assert images.diff(romfs.fetch(board, 1), romfs.fetch(file)) == []
    assert images.read(romfs.fetch(board, 1), "mod.py") == (lib / "mod.py").read_bytes()

    with pytest.raises(UsageError):
        romfs.query(board, 2)
    file.write_bytes(build_romfs({"a": bytes(270_000)}))
    with pytest.raises(FlashError):
        romfs.deploy(board, file, 1)
    assert paths(romfs.fetch(board, 1))[0] == "mod.py"
