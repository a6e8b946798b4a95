# ROM partitions for boards that cannot run the transfer program: one step a call, content as hexadecimal text.
def run(what, i, at, end, step=0, blank=0):
    import vfs

    def ok(r):
        if isinstance(r, int) and r < 0:
            raise OSError(-r)
        return r

    d = vfs.rom_ioctl(2, i)
    block = d.ioctl(5, 0) if hasattr(d, "ioctl") else 0
    if what == "begin":
        try:
            vfs.umount("/rom")
        except OSError:
            pass
    elif what == "erase":
        r = 1
        if not step:
            r = ok(vfs.rom_ioctl(3, i, end))
        elif block:
            if ok(d.ioctl(6, at // step)):
                raise OSError(5)
        else:
            r = ok(vfs.rom_ioctl(3, i, at, step))
        if blank:
            ok(vfs.rom_ioctl(4, i, 0, b"\xff" * r))
        return r
    elif what == "get":
        return "".join("%02x" % b for b in memoryview(d)[at:end])
    elif what == "put":
        u = bytes(int(end[k : k + 2], 16) for k in range(0, len(end), 2))
        if block:
            if ok(d.writeblocks(at // block, u, at % block)):
                raise OSError(5)
        else:
            ok(vfs.rom_ioctl(4, i, at, u))
    elif block:
        d.ioctl(3, 0)
    else:
        r = vfs.rom_ioctl(5, i)
        ok(0 if r == -22 else r)
