# Files that came over the board's own file channel take their places; one without a digest is only removed. For each 0,
# or the error number: 5 where what is there is not what was sent. Then goes what an interrupted copy left beside them.
def run(items):
    import hashlib
    import os

    kbd_intr = lambda c: None
    try:
        from micropython import kbd_intr
    except ImportError:
        pass
    PARTS
    b = bytearray(1024)
    v = memoryview(b)
    out = []
    folders = []
    for temp, path, size, digest in items:
        e = 0
        try:
            if digest:
                h = hashlib.sha256()
                with open(temp, "rb") as f:
                    while 1:
                        n = f.readinto(b)
                        if not n:
                            break
                        h.update(v[:n])
                if os.stat(temp)[6] != size or h.digest()[:8] != digest:
                    raise OSError(5)
                settle(path)
                kbd_intr(-1)
                replace(temp, path)
        except OSError as x:
            e = x.args[0] or 5
        finally:
            kbd_intr(3)
        out.append(e)
        n = temp[: temp.rfind("/") + 1]
        if n not in folders:
            folders.append(n)
    for n in folders:
        try:
            for x in os.listdir(n or "."):
                if x.startswith("~upytool."):
                    os.remove(n + x)
        except OSError:
            pass
    return out
