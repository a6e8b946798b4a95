"""[build] of a project's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from upytool.errors import ConfigError
from upytool.project.build_table import load_build_table, parse_flash_size

WHOLE = """
[build]
board = "ESP32_GENERIC_S3-SPIRAM_OCT"
variant = ""
version = "1.27"
kind = "image"
firmware = ""
source = ""
modules = ["src"]
data = ["static"]
entry = "app:main"
filesystem = "littlefs"
safe_boot = true
optimize = 1
output = "build/app.bin"
flash_size = "8MB"
manifest = ""
c_modules = []
ignore = ["tests/"]
container = "auto"
[build.optimize-each]
"lib/*.py" = 3
[build.emit]
"fast.py" = "viper"
[build.make]
X = "1"
[packages]
aioble = "*"
"""


def test_all_keys(tmp_path: Path) -> None:
    file = tmp_path / "upytool.toml"
    file.write_text(WHOLE)
    table = load_build_table(file)
    assert (table.root, table.file) == (tmp_path.resolve(), file)
    assert (table.modules, table.data, table.entry) == (("src",), ("static",), "app:main")
    assert (table.optimize_each, table.emit, table.make) == ((("lib/*.py", 3),), (("fast.py", "viper"),), (("X", "1"),))
    assert (table.safe_boot, table.optimize, table.flash_bytes) == (True, 1, 8 << 20)
    assert table.packages == {"aioble": "*"}


def test_pyproject(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.upytool.build]\nboard = "RPI_PICO"\n')
    assert load_build_table(file).board == "RPI_PICO"


def test_no_file(tmp_path: Path) -> None:
    table = load_build_table(None, tmp_path)
    assert (table.file, table.root, table.flash_bytes) == (None, tmp_path.resolve(), None)


def test_local_firmware(tmp_path: Path) -> None:
    file = tmp_path / "upytool.toml"
    for text, want in (("base.uf2", tmp_path.resolve() / "base.uf2"), ("https://h.invalid/x.uf2", None), ("", None)):
        file.write_text(f'[build]\nfirmware = "{text}"\n')
        assert load_build_table(file).local_firmware == want


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("build = 3", r"\[build\] must be a table"),
        ("[build]\nbord = 'x'", "knows no 'bord'"),
        ("[build]\nboard = 3", "build.board must be a text"),
        ("[build]\nsafe_boot = 'yes'", "build.safe_boot must be true or false"),
        ("[build]\nmodules = 'src'", "build.modules must be a list of texts"),
        ("[build]\nmodules = [3]", "build.modules must be a list of texts"),
        ("[build]\noptimize = 4", "build.optimize must be 0 to 3"),
        ("[build]\noptimize = true", "build.optimize must be 0 to 3"),
        ("[build]\nkind = 'both'", "one of image, source"),
        ("[build]\nfilesystem = 'ext4'", "one of auto, romfs, littlefs, fat"),
        ("[build]\nflash_size = 'big'", "a size of flash"),
        ("[build]\nflash_size = 4", "a size of flash"),
        ("[build.emit]\n'x.py' = 'fast'", "a table of emitters"),
        ("[build.optimize-each]\n'x.py' = '3'", "a table of levels"),
        ("[build.make]\nX = 1", "a table of texts"),
        ("[build", "upytool.toml"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "upytool.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_build_table(file)
    assert str(file) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4MB", 4 << 20),
        ("16M", 16 << 20),
        ("512KB", 512 << 10),
        ("2 MiB", 2 << 20),
        ("0MB", None),
        ("4", None),
        ("-1MB", None),
    ],
)
def test_flash_sizes(text: str, size: int | None) -> None:
    assert parse_flash_size(text) == size
