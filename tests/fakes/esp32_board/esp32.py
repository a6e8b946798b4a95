# A MODEL of MicroPython's module `esp32` and of ESP-IDF's bootloader, for a board that is not an ESP32: partitions
# are files of the board, and the two programs in its slots are the same MicroPython that runs here anyway. It keeps
# ESP-IDF's rules: which slot an update takes, the records of `otadata` with their states, what is checked before a slot
# is chosen, and the way back. What is real: the VM, the REPL, the transport, and every program of upytool's.
import binascii
import hashlib
import json

HOME = "/flash"
NEW, PENDING, VALID, INVALID, ABORTED, UNDEFINED = 0, 1, 2, 3, 4, 0xFFFFFFFF


def _read(name, at, count):
    data = b""
    try:
        with open(HOME + "/" + name, "rb") as f:
            f.seek(at)
            data = f.read(count)
    except OSError:
        pass
    return data + b"\xff" * (count - len(data))


def _write(name, at, data):
    path = HOME + "/" + name
    with open(path, "ab"):
        pass
    with open(path, "r+b") as f:
        end = f.seek(0, 2)
        if end < at:
            f.write(b"\xff" * (at - end))
        f.seek(at)
        f.write(data)


def _text(name):
    with open(HOME + "/" + name) as f:
        return f.read()


def _log(line):
    with open(HOME + "/log", "a") as f:
        f.write(line + "\n")


def _settings():
    # rows: the partition table; rollback: CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE; cut: blocks until the power goes;
    # worn: a block that keeps nothing. Read once: a program of upytool's imports this module anew.
    if not _known:
        _known.update(json.loads(_text("settings")))
    return _known


_known = {}


def _rows():
    return [tuple(row) for row in _settings()["rows"]]


def _slots():
    return [row for row in _rows() if row[0] == 0 and 16 <= row[1] < 32]


def _records():
    found = []
    for at in (0, 4096):
        record = _read("otadata", at, 32)
        sequence = int.from_bytes(record[:4], "little")
        state = int.from_bytes(record[24:28], "little")
        good = sequence != UNDEFINED and state not in (INVALID, ABORTED)
        good = good and binascii.crc32(record[:4], UNDEFINED) == int.from_bytes(record[28:], "little")
        found.append((sequence if good else 0, state))
    return found


def _record(index, sequence, state):
    head = sequence.to_bytes(4, "little")
    crc = binascii.crc32(head, UNDEFINED).to_bytes(4, "little")
    _write("otadata", 4096 * index, head + b"\xff" * 20 + state.to_bytes(4, "little") + crc)


def _active():
    one, two = (record[0] for record in _records())
    return -1 if not one and not two else 0 if one >= two else 1


def _good(row):
    # ESP-IDF's esp_image_verify: the program's own SHA-256.
    name, size = row[4], row[3]
    head = _read(name, 0, 24)
    at = 24
    if head[0] != 0xE9:
        return False
    for _ in range(head[1]):
        at += 8 + int.from_bytes(_read(name, at + 4, 4), "little")
        if at > size:
            return False
    end = (at | 15) + 1
    h = hashlib.sha256()
    for k in range(0, end, 4096):
        h.update(_read(name, k, min(4096, end - k)))
    return h.digest() == _read(name, end, 32)


def _default():
    first = [row for row in _rows() if row[0] == 0]
    return ([row for row in first if row[1] == 0] or first)[0]


def power_on():
    # The bootloader. A program whose first start was not confirmed is given up at the next one.
    for index, (sequence, state) in enumerate(_records()):
        if sequence and state == PENDING:
            _record(index, sequence, ABORTED)
    index = _active()
    if index < 0:
        row = _default()
    else:
        sequence, state = _records()[index]
        if state == NEW:
            _record(index, sequence, PENDING)
        row = _slots()[(sequence - 1) % len(_slots())]
    if not _good(row):
        _log("damaged " + row[4])
        row = next(each for each in _rows() if each[0] == 0 and _good(each))
    with open(HOME + "/running", "w") as f:
        f.write(row[4])
    _log("start " + row[4])


class Partition:
    BOOT, RUNNING = 0, 1
    TYPE_APP, TYPE_DATA = 0, 1

    def __init__(self, which, block_size=4096):
        if which == self.RUNNING:
            which = _text("running")
        elif which == self.BOOT:
            index = _active()
            if index >= 0:
                which = _slots()[(_records()[index][0] - 1) % len(_slots())][4]
            else:
                which = _default()[4]
        self._row = next(row for row in _rows() if row[4] == which)

    @staticmethod
    def find(type=0, subtype=255, label=None, block_size=4096):
        rows = [row for row in _rows() if row[0] == type and subtype in (255, row[1])]
        return [Partition(row[4]) for row in rows if label in (None, row[4])]

    def info(self):
        kind, subtype, address, size, label, encrypted = self._row
        return kind, subtype, address, size, label, bool(encrypted)

    def readblocks(self, block, buf, offset=0):
        at = block * 4096 + offset
        if at + len(buf) > self._row[3]:
            raise OSError(-260, "ESP_ERR_INVALID_SIZE")
        buf[:] = _read(self._row[4], at, len(buf))

    def writeblocks(self, block, buf, offset=None):
        label = self._row[4]
        if block * 4096 + len(buf) > self._row[3]:
            raise OSError(-260, "ESP_ERR_INVALID_SIZE")
        settings = _settings()
        _log("write %s %d%s" % (label, block, " RUNNING" if label == _text("running") else ""))
        if settings["cut"]:
            settings["cut"] -= 1
            with open(HOME + "/settings", "w") as f:
                f.write(json.dumps(settings))
            if not settings["cut"]:
                import machine

                _write(label, block * 4096, bytes(buf[:1000]) + b"\xff" * 3096)
                machine.reset()
        if settings["worn"] != block:
            _write(label, block * 4096, buf)

    def get_next_update(self):
        slots = _slots()
        if not slots:
            raise OSError(2)
        labels = [row[4] for row in slots]
        at = labels.index(self._row[4]) + 1 if self._row[4] in labels else 0
        return Partition(labels[at % len(labels)])

    def set_boot(self):
        if not _good(self._row):
            raise OSError(-5379, "ESP_ERR_OTA_VALIDATE_FAILED")
        if self._row[1] == 0:
            for at in (0, 4096):
                _write("otadata", at, b"\xff" * 32)
        else:
            slots = _slots()
            index = _active()
            # The number stays where that slot is chosen already, and is written into the other record then.
            sequence = _records()[index][0] if index >= 0 else 1
            while slots[(sequence - 1) % len(slots)] != self._row:
                sequence += 1
            _record(1 - index if index >= 0 else 0, sequence, NEW if _settings()["rollback"] else UNDEFINED)
        _log("set_boot " + self._row[4])

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        index = _active()
        if index < 0:
            raise OSError(-1, "ESP_FAIL")
        sequence, state = _records()[index]
        if state != VALID:
            _record(index, sequence, VALID)
        _log("valid")
