# A path and all below it but `skip`, printed bit by bit: (path, size, seconds since 1970), a folder's size being -1.
# What cannot be read is (path, -2, error number).
def run(path, skip):
    import os

    try:
        import time

        epoch = 0 if time.gmtime(0)[0] == 1970 else 946684800
    except Exception:
        epoch = 0

    def tell(p):
        s = os.stat(p)
        if s[0] & 0x4000:
            todo.append(p)
        else:
            print(repr((p, s[6], s[8] + epoch if s[8] else 0)) + ",")

    todo = []
    print("\x1e[")
    p = path
    try:
        tell(p)
        while todo:
            p = todo.pop()
            print(repr((p, -1, 0)) + ",")
            j = p if p[-1:] == "/" else p + "/"
            try:
                entries = os.ilistdir(p)
            except AttributeError:
                entries = ((n,) for n in os.listdir(p))
            for x in entries:
                if j + x[0] not in skip:
                    p = j + x[0]
                    tell(p)
    except OSError as e:
        print(repr((p, -2, e.args[0] if e.args else 5)) + ",")
    print("]")
