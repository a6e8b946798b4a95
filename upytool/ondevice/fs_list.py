# The entries of a folder, or of all below it, printed bit by bit so that a long list needs no memory.
def run(path, deep):
    import os

    todo = [path]
    print("\x1e[")
    while todo:
        p = todo.pop()
        j = p if not p or p[-1] == "/" else p + "/"
        try:
            entries = os.ilistdir(p)
        except AttributeError:
            entries = ((n, os.stat(j + n)[0]) for n in os.listdir(p))
        for x in entries:
            n = x[0]
            d = x[1] & 0x4000
            if d and deep:
                todo.append(j + n)
            s = -1
            if not d:
                s = x[3] if len(x) > 3 else os.stat(j + n)[6]
            print(repr((j + n if deep else n, s)) + ",")
    print("]")
