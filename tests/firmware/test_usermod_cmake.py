"""usermods/upytool_probe as a cmake port takes it in (its C is compiled by the make rig, ours-qemu)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.rigs.frozen import OURS

PROJECT = """cmake_minimum_required(VERSION 3.13)
project(probe C)
add_library(usermod INTERFACE)
include({file})
file(GENERATE OUTPUT told CONTENT "$<TARGET_PROPERTY:usermod,INTERFACE_LINK_LIBRARIES>|\
$<TARGET_PROPERTY:usermod_upytool_probe,INTERFACE_SOURCES>|\
$<TARGET_PROPERTY:usermod_upytool_probe,INTERFACE_COMPILE_DEFINITIONS>")
"""


@pytest.mark.skipif(not shutil.which("cmake") or not shutil.which("cc"), reason="needs cmake and a C compiler")
def test_cmake_takes_it_in(tmp_path: Path) -> None:
    probe = OURS / "usermods" / "upytool_probe"
    (tmp_path / "CMakeLists.txt").write_text(PROJECT.format(file=(probe / "micropython.cmake").as_posix()))
    subprocess.run(
        ["cmake", "-S", str(tmp_path), "-B", str(tmp_path / "b"), "-DUPYTOOL_PROBE_ID=7"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    told = (tmp_path / "b" / "told").read_text().split("|")
    assert told == ["usermod_upytool_probe", str(probe / "upytool_probe.c"), 'UPYTOOL_PROBE_ID="7"']
