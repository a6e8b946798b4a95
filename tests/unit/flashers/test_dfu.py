"""The DfuSe loader on the model of ST's boot ROM: the whole way, and every fault of the quirks table.

The model is one (tests/fakes/st_dfu_model.py); the real mboot is in tests/flash/test_dfu_mboot.py.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.dfu_bench import OPTIONS, Bench, dfuse_image, f4_image, vectors
from tests.fakes.st_dfu_model import F4, GD32, H7, L4, OPTION_BYTES, OTP, StRom
from upytool.errors import ConnectionLostError, FlashError, ImageError
from upytool.events import TaskFinished, TaskStarted
from upytool.flashers import dfu_session
from upytool.flashers.base import FlashOptions, FlashTarget
from upytool.image.base import FirmwareImage
from upytool.image.memory import Memory
from upytool.protocol import dfu

WHOLE = dataclasses.replace(OPTIONS, whole=True)
FS, FS_SIZE = 0x08004000, 0x1C000  # MicroPython's file system on an F4
L4_AREA = ((0x08000000, 2048, 256),)


def holds(model: StRom, memory: Memory) -> bool:
    return all(model.peek(each.address, len(each.data)) == each.data for each in memory)


class Record:
    def __init__(self) -> None:
        self.events: list[Any] = []

    def emit(self, event: Any) -> None:
        self.events.append(event)


# -- the whole way


def test_full_cycle_keeps_the_file_system_between_the_pieces() -> None:
    model = StRom()
    files = random.Random(9).randbytes(FS_SIZE)
    model.poke(FS, files)
    bench, image = Bench.of(model), f4_image()
    loader = bench.open()
    assert loader.check(image) == []
    done = loader.program(image, OPTIONS)
    assert holds(model, image.memory)
    assert model.peek(FS, FS_SIZE) == files
    assert model.mass_erases == 0
    assert set(model.pages_erased) == {0x08000000, 0x08020000, 0x08040000}
    assert (done.total, done.verified) == (image.size, "read back")
    assert done.erased == 0x4000 + 2 * 0x20000
    loader.leave()
    assert model.started == 0x08000000


def test_what_loader_says_of_the_chip() -> None:
    loader = Bench.of(StRom()).open()
    assert loader.chip.name == "stm32"
    assert (loader.chip.flash_base, loader.chip.flash_size) == (0x08000000, 1 << 20)
    assert loader.chip.unique_id == "3276366f3033"
    assert loader.abilities == {"read", "erase", "erase-all", "program", "verify"}
    assert loader.touched(f4_image().memory) == [(0x08000000, 0x4000), (0x08020000, 0x40000)]
    loader.close()
    loader.close()


def test_same_firmware_again_writes_nothing() -> None:
    model = StRom()
    bench, image = Bench.of(model), f4_image()
    bench.open().program(image, OPTIONS)
    model.pages_erased.clear()
    done = bench.open().program(image, OPTIONS)
    assert (done.written, done.erased, done.unchanged) == (0, 0, image.size)
    assert model.pages_erased == []
    assert bench.open().program(image, WHOLE).written >= image.size


def test_a_small_change_erases_its_sector_and_the_vectors() -> None:
    model = StRom()
    bench, image = Bench.of(model), f4_image()
    bench.open().program(image, OPTIONS)
    model.pages_erased.clear()
    data = image.memory.replaced(0x08041000, b"changed")
    bench.open().program(dataclasses.replace(image, memory=data), OPTIONS)
    assert holds(model, data)
    assert model.pages_erased == [0x08000000, 0x08040000]  # the vectors first, and written last


def test_the_vectors_are_erased_first_and_written_last() -> None:
    model = StRom()
    bench = Bench.of(model)
    bench.open().program(f4_image(seed=3), OPTIONS)
    model.pages_erased.clear()
    bench.backend.log.clear()
    bench.open().program(f4_image(seed=4), OPTIONS)
    assert model.pages_erased == [0x08000000, 0x08020000, 0x08040000]
    pending, written = 0, []
    for _, request, block, data in bench.backend.log:
        if request == 1 and isinstance(data, bytes) and block == 0 and data[:1] == b"\x21":
            pending = int.from_bytes(data[1:], "little")
        elif request == 1 and block >= 2:
            written.append(pending + (block - 2) * 2048)
    assert written[-1] == 0x08000000
    assert written[-2] == 0x08002000  # the rest of its sector before it


def test_what_an_image_covers_in_part_keeps_the_rest() -> None:
    model = StRom()
    model.poke(0x08022000, b"tail of something else")
    image = dfuse_image([(0x08020000, b"x" * 0x2000)])
    Bench.of(model).open().program_memory(image.memory, OPTIONS)
    assert model.peek(0x08022000, 22) == b"tail of something else"


def test_read_differences_erase() -> None:
    model = StRom()
    model.poke(0x0800FFF0, bytes(range(32)))
    loader = Bench.of(model).open()
    assert loader.read(0x0800FFF0, 32) == bytes(range(32))  # over a border between sectors
    assert loader.read(0x0800FFF1, 3000) == model.peek(0x0800FFF1, 3000)
    assert loader.differences(Memory.of([(0x0800FFF0, bytes(range(32)))])) == []
    assert loader.differences(Memory.of([(0x0800FFE0, b"\xff" * 16 + bytes(range(31)) + b"!")])) == [(0x08010000, 16)]
    loader.erase(0x08010000, 0x10000)
    assert model.peek(0x08010000, 16) == b"\xff" * 16
    assert model.peek(0x0800FFF0, 16) == bytes(range(16))
    with pytest.raises(FlashError, match="whole sectors"):
        loader.erase(0x08010000, 0x1000)
    with pytest.raises(FlashError, match="not let 0x1fff0000 be read"):
        loader.read(0x1FFF0000, 4)


def test_mass_erase_only_when_asked() -> None:
    model = StRom()
    model.poke(0x080F0000, b"x")
    Bench.of(model).open().erase_all()
    assert model.mass_erases == 1
    assert model.peek(0x080F0000, 1) == b"\xff"


def test_progress_adds_up() -> None:
    record = Record()
    loader = Bench.of(StRom()).open()
    loader.program(f4_image(), OPTIONS, reporter=record)
    starts = [each for each in record.events if isinstance(each, TaskStarted)]
    assert [each.label for each in starts] == ["comparing", "writing and verifying"]
    for start in starts:
        done = [each.done for each in record.events if getattr(each, "task", 0) == start.task and hasattr(each, "done")]
        assert done[-1] == start.total
        assert done == sorted(done)
    assert all(each.ok for each in record.events if isinstance(each, TaskFinished))


# -- the quirks


def test_f405_claims_100_ms_for_a_mass_erase_and_is_silent_meanwhile() -> None:
    model = StRom(claims=0.1, mass_time=35.0, while_busy="silent")
    Bench.of(model).open().erase_all()
    assert model.mass_erases == 1


def test_l4_stalls_during_page_erase() -> None:
    model = StRom(layouts=(L4,), areas=L4_AREA, while_busy="stall", flash_word=8, erase_time=0.03, claims=0.0)
    image = dfuse_image([(0x08000000, vectors(0x08000000, 5001))])
    Bench.of(model).open().program(image, OPTIONS)
    assert holds(model, image.memory)
    assert model.pages_erased == [0x08000000, 0x08000800, 0x08001000]  # not one erase was done twice


@pytest.mark.parametrize("size", [5001, 5002, 5004, 5007])
def test_l476_gets_whole_double_words(size: int) -> None:
    """micropython#2637: what dfu-util writes of a file that does not end with one does not start."""
    model = StRom(layouts=(L4,), areas=L4_AREA, flash_word=8)
    image = dfuse_image([(0x08000000, vectors(0x08000000, size)), (0x08003004, b"odd start")])
    Bench.of(model).open().program(image, OPTIONS)
    assert holds(model, image.memory)


