"""A path from outside stays inside: properties of the checked types."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from upytool import limits
from upytool.inner_path import InnerPath, LocalName, PackagePath

# Texts in which the dangerous characters are not rare.
paths = st.lists(
    st.sampled_from(
        ["..", ".", "a", "B", "/", "\\", "\0", ":", " ", "é", "\udcff", "\ud800", "\n", "%2F", "~1", "x" * 260]
    )
    | st.text(max_size=3),
    max_size=8,
).map("".join)


@given(paths)
@example("a/b/../../../main.py")
@example(".\\")
def test_no_path_leaves_the_directory(text: str) -> None:
    for kind in (InnerPath, PackagePath, LocalName):
        try:
            path = kind(text)
        except ValueError:
            assert kind.problem(text)
            continue
        assert path == text
        # On POSIX as with FAT's and Windows' two separators.
        for spelled in (path, path.replace("\\", "/")):
            assert posixpath.normpath(posixpath.join("/top/dir", spelled)).startswith("/top/dir/")
        assert "\0" not in path
        assert len(path.encode("utf-8", "surrogateescape")) <= limits.PATH_BYTES
        if kind is not InnerPath:
            assert path.isprintable()
            assert posixpath.normpath(path) == path
            path.encode()
        if kind is LocalName:
            assert "/" not in path


@given(paths)
def test_a_package_json_may_write_slashes_in_front(text: str) -> None:
    try:
        path = PackagePath.below(text)
    except ValueError:
        return
    assert PackagePath(path) == path
    assert PackagePath.below("/" + path) == path == PackagePath.below("./" + path)


@pytest.mark.parametrize(
    "text",
    [
        "", "/a", "a/", "a//b", "..", "../a", "a/..", "a/./b", "a\0", "a\\..\\..\\b", "..\\b", "\\b", ".\\", ".\\.",
        "\ud800", "x" * 256, "é" * 128, "/".join(["abcdefg"] * 600),
    ],
)  # fmt: skip
def test_refused_everywhere(text: str) -> None:
    for kind in (InnerPath, PackagePath, LocalName):
        with pytest.raises(ValueError):
            kind(text)


@pytest.mark.parametrize(
    "text",
    ["a\nb", "a\x1b[2J", "C:/x", "c:x", "a?", "a*", 'a"', "a|b", "a<b", "main.py.", "main.py ", " a", "x./y", "\udcff",
     "UPYTOO~1.JSO", "lib/A~2"],
)  # fmt: skip
def test_refused_for_packages(text: str) -> None:
    with pytest.raises(ValueError):
        PackagePath(text)


@pytest.mark.parametrize("text", ["con", "NUL.py", "aux.tar.gz", "com1", "LPT9.txt", "a/b"])
def test_refused_on_this_computer(text: str) -> None:
    PackagePath(text)
    with pytest.raises(ValueError):
        LocalName(text)


@pytest.mark.parametrize(
    "text", ["a", "a/b.txt", "a b", "..a", "a..b/c", "ä", "con", "x" * 255, "a\\b", "a\nb", "\udcff"]
)
def test_what_a_board_holds(text: str) -> None:
    assert InnerPath(text) == text


@pytest.mark.parametrize("text", ["a", "a/b.txt", "a b", "..a", "umqtt/simple.py", "é/ü.py", "a-b_c+d.py", "~x"])
def test_what_a_package_brings(text: str) -> None:
    assert PackagePath(text) == text
