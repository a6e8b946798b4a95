"""The DFU loader against MicroPython's real mboot, compiled for this computer; pydfu and dfu-util as oracles.

What is real: mboot's state machine, its guards, its strings and descriptors, its flash driver. What is not: the
flash cells, the USB core (tests/rigs/mboot).
"""

from __future__ import annotations

import importlib.util
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import usb.core

from tests.fakes.dfu_bench import OPTIONS, Bench, dfuse_image, f4_image, vectors
from tests.fakes.st_dfu_model import Clock, StRom
from tests.rigs.debian_source import micropython_tree
from tests.rigs.mboot.board import LAYOUT, SPI, START, Mboot
from tests.rigs.usb_shim import UsbShim
from upytool.errors import FlashError, UpytoolError
from upytool.flashers.base import FlashTarget
from upytool.flashers.dfu import DfuFlasher
from upytool.flashers.dfu_util import DfuUtilFlasher, DfuUtilLoader, parse_list
from upytool.flashers.usb import UsbBus
from upytool.image.base import FirmwareImage

pytestmark = pytest.mark.rig
OWN = b"\x4d" * 0x8000  # mboot itself


@pytest.fixture
def board() -> Iterator[Mboot]:
    with Mboot() as rig:
        yield rig


def open_(board: Mboot) -> Any:
    return DfuFlasher().open(board.target, OPTIONS)


def image(seed: int = 1, text: int = 70_000) -> FirmwareImage:
    """As for a board with mboot and SPI flash: vectors behind mboot, text, a piece in the SPI flash."""
    source = random.Random(seed)
    return dfuse_image([
        (START, vectors(START, 9_001, seed)),
        (0x08020000, source.randbytes(text)),
        (SPI + 0x3000, source.randbytes(5_003)),
    ])  # fmt: skip


def holds(board: Mboot, firmware: FirmwareImage) -> bool:
    return all(board.peek(each.address, len(each.data)) == each.data for each in firmware.memory)


def test_the_whole_way(board: Mboot) -> None:
    files = random.Random(8).randbytes(0x10000)
    board.poke(0x08010000, files)
    loader, firmware = open_(board), image()
    assert loader.layout.describe() == "0x08000000 to 0x080fffff and 0x80000000 to 0x8003ffff"
    assert loader.is_mboot
    assert loader.check(firmware) == []
    done = loader.program(firmware, OPTIONS)
    assert done.verified == "read back"
    assert holds(board, firmware)
    assert board.peek(0x08010000, 0x10000) == files
    assert board.peek(0x08000000, 0x8000) == OWN
    assert loader.read(SPI + 0x3000, 5_003) == board.peek(SPI + 0x3000, 5_003)
    assert loader.differences(firmware.memory) == []
    assert loader.program(firmware, OPTIONS).written == 0
    loader.leave()
    assert board.left


def test_firmware_over_mboot_is_refused_before_any_erase(board: Mboot) -> None:
    loader = open_(board)
    before = len(board.backend.log)
    with pytest.raises(FlashError, match="build for boards without mboot") as caught:
        loader.program(f4_image(), OPTIONS)
    assert "with mboot" in caught.value.hint
    sent = [data for _, request, _, data in board.backend.log[before:] if request == 1 and isinstance(data, bytes)]
    assert all(data[:1] != b"\x41" for data in sent)


@pytest.mark.parametrize("address", [0x08000000, 0x08004000])
def test_mboot_s_own_words_are_shown(board: Mboot, address: int) -> None:
    loader = open_(board)
    with pytest.raises(FlashError, match="Can't overwrite mboot") as caught:
        loader.erase(address, 0x4000)
    assert caught.value.state.code == "flash.state.unchanged"
    with pytest.raises(FlashError, match="Can't overwrite mboot"):
        loader.program(dfuse_image([(0x08004000, vectors(0x08004000, 99))]), OPTIONS)
    assert board.peek(0x08000000, 0x8000) == OWN
    loader.program(image(), OPTIONS)  # and it is ready for more
    assert holds(board, image())


def test_address_without_flash_is_mboot_s_to_refuse_too(board: Mboot) -> None:
    loader = open_(board)
    with pytest.raises(UpytoolError, match="Address out of range"):
        loader.session.erase(0x09000000)


