# What is this board? One program, asked once a session; everything is guarded, for any name may be missing.


def run():
    import sys

    r = {}

    def put(k, f):
        try:
            r[k] = f()
        except Exception:
            pass

    def mod(n):
        try:
            __import__(n)
            return 1
        except Exception:
            return 0

    im = getattr(sys, "implementation", None)
    put("name", lambda: im[0])
    put("version", lambda: tuple(im[1][:3]))
    put("machine", lambda: im._machine)
    put("build", lambda: im._build)
    put("mpy", lambda: im._mpy)
    put("mpy_old", lambda: im.mpy)
    put("platform", lambda: sys.platform)
    put("sysver", lambda: sys.version)
    put("path", lambda: _q)  # noqa: F821 - sys.path as the user has it (device.ondevice)
    put("maxsize", lambda: sys.maxsize)
    put("byteorder", lambda: sys.byteorder)
    put("buffer", lambda: hasattr(sys.stdin, "buffer") and hasattr(sys.stdout, "buffer"))
    import gc

    gc.collect()
    put("mem_free", lambda: gc.mem_free())
    put("mem_alloc", lambda: gc.mem_alloc())

    def uid():
        import machine

        return machine.unique_id()

    def uname():
        import os

        return tuple(os.uname())

    def freq():
        import machine

        f = machine.freq()
        return f if isinstance(f, int) else f[0]

    put("uid", uid)
    put("uname", uname)
    put("freq", freq)
    sys.path[:] = [".frozen"]
    r["modules"] = [m for m in ("os", "binascii", "hashlib", "deflate", "zlib", "select", "json", "vfs", "machine", "network", "micropython", "struct", "io", "asyncio") if mod(m)]
    # Ours may lie on the board as well, but is not looked for in a working directory (of this computer, perhaps).
    sys.path.append("/lib")
    if mod("upytool_transfer"):
        r["modules"].append("upytool_transfer")
    return r
