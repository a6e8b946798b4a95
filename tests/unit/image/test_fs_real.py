"""Built here, mounted by real MicroPython; made by MicroPython, read here. And each trap, sprung on purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.rigs.fixtures import Boards
from tests.rigs.qemu import Qemu
from tests.rigs.unix import Unix
from tests.unit.image.fs_board import FsBoard
from tests.unit.image.fs_samples import sample, tree_of
from upytool.device.connect import connect
from upytool.errors import RemoteException
from upytool.image.blocks import BytesBlocks
from upytool.image.fat import FatTree, build_fat
from upytool.image.lfs1 import Lfs1Tree
from upytool.image.littlefs import Lfs2Tree, LfsParameters, build_littlefs, lfs_parameters
from upytool.image.tree import FileTree
from upytool.image.volume import build_fs

pytestmark = pytest.mark.rig

FILES = sample()
SIZE = 512 << 10
MAKE = """
os.mkdir('/m/lib')
for i in range(40):
    with open('/m/lib/file_with_a_long_name_%02d.py' % i, 'wb') as f: f.write(bytes([i]) * (i * 50))
with open('/m/Big.bin', 'wb') as f:
    for i in range(100): f.write(bytes([i]) * 300)
with open('/m/gone', 'w') as f: f.write('x' * 5000)
os.remove('/m/gone')
os.rename('/m/lib/file_with_a_long_name_03.py', '/m/moved.py')
open('/m/empty', 'w').close()
"""
MADE: dict[str, bytes] = {
    "Big.bin": b"".join(bytes([i]) * 300 for i in range(100)),
    "empty": b"",
    "moved.py": b"\x03" * 150,
    **{f"lib/file_with_a_long_name_{i:02}.py": bytes([i]) * (i * 50) for i in range(40) if i != 3},
}


@pytest.fixture
def board(boards: Boards) -> FsBoard:
    rig = boards.fresh("unix")
    assert isinstance(rig, Unix)
    return FsBoard(rig)


def _directories(files: dict[str, bytes | None]) -> int:
    return sum(data is None for data in files.values())


PORTS = {
    "rp2": lfs_parameters("rp2", SIZE),
    "rp2 before 1.22": lfs_parameters("rp2", SIZE, release=(1, 20, 0)),
    "esp32": lfs_parameters("esp32", SIZE),
    "samd51": lfs_parameters("samd", SIZE),
    "stm32": lfs_parameters("stm32", SIZE),
}


@pytest.mark.parametrize("parameters", PORTS.values(), ids=PORTS.keys())
@pytest.mark.parametrize("packed", [True, False])
def test_littlefs_is_mounted(board: FsBoard, parameters: LfsParameters, packed: bool) -> None:
    built = build_littlefs(FILES, parameters, directories=["void"], packed=packed)
    seen = board.look("VfsLfs2", built.to_bytes(), parameters.block_size)
    assert seen.files == tree_of(FILES, ("void",))
    usage = Lfs2Tree(BytesBlocks(built.to_bytes())).usage()
    size, _, total, free = seen.statvfs[:4]
    # os.statvfs counts the pairs of directories twice (extmod/vfs_lfsx.c asks for orphans as well).
    assert (size, total) == (usage.block_size, usage.blocks)
    assert free == usage.blocks - usage.used - 2 * _directories(seen.files)
    assert (size, total) == (parameters.block_size, parameters.block_count)


def test_littlefs1_is_mounted_and_can_be_written(board: FsBoard) -> None:
    size = 1536 * 400
    built = build_fs("littlefs", size, FILES, port="samd", chip="samd21g18a", directories=["void"])
    assert built.kind == "littlefs1"
    image = built.to_bytes()
    seen = board.look("VfsLfs1", image, 1536)
    assert seen.files == tree_of(FILES, ("void",))
    usage = Lfs1Tree(BytesBlocks(image)).usage()
    assert seen.statvfs[2:4] == (usage.blocks, usage.blocks - usage.used)
    changed = board.change(
        "VfsLfs1", image, "os.rename('/m/main.py', '/m/lib/x.py')\nos.mkdir('/m/d')\nf = open('/m/d/n','w')\n"
        "f.write('n' * 9000)\nf.close()\nos.remove('/m/data/big.bin')", 1536,
    )  # fmt: skip
    tree = Lfs1Tree(BytesBlocks(changed))
    expected = {**FILES, "lib/x.py": FILES["main.py"], "d/n": b"n" * 9000}
    del expected["main.py"], expected["data/big.bin"]
    assert tree.files() == expected


@pytest.mark.parametrize(("size", "sector"), [(112 << 10, 512), (2 << 20, 512), (12 << 20, 1024), (1 << 20, 4096)])
def test_fat_is_mounted_and_can_be_written(board: FsBoard, size: int, sector: int) -> None:
    built = build_fat(FILES, size, sector=sector, label="PYBFLASH", directories=["void"])
    image = built.to_bytes()
    seen = board.look("VfsFat", image, sector)
    assert seen.files == tree_of(FILES, ("void",))
    usage = FatTree(BytesBlocks(image)).usage()
    assert seen.statvfs[0] == usage.block_size
    assert seen.statvfs[2:4] == (usage.blocks, usage.blocks - usage.used)
    changed = board.change(
        "VfsFat", image, "os.rename('/m/main.py', '/m/lib/x.py')\nos.mkdir('/m/new directory')\n"
        "f = open('/m/new directory/n','w')\nf.write('n' * 9000)\nf.close()\nos.remove('/m/data/big.bin')", sector,
    )  # fmt: skip
    expected = {**FILES, "lib/x.py": FILES["main.py"], "new directory/n": b"n" * 9000}
    del expected["main.py"], expected["data/big.bin"]
    assert FatTree(BytesBlocks(changed)).files() == expected


def _after_all_verbs(tree: FileTree) -> dict[str, bytes | None]:
    tree.write("boot.py", b"import x\n" * 400)
    tree.write("data/big.bin", b"small now")
    tree.rename("main.py", "main.py.off-1")
    tree.rename("a", "lib/Moved Directory")
    tree.mkdir("new/dir")
    tree.remove("pkg", recursive=True)
    for number in range(30):
        tree.write(f"lib/another long name {number}.bin", bytes([number]) * number * 40)
    tree.check()
    return {entry.path: None if entry.directory else tree.read(entry.path) for entry in tree.entries()}


def _apply(image: bytes, tree: FileTree) -> bytes:
    out = bytearray(image)
    for offset, data in tree.steps():
        out[offset : offset + len(data)] = data
    return bytes(out)


@pytest.mark.parametrize("kind", ["VfsLfs2", "VfsLfs1", "VfsFat"])
def test_what_was_changed_here_is_mounted(board: FsBoard, kind: str) -> None:
    if kind == "VfsFat":
        built, size = build_fat(FILES, SIZE), 512
        tree: FileTree = FatTree(BytesBlocks(built.to_bytes()))
    else:
        size = 4096
        built = build_littlefs(FILES, LfsParameters(SIZE, v1=kind == "VfsLfs1"))
        tree = (Lfs1Tree if kind == "VfsLfs1" else Lfs2Tree)(BytesBlocks(built.to_bytes()))
    expected = _after_all_verbs(tree)
    assert expected["lib/Moved Directory/b/c/deep.txt"] == b"deep"
    seen = board.look(kind, _apply(built.to_bytes(), tree), size)
    assert seen.files == expected
    usage = tree.usage()
    twice = 2 * _directories(expected) if kind == "VfsLfs2" else 0
    assert seen.statvfs[2:4] == (usage.blocks, usage.blocks - usage.used - twice)


@pytest.mark.parametrize(
    ("kind", "size"), [("VfsLfs2", 4096), ("VfsLfs2", 512), ("VfsLfs1", 1536), ("VfsFat", 512), ("VfsFat", 4096)]
)
def test_what_micropython_made_is_read_and_changed(board: FsBoard, kind: str, size: int) -> None:
    image = board.make(kind, size * 400, MAKE, size)
    source = BytesBlocks(image)
    tree: FileTree
    tree = {"VfsLfs2": Lfs2Tree, "VfsLfs1": Lfs1Tree, "VfsFat": FatTree}[kind](source)
    assert tree.files() == MADE
    tree.write("added.py", b"added" * 1000)
    tree.remove("lib/file_with_a_long_name_20.py")
    tree.check()
    expected = {**MADE, "added.py": b"added" * 1000}
    del expected["lib/file_with_a_long_name_20.py"]
    assert board.look(kind, _apply(image, tree), size).files == tree_of(expected)


def test_the_fat_layout_is_the_one_that_micropython_makes(board: FsBoard) -> None:
    for size, sector in ((112 << 10, 512), (1 << 20, 512), (9 << 20, 512), (1 << 20, 4096)):
        theirs = board.make("VfsFat", size, "", sector)
        ours = build_fat({}, size, sector=sector).to_bytes()
        # Jump, name, and all of the parameter block but the serial number (the time of its making).
        assert ours[:39] == theirs[:39], (size, sector)
        assert ours[43:512] == theirs[43:512], (size, sector)
        boot = ours[:512].replace(ours[39:43], theirs[39:43])
        assert boot == theirs[:512]


# -- traps: each of these is refused, or loses files, without what the builder does --------------------------------


def test_trap_name_max(board: FsBoard) -> None:
    wrong = replace(PORTS["rp2"], name_max=1022)  # what littlefs-python makes of "no limit"
    with pytest.raises(RemoteException, match=r"22|EINVAL|OSError"):
        board.look("VfsLfs2", build_littlefs(FILES, wrong).to_bytes(), 4096)


@pytest.mark.parametrize("blocks", [-4, -1])
def test_trap_block_count(board: FsBoard, blocks: int) -> None:
    wrong = replace(PORTS["rp2"], size=SIZE + 4096 * blocks)
    image = build_littlefs(FILES, wrong).to_bytes().ljust(SIZE, b"\xff")
    with pytest.raises(RemoteException, match=r"22|EINVAL|OSError"):
        board.look("VfsLfs2", image, 4096)


def test_trap_a_fill_without_growing_is_refused(board: FsBoard) -> None:
    """The packed image is made small and grown: without the last step its block count is wrong."""
    from upytool.image import littlefs

    overlay = littlefs._fill({"a": b"1"}, [], PORTS["rp2"], None, 8)
    assert board.look("VfsLfs2", overlay.read(0, SIZE), 4096).files == {"a": b"1"}
    small = littlefs._fill({"a": b"1"}, [], replace(PORTS["rp2"], size=8 * 4096), None, 8)
    with pytest.raises(RemoteException):
        board.look("VfsLfs2", small.read(0, 8 * 4096).ljust(SIZE, b"\xff"), 4096)


def test_trap_stale_halves_of_metadata_pairs(board: FsBoard) -> None:
    """Flash holds an older file system with higher revisions; what is not written shines through."""
    built = build_littlefs(FILES, PORTS["rp2"])
    used = """
