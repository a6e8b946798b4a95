"""A fault at every single transfer: the board is never left starting half a firmware, and a second run succeeds."""

from __future__ import annotations

import pytest

from tests.fakes.dfu_bench import OPTIONS, Bench, dfuse_image, outcome, vectors
from tests.fakes.st_dfu_model import L4, StRom
from upytool.errors import ConnectionLostError, FlashError, OperationInterrupted
from upytool.flashers.dfu_fit import AGAIN
from upytool.flashers.failure import UNCHANGED
from upytool.image.base import FirmwareImage

INCOMPLETE = ("flash.state.dfu-incomplete", "flash.state.dfu-step-incomplete")
AREA = ((0x08000000, 2048, 256),)


def image(seed: int) -> FirmwareImage:
    return dfuse_image([(0x08000000, vectors(0x08000000, 1500, seed)), (0x08001000, vectors(0, 4500, seed + 10))])


OLD, NEW = image(1), image(2)


def with_old_firmware() -> StRom:
    model = StRom(layouts=(L4,), areas=AREA, flash_word=8, transfer_size=512)  # several blocks in each sector
    for each in OLD.memory:
        model.poke(each.address, each.data)
    return model


def is_on(model: StRom, firmware: FirmwareImage) -> bool:
    return all(model.peek(each.address, len(each.data)) == each.data for each in firmware.memory)


def transfers() -> int:
    bench = Bench.of(with_old_firmware())
    bench.open().program(NEW, OPTIONS)
    return len(bench.backend.log)


@pytest.mark.parametrize("fault", ["disconnect", "power", "stall", "timeout", "corrupt", "short"])
def test_fault_at_every_transfer(fault: str) -> None:
    total = transfers()
    assert 60 < total < 400
    survived = 0
    for number in range(total):
        model = with_old_firmware()
        bench = Bench.of(model)
        bench.backend.faults = {number: fault}
        error = outcome(bench, NEW)
        if error is None:
            survived += 1
            assert is_on(model, NEW)
        else:
            assert isinstance(error, FlashError | ConnectionLostError), error
            assert error.hint
            if not is_on(model, OLD):
                assert isinstance(error, FlashError)
                assert error.state.code in INCOMPLETE
                assert AGAIN in error.hints
            elif isinstance(error, FlashError) and error.state and error.state.code not in INCOMPLETE:
                assert error.state == UNCHANGED
        # what starts at the next power-on is a whole firmware or the bootloader
        assert model.boots == "bootloader" or is_on(model, OLD) or is_on(model, NEW), number
        bench.backend.faults = {}
        model.power_cycle()
        bench.backend.plug_in()
        done = bench.open().program(NEW, OPTIONS)
        assert is_on(model, NEW)
        assert done.verified == "read back"
    if fault in ("disconnect", "power"):
        assert survived == 0
    elif fault in ("stall", "timeout", "short"):
        assert survived == total  # one lost transfer is no reason to fail


@pytest.mark.parametrize("fault", ["stall", "timeout"])
def test_a_wire_that_stays_broken_ends_in_an_error(fault: str) -> None:
    model = with_old_firmware()
    bench = Bench.of(model)
    loader = bench.open()
    bench.backend.faults = dict.fromkeys(range(60, 100_000), fault)
    with pytest.raises(FlashError):
        loader.program(NEW, OPTIONS)
    assert model.clock.time < 1200
    assert model.boots == "bootloader" or is_on(model, OLD)


def test_power_loss_between_erase_and_write() -> None:
    model = with_old_firmware()
    bench = Bench.of(model)
    loader = bench.open()
    probe = Bench.of(with_old_firmware())
    probe.open().program(NEW, OPTIONS)
    erases = [at for at, (_, request, value, data) in enumerate(probe.backend.log)
              if request == 1 and value == 0 and isinstance(data, bytes) and data[:1] == b"\x41"]  # fmt: skip
    bench.backend.faults = {erases[1] + 3: "power"}  # the second sector is blank then, the next request would write
    with pytest.raises(FlashError) as caught:
        loader.program(NEW, OPTIONS)
    assert caught.value.state.code == "flash.state.dfu-incomplete"
    assert model.boots == "bootloader"
    bench.backend.plug_in()
    again = bench.open().program(NEW, OPTIONS)
    assert is_on(model, NEW)
    assert again.verified == "read back"


@pytest.mark.parametrize("call", ["erase", "write"])
def test_ctrl_c_says_what_is_on_the_board(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = with_old_firmware()
    loader = Bench.of(model).open()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loader.session, call, interrupted)
    with pytest.raises(OperationInterrupted) as caught:
        loader.program(NEW, OPTIONS)
    assert "incomplete" in caught.value.hint
    assert "run the same command again" in caught.value.hint


def test_going_on_writes_only_what_is_missing() -> None:
    model = StRom(layouts=(L4,), areas=AREA)
    big = dfuse_image([(0x08000000, vectors(0x08000000, 100_000))])
    bench = Bench.of(model)
    loader = bench.open()
    bench.backend.faults = {600: "disconnect"}
    with pytest.raises(FlashError):
        loader.program(big, OPTIONS)
    bench.backend.plug_in()
    model.power_cycle()
    bench.backend.faults = {}
    done = bench.open().program(big, OPTIONS)
    assert 0 < done.written < 90_000
    assert is_on(model, big)