def test_h7_gets_whole_flash_words() -> None:
    model = StRom(layouts=(H7,), areas=((0x08000000, 0x20000, 8),), flash_word=32)
    image = dfuse_image([(0x08000000, vectors(0x08000000, 1000)), (0x08040010, b"x" * 777)])
    Bench.of(model).open().program(image, OPTIONS)
    assert holds(model, image.memory)


def test_gd32vf103_reports_a_wrong_layout() -> None:
    model = StRom(layouts=(GD32,), areas=((0x08000000, 1024, 128),), vid=0x28E9, pid=0x0189, serial="3CBJ")
    for address in range(0x08000000, 0x08020000, 1024):
        model.poke(address, b"old")
    image = dfuse_image([(0x08000000, vectors(0x08000000, 6000))], vid=0x28E9, pid=0x0189)
    loader = Bench.of(model).open()
    assert loader.chip.flash_size == 128 * 1024
    loader.program(image, OPTIONS)
    assert model.pages_erased == [0x08000000 + 1024 * number for number in range(6)]
    assert holds(model, image.memory)
    assert model.peek(0x08001800, 3) == b"old"


def test_a_broken_layout_is_refused_and_the_given_one_used() -> None:
    model = StRom(layouts=("@Internal Flash /garbage", OPTION_BYTES))
    with pytest.raises(FlashError, match="garbage") as caught:
        Bench.of(model).open()
    assert "--layout" in caught.value.hint
    loader = Bench.of(model).open(FlashOptions(layout=F4))
    loader.program(f4_image(), OPTIONS)
    assert holds(model, f4_image().memory)