for directory in ('', '/lib', '/data', '/a', '/a/b', '/a/b/c', '/pkg'):
    for i in range(60):
        with open('/m' + directory + '/old%d' % (i % 5), 'w') as f: f.write('old' * i)
"""
    old = board.change("VfsLfs2", built.to_bytes(), used, 4096)

    def over(blocks: dict[int, bytes]) -> bytes:
        out = bytearray(old)
        for offset, data in blocks.items():
            out[offset : offset + len(data)] = data
        return bytes(out)

    naive = {offset: data for offset, data in built.blocks.items() if data.strip(b"\xff")}
    assert len(naive) < len(built.blocks)
    right = board.look("VfsLfs2", over(dict(built.blocks)), 4096)
    assert right.files == tree_of(FILES)
    try:
        wrong = board.look("VfsLfs2", over(naive), 4096).files
    except RemoteException:
        wrong = {}
    assert wrong != tree_of(FILES)


# -- a whole board ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["qemu", "qemu-lfs"])
def test_a_board_boots_from_what_was_built(boards: Boards, name: str) -> None:
    """The rig's flash is a file: its file system is replaced by one of ours, and its main.py runs."""
    rig = boards.fresh(name)
    assert isinstance(rig, Qemu)
    size = 1 << 20
    files = {**FILES, "main.py": b"import greet\nf = open('made', 'w')\nf.write(greet.word * 1000)\nf.close()\n"}
    files["greet.py"] = b"word = 'hello'\n"
    kind = "littlefs" if name == "qemu-lfs" else "fat"
    built = build_fs(kind, size, files, port="rp2" if kind == "littlefs" else "")
    with open(rig.flash, "r+b") as flash:
        for offset, data in built.blocks.items():
            flash.seek(offset)
            flash.write(data)
    rig.power_cycle()
    with connect(rig.port) as device:
        assert device.eval("sorted(__import__('os').listdir())") == sorted(
            {path.split("/")[0] for path in files} | {"made"}
        )
    tree: FileTree = {"littlefs": Lfs2Tree, "fat": FatTree}[kind](BytesBlocks(rig.flash.read_bytes()[:size]))
    assert tree.files() == {**files, "made": b"hello" * 1000}
