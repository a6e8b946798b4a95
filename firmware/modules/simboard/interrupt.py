# Where the VM keeps its pending exception, so that the host can raise KeyboardInterrupt in a program that never looks
# at its input. Found by experiment, then proved; when that fails the host ends the VM instead.
# Layouts: py/mpstate.h (mp_state_thread_t, sched_state), py/objexcept.h.
from builtins import Exception, KeyboardInterrupt, bytes, globals, id, len, range
import host
import micropython
import struct
import uctypes

_BLOCK = 65536


def _find(pattern, start, length):
    # the only place of `pattern` in that part of memory, or None
    data = uctypes.bytearray_at(start, length)
    at = bytes(data).find(pattern)
    return None if at < 0 else start + at


def _nothing(_):
    pass


def _locate(namespace):
    # The one KeyboardInterrupt that the VM raises lies in its state: type, no traceback, the empty tuple of arguments
    kbd = _find(struct.pack("<IIII", id(KeyboardInterrupt), 0, 0, id(())), _BLOCK, 2 * _BLOCK)
    # A thread's state: ... locals, globals, nlr_top, nlr_jump_callback_top, mp_pending_exception
    word = struct.pack("<I", id(namespace))
    thread = _find(word + word, kbd - 2048, 2048)
    pending = thread + 16
    # sched_state: 1 when idle, 0 when something is to be done; the only 1 that becomes 0
    before = uctypes.bytes_at(kbd, 512)
    micropython.schedule(_nothing, 0)
    after = uctypes.bytes_at(kbd, 512)
    _nothing(0)
    state = [i for i in range(0, 512, 2) if before[i : i + 2] == b"\x01\x00" and after[i : i + 2] == b"\x00\x00"]
    if len(state) != 1 or struct.unpack("<I", uctypes.bytes_at(pending, 4))[0]:
        return None
    return kbd, pending, kbd + state[0]


def _prove(found):
    host.call("interrupt", "%d %d %d" % found)
    host.call("interrupt test", "")
    for _ in range(1000):
        pass
    host.call("interrupt", "")  # nothing was raised: these are not the addresses


# at module level, where both the locals and the globals are this module's
try:
    _found = _locate(globals())
    if _found:
        _prove(_found)
except KeyboardInterrupt:
    pass
except Exception:
    host.call("interrupt", "")
