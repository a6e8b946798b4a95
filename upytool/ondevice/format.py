# Make the board's file system anew, with the parameters of the port's own first boot (ports/*/modules/_boot.py,
# inisetup.py; stm32's main.c): the last number is LittleFS's program size where the port gives one.


def _device():
    try:
        import rp2

        return rp2.Flash(), "Lfs2", "/", 256
    except ImportError:
        pass
    try:
        from esp32 import Partition

        p = Partition.find(Partition.TYPE_DATA, label="vfs")
        if not p:
            p = Partition.find(Partition.TYPE_DATA, label="ffat", block_size=512)
        return p[0], "Lfs2", "/", 0
    except (ImportError, IndexError):
        pass
    try:
        import flashbdev

        return flashbdev.bdev, "Lfs2", "/", 0
    except (ImportError, AttributeError):
        pass
    try:
        import pyb

        return pyb.Flash(start=0), "Fat", "/flash", 0
    except (ImportError, AttributeError):
        pass
    try:
        import samd

        return samd.Flash(), "Lfs2", "/", 256
    except (ImportError, AttributeError):
        pass
    try:
        import mimxrt

        return mimxrt.Flash(), "Lfs2", "/flash", 256
    except (ImportError, AttributeError):
        pass
    try:
        import nrf

        return nrf.Flash(), "Lfs2", "/flash", 0
    except (ImportError, AttributeError):
        pass
    return None, "", "", 0


def run():
    b, k, at, prog = _device()
    if b is None:
        return ""
    try:
        import vfs as m
    except ImportError:
        import os as m
    c = getattr(m, "Vfs" + k, None)
    if c is None:
        k = "Lfs1" if hasattr(m, "VfsLfs1") else "Fat"
        c = getattr(m, "Vfs" + k)
    try:
        m.umount(at)
    except OSError:
        pass
    if prog and k != "Fat":
        c.mkfs(b, progsize=prog)
    else:
        c.mkfs(b)
    m.mount(c(b), at)
    import os

    os.chdir(at)
    return k
