"""LittleFS: the reader, the builder, changes; power cuts; damage. Real MicroPython: test_fs_real.py."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.unit.image.fs_samples import sample, tree_of
from upytool.errors import ImageError
from upytool.image.blocks import BytesBlocks, Overlay, ReadBlocks
from upytool.image.fs_build import build_fs
from upytool.image.lfs1 import Lfs1Tree
from upytool.image.lfs2_reader import Lfs2Reader, read_superblock
from upytool.image.littlefs import Lfs2Tree, LfsParameters, _Engine, _Medium, build_littlefs, lfs_parameters
from upytool.image.tree import FileTree, NoRoomError

FILES = sample()
PICO = lfs_parameters("rp2", 1441792)
SMALL = lfs_parameters("rp2", 512 << 10)
V1 = LfsParameters(1536 * 341, 1536, v1=True)


def opened(image: bytes) -> FileTree:
    found = read_superblock(BytesBlocks(image))
    assert found is not None
    return (Lfs1Tree if found.v == 1 else Lfs2Tree)(BytesBlocks(image))


def seen(tree: FileTree) -> dict[str, bytes | None]:
    return {entry.path: None if entry.directory else tree.read(entry.path) for entry in tree.entries()}


@pytest.mark.parametrize(
    ("port", "size", "more", "block", "count", "version"),
    [
        ("rp2", 1408 << 10, {}, 4096, 352, 0x20001),
        ("rp2", 1408 << 10, {"release": (1, 22, 0)}, 4096, 352, 0x20001),
        ("rp2", 1408 << 10, {"release": (1, 21, 0)}, 4096, 352, 0x20000),
        ("esp32", 2 << 20, {"release": (1, 28, 0)}, 4096, 512, 0x20001),
        ("samd", 64 << 10, {"chip": "samd51j19a"}, 2048, 32, 0x20001),
        ("samd", 64 << 10, {"chip": "samd51j19a", "release": (1, 25, 0)}, 1536, 42, 0x20001),
        ("nrf", 64 << 10, {"chip": "nrf51822"}, 1024, 64, 0x20001),
        ("stm32", 512 << 10, {}, 512, 1024, 0x20001),
    ],
)
def test_parameters_of_each_port(
    port: str, size: int, more: dict[str, Any], block: int, count: int, version: int
) -> None:
    parameters = lfs_parameters(port, size, **more)
    image = build_littlefs({"a": b"1"}, parameters).to_bytes()
    found = read_superblock(BytesBlocks(image))
    assert found is not None
    assert (found.block_size, found.block_count, found.version, found.name_max) == (block, count, version, 255)
    assert (found.v, found.version_text) == (2, f"2.{version & 1}")


@pytest.mark.parametrize("block_size", [104, 129, 1000, 4095, 1 << 19])
def test_sizes_that_littlefs_would_abort_for_are_refused(block_size: int) -> None:
    with pytest.raises(ImageError, match=r"LittleFS needs|littlefs has no use"):
        build_littlefs({"a": b"1"}, lfs_parameters("rp2", 512 << 10, block_size=block_size))


def test_samd21_has_version_1() -> None:
    parameters = lfs_parameters("samd", 64 << 10, chip="samd21g18a")
    built = build_littlefs({"main.py": b"1"}, parameters)
    assert (built.kind, built.block_size, built.size) == ("littlefs1", 1536, 42 * 1536)
    with pytest.raises(ImageError, match="two blocks"):
        lfs_parameters("samd", 0)


@pytest.mark.parametrize("parameters", [PICO, SMALL, V1, lfs_parameters("stm32", 512 << 10)])
@pytest.mark.parametrize("packed", [True, False])
def test_built_read_and_the_same_again(parameters: LfsParameters, packed: bool) -> None:
    built = build_littlefs(FILES, parameters, directories=["void"], packed=packed)
    tree = opened(built.to_bytes())
    assert seen(tree) == tree_of(FILES, ("void",))
    assert sorted(built.blocks) == tree.used_blocks()
    assert tree.usage().used == len(built.blocks)
    turned = dict(reversed(FILES.items()))
    assert build_littlefs(turned, parameters, directories=["void"], packed=packed).blocks == built.blocks
    assert all(len(data) == parameters.block_size for data in built.blocks.values())


def test_packed_is_at_the_start() -> None:
    packed, loose = (build_littlefs(FILES, PICO, packed=packed) for packed in (True, False))
    ends = [max(offset + len(data) for offset, data in built.blocks.items()) for built in (packed, loose)]
    assert ends[0] <= packed.written + 2 * 4096
    assert ends[1] > 2 * ends[0]
    found = read_superblock(BytesBlocks(packed.to_bytes()))
    assert found is not None
    assert found.block_count == 352


def test_both_halves_of_each_pair_are_written() -> None:
    built = build_littlefs(FILES, SMALL)
    reader = Lfs2Reader(BytesBlocks(built.to_bytes()))
    pairs = [number * 4096 for metadata in reader.chain for number in metadata.pair]
    assert set(pairs) <= set(built.blocks)
    assert any(not built.blocks[offset].strip(b"\xff") for offset in pairs)


def test_files_have_a_fixed_time() -> None:
    reader = Lfs2Reader(BytesBlocks(build_littlefs(FILES, SMALL).to_bytes()))
    times = {node.attributes[1] for node in reader.entries.values() if not node.directory}
    assert times == {(946684800 * 10**9).to_bytes(8, "little")}
    none = Lfs2Reader(BytesBlocks(build_littlefs(FILES, SMALL, epoch=None).to_bytes()))
    assert not any(node.attributes for node in none.entries.values())


@pytest.mark.parametrize("parameters", [SMALL, replace(V1, size=64 * 1536)])
def test_what_does_not_fit(parameters: LfsParameters) -> None:
    with pytest.raises(ImageError, match="do not fit"):
        build_littlefs({"big": bytes(600 << 10)}, parameters)
    with pytest.raises(ImageError, match="do not fit"):
        build_littlefs({f"f{i}": bytes(4000) for i in range(150)}, parameters)


def test_many_small_files_that_do_not_fit() -> None:
    """littlefs calls the name too long that no directory has room for."""
    files = {f"lib/f{number:03}.mpy": bytes(60) for number in range(300)}
    with pytest.raises(NoRoomError, match="do not fit"):
        build_littlefs(files, replace(SMALL, size=16 * 4096))


@pytest.mark.parametrize("port", ["", "stm32", "samd21"])
def test_how_many_bytes_are_too_many(port: str) -> None:
    """Counted by making it where there is room, for version 1 as well."""
    make = partial(build_fs, "littlefs", port="samd" if port == "samd21" else port, chip=port)
    files = {f"f{number}": bytes(1000) for number in range(70)}
    with pytest.raises(NoRoomError, match=r"bytes too many$") as caught:
        make(64 << 10, files)
    over = caught.value.over
    assert make((64 << 10) + over + (32 << 10), files).written >= 64 << 10
    with pytest.raises(NoRoomError):
        make((64 << 10) + over - 4096, files)


@pytest.mark.parametrize("size", [128, 129, 512, 513])
def test_a_file_in_its_directory_is_no_larger_than_the_boards_cache(size: int) -> None:
    """An ESP32 mounts with a cache of 128 bytes, and can't open a larger file that lies in its directory."""
    parameters = lfs_parameters("esp32", 64 << 10)
    assert parameters.cache_size == 128
    reader = Lfs2Reader(BytesBlocks(build_littlefs({"x": bytes(size)}, parameters).to_bytes()))
    assert (reader.entries["x"].struct == 0x201) is (size <= 128)


