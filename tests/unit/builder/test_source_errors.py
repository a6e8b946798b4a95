"""What failed builds print, and what is made of it. The texts are what gcc 12, ld, cmake and mpy-cross print."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from upytool.builder.base import Item, ModuleSize
from upytool.builder.build_errors import explain
from upytool.builder.sizes import kilobytes
from upytool.errors import CompileError

LOG = Path("log.txt")
BIG = ModuleSize("table.py", "src/table.py", "", 10, 400_000, "frozen", "in place")


def test_a_module_of_the_users() -> None:
    said = (
        "MPY app.py\nerror compiling app.py:\nTraceback (most recent call last):\n"
        '  File "app.py", line 12\nSyntaxError: invalid syntax\n\nmake: *** [../../py/mkrules.mk:232: x] Error 1\n'
    )
    error = explain(said, LOG, {"app.py": Item("app.py", b"", "src/app.py", True)})
    assert isinstance(error, CompileError)
    assert error.message == "src/app.py:12: SyntaxError: invalid syntax"


def test_a_module_of_the_boards_own() -> None:
    said = 'error compiling x.py:\nTraceback:\n  File "x.py", line 2\nSyntaxError: no\nninja: build stopped\n'
    assert explain(said, LOG, {}).message == "x.py:2: SyntaxError: no"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("x.c:1:2: warning: no\nmy/native.c:3:12: error: 'wrong' undeclared\n", "my/native.c:3: 'wrong' undeclared"),
        ("a.c:3:10: fatal error: pico/stdlib.h: No such file\n", "a.c:3: pico/stdlib.h: No such file"),
        (
            "/usr/bin/ld: fw.elf section `.text' will not fit in region `FLASH_TEXT'\n"
            "/usr/bin/ld: region `FLASH_TEXT' overflowed by 12345 bytes\ncollect2: error: ld returned 1 exit status\n",
            "the firmware is 12345 bytes too large for its flash (region FLASH_TEXT)",
        ),
        (
            "arm-none-eabi/bin/ld: main.o: in function `main':\nmain.c:(.text+0x2): undefined reference to `nothing'\n",
            "nothing defines nothing, which the firmware calls",
        ),
        ("ld: b.o: multiple definition of `init'; a.o: first defined here\n", "init is defined twice"),
        (
            "-- x\nCMake Error at CMakeLists.txt:41 (message):\n  Invalid MICROPY_BOARD specified: NOPE\n\n",
            "cmake: CMakeLists.txt:41: Invalid MICROPY_BOARD specified: NOPE",
        ),
        (
            "cc1: error: invalid argument 'x' to '-y'\nmake: *** [mkrules.mk:133: x] Error 1\n",
            "the build failed: cc1: error: invalid argument 'x' to '-y'",
        ),
        ("make: *** No rule to make target 'nothing'.  Stop.\n", "the build failed: No rule to make target 'nothing'."),
        ("one\n\x1b[31mlast words\x1b[0m\n", "the build failed: last words"),
        ("", "the build failed: it said nothing"),
    ],
)
def test_words_of_compilers(said: str, message: str) -> None:
    error = explain(said, LOG, {}, [BIG])
    assert error.message == message
    assert "log.txt" in error.hint


def test_a_real_linkers_words(tmp_path: Path) -> None:
    """A region of a kilobyte, and an array that does not fit, linked by what the machine has."""
    compiler = shutil.which("arm-none-eabi-gcc") or shutil.which("gcc")
    if compiler is None or os.name == "nt":
        pytest.skip("no gcc here")
    (tmp_path / "a.c").write_text("const char big[5000] = {1};\nchar small[4] = {1};\n")
    (tmp_path / "a.ld").write_text(
        "MEMORY { FLASH (rx) : ORIGIN = 0x1000, LENGTH = 1024  RAM (rw) : ORIGIN = 0x9000, LENGTH = 1024 }\n"
        "SECTIONS { .text : { *(.rodata*) } > FLASH  .data : { *(.data*) } > RAM  /DISCARD/ : { *(.note*) } }\n"
    )
    line = [compiler, "-nostdlib", "-static", "-T", "a.ld", "a.c", "-o", "a.elf"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode
    error = explain(done.stderr, LOG, {}, [BIG])
    assert error.message == "the firmware is 3976 bytes too large for its flash (region FLASH)"


def test_too_large_names_the_largest_modules() -> None:
    error = explain("ld: region 'FLASH' overflowed by 7 bytes", LOG, {}, [BIG])
    assert f"table.py ({kilobytes(400_000)})" in error.hint


def test_a_submodule_that_is_missing_is_named() -> None:
    said = "CMake Error at x.cmake:1 (include):\n  include could not find requested file\n"
    assert "the tree lacks lib/tinyusb" in explain(said, LOG, {}, (), ["lib/tinyusb"]).hint
