# Another rate for the REPL's UART. A timer looks every 100 ms and goes back to the old rate when nobody gave a
# sign of life for a while: _turbo = [ticks without a sign, ticks allowed, phase, rate]. A sign is _turbo[0] = 0.
# Phases: 0 to be raised, 1 raised, 2 and 3 to be lowered, 4 lowered.


def run(base, rate, ticks):
    global _turbo
    import sys

    if sys.platform == "pyboard":
        import pyb

        uart = pyb.repl_uart()
        if uart is None:
            return "its REPL is not on a UART"
        change = uart.init
    elif sys.platform in ("esp32", "esp8266"):
        from machine import UART

        change = lambda to: UART(0, to)
    else:
        return "not known to work on " + sys.platform
    from machine import Timer

    def tick(timer):
        s = _turbo
        s[0] += 1
        if s[2] == 0:
            s[0] = 0
            s[2] = 1
            change(s[3])
        elif s[2] == 2:
            s[2] = 3
        elif s[2] == 3 or s[0] > s[1]:
            s[2] = 4
            timer.deinit()
            change(base)

    _turbo = [0, ticks, 0, rate]
    for number in (-1, 3, 1, 0):
        try:
            Timer(number).init(period=100, mode=Timer.PERIODIC, callback=tick)
            return "on"
        except (ValueError, OSError, TypeError):
            pass
    return "it has no timer"
