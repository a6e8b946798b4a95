"""Sizes and outputs of a finished build, from files that a compiler made or that are put together here."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.image.parts import pico_like
from upytool.builder.base import Item
from upytool.builder.source_board import SourceBoard
from upytool.builder.source_ports import PORTS
from upytool.builder.source_report import (
    Elf,
    escaped,
    folder_digests,
    frozen_sizes,
    linker_regions,
    module_rows,
    pick_output,
    read_elf,
    rp2_uf2,
)  # fmt: skip
from upytool.errors import BuildError
from upytool.image.base import FirmwareImage
from upytool.image.chips import RP2040, RP2350_ARM_S, RP2350_RISCV

# The names are those that MicroPython's mpy-tool.py gives; the sizes are easy to add up.
FROZEN = """
const char fun_data_app__lt_module_gt_[100] = {1};
const char fun_data_app__lt_module_gt__main[20] = {1};
const char const_obj_app_3[8] = {1};
const char const_obj_table_data_app[16] = {1};
const char fun_data_app_extra__lt_module_gt_[7] = {1};
const char const_qstr_table_data_pack_slash___init__[6] = {1};
const char fun_data_pack_slash___init____lt_module_gt_[50] = {1};
const char somebody_elses[1000] = {1};
int main(void) { return fun_data_app__lt_module_gt_[0]; }
"""
MAP = """Archive member included

Memory Configuration

Name             Origin             Length             Attributes
FLASH            0x10000000         0x00200000         xr
RAM              0x20000000         0x00040000         xrw
UNUSED           0x30000000         0x00001000         r
*default*        0x00000000         0xffffffff