def test_erase_all_leaves_mboot(board: Mboot) -> None:
    loader = open_(board)
    loader.program(image(), OPTIONS)
    loader.erase_all()
    assert board.peek(0x08000000, 0x8000) == OWN
    assert board.peek(0x08008000, 0xF8000) == b"\xff" * 0xF8000
    assert board.peek(SPI, 64 * 4096) == b"\xff" * 64 * 4096


def test_an_mboot_for_encrypted_firmware_is_recognised() -> None:
    """It answers reads with rubbish and tells so in the status alone."""
    with Mboot(packed=True) as rig:
        loader = open_(rig)
        acts: list[Callable[[], Any]] = [lambda: loader.check(image()), lambda: loader.program(image(), OPTIONS)]
        for act in acts:
            with pytest.raises(FlashError, match=r"encrypted firmware alone .*Read support disabled"):
                act()
        with pytest.raises(FlashError, match="Read support disabled"):
            loader.read(START, 100)


def test_starting_after_an_aborted_run(board: Mboot) -> None:
    bus = board.target.bus
    assert bus is not None
    assert board.target.usb is not None
    with bus.open(board.target.usb) as link:
        link.claim(0)
        link.control_out(0x21, 1, 0, 0, b"\x41\x00\x00\x00\x08")  # an erase of mboot, never asked for its result
        link.control_in(0xA1, 3, 0, 0, 6)
    loader = open_(board)
    loader.program(image(), OPTIONS)
    assert holds(board, image())


@pytest.mark.parametrize("fault", ["power", "disconnect", "stall", "timeout", "short"])
def test_faults(board: Mboot, fault: str) -> None:
    """A fault at some of the transfers (on the model it is tried at each)."""
    old, new = image(1, 20_000), image(2, 20_000)
    open_(board).program(old, OPTIONS)
    board.backend.log.clear()
    open_(board).program(new, OPTIONS)
    total = len(board.backend.log)
    for number in range(0, total, 9 if fault == "power" else 31):
        open_(board).program(old, OPTIONS)
        board.backend.log.clear()
        board.backend.faults = {number: fault}
        try:
            open_(board).program(new, OPTIONS)
        except UpytoolError:
            assert fault in ("power", "disconnect")
            blank = board.peek(START, 4) == b"\xff" * 4  # mboot starts no such application
            assert blank or holds(board, old) or holds(board, new)
        else:
            assert fault not in ("power", "disconnect")
        board.backend.faults = {}
        board.restart()
        open_(board).program(new, OPTIONS)
        assert holds(board, new)


# -- pydfu, unmodified


