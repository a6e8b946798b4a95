"""What all flashers have in common: where firmware goes, what a bootloader can do, the plan and the result.

A `Flasher` opens the bootloader of a `FlashTarget`, or declines with a reason. What it opens is a `Loader`: a
conversation that can read, erase and program flash. The flow over them (plan, enter, back up, erase, write,
verify, leave, wait for the REPL) is in chain.py and knows no bootloader by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from ..events import NULL, Reporter
from ..image.base import FirmwareImage
from ..image.memory import Memory

if TYPE_CHECKING:
    from ..device.slots import Slots
    from ..discovery.ports import SerialPort
    from ..discovery.usb_devices import UsbDevice
    from .steps import Step, StepKind
    from .uf2_volume import Volume
    from .usb import UsbBus

State = Literal["running", "bootloader", "unknown"]
Ability = Literal["read", "erase", "erase-all", "program", "verify"]
Leave = Literal["run", "bootloader", "stay"]
Tool = Literal["auto", "picoboot", "picotool", "uf2", "dfu", "dfu-util", "esptool", "daplink", "ota"]


@dataclass(frozen=True, slots=True)
class FileSystem:
    """Where a file system lies in flash.

    Attributes:
        start: address of its first byte, in the terms of FirmwareImage.memory (for Espressif's chips an
            offset in flash); -1 where only the size is known.
        size: bytes.
        kind: "littlefs", "fat", "romfs", or "" where it is not known.
        source: who says so: "binary info", "partition table", "board table", "board".
    """

    start: int
    size: int
    kind: str = ""
    source: str = ""

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True)
class FlashTarget:
    """One board, in one state, and the doors to it. What is not known is "" or None.

    Attributes:
        state: "running" (a REPL answers), "bootloader", or "unknown" (a port that says nothing: an ESP without
            firmware, say).
        selector: names this board again on a command line.
        location: place on the bus ("1-2.3"), the one thing that stays the same over re-enumeration; for a
            simulated board its selector.
        port: its serial port; `address`: what to open for it (a path or a URL).
        usb: the device in its bootloader, and `bus`, the bus that it is on.
        volume: its UF2 drive.
        board, variant: MicroPython's names, "RPI_PICO" and "RISCV".
        version: of the firmware that runs, "1.25.0".
        machine: what it calls itself.
        chip, mcu_port: as in FirmwareImage.chip and .port ("rp2040", "rp2").
        unique_id: `machine.unique_id()` or the bootloader's, hexadecimal.
        filesystems: of the firmware that is on it.
        slots: an ESP32's applications, where it was asked for them (flash.ota).
    """

    state: State
    selector: str
    location: str = ""
    address: str = ""
    port: SerialPort | None = None
    usb: UsbDevice | None = None
    bus: UsbBus | None = None
    volume: Volume | None = None
    board: str = ""
    variant: str = ""
    version: str = ""
    machine: str = ""
    chip: str = ""
    mcu_port: str = ""
    unique_id: str = ""
    filesystems: tuple[FileSystem, ...] = ()
    slots: Slots | None = None

    @property
    def name(self) -> str:
        """A few words for people: the board and where it is."""
        what = self.board or self.machine or self.chip
        if not what and self.usb is not None:
            what = self.usb.bootloader
        if not what and self.port is not None:
            what = self.port.what
        simulated = self.selector.startswith("sim")  # whose address is a file of ours, with a long name
        where = self.selector if simulated else self.address or self.location or self.selector
        return f"{what} on {where}" if what else where


@dataclass(frozen=True, slots=True)
class Chip:
    """What an open bootloader says of the chip.

    Attributes:
        name: as in image/chips.py ("rp2040", "esp32s3", "stm32f4"); "stm32" where only the family is known.
        flash_base: the address of flash byte 0 in the terms of FirmwareImage.memory.
        flash_size: bytes, None where the bootloader can't tell.
        features: what helps to choose a variant ("Embedded PSRAM 8MB").
    """

    name: str
    description: str = ""
    flash_base: int = 0
    flash_size: int | None = None
    unique_id: str = ""
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Programmed:
    """What programming did.

    Attributes:
        total: bytes of the image.
        written, erased: bytes written and bytes of the sectors that were erased.
        unchanged: bytes found on the board already and left alone.
        verified: how it was proven ("read back", "MD5"), "" where it was not.
    """

    total: int
    written: int
    erased: int
    unchanged: int
    verified: str = ""


@dataclass(frozen=True, slots=True)
class FlashOptions:
    """How to go about it; everything here a user can say.

    Attributes:
        whole: write every sector, also those that hold the right bytes already.
        verify: read back what was written.
        tool: which program or protocol does it.
        baud: for serial bootloaders: the fastest rate to try.
        stub: run esptool's stub on the chip.
        layout: DfuSe memory layout in place of the device's own ("@Internal Flash /0x08000000/04*016Kg").
        connect_attempts: of serial bootloaders.
        flash_mode, flash_freq, flash_size: of ESP image headers ("keep" leaves them as they are).
        slot: where an ESP application alone goes: "running", or a partition's label; "" refuses such a file.
    """

    whole: bool = False
    verify: bool = True
    tool: Tool = "auto"
    baud: int | None = None
    stub: bool = True
    layout: str = ""
    connect_attempts: int = 7
    flash_mode: str = "keep"
    flash_freq: str = "keep"
    flash_size: str = "keep"
    slot: str = ""


class Loader(Protocol):
    """An open bootloader. Addresses are those of FirmwareImage.memory.

    Every method raises FlashError (its `state` says what is on the board then), TransportError when the
    device went away, ImageError for an image that cannot be. All waits are bounded.
    """

    @property
    def flasher(self) -> str:
        """The flasher's name."""
        ...

    @property
    def chip(self) -> Chip: ...

    @property
    def abilities(self) -> frozenset[Ability]: ...

    def check(self, image: FirmwareImage) -> list[str]:
        """Warnings about this image on this very chip; raises FlashError/ImageError where it cannot go."""
        ...

    def touched(self, memory: Memory) -> list[tuple[int, int]]:
        """(address, size) of the erase units that writing `memory` clears, sorted and joined."""
        ...

    def read(self, address: int, size: int, *, reporter: Reporter = NULL, label: str = "") -> bytes: ...

    def erase(self, address: int, size: int, *, reporter: Reporter = NULL) -> None:
        """Erase a range; refuses one that does not begin and end with an erase unit."""
        ...

    def erase_all(self, *, reporter: Reporter = NULL) -> None: ...

    def program(self, image: FirmwareImage, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        """Write the image: only what differs where the bootloader can tell, and verified where it can."""
        ...

    def program_memory(self, memory: Memory, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        """The same for bare bytes at addresses: a file system's sectors, a flash dump."""
        ...

    def differences(self, memory: Memory, *, reporter: Reporter = NULL) -> list[tuple[int, int]]:
        """(address, size) of the ranges in which flash is not `memory`; [] where they agree."""
        ...

    def leave(self, mode: Leave = "run") -> None:
        """Start the firmware ("run") or the bootloader anew; the device may vanish. Closes the loader."""
        ...

    def close(self) -> None:
        """Let go of the device without a restart. May be called twice."""
        ...


class Flasher(Protocol):
    """Opens one kind of bootloader."""

    name: str

    def declines(self, target: FlashTarget, image: FirmwareImage | None) -> str:
        """Why it can't write this image (or anything, for None) on this target; "" when it can."""
        ...

    def open(self, target: FlashTarget, options: FlashOptions, *, reporter: Reporter = NULL) -> Loader:
        """Raises FlashError, TransportError (PortPermissionError with the line that fixes it)."""
        ...


FsEffect = Literal["kept", "erased", "moved", "overwritten", "replaced", "unknown", "none"]


@dataclass(frozen=True)
class FlashPlan:
    """What a run would do; `--dry-run` prints it, the run applies it.

    Attributes:
        target, image: what goes where; image None for an erase.
        image_name: of the file, or of the release.
        sha256: of the image file.
        flasher: name of the flasher.
        way_in: how the board gets into its bootloader, a sentence ("" where it is in it).
        segments: (address, size) that are written.
        erase: "changed" (only sectors that differ), "all", "fs".
        fs_effect, fs_note: what becomes of the files, and a sentence on it.
        warnings: a sentence each; `asks` are those that need a yes of their own.
        steps: what will be done, in order.
        seconds: an estimate, None where there is none.
        slot: label of the slot that is written, where the application alone is (flash.ota).
    """

    target: FlashTarget
    image: FirmwareImage | None
    image_name: str
    sha256: str
    flasher: str
    way_in: str
    segments: tuple[tuple[int, int], ...]
    erase: Literal["changed", "all", "fs"]
    fs_effect: FsEffect
    fs_note: str = ""
    warnings: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    seconds: float | None = None
    slot: str = ""

    def has(self, kind: StepKind) -> bool:
        """Tell whether a step of this kind is among the steps."""
        return any(step.kind == kind for step in self.steps)


@dataclass(frozen=True)
class FlashResult:
    """What a run did, as the board confirms it.

    Attributes:
        plan: what was applied.
        programmed: None where nothing was written.
        backup: path of the backup that was made.
        before, after: the version that ran and the one that answers now; "" where none does.
        board_after: what the board calls itself now (`_build`).
        address: where its REPL is now.
        confirmed: the REPL answered, with the version of the image where the image tells it.
        warnings: what went otherwise than planned.
    """

    plan: FlashPlan
    programmed: Programmed | None = None
    backup: str = ""
    before: str = ""
    after: str = ""
    board_after: str = ""
    address: str = ""
    confirmed: bool = False
    seconds: float = 0.0
    warnings: tuple[str, ...] = field(default_factory=tuple)
