"""What this computer lacks for a build, named before it starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.builder.test_source_board import recipe, tree
from upytool.builder.preflight import check_paths, check_tools, container_image, idf_version, missing_tools
from upytool.builder.source_board import SourceBoard, find_source_board
from upytool.builder.source_ports import install_lines
from upytool.builder.source_tree import Tree
from upytool.errors import BuildError

__all__ = ["tree"]
LOCK = """dependencies:
  espressif/mdns:
    dependencies:
    - name: idf
      require: private
      version: '>=5.0'
    version: 1.1.0
  idf:
    source:
      type: idf
    version: 5.4.2
target: esp32c3
"""
pytestmark = pytest.mark.skipif(os.name == "nt", reason="programs are made by scripts")


def programs(folder: Path, *names: str, says: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(f"#!/bin/sh\necho '{says or name}'\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def pico(tree: Tree) -> SourceBoard:
    return find_source_board(tree, recipe("RPI_PICO"))


@pytest.mark.parametrize(
    ("manager", "line"),
    [
        ("apt-get", "sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"),
        ("dnf", "sudo dnf install arm-none-eabi-gcc-cs"),
        ("pacman", "sudo pacman -S arm-none-eabi-gcc"),
        ("brew", "brew install --cask gcc-arm-embedded"),
    ],
)
def test_missing_tools_come_with_their_lines(
    tree: Tree, pico: SourceBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manager: str, line: str
) -> None:
    monkeypatch.setenv("PATH", str(programs(tmp_path / "bin", manager, "make", "python3", "gcc", "g++", "cmake")))
    with pytest.raises(BuildError, match=r"RPI_PICO this computer lacks arm-none-eabi-gcc$") as raised:
        check_tools(tree, pico, "", container=True)
    assert line in raised.value.hint
    assert "--container auto" in raised.value.hint


def test_a_compiler_without_its_libraries(pico: SourceBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = programs(tmp_path / "bin", "make", "python3", "gcc", "g++", "cmake")
    programs(place, "arm-none-eabi-gcc", says="libc.a")  # gcc's answer for what it does not find: the bare name
    monkeypatch.setenv("PATH", f"{place}")
    assert missing_tools(pico) == ("libc.a", "libstdc++.a")
    programs(place, "arm-none-eabi-gcc", says="/usr/lib/libc.a")
    assert missing_tools(pico) == ()


def test_everything_missing_is_one_sentence(
    tree: Tree, pico: SourceBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(programs(tmp_path / "bin", "apt-get")))
    with pytest.raises(BuildError) as raised:
        check_tools(tree, pico, "", container=False)
    assert "make, python3, a C compiler, arm-none-eabi-gcc, cmake, a C++ compiler" in raised.value.message
    assert len(raised.value.hint.splitlines()) == 1


def test_esp_idf_is_named_with_its_version(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = find_source_board(tree, recipe("ESP32_GENERIC_C3"))
    locks = board.port_dir / "lockfiles"
    locks.mkdir()
    (locks / "dependencies.lock.esp32c3").write_text(LOCK)
    assert idf_version(tree, board) == "5.4.2"
    assert container_image(tree, board) == "espressif/idf:v5.4.2"
    monkeypatch.delenv("IDF_PATH", raising=False)
    monkeypatch.setenv("PATH", str(programs(tmp_path / "bin", "make", "python3", "gcc", "cmake")))
    with pytest.raises(BuildError, match=r"lacks ESP-IDF 5\.4\.2$") as raised:
        check_tools(tree, board, "", container=False)
    assert "git clone -b v5.4.2" in raised.value.hint
    (tmp_path / "idf").mkdir()
    (tmp_path / "idf" / "export.sh").touch()
    monkeypatch.setenv("IDF_PATH", str(tmp_path / "idf"))
    check_tools(tree, board, "", container=False)


def test_the_image_is_the_boards(tree: Tree, pico: SourceBoard) -> None:
    assert container_image(tree, pico) == "micropython/build-micropython-arm:bookworm"
    riscv = find_source_board(tree, recipe("RPI_PICO2", "RISCV"))
    assert container_image(tree, riscv) == "micropython/build-micropython-rp2350riscv"


def test_blanks_in_paths_are_told_before_make_trips() -> None:
    check_paths(Path("/a/b"))
    with pytest.raises(BuildError, match="no path with a blank"):
        check_paths(Path("/a/my tree"))


def test_a_tool_that_a_manager_lacks_has_no_line() -> None:
    assert install_lines("brew", ("xtensa-lx106-elf-gcc",)) == []
