# The board's REPL over Bluetooth LE: os.dupterm on the Nordic UART service (docs/guides/over-the-air.md).
#
#     import ble_repl
#     ble_repl.start()      # in boot.py: a soft reset ends Bluetooth. PASSWORD is in ble_repl_cfg.py
#
# Laws, from extmod/os_dupterm.c, extmod/modbluetooth.c and py/vm.c of 1.26:
# 1. An exception that leaves write() or readinto() takes the terminal away, one that leaves the handler of events takes
#    Bluetooth away, and one in a scheduled function is printed and forgotten. The VM raises KeyboardInterrupt at jumps
#    (if, while, the end of except), so it may come in any of them (micropython#18331): each keeps it, and has it raised
#    again, behind itself, by a 03 that os.dupterm_notify reads. From there to its end it has no jump.
# 2. Between two jumps nothing interrupts. What must stay together (taking bytes and giving them away) has none.
# 3. Nothing grows: _IN bytes of input, two packets of output. The window that upytool is told fits in the ring of the
#    port's stdin (260 bytes on esp32), which loses what does not fit.
# 4. The terminal outlives what a program does to `builtins`: what is used of them is kept by name.
import bluetooth
import hashlib
import io
import machine
import micropython
import os
import sys
import time
from builtins import AttributeError, Exception, ImportError, KeyboardInterrupt, OSError, RuntimeError, ValueError
from builtins import bytearray, bytes, getattr, int, isinstance, len, list, max, memoryview, min, open, print, repr
from builtins import reversed, sorted, str
from micropython import const

_CONNECT = const(1)
_DISCONNECT = const(2)
_WRITTEN = const(3)
_READING = const(4)  # before the answer, where events are synchronous: on esp32 and rp2 they are
_MTU = const(21)
_ENCRYPTION = const(28)
_GET_SECRET = const(29)
_SET_SECRET = const(30)

_READ = const(0x02)
_WRITE_COMMAND = const(0x04)
_WRITE = const(0x08)
_NOTIFY = const(0x10)
_ENCRYPTED_READ = const(0x0200)
_ENCRYPTED_WRITE = const(0x1000)

_SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
_TO_BOARD = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
_FROM_BOARD = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
_LOGIN = "a4aa3d24-58e1-4f48-9032-87383aac915b"  # upytool/protocol/ble.py says what is in it

_IN = const(512)
_WINDOW = const(256)
_PATIENCE = const(500)  # ms without progress after which output is lost, as with USB (MICROPY_HW_USB_CDC_TX_TIMEOUT)
_INTERVAL = const(250_000)  # us between two advertisements
_LINGER = 20_000  # ms that a connection lasts without a login; three times that with pairing, which may ask somebody
_WAITING = const(3)  # connections without a login; NimBLE has 4, and one that is free lets the owner in
_KEYS = "/ble_repl_keys"  # wherever a program has gone with chdir

_notify = getattr(os, "dupterm_notify", lambda _: None)
_terminal = None


def _proof(password, nonce):
    # HMAC-SHA256 (RFC 2104), its first half.
    key = password + bytes(64 - len(password))
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + b"upytool ble_repl 1" + nonce).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in key) + inner).digest()[:16]