def test_building_reads_whole_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each read is a call of C into Python: in steps of 32 bytes they were most of a build's time."""
    reads: list[int] = []
    real = _Medium.read

    def read(self: Any, cfg: Any, block: int, off: int, size: int) -> bytes:
        reads.append(size)
        return real(self, cfg, block, off, size)

    monkeypatch.setattr(_Medium, "read", read)
    build_littlefs({f"f{number}.mpy": bytes(3000) for number in range(50)}, lfs_parameters("rp2", 1408 << 10))
    assert len(reads) < 3000, "a step of 32 bytes made 200,000 of it"


@pytest.mark.parametrize("path", ["", "a/../b", "x\0", "n" * 256, "/".join("d" * 70)])
def test_paths_that_cannot_be(path: str) -> None:
    with pytest.raises(ImageError):
        build_littlefs({path: b""}, SMALL)


def test_a_file_and_a_directory_of_one_name() -> None:
    with pytest.raises(ImageError) as raised:
        build_littlefs({"a": b"", "a/b": b""}, SMALL)
    assert raised.value.code == "image.file-and-directory"
    with pytest.raises(ImageError, match="twice"):
        build_littlefs({"a": b"", "/a": b""}, SMALL)


def verbs(tree: FileTree) -> None:
    tree.write("boot.py", b"import x\n" * 300)
    tree.write("lib/greet.mpy", b"small now")
    tree.rename("main.py", "main.py.off-1")
    tree.rename("a/b", "lib/moved")
    tree.mkdir("new/dir")
    tree.remove("pkg", recursive=True)
    tree.remove("empty")


