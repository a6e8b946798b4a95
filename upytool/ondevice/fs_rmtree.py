# Remove a file or a whole folder, deepest first. Prints what went; a mount point stays and is told.
def run(path, root, kept):
    import os

    p = path
    here = os.getcwd()
    if p[:1] != "/":
        p = here.rstrip("/") + "/" + p
    parts = []
    for n in p.split("/"):
        if n == "..":
            parts = parts[:-1]
        elif n and n != ".":
            parts.append(n)
    p = "/" + "/".join(parts)
    for k in kept:
        if p == k or p.startswith(k + "/"):
            raise OSError(1)
    if not parts and not root:
        raise OSError(16)
    print("\x1e[")

    bare = path in ("", ".", "./")

    # The folders on the way down, each with what is still in it: in the order of the listing, as mpremote removes. Not
    # a function that calls itself: a board's stack is good for about 40 calls.
    way = []
    t = "." if bare else path
    isdir = os.stat(p)[0] & 0x4000
    while True:
        if isdir:
            try:
                entries = list(os.ilistdir(p))
            except AttributeError:
                j = p.rstrip("/") + "/"
                entries = [(n, os.stat(j + n)[0]) for n in os.listdir(p)]
            entries.reverse()
            way.append((p, t, entries))
        elif p not in kept:
            os.remove(p)
            print(repr((t, 0)) + ",")
        while way and not way[-1][2]:
            p, t, entries = way.pop()
            if p != "/" and not (bare and t == "."):
                try:
                    os.rmdir(p)
                    print(repr((t, 1)) + ",")
                except OSError as e:
                    if e.args[0] not in (1, 16, 22):
                        raise
                    print(repr((t, 2)) + ",")
        if not way:
            break
        p, t, entries = way[-1]
        x = entries.pop()
        p = p.rstrip("/") + "/" + x[0]
        t = t.rstrip("/") + "/" + x[0]
        isdir = x[1] & 0x4000 and p not in kept
    try:
        os.stat(here)
    except OSError:
        os.chdir("/")
    print("]")
