# Before files come over the channel: makes directories, looks for others. (path, error number) of the first that could
# not be made, else for each of `look` whether it is one.
def run(make, look):
    import os

    def tell(kind):
        pass

    PARTS
    for p in make:
        try:
            mkdirs(p)
        except OSError as e:
            return p, e.args[0] if e.args else 5
    out = []
    for p in look:
        try:
            out.append(os.stat(p)[0] & 0x4000)
        except OSError:
            out.append(0)
    return out
