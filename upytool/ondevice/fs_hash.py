# The digests of files as hexadecimal text; None for what is no file. A folder's error is None as well.
def run(algo, *paths):
    import binascii
    import hashlib

    make = getattr(hashlib, algo)
    b = bytearray(1024)
    v = memoryview(b)
    out = []
    for p in paths:
        try:
            with open(p, "rb") as f:
                h = make()
                while 1:
                    n = f.readinto(b)
                    if not n:
                        break
                    h.update(v[:n])
            out.append(binascii.hexlify(h.digest()).decode())
        except OSError:
            out.append(None)
    return out