@pytest.mark.parametrize("parameters", [SMALL, V1, lfs_parameters("stm32", 256 << 10)])
def test_changes(parameters: LfsParameters) -> None:
    image = bytearray(build_littlefs(FILES, parameters).to_bytes())
    tree = opened(bytes(image))
    assert tree.steps() == []
    verbs(tree)
    tree.check()
    expected = {path: data for path, data in FILES.items() if not path.startswith("pkg/") and path != "empty"}
    expected["boot.py"], expected["lib/greet.mpy"] = b"import x\n" * 300, b"small now"
    expected["main.py.off-1"] = expected.pop("main.py")
    expected["lib/moved/c/deep.txt"] = expected.pop("a/b/c/deep.txt")
    wanted = tree_of(expected, ("new/dir", "a"))
    assert seen(tree) == wanted
    for offset, data in tree.steps():
        image[offset : offset + len(data)] = data
    assert seen(opened(bytes(image))) == wanted


@pytest.mark.parametrize("v1", [False, True])
def test_refusals(v1: bool) -> None:
    tree = opened(build_littlefs(FILES, replace(SMALL, v1=v1)).to_bytes())
    for work, words in (
        (lambda: tree.read("none"), "there is no none"),
        (lambda: tree.read("lib"), "is a directory"),
        (lambda: tree.remove("lib"), "not empty"),
        (lambda: tree.rename("main.py", "empty"), "empty already exists"),
        (lambda: tree.rename("lib", "lib/x"), "into itself"),
        (lambda: tree.write("lib", b""), "is a directory"),
        (lambda: tree.write("main.py/x", b""), "is a file"),
        (lambda: tree.mkdir("main.py"), "is a file"),
        (lambda: tree.mkdir("x/y", parents=False), "there is no x"),
    ):
        with pytest.raises(ImageError, match=words):
            work()
    tree.write("main.py", FILES["main.py"])
    assert tree.steps() == []


def test_a_full_one_keeps_its_files() -> None:
    tree = opened(build_littlefs(FILES, SMALL).to_bytes())
    with pytest.raises(ImageError, match="no room"):
        tree.write("big", bytes(600 << 10))


# -- power cuts ---------------------------------------------------------------------------------------------------


