# A board's `machine`, as far as a board without pins has one.
from builtins import SystemExit, int, str
from umachine import idle, mem8, mem16, mem32
import host
import time

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5


def reset():
    host.call("reset", "hard")


def soft_reset():
    raise SystemExit


def bootloader(timeout=0):
    host.call("reset", "bootloader")


def reset_cause():
    return int(host.call("reset_cause", ""))


def unique_id():
    from binascii import unhexlify

    return unhexlify(host.call("unique_id", ""))


def freq(hz=None):
    return 125000000


def lightsleep(ms=0):
    time.sleep_ms(ms)


def deepsleep(ms=0):
    time.sleep_ms(ms)
    host.call("reset", "deepsleep")


def disable_irq():
    return 0


def enable_irq(state=0):
    pass


class RTC:
    # (year, month, day, weekday from Monday = 0, hours, minutes, seconds, subseconds), as the rp2 port
    def datetime(self, value=None):
        if value is None:
            t = time.gmtime()
            return (t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0)
        year, month, day, _, hour, minute, second = value[:7]
        host.call("rtc", str(int(time.mktime((year, month, day, hour, minute, second, 0, 0)))))

    def init(self, value):
        self.datetime(value)


