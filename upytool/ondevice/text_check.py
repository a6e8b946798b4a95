# For boards without a binary stdin: what is there? (kind of digest, [(kind, size, digest as hexadecimal text)]).
def run(paths, sizes):
    import os

    b = bytearray(512)
    v = memoryview(b)

    class Sum:
        def __init__(self):
            self.v = 0

        def update(self, d):
            self.v = crc(d, self.v)

        def digest(self):
            return self.v.to_bytes(4, "little")

    kind = "sum"
    crc = lambda d, s: sum(d) + s & 0xFFFFFFFF
    try:
        from binascii import crc32 as crc

        kind = "crc32"
    except ImportError:
        pass
    make = Sum
    try:
        from hashlib import sha256 as make

        kind = "sha256"
    except ImportError:
        pass
    out = []
    for i in range(len(paths)):
        try:
            s = os.stat(paths[i])
        except (OSError, AttributeError):
            out.append((0, 0, ""))
            continue
        if s[0] & 0x4000:
            out.append((2, 0, ""))
            continue
        t = ""
        if s[6] == sizes[i]:
            h = make()
            with open(paths[i], "rb") as f:
                while 1:
                    n = f.readinto(b)
                    if not n:
                        break
                    h.update(v[:n])
            for c in h.digest():
                t += "%02x" % c
        out.append((1, s[6], t))
    return kind, out
