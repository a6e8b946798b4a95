# The board's clock: read it, or set it and read it back.


def run(new=None):
    from machine import RTC

    r = RTC()
    if new is not None:
        r.datetime(new)
    return tuple(r.datetime())
