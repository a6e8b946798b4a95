# A MODEL of the module `bluetooth` (extmod/modbluetooth.c with NimBLE's ways) for the BLE rig: the radio and the stack
# are at the other end of a socket (tests/rigs/ble.py). It runs on the unix port of the WebREPL rig, whose sockets call
# back between two steps of a program, in the main thread, as BTstack does on a Pico W.
#
# What is C on a board raises no KeyboardInterrupt in its middle. So whatever counts here has no jump behind it: an
# event calls its handler last, and behind a notification that was sent there is only its count. Nor does C look a name
# up in `builtins`.
import socket
import struct
import sys
from builtins import BaseException, OSError, ValueError, bool, bytes, int, len, max, memoryview, object, print, tuple  # noqa: UP029

import micropython
import rig

_BUFFERS = 12  # packets that wait for the air; NimBLE's pool has about as many, then there is ENOMEM
_DEFAULT_LENGTH = 20  # MP_BLUETOOTH_DEFAULT_ATTR_LEN


class UUID:
    def __init__(self, text):
        self.text = text


class BLE:
    _only = None

    def __new__(cls):
        if cls._only is None:
            cls._only = object.__new__(cls)
            cls._only._socket = cls._only._handler = cls._only._due = None
        return cls._only

    def active(self, on=None):
        if on and self._socket is None:
            self._arrived, self._events = b"", []
            self._values, self._flying, self._waiting = {}, 0, False
            self._next = self._take
            self._socket = socket.socket()
            port = int(rig.setting("RIG_RADIO"))
            self._socket.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
            self._socket.setblocking(False)
            rig.watch(self._socket, self._hear)
        elif on is False and self._socket is not None:
            self._socket.close()
            self._socket = None
        return self._socket is not None

    def config(self, *names, **values):
        if names == ("mac",):
            return 0, bytes.fromhex(rig.setting("RIG_ADDRESS"))
        for name in values:
            if name in ("bond", "mitm", "io", "le_secure") and not rig.setting("RIG_PAIRING"):
                raise ValueError("unknown config param")
            if name not in ("gap_name", "mtu", "rxbuf", "bond", "mitm", "io", "le_secure"):
                raise ValueError("unknown config param")
        self._send(b"P", b"")

    def irq(self, handler):
        self._handler = handler

    def wait(self, period, callback):
        # For machine.Timer: `callback` in `period` ms; 0 for no longer.
        self._due = callback
        self._send(b"T", struct.pack("<I", period))

    def gap_advertise(self, interval_us, adv_data=None, *, resp_data=None, connectable=True):
        if interval_us is None:
            self._send(b"A", b"")
            return
        if adv_data is not None:
            self._said = bytes(adv_data), bytes(resp_data or b"")
        for part in self._said:
            if len(part) > 31:
                raise OSError(22)
        self._send(b"A", bytes((len(self._said[0]),)) + self._said[0] + self._said[1])

    def gap_disconnect(self, link):
        self._send(b"X", struct.pack("<H", link))
        return True

    def gatts_register_services(self, services):
        handle, lines, result = 16, [], []
        for uuid, characteristics in services:
            lines.append("service " + uuid.text)
            handles = []
            for each in characteristics:
                lines.append("%d %d %s" % (handle, each[1], each[0].text))
                self._values[handle] = [b"", _DEFAULT_LENGTH, False]
                handles.append(handle)
                handle += 3
            result.append(tuple(handles))
        self._send(b"R", "\n".join(lines).encode())
        return tuple(result)

    def gatts_set_buffer(self, handle, length, append=False):
        self._values[handle][1:] = [length, append]

    def gatts_read(self, handle):
        value = self._values[handle]
        data = value[0]
        if value[2]:
            value[0] = b""
        return data

    def gatts_write(self, handle, data, send_update=False):
        value = self._values[handle]
        value[0] = bytes(data)
        value[1] = max(value[1], len(data))

    def gatts_notify(self, link, handle, data=None):
        if self._flying >= _BUFFERS:
            raise OSError(12)
        frame = b"N" + struct.pack("<HHH", len(data) + 4, link, handle) + bytes(data)
        self._socket.send(frame)  # nothing is sent where a signal lets it raise
        self._flying += 1

    def _send(self, kind, data):
        self._socket.send(kind + struct.pack("<H", len(data)) + data)

    # -- from the radio ---------------------------------------------------------------------------

    def _hear(self, end):
        try:
            self._arrived += end.recv(4096)
        except OSError:
            pass
        while len(self._arrived) >= 3:
            size = self._arrived[1] | self._arrived[2] << 8
            if len(self._arrived) < size + 3:
                break
            if self._arrived[0] == 110:  # n: a notification is on the air
                self._flying -= 1
            else:
                self._events.append((self._arrived[0], self._arrived[3 : size + 3]))
            self._arrived = self._arrived[size + 3 :]
        if self._events and not self._waiting:
            return self._take(0)

    def _take(self, _):
        # One event; the next one when the VM looks again.
        kind, data = self._events.pop(0)
        self._waiting = bool(self._events)
        if self._waiting:
            micropython.schedule(self._next, 0)
        if kind == 116:  # t: the time is over
            due = self._due
            if due is None:
                return
            return due()
        link = data[0] | data[1] << 8
        if kind == 114:  # r: a central reads; modbluetooth_nimble.c asks the handler first
            handle = data[2] | data[3] << 8
            if self._handler is not None:
                self._handler(4, (link, handle))
            self._send(b"V", data[2:] + self._values[handle][0])
            return
        if kind == 119:  # w: a central has written; modbluetooth_nimble.c, characteristic_access_cb
            handle = data[2] | data[3] << 8
            value = self._values[handle]
            before = value[0] if value[2] else b""
            value[0] = (before + data[4:])[: value[1]]
            event = 3, (link, handle)
        elif kind == 99:  # c
            event = 1, (link, 0, memoryview(data)[2:])
        elif kind == 100:  # d
            event = 2, (link, 0, memoryview(data)[2:])
        elif kind == 115:  # s: the stack has a secret to keep
            event = 30, (data[2], memoryview(data)[3:9], memoryview(data)[9:])
        elif kind == 103:  # g: the stack asks for one
            event = 29, (data[2], 0, memoryview(data)[3:9])
        elif kind == 101:  # e
            event = 28, (link, data[2] > 0, False, data[2] > 0, 16 * data[2])
        else:  # m
            event = 21, (link, data[2] | data[3] << 8)
        if self._handler is None:
            return
        try:
            return self._handler(*event)
        except BaseException as error:
            # modbluetooth.c, invoke_irq_handler_run_protected
            print("Unhandled exception in IRQ callback handler")
            sys.print_exception(error)
            self._handler = None
