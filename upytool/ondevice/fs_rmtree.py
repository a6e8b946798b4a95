# Remove a file or a whole folder, deepest first. Prints what went; a mount point stays and is told.
def run(path, root, kept):
    import os

    p = path
    if p[:1] != "/":
        p = os.getcwd().rstrip("/") + "/" + p
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

    def rm(p, kind):
        if not kind & 0x4000:
            os.remove(p)
            print(repr((p, 0)) + ",")
            return
        j = p.rstrip("/") + "/"
        try:
            entries = list(os.ilistdir(p))
        except AttributeError:
            entries = [(n, os.stat(j + n)[0]) for n in os.listdir(p)]
        for x in entries:
            if j + x[0] not in kept:
                rm(j + x[0], x[1])
        if p != "/":
            try:
                os.rmdir(p)
                print(repr((p, 1)) + ",")
            except OSError as e:
                if e.args[0] not in (1, 16, 22):
                    raise
                print(repr((p, 2)) + ",")

    rm(p, os.stat(p)[0])
    print("]")
