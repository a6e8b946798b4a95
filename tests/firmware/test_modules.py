"""The modules to freeze: made from one source, for MicroPython since 1.19, in manifests without a fault."""

from __future__ import annotations

import ast
import builtins
from pathlib import Path

import pytest

from tests.rigs.frozen import OURS
from upytool.builder.manifest_runner import run_manifest
from upytool.device import frozen
from upytool.mpy.abi import Abi
from upytool.mpy.cross import Cross, Module
from upytool.packages.manifest import parse_manifest

FOLDERS = ("transfer", "romfs_start", "safe_boot", "start", "ble_repl")
MODULES = sorted(path for folder in FOLDERS for path in (OURS / "modules" / folder).glob("*.py"))
ALL = [
    "_upytool_server.py", "boot.py", "main.py", "romfs_start.py", "safe_boot.py", "upytool_transfer.py"
]  # fmt: skip


def test_the_frozen_transfer_is_the_one_that_goes_over_the_wire() -> None:
    for name, text in frozen.modules().items():
        kept = (OURS / "modules" / "transfer" / name).read_text(encoding="utf-8")
        assert kept == text, "run: python -m upytool.device.frozen firmware/modules/transfer"
    assert frozen.digest() == frozen.DIGEST
    assert sorted(frozen.modules()) == [path.name for path in MODULES if path.parent.name == "transfer"]


def test_the_frozen_transfer_starts_after_all_is_defined() -> None:
    body = ast.parse(frozen.server()).body
    assert isinstance(body[-1], ast.Try)
    names = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    assert {"serve", "put", "mkdirs", "get", "check", "scan", "space", "rom_put", "rom_sums"} <= names


def test_writing_the_modules_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "frozen.py"
    copy.write_text(Path(frozen.__file__).read_text(encoding="utf-8").replace(frozen.DIGEST, "badbad00"))
    monkeypatch.setattr(frozen, "__file__", str(copy))
    monkeypatch.setattr(frozen, "DIGEST", "badbad00")
    frozen.main(str(tmp_path))
    assert f'DIGEST = "{frozen.digest()}"' in copy.read_text(encoding="utf-8")
    assert f'DIGEST = "{frozen.digest()}"' in (tmp_path / "upytool_transfer.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("sub_version", [0, 1, 2, 3])
def test_every_compiler_since_1_19_takes_them(sub_version: int) -> None:
    cross = Cross(Abi(6, sub_version, ""))
    names = [Module(path.read_bytes(), path.name) for path in MODULES]
    for path, data in zip(MODULES, cross.compile_all(names), strict=True):
        assert data[:2] == b"M\x06", path


@pytest.mark.parametrize(
    ("manifest", "files"),
    [
        ("transfer", ["_upytool_server.py", "upytool_transfer.py"]),
        ("romfs_start", ["main.py", "romfs_start.py"]),
        ("safe_boot", ["boot.py", "safe_boot.py"]),
        ("ble_repl", ["ble_repl.py"]),
        ("all", ALL),
    ],
)
def test_manifests(manifest: str, files: list[str]) -> None:
    made = run_manifest(OURS / "manifests" / f"{manifest}.py")
    assert [file.target for file in made.files] == files
    assert made.findings == ()


def test_safe_boot_for_a_boot_py_of_yours(tmp_path: Path) -> None:
    (tmp_path / "manifest.py").write_text(f'include("{(OURS / "manifests" / "safe_boot.py").as_posix()}", boot=False)')
    assert [file.target for file in run_manifest(tmp_path).files] == ["safe_boot.py"]


def test_with_a_main_py_frozen_behind_it_boot_py_raises_nothing() -> None:
    whole = run_manifest(OURS / "manifests" / "all.py").find("boot.py")
    alone = run_manifest(OURS / "manifests" / "safe_boot.py").find("boot.py")
    assert whole is not None
    assert alone is not None
    assert "boot(globals(), True)" in whole.source.read_text()
    assert "boot(globals())" in alone.source.read_text()


def test_ble_repl_is_a_package() -> None:
    folder = OURS / "modules" / "ble_repl"
    manifest = parse_manifest((folder / "package.json").read_bytes(), "package.json")
    assert [(str(file.path), file.url) for file in manifest.urls] == [("ble_repl.py", "ble_repl.py")]
    assert (folder / "ble_repl.py").is_file()


def test_ble_repl_does_not_need_the_builtins_of_the_moment() -> None:
    tree = ast.parse((OURS / "modules" / "ble_repl" / "ble_repl.py").read_text(encoding="utf-8"))
    kept = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "builtins"
        for alias in node.names
    }
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & set(dir(builtins))
    assert kept == used