class _Terminal(io.IOBase):
    def __init__(self, name, password, pair):
        self._password = password  # None: no login
        self._pair = pair
        self._links = {}  # connection -> [bytes in a packet, what was typed of a password, nonce, end of patience]
        self._holder = None  # the connection that has the terminal
        self._in = b""
        self._out = b""
        self._rest = b""
        self._room = 20
        self._busy = self._scheduled = self._stuck = False
        self._due = time.ticks_ms()
        # BTstack (rp2) queues what it cannot send yet on the heap, without end; NimBLE says that it has no room.
        self._gap = 20 if sys.platform == "rp2" else 0
        self._flusher = self._flush
        self._ticker = self._tick
        try:
            self._timer = machine.Timer(-1)
        except (AttributeError, ValueError):
            self._timer = None  # esp32 has only hardware timers, which are the program's: there an event looks
        self._secrets = _load_secrets() if pair else {}
        self.error = None  # the last exception in the handler of events, for whoever looks for a fault

        ble = self._ble = bluetooth.BLE()
        ble.active(True)
        if pair:
            # LE Secure Connections without a passkey: encrypted, and who it is shows the password.
            ble.config(bond=True, le_secure=True, mitm=False, io=3)
        ble.irq(self._irq)
        ble.config(gap_name=name)
        try:
            ble.config(mtu=247)  # 251 bytes of a packet on the air, less its headers
        except (OSError, ValueError):
            pass
        read = _READ | (_ENCRYPTED_READ if pair else 0)
        write = _WRITE | (_ENCRYPTED_WRITE if pair else 0)
        service = (
            bluetooth.UUID(_SERVICE),
            (
                (bluetooth.UUID(_TO_BOARD), write | _WRITE_COMMAND),
                (bluetooth.UUID(_FROM_BOARD), _NOTIFY),
                (bluetooth.UUID(_LOGIN), write | read),
            ),
        )
        ((self._to_board, self._from_board, self._login),) = ble.gatts_register_services((service,))
        # What is written before the handler has read must not take the place of what was.
        ble.gatts_set_buffer(self._to_board, _IN, True)
        self._says = (
            b"\x02\x01\x06\x11\x07" + bytes(reversed(bytes.fromhex(_SERVICE.replace("-", "")))),
            bytes((len(name) + 1, 9)) + name,
        )
        self._advertise()

    # -- events of the radio ----------------------------------------------------------------------

    def _irq(self, event, data):
        try:
            return self._handle(event, data)
        except KeyboardInterrupt:
            self._again()
            return None

    def _handle(self, event, data):
        result, hit = None, False
        try:
            result = self._event(event, data)
        except KeyboardInterrupt:
            hit = True
        except Exception as error:
            self.error = error
        # dupterm_notify stops behind each 03 that interrupts; on rp2 that is raised here.
        left = -1
        while len(self._in) != left and self._in:
            left = len(self._in)
            try:
                _notify(None)
                if left:  # a jump within `try`: the one that ends it is outside
                    pass
            except KeyboardInterrupt:
                hit = True
        if hit:
            self._again()
        return result

    def _again(self):
        self._in = b"\x03" + self._in
        _notify(None)

    def _event(self, event, data):
        if event == _WRITTEN:
            self._written(data[0], data[1])
        elif event == _READING:
            if data[1] == self._login:
                self._tell(data[0])
        elif event == _CONNECT:
            due = time.ticks_add(time.ticks_ms(), _LINGER * 3 if self._pair else _LINGER)
            self._links[data[0]] = [20, b"", os.urandom(8), due]
            if self._password is None and not self._pair:
                self._open(data[0])
            # One who does not log in must not keep others out.
            self._advertise()
        elif event == _ENCRYPTION:
            if data[1] and self._password is None:
                self._open(data[0])
        elif event == _DISCONNECT:
            self._links.pop(data[0], None)
            if data[0] == self._holder:
                self._holder = None
                self._in = self._out = b""
            self._advertise()
        elif event == _MTU:
            self._links[data[0]][0] = data[1] - 3
            if data[0] == self._holder:
                self._room = data[1] - 3
        elif event == _GET_SECRET:
            return self._get_secret(data[0], data[1], data[2])
        elif event == _SET_SECRET:
            key = (data[0], bytes(data[1]))
            if data[2] is None:
                self._secrets.pop(key, None)
            else:
                self._secrets[key] = bytes(data[2])
            micropython.schedule(_save_secrets, self._secrets)
            return True
        if len(self._links) > (self._holder is not None):
            self._sweep()
        return None

    def _get_secret(self, kind, index, key):
        if key is not None:
            return self._secrets.get((kind, bytes(key)))
        for (each, _), value in self._secrets.items():
            if each == kind:
                if not index:
                    return value
                index -= 1
        return None

    def _written(self, link, handle):
        data = self._ble.gatts_read(handle)
        if self._password is None:
            self._open(link)  # with pairing, whoever can write is encrypted
        if link == self._holder:
            if handle == self._to_board:
                self._in += data[: _IN - len(self._in)]
        elif self._links[link][2] is None or self._password is None:
            pass  # has had its try, and is on its way out
        elif handle == self._login:
            self._judge(link, data == _proof(self._password, self._links[link][2]))
        elif self._holder is None:
            self._type(link, data)

    def _type(self, link, data):
        # A terminal program: the password as a line of text, asked for by an empty one.
        typed = (self._links[link][1] + data)[:66]
        line = typed.replace(b"\r", b"\n").split(b"\n")
        self._links[link][1] = line[-1]
        if line[0] and (len(line) > 1 or len(typed) > 64):
            self._judge(link, line[0] == self._password)
        elif len(line) > 1:
            self._ble.gatts_notify(link, self._from_board, b"Password: ")

    def _judge(self, link, right):
        # One try a connection, and a nonce of its own: what one does with it is nothing to the others.
        self._links[link][2] = None
        if right:
            self._open(link)
        if link != self._holder:
            self._drop(link)

    def _open(self, link):
        if self._holder is not None:
            return
        self._in = self._out = b""
        self._stuck = False
        self._room = self._links[link][0]
        self._holder = link
        self._advertise()
        for other in list(self._links):
            if other != link:
                self._drop(other)

    def _drop(self, link):
        try:
            self._ble.gap_disconnect(link)
        except OSError:
            pass  # it is going already

    def _tell(self, link):
        # The value is one for all connections, so each reader gets its own just before it reads.
        locked = self._password is not None and link != self._holder
        nonce = self._links[link][2] or bytes(8)
        self._ble.gatts_write(self._login, bytes((1, locked, _WINDOW & 0xFF, _WINDOW >> 8)) + nonce)

    def _sweep(self):
        # Ends connections without a login when their time is over, and the oldest of too many.
        now = time.ticks_ms()
        links = list(self._links.items())
        waiting = sorted([(time.ticks_diff(each[3], now), link) for link, each in links if link != self._holder])
        left = [wait for wait, _ in waiting if wait > 0]
        if left and self._timer:
            self._timer.init(mode=machine.Timer.ONE_SHOT, period=left[0], callback=self._ticker)
        for _, link in waiting[: max(len(waiting) - len(left), len(waiting) - _WAITING)]:
            self._drop(link)

    def _tick(self, _):
        try:
            self._sweep()
        except KeyboardInterrupt:
            self._again()
            return

    def _advertise(self):
        try:
            if self._holder is None:
                self._ble.gap_advertise(_INTERVAL, self._says[0], resp_data=self._says[1])
            else:
                self._ble.gap_advertise(None)
        except OSError:
            pass  # no connection is left to be had; the end of one tries again

    # -- the terminal -----------------------------------------------------------------------------

    def readinto(self, buf):
        try:
            return self._take(buf)
        except KeyboardInterrupt:
            buf[0] = 3
            return 1

    def read(self, n=-1):
        # The unix port reads its dupterm so.
        buf = bytearray(1)
        return buf if self.readinto(buf) else None

    def _take(self, buf):
        if not self._in:
            return None
        n = min(len(buf), len(self._in))
        buf[:n] = self._in[:n]
        self._in = self._in[n:]
        return n

    def ioctl(self, op, arg):
        # MP_STREAM_POLL is 3, its RD 1 and WR 4. No jump: os_dupterm.c forgets what is raised in here.
        return (op == 3) * (arg & 4 | arg & min(len(self._in), 1))

    def write(self, data):
        try:
            return self._print(data)
        except KeyboardInterrupt:
            self._busy = False
            self._again()
            return len(data)

    def _print(self, data):
        if self._holder is None:
            return len(data)
        if self._busy:
            # Printed by a handler or thread while another print is under way.
            self._out += data[: max(0, _IN - len(self._out))]
            return len(data)
        self._busy, hit = True, False
        self._rest = memoryview(data)
        while len(self._rest) or len(self._out) >= self._room:
            try:
                self._pack()
            except KeyboardInterrupt:
                hit = True
        self._rest, self._busy = b"", False
        if self._out:
            self._later()
        if hit:
            self._again()
        return len(data)

    def _pack(self):
        if len(self._out) >= self._room:
            end = time.ticks_add(time.ticks_ms(), _PATIENCE)
            while not self._send():
                if self._stuck or time.ticks_diff(end, time.ticks_ms()) < 0 or self._holder is None:
                    self._stuck, self._out = True, b""
                    return
                time.sleep_ms(5)
        else:
            n = self._room - len(self._out)
            self._out += self._rest[:n]
            self._rest = self._rest[n:]

    def _send(self):
        # One packet on its way; False while there is no room for it.
        wait = time.ticks_diff(self._due, time.ticks_ms())
        if 0 < wait <= self._gap:
            time.sleep_ms(wait)
        try:
            packet = self._out[: self._room]
            self._due = time.ticks_add(time.ticks_ms(), self._gap)
            self._ble.gatts_notify(self._holder, self._from_board, packet)
            self._out = self._out[len(packet) :]
            self._stuck = False
            return True
        except Exception as error:  # ENOMEM; TypeError: the holder has just gone
            self.error = error
            return False

    def _later(self):
        # What does not fill a packet goes when the print is over.
        if not self._scheduled:
            try:
                self._scheduled = True
                micropython.schedule(self._flusher, 0)
            except RuntimeError:
                self._scheduled = False
                self._flush_now()

    def _flush(self, _):
        try:
            self._scheduled = False
            self._flush_now()
        except KeyboardInterrupt:
            self._busy = False
            self._again()
            return

    def _flush_now(self):
        if self._busy or self._holder is None:
            return
        hit = False
        self._busy = True
        sent = True
        while self._out and sent:
            try:
                sent = self._send()
            except KeyboardInterrupt:
                hit = True
        self._busy = False
        if self._out and not self._stuck:
            time.sleep_ms(1)
            self._later()
        if hit:
            self._again()

    def stop(self):
        os.dupterm(None)
        self._ble.irq(None)
        if self._timer:
            self._timer.deinit()
        self._ble.gap_advertise(None)
        for link in list(self._links):
            self._drop(link)


