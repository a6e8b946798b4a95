"""What the jobs ask of one board's files."""

from __future__ import annotations

import hashlib

import pytest

import upytool
from upytool.api import files
from upytool.errors import RemoteError, RemoteOSError


def test_a_tree(board: upytool.Device) -> None:
    board.fs.mkdir("/a/b", parents=True)
    board.fs.write_bytes("/a/b/x", b"12")
    board.fs.write_bytes("/a/y", b"")
    found, levels = files.tree(board.fs, "/")
    (a,) = found.children
    assert [(each.name, each.kind, each.size) for each in a.children] == [("b", "dir", 0), ("y", "file", 0)]
    assert a.data()["children"][0]["children"] == [{"name": "x", "kind": "file", "size": 2}]
    assert levels == 3
    assert files.tree(board.fs, ".")[0].data() == {**found.data(), "name": board.fs.getcwd()}
    for wrong in ("/a/y", "/none"):
        with pytest.raises(RemoteOSError):
            files.tree(board.fs, wrong)


@pytest.mark.parametrize("algorithm", ["sha256", "md5", "sha3_256"])
def test_checksums(board: upytool.Device, algorithm: str) -> None:
    board.fs.write_bytes("/x", b"content")
    assert files.digest(board.fs, "/x", algorithm) == hashlib.new(algorithm, b"content").hexdigest()


def test_a_checksum_that_nobody_knows(board: upytool.Device) -> None:
    board.fs.write_bytes("/x", b"content")
    with pytest.raises(RemoteError):
        files.digest(board.fs, "/x", "crc99")
    assert files.digest(board.fs, "/none") is None


def test_a_file_to_be_written(board: upytool.Device) -> None:
    assert files.read_or_none(board.fs, "/new") is None
    board.fs.write_bytes("/new", b"")
    assert files.read_or_none(board.fs, "/new") == b""
    with pytest.raises(RemoteOSError) as raised:
        files.read_or_none(board.fs, "/none/new")
    assert raised.value.filename == "/none"