@pytest.fixture
def pydfu(board: Mboot, monkeypatch: pytest.MonkeyPatch) -> Any:
    """MicroPython's tools/pydfu.py, with the rig for its USB."""
    path = micropython_tree()[1] / "tools" / "pydfu.py"
    spec = importlib.util.spec_from_file_location("pydfu", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    find = usb.core.find
    monkeypatch.setattr(usb.core, "find", lambda *args, **more: find(*args, **{**more, "backend": board.backend}))
    return module


def test_pydfu_writes_what_our_loader_reads(board: Mboot, pydfu: Any, tmp_path: Path) -> None:
    file = tmp_path / "firmware.dfu"
    firmware = image()
    file.write_bytes(firmware.raw)
    pydfu.init()
    pydfu.write_elements(pydfu.read_dfu_file(str(file)), False)
    assert holds(board, firmware)
    assert open_(board).differences(firmware.memory) == []
    assert open_(board).program(firmware, OPTIONS).written == 0


def test_pydfu_sees_the_same_layout(pydfu: Any) -> None:
    pydfu.init()
    layout = pydfu.get_memory_layout(pydfu.get_dfu_devices()[0])
    expected = [(area["addr"], area["size"]) for area in layout]
    from upytool.flashers.dfu_layout import parse_layout

    assert [(area.start, area.size * area.count) for area in parse_layout(LAYOUT).areas] == expected


def test_pydfu_leaves(board: Mboot, pydfu: Any) -> None:
    pydfu.init()
    pydfu.exit_dfu()
    assert board.left


# -- dfu-util, unmodified (Debian's)


@pytest.fixture
def shim(board: Mboot, monkeypatch: pytest.MonkeyPatch) -> Iterator[UsbShim]:
    with UsbShim(board.backend) as shim:
        for name, value in shim.env.items():
            monkeypatch.setenv(name, value)
        yield shim


def real_bus(backend: Any) -> FlashTarget:
    """The device as on this computer's own USB."""
    bus = UsbBus("", backend)
    (device,) = bus.devices()
    return FlashTarget("bootloader", "usb:1-1", device.location, usb=device, bus=bus)


def test_dfu_util_sees_the_same_layout(shim: UsbShim) -> None:
    (listed,) = parse_list(shim.run(["dfu-util", "--list"]).stdout)
    assert (listed.vid, listed.pid, listed.alternate, listed.name) == (0x0483, 0xDF11, 0, LAYOUT)


def test_dfu_util_and_we_write_the_same_bytes(board: Mboot, shim: UsbShim, tmp_path: Path) -> None:
    firmware = image()
    (tmp_path / "firmware.dfu").write_bytes(firmware.raw)
    done = shim.run(["dfu-util", "-a", "0", "-D", str(tmp_path / "firmware.dfu")])
    assert done.returncode == 0, done.stderr
    theirs = [board.peek(0x08000000, 0x100000), board.peek(SPI, 64 * 4096)]
    assert open_(board).differences(firmware.memory) == []
    open_(board).erase_all()
    open_(board).program(firmware, OPTIONS)
    assert [board.peek(0x08000000, 0x100000), board.peek(SPI, 64 * 4096)] == theirs
    done = shim.run(["dfu-util", "-a", "0", "-s", "0x08020000:70000", "-U", str(tmp_path / "back.bin")])
    assert (tmp_path / "back.bin").read_bytes() == open_(board).read(0x08020000, 70_000)


@pytest.mark.rig
def test_the_dfu_util_flasher(board: Mboot, shim: UsbShim) -> None:
    flasher, firmware, target = DfuUtilFlasher(), image(), real_bus(board.backend)
    assert flasher.declines(target, firmware) == ""
    assert "simulated" in flasher.declines(board.target, firmware)
    loader = flasher.open(target, OPTIONS)
    assert isinstance(loader, DfuUtilLoader)
    assert loader.check(firmware) == []
    assert loader.touched(firmware.memory) == open_(board).touched(firmware.memory)
    done = loader.program(firmware, OPTIONS)
    assert done.verified == "read back"
    assert holds(board, firmware)
    assert loader.program(firmware, OPTIONS).written == 0
    assert loader.differences(firmware.memory) == []
    assert loader.read(START, 5_000) == board.peek(START, 5_000)
    loader.erase(0x08020000, 0x20000)
    assert board.peek(0x08020000, 0x20000) == b"\xff" * 0x20000
    with pytest.raises(FlashError, match="dfu-util gave up"):
        loader.erase(0x08000000, 0x4000)
    assert board.peek(0x08000000, 0x8000) == OWN
    loader.leave()
    assert board.left


class RealTime(Clock):
    @property
    def time(self) -> float:
        return time.monotonic()

    @time.setter
    def time(self, value: float) -> None:
        pass


def test_dfu_util_against_the_model(tmp_path: Path) -> None:
    """The model is as the original for a program that knows nothing of it."""
    model = StRom(erase_time=0.02, write_time=0.001, clock=RealTime())
    bench, firmware = Bench.of(model), f4_image(text=30_000)
    (tmp_path / "firmware.dfu").write_bytes(firmware.raw)
    with UsbShim(bench.backend) as shim:
        listed = parse_list(shim.run(["dfu-util", "--list"]).stdout)
        assert [each.name for each in sorted(listed, key=lambda each: each.alternate)] == list(model.layouts)
        done = shim.run(["dfu-util", "-a", "0", "-s", ":leave", "-D", str(tmp_path / "firmware.dfu")])
        assert done.returncode == 0, done.stderr
    assert all(model.peek(each.address, len(each.data)) == each.data for each in firmware.memory)
    assert model.started is not None
