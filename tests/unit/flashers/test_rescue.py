"""Files of a board in its bootloader: a model of the loader, real file systems.

The real boot ROM is in tests/cli/test_image.py.
"""

from __future__ import annotations

import pytest

from tests.fakes.loader_model import ALL, BASE, ModelBoard, ModelLoader, PowerCut, program
from upytool.errors import FlashError, ImageError
from upytool.flashers.base import FileSystem
from upytool.flashers.rescue import Moved, apply, board_volumes, disable, restore
from upytool.image.volume import FsVolume, Region, build_fs

START, SIZE = BASE + 0xA0000, 0x160000
FILES = {"main.py": b"while True: pass\n", "boot.py": b"pass\n", "lib/a.py": b"a = 1\n", "data": bytes(60000)}


def board(kind: str = "littlefs", files: dict[str, bytes] = FILES, port: str = "rp2") -> ModelBoard:
    made = ModelBoard(state="bootloader").load(program())
    for offset, data in build_fs(kind, SIZE, files, port=port).blocks.items():
        made.load(data, START + offset)
    return made


def found(loader: ModelLoader, regions: tuple[Region, ...] = ()) -> list[FsVolume]:
    return board_volumes(loader, regions=regions)


def files(model: ModelBoard) -> dict[str, bytes]:
    (volume,) = found(ModelLoader(model))
    return volume.open().files()


@pytest.mark.parametrize("kind", ["littlefs", "fat"])
def test_out_of_the_way_and_back(kind: str) -> None:
    model = board(kind)
    loader = ModelLoader(model)
    moved = disable(loader, found(loader))
    assert moved.renamed == (("/main.py", "/main.py.off-1"),)
    assert 0 < moved.written <= 4096
    wanted = {("main.py.off-1" if path == "main.py" else path): data for path, data in FILES.items()}
    assert files(model) == wanted
    again = disable(loader, found(loader), ("main.py", "boot.py"))
    assert again.renamed == (("/boot.py", "/boot.py.off-1"),)
    back = restore(loader, found(loader))
    assert sorted(back.renamed) == [("/boot.py.off-1", "/boot.py"), ("/main.py.off-1", "/main.py")]
    assert files(model) == FILES
    assert restore(loader, found(loader)) == Moved(())


def test_nothing_is_overwritten() -> None:
    model = board(files={"main.py": b"new", "main.py.off-1": b"old", "main.py.off-x": b"", "main.py.off-7": b"seven"})
    loader = ModelLoader(model)
    assert restore(loader, found(loader)) == Moved((), ("/main.py",))
    assert disable(loader, found(loader)).renamed == (("/main.py", "/main.py.off-8"),)
    assert restore(loader, found(loader)).renamed == (("/main.py.off-8", "/main.py"),)
    assert files(model)["main.py.off-7"] == b"seven"


def test_little_is_read() -> None:
    """Of 700 kB only the metadata, to list and to rename."""
    model = board(files={**FILES, "huge": bytes(700 << 10)})
    loader = ModelLoader(model)
    sizes: list[int] = []
    read = loader.read

    def counted(address: int, size: int, **more: object) -> bytes:
        sizes.append(size)
        return read(address, size)

    loader.read = counted  # type: ignore[method-assign,assignment]
    (volume,) = found(loader)
    assert len(volume.open().entries()) == 6
    assert sum(sizes) < 40_000
    assert disable(loader, [volume]).renamed
    assert sum(sizes) < 80_000


