# For boards without a binary stdin: what is there? (kind of digest, [(kind, size, digest as hexadecimal text, the name where it is spelt otherwise)]).
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

    def spelt(path):
        # Where the file system takes a and A for one: the name that is there, if it is another one.
        k = path.rfind("/") + 1
        n = path[k:]
        try:
            os.stat(path[:k] + (n.lower() if n != n.lower() else n.upper()))
            names = os.listdir(path[: k - 1] or "/") if k else os.listdir()
        except (OSError, AttributeError):
            return ""
        if n not in names:
            for x in names:
                if x.lower() == n.lower():
                    return x
        return ""

    out = []
    for i in range(len(paths)):
        try:
            s = os.stat(paths[i])
        except (OSError, AttributeError):
            out.append((0, 0, "", ""))
            continue
        name = spelt(paths[i])
        if s[0] & 0x4000:
            out.append((2, 0, "", name))
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
        out.append((1, s[6], t, name))
    return kind, out
