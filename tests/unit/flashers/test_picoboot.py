"""PICOBOOT's flasher against a model of both chips: what it writes, what it leaves alone, and every fault."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator

import pytest

from tests.fakes.picoboot_model import Fault, FaultKind, ModelChip, PicobootModel
from tests.unit.image.parts import pico_like
from upytool.discovery.usb_devices import UsbDevice
from upytool.errors import (
    FlashError,
    ImageError,
    OperationInterrupted,
    PortMissingError,
    PortPermissionError,
    TransportError,
    UpytoolError,
)
from upytool.events import TaskAdvanced, TaskFinished, TaskStarted
from upytool.flashers import picoboot_link
from upytool.flashers.base import FlashOptions, FlashTarget
from upytool.flashers.layout import on_chip
from upytool.flashers.picoboot import PicobootFlasher, PicobootLoader
from upytool.flashers.picoboot_link import PicobootFailure
from upytool.flashers.usb import UsbBus
from upytool.image.base import FirmwareImage
from upytool.image.chips import RP2040, RP2350_ARM_S, RP2350_RISCV
from upytool.image.memory import Memory
from upytool.image.rp2_binary_info import boot2_ok
from upytool.image.uf2 import write_uf2
from upytool.protocol import picoboot as p

BASE = 0x10000000
WHOLE = FlashOptions(whole=True)
NORMAL = FlashOptions()


def boot2() -> bytes:
    """256 bytes that the RP2040's ROM takes for a second stage: 252 and their CRC-32 (datasheet 2.8.1.3.1)."""
    body = bytes(range(252))
    crc = 0xFFFFFFFF
    for byte in body:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    assert boot2_ok(body + struct.pack("<I", crc))
    return body + struct.pack("<I", crc)


