"""`tree` of what a board may say: deeper than Python's own calls."""

from __future__ import annotations

from upytool.api.files import tree_of
from upytool.cli.commands.tree import _branches
from upytool.device.fs_types import Entry


def test_a_thousand_and_a_half_levels() -> None:
    entries = [Entry("/d" * level, "dir", 0) for level in range(1, 1501)]
    lines = list(_branches(tree_of("/", "/", entries), False, False))
    assert len(lines) == 1500
    assert lines[-1] == "    " * 1499 + "└── d"


def test_many_entries_keep_their_order() -> None:
    entries = [Entry("/b", "dir", 0), Entry("/b/x", "file", 3), Entry("/a", "file", 1), Entry("/c", "file", 0)]
    assert list(_branches(tree_of("/", "/", entries), True, False)) == [
        "├── [        1]  a",
        "├── b",
        "│   └── [        3]  x",
        "└── [        0]  c",
    ]
