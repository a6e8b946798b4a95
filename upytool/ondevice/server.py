# The board's half of a transfer (docs/concepts/transfer.md): frames in, messages out, units in between.
# The parts put.py, get.py and check.py arrive as commands. Byte 03 never travels inside a frame, so Ctrl-C stays
# alive: however the host dies, the next one gets the prompt at once, and a quiet line ends the program by itself.
# T[0] = 0 is the sign of life that turbo.py waits for.
# The builtins of all parts by name: device.ondevice tells why.
from builtins import AttributeError, BaseException, ImportError, KeyboardInterrupt, OSError, ValueError, bytearray
from builtins import bytes, exec, globals, hasattr, int, isinstance, len, memoryview, min, open, range, repr, sum
import gc
import io
import os
import select
import sys

try:
    from binascii import crc32

    SUM = "crc32"
except ImportError:
    SUM = "sum"

    def crc32(data, start=0):
        return sum(data) + start & 0xFFFFFFFF


try:
    from micropython import kbd_intr
except ImportError:
    kbd_intr = lambda char: None


class Sum:
    def __init__(self):
        self.value = 0

    def update(self, data):
        self.value = crc32(data, self.value)

    def digest(self):
        return self.value.to_bytes(4, "little")


HASH = SUM
Hash = Sum
try:
    from hashlib import sha256 as Hash

    HASH = "sha256"
except ImportError:
    pass
source = sys.stdin.buffer
sink = sys.stdout.buffer
ready = select.poll()
ready.register(sys.stdin, 1)
gc.collect()
free = gc.mem_free() if hasattr(gc, "mem_free") else 20000
UNIT = 1024
# Unpacking takes the window and 1.2 kB more, when it begins: not where there are less than 12 kB. WBITS is the largest
# window that the host may choose (device.stream), 11 the one to begin with.
WBITS = 15
while WBITS and free < 6 << WBITS:
    WBITS -= 1 if WBITS > 11 else WBITS
frame = bytearray(252)
frame_view = memoryview(frame)
head = bytearray(4)
held = bytearray(UNIT)
held_view = memoryview(held)
come = io.BytesIO()
rest = b""
at = end = count = told = 0
try:
    import deflate

    inflate = deflate.DeflateIO(come, deflate.RAW, 11)
except ImportError:
    WBITS = 0


def quiet():
    # Read on until the line is quiet; tell whether a Ctrl-C was among it (some boards pass it on as a byte).
    stop = 0
    while ready.poll(80):
        if source.read(1) == b"\x03":
            stop = 1
    return stop


def receive():
    # Read one good frame into `frame`, return the length of its data.
    global count
    while 1:
        if not ready.poll(5000):
            raise KeyboardInterrupt
        source.readinto(head, 2)
        n = head[0] - 3
        k = head[1]
        i = -1
        if n > 2:
            source.readinto(frame, n)
            while k > 3 and i + k - 3 < n:
                i += k - 3
                k = frame[i]
                frame[i] = 3
            n -= 2
            if not k and crc32(frame_view[:n], count) & 65535 == frame[n] | frame[n + 1] << 8:
                count = count + 1 & 65535
                T[0] = 0
                sink.write(b"\x06")
                return n
        if quiet() or head[0] == 3 or head[1] == 3:
            raise KeyboardInterrupt
        sink.write(b"\x15" + count.to_bytes(2, "little"))


def pull(n, into):
    # Hand the next n bytes of the stream to into().
    global at, end
    while n:
        if at == end:
            end = receive()
            at = 0
        k = min(n, end - at)
        into(frame_view[at : at + k])
        at += k
        n -= k


def unit():
    # The next unit, valid until the next call.
    global rest
    come.seek(0)
    pull(4, come.write)
    come.seek(0)
    come.readinto(head, 4)
    c = head[0] | head[1] << 8
    u = head[2] | head[3] << 8
    come.seek(0)
    if not u:
        pull(c, come.write)
        come.seek(0)
        come.readinto(held, c)
        return held_view[:c]
    come.write(rest)
    pull(c, come.write)
    c = come.tell()
    come.seek(0)
    try:
        inflate.readinto(held, u)
    except OSError:
        raise ValueError("packed data")
    rest = come.read(c - come.tell())
    return held_view[:u]


def tell(kind, data=b""):
    global told
    T[0] = 0
    n = len(data)
    h = b"\x02" + bytes((kind, n & 255, n >> 8))
    sink.write(h)
    sink.write(data)
    sink.write(crc32(data, crc32(h, told)).to_bytes(4, "little"))
    told = told + 1 & 65535


def refuse(e):
    # Only an OSError that left the stream in step comes here; every other exception ends the program.
    tell(69, repr(e.args[0] if e.args else 5).encode())


def serve():
    tell(72, repr((UNIT, WBITS, HASH, SUM, hasattr(os, "rename"), sys.platform)).encode())
    while 1:
        u = unit()
        if not u:
            return
        try:
            exec(bytes(u), globals())
        except OSError as e:
            refuse(e)


try:
    serve()
except BaseException as e:
    # What is still on its way must not reach the REPL, which would take it for commands.
    quiet()
    raise e
