"""A MODEL of a board, its bootloader and the doors to both: flash is a bytearray, and every step can fail.

Real are chain, layout, select and verify. What a fault does to flash is modelled: a power cut in an erase or a write
leaves what was done until then.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from upytool.errors import DeviceTimeoutError, FlashError, UpytoolError
from upytool.events import NULL, Reporter, Task
from upytool.flashers.base import Ability, Chip, FileSystem, FlashOptions, FlashTarget, Leave, Loader, Programmed
from upytool.flashers.doors import Doors
from upytool.image.base import FirmwareImage
from upytool.image.identity import identify
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2

BASE, SECTOR = 0x10000000, 4096
FAMILY = 0xE48BFF56
ALL: frozenset[Ability] = frozenset(("read", "erase", "erase-all", "program", "verify"))


def program(
    version: str = "1.25.0",
    *,
    build: str = "RPI_PICO",
    size: int = 64 << 10,
    fs: tuple[int, int] | None = (BASE + 0xA0000, 0x160000),
    fill: int = 0x5A,
) -> bytes:
    """The bytes of an RP2040 program that says which MicroPython it is and where its file system lies."""
    data = bytearray([fill]) * size
    data[:256] = _boot2()
    text = f"\0{build}\0".encode() + b"3.4.0; MicroPython v" + version.encode() + b" on 2025-04-15\0"
    data[0x800 : 0x800 + len(text)] = text
    # binary info: marker, array of one pointer, one block device record, its name
    struct.pack_into("<5I", data, 0x110, 0x7188EBF2, BASE + 0x200, BASE + (0x204 if fs else 0x200), 0, 0xE71AA390)
    struct.pack_into("<I", data, 0x200, BASE + 0x210)
    if fs:
        struct.pack_into("<HHIIIIH", data, 0x210, 7, 0x504D, BASE + 0x240, fs[0], fs[1], 0, 7)
    data[0x240:0x24C] = b"MicroPython\0"
    return bytes(data)


def _boot2() -> bytes:
    import zlib

    head = bytes(range(252))
    reverse = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
    crc = zlib.crc32(head.translate(reverse)) ^ 0xFFFFFFFF
    return head + int(f"{crc:032b}"[::-1], 2).to_bytes(4, "little")


def image(version: str = "1.25.0", **how: object) -> FirmwareImage:
    """The same as a UF2 file."""
    made = FirmwareImage.read(uf2(version, **how), name="firmware.uf2")
    assert made.chip == "rp2040"
    return made


def uf2(version: str = "1.25.0", **how: object) -> bytes:
    return write_uf2([(FAMILY, Memory.of([(BASE, program(version, **how))]))])  # type: ignore[arg-type]


class PowerCut(FlashError):
    """What a loader raises when the board went away."""


@dataclass
class ModelBoard:
    """One board: flash, and what runs.

    Attributes:
        fault: called with the name of each step and the bytes done; raises to make it fail.
        files: what `save_files` finds.
        log: the steps, in order.
    """

    flash: bytearray = field(default_factory=lambda: bytearray(b"\xff" * (2 << 20)))
    base: int = BASE
    chip: str = "rp2040"
    abilities: frozenset[Ability] = ALL
    state: str = "running"
    location: str = "1-2"
    fault: Callable[[str, int], None] = lambda step, done: None
    proves: bool = True
    answers: bool = True
    says: str = ""
    log: list[str] = field(default_factory=list)

    def load(self, data: bytes, address: int = BASE) -> ModelBoard:
        self.flash[address - self.base : address - self.base + len(data)] = data
        return self

    @property
    def version(self) -> str:
        return identify(Memory.of([(self.base, bytes(self.flash))])).version.removeprefix("v")

    def target(self, **more: object) -> FlashTarget:
        selector = "id:E660" if self.location == "1-2" else f"usb:{self.location}"
        known = FlashTarget("running", selector, self.location, "/dev/ttyACM0", chip=self.chip, mcu_port="rp2")
        if self.state == "running":
            known = replace(
                known, board="RPI_PICO", version=self.version, machine="Raspberry Pi Pico with RP2040",
                filesystems=(FileSystem(BASE + 0xA0000, 0x160000, "", "board"),),
            )  # fmt: skip
        else:
            known = replace(known, state="bootloader", address="")
        return replace(known, **more)  # type: ignore[arg-type]


class ModelLoader:
    """The Loader of a ModelBoard."""

    flasher = "model"

    def __init__(self, board: ModelBoard) -> None:
        self.board, self.closed = board, False

    @property
    def chip(self) -> Chip:
        return Chip(self.board.chip, flash_base=self.board.base, flash_size=len(self.board.flash))

    @property
    def abilities(self) -> frozenset[Ability]:
        return self.board.abilities

    def _step(self, name: str, done: int = 0) -> None:
        if not done:
            self.board.log.append(name)
        self.board.fault(name, done)

    def check(self, image: FirmwareImage) -> list[str]:
        self._step("check")
        return []

    def touched(self, memory: Memory) -> list[tuple[int, int]]:
        found = []
        for each in memory:
            start = each.address // SECTOR * SECTOR
            found.append((start, -(-each.end // SECTOR) * SECTOR - start))
        return found

    def read(self, address: int, size: int, *, reporter: Reporter = NULL, label: str = "") -> bytes:
        if size > SECTOR:
            self._step("read")
        return bytes(self.board.flash[address - self.board.base : address - self.board.base + size])

    def erase(self, address: int, size: int, *, reporter: Reporter = NULL) -> None:
        self._step("erase")
        at = address - self.board.base
        for done in range(0, size, SECTOR):
            self._step("erase", done)
            self.board.flash[at + done : at + done + SECTOR] = b"\xff" * SECTOR

    def erase_all(self, *, reporter: Reporter = NULL) -> None:
        self._step("erase-all")
        self.board.flash[:] = b"\xff" * len(self.board.flash)

    def program(self, image: FirmwareImage, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        return self.program_memory(image.memory, options, reporter=reporter)

    def program_memory(self, memory: Memory, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        self._step("program")
        written = unchanged = done = 0
        with Task(reporter, "writing", memory.size) as task:
            for each in memory:
                for at in range(0, len(each.data), SECTOR):
                    piece = each.data[at : at + SECTOR]
                    place = each.address - self.board.base + at
                    if self.board.flash[place : place + len(piece)] == piece and not options.whole:
                        unchanged += len(piece)
                    else:
                        self.board.flash[place : place + len(piece)] = b"\xff" * len(piece)
                        done += len(piece)
                        self._step("program", done)
                        self.board.flash[place : place + len(piece)] = piece
                        written += len(piece)
                    task.advance(len(piece))
        proof = "read back" if options.verify and self.board.proves else ""
        return Programmed(memory.size, written, written, unchanged, proof)

    def differences(self, memory: Memory, *, reporter: Reporter = NULL) -> list[tuple[int, int]]:
        self._step("verify")
        found = []
        for each in memory:
            if self.read(each.address, len(each.data)) != each.data:
                found.append((each.address, len(each.data)))
        return found

    def leave(self, mode: Leave = "run") -> None:
        self._step("leave")
        self.board.state = "running"
        self.closed = True

    def close(self) -> None:
        self.closed = True


class ModelFlasher:
    """Opens ModelLoaders; `reason` declines."""

    def __init__(self, board: ModelBoard, name: str = "model", reason: str = "") -> None:
        self.board, self.name, self.reason = board, name, reason
        self.boards = {board.location: board}
        self.refuses: UpytoolError | None = None
        self.loader: ModelLoader | None = None

    def declines(self, target: FlashTarget, image: FirmwareImage | None) -> str:
        return self.reason

    def open(self, target: FlashTarget, options: FlashOptions, *, reporter: Reporter = NULL) -> Loader:
        board = self.boards.get(target.location, self.board)
        board.log.append(f"open {self.name}")
        if self.refuses is not None:
            raise self.refuses
        board.fault("open", 0)
        self.loader = ModelLoader(board)
        return self.loader


class ModelDoors(Doors):
    """Doors to ModelBoards, by location."""

    def __init__(self, *boards: ModelBoard, flashers: list[ModelFlasher] | None = None) -> None:
        super().__init__(patience=0)
        self.board = boards[0]
        self.boards = {board.location: board for board in boards}
        self.flashers = flashers or [ModelFlasher(self.board)]
        for each in self.flashers:
            each.boards = self.boards

    def _step(self, name: str, target: FlashTarget) -> ModelBoard:
        board = self.boards.get(target.location, self.board)
        board.log.append(name)
        board.fault(name, 0)
        return board

    def save_files(self, target: FlashTarget, path: str, reporter: Reporter) -> str:
        self._step("save files", target)
        return path

    def enter(self, target: FlashTarget, reporter: Reporter) -> FlashTarget:
        if target.state == "bootloader":
            return target
        self._step("enter", target).state = "bootloader"
        return replace(target, state="bootloader", address="")

    def with_drive(self, target: FlashTarget, tool: str) -> FlashTarget:
        return target

    def port_names(self) -> Collection[str]:
        return set()

    def back(self, target: FlashTarget, seconds: float, before: Collection[str], reporter: Reporter) -> FlashTarget:
        board = self._step("wait", target)
        if not board.answers:
            raise DeviceTimeoutError(f"no REPL within {seconds:g} s")
        version = board.says or board.version
        return replace(target, state="running", board="RPI_PICO", version=version, address="/dev/ttyACM0")
