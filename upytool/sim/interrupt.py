"""Ctrl-C for a VM that computes and never looks at its input.

MicroPython raises a pending exception at the next backward jump when its scheduler is marked as having work
(py/vm.c, py/scheduler.c: mp_sched_keyboard_interrupt). On a board the USB or UART interrupt handler marks it;
here another thread does so in the VM's linear memory, while the VM runs. The three addresses are found and
proved by firmware/modules/simboard/interrupt.py at every start of a VM.
"""

from __future__ import annotations

import ctypes
import threading

from .memory import Memory

SCHED_IDLE, SCHED_PENDING = 1, 0  # py/mpstate.h; -1 is "locked", which looks again when it unlocks
TRACEBACK_OFFSET = 8  # py/objexcept.h: type, lengths, traceback, arguments


class Interrupter:
    """Writes into the memory of the VM that runs now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exception = self._pending = self._traceback = ctypes.c_uint32()
        self._state = ctypes.c_int16()
        self._value = 0

    @property
    def ready(self) -> bool:
        """Whether the addresses are known."""
        return self._value != 0

    def attach(self, memory: Memory, addresses: list[int]) -> None:
        """`addresses`: the KeyboardInterrupt, mp_pending_exception, sched_state. Empty: not known."""
        with self._lock:
            if len(addresses) != 3:
                self._value = 0
                return
            exception, pending, state = addresses
            self._pending = ctypes.c_uint32.from_address(memory.address + pending)
            self._state = ctypes.c_int16.from_address(memory.address + state)
            self._traceback = ctypes.c_uint32.from_address(memory.address + exception + TRACEBACK_OFFSET)
            self._value = exception

    def fire(self) -> None:
        """Raise KeyboardInterrupt in the program at its next backward jump."""
        with self._lock:
            if not self._value:
                return
            self._traceback.value = 0
            self._pending.value = self._value
            if self._state.value == SCHED_IDLE:
                self._state.value = SCHED_PENDING

    def clear(self) -> None:
        """Take back what was not yet raised."""
        with self._lock:
            if self._value:
                self._pending.value = 0

    def detach(self) -> None:
        """The VM ends."""
        with self._lock:
            self._value = 0
            self._pending = self._traceback = ctypes.c_uint32()
            self._state = ctypes.c_int16()
