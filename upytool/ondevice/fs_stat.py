# What are these paths? (mode, size, mtime in seconds since 1970), or the error number; first the working directory.
def run(*paths):
    import os

    try:
        import time

        epoch = 0 if time.gmtime(0)[0] == 1970 else 946684800
    except Exception:
        epoch = 0
    out = [os.getcwd()]
    for p in paths:
        try:
            s = os.stat(p)
            out.append((s[0], s[6], s[8] + epoch if s[8] else 0))
        except OSError as e:
            out.append(e.args[0] if e.args else 5)
    return out
