"""Compiling, and looking into manifests, without the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import upytool
from upytool.api import compile, manifests
from upytool.errors import BuildError, CompileError, LocalFileError, UsageError


@pytest.fixture
def lib(tmp_path: Path) -> Path:
    lib = tmp_path / "lib"
    (lib / "net").mkdir(parents=True)
    (lib / "a.py").write_text("def f():\n    assert f\n    return 1\n")
    (lib / "net" / "b.py").write_text("@micropython.native\ndef f(x):\n    return x + 1\n")
    (lib / "main.py").write_text("import a\n")
    return lib


def test_for_a_board_that_is_named(lib: Path, tmp_path: Path) -> None:
    abi = compile.abi_for(board="pico", version="1.25")
    assert (abi.version, abi.sub_version, abi.arch) == (6, 3, "armv6m")
    made = compile.compile_files([lib], abi, output=tmp_path / "out", cache=tmp_path / "cache")
    assert [each.target.relative_to(tmp_path / "out").as_posix() for each in made.files] == ["a.mpy", "net/b.mpy"]
    assert [each.size for each in made.files] == [each.target.stat().st_size for each in made.files]
    assert made.fresh == 2
    assert compile.compile_files([lib], abi, output=tmp_path / "out", cache=tmp_path / "cache").fresh == 0
    assert made.data()["mpy"] == {"version": 6, "sub_version": 3, "arch": "armv6m"}


def test_a_connected_board_loads_it(board: upytool.Device, lib: Path, tmp_path: Path) -> None:
    abi = compile.abi_of(board)
    (made,) = compile.compile_files([lib / "a.py"], abi, output=tmp_path / "a.mpy", cache=tmp_path / "cache").files
    board.fs.put(made.target, "/a.mpy")
    assert board.exec("import a\nprint(a.f())") == "1\n"


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"version": "soon"}, UsageError),
        ({"version": "1.4"}, UsageError),
        ({"arch": "z80"}, UsageError),
        ({"board": "nothing_like_it"}, UsageError),
        ({"arch": "armv6m", "arch_flags": ["zba"]}, UsageError),
        ({"arch": "rv32imc", "arch_flags": ["zzz"]}, UsageError),
    ],
)
def test_boards_that_there_are_not(wish: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        compile.abi_for(**wish)


def test_what_cannot_be_compiled_leaves_nothing(lib: Path, tmp_path: Path) -> None:
    abi = compile.abi_for(version="1.25")
    (tmp_path / "file").write_text("")
    for paths, options, error in (
        ([lib / "net"], {}, CompileError),  # native code, and no processor
        ([lib / "gone.py"], {}, UsageError),
        ([lib / "main.py", lib / "a.py"], {"name": "x"}, UsageError),
        ([lib / "a.py"], {"emitter": "native"}, UsageError),
        ([lib], {"output": "lib.mpy"}, UsageError),
        ([lib / "a.py"], {"output": tmp_path / "file"}, LocalFileError),
    ):
        with pytest.raises(error):
            compile.compile_files(paths, abi, cache=tmp_path / "cache", **options)
    assert not list(lib.rglob("*.mpy"))


def test_manifests(lib: Path, tmp_path: Path) -> None:
    path = tmp_path / "manifest.py"
    path.write_text('package("net", base_path="$(HERE)")\nmodule("a.py", base_path="$(HERE)", opt=1)\n')
    found = manifests.evaluate(path, variables={"HERE": str(lib)})
    assert found.findings == ()
    every = manifests.explain(found).data()
    assert [(each["target"], each["optimize"]) for each in every["files"]] == [("a.py", 1), ("net/b.py", None)]
    (only,) = manifests.explain(found, "net.b").files
    assert [(step.manifest.name, step.line) for step in only.chain] == [("manifest.py", 1)]
    with pytest.raises(UsageError):
        manifests.explain(found, "net.c")
    with pytest.raises(UsageError):
        manifests.evaluate(path, board="RPI_PICO")
    path.write_text("modul('x')\n")
    with pytest.raises(BuildError):
        manifests.evaluate(path)
