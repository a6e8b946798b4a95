# The ROM partitions: (size, erase unit or 0 where all goes at once, whether a block device, first 16 bytes) each, a
# number where one has an error; then the loaded modules that lie in /rom, whether /rom is there, and the port. None: no ROMFS.
def run():
    try:
        import vfs

        ioctl = vfs.rom_ioctl
    except (ImportError, AttributeError):
        return None
    import os
    import sys

    parts = []
    for i in range(ioctl(1)):
        d = ioctl(2, i)
        if isinstance(d, int):
            parts.append(d)
            continue
        m = memoryview(d)
        if hasattr(d, "ioctl"):
            unit = d.ioctl(5, 0)
            parts.append((d.ioctl(4, 0) * unit, unit, 1, bytes(m[:16])))
            continue
        try:
            unit = ioctl(6, i)
        except (TypeError, ValueError, OSError):
            unit = 0
        parts.append((len(m), max(0, unit), 0, bytes(m[:16])))
    loaded = [n for n in sys.modules if getattr(sys.modules[n], "__file__", "").startswith("/rom/")]
    try:
        os.stat("/rom")
        mounted = 1
    except OSError:
        mounted = 0
    return parts, loaded, mounted, sys.platform
