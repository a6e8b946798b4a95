"""No damaged file system crashes or hangs a reader, or littlefs in C, which may only see what the reader took."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.image.fs_damage import scribble, sound_lfs1, sound_lfs2
from tests.unit.image.fs_samples import sample
from upytool.errors import ImageError
from upytool.image.blocks import BytesBlocks
from upytool.image.fat import FatTree, build_fat
from upytool.image.lfs1 import Lfs1Tree
from upytool.image.lfs2_reader import Lfs2Reader
from upytool.image.littlefs import Lfs2Tree, LfsParameters, build_littlefs, lfs_parameters
from upytool.image.tree import FileTree
from upytool.image.volume import kind_of, open_image, volumes

FILES = sample(6) | {f"lib/x{number:03}": bytes([number]) * number for number in range(30)}
IMAGE2 = build_littlefs(FILES, lfs_parameters("stm32", 128 << 10)).to_bytes()
PAIRS2 = [number for metadata in Lfs2Reader(BytesBlocks(IMAGE2)).chain for number in metadata.pair]
IMAGE1 = build_littlefs(FILES, LfsParameters(128 << 10, 512, v1=True)).to_bytes()
PAIRS1 = sorted(Lfs1Tree(BytesBlocks(IMAGE1))._used)
FAT = build_fat(FILES, 112 << 10).to_bytes()


def damaged(seed: int) -> list[tuple[type[FileTree], bytes]]:
    rnd = random.Random(seed)
    return [
        (Lfs2Tree, sound_lfs2(IMAGE2, rnd, rnd.randrange(1, 4), 512, PAIRS2)),
        (Lfs2Tree, scribble(IMAGE2, rnd, rnd.randrange(1, 30))),
        (Lfs1Tree, sound_lfs1(IMAGE1, rnd, rnd.randrange(1, 3), 512, PAIRS1)),
        (FatTree, scribble(FAT[:30000], rnd, rnd.randrange(1, 60)) + FAT[30000:]),
    ]


def one_line(error: ImageError) -> None:
    if not error.message.isprintable():
        raise AssertionError(f"not one sentence: {error.message!r}") from error


def use(kind: type[FileTree], image: bytes) -> None:
    """Read all, change some, read again: only an ImageError of one line may come out of it."""
    began = time.process_time()
    try:
        for volume in volumes(open_image(image, name="x")):
            volume.open().entries()
        tree = kind(BytesBlocks(image))
        tree.files()
        tree.usage()
        tree.write("new.py", b"n" * 700)
        tree.mkdir("lib/sub")
        tree.rename("new.py", "lib/sub/n")
        found = [entry.path for entry in tree.entries() if not entry.directory]
        tree.remove(found[0])
        tree.check()
        tree.steps()
    except ImageError as error:
        one_line(error)
    assert time.process_time() - began < 10


@settings(max_examples=80)
@given(st.integers(0, 1 << 32))
def test_readers(seed: int) -> None:
    for kind, image in damaged(seed):
        try:
            tree = kind(BytesBlocks(image))
            tree.files()
            tree.used_blocks()
        except ImageError as error:
            one_line(error)


@settings(max_examples=200)
@given(st.binary(max_size=600), st.sampled_from([b"", b"\0" * 8 + b"littlefs", b"\xd2\xcd\x31"]))
def test_detection(data: bytes, start: bytes) -> None:
    kind_of(BytesBlocks(start + data))


@pytest.mark.timeout(100)
@pytest.mark.timeout(500)
def test_changes_of_damaged_ones_end_no_process() -> None:
    """In a process of its own: an assertion in C would end it. Seeds are fixed, so that a failure comes again."""
    code = "from tests.unit.image.test_fs_fuzz import damaged, use\nfor seed in range(400):\n"
    code += " for kind, image in damaged(seed): use(kind, image)\nprint('done')"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=450, check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]
