"""FAT: names, tables, changes, damage. Real MicroPython: test_fs_real.py."""

from __future__ import annotations

import pytest

from tests.unit.image.fs_samples import sample, tree_of
from upytool.errors import ImageError
from upytool.image.blocks import BytesBlocks
from upytool.image.fat import FatTree, build_fat
from upytool.image.fat_layout import checksum, encode_name, from_disk, read_layout, short_text, to_disk

FILES = sample()


def opened(image: bytes) -> FatTree:
    return FatTree(BytesBlocks(image))


def seen(tree: FatTree) -> dict[str, bytes | None]:
    return {entry.path: None if entry.directory else tree.read(entry.path) for entry in tree.entries()}


@pytest.mark.parametrize(
    ("size", "sector", "bits"),
    [(64 << 10, 512, 12), (112 << 10, 512, 12), (2 << 20, 512, 12), (24 << 20, 512, 16), (15 << 20, 1024, 16),
     (1 << 20, 4096, 12)],
)  # fmt: skip
def test_built_read_and_the_same_again(size: int, sector: int, bits: int) -> None:
    built = build_fat(FILES, size, sector=sector, label="PYBFLASH", hidden=0x100, directories=["void"])
    tree = opened(built.to_bytes())
    layout = read_layout(BytesBlocks(built.to_bytes()))
    assert layout is not None
    assert (layout.bits, layout.total, layout.tables) == (bits, size, 1)
    assert seen(tree) == tree_of(FILES, ("void",))
    assert tree.label == "PYBFLASH"
    assert built.to_bytes()[28:32] == (0x100).to_bytes(4, "little")
    turned = dict(reversed(FILES.items()))
    again = build_fat(turned, size, sector=sector, label="PYBFLASH", hidden=0x100, directories=["void"])
    assert again.blocks == built.blocks


@pytest.mark.parametrize(
    ("name", "entries", "short", "flags"),
    [
        ("main.py", 1, b"MAIN    PY ", 0x18),
        ("BOOT.PY", 1, b"BOOT    PY ", 0),
        ("README.txt", 1, b"README  TXT", 0x10),
        ("lib", 1, b"LIB        ", 8),
        ("Main.py", 2, b"MAIN~1  PY ", 0),
        ("main.py.off-1", 2, b"MAINPY~1OFF", 0),
        ("a" * 13, 2, b"AAAAAA~1   ", 0),
        ("a" * 14, 3, b"AAAAAA~1   ", 0),
        (".hidden", 2, b"_~1     HID", 0),
        ("a b", 2, b"AB~1       ", 0),
        ("a+b.c", 2, b"A_B~1   C  ", 0),
    ],
)
def test_names(name: str, entries: int, short: bytes, flags: int) -> None:
    long, made, given = encode_name(name, set())
    assert (len(long) + 1, made, given) == (entries, short, flags)
    assert all(entry[13] == checksum(short) for entry in long)
    if not long:
        assert short_text(made, given) == name


def test_short_names_are_not_used_twice() -> None:
    taken: set[bytes] = set()
    for number in range(30):
        _, short, _ = encode_name(f"a long name {number}.text", taken)
        assert short not in taken
        taken.add(short)


def test_names_are_stored_as_micropython_looks_for_them() -> None:
    assert to_disk("\u00fc") == "\u251c\u255d".encode("utf-16-le")  # C3 BC in code page 437
    assert from_disk(to_disk("Gr\u00fc\u00dfe \u4e2d")) == "Gr\u00fc\u00dfe \u4e2d"
    assert from_disk("Gr\u00fc\u00dfe".encode("utf-16-le")) == "Gr\u00fc\u00dfe"  # written by a computer


@pytest.mark.parametrize("name", ["a:b", 'a"b', "a*", "a?", "a|b", "a\\b", "dot.", "space ", "\n", "n" * 256])
def test_names_that_fat_cannot_hold(name: str) -> None:
    with pytest.raises(ImageError):
        build_fat({name: b""}, 112 << 10)


@pytest.mark.parametrize("two", [("App.txt", "app.txt"), ("a/b", "A/c"), ("lib", "LIB/x")])
def test_names_that_differ_by_case_alone(two: tuple[str, str]) -> None:
    with pytest.raises(ImageError, match="are one name in a FAT"):
        build_fat(dict.fromkeys(two, b"x"), 112 << 10)


