# Part of the transfer server: ROM partitions; `vfs` is imported. Sums are of the flash itself, not of a copy.
def rom_begin():
    try:
        vfs.umount("/rom")
    except OSError:
        pass
    tell(82)


def rom_sums(i, unit, total):
    # The digest of each unit of the first `total` bytes, cut to 10 bytes.
    m = memoryview(vfs.rom_ioctl(2, i))
    out = bytearray()
    at = 0
    while at < total:
        end = min(at + unit, total)
        h = Hash()
        while at < end:
            k = min(at + 4096, end)
            h.update(m[at:k])
            at = k
            if not at & 65535:
                sink.write(b"\x16")
        out.extend(h.digest()[:10])
        if len(out) > 500:
            tell(68, out)
            out = bytearray()
    tell(68, out)
    tell(82)


def rom_get(i, at, count):
    m = memoryview(vfs.rom_ioctl(2, i))
    end = at + count
    while at < end:
        k = min(at + UNIT, end)
        tell(68, m[at:k])
        at = k
    tell(82)


def rom_ok(r):
    # Negative numbers are errors; a block device says so with any number but 0.
    if isinstance(r, int) and r < 0:
        raise OSError(-r)
    return r


def rom_erase(i, at, end, step, blank):
    # A block at a time, or (step 0) all from the start up to `end`; tell the least that can be written.
    # `blank` is for memory that keeps its content when it is prepared: the image's mark has to go first.
    d = vfs.rom_ioctl(2, i)
    r = 1
    if not step:
        r = rom_ok(vfs.rom_ioctl(3, i, end))
    for a in range(at, end, step or end):
        if hasattr(d, "ioctl"):
            if rom_ok(d.ioctl(6, a // step)):
                raise OSError(5)
        elif step:
            r = rom_ok(vfs.rom_ioctl(3, i, a, step))
        sink.write(b"\x16")
    if blank:
        rom_ok(vfs.rom_ioctl(4, i, 0, b"\xff" * r))
    tell(82, repr(r).encode())


def rom_write(d, i, at, u):
    if not hasattr(d, "ioctl"):
        rom_ok(vfs.rom_ioctl(4, i, at, u))
        return
    n = d.ioctl(5, 0)
    p = 0
    while p < len(u):
        k = min(len(u) - p, n - (at + p) % n)
        if rom_ok(d.writeblocks((at + p) // n, u[p : p + k], (at + p) % n)):
            raise OSError(5)
        p += k


def rom_put(i, at):
    # Content units, an empty one. After a failure the rest is read and dropped, to stay in step.
    d = vfs.rom_ioctl(2, i)
    good = 1
    while 1:
        u = unit()
        if not u:
            break
        if good:
            try:
                rom_write(d, i, at, u)
            except OSError as e:
                good = 0
                refuse(e)
            at += len(u)
    if good:
        tell(82)


def rom_end(i):
    # Ports that have nothing to finish answer with EINVAL.
    d = vfs.rom_ioctl(2, i)
    if hasattr(d, "ioctl"):
        d.ioctl(3, 0)
    else:
        r = vfs.rom_ioctl(5, i)
        rom_ok(0 if r == -22 else r)
    tell(82)
