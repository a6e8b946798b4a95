"""Plain DFU 1.1 devices (a model): the Nano ESP32's application, a file without addresses."""

from __future__ import annotations

import random

import pytest

from tests.fakes.dfu_bench import OPTIONS, Bench, f4_image, outcome
from tests.fakes.st_dfu_model import PlainDevice
from upytool.errors import ConnectionLostError, FlashError
from upytool.image.base import FirmwareImage
from upytool.image.dfuse import add_suffix
from upytool.image.memory import Memory

DATA = random.Random(4).randbytes(41_001)


def image(data: bytes = DATA, *, port: str = "", chip: str = "") -> FirmwareImage:
    return FirmwareImage(data, "bin", Memory.of([(0, data)]), chip, port, place_known=False)


@pytest.mark.parametrize("after", ["gone", "wait-reset"])
def test_written_and_gone(after: str) -> None:
    device = PlainDevice(pid=0x1234, after=after)
    bench = Bench.of(device)
    loader = bench.open()
    done = loader.program(image(), OPTIONS)
    assert device.slot == DATA
    assert (done.written, done.verified) == (len(DATA), "")
    loader.leave()
    assert bench.backend.resets == (1 if after == "wait-reset" else 0)


def test_verified_where_it_stays_and_uploads() -> None:
    device = PlainDevice(pid=0x1234, tolerant=True, can_upload=True)
    assert Bench.of(device).open().program(image(), OPTIONS).verified == "read back"
    assert device.slot == DATA


def test_a_wrong_upload_is_an_error() -> None:
    device = PlainDevice(pid=0x1234, tolerant=True, can_upload=True)
    bench = Bench.of(device)
    loader = bench.open()
    probe = Bench.of(PlainDevice(pid=0x1234, tolerant=True, can_upload=True))
    probe.open().program(image(), OPTIONS)
    uploads = [at for at, (_, request, _, _) in enumerate(probe.backend.log) if request == 2]
    bench.backend.faults = {uploads[3]: "corrupt"}
    with pytest.raises(FlashError, match="other bytes"):
        loader.program(image(), OPTIONS)


def test_suffix_is_not_sent() -> None:
    device = PlainDevice(pid=0x1234)
    suffixed = add_suffix(DATA, vendor=0x2341, product=0x1234)
    file = FirmwareImage(suffixed, "dfu", Memory.of([(0, DATA)]), place_known=False)
    loader = Bench.of(device).open()
    assert loader.check(file) == []
    loader.program(file, OPTIONS)
    assert device.slot == DATA


def test_files_for_others_are_declined() -> None:
    bench = Bench.of(PlainDevice())
    flasher, target = bench.flasher, bench.target
    assert "addresses" in flasher.declines(target, f4_image())
    assert "rp2040" in flasher.declines(target, image(port="rp2", chip="rp2040"))
    assert ".app-bin" in flasher.declines(target, image(port="esp32", chip="esp32s3"))
    with pytest.raises(FlashError, match=r"\.app-bin"):
        bench.open().program(image(port="esp32", chip="esp32s3"), OPTIONS)
    other = add_suffix(DATA, vendor=0x1111, product=0x2222)
    strange = Bench.of(PlainDevice(pid=0x1234))
    with pytest.raises(FlashError, match="1111:2222"):
        strange.open().check(FirmwareImage(other, "dfu", Memory.of([(0, DATA)]), place_known=False))


def test_no_addresses_here() -> None:
    loader = Bench.of(PlainDevice()).open()
    assert loader.abilities == {"program"}
    assert loader.chip.name == "esp32s3"
    for act in (
        lambda: loader.read(0, 4),
        lambda: loader.erase(0, 4096),
        loader.erase_all,
        lambda: loader.program_memory(Memory(), OPTIONS),
        lambda: loader.differences(Memory()),
    ):
        with pytest.raises(FlashError, match="as a whole"):
            act()
    loader.close()


def test_the_device_refuses_in_the_middle() -> None:
    device = PlainDevice(pid=0x1234, fail_at=5)
    with pytest.raises(FlashError, match="errFILE") as caught:
        Bench.of(device).open().program(image(), OPTIONS)
    assert caught.value.state.code == "flash.state.dfu-not-placed"
    assert device.slot == b""


@pytest.mark.parametrize("fault", ["disconnect", "power", "stall", "timeout", "short"])
def test_fault_at_every_transfer(fault: str) -> None:
    probe = Bench.of(PlainDevice(pid=0x1234))
    probe.open().program(image(), OPTIONS)
    total = len(probe.backend.log) - 3  # at the end the device may go at any time
    for number in range(total):
        device = PlainDevice(pid=0x1234)
        bench = Bench.of(device)
        bench.backend.faults = {number: fault}
        error = outcome(bench, image())
        assert error is None or isinstance(error, FlashError | ConnectionLostError)
        assert device.slot == (DATA if error is None else b"")
        bench.backend.faults = {}
        bench.backend.plug_in()
        if device.state in (7, 8):
            device.power_cycle()
        bench.open().program(image(), OPTIONS)
        assert device.slot == DATA