@pytest.mark.parametrize("claims", [0.0, None])
def test_poll_time_zero_does_not_make_it_spin(claims: float | None) -> None:
    model = StRom(claims=claims, erase_time=1.0)
    bench = Bench.of(model)
    bench.open().erase(0x08004000, 0x4000)
    polls = sum(1 for each in bench.backend.log if each[1] == 3)
    assert polls < 250


def test_an_absurd_poll_time_is_cut() -> None:
    model = StRom(claims=16_000.0)
    Bench.of(model).open().erase(0x08004000, 0x4000)
    assert model.clock.time < 60


def test_stuck_busy_ends() -> None:
    model = StRom(claims=0.0)
    loader = Bench.of(model).open()
    model.stuck = True
    with pytest.raises(FlashError, match="busy"):
        loader.erase(0x08004000, 0x4000)
    assert model.clock.time < 300


def test_silent_write_protection_is_found_by_reading_back() -> None:
    model = StRom(protected=frozenset({0x08040000}))
    model.poke(0x08040000, b"old firmware")
    with pytest.raises(FlashError, match="0x08040000 keeps its old content") as caught:
        Bench.of(model).open().program(f4_image(), OPTIONS)
    assert caught.value.state.code == "flash.state.dfu-incomplete"
    assert model.boots == "bootloader"
    with pytest.raises(FlashError, match="write-protected"):
        Bench.of(model).open().erase(0x08040000, 0x20000)
    with pytest.raises(FlashError, match="write-protected"):
        Bench.of(model).open().erase_all()


def test_read_protection_is_explained_before_anything_is_erased() -> None:
    model = StRom(read_protected=True)
    loader = Bench.of(model).open()
    acts: list[Callable[[], Any]] = [lambda: loader.check(f4_image()), lambda: loader.program(f4_image(), OPTIONS)]
    for act in acts:
        with pytest.raises(FlashError, match="read-protected") as caught:
            act()
        assert "wipes" in caught.value.hint
    with pytest.raises(FlashError, match="read-protected"):
        loader.read(0x08000000, 16)
    assert model.pages_erased == []
    assert model.mass_erases == 0


def test_read_unprotect_is_never_sent() -> None:
    model = StRom(read_protected=True)
    bench = Bench.of(model)
    loader = bench.open()
    acts: list[Callable[[], Any]] = [
        lambda: loader.program(f4_image(), OPTIONS),
        loader.erase_all,
        lambda: loader.erase(0x08000000, 0x4000),
    ]
    for act in acts:
        with pytest.raises(FlashError):
            act()
    sent = [data for _, request, _, data in bench.backend.log if request == 1 and isinstance(data, bytes)]
    assert sent
    assert all(data[:1] != b"\x92" for data in sent)