# -- bonds: NimBLE keeps none itself ----------------------------------------------------------------


def _load_secrets():
    secrets = {}
    try:
        with open(_KEYS) as file:
            for line in file:
                kind, key, value = line.split(",")
                secrets[int(kind), bytes.fromhex(key)] = bytes.fromhex(value.strip())
    except (OSError, ValueError):
        pass
    return secrets


def _save_secrets(secrets):
    try:
        with open(_KEYS + ".new", "w") as file:
            for (kind, key), value in secrets.items():
                file.write("%d,%s,%s\n" % (kind, key.hex(), value.hex()))
        os.rename(_KEYS + ".new", _KEYS)
    except OSError as error:
        print("ble_repl: the bond was not saved:", error)


# -- for boot.py ------------------------------------------------------------------------------------


def start(password=None, name=None, pair=None, unlocked=False):
    # Offer the REPL. What is not given here is in ble_repl_cfg.py: PASSWORD (8 to 64 characters of ASCII), NAME, PAIR.
    # unlocked: without a password, for whoever is in range. pair: only encrypted. True where it was started.
    stop()
    try:
        reason = _start(password, name, pair, unlocked)
    except Exception as error:
        # What leaves boot.py keeps main.py from running: a settings file with a mistake in it, no memory for Bluetooth.
        reason = repr(error)
    if reason:
        print("ble_repl: not started,", reason)
    return not reason


def _start(password, name, pair, unlocked):
    global _terminal
    try:
        import ble_repl_cfg as settings
    except ImportError:
        settings = None
    password = password or getattr(settings, "PASSWORD", None)
    name = name or getattr(settings, "NAME", None)
    if pair is None:
        pair = getattr(settings, "PAIR", False)
    if unlocked:
        password = None
    elif not isinstance(password, str) or not 8 <= len(password.encode()) <= 64:
        return "PASSWORD in ble_repl_cfg.py must have 8 to 64 characters"
    ble = bluetooth.BLE()
    ble.active(True)
    if not name:
        name = "mpy-" + bytes(ble.config("mac")[1])[-2:].hex()
    try:
        terminal = _Terminal(name.encode()[:29], password and password.encode(), pair)
    except ValueError:
        # BTstack's build for Pico W knows nothing of pairing; open to all is not what was asked for.
        return "this firmware cannot pair"
    os.dupterm(terminal)
    _terminal = terminal
    print("ble_repl: ble://" + name)


def stop():
    # Take the terminal away, and end its connection.
    global _terminal
    if _terminal:
        _terminal.stop()
    _terminal = None