def content(chip: str, size: int, seed: int) -> bytes:
    """A firmware of `size` bytes that the chip would start."""
    if chip == "rp2040":
        head = boot2()
    else:  # an image definition: executable, RP2350, Arm or RISC-V
        head = struct.pack("<IBBHI", 0xFFFFDED3, 0x42, 1, 0x1021, 0xAB123579).ljust(256, b"\0")
    body = b"".join(struct.pack("<I", (seed * 2654435761 + n * 40503) & 0xFFFFFFFF) for n in range(size // 4))
    return (head + body)[:size]


def image(chip: str = "rp2040", size: int = 20000, seed: int = 1, family: int | None = None) -> FirmwareImage:
    owner = family or (RP2040 if chip == "rp2040" else RP2350_ARM_S)
    data = content(chip, size, seed)
    padded = data + bytes(-len(data) % 256)
    return FirmwareImage.read(
        write_uf2([(owner, Memory.of([(BASE, padded)]))], erratum_block=chip == "rp2350"), name="test.uf2"
    )


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picoboot_link, "PATIENCE", 0.0)


class Recorder:
    def __init__(self) -> None:
        self.events: list[object] = []

    def emit(self, event: object) -> None:
        self.events.append(event)


class Board:
    """A model on a bus, and what upytool knows of it."""

    def __init__(self, chip: ModelChip) -> None:
        self.model = PicobootModel(chip)
        self.chip = chip

    @property
    def target(self) -> FlashTarget:
        bus = UsbBus("", self.model)
        devices = bus.devices() or [UsbDevice(0x2E8A, 3, "1-2.3")]
        return FlashTarget("bootloader", "usb:1-2.3", location="1-2.3", usb=devices[0], bus=bus)

    def open(self, flasher: PicobootFlasher | None = None) -> PicobootLoader:
        return (flasher or PicobootFlasher(eject=False)).open(self.target, NORMAL)

    def flash(self, firmware: FirmwareImage, options: FlashOptions = NORMAL) -> None:
        with self.open() as loader:
            loader.check(firmware)
            loader.program(firmware, options)

    def holds(self, firmware: FirmwareImage) -> bool:
        return bytes(self.chip.flash[: firmware.size]) == firmware.memory.segments[0].data


@pytest.fixture(params=["rp2040", "rp2350"])
def board(request: pytest.FixtureRequest) -> Iterator[Board]:
    made = Board(ModelChip(request.param))
    yield made
    assert made.model.opened == 0, "a device was left open"
    assert made.model.claimed == set()


# -- opening ------------------------------------------------------------------------------------------


def test_open_says_which_chip(board: Board) -> None:
    board.flash(image(board.chip.name))
    with board.open() as loader:
        assert loader.chip.name == board.chip.name
        assert loader.chip.flash_size == 2 << 20
        assert loader.chip.unique_id == ("" if board.chip.name == "rp2040" else "5566778811223344")
        assert board.model.exclusive == 1
    assert board.model.exclusive == 0, "the drive is given back"


def test_open_works_at_the_first_try_after_a_killed_tool(board: Board) -> None:
    for _ in range(3):
        board.model.replug(stale=True)
        board.open().close()
        loader = board.open()
        loader._link._token = 9  # a tool that ends in the middle of a command
        loader._link.usb.write(0x03, b"x" * 32)
        loader._link.usb.close()
        board.open().close()


def test_open_and_eject(board: Board) -> None:
    with board.open(PicobootFlasher(eject=True)):
        assert board.model.exclusive == 2


@pytest.mark.parametrize("drive", [True, False])
def test_open_without_the_drive(drive: bool) -> None:
    with Board(ModelChip(drive=drive)).open() as loader:
        assert loader.chip.name == "rp2040"


def test_open_of_a_white_labelled_rp2350() -> None:
    board = Board(ModelChip("rp2350", usb_id=(0x1209, 0x1234)))
    assert PicobootFlasher().declines(board.target, None) == ""
    with board.open() as loader:
        assert loader.chip.description == "RP2350A, boots on Arm"
    other = Board(ModelChip("rp2040", usb_id=(0x1209, 0x1234)))  # something that knows no GET_INFO
    with pytest.raises(FlashError, match="does not answer as an RP2350"):
        other.open()
    assert other.model.opened == 0


def test_open_errors(board: Board) -> None:
    board.model.fail_open = errno.EACCES
    with pytest.raises(PortPermissionError, match="permission denied"):
        board.open()
    target = board.target
    board.model.gone = True
    with pytest.raises(PortMissingError):
        PicobootFlasher().open(target, NORMAL)
    with pytest.raises(FlashError, match="not in BOOTSEL"):
        PicobootFlasher().open(FlashTarget("running", "x"), NORMAL)


def test_declines(board: Board) -> None:
    flasher = PicobootFlasher()
    assert flasher.declines(board.target, image()) == ""
    assert "BOOTSEL" in flasher.declines(FlashTarget("running", "x"), None)
    esp = FirmwareImage(b"", "bin", Memory.of([(0, b"x")]), "esp32", "esp32")
    assert "esp32" in flasher.declines(board.target, esp)


def test_the_flash_size_shows_where_its_start_comes_again() -> None:
    for size in (512 << 10, 2 << 20, 4 << 20, 16 << 20):
        board = Board(ModelChip(size=size))
        with board.open() as loader:
            assert loader.chip.flash_size is None, "an empty flash says nothing"
        board.flash(image())
        with board.open() as loader:
            assert loader.chip.flash_size == size


# -- writing ------------------------------------------------------------------------------------------


def test_write_then_nothing_to_write(board: Board) -> None:
    firmware = image(board.chip.name)
    with board.open() as loader:
        done = loader.program(firmware, NORMAL)
        assert (done.total, done.written, done.unchanged, done.verified) == (20224, 20224, 0, "read back")
        assert done.erased == 20480
        before = board.model.bytes_written
        again = loader.program(firmware, NORMAL)
        assert (again.written, again.erased, again.unchanged) == (0, 0, 20224)
        assert board.model.bytes_written == before
        assert loader.differences(firmware.memory) == []
    assert board.holds(firmware)
    assert board.chip.starts


def test_only_sectors_that_differ_are_written(board: Board) -> None:
    first = image(board.chip.name, size=20480)
    board.flash(first)
    changed = bytearray(first.memory.segments[0].data)
    changed[9000] ^= 1
    second = FirmwareImage.read(write_uf2([(first.families[-1], Memory.of([(BASE, bytes(changed))]))]), name="b")
    with board.open() as loader:
        assert loader.differences(second.memory) == [(BASE + 8992, 16)]
        done = loader.program(second, NORMAL)
    # the sector itself, and the first, without which nothing starts meanwhile
    assert (done.erased, done.written, done.unchanged) == (8192, 8192, 12288)
    assert board.holds(second)
    erases = [address for number, address, _ in board.model.log if number == 3][-2:]
    assert erases == [BASE, BASE + 8192]
    assert board.model.log[-2][:2] == (5, BASE) or (5, BASE) in [row[:2] for row in board.model.log[-6:]]


def test_whole_reads_nothing_first(board: Board) -> None:
    firmware = image(board.chip.name, size=20480)
    board.flash(firmware)
    with board.open() as loader:
        start = len(board.model.log)
        done = loader.program(firmware, WHOLE)
    assert done.written == done.total == 20480
    numbers = [number for number, _, _ in board.model.log[start:]]
    assert 0x84 not in numbers[: numbers.index(3)]
    assert board.holds(firmware)


@pytest.mark.parametrize("options", [NORMAL, WHOLE])
def test_bytes_behind_the_image_in_its_last_sector_stay(board: Board, options: FlashOptions) -> None:
    """A file system may begin in the sector where an image ends."""
    board.chip.flash[20480 - 64 : 20480] = b"files" + bytes(59)
    board.chip.flash[20480:20500] = b"more files, elsewhere"[:20]
    firmware = image(board.chip.name)
    board.flash(firmware, options)
    assert board.holds(firmware)
    assert board.chip.flash[20480 - 64 :][:5] == b"files"
    assert board.chip.flash[20480:20500] == b"more files, elsewhere"[:20]


def test_a_file_systems_sectors_leave_the_firmware_alone(board: Board) -> None:
    firmware = image(board.chip.name)
    board.flash(firmware)
    start = len(board.model.log)
    with board.open() as loader:
        loader.program_memory(Memory.of([(BASE + 0x100000, b"F" * 5000)]), NORMAL)
    assert [row[1] for row in board.model.log[start:] if row[0] == 3] == [BASE + 0x100000]
    assert board.chip.flash[0x100000:][:5000] == b"F" * 5000
    assert board.holds(firmware)


def test_a_full_write_takes_few_transfers() -> None:
    """picotool's `load -v` makes, for each sector, seven transfers to write it and three to read it back
    (2.x, main.cpp, load_guts: for each sector exit_xip, flash_erase and a write, two, two and three transfers; to
    verify, a read of each sector). tests/bench/flash_rp2.py counts the program's own."""
    board = Board(ModelChip())
    firmware = image(size=340 << 10)
    with board.open() as loader:
        before = loader.stats.transfers
        loader.program(firmware, WHOLE)
        mine = loader.stats.transfers - before
    assert mine <= 85 * 10 // 5, mine
    with board.open() as loader:
        written = loader.stats.bytes_out
        loader.program(firmware, NORMAL)
        assert (loader.stats.bytes_out - written) * 10 < firmware.size


def test_progress_adds_up(board: Board) -> None:
    recorder = Recorder()
    with board.open() as loader:
        loader.program(image(board.chip.name, size=100000), NORMAL, reporter=recorder)
    totals = {event.task: event for event in recorder.events if isinstance(event, TaskStarted)}
    last = {event.task: event.done for event in recorder.events if isinstance(event, TaskAdvanced)}
    assert [event.label for event in totals.values()] == ["comparing", "writing", "verifying"]
    assert all(last[number] == event.total for number, event in totals.items())
    assert all(event.ok for event in recorder.events if isinstance(event, TaskFinished))


def test_a_worn_cell_is_an_error_that_says_where(board: Board) -> None:
    board.chip.wear = 5000
    with board.open() as loader, pytest.raises(FlashError, match="0x10001000 does not hold") as caught:
        loader.program(image(board.chip.name), NORMAL)
    assert caught.value.state.code == "flash.state.starts-bootsel"
    assert not board.chip.starts


def test_verify_can_be_left_out(board: Board) -> None:
    board.chip.wear = 5000
    with board.open() as loader:
        assert loader.program(image(board.chip.name), FlashOptions(verify=False)).verified == ""


# -- reading and erasing --------------------------------------------------------------------------------


def test_read_any_range(board: Board) -> None:
    board.chip.flash[:70000] = bytes(n % 251 for n in range(70000))
    with board.open() as loader:
        for start, size in ((0, 70000), (1, 1), (255, 2), (4097, 33000), (8, 0)):
            assert loader.read(BASE + start, size) == board.chip.flash[start : start + size]
        for start, size in ((-1, 4), (2 << 20, 1), (0, -1)):
            with pytest.raises(FlashError, match="not all flash"):
                loader.read(BASE + start, size)


def test_erase(board: Board) -> None:
    board.flash(image(board.chip.name, size=20480))
    with board.open() as loader:
        loader.erase(BASE + 4096, 8192)
        assert board.chip.flash[4096:12288] == b"\xff" * 8192
        assert board.chip.flash[12288:20480] != b"\xff" * 8192
        with pytest.raises(FlashError, match="whole sectors"):
            loader.erase(BASE + 4096, 100)
        with pytest.raises(FlashError, match="not all flash"):
            loader.erase(BASE + (2 << 20), 4096)
        loader.erase_all()
    assert set(board.chip.flash) == {0xFF}


def test_erase_all_finds_the_size_of_a_flash_that_says_nothing(board: Board) -> None:
    board.chip.flash[:] = bytes(2 << 20)
    with board.open() as loader:
        assert loader.chip.flash_size is None
        loader.erase_all()
        assert loader.chip.flash_size == 2 << 20
    assert set(board.chip.flash) == {0xFF}


def test_an_erase_that_the_rom_only_claims_is_noticed() -> None:
    board = Board(ModelChip())
    board.flash(image())
    with board.open() as loader:
        board.model._erase = lambda *args, **options: None  # type: ignore[method-assign]
        with pytest.raises(FlashError, match="not empty") as caught:
            loader.erase(BASE, 4096)
    assert caught.value.state.code == "flash.state.erased-in-part"


# -- what does not fit ----------------------------------------------------------------------------------


def test_wrong_chip(board: Board) -> None:
    other = "rp2350" if board.chip.name == "rp2040" else "rp2040"
    with board.open() as loader:
        for refuse in (loader.check, lambda firmware: loader.program(firmware, NORMAL)):
            with pytest.raises(FlashError, match=f"for the {other.upper()}"):
                refuse(image(other))
        samd = FirmwareImage.read(write_uf2([(0x55114460, Memory.of([(0x4000, bytes(256))]))]), name="x")
        with pytest.raises(FlashError, match="samd51"):
            loader.check(samd)
    assert board.model.bytes_written == 0


def test_a_file_for_both_chips_gives_each_its_own(board: Board) -> None:
    parts = {name: Memory.of([(BASE, content(name, 4096, 3))]) for name in ("rp2040", "rp2350")}
    both = FirmwareImage.read(write_uf2([(RP2040, parts["rp2040"]), (RP2350_ARM_S, parts["rp2350"])]), name="both")
    board.flash(both)
    assert board.chip.flash[:4096] == parts[board.chip.name].segments[0].data


def test_both_processors_in_one_file() -> None:
    one = Memory.of([(BASE, content("rp2350", 512, 3))])
    both = FirmwareImage.read(write_uf2([(RP2350_ARM_S, one), (RP2350_RISCV, one)]), name="both")
    with Board(ModelChip("rp2350")).open() as loader, pytest.raises(FlashError, match="both kinds"):
        loader.check(both)


def test_images_outside_of_flash(board: Board) -> None:
    board.flash(image(board.chip.name))
    family = RP2040 if board.chip.name == "rp2040" else RP2350_ARM_S

    def at(address: int) -> FirmwareImage:
        return FirmwareImage.read(write_uf2([(family, Memory.of([(address, bytes(512))]))]), name="x")

    with board.open() as loader:
        with pytest.raises(FlashError, match="needs 2049 KiB of flash, this board has 2048 KiB"):
            loader.check(at(BASE + (2 << 20) + 512))
        with pytest.raises(FlashError, match="for RAM"):
            loader.check(at(0x20000000))
        with pytest.raises(ImageError, match="flash of this board"):
            loader.check(at(0x30000000))
        assert ["not at the start" in each for each in loader.check(at(BASE + 0x1000))] == [True]
        assert loader.check(image(board.chip.name)) == []


def test_a_damaged_image_is_refused(board: Board) -> None:
    from dataclasses import replace

    from upytool.image.base import Check

    with board.open() as loader, pytest.raises(ImageError, match="damaged"):
        loader.check(replace(image(board.chip.name), checks=(Check("the MD5", False),)))


def test_erratum_block_of_the_rp2350_is_no_part_of_it() -> None:
    firmware = image("rp2350")
    assert firmware.raw[12:16] == b"\x00\xff\xff\x10", "the file begins with the block"
    board = Board(ModelChip("rp2350"))
    with board.open() as loader:
        loader.program(firmware, NORMAL)
        assert loader.touched(firmware.memory) == [(BASE, 20480)]
    assert board.chip.flash[-256:] == b"\xff" * 256


def test_partition_table() -> None:
    board = Board(ModelChip("rp2350", partitions=[(2, 255), (256, 511)], targets={RP2350_ARM_S: 1}))
    firmware = image("rp2350")
    with board.open() as loader:
        (warning,) = [each for each in loader.check(firmware) if "partition" in each]
        assert "into partition 1, to 0x10100000" in warning
        loader.program(firmware, NORMAL)
        assert board.chip.flash[0x100000:][: firmware.size] == firmware.memory.segments[0].data
        assert board.chip.flash[:0x100000] == b"\xff" * 0x100000
        loader.leave("run")
    assert board.model.left == "update 0x10100000"


def test_partition_table_that_does_not_take_it() -> None:
    board = Board(ModelChip("rp2350", partitions=[(2, 3)], targets={RP2350_ARM_S: 0}))
    with board.open() as loader:
        with pytest.raises(FlashError, match="12032 bytes too large for its partition of 8 KiB"):
            loader.check(image("rp2350"))
        with pytest.raises(FlashError, match="no partition of this chip takes RP2350-RISCV"):
            loader.check(image("rp2350", family=RP2350_RISCV))
    outside = Board(ModelChip("rp2350", partitions=[(256, 511)], targets={RP2350_ARM_S: 0xFF}))
    outside.flash(image("rp2350"))
    assert outside.chip.starts


@pytest.mark.parametrize(
    ("command", "data", "codes"),
    [
        (p.read(BASE + 1, 256), b"", (5, 5)),
        (p.read(0x30000000, 256), b"", (4, 4)),
        (p.write(0x30000000, 256), bytes(256), (4, 4)),
        (p.erase(BASE + 1, 4096), b"", (None, 5)),  # the RP2040 says "OK"
        (p.Command(0x33), b"", (1, 1)),
        (p.Command(p.FLASH_ERASE, b"1234"), b"", (2, 2)),
        (p.Command(p.READ, bytes(8), 5), b"", (3, 3)),
        (p.get_info(9, 1), b"", (1, 11)),
        (p.reboot(100), b"", (None, 1)),
    ],
)
def test_after_a_refusal_the_next_command_works(
    board: Board, command: p.Command, data: bytes, codes: tuple[int | None, int]
) -> None:
    code = codes[board.chip.name == "rp2350"]
    with board.open() as loader:
        loader._link.prepare()
        if code is None:
            loader._link._once(command, data, 1.0)
            return
        with pytest.raises(PicobootFailure, match=f"the boot ROM {p.CODES[code]}") as caught:
            loader._link._once(command, data, 1.0)
        assert caught.value.refused
        assert not board.model.halted
        assert loader.read(BASE, 256) == b"\xff" * 256


# -- leaving ------------------------------------------------------------------------------------------


def test_leave(board: Board) -> None:
    for mode, left in (("run", "run"), ("bootloader", "bootloader"), ("stay", "")):
        board.model.replug()
        board.open().leave(mode)  # type: ignore[arg-type]
        assert board.model.left == left


def test_leave_of_a_board_that_is_gone_already(board: Board) -> None:
    loader = board.open()
    board.model.gone = True
    with pytest.raises(TransportError):
        loader.leave("run")
    loader.close()


def test_leave_that_the_rom_refuses() -> None:
    board = Board(ModelChip("rp2350"))
    loader = board.open()
    loader._update = BASE
    board.model.chip.name = "rp2040"  # which has no REBOOT2
    with pytest.raises(FlashError, match="does not know this command"):
        loader.leave("run")


# -- every fault at every transfer --------------------------------------------------------------------

KINDS: list[FaultKind] = ["disconnect", "stall", "timeout", "corrupt", "short", "power", "power-back"]


def old_board(chip: str, old: FirmwareImage) -> Board:
    board = Board(ModelChip(chip))  # type: ignore[arg-type]
    board.flash(old)
    board.chip.flash[0x5FF0:0x6000] = b"the files' bytes"
    return board


@pytest.mark.parametrize("always", [False, True], ids=["once", "from-then-on"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chip", ["rp2040", "rp2350"])
def test_any_fault_is_survived_or_told_and_a_second_run_mends_it(chip: str, kind: FaultKind, always: bool) -> None:
    old, new = image(chip, seed=1, size=0x5C00), image(chip, seed=2, size=0x5E00)
    counter = old_board(chip, old)
    counter.model.transfers = 0
    counter.flash(new, WHOLE)
    total = counter.model.transfers + 12
    template = bytes(old_board(chip, old).chip.flash)
    told = survived = 0
    for at in range(1, total):
        board = Board(ModelChip(chip))  # type: ignore[arg-type]
        board.chip.flash[:] = template
        board.model.fault = Fault(kind, at, always)
        raised: UpytoolError | None = None
        try:
            with board.open() as loader:
                loader.program(new, NORMAL)
        except UpytoolError as error:
            raised = error
        after = bytes(board.chip.flash)
        if raised is None:
            survived += 1
            assert board.holds(new), at
        else:
            told += 1
            assert raised.hint, raised
            assert isinstance(raised, FlashError) or after == template, "what is on the board has to be told"
            if isinstance(raised, FlashError):
                assert ("in part" in str(raised.state)) or after == template, raised.state
                assert raised.state
        # whatever happened: no board starts a mixture
        if board.chip.starts and after != template:
            assert after[: new.size] == new.memory.segments[0].data, at
        assert board.chip.flash[0x5FF0:0x6000] == b"the files' bytes" or not board.chip.starts
        assert board.model.opened == 0
        board.model.fault = None
        board.model.replug()
        board.flash(new)
        assert board.holds(new)
        assert board.chip.starts
    assert survived
    if kind == "disconnect" or always:
        assert told


def test_ctrl_c_says_what_is_on_the_board(board: Board) -> None:
    loader = board.open()
    write = loader._link.usb.write

    def interrupted(endpoint: int, data: bytes, timeout: float = 0) -> int:
        if len(data) > 4096:
            raise KeyboardInterrupt
        return write(endpoint, data, timeout=1)

    loader._link.usb.write = interrupted  # type: ignore[method-assign]
    with loader, pytest.raises(OperationInterrupted) as caught:
        loader.program(image(board.chip.name), NORMAL)
    assert "first sector is empty" in caught.value.hint
    assert "same command again" in caught.value.hint
    assert board.model.exclusive == 0
    board.flash(image(board.chip.name))
    assert board.holds(image(board.chip.name))


@pytest.mark.parametrize("chip", ["rp2040", "rp2350"])
def test_bytes_of_others_survive_every_fault_but_the_loss_of_their_sector(chip: str) -> None:
    """Bad readings must not be written back: the bytes around the image exist nowhere else."""
    old, new = image(chip, seed=1, size=0x5C00), image(chip, seed=2, size=0x5E00)
    for at in range(1, 60):
        board = old_board(chip, old)
        board.model.transfers = 0
        board.model.fault = Fault("corrupt", at)
        try:
            board.flash(new)
        except UpytoolError:
            continue
        assert board.chip.flash[0x5FF0:0x6000] == b"the files' bytes", at


# -- against real firmware ------------------------------------------------------------------------------


def test_info_from_the_flash() -> None:
    """What `picotool info` shows comes from the binary info in flash, read through the loader."""
    board = Board(ModelChip())
    data = pico_like()
    board.chip.flash[: len(data)] = data
    with board.open() as loader:
        found = on_chip(loader)
    assert found
    assert found[0].source == "binary info"