def test_changes() -> None:
    image = bytearray(build_fat(FILES, 256 << 10).to_bytes())
    tree = opened(bytes(image))
    used = tree.usage().used
    tree.write("boot.py", b"x" * 5000)
    tree.write("DATA/BIG.BIN", b"small now")  # names have no case
    tree.rename("main.py", "main.py.off-1")
    tree.rename("UPPER.TXT", "upper.txt")
    tree.rename("a/b", "lib/moved directory")
    tree.remove("pkg", recursive=True)
    for number in range(60):
        tree.write(f"lib/a rather long name for a file {number}", bytes([number]) * number)
    tree.check()
    expected: dict[str, bytes] = {path: data for path, data in FILES.items() if not path.startswith("pkg/")}
    expected |= {f"lib/a rather long name for a file {i}": bytes([i]) * i for i in range(60)}
    expected["boot.py"], expected["data/big.bin"] = b"x" * 5000, b"small now"
    expected["main.py.off-1"], expected["upper.txt"] = expected.pop("main.py"), expected.pop("UPPER.TXT")
    expected["lib/moved directory/c/deep.txt"] = expected.pop("a/b/c/deep.txt")
    for offset, data in tree.steps():
        image[offset : offset + len(data)] = data
    again = opened(bytes(image))
    assert seen(again) == tree_of(expected, ("a",))
    for path in [entry.path for entry in again.entries() if "/" not in entry.path]:
        again.remove(path, recursive=True)
    assert again.usage().used == 0 < used


def test_a_rename_in_the_root_touches_one_sector() -> None:
    """So that `rescue` of a FAT board is one erase unit, and a power cut leaves both names or one."""
    tree = opened(build_fat({"main.py": b"1"}, 112 << 10).to_bytes())
    tree.rename("main.py", "main.py.off-1")
    assert len(tree.steps()) == 1


def test_garbage_behind_the_end_of_a_directory_does_not_show_up() -> None:
    image = bytearray(build_fat({"main.py": b"1"}, 112 << 10).to_bytes())
    layout = read_layout(BytesBlocks(bytes(image)))
    assert layout is not None
    stale = image[layout.root : layout.root + 32]
    for slot in range(2, 10):
        image[layout.root + 32 * slot : layout.root + 32 * slot + 32] = stale
    tree = opened(bytes(image))
    tree.write("boot.py", b"2")
    tree.write("a long name indeed", b"3")
    tree.check()
    assert tree.files() == {"main.py": b"1", "boot.py": b"2", "a long name indeed": b"3"}


def test_what_does_not_fit() -> None:
    with pytest.raises(ImageError, match="bytes too many"):
        build_fat({"big": bytes(200 << 10)}, 112 << 10)
    with pytest.raises(ImageError, match="root directory"):
        build_fat({f"a long name {i}": b"" for i in range(300)}, 1 << 20)
    with pytest.raises(ImageError, match="needs more"):
        build_fat({}, 8 << 10)
    with pytest.raises(ImageError, match="too large"):
        build_fat({}, 8 << 30)
    with pytest.raises(ImageError, match="sectors"):
        build_fat({}, 1 << 20, sector=256)


def fat32() -> bytes:
    """A FAT32 with one file, written by hand: 66000 clusters of a sector, of which few are here."""
    import struct

    table, reserved = 520, 32
    boot = bytearray(512)
    total = reserved + table + 66000
    head = (b"\xeb\xfe\x90", b"MSDOS5.0", 512, 1, reserved, 1, 0, 0, 0xF8, 0, 63, 255, 0, total)
    struct.pack_into("<3s8sHBHBHHBHHHII", boot, 0, *head)
    struct.pack_into("<IHHI", boot, 36, table, 0, 0, 2)
    boot[510:] = b"\x55\xaa"
    fat = struct.pack("<6I", 0x0FFFFFF8, 0x0FFFFFFF, 0x0FFFFFFF, 4, 0x0FFFFFFF, 0)
    entry = b"MAIN    PY " + bytes((0x20, 0x18)) + bytes(7) + bytes(6) + struct.pack("<HI", 3, 600)
    data = entry.ljust(512, b"\0") + b"a" * 512 + b"b" * 512
    whole = bytes(boot).ljust(reserved * 512, b"\0") + fat.ljust(table * 512, b"\0") + data
    return whole.ljust(total * 512, b"\0")


def test_fat32_is_read_only() -> None:
    tree = opened(fat32())
    assert tree.files() == {"main.py": b"a" * 512 + b"b" * 88}
    with pytest.raises(ImageError, match="FAT32"):
        tree.remove("main.py")


def test_damage_is_one_sentence() -> None:
    image = bytearray(build_fat(FILES, 112 << 10).to_bytes())
    layout = read_layout(BytesBlocks(bytes(image)))
    assert layout is not None
    circle = bytearray(image)
    circle[512:1022] = bytes((2, 0x20, 0)) * 170  # each cluster leads to number 2
    with pytest.raises(ImageError, match="circle"):
        opened(bytes(circle)).files()
    shared = bytearray(image)
    tree = opened(bytes(image))
    one, two = tree._nodes["data/big.bin"], tree._nodes["lib/greet.mpy"]
    shared[two.slots[-1] + 26 : two.slots[-1] + 28] = one.cluster.to_bytes(2, "little")
    with pytest.raises(ImageError, match="own its clusters"):
        opened(bytes(shared)).write("x", b"")
    with pytest.raises(ImageError, match="more than"):
        opened(bytes(image[: 64 << 10]))
    with pytest.raises(ImageError, match="no FAT"):
        opened(bytes(1024))