@pytest.mark.parametrize("kind", ["littlefs", "fat"])
def test_a_power_cut_leaves_the_old_or_the_new_name(kind: str) -> None:
    """Between erase and write, at each step; then it is done again, and succeeds."""
    for cut in range(1, 4):
        model = board(kind)
        steps = [0]

        def fault(step: str, done: int, steps: list[int] = steps, cut: int = cut) -> None:
            if step == "program" and done:
                steps[0] += 1
                if steps[0] == cut:
                    raise PowerCut("the board went away")

        model.fault = fault
        loader = ModelLoader(model)
        if cut == 1:
            with pytest.raises(PowerCut):
                disable(loader, found(loader))
        else:
            disable(loader, found(loader))  # one erase unit is all that a rename takes
        model.fault = lambda step, done: None
        if kind == "fat":
            continue  # a FAT has no second copy of its root directory: see docs/guides/images.md
        now = files(ModelBoard(flash=model.flash))
        assert ("main.py" in now) != ("main.py.off-1" in now)
        assert now["data"] == FILES["data"]
        disable(loader, found(loader))
        assert "main.py.off-1" in files(model)


def test_many_changes_survive_power_cuts() -> None:
    whole = board(files={"old": b"1"})
    writes = [0]
    whole.fault = lambda step, done: writes.__setitem__(0, writes[0] + bool(done))
    loader = ModelLoader(whole)
    (volume,) = found(loader)

    def change(loader: ModelLoader, volume: FsVolume) -> None:
        tree = volume.open()
        for number in range(8):
            tree.write(f"f{number}", bytes([number]) * 6000)
        apply(loader, volume, tree)

    change(loader, volume)
    assert len(files(whole)) == 9
    assert writes[0] > 16
    for cut in range(1, writes[0] + 1, 3):
        model = board(files={"old": b"1"})
        count = [0]

        def fault(step: str, done: int, count: list[int] = count, cut: int = cut) -> None:
            count[0] += bool(done)
            if count[0] == cut:
                raise PowerCut("the board went away")

        model.fault = fault
        loader = ModelLoader(model)
        with pytest.raises(PowerCut):
            change(loader, found(loader)[0])
        now = files(ModelBoard(flash=model.flash))
        assert now.pop("old") == b"1"
        assert all(data in (b"", bytes([int(path[1:])]) * 6000) for path, data in now.items())


def test_a_board_that_stores_something_else_is_told() -> None:
    model = board()
    (volume,) = found(ModelLoader(model))

    class Silent(ModelLoader):
        def program_memory(self, memory, options, *, reporter=None):  # type: ignore[no-untyped-def]
            from upytool.flashers.base import Programmed

            return Programmed(memory.size, memory.size, memory.size, 0)

    tree = volume.open()
    tree.write("x", b"1")
    with pytest.raises(FlashError, match="verification failed") as caught:
        apply(Silent(model), volume, tree)
    assert caught.value.state


def test_a_boot_loader_that_does_not_read() -> None:
    model = board()
    model.abilities = ALL - {"read"}
    with pytest.raises(FlashError, match="does not let flash be read"):
        found(ModelLoader(model))


def test_no_file_system_or_a_damaged_one() -> None:
    empty = ModelBoard(state="bootloader").load(program())
    loader = ModelLoader(empty)
    assert [volume.problem for volume in found(loader)] == ["it is erased"]
    with pytest.raises(ImageError, match="no file system was found"):
        disable(loader, found(loader))
    model = board()
    model.flash[START - BASE + 4096 : START - BASE + 8192] = b"\x11" * 4096
    model.flash[START - BASE + 40 : START - BASE + 60] = b"\x11" * 20
    before = bytes(model.flash)
    loader = ModelLoader(model)
    with pytest.raises(ImageError):
        disable(loader, found(loader))
    assert model.flash == before


def test_what_the_board_said_and_what_the_user_says() -> None:
    model = ModelBoard(state="bootloader").load(program(fs=None))
    for offset, data in build_fs("littlefs", SIZE, FILES, port="rp2").blocks.items():
        model.load(data, START + offset)
    loader = ModelLoader(model)
    for volumes in (
        board_volumes(loader, known=[FileSystem(START, SIZE, "", "board")]),
        board_volumes(loader, regions=[Region(START, SIZE)]),
        board_volumes(loader, known=[FileSystem(-1, SIZE, "", "board")]),  # a start that its REPL cannot tell
        board_volumes(loader),  # nothing is known: all of the flash is searched
    ):
        assert [(each.start, each.kind) for each in volumes] == [(START, "littlefs2")]
