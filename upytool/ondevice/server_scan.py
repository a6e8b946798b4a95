# Part of the transfer server: what is below a directory.
def scan(path):
    # All below a folder, at most 50 entries a message; a folder's size is -1. A folder that can't be listed is an
    # error: what is left out might be deleted elsewhere. Only `path` itself may be none.
    todo = [path.rstrip("/")]
    below = 0
    while todo:
        p = todo.pop()
        out = []
        try:
            entries = os.ilistdir(p or "/")
        except AttributeError:
            entries = ((n,) + os.stat(p + "/" + n)[:1] for n in os.listdir(p or "/"))
        except OSError:
            if below:
                raise
            continue
        below = 1
        for x in entries:
            n = x[0]
            if x[1] & 0x4000:
                todo.append(p + "/" + n)
                out.append((n, -1))
            else:
                out.append((n, x[3] if len(x) > 3 else os.stat(p + "/" + n)[6]))
            if len(out) == 50:
                tell(76, repr((p, out)).encode())
                out = []
        tell(76, repr((p, out)).encode())
    tell(82)
