"""A board that lacks something falls back step by step, and the promises stay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.device.boards import board_device
from upytool.errors import RemoteOSError

HIDE = """
import sys
_real_import = __import__
def _no(name, *rest):
    if name in {names!r}:
        raise ImportError("no module named '%s'" % name)
    return _real_import(name, *rest)
import builtins
builtins.__import__ = _no
for n in {names!r}:
    sys.modules.pop(n, None)
"""
DATA = bytes(range(256)) * 6 + os.urandom(500)
SOURCE = b"def f(x):\n    return x + 1\n\n\n" * 200


def hide(*names: str) -> str:
    return HIDE.format(names=names)


@pytest.mark.parametrize(
    ("lacks", "stream", "packed"),
    [
        ((), True, True),
        (("deflate",), True, False),
        (("hashlib",), True, True),
        (("binascii",), True, True),
        (("hashlib", "binascii", "deflate"), True, False),
        (("micropython", "vfs"), True, True),
        (("select",), False, False),
        (("select", "hashlib", "binascii", "deflate", "micropython", "vfs"), False, False),
    ],
)
def test_without(lacks: tuple[str, ...], stream: bool, packed: bool, tmp_path: Path) -> None:
    with board_device(hide(*lacks) if lacks else "") as device:
        fs = device.fs
        for data in (b"", b"x", DATA, SOURCE):
            fs.write_bytes("/f", data)
            assert fs.read_bytes("/f") == data
        assert fs.ops.can.stream is stream
        if stream:
            assert fs.ops.can.packed is packed
        (tmp_path / "a.py").write_bytes(SOURCE)
        assert fs.copy([str(tmp_path / "a.py")], ":/a.py").plan.of("write")
        again = fs.copy([str(tmp_path / "a.py")], ":/a.py")
        assert bool(again.plan.of("write")) is ({"hashlib", "binascii"} <= set(lacks))
        with pytest.raises(RemoteOSError) as caught:
            fs.write_bytes("/none/f", b"x")
        assert caught.value.errno == 2
        assert [entry.name for entry in fs.ls("/")] == ["a.py", "f"]
        assert "_" not in device.exec("print([n for n in dir() if n[0] != '_'])").replace("__", "")


def test_no_raw_paste() -> None:
    with board_device() as device:
        device.drive(device.session.ready())
        device.session.repl.paste = False
        device.fs.write_bytes("/f", DATA)
        assert device.fs.read_bytes("/f") == DATA
        assert device.fs.ops.can.stream


def test_little_memory() -> None:
    with board_device("import gc\nhog = []\nwhile gc.mem_free() > 30000:\n    hog.append(bytearray(2000))") as device:
        device.fs.write_bytes("/f", DATA)
        device.fs.write_bytes("/g", SOURCE)
        assert device.fs.read_bytes("/f") == DATA
        assert device.fs.read_bytes("/g") == SOURCE


def test_no_rename_writes_in_place() -> None:
    hide_rename = """
import sys, os
class _Os:
    pass
for n in dir(os):
    if n != "rename" and n[:2] != "__":
        setattr(_Os, n, staticmethod(getattr(os, n)))
sys.modules["os"] = _Os
"""
    with board_device(hide_rename) as device:
        assert device.exec("import os\nprint(hasattr(os, 'rename'))") == "False\n"
        device.fs.write_bytes("/f", DATA)
        device.fs.write_bytes("/f", SOURCE)
        assert device.fs.read_bytes("/f") == SOURCE
