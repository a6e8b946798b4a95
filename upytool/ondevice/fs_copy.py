# A file from one place of the board to another, complete or not at all. Returns its size.
def run(src, dst):
    import os

    b = bytearray(1024)
    v = memoryview(b)
    t = dst[: dst.rfind("/") + 1] + "~upytool.tmp"
    size = 0
    try:
        with open(src, "rb") as f:
            with open(t, "wb") as g:
                while 1:
                    n = f.readinto(b)
                    if not n:
                        break
                    g.write(v[:n])
                    size += n
        if os.stat(t)[6] != size:
            raise OSError(5)
        # What a move removes afterwards must be there in the copy, byte for byte.
        with open(src, "rb") as f:
            with open(t, "rb") as g:
                while 1:
                    n = f.readinto(v[:512])
                    if g.readinto(v[512:]) != n or v[:n] != v[512 : 512 + n]:
                        raise OSError(5)
                    if not n:
                        break
        try:
            os.rename(t, dst)
        except OSError:
            if os.stat(dst)[0] & 0x4000:
                raise OSError(21)
            os.remove(dst)
            os.rename(t, dst)
    except BaseException:
        try:
            os.remove(t)
        except OSError:
            pass
        raise
    return size
