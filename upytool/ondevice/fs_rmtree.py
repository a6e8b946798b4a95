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

    # Each (path, what to tell, kind), a folder twice: first for what is in it, then, with a kind of 0x4001, for itself.
    # Not a function that calls itself: a board's stack is good for about 40 calls.
    todo = [(p, "." if bare else path, os.stat(p)[0])]
    while todo:
        p, t, kind = todo.pop()
        if not kind & 0x4000:
            os.remove(p)
            print(repr((t, 0)) + ",")
        elif kind == 0x4001:
            if p != "/" and not (bare and t == "."):
                try:
                    os.rmdir(p)
                    print(repr((t, 1)) + ",")
                except OSError as e:
                    if e.args[0] not in (1, 16, 22):
                        raise
                    print(repr((t, 2)) + ",")
        else:
            todo.append((p, t, 0x4001))
            j = p.rstrip("/") + "/"
            k = t.rstrip("/") + "/"
            try:
                entries = list(os.ilistdir(p))
            except AttributeError:
                entries = [(n, os.stat(j + n)[0]) for n in os.listdir(p)]
            for x in entries:
                if j + x[0] in kept:
                    continue
                if x[1] & 0x4000:
                    todo.append((j + x[0], k + x[0], 0x4000))
                else:
                    os.remove(j + x[0])
                    print(repr((k + x[0], 0)) + ",")
            entries = None
    try:
        os.stat(here)
    except OSError:
        os.chdir("/")
    print("]")
