"""firmware/sources.toml against what MicroPython's own tree says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.rigs.debian_source import PINS, source_tree
from tests.rigs.frozen import OURS
from upytool.builder.source_tree import UPSTREAM

pytestmark = pytest.mark.rig
SOURCES: dict[str, Any] = tomllib.loads((OURS / "sources.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tree() -> Path:
    return source_tree("micropython-1.26.1")


def named(text: str) -> set[str]:
    """The submodules that a Makefile or CMakeLists.txt adds, variables put in."""
    values = dict(re.findall(r"^\s*(\w+_DIR)\s*[?:]?=\s*(lib/\S+)", text, re.M))
    found: set[str] = set()
    for line in re.findall(r"GIT_SUBMODULES \+?=(.*)|APPEND GIT_SUBMODULES (.*)\)|GIT_SUBMODULES=\"(.*?)\"", text):
        filled = re.sub(r"\$\((\w+)\)", lambda match: values.get(match[1], ""), " ".join(line))
        found.update(word for word in filled.split() if word.startswith("lib/"))
    return found


def test_the_builder_fetches_from_the_same_place() -> None:
    assert SOURCES["micropython"]["url"] == UPSTREAM


def test_the_pins_of_the_rigs() -> None:
    for release, entry in SOURCES["micropython"]["debian"].items():
        pin = PINS[f"micropython-{release}"]
        assert (entry["package"], entry["sha256"]) == (f"{pin.package} {pin.version}", pin.sha256)
    assert SOURCES["sdk"]["pico-sdk"]["sha256"] == PINS["pico-sdk"].sha256


def test_the_submodules_are_those_of_the_tree(tree: Path) -> None:
    text = (tree / ".gitmodules").read_text()
    paths = re.findall(r"^\s*path = (\S+)", text, re.M)
    urls = re.findall(r"^\s*url = (\S+)", text, re.M)
    ours = {key: value for key, value in SOURCES["submodules"].items() if key != "from"}
    assert ours == dict(zip(paths, urls, strict=True))


@pytest.mark.parametrize("port", sorted(SOURCES["ports"]))
def test_a_port_needs_what_its_files_name(tree: Path, port: str) -> None:
    entry = SOURCES["ports"][port]
    files = [tree / "ports" / port / name for name in ("Makefile", "CMakeLists.txt", "esp32_common.cmake")]
    text = "\n".join(file.read_text() for file in files if file.is_file())
    if "extmod.cmake" in text:
        text += (tree / "extmod" / "extmod.cmake").read_text()
    assert set(entry["submodules"]) <= named(text)
    assert set(entry["submodules"]) <= set(SOURCES["submodules"])
    if "sdk" in entry:
        assert entry["sdk"] in SOURCES["sdk"]
    for file in re.findall(r"[\w./-]+/[\w.-]+", entry["from"]):
        assert (tree / file).exists(), file


def test_options_bring_in_what_the_tree_says(tree: Path) -> None:
    parts = ("extmod.mk", "btstack/btstack.mk", "nimble/nimble.mk")
    text = "\n".join((tree / "extmod" / part).read_text() for part in parts)
    for option, modules in SOURCES["options"].items():
        if option != "from":
            assert option in text
            assert set(modules) <= named(text), option


def test_the_version_of_esp_idf(tree: Path) -> None:
    locks = (tree / "ports" / "esp32" / "lockfiles").glob("dependencies.lock.*")
    versions = {match[1] for lock in locks if (match := re.search(r"idf:.*?version: (\S+)", lock.read_text(), re.S))}
    assert versions == {SOURCES["sdk"]["esp-idf"]["versions"]["1.26"]}