def torn(old: bytes, new: bytes) -> list[bytes]:
    """What an erase unit may hold when the power goes while it is written."""
    return [b"\xff" * len(new), new[:256] + b"\xff" * (len(new) - 256), new[: len(new) // 2] + old[len(new) // 2 :]]


def cuts(parameters: LfsParameters, change: Callable[[FileTree], None], states: list[dict[str, bytes | None]]) -> int:
    """Cut the power before, within and after each step of a change: only known states may be there."""
    image = bytearray(build_littlefs(FILES, parameters).to_bytes())
    tree = opened(bytes(image))
    change(tree)
    tried = 0
    for offset, data in tree.steps():
        old = bytes(image[offset : offset + len(data)])
        for content in (old, *torn(old, data), data):
            image[offset : offset + len(data)] = content
            assert seen(opened(bytes(image))) in states, f"block {offset // parameters.block_size}"
            tried += 1
    assert seen(opened(bytes(image))) == states[-1]
    return tried


@pytest.mark.parametrize("parameters", [SMALL, PICO, replace(SMALL, disk_version=0x20000)])
def test_a_rename_survives_a_power_cut(parameters: LfsParameters) -> None:
    moved = {("main.py.off-1" if path == "main.py" else path): data for path, data in FILES.items()}
    assert cuts(parameters, lambda tree: tree.rename("main.py", "main.py.off-1"), [tree_of(FILES), tree_of(moved)])


def test_a_rename_in_a_new_directory_survives_a_power_cut() -> None:
    """One half of its pair was never written before."""
    moved = {("lib/other.mpy" if path == "lib/greet.mpy" else path): data for path, data in FILES.items()}
    work = cuts(SMALL, lambda tree: tree.rename("lib/greet.mpy", "lib/other.mpy"), [tree_of(FILES), tree_of(moved)])
    assert work == 5


def test_many_changes_survive_power_cuts() -> None:
    def change(tree: FileTree) -> None:
        for number in range(25):
            tree.write(f"new {number}", bytes([number]) * 3000)
        tree.rename("main.py", "main.py.off-1")

    # A new file is empty for a moment: its entry comes first.
    states, now = [tree_of(FILES)], dict(FILES)
    for number in range(25):
        states.append(tree_of({**now, f"new {number}": b""}))
        now[f"new {number}"] = bytes([number]) * 3000
        states.append(tree_of(now))
    now["main.py.off-1"] = now.pop("main.py")
    assert cuts(SMALL, change, [*states, tree_of(now)]) > 100


def test_in_place_commits_would_not_survive() -> None:
    """What `ordered` is for: littlefs appends to a block, and a bootloader has to erase it for that."""
    from upytool.image import littlefs

    image = bytearray(build_littlefs(FILES, SMALL).to_bytes())
    overlay = Overlay(BytesBlocks(bytes(image)), 4096)
    engine = littlefs._Engine(littlefs._Medium(overlay, ordered=False), SMALL)
    engine.rename("lib/greet.mpy", "lib/other.mpy")
    steps = overlay.steps()
    assert len(steps) == 1
    image[steps[0][0] : steps[0][0] + 4096] = b"\xff" * 4096
    with pytest.raises(ImageError, match="neither block"):
        opened(bytes(image))


# -- reading little ----------------------------------------------------------------------------------------------


def test_listing_reads_metadata_alone() -> None:
    image = build_littlefs({**FILES, "huge": bytes(600 << 10)}, PICO).to_bytes()
    source = ReadBlocks(lambda at, size: image[at - 4096 : at - 4096 + size], 4096, len(image))
    tree = Lfs2Tree(source)
    assert tree.find("huge") is not None
    assert source.fetched <= 2 * 4096 * (2 + sum(entry.directory for entry in tree.entries()))
    before = source.fetched
    assert tree.read("main.py") == FILES["main.py"]
    assert source.fetched == before  # it is inline
    tree.deep = False
    tree.rename("main.py", "other")
    tree.check()
    assert source.fetched < len(image) // 2 + before + 600 * 1024


def test_a_broken_line_is_no_damage_of_the_file_system() -> None:
    image = build_littlefs(FILES, PICO).to_bytes()

    class Gone(Exception):
        pass

    left = [100]

    def fetch(at: int, size: int) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            raise Gone
        return image[at : at + size]

    tree = Lfs2Tree(ReadBlocks(fetch, 0, len(image), unit=256))
    left[0] = 0
    with pytest.raises(Gone):
        tree.write("x", b"")


def test_no_failure_of_the_line_is_lost() -> None:
    """littlefs may go on with what could not be read as if it were erased; that must not count as done."""

    class Gone(Exception):
        pass

    medium = _Medium(Overlay(BytesBlocks(build_littlefs(FILES, PICO).to_bytes()), 4096), ordered=True)
    engine = _Engine(medium, PICO)

    def work() -> str:
        medium.failure = Gone()
        return "done"

    with pytest.raises(Gone):
        engine.call("x", work)


# -- damage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("half", [0, 1])
def test_one_damaged_half_of_a_pair_is_survived(half: int) -> None:
    """A fresh image has one valid half in some pairs only; after changes both are, and either may break."""
    image = bytearray(build_littlefs(FILES, SMALL).to_bytes())
    tree = opened(bytes(image))
    tree.rename("main.py", "one")
    tree.rename("one", "two")
    for offset, data in tree.steps():
        image[offset : offset + len(data)] = data
    image[half * 4096 + 20] ^= 0xFF
    now = opened(bytes(image))
    assert now.find("two") or now.find("one")


def test_damage_is_one_sentence() -> None:
    image = bytearray(build_littlefs(FILES, SMALL).to_bytes())
    reader = Lfs2Reader(BytesBlocks(bytes(image)))
    for number in reader.chain[-1].pair:
        image[number * 4096 : number * 4096 + 64] = bytes(64)
    with pytest.raises(ImageError, match="neither block"):
        opened(bytes(image))
    assert read_superblock(BytesBlocks(b"")) is None
    assert read_superblock(BytesBlocks(b"\xff" * 9000)) is None
    with pytest.raises(ImageError, match="no LittleFS v2"):
        Lfs2Tree(BytesBlocks(b"\xff" * 9000))
    with pytest.raises(ImageError, match="more than"):
        Lfs2Tree(BytesBlocks(build_littlefs(FILES, SMALL).to_bytes()[: 300 << 10]))


def test_a_larger_random_tree() -> None:
    rnd = random.Random(5)
    files = {
        f"d{rnd.randrange(6)}/e{rnd.randrange(6)}/f{i}": rnd.randbytes(rnd.choice((5, 400, 5000))) for i in range(300)
    }
    built = build_littlefs(files, lfs_parameters("esp32", 2 << 20))
    assert seen(opened(built.to_bytes())) == tree_of(files)
