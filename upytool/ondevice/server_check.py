# Part of the transfer server: what is there already? One answer for many files.
def digest(path):
    h = Hash()
    n = 0
    with open(path, "rb") as f:
        while 1:
            k = f.readinto(held)
            if not k:
                return h.digest()
            h.update(held_view[:k])
            n += k
            if not n & 65535:
                sink.write(b"\x16")


def check(base, names, sizes, keep):
    # For each: 0 nothing there, 1 a file (size, and its digest where the size is the expected one), 2 a folder.
    out = bytearray()
    for i in range(len(names)):
        try:
            s = os.stat(base + names[i])
        except OSError:
            out.append(0)
            continue
        if s[0] & 0x4000:
            out.append(2)
            continue
        out.append(1)
        out.extend(s[6].to_bytes(4, "little"))
        if s[6] == sizes[i]:
            out.extend(digest(base + names[i])[:keep])
    tell(82, out)


def space(path):
    try:
        s = os.statvfs(path)
        s = (s[1] or s[0], s[3])
    except (OSError, AttributeError):
        s = (0, 0)
    tell(82, repr(s).encode())


def scan(path, depth=9):
    # All below a folder: one message a folder, then an empty one.
    if depth == 9:
        path = path.rstrip("/")
    out = []
    try:
        entries = os.ilistdir(path or "/")
    except AttributeError:
        entries = ((n,) + os.stat(path + "/" + n)[:1] for n in os.listdir(path or "/"))
    except OSError:
        entries = ()
    for x in entries:
        n = x[0]
        if x[1] & 0x4000:
            out.append((n, -1))
        elif len(x) > 3:
            out.append((n, x[3]))
        else:
            out.append((n, os.stat(path + "/" + n)[6]))
        if len(out) == 50:
            tell(76, repr((path, out)).encode())
            out = []
    tell(76, repr((path, out)).encode())