@pytest.mark.parametrize("way", ["status", "at-status", "at-request", "stall"])
def test_vanishing_on_leave_is_success(way: str) -> None:
    model = StRom(on_leave=way)
    loader = Bench.of(model).open()
    loader.program(f4_image(), OPTIONS)
    loader.leave()
    assert model.started == 0x08000000


def test_leave_goes_to_where_the_firmware_begins() -> None:
    model = StRom()
    model.poke(0x08000000, vectors(0x08000000, 64))  # another bootloader
    loader = Bench.of(model).open()
    loader.program(dfuse_image([(0x08008000, vectors(0x08008000, 999))]), OPTIONS)
    loader.leave()
    assert model.started == 0x08008000


@pytest.mark.parametrize("state", [3, 4, 5, 6, 7, 9, 10])
def test_any_state_at_start(state: int) -> None:
    model = StRom(state=state, status=11 if state == 10 else 0)
    if state in (6, 7):  # the model's manifestation would take it off the bus
        model.state = 9
    image = f4_image()
    Bench.of(model).open().program(image, OPTIONS)
    assert holds(model, image.memory)


def test_a_device_that_never_gets_idle() -> None:
    model = StRom(state=4, stuck=True, claims=1.0)
    with pytest.raises(FlashError, match="does not get ready"):
        Bench.of(model).open()
    assert model.clock.time < 70


def test_run_time_mode_is_told() -> None:
    with pytest.raises(FlashError, match="not its bootloader"):
        Bench.of(StRom(state=0)).open()


def test_no_upload_no_proof_but_written() -> None:
    model = StRom(can_upload=False)
    loader = Bench.of(model).open()
    assert "read" not in loader.abilities
    image = f4_image()
    done = loader.program(image, OPTIONS)
    assert done.verified == ""
    assert holds(model, image.memory)
    with pytest.raises(FlashError, match="does not let its memory be read"):
        loader.read(0x08000000, 4)


@pytest.mark.parametrize("size", [64, 512, 1024, 4096, 8192, 0])
def test_transfer_size_is_the_device_s(size: int) -> None:
    model = StRom(transfer_size=size)
    bench, image = Bench.of(model), f4_image(text=20_000)
    bench.open().program(image, OPTIONS)
    assert holds(model, image.memory)
    sizes = {len(data) for _, request, value, data in bench.backend.log
             if request == 1 and value > 1 and isinstance(data, bytes)}  # fmt: skip
    assert max(sizes) <= (size or 1024)
    assert max(sizes) <= 4096


@pytest.mark.parametrize("counting", ["transfer-size", "length", "none"])
def test_ways_to_count_blocks(counting: str) -> None:
    """AN3156 can be read in two ways; a clone that does not count at all is found by reading back."""
    model = StRom(counting=counting)
    image = dfuse_image([(0x08000000, vectors(0x08000000, 3001)), (0x08004000, b"y" * 1)])
    if counting == "none":
        with pytest.raises(FlashError):
            Bench.of(model).open().program(image, WHOLE)
        return
    Bench.of(model).open().program(image, OPTIONS)
    assert holds(model, image.memory)


def test_more_blocks_than_can_be_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block's number has 16 bits; here the last one is 20, so that the test is quick."""
    monkeypatch.setattr(dfu, "LAST_BLOCK", 20)
    monkeypatch.setattr(dfu_session, "ATTEMPTS", 1)
    model = StRom(transfer_size=64)
    bench, image = Bench.of(model), f4_image(text=5_000)
    bench.open().program(image, OPTIONS)
    assert holds(model, image.memory)
    assert bench.open().read(0x08020000, 5_000) == model.peek(0x08020000, 5_000)
    assert max(value for _, _, value, _ in bench.backend.log) == 20


