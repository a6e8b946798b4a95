# A start that a bad main.py cannot lock out (docs/reference/firmware-modules.md).
# Facts from ports/*/main.c and shared/runtime/pyexec.c of 1.25 and 1.26: main.py is left out when boot.py raises
# anything but SystemExit; SystemExit is a soft reset at once. boot.py runs before rp2, samd and mimxrt have USB.
import os
import sys
import time

SOFT = 1500  # ms since power or hard reset; a start later than that is a soft reset, at which somebody is there
MAGIC = 0x5AFEB000

reason = ""  # why main.py is left out at this start; "" when it is not
_wait = 0
_window = 0
_held = None
_save = None
_timer = None


class MainSkipped(Exception):
    pass


def _file(path):
    # The count is the file's size: one small write a start, a removal when the start has gone well.
    def load():
        try:
            return os.stat(path)[6]
        except OSError:
            return 0

    def save(n):
        try:
            if n:
                with open(path, "wb") as f:
                    f.write(b"x" * n)
            else:
                os.remove(path)
        except OSError:
            pass

    return load, save


def _register():
    # A scratch register of rp2's watchdog: lives through every reset but power and the RUN pin, costs no flash.
    # The boot ROMs look at 4 to 7 (datasheets RP2040 2.8.1, RP2350 5.2), the SDK's watchdog driver at 4.
    from machine import mem32

    at = 0x400D800C if "RP2350" in sys.implementation._machine else 0x40058014

    def load():
        n = mem32[at] & 0xFFFFFFFF
        return n & 15 if n & ~15 == MAGIC else 0

    def save(n):
        mem32[at] = MAGIC | n

    return load, save


def good(_=None):
    # All is well: forget the quick failures. A program that sleeps deeply soon after its start calls this itself.
    global _save, _timer
    if _save:
        _save(0)
    _save = _timer = None


def _soft():
    if sys.platform == "esp32":
        import machine

        return machine.reset_cause() == machine.SOFT_RESET
    # Elsewhere nothing tells for sure, but a soft reset leaves the milliseconds alone.
    return time.ticks_ms() > SOFT


def _arm(ms):
    global _timer
    from machine import Timer

    # -1 is a timer of software: no program can take it away from us, nor we from it.
    _timer = Timer(-1)
    _timer.init(period=ms, mode=Timer.ONE_SHOT, callback=good)


def _counted(tries, quick, store):
    # Count this start. True: the last `tries` ones all ended within `quick` seconds, by a hard reset.
    global _save
    if store == "auto":
        if sys.platform == "esp32":
            return _clocked(tries, quick)
        if sys.platform != "rp2":
            return False
        load, save = _register()
    else:
        load, save = _file(store)
    now = time.ticks_ms()
    n = load()
    if _soft():
        # A soft reset is no failure. It ended the timer, though.
        if n and now >= quick * 1000:
            save(0)
        elif n:
            _save = save
            _arm(quick * 1000 - now)
        return False
    if n >= tries:
        save(0)
        return True
    try:
        _arm(quick * 1000)
    except Exception:
        # Without a timer nobody would forget the good starts.
        if n:
            save(0)
        return False
    _save = save
    save(n + 1)
    return False


def _clocked(tries, quick):
    # esp32 has no timer of software, but a clock that resets leave alone, and NVS, which spreads its writes.
    import machine
    from esp32 import NVS

    if _soft():
        return False
    nvs = NVS("safe_boot")
    try:
        was = nvs.get_i32("start")
    except OSError:
        was = 0
    now = int(time.time()) & 0xFFFFFFF
    n = was & 7
    # Two seconds more: the time that the start itself takes.
    if machine.reset_cause() == machine.PWRON_RESET or not 0 <= now - (was >> 3) < quick + 2:
        n = 0
    skip = n >= tries
    nvs.set_i32("start", now << 3 | (0 if skip else n + 1))
    nvs.commit()
    return skip


def _woken():
    # Waking from deep sleep is no new try, however short the program runs.
    try:
        import machine

        return machine.reset_cause() == machine.DEEPSLEEP_RESET
    except Exception:
        return False


def start(tries=3, quick=5, wait=30, window=0, pin=None, level=0, held=None, store="auto"):
    # Decide about this start; `reason` says what came out. tries: 1 to 7. quick, wait: seconds. window: milliseconds.
    # pin: a number or name that is at `level` while held; held: a function instead. store: "auto", None or a path.
    global reason, _wait, _window, _held
    reason = ""
    _wait = wait
    _window = 0
    if _woken():
        return
    if pin is not None and held is None:
        from machine import Pin

        p = Pin(pin, Pin.IN, Pin.PULL_DOWN if level else Pin.PULL_UP)
        time.sleep_ms(1)
        held = lambda: p.value() == level
    _held = held
    if held and held():
        reason = "the pin is held"
        _wait = 0
        return
    if window and not _soft():
        _window = window
    try:
        if store and _counted(tries, quick, store):
            reason = "main.py failed %d times within %d s of its start" % (tries, quick)
    except Exception as e:
        # What guards the start must not prevent it.
        print("safe_boot:", repr(e))


def _listen():
    # The window in which Ctrl-C, any key or the pin keeps main.py from starting.
    global reason, _wait
    try:
        if _typed(_window):
            reason = "somebody asked for the prompt"
            _wait = 0
    except KeyboardInterrupt:
        reason = "Ctrl-C"
        _wait = 0


def _typed(ms):
    # Wait; True when there is input (it stays there) or the pin is held.
    try:
        import select

        poll = select.poll()
        poll.register(sys.stdin, 1)
    except Exception:
        poll = None
    end = time.ticks_add(time.ticks_ms(), ms)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        if _held and _held():
            return True
        if not poll:
            time.sleep_ms(10)
        elif poll.poll(10):
            return True
    return False


def ready():
    # For the frozen main.py, when USB is there: may main.py run? After quick failures it still may when nobody
    # comes within `wait` seconds: a board in the field, whose network is away, must not stop trying.
    if not reason and _window:
        _listen()
    if not reason:
        return True
    if _wait:
        print("safe_boot: %s; it starts in %d s, any key stops it" % (reason, _wait))
        try:
            if not _typed(_wait * 1000):
                return True
        except KeyboardInterrupt:
            pass
    print("safe_boot: no main.py (%s)" % (reason if not _wait else "somebody is here"))
    return False


def check():
    # For a boot.py without our main.py behind it: raise, which keeps main.py from starting.
    if not reason and _window:
        _listen()
    if reason:
        raise MainSkipped(reason)


def run_file(path, names):
    # As the firmware runs boot.py and main.py; the smallest ports lack execfile.
    try:
        run = execfile
    except NameError:
        with open(path) as f:
            text = f.read()
        exec(text, names)
        return
    run(path, names)


def boot(names, main=False):
    # The rest of the frozen boot.py; `names`: its globals(). main: the frozen main.py asks ready(), nothing is raised.
    if not main:
        check()
    if reason:
        return
    try:
        os.stat("boot.py")
    except OSError:
        return
    run_file("boot.py", names)
