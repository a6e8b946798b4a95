# For boards that cannot run the transfer program: the kind of digest, and that of each unit of a ROM partition.
def run(i, unit, at, end):
    import vfs

    kind = "sha256"
    try:
        from hashlib import sha256
    except ImportError:
        kind = "crc32"
        try:
            from binascii import crc32
        except ImportError:
            kind = "sum"
            crc32 = lambda data, start: sum(data) + start & 0xFFFFFFFF
    m = memoryview(vfs.rom_ioctl(2, i))
    out = []
    while at < end:
        stop = min(at + unit, end)
        if kind == "sha256":
            h = sha256()
        v = 0
        while at < stop:
            k = min(at + 4096, stop)
            if kind == "sha256":
                h.update(m[at:k])
            else:
                v = crc32(m[at:k], v)
            at = k
        out.append("".join("%02x" % b for b in (h.digest()[:10] if kind == "sha256" else v.to_bytes(4, "little"))))
    return kind, out