def test_alternate_settings_for_external_flash(monkeypatch: pytest.MonkeyPatch) -> None:
    model = StRom(
        layouts=("@Internal Flash   /0x08000000/1*128Ka,7*128Kg", "@External Flash /0x90000000/16*4Kg", OTP),
        areas=((0x08000000, 0x20000, 8), (0x90000000, 0x1000, 16)),
    )
    chosen: list[int] = []
    monkeypatch.setattr(model, "select", chosen.append)
    image = dfuse_image([(0x08040000, vectors(0x08040000, 9000)), (0x90002000, b"z" * 5000)])
    loader = Bench.of(model).open()
    loader.program(image, OPTIONS)
    assert holds(model, image.memory)
    assert 1 in chosen
    loader.leave()
    assert model.started == 0x08040000


def test_erase_all_takes_external_flash_too() -> None:
    model = StRom(
        layouts=("@Internal Flash  /0x08000000/2*128Kg/0x80000000/8*4Kg",),
        areas=((0x08000000, 0x20000, 2), (0x80000000, 0x1000, 8)),
    )
    model.poke(0x80007FFF, b"x")
    Bench.of(model).open().erase_all()
    assert model.mass_erases == 1
    assert model.peek(0x80000000, 0x8000) == b"\xff" * 0x8000


# -- refusals before the first erase


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (dfuse_image([(0x08100000, b"x" * 100)]), "no memory at 0x08100000"),
        (dfuse_image([(0x080FFFFF, b"xx")]), "no memory at 0x08100000"),
        (dfuse_image([(0x1FFFC000, b"x" * 16)]), "system memory"),
        (dfuse_image([(0x08000000, vectors(0x08000000, 99))], vid=0x2341, pid=0x035B), "2341:035b"),
        (FirmwareImage.read(b":020000042000DA\n:0400000001020304F2\n:00000001FF\n", name="x.hex"), "no memory at"),
    ],
)
def test_refused_before_any_erase(image: FirmwareImage, words: str) -> None:
    model = StRom()
    loader = Bench.of(model).open()
    acts: list[Callable[[], Any]] = [lambda: loader.check(image), lambda: loader.program(image, OPTIONS)]
    for act in acts:
        with pytest.raises(FlashError, match=words):
            act()
    assert model.pages_erased == []


def test_a_damaged_file_is_refused() -> None:
    good = f4_image()
    image = FirmwareImage.read(good.raw[:600] + bytes((good.raw[600] ^ 1,)) + good.raw[601:])
    with pytest.raises(ImageError, match="CRC"):
        Bench.of(StRom()).open().check(image)


def test_ids_any_and_of_the_same_maker() -> None:
    loader = Bench.of(StRom()).open()
    elements = [(0x08000000, vectors(0x08000000, 99))]
    assert loader.check(dfuse_image(elements, vid=0xFFFF, pid=0xFFFF)) == []
    (warning,) = loader.check(dfuse_image(elements, pid=0xDF12))
    assert "0483:df12" in warning


def test_an_image_for_mboot_on_an_empty_chip_is_doubted() -> None:
    (warning,) = Bench.of(StRom()).open().check(dfuse_image([(0x08008000, vectors(0x08008000, 99))]))
    assert "needs a bootloader" in warning
    (warning,) = Bench.of(StRom()).open().check(dfuse_image([(0x08000000, b"no vectors here")]))
    assert "vector table" in warning


def test_declines_with_reasons() -> None:
    bench = Bench.of(StRom())
    flasher, target = bench.flasher, bench.target
    assert flasher.declines(target, f4_image()) == ""
    assert flasher.declines(target, None) == ""
    uf2 = dataclasses.replace(f4_image(), port="rp2", chip="rp2040")
    assert "rp2040" in flasher.declines(target, uf2)
    running = FlashTarget("running", "a0", mcu_port="stm32")
    assert flasher.declines(running, f4_image()) == ""
    assert flasher.declines(dataclasses.replace(running, mcu_port="rp2"), None)
    assert flasher.declines(FlashTarget("bootloader", "drive"), None)
    bench.backend.present = False
    assert "gone" in flasher.declines(target, None)


def test_gone_before_it_began_says_so() -> None:
    bench = Bench.of(StRom())
    loader = bench.open()
    bench.backend.present = False
    with pytest.raises(ConnectionLostError):
        loader.program(f4_image(), OPTIONS)
