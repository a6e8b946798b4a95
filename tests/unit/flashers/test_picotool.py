"""The picotool flasher, driving a MODEL of picotool (tests/fakes/picotool_model.py), for its faults.

The real program drives the real boot ROM in tests/flash/test_picotool_oracle.py.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from tests.fakes.picoboot_model import ModelChip, PicobootModel
from tests.unit.flashers.test_picoboot import BASE, NORMAL, WHOLE, Recorder, content, image
from upytool.errors import ConnectionLostError, FlashError, PortPermissionError
from upytool.events import TaskAdvanced, TaskStarted
from upytool.flashers import picotool as module
from upytool.flashers.base import FlashTarget
from upytool.flashers.picotool import PicotoolFlasher, PicotoolLoader
from upytool.flashers.usb import UsbBus
from upytool.image.memory import Memory

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the model is a script with a #! line")

LAUNCHER = """#!{python}
import sys
sys.path.insert(0, {repository!r})
from tests.fakes.picotool_model import main
main({home!r})
"""


class Bench:
    def __init__(self, folder: Path, chip: str = "rp2040") -> None:
        self.folder = folder
        self.program = folder / "picotool"
        repository = str(Path(__file__).resolve().parents[3])
        text = LAUNCHER.format(python=sys.executable, repository=repository, home=str(folder))
        self.program.write_text(text, encoding="utf-8")
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        (folder / "flash").write_bytes(b"\xff" * (2 << 20))
        bus = UsbBus("", PicobootModel(ModelChip(chip)))  # type: ignore[arg-type]
        self.target = FlashTarget("bootloader", "usb:1-2.3", location="1-2.3", usb=bus.devices()[0], bus=bus)
        self.flasher = PicotoolFlasher(str(self.program))

    def mode(self, name: str) -> None:
        (self.folder / "mode").write_text(name)

    def open(self) -> PicotoolLoader:
        return self.flasher.open(self.target, NORMAL)

    @property
    def flash(self) -> bytes:
        return (self.folder / "flash").read_bytes()

    @property
    def log(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_declines(bench: Bench, tmp_path: Path) -> None:
    assert bench.flasher.declines(bench.target, image()) == ""
    assert "not installed" in PicotoolFlasher(str(tmp_path / "none")).declines(bench.target, None)
    assert "BOOTSEL" in bench.flasher.declines(FlashTarget("running", "x"), None)
    assert bench.target.bus is not None
    simulated = UsbBus("sim:pico", bench.target.bus.backend)
    target = FlashTarget("bootloader", "sim:pico", usb=simulated.devices()[0], bus=simulated)
    assert "real boards" in bench.flasher.declines(target, None)
    with pytest.raises(FlashError, match="not installed") as caught:
        PicotoolFlasher(str(tmp_path / "none")).open(bench.target, NORMAL)
    assert "--tool picoboot" in caught.value.hint


def test_open(bench: Bench) -> None:
    chip = bench.open().chip
    assert (chip.name, chip.flash_size, chip.unique_id) == ("rp2040", 2 << 20, "e66118604b6f5a2b")
    assert "2.1.1" in chip.description


def test_program_keeps_what_is_behind_the_image(bench: Bench) -> None:
    held = bytearray(bench.flash)
    held[20480 - 8 : 20490] = b"the files stay here"[:18]
    (bench.folder / "flash").write_bytes(held)
    recorder = Recorder()
    loader = bench.open()
    firmware = image()
    assert loader.check(firmware) == []
    done = loader.program(firmware, NORMAL, reporter=recorder)
    assert (done.total, done.verified) == (20224, "by picotool")
    assert bench.flash[:20224] == firmware.memory.segments[0].data
    assert bench.flash[20480 - 8 : 20490] == b"the files stay here"[:18]
    (load,) = [line for line in bench.log if line.startswith("load ")]
    assert " -t uf2 -u -v --bus" in load
    labels = [each.label for each in recorder.events if isinstance(each, TaskStarted)]
    assert labels == ["writing"]
    shown = [each.done for each in recorder.events if isinstance(each, TaskAdvanced)]
    assert shown[-1] == 100
    assert shown == sorted(shown)
    assert loader.differences(firmware.memory) == []
    loader.program(firmware, WHOLE)
    assert " -u " not in bench.log[-1]


def test_program_memory_goes_to_its_address(bench: Bench) -> None:
    loader = bench.open()
    loader.program_memory(Memory.of([(BASE + 0x100000, b"F" * 5000)]), NORMAL)
    assert bench.flash[0x100000:][:5001] == b"F" * 5000 + b"\xff"
    assert "-t bin -o 0x10100000" in bench.log[-1]


def test_read_and_erase(bench: Bench) -> None:
    data = content("rp2040", 20480, 3)
    (bench.folder / "flash").write_bytes(data.ljust(2 << 20, b"\xff"))
    loader = bench.open()
    assert loader.read(BASE + 100, 5000) == data[100:5100]
    assert loader.read(BASE, 0) == b""
    with pytest.raises(FlashError, match="not all flash"):
        loader.read(BASE + (2 << 20), 1)
    loader.erase(BASE + 4096, 4096)
    assert bench.flash[4096:8192] == b"\xff" * 4096
    with pytest.raises(FlashError, match="whole sectors"):
        loader.erase(BASE + 1, 4096)
    assert loader.touched(Memory.of([(BASE + 5000, b"x")])) == [(BASE + 4096, 4096)]
    loader.erase_all()
    assert set(bench.flash) == {0xFF}


def test_an_erase_is_proven(bench: Bench) -> None:
    (bench.folder / "flash").write_bytes(bytes(2 << 20))
    loader = bench.open()
    bench.mode("lazy")
    with pytest.raises(FlashError, match="not empty"):
        loader.erase(BASE, 4096)


def test_leave(bench: Bench) -> None:
    loader = bench.open()
    loader.leave("stay")
    loader.leave("run")
    assert bench.log[-1] == "reboot --bus 1 --address 5"
    loader.leave("bootloader")
    assert bench.log[-1] == "reboot -u --bus 1 --address 5"
    loader.close()


def test_errors(bench: Bench) -> None:
    bench.mode("denied")
    with pytest.raises(PortPermissionError, match="picotool cannot open"):
        bench.open()
    bench.mode("gone")
    with pytest.raises(ConnectionLostError, match="does not find"):
        bench.open()
    bench.mode("other")
    with pytest.raises(FlashError, match="another program called picotool"):
        bench.open()
    bench.mode("")
    loader = bench.open()
    with pytest.raises(FlashError, match="for the RP2350"):
        loader.check(image("rp2350"))
    bench.mode("broken")
    with pytest.raises(FlashError, match="picotool: communication with device failed") as caught:
        loader.program(image(size=20480), NORMAL)
    assert caught.value.state.code == "flash.state.written-in-part"
    assert "run the same command again" in caught.value.hint


def test_a_run_is_bounded_and_leaves_no_process(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = bench.open()
    bench.mode("hang")
    monkeypatch.setattr(module, "START", 0.5)
    with pytest.raises(FlashError, match="picotool load did not end") as caught:
        loader.program(image(size=4096), NORMAL)
    assert caught.value.state.code == "flash.state.unknown"


def test_a_partition_table_is_picotools_matter(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "rp2350")
    loader = bench.open()
    assert loader.check(image("rp2350")) == []
    bench.mode("table")
    assert "partition table" in loader.check(image("rp2350"))[-1]
    loader.program(image("rp2350"), NORMAL)
    assert not [line for line in bench.log if line.startswith("save")], "its addresses are not the image's"
