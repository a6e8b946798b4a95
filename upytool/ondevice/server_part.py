# Part of the transfer server where that is bytecode: a further part, imported from memory (device.precompiled).
def part(size, check):
    f = io.BytesIO()
    c = 0
    while size:
        u = unit()
        size -= f.write(u)
        c = crc32(u, c)
    f.seek(0)
    if c != check:
        raise ValueError("packed data")
    L(f, M)