Linker script and memory map
NOT_A_REGION     0x10000000         0x00200000
"""


def board(port: str = "rp2", **settings: str) -> SourceBoard:
    return SourceBoard("B", "", PORTS[port], Path(), Path(), settings=settings)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc here")
    place = tmp_path_factory.mktemp("compiled")
    (place / "frozen.c").write_text(FROZEN)
    line = [compiler, "-O0", "-fno-pie", "-o", str(place / "firmware.elf"), str(place / "frozen.c")]
    subprocess.run(line, check=True, timeout=60)
    return place


def test_modules_are_the_sum_of_their_symbols(compiled: Path) -> None:
    elf = read_elf(compiled)
    assert elf is not None
    names = ["app.py", "app_extra.py", "pack/__init__.py", "unknown.py"]
    sizes = frozen_sizes(elf, compiled, names)
    assert sizes == {"app.py": 144, "app_extra.py": 7, "pack/__init__.py": 56, "unknown.py": 0}


def test_texts_have_no_symbols_and_count_by_the_mpy(compiled: Path, tmp_path: Path) -> None:
    (tmp_path / "frozen_mpy").mkdir()
    (tmp_path / "frozen_mpy" / "app.mpy").write_bytes(bytes(400))
    (tmp_path / "frozen_mpy" / "app_extra.mpy").write_bytes(bytes(3))
    elf = read_elf(compiled)
    assert frozen_sizes(elf, tmp_path, ["app.py", "app_extra.py"]) == {"app.py": 400, "app_extra.py": 7}


def test_without_symbols_a_module_is_as_large_as_its_mpy(tmp_path: Path) -> None:
    (tmp_path / "frozen_mpy" / "pack").mkdir(parents=True)
    (tmp_path / "frozen_mpy" / "pack" / "__init__.mpy").write_bytes(bytes(99))
    (tmp_path / "upytool" / "frozen").mkdir(parents=True)
    (tmp_path / "upytool" / "frozen" / "ready.mpy").write_bytes(bytes(7))
    assert frozen_sizes(None, tmp_path, ["pack/__init__.py", "ready.mpy"]) == {"pack/__init__.py": 99, "ready.mpy": 7}


def test_rows_are_by_size() -> None:
    items = {name: Item(name, b"12345", name, True, keep_source=name == "b.py") for name in ("a.py", "b.py")}
    rows = module_rows(items, {"a.py": 1, "b.py": 2})
    assert [(row.target, row.flash, row.ram, row.source) for row in rows] == [
        ("b.py", 2, "loaded", 5), ("a.py", 1, "in place", 5)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "name"), [("app.py", "app"), ("pack/__init__.py", "pack_slash___init__"), ("a-b.mpy", "a_hyphen_b")]
)
def test_names_in_c(target: str, name: str) -> None:
    assert escaped(target) == name


class Loads(Elf):
    """An .elf with these loads alone."""

    def __init__(self) -> None:
        pass

    def loads(self) -> list:  # type: ignore[type-arg]
        from upytool.builder.source_report import Load

        return [Load(0x10000000, 0x10000000, 5000, 5000), Load(0x20000000, 0x10001388, 100, 900)]


def test_regions_of_the_linker(tmp_path: Path) -> None:
    (tmp_path / "firmware.map").write_text(MAP)
    rows = linker_regions(tmp_path, Loads())
    assert [(row.name, row.used, row.size) for row in rows] == [("FLASH", 5100, 0x200000), ("RAM", 900, 0x40000)]
    assert linker_regions(tmp_path / "nowhere", Loads()) == ()


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"MZ" + bytes(100), b"\x7fELF\x01\x02" + bytes(60)])
def test_what_is_no_elf(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "firmware.elf").write_bytes(data)
    assert read_elf(tmp_path) is None


@pytest.mark.parametrize("at", [28, 32, 42, 46, 48, 54])
def test_a_broken_elf_costs_the_sizes_and_not_the_build(tmp_path: Path, at: int) -> None:
    """A head of 32 bits with one number that leads out of the file."""
    head = bytearray(b"\x7fELF\x01\x01" + bytes(46))
    struct.pack_into("<HHHHHH", head, 40, 52, 32, 1, 40, 1, 0)
    struct.pack_into("<II", head, 28, 52, 84)
    section = struct.pack("<10I", 0, 2, 0, 0, 0, 0, 0, 0, 0, 0)
    whole = bytearray(bytes(head) + struct.pack("<8I", 1, 0, 0, 0, 4, 4, 0, 0) + section)
    (tmp_path / "firmware.elf").write_bytes(whole)
    assert read_elf(tmp_path) is not None
    struct.pack_into("<H" if at > 40 else "<I", whole, at, 0xFFFF)
    (tmp_path / "firmware.elf").write_bytes(whole)
    elf = read_elf(tmp_path)
    assert frozen_sizes(elf, tmp_path, ["app.py"]) == {"app.py": 0}


@pytest.mark.parametrize(
    ("platform", "family"), [("", RP2040), ("rp2350", RP2350_ARM_S), ("rp2350-riscv", RP2350_RISCV)]
)
def test_the_uf2_is_written_for_the_chip(platform: str, family: int) -> None:
    image = FirmwareImage.read(rp2_uf2(pico_like(), board(PICO_PLATFORM=platform)))
    image.require_valid()
    assert family in image.families
    assert image.memory.read(0x10000000, 5000) == pico_like()[:5000].ljust(5000, b"\xff")


def test_which_output_is_taken(tmp_path: Path) -> None:
    for name in ("firmware.bin", "firmware.hex", "firmware.elf"):
        (tmp_path / name).write_bytes(name.encode())
    assert pick_output(tmp_path, board("stm32"), "") == ("firmware.hex", b"firmware.hex")
    assert pick_output(tmp_path, board("stm32"), ".bin") == ("firmware.bin", b"firmware.bin")
    with pytest.raises(BuildError, match=r"makes no \.uf2 file") as raised:
        pick_output(tmp_path, board("stm32"), ".uf2")
    assert ".hex, .bin, .elf" in raised.value.hint
    with pytest.raises(BuildError, match="left none of"):
        pick_output(tmp_path / "nowhere", board("stm32"), "")
    (tmp_path / "firmware.bin").write_bytes(pico_like())
    name, data = pick_output(tmp_path, board(), "")
    assert (name, data[:4]) == ("firmware.uf2", b"UF2\n")
    assert pick_output(tmp_path, replace(board(), name="X"), ".hex")[0] == "firmware.hex"


def test_c_modules_have_digests(tmp_path: Path) -> None:
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "a.c").write_text("1")
    before = folder_digests([tmp_path / "native"])
    (tmp_path / "native" / "a.c").write_text("2")
    assert before.keys() == {"native"}
    assert folder_digests([tmp_path / "native"]) != before
