"""The host's end of the emulated chip's USB cable: enumeration, transfers, and the serial port's two pipes.

It lives in simulated time, in the thread that runs the chip, and stands where a host controller and the
system's USB core would: it resets and configures the device that appears, keeps its descriptors, and moves
packets of queued transfers (USB 2.0, chapters 5, 8 and 9). A device with a CDC data interface gets its serial
port opened, as a terminal does: everything it says goes to `said`, and `typed` is asked for what it may read.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .rp2040_usb import Stalled, UsbController
from .usb_port import NO_DEVICE, OK, OVERFLOW, PIPE, RESET, Transfer, UsbIdentity

RESET_NS = 2_000_000  # a real host waits 100 ms and resets for 10: nothing is gained by that here
SETTLE_NS = 500_000
PACKET_NS = 2_000
ENUMERATION_NS = 1_000_000_000  # a device that says nothing for so long is reset again
ATTEMPTS = 10  # firmware may be busy for seconds after it has shown itself
MAX_PACKET = 64  # full speed
CDC, CDC_DATA, BULK = 2, 10, 2


def setup(request_type: int, request: int, value: int, index: int, length: int) -> bytes:
    return struct.pack("<BBHHH", request_type, request, value, index, length)


@dataclass
class _Serial:
    """Where a CDC function is: its control interface, its data interface, endpoints."""

    control: int
    data: int
    read: int
    write: int


def find_serial(configuration: bytes) -> _Serial | None:
    """The first CDC function of a configuration descriptor (USB CDC 1.2, tables 15 and 17)."""
    at, control, data, read, write, inside = 0, -1, -1, 0, 0, False
    while at + 2 <= len(configuration) and configuration[at] >= 2:
        size, kind = configuration[at], configuration[at + 1]
        if kind == 4:
            inside = configuration[at + 5] == CDC_DATA and configuration[at + 4] == 2 and data < 0
            if configuration[at + 5] == CDC and control < 0:
                control = configuration[at + 2]
            if inside:
                data = configuration[at + 2]
        elif kind == 5 and inside and configuration[at + 3] & 3 == BULK:
            if configuration[at + 2] & 0x80:
                read = configuration[at + 2] & 15
            else:
                write = configuration[at + 2]
        at += size
    return _Serial(max(control, 0), data, read, write) if read and write else None


class UsbWire:
    """One cable. Attributes: said, typed: the serial port's two ends; identity: what is plugged in and
    configured, None while nothing is; on_change: called when `identity` changed; on_done: a transfer ended."""

    def __init__(self, controller: UsbController, clock: Any) -> None:
        self.said: Callable[[bytes], None] = lambda data: None
        self.typed: Callable[[int], bytes] = lambda limit: b""
        self.on_change: Callable[[], None] = lambda: None
        self.on_done: Callable[[Transfer], None] = lambda transfer: None
        self.identity: UsbIdentity | None = None
        self._generation = 0
        self._usb = controller
        self._queues: list[deque[Transfer]] = [deque() for _ in range(32)]
        self._control: Transfer | None = None
        self._resetting: Transfer | None = None
        self._stage = ""
        self._serial: _Serial | None = None
        self._present = self._due = False
        self._attempts = 0
        self._device = b""
        self._packet = MAX_PACKET  # of endpoint 0
        self._then: Callable[[], None] = lambda: None
        self._service_alarm = clock.create_alarm(self._service)
        self._next_alarm = clock.create_alarm(lambda: self._then())
        self._give_up_alarm = clock.create_alarm(self._give_up)
        controller.wire = self

    # for whoever has transfers

    @property
    def serial_ready(self) -> bool:
        return self._serial is not None

    def submit(self, transfer: Transfer) -> None:
        """Queue a transfer, or reset the bus (index RESET); `on_done` tells when that has ended."""
        if self.identity is None or transfer.generation != self.identity.generation:
            self._finish(transfer, NO_DEVICE)
            return
        if transfer.index == RESET:
            self._drop_transfers(keep_identity=True)
            self._resetting, self._attempts = transfer, 0
            self._start_over()
            return
        self._queues[transfer.index].append(transfer)
        self._soon()

    def cancel(self, transfer: Transfer, status: int) -> None:
        """End a transfer that may still be queued; what has arrived stays in it."""
        if transfer.status is not None:
            return
        if transfer is self._resetting:
            self._resetting = None
        elif transfer in self._queues[transfer.index]:
            self._queues[transfer.index].remove(transfer)
        if transfer is self._control:
            self._control = None
        self._finish(transfer, status)
        self._soon()

    def poke(self) -> None:
        """There is something new for the serial port to read."""
        if self._serial is not None:
            self._soon()

    # what the controller says

    def attached(self) -> None:
        self._present = True
        self._attempts = 0
        self._start_over()

    def detached(self) -> None:
        self._present = self._due = False
        for alarm in (self._next_alarm, self._give_up_alarm, self._service_alarm):
            alarm.cancel()
        self._then = lambda: None
        self._drop_transfers(keep_identity=False)

    def reset_seen(self) -> None:
        if self._present and self._stage == "reset":
            self._stage = "enumerating"
            self._after(SETTLE_NS, self._ask_device)

    def ready(self, index: int) -> None:
        if index < 2 or self._queues[index] or (self._serial and index in self._serial_indexes()):
            self._soon()

    # enumeration

    def _start_over(self) -> None:
        self._serial = None
        self._control = None
        self._stage = "reset"
        self._after(RESET_NS, self._usb.bus_reset)
        self._give_up_alarm.schedule(ENUMERATION_NS)

    def _give_up(self) -> None:
        self._attempts += 1
        if self._attempts < ATTEMPTS and self._present:
            self._queues[0].clear()  # the host's own: others wait until there is a device
            self._start_over()

    def _after(self, nanoseconds: int, call: Callable[[], None]) -> None:
        self._then = call
        self._next_alarm.schedule(nanoseconds)

    def _ask(self, packet: bytes, then: Callable[[bytes], None]) -> None:
        """A control transfer of the host's own; one that fails leaves it to `_give_up`."""
        transfer = Transfer.control(0, packet)
        transfer.then = then
        self._queues[0].append(transfer)
        self._soon()

    def _ask_device(self) -> None:
        # Until the device has said how long its packets are, eight bytes alone are asked for (USB 2.0, 5.5.3).
        self._packet = 8
        self._ask(setup(0x80, 6, 0x0100, 0, 8), self._ask_whole_device)

    def _ask_whole_device(self, head: bytes) -> None:
        self._packet = head[7] if len(head) == 8 and head[7] in (8, 16, 32, 64) else MAX_PACKET
        self._ask(setup(0x80, 6, 0x0100, 0, 18), self._set_address)

    def _set_address(self, device: bytes) -> None:
        self._device = device
        self._ask(setup(0, 5, 1, 0, 0), lambda _: self._after(SETTLE_NS, self._ask_size))

    def _ask_size(self) -> None:
        self._ask(setup(0x80, 6, 0x0200, 0, 9), self._ask_configuration)

    def _ask_configuration(self, head: bytes) -> None:
        self._ask(setup(0x80, 6, 0x0200, 0, struct.unpack_from("<H", head, 2)[0]), self._configure)

    def _configure(self, configuration: bytes) -> None:
        self._ask(setup(0, 9, configuration[5], 0, 0), lambda _: self._configured(configuration))

    def _configured(self, configuration: bytes) -> None:
        self._serial = find_serial(configuration)
        if self._serial is not None:
            # DTR and RTS: a terminal has the port open.
            self._ask(setup(0x21, 0x22, 3, self._serial.control, 0), lambda _: None)
        self._give_up_alarm.cancel()
        self._stage = ""
        known = self.identity
        if known is None or (known.device, known.configuration) != (self._device, configuration):
            self._generation += 1
        busy = (self._serial.control, self._serial.data) if self._serial is not None else ()
        self.identity = UsbIdentity(self._generation, self._device, configuration, busy)
        resetting, self._resetting = self._resetting, None
        if resetting is not None:
            self._finish(resetting, OK if resetting.generation == self._generation else NO_DEVICE)
        self.on_change()

    def _drop_transfers(self, *, keep_identity: bool) -> None:
        self._serial = None
        self._control = None
        if self.identity is not None and not keep_identity:
            self.identity = None
            self.on_change()
        resetting, self._resetting = self._resetting, None
        if resetting is not None:
            self._finish(resetting, NO_DEVICE)
        for queue in self._queues:
            while queue:
                self._finish(queue.popleft(), NO_DEVICE)

    # packets

    def _serial_indexes(self) -> tuple[int, int]:
        assert self._serial is not None
        return self._serial.read * 2, self._serial.write * 2 + 1

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            self._service_alarm.schedule(PACKET_NS)

    def _service(self) -> None:
        self._due = False
        if self._queues[0] and self._stage != "reset":
            self._serve_control(self._queues[0][0])
        if self._serial is not None:
            self._serve_serial(self._serial)
        for index in range(2, 32):
            queue = self._queues[index]
            while queue and self._serve(index, queue[0]):
                pass

    def _serve(self, index: int, transfer: Transfer) -> bool:
        """Move what can be moved; True when the transfer has ended."""
        endpoint = index >> 1
        try:
            if index & 1:
                while self._usb.give_out(endpoint, transfer.data[transfer.count : transfer.count + MAX_PACKET]):
                    transfer.count = min(transfer.count + MAX_PACKET, len(transfer.data))
                    if transfer.count == len(transfer.data):
                        return self._end(index, transfer, OK)
                return False
            while (packet := self._usb.take_in(endpoint)) is not None:
                transfer.received += packet
                if len(transfer.received) > transfer.length:
                    del transfer.received[transfer.length :]
                    return self._end(index, transfer, OVERFLOW)
                if len(packet) < MAX_PACKET or len(transfer.received) == transfer.length:
                    return self._end(index, transfer, OK)
            return False
        except Stalled:
            return self._end(index, transfer, PIPE)

    def _serve_serial(self, serial: _Serial) -> None:
        try:
            while (packet := self._usb.take_in(serial.read)) is not None:
                if packet:
                    self.said(packet)
            while self._usb.takes_out(serial.write):
                data = self.typed(MAX_PACKET)
                if not data:
                    break
                self._usb.give_out(serial.write, data)
        except Stalled:
            return

    def _serve_control(self, transfer: Transfer) -> None:
        """Endpoint 0: SETUP, data, status (USB 2.0, 8.5.3)."""
        usb = self._usb
        inward = transfer.setup[0] & 0x80
        if self._control is not transfer:
            self._control = transfer
            transfer.stage = "data" if transfer.length else "status"
            usb.setup(transfer.setup)
            return
        if usb.setup_pending:
            self._soon()
            return
        try:
            while transfer.stage == "data":
                if inward:
                    packet = usb.take_in(0)
                    if packet is None:
                        return
                    transfer.received += packet
                    if len(packet) < self._packet or len(transfer.received) >= transfer.length:
                        transfer.stage = "status"
                else:
                    if not usb.give_out(0, transfer.data[transfer.count : transfer.count + self._packet]):
                        return
                    transfer.count = min(transfer.count + self._packet, len(transfer.data))
                    if transfer.count == len(transfer.data):
                        transfer.stage = "status"
            if inward and transfer.length:
                ended = usb.give_out(0, b"")
            else:
                ended = usb.take_in(0) is not None
        except Stalled:
            self._end(0, transfer, PIPE)
            return
        if ended:
            self._end(0, transfer, OK)

    def _end(self, index: int, transfer: Transfer, status: int) -> bool:
        self._queues[index].popleft()
        if index == 0:
            self._control = None
            if self._queues[0]:
                self._soon()
        self._finish(transfer, status)
        return True

    def _finish(self, transfer: Transfer, status: int) -> None:
        transfer.status = status
        if transfer.then is not None:
            if status == OK:
                transfer.then(bytes(transfer.received))
            return
        self.on_done(transfer)
