# The slot for an update as a directory: PLACE/AT-SIZE is a file of SIZE bytes from byte AT of the slot on, a multiple of
# 4096. So WebREPL's file channel (extmod/modwebrepl.c), which opens names, writes flash, and so does the transfer program.
# Neither the slot that runs is opened nor the one that the next start takes. Nothing raises while flash is written, for C code called it, which would end the
# connection: what the flash holds is compared afterwards.
def run(place, address, size):
    import io
    import os
    from esp32 import Partition

    try:
        import vfs
    except ImportError:
        vfs = os
    r = Partition(Partition.RUNNING)
    slot = r.get_next_update()
    if slot.info()[2:4] != (address, size) or address in (r.info()[2], Partition(Partition.BOOT).info()[2]):
        raise OSError(16)
    buf = bytearray(4096)
    view = memoryview(buf)
    last = []

    class File(io.IOBase):
        def __init__(s, name):
            a, _, z = name[1:].partition("-")
            s.name = name
            s.p = int(a)
            s.end = s.p + int(z)
            s.n = 0
            if s.p % 4096 or s.end > size:
                raise OSError(22)

        def write(s, d):
            d = memoryview(d)
            i = 0
            while i < len(d) and s.p < s.end:
                k = s.p % 4096
                m = min(len(d) - i, 4096 - k, s.end - s.p)
                view[k : k + m] = d[i : i + m]
                s.p += m
                s.n += m
                i += m
                if k + m == 4096:
                    s.keep()
            return len(d)

        def keep(s):
            try:
                slot.writeblocks((s.p - 1) // 4096, buf)
            except OSError:
                pass

        def readinto(s, d):
            m = min(len(d), s.end - s.p)
            if m:
                slot.readblocks(s.p // 4096, memoryview(d)[:m], s.p % 4096)
                s.p += m
            return m

        def close(s):
            k = s.p % 4096
            if s.n and k:
                view[k:] = b"\xff" * (4096 - k)
                s.keep()

        def ioctl(s, request, _):
            if request != 4:
                return -22
            s.close()
            return 0

        def __enter__(s):
            return s

        def __exit__(s, *_):
            s.close()

    class Slot:
        def mount(s, *_):
            pass

        def umount(s):
            pass

        def open(s, name, mode):
            # "a" goes on with the file that was written last.
            f = last[0] if "a" in mode else File(name)
            if "w" in mode:
                last[:] = [f]
            return f

        def stat(s, name):
            if not last or last[0].name != name:
                raise OSError(2)
            return 0x8000, 0, 0, 0, 0, 0, last[0].n, 0, 0, 0

    try:
        vfs.umount(place)
    except OSError:
        pass
    vfs.mount(Slot(), place)
