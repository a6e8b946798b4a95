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
                T[0] = 0
                sink.write(b"\x16")


def spellings(base, name, names):
    # Where the file system takes a and A for one (FAT): asked name -> the name that is there, if they differ. None where
    # `name`, which exists, has no letters to tell it by.
    n = name.upper()
    if n == name:
        n = name.lower()
    if n == name:
        return None
    found = {}
    try:
        os.stat(base + n)
        low = {n.lower(): n for n in names}
        exact = []
        for x in os.ilistdir(base[:-1] or "/") if base else os.ilistdir():
            n = low.get(x[0].lower())
            if n:
                found[n] = x[0]
            if x[0] in names:
                exact.append(x[0])
        for n in exact:
            found.pop(n, 0)
    except (OSError, AttributeError):
        pass
    return found


def check(base, names, sizes, keep):
    # For each: 0 nothing there, 1 a file of another size (4 bytes), 2 a folder, 3 a file of that size (its digest).
    # Before one of them 4: it is there, but spelt otherwise (a length, a name).
    out = bytearray()
    spelt = None
    for i in range(len(names)):
        try:
            s = os.stat(base + names[i])
        except (OSError, AttributeError):  # A file system written in Python may have no stat.
            out.append(0)
            continue
        if spelt is None:
            spelt = spellings(base, names[i], names)
        if spelt and names[i] in spelt:
            n = spelt[names[i]].encode()
            out.append(4)
            out.append(len(n))
            out.extend(n)
        if s[0] & 0x4000:
            out.append(2)
        elif s[6] == sizes[i]:
            out.append(3)
            out.extend(digest(base + names[i])[:keep])
        else:
            out.append(1)
            out.extend(s[6].to_bytes(4, "little"))
    tell(82, out)
