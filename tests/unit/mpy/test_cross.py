"""mpy-cross and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from upytool.errors import CompileError
from upytool.mpy.abi import Abi
from upytool.mpy.cross import Cross, Module
from upytool.mpy.header import read_header

MODULE = Module(b"def f(x):\n    assert x\n    return x + 1\n", "lib/thing.py")


def test_compiled_once_for_each_content(tmp_path: Path) -> None:
    abi = Abi.for_release((1, 27, 0), "armv6m")
    first, second = Cross(abi, tmp_path), Cross(abi, tmp_path)
    data = first.compile(MODULE)
    assert read_header(data).source == "lib/thing.py", "no path of this computer"
    assert (second.compile(MODULE), first.compiled, second.compiled) == (data, 1, 0)
    others = [Module(MODULE.source, "lib/thing.py", optimize=3), Module(MODULE.source, "lib/other.py"),
              Module(MODULE.source + b"#", "lib/thing.py")]  # fmt: skip
    assert len({*second.compile_all(others), data}) == 3, "a comment changes the key and not the code"
    assert second.compiled == 3


@pytest.mark.parametrize("damage", ["cut", "bit", "empty"])
def test_a_damaged_entry_of_the_cache_is_made_again(tmp_path: Path, damage: str) -> None:
    """A power cut may leave half a file: it must not go into firmware."""
    cross = Cross(Abi.for_release((1, 27, 0)), tmp_path)
    data = cross.compile(MODULE)
    (kept,) = tmp_path.rglob("*.mpy")
    whole = kept.read_bytes()
    kept.write_bytes({"cut": whole[:-5], "bit": whole[:-1] + bytes((whole[-1] ^ 1,)), "empty": b""}[damage])
    assert (cross.compile(MODULE), cross.compiled) == (data, 2)
    assert kept.read_bytes() == whole


def test_the_first_failure_in_their_order(tmp_path: Path) -> None:
    modules = [Module(b"x = 1\n", "a.py"), Module(b"\ndef (:\n", "b.py", shown="src/b.py"), Module(b"(\n", "c.py")]
    with pytest.raises(CompileError) as caught:
        Cross(Abi.for_release((1, 27, 0)), tmp_path).compile_all(modules)
    assert (caught.value.path, caught.value.line) == ("src/b.py", 2)
    assert not list(tmp_path.rglob("*.tmp"))
