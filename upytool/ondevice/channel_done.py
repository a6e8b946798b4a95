# Files that came over the board's own file channel take their places; a name without a digest is only removed.
# For each 0, or the error number: 5 where what is there is not what was sent.
def run(items):
    import hashlib
    import os

    kbd_intr = lambda c: None
    try:
        from micropython import kbd_intr
    except ImportError:
        pass
    REPLACE
    b = bytearray(512)
    v = memoryview(b)
    out = []
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
        if e or not digest:
            try:
                os.remove(temp)
            except OSError:
                pass
        out.append(e)
    return out
