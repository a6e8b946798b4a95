"""ESP32 outputs read by others: mp-image-tool-esp32 (table, files) and esptool (headers, checksums)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.builder.bases import CASES, ITEMS, holds, made

CHOSEN = ["esp32 without a row", "esp32 with a row", "esp32 of 2 MB", "esp32 ota", "esp32 8 MB", "esp32c3"]


def run(*argv: str, cwd: Path) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", CHOSEN)
def test_mp_image_tool_esp32_reads_the_files(tmp_path: Path, name: str) -> None:
    tool = shutil.which("mp-image-tool-esp32") or shutil.which(
        "mp-image-tool-esp32", path=str(Path(sys.executable).parent)
    )
    if tool is None:
        pytest.skip("mp-image-tool-esp32 is not installed")
    case = CASES[name]
    result = made(tmp_path, case.base, case.suffix, **case.options)
    (tmp_path / "got").mkdir()
    said = run(tool, result.output.name, "--fs", "get", "/", "got", cwd=tmp_path)
    files = {
        path.relative_to(tmp_path / "got").as_posix(): path.read_bytes()
        for path in (tmp_path / "got").rglob("*") if path.is_file()
    }  # fmt: skip
    assert files == holds(result.output, case.start, case.size)[1]
    assert files["static/page.html"] == ITEMS[3].data
    row = next(line for line in said.splitlines() if "vfs" in line)
    assert [int(each, 16) for each in re.findall(r"0x[0-9a-f]+", row)[:3]] == [
        case.start, case.size, case.start + case.size,
    ]  # fmt: skip


@pytest.mark.parametrize("name", [*CHOSEN, "esp8266 2 MB"])
def test_esptool_finds_the_header_sound(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    result = made(tmp_path, case.base, case.suffix, **case.options)
    said = run(sys.executable, "-m", "esptool", "image-info", result.output.name, cwd=tmp_path)
    assert "(invalid" not in said
    assert re.search(r"Checksum: 0x[0-9a-f]{2} \(valid\)", said)
    assert ("esp8266" in name) or re.search(r"Validation hash: [0-9a-f]{64} \(valid\)", said)
    size = {"esp32 of 2 MB": "2MB", "esp32 8 MB": "8MB", "esp8266 2 MB": "2MB"}.get(name, "4MB")
    assert f"Flash size: {size}" in said
