"""What the words of a command mean."""

from __future__ import annotations

import click
import pytest

from upytool.cli.params import ByteSize, CopyPath, LocalPath, Place, RemotePath


@pytest.mark.parametrize(
    ("word", "path", "remote"),
    [
        (":main.py", "main.py", True),
        (":", "", True),
        (":/lib/a b", "/lib/a b", True),
        ("main.py", "main.py", False),
        (r"C:\x\y", r"C:\x\y", False),
        ("a:b", "a:b", False),
        ("-", "-", False),
        ("::x", ":x", True),
    ],
)
def test_only_a_leading_colon_is_remote(word: str, path: str, remote: bool) -> None:
    found = CopyPath().convert(word, None, None)
    assert found == Place(path, remote)
    assert str(found) == word


def test_remote_path_drops_the_colon() -> None:
    assert [RemotePath().convert(word, None, None) for word in (":/a", "/a", "::a")] == ["/a", "/a", ":a"]
    assert LocalPath().convert(":a", None, None) == ":a"


@pytest.mark.parametrize(
    ("word", "count"),
    [("512", 512), ("4k", 4096), ("4KiB", 4096), ("1M", 1 << 20), ("0x1000", 4096), ("2g", 2 << 30)],
)
def test_byte_size(word: str, count: int) -> None:
    assert ByteSize().convert(word, None, None) == count


@pytest.mark.parametrize("word", ["", "k", "x", "1.5k", "-", "-5"])
def test_bad_byte_size(word: str) -> None:
    with pytest.raises(click.BadParameter):
        ByteSize().convert(word, None, None)
